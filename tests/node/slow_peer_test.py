"""A node whose disk stands still harms nobody else, and itself no more than it must."""
import json
import os
import statistics

from support import HELENUS, ROOT, ring, run

STATEMENTS = os.path.join(ROOT, "bench/statements/increment.cql")
STALL_MS = 10000


def measure(r, hosts, seconds=3):
    lines = run(HELENUS, "bench", "cql", "--host", ",".join(hosts), "--connections", 6, "--in-flight", 8,
                "--consistency", "QUORUM", "--warm-up", 1, "--seconds", seconds, "--json", STATEMENTS).stdout
    return json.loads(lines.splitlines()[-1])  # The summary, behind those of each second.


def memory_mib(r):
    return max(node["resident_bytes"] for node in r.statuses()) / 2**20


def test_a_stalled_disk_costs_a_quorum_no_more_than_3_times_its_p99():
    with ring("127.0.77.61", nodes=3) as r:
        r.cqlsh("CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};")
        healthy, stalled = [], []
        for _ in range(2):
            healthy.append(measure(r, r.addresses[:2]))
            r.ring("stall", 3, STALL_MS)
            stalled += [measure(r, r.addresses[:2]), measure(r, r.addresses[:2])]
            r.ring("stall", 3, 0)
        errors = sum(result["errors"] for result in healthy + stalled)
        before = statistics.median(result["p99_us"] for result in healthy)
        during = statistics.median(result["p99_us"] for result in stalled)
        assert errors == 0, (errors, [result["first_error"] for result in healthy + stalled])
        assert during <= 3 * before, f"p99 {before:.0f} us, with a stalled disk {during:.0f} us"
        return f"p99 {before:.0f} us, with a stalled disk {during:.0f} us"


def test_a_node_whose_disk_stands_still_says_so_before_its_memory_grows():
    with ring("127.0.77.61", nodes=3) as r:
        r.cqlsh("CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};")
        measure(r, r.addresses[2:], 1)  # Makes the table.
        r.ring("stall", 3, STALL_MS)
        results = [measure(r, r.addresses[2:]), measure(r, r.addresses[2:])]
        memory = memory_mib(r)
        r.ring("stall", 3, 0)
        done = sum(result["operations"] - result["errors"] for result in results)
        said = {result["first_error"] for result in results} - {""}
        assert done > 0 and said <= {"Too many writes wait for the disk, try again later"}, (done, said)
        assert memory <= 256, f"{memory:.0f} MiB"
        assert measure(r, r.addresses[2:], 1)["operations"] > 0
        return f"{done} increments led meanwhile by the node itself; at most {memory:.0f} MiB"
