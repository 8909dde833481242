"""A server of its own for the tests, in a folder that goes with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

# A machine that compiles beside it takes many times the usual 2 s.
READY_SECONDS_MAX = 120
# Quick enough for tests: a minute of a time limit lasts 0.2 s.
PACE = ("--minute-seconds", "0.2", "--grace-seconds", "1")


class World:
    """The server, its address and its folder."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sluice-aws-"))
        self.jobs, self.faults = self.home / "jobs", self.home / "faults"
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        self.access = {
            "endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1", "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }  # fmt: skip
        environment = {
            "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": self.access["endpoint_url"], "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "SLUICE_HOME": "/not/a/job's",
        }  # fmt: skip
        server = Path(__file__).resolve().parents[1] / "server.py"
        self.log = (self.home / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, str(server), str(port), str(self.home), *PACE], env=environment, stdout=self.log, stderr=self.log
        )
        give_up_at = time.monotonic() + READY_SECONDS_MAX
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            if self.process.poll() is not None or time.monotonic() > give_up_at:
                self.process.kill()
                raise RuntimeError(f"the server does not answer:\n{(self.home / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def processes_of(self, job: str) -> list[int]:
        """Returns the processes that work in a job's folder."""
        found = []
        for place in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):
                if place.readlink().is_relative_to(self.jobs / job):
                    found.append(int(place.parent.name))
        return found

    def stop(self) -> None:
        """Stops the server and deletes what it wrote."""
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()
        shutil.rmtree(self.home)
