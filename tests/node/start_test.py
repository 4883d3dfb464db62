"""How fast a node starts and how little it takes."""
import shutil
import statistics
import subprocess
import time

from support import HELENUS, KEYSPACE, TABLE, Ring, ring

STARTS = 20


def timed_start(r):
    begin = time.monotonic()
    subprocess.run([HELENUS, "ring", "start", "--nodes", "1", "--dir", r.directory, "--address", r.address], check=True,
                   stdout=subprocess.DEVNULL)
    return (time.monotonic() - begin) * 1000


def test_a_new_node_answers_within_50_ms():
    times = []
    for i in range(STARTS):
        r = Ring("127.0.77.2")
        try:
            times.append(timed_start(r))
            if i == 0:
                with r.session() as session:
                    session.execute(KEYSPACE)
                    session.execute(TABLE)
                    session.execute("UPDATE demo_ks.hashtags SET mentions = mentions + 1 WHERE hashtag = '#a' AND interval = 'ALL'")
                    assert session.execute("SELECT mentions FROM demo_ks.hashtags").one().mentions == 1
        finally:
            r.stop()
            shutil.rmtree(r.directory)
    median = statistics.median(times)
    assert median <= 50, times
    return f"median {median:.1f} ms of {STARTS}, {min(times):.1f} to {max(times):.1f}"


def test_an_idle_node_takes_12_mib_and_no_processor():
    with ring("127.0.77.3") as r:
        time.sleep(5)
        before, begin = r.status(), time.monotonic()
        time.sleep(5)
        after, seconds = r.status(), time.monotonic() - begin
        cpu = (after["cpu_ns"] - before["cpu_ns"]) / 1e9 / seconds
        mib = after["resident_bytes"] / 2**20
        assert mib <= 12, mib
        assert cpu <= 0.003, cpu
        return f"{mib:.1f} MiB, {100 * cpu:.2f} % of a core"
