"""Runs every test: a test is a public function of a module of this folder. Ends with `N passed, N failed`."""

import importlib
import inspect
import pkgutil
import sys
import traceback

import oracle.tests


def tests():
    """Yields (name, function) of each test, in the order of the files."""
    for module in pkgutil.iter_modules(oracle.tests.__path__, "oracle.tests."):
        if module.name.endswith("_tests"):
            loaded = importlib.import_module(module.name)
            for name, function in vars(loaded).items():
                if inspect.isfunction(function) and function.__module__ == module.name and not name.startswith("_"):
                    yield f"{module.name.rpartition('.')[2]}.{name}", function


def main():
    """Runs all tests, or those whose name holds the first argument."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    passed = failed = 0
    for name, function in tests():
        if wanted in name:
            try:
                function()
                passed += 1
            except Exception:
                failed += 1
                print(f"FAILED {name}\n{traceback.format_exc(limit=-2)}", file=sys.stderr)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
