"""Runs one program and notes what it cost: `launcher.py RECORDS NAME EXECUTABLE ARGUMENT...`, ends with the program's exit code.

Appends one JSON line to RECORDS: wall seconds, CPU seconds, peak memory. The kernel counts a child's peak memory from what its
parent held when it was started, so this stays small: the standard library alone, to be started with `python -I -S`.
"""

import json
import os
import signal
import sys
import time


def main() -> int:
    """Runs the program; a signal that asks it to end is passed on."""
    records, name, executable, *arguments = sys.argv[1:]
    started = time.monotonic()
    pid = os.posix_spawn(executable, [name, *arguments], os.environ)
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda number, _: os.kill(pid, number))
    _, status, used = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    record = {
        "program": name,
        "arguments": arguments,
        "code": code,
        "seconds": time.monotonic() - started,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
    }
    # One write of one line: programs that end at the same time do not mix theirs.
    line = json.dumps(record).encode() + b"\n"
    file = os.open(records, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, line)
    os.close(file)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
