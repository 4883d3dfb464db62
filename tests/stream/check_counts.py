#!/usr/bin/env python3
"""Compares demo_ks.hashtags with a file of true counts; see scripts/check-counts."""
import argparse
import sys

from cassandra.cluster import Cluster
from cassandra.policies import DCAwareRoundRobinPolicy

SHOWN = 10


def read_truth(path, times):
    truth = {}
    # Only \n ends a line here: a hashtag may hold other line separators.
    with open(path, encoding="utf-8", errors="surrogatepass", newline="\n") as lines:
        for line in lines:
            hashtag, interval, mentions = line.rstrip("\n").split("\t")
            truth[hashtag, interval] = int(mentions) * times
    return truth


def read_table(host, port, keyspace, table):
    cluster = Cluster([host], port=port, load_balancing_policy=DCAwareRoundRobinPolicy("datacenter1"))
    session = cluster.connect(keyspace)
    session.default_timeout = 60
    session.default_fetch_size = 1000
    rows = {}
    for hashtag, interval, mentions in session.execute(f"SELECT hashtag, interval, mentions FROM {table}"):
        if (hashtag, interval) in rows:
            sys.exit(f"the row {hashtag} {interval} came twice")
        rows[hashtag, interval] = mentions
    cluster.shutdown()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9042)
    parser.add_argument("--keyspace", default="demo_ks")
    parser.add_argument("--table", default="hashtags")
    parser.add_argument("--times", type=int, default=1)
    arguments = parser.parse_args()
    truth = read_truth(arguments.counts, arguments.times)
    rows = read_table(arguments.host, arguments.port, arguments.keyspace, arguments.table)
    wrong = [(key, truth.get(key), rows.get(key)) for key in sorted(truth.keys() | rows.keys())
             if truth.get(key) != rows.get(key)]
    for (hashtag, interval), expected, actual in wrong[:SHOWN]:
        print(f"{hashtag} {interval}: expected {expected}, the table has {actual}")
    if len(wrong) > SHOWN:
        print(f"… and {len(wrong) - SHOWN} rows more")
    print(f"{len(truth)} rows expected, {len(rows)} in the table: "
          f"{len(truth.keys() | rows.keys()) - len(wrong)} passed, {len(wrong)} failed")
    sys.exit(1 if wrong else 0)


main()
