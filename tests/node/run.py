"""Runs the functions test_… of tests/node/*_test.py; see tests/node/run.

When all run, those that mostly wait for Java run beside others; those that look at times, processors and memory run
behind both, alone.
"""
import glob
import importlib
import os
import re
import subprocess
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


BESIDE = ("cassandra_test.", "interop_test.", "sstable_tool_test.")
ALONE = ("command_test.", "durability_test.", "hostile_client_test.", "job_ring_test.", "ring_test.", "slow_peer_test.",
         "start_test.")


def run(wanted):
    """How many passed and failed."""
    passed = failed = 0
    for name, function in tests():
        if not wanted(name):
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
    return passed, failed


def run_all():
    beside = subprocess.Popen([sys.executable, os.path.abspath(__file__), *BESIDE], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    counts = [run(lambda name: not name.startswith(BESIDE + ALONE))]
    *lines, last = beside.communicate()[0].rstrip("\n").split("\n")
    print(*lines, sep="\n", flush=True)
    counted = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    counts.append((int(counted[1]), int(counted[2])) if counted else (0, 1))
    counts.append(run(lambda name: name.startswith(ALONE)))
    return sum(c[0] for c in counts), sum(c[1] for c in counts)


def main():
    parts = sys.argv[1:]
    passed, failed = run(lambda name: any(p in name for p in parts)) if parts else run_all()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
