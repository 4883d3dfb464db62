"""helenus sstable: the tools for files, on those of a real Cassandra and on ours; no node runs."""
import concurrent.futures
import functools
import glob
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import tempfile

from support import HELENUS, ROOT, Skip, ring, run, shared

NOW = 1795325800  # Behind the moment at which the golden files were described.
COUNTERS = ("counters_wide", "hashtags")


def golden_file(path):
    return os.path.join(ROOT, "tests/golden", path)


def golden(folder="tables"):
    return sorted(d for d in glob.glob(golden_file(folder) + "/*") if os.path.isdir(d))


def schema():
    return golden_file("tables/schema.cql")


def sstable(*arguments, **options):
    done = subprocess.run([HELENUS, "sstable", *[str(a) for a in arguments]], capture_output=True, timeout=300, **options)
    assert done.returncode == 0, (arguments, done.returncode, done.stdout[-500:], done.stderr.decode())
    return done.stdout.decode()


def fails(code, text, *arguments, **options):
    done = subprocess.run([HELENUS, "sstable", *[str(a) for a in arguments]], capture_output=True, timeout=300, **options)
    said = done.stderr.decode() + done.stdout.decode(errors="replace")
    assert done.returncode == code and text in said, (arguments, done.returncode, said)


@functools.lru_cache
def cassandra():
    """Cassandra's own tools, or the reason why there are none."""
    script = shared("peers/cassandra/cassandra")
    if not shutil.which("java") or not shutil.which("mvn"):
        raise Skip("no Java or no Maven")
    tried = subprocess.run([script, "classpath"], capture_output=True, text=True, timeout=600)
    if tried.returncode != 0:
        raise Skip("Cassandra cannot be fetched")
    return script


def cassandra_tool(*arguments):
    done = subprocess.run([cassandra(), "tool", *arguments], capture_output=True, timeout=300, env=dict(os.environ, HEAP="512M"))
    assert done.returncode == 0, (arguments, done.stderr.decode()[-1000:])
    return done.stdout.decode()


def without_counters(text):
    """What stands where Cassandra prints the first bytes of a counter's context, and our shards, are gone."""
    text = re.sub(r', "shards" : \[( \{[^]]*\},?)* \]', "", text)
    return re.sub(r'"value" : -?\d+', '"value" : 0', text)


def export(*arguments):
    return sstable("export", "--now", NOW, *arguments)


# ---- dump -------------------------------------------------------------------------------------------------------------------------


def test_dumps_are_cassandras():
    for directory in golden():
        name = os.path.basename(directory)
        got = sstable("dump", "--now", NOW, f"{directory}/nb-1-big-Data.db")
        with gzip.open(f"{directory}/nb-1-big.dump.json.gz", "rt", newline="") as f:
            wanted = f.read()
        if name in COUNTERS:
            json.loads(got)
            assert '"shards" : [' in got
            got, wanted = without_counters(got), without_counters(wanted)
        assert got == wanted, name


def test_a_counter_has_its_true_value_and_its_shards():
    counts = {}
    with gzip.open(golden_file("tables/rows.jsonl.gz"), "rt") as f:
        for table, row in map(json.loads, f):
            if table == "hashtags":
                row = json.loads(row)
                counts[row["hashtag"], row["interval"]] = row["mentions"]
    dump = json.loads(sstable("dump", golden_file("tables/hashtags/nb-1-big-Data.db")))
    seen = 0
    for partition in dump:
        for row in partition["rows"]:
            for cell in row.get("cells", []):
                if "value" not in cell:
                    continue
                assert cell["value"] == sum(s["count"] for s in cell["shards"])
                if (partition["partition"]["key"][0], row["clustering"][0]) in counts:
                    assert counts[partition["partition"]["key"][0], row["clustering"][0]] == cell["value"]
                    seen += 1
    assert seen == len(counts)


def test_options_of_dump_choose_partitions_and_form():
    file = golden_file("tables/composite_key/nb-1-big-Data.db")
    keys = json.loads(sstable("dump", "-e", file))
    assert len(keys) == 2999 and all(len(k) == 3 for k in keys)
    first, last = (":".join(part.replace(":", "\\:") for part in key) for key in (keys[0], keys[-1]))
    lines = sstable("dump", file, "-l", "-k", last, first).split("\n")
    assert [json.loads(line)["partition"]["key"] for line in lines] == [keys[0], keys[-1]]
    assert len(json.loads(sstable("dump", "-e", file, "-x", first, "-x", last))) == 2997
    assert '"tstamp" : "17953256' in sstable("dump", "-t", "-k", first, "--", file)
    assert sstable("dump", file, "-d", "-k", first).startswith("[" + first + "]@0 Row[info=[ts=")
    fails(1, "has 1 values; the partition key has 3 columns", "dump", file, "-k", "a")
    fails(1, "no such file", "dump", "/no/such/nb-1-big-Data.db")
    fails(1, "such a name is nb-1-big-Data.db", "dump", schema())
    fails(1, "no SSTable", "dump", os.path.dirname(schema()))


def test_every_form_of_a_dump_is_cassandras():
    cassandra()
    # Of every type Cassandra's own runs out of memory with -d.
    forms = [(name, option) for name in ("deleted", "expiring", "every_type", "composite_key") for option in "dlte"
             if (name, option) != ("every_type", "d")]

    def check(form):
        name, option = form
        file = golden_file(f"tables/{name}/nb-1-big-Data.db")
        assert sstable("dump", f"-{option}", file) == cassandra_tool("sstabledump", file, f"-{option}"), form

    # Most of it is the start of a Java for each.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(check, forms))


# ---- metadata ---------------------------------------------------------------------------------------------------------------------


def test_metadata_is_cassandras():
    for directory in golden():
        at, name = os.path.split(directory)
        got = sstable("metadata", "--now", NOW, f"{name}/nb-1-big-Data.db", cwd=at)
        with open(f"{directory}/nb-1-big.metadata.txt") as f:
            assert got == f.read(), name


def test_metadata_for_programs():
    lines = sstable("metadata", "--json", "--scan", *golden()).strip().split("\n")
    told = {os.path.basename(os.path.dirname(m["sstable"])): m for m in map(json.loads, lines)}
    assert len(told) == len(golden())
    for m in told.values():
        assert m["partitions"] == m["scan"]["partitions"] and m["total_rows"] == m["scan"]["rows"], m
        assert abs(m["estimated_cardinality"] - m["partitions"]) <= 1
    assert told["uncompressed"]["compressor"] is None and told["expiring"]["max_ttl"] == 300000000


# ---- verify -----------------------------------------------------------------------------------------------------------------------


def test_sound_files_are_sound():
    for directory in golden() + golden("oa") + sorted(glob.glob(golden_file("ring") + "/node*/*")):
        told = json.loads(sstable("verify", "--json", directory))
        assert told["ok"] and not told["faults"] and told["rows"] > 0, told
    assert "rows were not looked at" in sstable("verify", "--quick", golden()[0])


def damaged(directory, component, offset, bits):
    copy = tempfile.mkdtemp(prefix="helenus-test-")
    for file in glob.glob(directory + "/nb-1-big-*"):
        shutil.copy(file, copy)
    with open(f"{copy}/nb-1-big-{component}", "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ bits]))
    return copy


def test_a_changed_byte_of_any_component_is_found_and_named():
    seed = random.randrange(1 << 32)
    choose = random.Random(seed)
    for directory in golden():
        for file in glob.glob(directory + "/nb-1-big-*"):
            component = file.rsplit("-", 1)[1]
            offset, bits = choose.randrange(os.path.getsize(file)), choose.randrange(1, 256)
            if component == "Index.db":
                bits = 255  # Some of its flags stand for nothing.
            if component == "Summary.db":
                offset = max(offset, 4)  # How often keys are sampled is the schema's matter.
            copy = damaged(directory, component, offset, bits)
            done = run(HELENUS, "sstable", "verify", "--json", copy, check=False)
            what = (seed, directory, component, offset, bits, done.stdout[:1000], done.stderr)
            assert done.returncode == 1, what
            told = json.loads(done.stdout)
            assert any(f.get("file") == f"{copy}/nb-1-big-{component}" and "offset" in f for f in told["faults"]), what
            shutil.rmtree(copy)
    return f"seed {seed}"


def test_missing_files_are_told():
    for component, text in (("Index.db", "the file is missing"), ("Statistics.db", "the file is missing"),
                            ("Summary.db", "it lists Summary.db, which is not there")):
        copy = damaged(golden_file("tables/deleted"), "TOC.txt", 0, 0)
        os.remove(f"{copy}/nb-1-big-{component}")
        fails(1, text, "verify", copy)
        shutil.rmtree(copy)


def test_what_can_not_be_read_is_not_passed_over():
    """A directory with an SSTable of another version gave the rows of the others, and those that it says are deleted."""
    copy = damaged(golden_file("tables/deleted"), "TOC.txt", 0, 0)
    shutil.copy(f"{copy}/nb-1-big-Data.db", f"{copy}/da-2-bti-Data.db")
    text = f"{copy}/da-2-bti-Data.db: SSTables of version da (format bti) are not read"
    for arguments in (["export"], ["verify"], ["schema"], ["metadata"], ["compact", "--in-place"], ["compact", "--output", copy + "/new"]):
        fails(1, text, *arguments, copy)
    fails(1, f"--gc-grace has to know what else is there, but {text}", "compact", "--in-place", "--gc-grace", 0, f"{copy}/nb-1-big-Data.db")
    fails(1, "leave --gc-grace out, or take that file away", "compact", "--in-place", "--gc-grace", 0, f"{copy}/nb-1-big-Data.db")
    assert export(f"{copy}/nb-1-big-Data.db") == export(golden_file("tables/deleted"))
    shutil.rmtree(copy)


def test_a_compaction_says_where_it_could_not_read():
    copy = damaged(golden_file("tables/deleted"), "Data.db", 10, 1)
    for arguments in (["--in-place"], ["--output", copy + "/new"]):
        fails(1, f"{copy}/nb-1-big-Data.db: offset 0: bad checksum", "compact", *arguments, copy)
    assert glob.glob(copy + "/new/*") == []
    shutil.rmtree(copy)


# ---- schema -----------------------------------------------------------------------------------------------------------------------


def test_a_schema_is_guessed_that_a_node_takes():
    statements = []
    for directory in golden():
        text = sstable("schema", "--keyspace", "shapes", directory)
        statements.append(text)
    told = json.loads(sstable("schema", "--json", "--key", "k,c1,c2", golden_file("tables/every_type")))
    columns = {c["name"]: (c["kind"], c["type"]) for c in told["columns"]}
    assert columns["c2"] == ("clustering", "timeuuid") and columns["s_map"] == ("static", "map<text, int>")
    assert columns["p"] == ("regular", "point") and columns["fp"] == ("regular", "frozen<point>")
    assert "CREATE TYPE shapes.point" in told["cql"] and "(c1 DESC, c2 ASC)" in told["cql"]
    assert "'chunk_length_in_kb': '4'" in sstable("schema", golden_file("tables/small_chunks"))
    with ring("127.0.77.31") as r:
        r.cqlsh("CREATE KEYSPACE shapes WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        for text in statements:
            if "CREATE TYPE" not in text:
                r.cqlsh(text.strip())
    fails(1, "not of one table", "schema", *golden()[:2])
    fails(1, "4 names of key columns are given; the keys have 2 columns", "schema", "--key", "a,b,c,d", golden_file("tables/expiring"))


# ---- export -----------------------------------------------------------------------------------------------------------------------


def test_exports_are_what_select_json_gives():
    rows = {}
    with gzip.open(golden_file("tables/rows.jsonl.gz"), "rt") as f:
        for table, row in map(json.loads, f):
            rows.setdefault(table, []).append(row)
    for directory in golden():
        name = os.path.basename(directory)
        got = export("--format", "jsonl", "--schema", schema(), "--table", name, directory).split("\n")
        assert got.pop() == "" and got == rows[name], name


def test_several_sstables_are_read_as_one():
    nodes = [golden_file(f"ring/node{n}/hashtags") for n in (1, 2, 3)]
    assert export(nodes[0]) == export(*nodes)
    assert export(nodes[0]).startswith("key,clustering,mentions\r\n")


def test_what_a_log_has_not_finished_is_passed_over():
    with tempfile.TemporaryDirectory() as made:
        for generation in (1, 2):
            for file in glob.glob(golden_file("tables/deleted/nb-1-big-*")):
                shutil.copy(file, f"{made}/nb-{generation}-big-{file.rsplit('-', 1)[1]}")
        add, remove = (f"{kind}:[{made}/nb-{g}-big-,0,8][1]\n" for kind, g in (("ADD", 2), ("REMOVE", 1)))
        for text, left in ((add + remove, "nb-1-big"), (add + remove + "COMMIT:[,0,0][2613697770]\n", "nb-2-big")):
            with open(f"{made}/nb_txn_compaction_8e9b2d70-e636-11f1-9824-ed5d31451cf8.log", "w") as f:
                f.write(text)
            assert [line.split(":")[0] for line in sstable("verify", made).strip().split("\n")] == [f"{made}/{left}"]


# ---- write ------------------------------------------------------------------------------------------------------------------------


def write(directory, *arguments, rows):
    return json.loads(sstable("write", "--json", "--output", directory, *arguments, input=rows.encode()))


def test_rows_survive_a_way_through_text_and_files():
    for directory in golden():
        name = os.path.basename(directory)
        of_table = ("--schema", schema(), "--table", name)
        for form in ("csv", "jsonl"):
            rows = export("--format", form, *of_table, directory)
            with tempfile.TemporaryDirectory() as made:
                told = write(f"{made}/t", *of_table, "--format", form, "--counters", rows=rows)
                assert len(told["sstables"]) == 1
                assert export("--format", form, *of_table, f"{made}/t") == rows, (name, form)
                sstable("verify", f"{made}/t")


def test_memory_for_sorting_is_bounded():
    rows = "".join(json.dumps({"k": i * 7919 % 40000, "v": "x" * 60}) + "\n" for i in range(60000))
    with tempfile.TemporaryDirectory() as made:
        with open(f"{made}/t.cql", "w") as f:
            f.write("CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
        arguments = ("--schema", f"{made}/t.cql", "--format", "jsonl", "--buffer", 1)
        many, one = write(f"{made}/many", *arguments, rows=rows), write(f"{made}/one", *arguments, "--as-one", rows=rows)
        assert len(many["sstables"]) > 3 and len(one["sstables"]) == 1 and one["partitions"] == 40000
        assert export(f"{made}/many") == export(f"{made}/one")
        sstable("verify", f"{made}/many", f"{made}/one")


def test_a_byte_order_mark_is_no_part_of_the_first_field():
    with tempfile.TemporaryDirectory() as made:
        with open(f"{made}/t.cql", "w") as f:
            f.write("CREATE TABLE ks.t (k text PRIMARY KEY, v text)")
        for i, (rows, more) in enumerate((("k,v\na,b\n", ()), ("a,b\n", ("--columns", "k,v")),
                                          ('{"k": "a", "v": "b"}\n', ("--format", "jsonl")))):
            write(f"{made}/{i}", "--schema", f"{made}/t.cql", *more, rows="\ufeff" + rows)
            assert export("--schema", f"{made}/t.cql", f"{made}/{i}") == "k,v\r\na,b\r\n", rows
        t = ("write", "--schema", f"{made}/t.cql", "--output", f"{made}/t")
        sstable(*t, input=b"\xef\xbb\xbf")
        fails(1, "-:2: more than 4096 fields", *t, input=b"k,v\n" + b"," * 5000 + b"\n")


def test_bad_rows_are_refused_with_their_place():
    with tempfile.TemporaryDirectory() as made:
        with open(f"{made}/t.cql", "w") as f:
            f.write("CREATE TYPE ks.u (a int);\nCREATE TABLE ks.t (k int, c int, s text static, v set<int>, u frozen<u>, PRIMARY KEY (k, c));"
                    "CREATE TABLE ks.n (k int PRIMARY KEY, n counter);")
        t = ("write", "--schema", f"{made}/t.cql", "--output", f"{made}/t", "--table", "t")
        for rows, text in (("k,c\r\n1,2\r\nx,2\r\n", "-:3: column 'k': Unable to make int from 'x'"),
                           ("k,c\n1\n", "-:2: 1 fields; there are 2 columns"),
                           ("k,z\n1,1\n", "-:1: the table has no column 'z'"),
                           ("k,v\n1,{1}\n", "Some clustering keys are missing: c"),
                           ("c,v\n1,{1}\n", "Some partition key parts are missing: k"),
                           ('k,c,v\n1,1,"{1, \'a\'}"\n', "column 'v': Unable to make int from 'a'"),
                           ('k,c,u\n1,1,{b: 1}\n', "column 'u': there is no field 'b'"),
                           ('k,c\n1,"1\n', "a field in quotes does not end")):
            fails(1, text, *t, input=rows.encode())
        for row, text in (('{"k": 1, "c": "x"}', "-:1: column 'c': Unable to make int from 'x'"),
                          ('{"k": 1, "c": 1, "w": 2}', "the table has no column 'w'"),
                          ('{"k": 1, "c": 1, "v": [1, null]}', "null is not supported inside collections"),
                          ('{"k": 1, "c": 1} x', "the end of the line is missing"), ('{"k": 1, "c": true}', "of another type"),
                          ('{"k": 1', "is missing at the end"), ("[]", "'{' is missing")):
            fails(1, text, *t, "--format", "jsonl", input=row.encode())
        assert not glob.glob(f"{made}/t/*")
        fails(1, "has 2 tables", *t[:-2], input=b"")
        fails(1, "has counters", *t[:-1], "n", input=b"k,n\n1,1\n")
        fails(1, "2038", *t, "--ttl", 630720000, input=b"k,c\n1,1\n")
        fails(2, "--schema FILE.cql is missing", "write")
        with open(f"{made}/u.cql", "w") as f:
            f.write("\n\nCREATE TABLE t (k w PRIMARY KEY)")
        fails(1, "u.cql:3: no type w", "write", "--schema", f"{made}/u.cql", "--output", f"{made}/t", input=b"")
        write(f"{made}/t", *t[1:3], "--table", "t", rows="k,c,s,v\n1,,only static,\n2,1,\\\"a\\\",{}\n2,1,\"\"\"b\"\"\",\n")
        assert export(*t[1:3], "--table", "t", f"{made}/t") == 'k,c,s,u,v\r\n1,,only static,,\r\n2,1,"\\"b\\"",,\r\n'


def test_cassandra_opens_what_is_written():
    cassandra()
    for name in ("every_type", "many_columns", "counters_wide", "uncompressed"):
        of_table = ("--schema", schema(), "--table", name)
        rows = export(*of_table, golden_file(f"tables/{name}"))
        with tempfile.TemporaryDirectory() as made:
            file = write(f"{made}/t", *of_table, "--counters", rows=rows)["sstables"][0]
            ours, theirs = sstable("dump", file), cassandra_tool("sstabledump", file)
            if name in COUNTERS:
                ours, theirs = without_counters(ours), without_counters(theirs)
            assert ours == theirs, name
            assert sstable("metadata", file) == cassandra_tool("sstablemetadata", file), name


# ---- compact ----------------------------------------------------------------------------------------------------------------------


def test_compaction_changes_no_row():
    for directory in golden():
        with tempfile.TemporaryDirectory() as made:
            rows = export("--format", "jsonl", directory)
            told = json.loads(sstable("compact", "--json", "--output", f"{made}/t", directory))
            assert len(told["sstables"]) == 1
            assert export("--format", "jsonl", f"{made}/t") == rows, directory
            sstable("verify", f"{made}/t")
            assert glob.glob(directory + "/nb-1-big-Data.db")


def test_old_tombstones_go_if_that_is_wanted():
    directory = golden_file("tables/deleted")
    with tempfile.TemporaryDirectory() as made:
        sstable("compact", "--output", f"{made}/kept", directory)
        sstable("compact", "--gc-grace", 0, "--now", NOW, "--output", f"{made}/purged", directory)
        assert "deletion_info" in sstable("dump", f"{made}/kept/nb-1-big-Data.db")
        assert "deletion_info" not in sstable("dump", f"{made}/purged/nb-1-big-Data.db")
        assert export(f"{made}/kept") == export(f"{made}/purged") == export(directory)


def test_a_node_finds_what_was_compacted_in_its_directory():
    with ring("127.0.77.32", schema=True) as r:
        for n in range(3):
            r.cqlsh("".join(f"UPDATE demo_ks.hashtags SET mentions = mentions + {i} WHERE hashtag = '#{i}' AND interval = 'i';"
                            for i in range(1, 6)))
            r.tool("flush")
        directory = glob.glob(os.path.join(r.data(), "**", "hashtags-*"), recursive=True)[0]
        counts = r.counts()
        fails(1, "belongs to a node that runs", "compact", "--in-place", directory)
        fails(1, "belongs to a node that runs", "write", "--schema", schema(), "--table", "hashtags", "--counters", "--output", directory,
              input=b"hashtag,interval,mentions\n")
        r.stop()
        sstable("compact", "--in-place", directory)
        assert len(glob.glob(directory + "/*-Data.db")) == 1
        r.start()
        assert r.counts() == counts and len(counts) == 5
        r.cqlsh("UPDATE demo_ks.hashtags SET mentions = mentions + 1 WHERE hashtag = '#1' AND interval = 'i'")
        assert r.counts()["#1", "i"] == 4


# ---- all --------------------------------------------------------------------------------------------------------------------------


def test_every_tool_has_help_and_bounds_what_it_takes():
    tools = [line.split()[0] for line in run(HELENUS, "sstable", "--help").stdout.split("\n") if line.startswith("  ")]
    assert tools == ["dump", "metadata", "verify", "schema", "export", "write", "compact"], tools
    for tool in tools:
        assert f"helenus sstable {tool} " in sstable(tool, "--help")
        fails(2, "no option --nonsense", tool, "--nonsense")
    fails(2, "no tool 'dmp'", "dmp")
    fails(2, "something is missing", "dump")
    fails(2, "say --output DIR or --in-place", "compact", "x")
    done = subprocess.run(f"{HELENUS} sstable dump {golden_file('tables/compact_wide')} | head -c 10", shell=True, capture_output=True)
    assert done.stdout == b"[\n  {\n    " and not done.stderr, done
