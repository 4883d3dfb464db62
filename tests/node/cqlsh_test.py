"""What a person sees in an unmodified cqlsh."""
import re

from support import KEYSPACE, TABLE, ring

OTHER = """CREATE TABLE demo_ks.people (id int, at int, name text, height float, born date, PRIMARY KEY (id, at))
WITH CLUSTERING ORDER BY (at DESC) AND comment = 'who'"""


def refused(r, statement, code, text):
    done = r.cqlsh(statement, check=False)
    assert done.returncode != 0, statement
    assert code in done.stderr and text in done.stderr, (statement, done.stderr)


def test_it_connects_without_warnings():
    with ring("127.0.77.6") as r:
        done = r.cqlsh("SELECT cluster_name, release_version, cql_version FROM system.local")
        assert "5.0.4" in done.stdout and "3.4.7" in done.stdout, done.stdout
        noise = [line for line in done.stderr.split("\n") if line.strip() and "cqlsh was built against" not in line
                 and not line.startswith("WARNING: cqlsh")]
        assert not noise, done.stderr


def test_describe_shows_what_cassandra_shows():
    with ring("127.0.77.6", schema=True) as r:
        shown = r.cqlsh("DESCRIBE KEYSPACES").stdout.split("All features may not work!")[-1]
        assert set(shown.split()) == {
            "demo_ks", "system", "system_auth", "system_distributed", "system_schema", "system_traces", "system_views",
            "system_virtual_schema"}
        keyspace = r.cqlsh("DESCRIBE KEYSPACE demo_ks").stdout
        table = r.cqlsh("DESCRIBE TABLE demo_ks.hashtags").stdout
        assert ("CREATE KEYSPACE demo_ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'}  "
                "AND durable_writes = true;") in keyspace, keyspace
        for line in ["CREATE TABLE demo_ks.hashtags (", "    hashtag text,", "    interval text,", "    mentions counter,",
                     "    PRIMARY KEY (hashtag, interval)", ") WITH CLUSTERING ORDER BY (interval DESC)",
                     "    AND gc_grace_seconds = 864000", "    AND speculative_retry = '99p';"]:
            assert line in table.split("\n") and line in keyspace.split("\n"), (line, table)


def test_pages_of_a_hundred_make_350_rows():
    with ring("127.0.77.6", schema=True) as r:
        r.cqlsh(OTHER)
        with r.session("demo_ks") as session:
            insert = session.prepare("INSERT INTO people (id, at, name) VALUES (?, ?, ?)")
            for i in range(350):
                session.execute(insert, (i % 7, i, f"name {i}"))
        for setting in ["", "PAGING 33; ", "PAGING OFF; "]:
            out = r.cqlsh(setting + "SELECT * FROM demo_ks.people").stdout
            assert "(350 rows)" in out, out[-300:]
            assert len(re.findall(r"name \d+", out)) == 350
        out = r.cqlsh("SELECT at FROM demo_ks.people WHERE id = 3 AND at < 100 AND at >= 17 LIMIT 5").stdout
        assert re.findall(r"^\s+(\d+)$", out, re.M) == ["94", "87", "80", "73", "66"], out


def test_mistakes_get_cassandras_words():
    with ring("127.0.77.6", schema=True) as r:
        r.cqlsh(OTHER)
        refused(r, "SELECT * FORM demo_ks.people", "SyntaxException",
                "line 1:9 mismatched input 'FORM' expecting K_FROM (SELECT * [FORM]...)")
        refused(r, "SELECT * FROM demo_ks.nope", "code=2200", "table nope does not exist")
        refused(r, "UPDATE demo_ks.hashtags SET mentions = 5 WHERE hashtag = 'a' AND interval = 'b'", "code=2200",
                "Cannot set the value of counter column mentions (counters can only be incremented/decremented, not set)")
        refused(r, "INSERT INTO demo_ks.hashtags (hashtag, interval, mentions) VALUES ('a', 'b', 1)", "code=2200",
                "INSERT statements are not allowed on counter tables, use UPDATE instead")
        refused(r, KEYSPACE, "AlreadyExists", "Keyspace 'demo_ks' already exists")
        refused(r, TABLE, "AlreadyExists", "Table 'demo_ks.hashtags' already exists")
        refused(r, "SELECT * FROM demo_ks.people WHERE name = 'x'", "code=2200", "use ALLOW FILTERING")
        refused(r, "USE nowhere", "code=2200", "Keyspace 'nowhere' does not exist")


def test_statements_of_a_day():
    with ring("127.0.77.6", schema=True) as r:
        r.cqlsh(OTHER)
        out = r.cqlsh("""USE demo_ks;
            INSERT INTO people (id, at, name, height, born) VALUES (1, 10, 'Ada', 1.65, '1815-12-10');
            INSERT INTO people (id, at, name) VALUES (1, 20, 'Grace') USING TTL 100;
            UPDATE people SET height = 1.7 WHERE id = 1 AND at = 20;
            DELETE name FROM people WHERE id = 1 AND at = 10;
            SELECT * FROM people WHERE id = 1;
            ALTER TABLE people ADD note text;
            SELECT id, note FROM people WHERE id = 1 LIMIT 1;
            TRUNCATE people;
            SELECT count(*) FROM people;
            DROP TABLE people;
            DESCRIBE TABLES""").stdout
        assert re.search(r"1 \|\s+20 \|\s+null \|\s+1.7 \|\s+Grace", out), out
        assert re.search(r"1 \|\s+10 \| 1815-12-10 \|\s+1.65 \|\s+null", out), out
        assert re.search(r"1 \|\s+null", out) and re.search(r"^\s+0$", out, re.M), out
        assert out.rstrip().endswith("hashtags"), out
