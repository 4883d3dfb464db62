#!/usr/bin/env python3
"""Runs the test programs of a build directory, two at a time, and counts their tests.

    tests/run_programs.py BUILD_DIRECTORY [NAME_PART ...] [--but NAME_PART ...]

Prints the output of those that fail, the five that take longest, and "N passed, N failed" last. A program
that dies, or takes more than five minutes, is one failure more.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

TIMEOUT_S = 300


def programs(build, parts, left_out):
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], text=True, capture_output=True,
                             check=True).stdout
    names = [t["name"] for t in json.loads(listing)["tests"]]
    return [n for n in names if (not parts or any(p in n for p in parts)) and not any(p in n for p in left_out)]


def run(build, name):
    begin = time.monotonic()
    environment = dict(os.environ, CK_FORK=os.environ.get("CK_FORK", "yes"), CK_DEFAULT_TIMEOUT="300",
                       ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS="print_stacktrace=1",
                       TSAN_OPTIONS="halt_on_error=1")
    try:
        done = subprocess.run([os.path.join(build, name)], text=True, errors="replace", env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as e:
        output, code = (e.stdout or b"").decode("utf-8", "replace") + f"\n{name}: no end after {TIMEOUT_S} s", 1
    counts = re.findall(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", output, re.M)
    failed = sum(int(f) + int(e) for _, f, e in counts)
    passed = sum(int(c) for c, _, _ in counts) - failed
    if (code != 0 and failed == 0) or not counts:
        failed += 1
    skipped = re.findall(r"^skipped: .*$", output, re.M)
    return name, passed, failed, output, time.monotonic() - begin, skipped


def main():
    build, parts, left_out = sys.argv[1], sys.argv[2:], []
    if "--but" in parts:
        at = parts.index("--but")
        parts, left_out = parts[:at], parts[at + 1:]
    names = programs(build, parts, left_out)
    results = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda n: run(build, n), names):
            results.append(result)
            name, _, failed, output, _, skipped = result
            for line in skipped:
                print(f"{name}: {line}")
            if failed:
                print(f"==== {name}\n{output.rstrip()}")
    slowest = sorted(results, key=lambda r: -r[4])[:5]
    print("longest: " + ", ".join(f"{r[0]} {r[4]:.1f} s" for r in slowest))
    passed, failed = sum(r[1] for r in results), sum(r[2] for r in results)
    if os.environ.get("CI") == "true":
        failed += sum(len(r[5]) for r in results)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not results else 0)


main()
