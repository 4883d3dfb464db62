"""Runs the functions test_… of tests/node/*_test.py; see tests/node/run."""
import glob
import importlib
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Skip  # noqa: E402


def tests():
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "*_test.py"))):
        name = os.path.basename(path)[:-3]
        module = importlib.import_module(name)
        for function in sorted(dir(module)):
            if function.startswith("test_"):
                yield f"{name}.{function[5:]}", getattr(module, function)


def main():
    parts, passed, failed = sys.argv[1:], 0, 0
    for name, function in tests():
        if parts and not any(p in name for p in parts):
            continue
        begin = time.monotonic()
        try:
            said = function()
            verdict, passed = "ok", passed + 1
        except Skip as e:
            said, verdict = e, "skipped"
            failed += os.environ.get("CI") == "true"
        except Exception:
            said, verdict, failed = "\n" + traceback.format_exc(), "FAILED", failed + 1
        print(f"{verdict:8} {name} ({time.monotonic() - begin:.1f} s){': ' + str(said) if said else ''}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
