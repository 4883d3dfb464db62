"""Statements of several users, and the answers that a Cassandra 5.0.4 with PasswordAuthenticator and CassandraAuthorizer gave.

    auth_corpus.py HOST FOLDER [--record]

A file is lines: `-- @user NAME PASSWORD` is who speaks from now on (a connection each, made anew), `-- @prepare` prepares the
next statement once for each user and executes it, other lines are statements of CQL.
"""
import argparse
import datetime
import glob
import json
import os
import sys
import threading

from cassandra import AuthenticationFailed, ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster
from cassandra.connection import DefaultEndPoint
from cassandra.protocol import ErrorMessage, ExecuteMessage, PrepareMessage, QueryMessage


class Refused(Exception):
    """A login that the server did not take."""


def connect(host, port, user, password, version=4):
    connection = Cluster.connection_class
    connection.initialize_reactor()
    provider = PlainTextAuthProvider(user, password)
    endpoint = DefaultEndPoint(host, port)
    try:
        return connection.factory(endpoint, 20, protocol_version=version, cql_version=None,
                                  authenticator=provider.new_authenticator(endpoint))
    except AuthenticationFailed as e:
        raise Refused(str(e)) from None


def plain(value):
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (datetime.datetime, bytes)):
        return str(value)
    if hasattr(value, "items"):
        return {str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value]


def ask(connection, message):
    done, box = threading.Event(), []

    def answered(response):
        box.append(response)
        done.set()

    with connection.lock:
        stream = connection.get_request_id()
        connection.in_flight += 1
    connection.send_msg(message, stream, answered)
    assert done.wait(20), f"no answer to {message}"
    with connection.lock:
        connection.in_flight -= 1
        connection.request_ids.append(stream)
    return box[0]


def answer(connection, statement, prepared):
    if prepared is not None and "id" not in prepared:
        made = ask(connection, PrepareMessage(statement))
        if isinstance(made, ErrorMessage):
            return {"error": {"code": "%#06x" % made.code, "message": made.message}}
        prepared["id"] = made.query_id
    message = QueryMessage(statement, ConsistencyLevel.ONE)
    if prepared is not None:
        message = ExecuteMessage(prepared["id"], [], ConsistencyLevel.ONE)
    result = ask(connection, message)
    if isinstance(result, ErrorMessage):
        return {"error": {"code": "%#06x" % result.code, "message": result.message}}
    told = {"kind": result.kind}
    if result.column_names is not None:
        told["columns"] = list(zip(result.column_names, [t.cql_parameterized_type() for t in result.column_types]))
        told["rows"] = plain(result.parsed_rows)
    if getattr(result, "warnings", None):
        told["warnings"] = result.warnings
    return json.loads(json.dumps(told))


def cases(path):
    with open(path, encoding="utf-8") as f:
        prepared = False
        for line in f:
            line = line.strip()
            if line.startswith("-- @user"):
                yield "user", (line.split() + ["", ""])[2:4]
            elif line == "-- @prepare":
                prepared = True
            elif line and not line.startswith("--"):
                yield ("prepared" if prepared else "statement"), line.rstrip(";")
                prepared = False


def run(host, path, port=9042):
    """(what was asked, what was answered) of each line."""
    connection, connections, prepared = None, {}, {}
    try:
        for kind, what in cases(path):
            if kind == "user":
                name, password = what
                connection = connections.get((name, password))
                if connection is None:
                    try:
                        connection = connections[name, password] = connect(host, port, name, password)
                        yield f"@user {name} {password}", {"login": True}
                    except Refused as e:
                        yield f"@user {name} {password}", {"login": False, "message": str(e).split(": ", 1)[-1]}
                continue
            if connection is None:
                continue
            known = prepared.setdefault(what, {}) if kind == "prepared" else None
            yield what, answer(connection, what, known)
    finally:
        for made in connections.values():
            made.close()


def expected_path(path):
    return path[:-4] + ".expected.jsonl"


def check(host, folder, show=10):
    """(passed, failures as text)"""
    passed, failures = 0, []
    for path in sorted(glob.glob(os.path.join(folder, "*.cql"))):
        with open(expected_path(path), encoding="utf-8") as f:
            expected = [json.loads(line) for line in f]
        for number, (asked, answered) in enumerate(run(host, path)):
            wanted = expected[number]
            assert wanted["asked"] == asked, f"{path} is to be recorded again"
            wanted = {k: v for k, v in wanted.items() if k != "asked"}
            if wanted == answered:
                passed += 1
            else:
                failures.append(f"{os.path.basename(path)}: {asked}\n    expected {wanted}\n    answered {answered}")
    return passed, failures


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("host")
    p.add_argument("folder")
    p.add_argument("--record", action="store_true")
    args = p.parse_args()
    if args.record:
        for path in sorted(glob.glob(os.path.join(args.folder, "*.cql"))):
            lines = [json.dumps({"asked": asked, **answered}, ensure_ascii=False) for asked, answered in run(args.host, path)]
            with open(expected_path(path), "w", encoding="utf-8") as f:
                f.write("\n".join(lines) + "\n")
            print(path, len(lines))
        return 0
    passed, failures = check(args.host, args.folder)
    print("\n".join(failures))
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
