"""A peer that is slow or broken harms nobody else (issue: a stalled disk, a peer that does not read)."""
import json
import os
import statistics

from support import HELENUS, ROOT, ring, run

STATEMENTS = os.path.join(ROOT, "bench/statements/increment.cql")
STALL_MS = 10000


def measure(r, hosts, seconds=3):
    return json.loads(run(HELENUS, "bench", "cql", "--host", ",".join(hosts), "--connections", 6, "--in-flight", 8,
                          "--consistency", "QUORUM", "--warm-up", 1, "--seconds", seconds, "--json", STATEMENTS).stdout)


def memory_mib(r):
    return max(node["resident_bytes"] for node in r.statuses()) / 2**20


def test_a_stalled_disk_costs_a_quorum_no_more_than_3_times_its_p99():
    with ring("127.0.77.61", nodes=3) as r:
        r.cqlsh("CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};")
        healthy, stalled = [], []
        for _ in range(2):
            healthy.append(measure(r, r.addresses))
            r.ring("stall", 3, STALL_MS)
            # Also through the node whose disk stands still: two others are a quorum.
            stalled += [measure(r, r.addresses), measure(r, r.addresses)]
            r.ring("stall", 3, 0)
        errors = sum(result["errors"] for result in healthy + stalled)
        before = statistics.median(result["p99_us"] for result in healthy)
        during = statistics.median(result["p99_us"] for result in stalled)
        memory = memory_mib(r)
        assert errors == 0, (errors, [result["first_error"] for result in healthy + stalled])
        assert during <= 3 * before, f"p99 {before:.0f} us, with a stalled disk {during:.0f} us"
        assert memory <= 256, f"{memory:.0f} MiB"
        return f"p99 {before:.0f} us, with a stalled disk {during:.0f} us; at most {memory:.0f} MiB"
