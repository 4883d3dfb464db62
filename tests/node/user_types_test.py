"""User-defined types in a ring: what one node makes all have, a node that was away and a restart included; as a driver sees them."""
import collections
import glob
import os

from support import ring, wait_until

ADDRESS = "127.0.77.70"
KEYSPACE = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
Point = collections.namedtuple("Point", "x y")
Shape = collections.namedtuple("Shape", "name corners centre")


def quorum(statement, level="QUORUM"):
    from cassandra import ConsistencyLevel
    from cassandra.query import SimpleStatement
    return SimpleStatement(statement, consistency_level=getattr(ConsistencyLevel, level))


def test_types_are_everywhere_when_they_are_made():
    with ring(ADDRESS, nodes=3) as r:
        with r.session(node=1) as a, r.session(node=2) as b, r.session(node=3) as c:
            seen = []
            connection = c.cluster.control_connection._connection
            connection.register_watcher("SCHEMA_CHANGE", lambda e: seen.append((e["change_type"], e["target_type"],
                                                                                e.get("type") or e.get("table"))))
            a.execute(KEYSPACE)
            b.execute("CREATE TYPE k.point (x int)")
            c.execute("CREATE TYPE k.shape (name text, corners frozen<list<frozen<point>>>, centre frozen<point>)")
            a.execute("CREATE TABLE k.t (id int, c frozen<point>, s shape, m map<text, frozen<shape>>, PRIMARY KEY (id, c))"
                      .replace("s shape", "s frozen<shape>, v point"))
            b.execute(quorum("INSERT INTO k.t (id, c, s, v) VALUES (1, {x: 1}, {name: 's', corners: [{x: 1}]}, {x: 9})", "ALL"))
            r.kill(3)
            a.execute("ALTER TYPE k.point ADD y int")
            b.execute(quorum("UPDATE k.t SET v.y = 8, m['m'] = {centre: {x: 1, y: 2}} WHERE id = 1 AND c = {x: 1}"))
            r.restart(3)
            expected = [(1, (1, None), ("s", [(1, None)], None), (9, 8), (1, 2))]

            def everywhere():
                for node in (1, 2, 3):
                    with r.session(node=node) as session:
                        rows = session.execute(quorum("SELECT id, c, s, v, m FROM k.t", "ALL"))
                        got = [(row.id, tuple(row.c), (row.s[0], [tuple(p) for p in row.s[1]], row.s[2]), tuple(row.v),
                                tuple(row.m["m"][2])) for row in rows]
                        versions = {row.schema_version for row in session.execute("SELECT schema_version FROM system.local")}
                        yield got, versions
            found = list(everywhere())
            assert all(got == expected for got, _ in found), found
            assert len(set.union(*(versions for _, versions in found))) == 1, found
            b.execute("CREATE TYPE k.later (a int)")
            b.execute("ALTER TYPE k.later RENAME a TO b")
            b.execute("DROP TYPE k.later")
            wanted = [("CREATED", "TYPE", "point"), ("CREATED", "TYPE", "shape"), ("CREATED", "TABLE", "t")]
            assert [e for e in seen if e[1] != "KEYSPACE"][:3] == wanted, seen
        for node in (1, 2, 3):
            r.kill(node)
        for node in (1, 2, 3):
            r.restart(node)
        wait_until(lambda: set(r.states(1).values()) == {"UP"}, 20, "all are up")
        found = list(everywhere())
        assert all(got == expected for got, _ in found), found


def test_a_driver_maps_them_both_ways():
    for version in (3, 4, 5):
        with ring(ADDRESS) as r, r.session(version=version) as session:
            session.execute(KEYSPACE.replace("3}", "1}"))
            session.set_keyspace("k")
            session.execute("CREATE TYPE point (x int, y int)")
            session.execute("CREATE TYPE shape (name text, corners frozen<list<frozen<point>>>, centre frozen<point>)")
            session.execute("CREATE TABLE t (id int PRIMARY KEY, s frozen<shape>, v point, l list<frozen<point>>, "
                            "m map<frozen<point>, text>, tu tuple<int, frozen<point>>)")
            cluster = session.cluster
            cluster.register_user_type("k", "point", Point)
            cluster.register_user_type("k", "shape", Shape)
            shape = Shape("square", [Point(0, 0), Point(1, None)], Point(None, 2))
            insert = session.prepare("INSERT INTO t (id, s, v, l, m, tu) VALUES (?, ?, ?, ?, ?, ?)")
            session.execute(insert, (1, shape, Point(3, 4), [Point(5, 6)], {Point(7, 8): "p"}, (9, Point(1, 1))))
            session.execute("INSERT INTO t (id, s, v) VALUES (%s, %s, %s)", (2, shape, Point(3, None)))
            row = session.execute("SELECT * FROM t WHERE id = 1").one()
            assert row.s == shape and row.v == Point(3, 4) and row.l == [Point(5, 6)], row
            assert dict(row.m) == {Point(7, 8): "p"} and row.tu == (9, Point(1, 1)), row
            assert session.execute("SELECT v, s.centre FROM t WHERE id = 2").one() == (Point(3, None), Point(None, 2))
            types = cluster.metadata.keyspaces["k"].user_types
            assert types["point"].as_cql_query() == "CREATE TYPE k.point (x int, y int)", types["point"].as_cql_query()
            session.execute("ALTER TYPE point ADD z int")
            cluster.refresh_schema_metadata()
            assert cluster.metadata.keyspaces["k"].user_types["point"].field_names == ["x", "y", "z"]
            # What was prepared before goes on, with a value of fewer fields.
            session.execute(insert, (3, shape, Point(3, 4), [], {}, None))
            assert session.execute("SELECT v.x, v.z FROM t WHERE id = 3").one() == (3, None)


def test_a_snapshot_has_them():
    with ring(ADDRESS) as r, r.session() as session:
        session.execute(KEYSPACE.replace("3}", "1}"))
        session.execute("CREATE TYPE k.point (x int, y int)")
        session.execute("CREATE TYPE k.line (a frozen<point>, b frozen<point>)")
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, l frozen<line>, p point)")
        session.execute("INSERT INTO k.t (id, l, p) VALUES (1, {a: {x: 1}}, {y: 2})")
        r.tool("snapshot", "-t", "s", "k")
        found = glob.glob(os.path.join(r.data(1), "data", "k", "t-*", "snapshots", "s", "schema.cql"))
        with open(found[0], encoding="utf-8") as file:
            text = file.read()
        session.execute("DROP TABLE k.t")
        session.execute("DROP TYPE k.line")
        session.execute("DROP TYPE k.point")
        for statement in text.split(";\n"):
            if statement.strip():
                session.execute(statement)
        assert session.execute("SELECT * FROM k.t").all() == []
        session.execute("INSERT INTO k.t (id, l, p) VALUES (1, {a: {x: 1}}, {y: 2})")
        assert session.execute("SELECT l.a.x, p.y FROM k.t").one() == (1, 2)
