"""The AWS stand-in of one home: moto for every service it knows, and jobs of EMR Serverless that run.

    python server.py PORT HOME [--start-seconds N] [--minute-seconds N] [--grace-seconds N]

HOME is where jobs run and faults are planted; it also marks the process as this home's.
"""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from moto.server import ThreadedMotoServer

import emr_backend
import glue_versions
from emr_job import Pace, Places


def main() -> None:
    """Serves until it is told to stop; then no job's process is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("home", type=Path)
    parser.add_argument("--start-seconds", type=float, default=0.0, help="what a worker takes to start (about 60 on the service)")
    parser.add_argument("--minute-seconds", type=float, default=60.0, help="how long a minute of a time limit lasts")
    parser.add_argument("--grace-seconds", type=float, default=10.0, help="what a cancelled driver gets to end by itself")
    options = parser.parse_args()
    home = options.home
    emr_backend.install(
        Places(jobs=home / "jobs", unpacked=home / "unpacked", faults=home / "faults"),
        Pace(options.start_seconds, options.minute_seconds, options.grace_seconds),
    )
    glue_versions.install()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server = ThreadedMotoServer("127.0.0.1", options.port, verbose=False)
    server.start()
    stopping.wait()
    server.stop()
    for job in emr_backend.every_job():
        job.abandon()


if __name__ == "__main__":
    main()
