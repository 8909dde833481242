"""Runs a module as `python -m MODULE ARGUMENT...` does, but ends the process without unloading native libraries.

Threads of libraries that read Delta tables may still run when the interpreter ends, and then C++ aborts it ("terminate called
without an active exception", exit 134) although all work is done and its outcome is printed.
"""

import os
import runpy
import sys
import traceback


def ended(module: str) -> int:
    """Runs a module as the main program; returns its exit code."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as exit:
        if exit.code is None or isinstance(exit.code, int):
            return exit.code or 0
        print(exit.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    del sys.argv[0]
    code = ended(sys.argv[0])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
