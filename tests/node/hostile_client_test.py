"""Clients that mean harm, or are broken: others are answered meanwhile, and memory stays bounded. The long form is
tests/interop/hostile_clients."""
import os

import hostile
from support import ROOT, ring

STATEMENTS = os.path.join(ROOT, "bench/statements/read.cql")
MEMORY_MIB_MAX = 1280  # What base/limits.h allows for results, answers that wait, requests and halves of them.


def resident(r):
    return r.status()["resident_bytes"]


def check_latency(good):
    """Generous: the machine does other things as well."""
    assert good.usual_ms() <= 500, f"p99 of most seconds: {good.usual_ms():.0f} ms"
    assert good.worst_ms() <= 10000, f"p99 of the worst second: {good.worst_ms():.0f} ms"


def test_hostile_clients_harm_nobody_else():
    with ring("127.0.77.71") as r:
        hostile.make_tables(r)
        pid = r.status()["pid"]
        with hostile.GoodClient(r.address, STATEMENTS) as good:
            for scenario in hostile.SCENARIOS:
                if scenario is not hostile.idle_connections:
                    scenario(r.address, 1)
        peak = hostile.peak_bytes(pid) / 2**20
        assert good.ended_early is None, good.complaint
        assert sum(second["errors"] for second in good.seconds) == 0 and len(good.seconds) > 0
        check_latency(good)
        assert peak <= MEMORY_MIB_MAX, f"{peak:.0f} MiB"
        assert r.status()["pid"] == pid
        return f"p99 {good.usual_ms():.0f} ms, in the worst second {good.worst_ms():.0f} ms; at most {peak:.0f} MiB"


def test_ten_thousand_idle_connections_cost_little():
    with ring("127.0.77.71") as r:
        with hostile.GoodClient(r.address, STATEMENTS) as good:
            said = hostile.idle_connections(r.address, 1, lambda: resident(r), lambda: good.await_seconds(2))
        assert good.ended_early is None, good.complaint
        assert sum(second["errors"] for second in good.seconds) == 0 and len(good.seconds) >= 2
        check_latency(good)
        return said
