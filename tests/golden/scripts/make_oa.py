"""Loads tables into a real Cassandra 5.0 that runs with storage_compatibility_mode: NONE, which writes version oa.

    make_oa.py HOST PHASE      PHASE 1, flush; PHASE 2, flush, then `nodetool compact` of the tables named c_*

All is from a seed, but for the timestamps that the node gives.
"""
import random
import sys
import uuid

from cassandra.cluster import Cluster

host, phase = sys.argv[1], int(sys.argv[2])
R = random.Random(5)
cluster = Cluster([host])
s = cluster.connect()
s.default_timeout = 60
COMPRESSORS = {
    "c_zstd": "{'class': 'ZstdCompressor', 'compression_level': 7}",
    "c_snappy": "{'class': 'SnappyCompressor', 'chunk_length_in_kb': 8}",
    "c_deflate": "{'class': 'DeflateCompressor', 'chunk_length_in_kb': 4}",
    "c_noop": "{'class': 'NoopCompressor'}",
    "c_high": "{'class': 'LZ4Compressor', 'lz4_compressor_type': 'high', 'lz4_high_compressor_level': 12}",
    "c_none": "{'enabled': 'false'}",
    "c_raw": "{'class': 'ZstdCompressor', 'min_compress_ratio': 2.0, 'chunk_length_in_kb': 4}",
}
FAR = 20 * 365 * 86400 - 86400 * 30  # Beyond 2038.


def text(n):
    return "".join(R.choice("abcdefghijklmnop äß日🙂") for _ in range(n))


def random_hex(n):
    return "0x" + R.randbytes(n).hex()


if phase == 1:
    s.execute("DROP KEYSPACE IF EXISTS versions")
    s.execute("CREATE KEYSPACE versions WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    s.set_keyspace("versions")
    s.execute("CREATE TYPE point (x int, y double, label text)")
    s.execute("""CREATE TABLE shapes (k text, c1 int, c2 timeuuid, s_text text static, s_map map<text, int> static,
        a ascii, b bigint, e text, l list<int>, m map<text, text>, st set<text>, fl frozen<list<text>>, p point, fp frozen<point>,
        tn tinyint, vi varint, d duration, vec vector<float, 3>, PRIMARY KEY ((k), c1, c2)) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC)""")
    s.execute("CREATE TABLE counters (k text, day date, hits counter, bytes counter, PRIMARY KEY (k, day)) "
              "WITH CLUSTERING ORDER BY (day DESC)")
    s.execute("CREATE TABLE deleted (k int, a int, b int, v text, PRIMARY KEY (k, a, b)) WITH CLUSTERING ORDER BY (a DESC, b ASC)")
    s.execute("CREATE TABLE expiring (k int, c int, v text, w int, PRIMARY KEY (k, c))")
    s.execute("CREATE TABLE wide (k int, c int, t text static, v blob, PRIMARY KEY (k, c))")
    s.execute("CREATE TABLE single (k bigint PRIMARY KEY, v text, w int)")
    columns = ", ".join(f"v{i:02d} int" for i in range(70))
    s.execute(f"CREATE TABLE columns (k int, c int, {columns}, PRIMARY KEY (k, c))")
    for name, options in COMPRESSORS.items():
        s.execute(f"CREATE TABLE {name} (k int, c int, v text, b blob, PRIMARY KEY (k, c)) WITH compression = {options}")
    for k in range(4):
        s.execute(f"UPDATE shapes SET s_text = '{text(9)}', s_map = {{'a': {k}, 'b': 2}} WHERE k = 'key{k}'")
        for row in range(6):
            name = uuid.UUID(fields=(R.getrandbits(32), R.getrandbits(16), 0x1000 | R.getrandbits(12), 0x80, 7, R.getrandbits(48)))
            where = f"k = 'key{k}' AND c1 = {R.randint(-2, 2)} AND c2 = {name}"
            s.execute(f"UPDATE shapes SET a = 'x{row}', b = {R.getrandbits(40)}, e = '', l = [{row}, 7], m = {{'k': '{text(3)}', '': ''}}, "
                      f"st = {{'{text(2)}', 'z'}}, fl = ['', 'b'], p = {{x: {row}, label: ''}}, fp = {{x: 1, y: null, label: '{text(2)}'}}, "
                      f"tn = {row - 3}, vi = {R.getrandbits(80)}, d = {row}mo2d3ns, vec = [1.5, {row}, -2] WHERE {where}")
            if row % 2:
                s.execute(f"DELETE b, m['k'], p, vi FROM shapes WHERE {where}")
                s.execute(f"UPDATE shapes SET l = l + [{row}], st = st + {{'q'}} WHERE {where}")
    s.execute("UPDATE shapes SET s_text = 'alone' WHERE k = 'static only'")
    for k in range(3):
        for day in range(1, 9):
            for _ in range(R.randint(1, 3)):
                s.execute(f"UPDATE counters SET hits = hits + {R.randint(-3, 9)}, bytes = bytes + {R.getrandbits(33)} "
                          f"WHERE k = 'k{k}' AND day = '2014-09-{day:02d}'")
    s.execute("DELETE hits FROM counters WHERE k = 'k1' AND day = '2014-09-03'")
    for k in range(12):
        for a in range(6):
            for b in range(6):
                s.execute(f"INSERT INTO deleted (k, a, b, v) VALUES ({k}, {a}, {b}, '{text(6)}')")
    for k in range(0, 12, 3):
        s.execute(f"DELETE FROM deleted WHERE k = {k}")
    for k in range(1, 12, 3):
        s.execute(f"DELETE FROM deleted WHERE k = {k} AND a > 1 AND a <= 3")
        s.execute(f"DELETE FROM deleted WHERE k = {k} AND a = 4 AND b >= 2")
        s.execute(f"DELETE FROM deleted WHERE k = {k} AND a = 5 AND b = 3")
        s.execute(f"DELETE v FROM deleted WHERE k = {k} AND a = 0 AND b = 4")
        s.execute(f"INSERT INTO deleted (k, a, b, v) VALUES ({k}, 2, 0, 'after the range')")
    for k in range(6):
        for c in range(5):
            s.execute(f"INSERT INTO expiring (k, c, v, w) VALUES ({k}, {c}, '{k}-{c}', {c}) USING TTL {FAR if c % 2 else 100000000 * c + 100000000}")
        s.execute(f"UPDATE expiring USING TTL {FAR - k} SET w = 7 WHERE k = {k} AND c = 2")
        s.execute(f"UPDATE expiring SET v = 'no marker' WHERE k = {k} AND c = 100")
    for k in range(3):
        s.execute(f"UPDATE wide SET t = 'static {k}' WHERE k = {k}")
        if k == 1:
            s.execute(f"DELETE FROM wide WHERE k = {k}")
        for c in range(60):
            s.execute(f"INSERT INTO wide (k, c, v) VALUES ({k}, {c}, {'0x' + (bytes([c]) * 6000).hex()})")
        s.execute(f"DELETE FROM wide WHERE k = {k} AND c > 5 AND c < 48")
        for c in range(7, 48, 4):
            s.execute(f"INSERT INTO wide (k, c, v) VALUES ({k}, {c}, {'0x' + (bytes([c]) * 8000).hex()})")
    for _ in range(400):
        s.execute(f"INSERT INTO single (k, v, w) VALUES ({R.getrandbits(60)}, '{text(R.randint(0, 20))}', {R.randint(0, 9)})")
    for k in range(2):
        for c in range(20):
            names = sorted(R.sample(range(70), R.choice([1, 3, 34, 35, 36, 68, 70])))
            s.execute(f"INSERT INTO columns (k, c, {', '.join('v%02d' % n for n in names)}) "
                      f"VALUES ({k}, {c}, {', '.join(str(R.randint(-99, 99)) for _ in names)})")
s.set_keyspace("versions")
for name in COMPRESSORS:
    for _ in range(250):
        blob = random_hex(200) if R.random() < 0.5 else "0x" + "00" * 200
        s.execute(f"INSERT INTO {name} (k, c, v, b) VALUES ({R.randint(0, 20)}, {R.randint(0, 50)}, '{text(R.randint(0, 30))}', {blob})")
cluster.shutdown()
