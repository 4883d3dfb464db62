"""The command line: help, exit codes, errors with a next step."""
import fcntl
import glob
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import xml.dom.minidom

from support import HELENUS, ROOT, Ring, ring, run, wait_until


def fails(code, text, *arguments, **options):
    done = run(HELENUS, *arguments, check=False, **options)
    assert done.returncode == code, (arguments, done.returncode, done.stderr)
    assert text in done.stderr, (arguments, done.stderr)


def test_every_command_has_help():
    commands = [line.split()[0] for line in run(HELENUS, "--help").stdout.split("\n") if line.startswith("  ")]
    assert {"ring", "node", "stream", "tweets", "bench", "sim", "version"} <= set(commands), commands
    for command in commands:
        help_text = run(HELENUS, command, "--help").stdout
        assert f"helenus {command}" in help_text, command
        assert run(HELENUS, command, "-h").stdout == help_text, command
        assert run(HELENUS, "help", command).stdout == help_text, command
    for action in ["start", "status", "stop", "kill", "restart"]:
        assert "--dir DIR" in run(HELENUS, "ring", action, "--help").stdout


def test_every_action_on_jobs_has_help():
    text = run(HELENUS, "stream", "--help").stdout
    actions = [line.split()[0] for line in text.split("\n") if line.startswith("  ")]
    assert actions == ["run", "submit", "list", "halt", "resume", "stop", "audit"], actions
    for action in actions:
        help_text = run(HELENUS, "stream", action, "--help").stdout
        assert help_text.startswith(f"helenus stream {action} [options]") and "--ring HOST" in help_text, action
        assert run(HELENUS, "help", "stream", action).stdout == help_text, action
        assert f"{action}," in run(HELENUS, "--help").stdout or action == "audit"


def test_help_stands_in_columns():
    for command in (["bench", "cql"], ["bench", "parse"], ["node"], ["stream", "run"]):
        lines = run(HELENUS, *command, "--help").stdout.split("\nOptions:\n")[1].rstrip("\n").split("\n")
        column = len(lines[0]) - len(lines[0].split("  ", 2)[2].lstrip())
        for line in lines:
            assert line[column - 1] == " " and line[column] != " ", (command, line)


def test_bench_parse_measures_what_it_is_given():
    lines = run(HELENUS, "bench", "parse", "--rounds", 3, "--milliseconds", 1, "--json", "SELECT * FROM t", "USE k").stdout
    measured = [json.loads(line) for line in lines.splitlines()]
    assert [m["bytes"] for m in measured] == [15, 5] and all(0 < m["min_ns"] <= m["median_ns"] for m in measured), lines
    fails(1, "no viable alternative", "bench", "parse", "SELEKT")


def test_bench_cql_asks_at_a_rate_and_says_how_it_went():
    statements = os.path.join(ROOT, "bench/statements/insert.cql")
    with ring("127.0.77.31") as r, tempfile.TemporaryDirectory() as directory:
        asked = ["bench", "cql", "--host", "127.0.77.31", "--warm-up", 0, "--strict"]
        svg = os.path.join(directory, "latency.svg")
        lines = run(HELENUS, *asked, "--rate", 500, "--seconds", 2, "--json", "--svg", svg, statements).stdout
        *seconds, summary = [json.loads(line) for line in lines.splitlines()]
        assert {s["type"] for s in seconds} == {"second"} and summary["type"] == "summary", lines
        assert sum(s["operations"] for s in seconds) == summary["operations"] and 999 <= summary["operations"] <= 1001, lines
        assert summary["p50_us"] >= summary["service_p50_us"] and summary["unanswered"] == 0, lines
        assert xml.dom.minidom.parse(svg).documentElement.tagName == "svg"
        # One copy cannot be written at TWO.
        failed = run(HELENUS, *asked, "--count", 10, "--consistency", "TWO", statements, check=False)
        assert failed.returncode == 3 and "errors, the first: " in failed.stdout, (failed.returncode, failed.stdout)
    fails(1, "cannot connect", "bench", "cql", "--host", "127.0.77.31", statements)


def test_a_wrong_command_line_says_what_is_right():
    fails(2, "--arrivals is even or poisson, not 'odd'", "bench", "cql", "--arrivals", "odd", "x.cql")
    fails(2, "no command 'rin'", "rin")
    fails(2, "no action 'begin'", "ring", "begin")
    fails(2, "no action 'begin'", "stream", "begin")
    fails(2, "no command 'rin'", "help", "rin")
    fails(2, "'now' is too much: helenus version\n", "version", "now")
    fails(2, "no option --node;", "ring", "start", "--node", 1)
    fails(2, "--nodes takes a whole number from 1 to 64, not '0'", "ring", "start", "--nodes", 0)
    fails(2, "--nodes needs a value: --nodes N", "ring", "start", "--nodes")
    fails(2, "something is missing: helenus ring kill [options] N", "ring", "kill")
    fails(2, "'two' is too much", "ring", "kill", "1", "two")


def test_a_wrong_configuration_names_file_line_and_key():
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write("cluster_name: x\nnum_token: 4\n")
        f.flush()
        fails(1, f"{f.name}:2: no key 'num_token'", "node", "--config", f.name, "--dir", "/tmp/never")
    fails(1, "num_tokens takes a whole number", "node", "--num-tokens", "many", "--dir", "/tmp/never")
    fails(1, "/no/such/file", "node", "--config", "/no/such/file", "--dir", "/tmp/never")
    fails(1, "rack: longer than 63 bytes", "node", "--rack", "r" * 64, "--dir", "/tmp/never")


def test_a_cache_larger_than_the_memory_is_no_end():
    with tempfile.TemporaryDirectory() as directory:
        node = subprocess.Popen([HELENUS, "node", "--dir", directory, "--listen-address", "127.0.77.34", "--file-cache-size-mib", "1048576"])
        wait_until(lambda: os.path.exists(os.path.join(directory, "process")) or node.poll() is not None, 10, "the node runs")
        node.terminate()
        assert node.wait(20) == 0


def test_a_port_that_is_taken_is_said():
    with socket.socket() as s:
        s.bind(("127.0.77.9", 9042))
        s.listen()
        other = Ring("127.0.77.9")
        done = run(HELENUS, "ring", "start", "--nodes", 1, "--dir", other.directory, "--address", "127.0.77.9", check=False)
        assert done.returncode == 1 and "127.0.77.9:9042" in done.stderr and "taken" in done.stderr, done.stderr


def test_a_ring_that_can_not_start_is_not_made():
    """It would keep its ports for ever."""
    r = Ring("127.0.77.33")
    done = r.ring("start", "--port", 7000, "--address", r.address, check=False)
    assert done.returncode == 1 and "--port and --storage-port are both 7000" in done.stderr, done
    r.ring("start", "--port", 9043, "--address", r.address)
    r.stop()
    shutil.rmtree(r.directory)


def test_a_ring_keeps_what_it_was_made_with():
    with ring() as r:
        done = r.tool("setconcurrentcompactors", 65, check=False)
        assert done.returncode == 1 and "concurrent_compactors is at most 64" in done.stderr, done
        for option, value in (("--address", "127.0.77.5"), ("--port", 9043), ("--storage-port", 7001), ("--num-tokens", 3)):
            done = r.ring("start", option, value, check=False)
            assert done.returncode == 1 and option in done.stderr and "keeps it" in done.stderr, done
        r.ring("start", "--address", r.address, "--port", 9042)


def test_a_node_keeps_what_it_began_with():
    """Its data lies where these put it: another value did nothing, and nobody was told."""
    with ring() as r:
        r.stop()
        path = os.path.join(r.data(), "helenus.yaml")
        with open(path) as f:
            before = f.read()
        for key, old, new in (("num_tokens", "16", "8"), ("cluster_name", "Helenus", "Other"), ("data_center", "datacenter1", "dc2"),
                              ("rack", "rack1", "rack2")):
            with open(path, "w") as f:
                f.write("".join(line for line in before.splitlines(True) if not line.startswith(key)) + f"{key}: {new}\n")
            done = r.ring("start", check=False)
            text = f"{path}: {key} is '{new}', but this node began with '{old}' and keeps it: set it back"
            assert done.returncode == 1 and text in done.stderr, done
        # Empty again, a node alone has nothing that another value could be wrong for.
        assert "1 nodes, empty" in r.ring("reset").stdout
        with r.session() as session:
            assert session.execute("SELECT rack FROM system.local").one().rack == "rack2"
        r.stop()
        # One that was begun by a release that did not note it, or whose note a power loss took.
        for text in (None, "", "num_tokens: 1", "num_tokens:\n\n"):
            os.remove(os.path.join(r.data(), "settings"))
            if text is not None:
                with open(os.path.join(r.data(), "settings"), "w") as f:
                    f.write(text)
            r.start()
            r.stop()
        fails(1, "the command line: rack is 'rack3', but this node began with 'rack2' and keeps it", "node", "--dir", r.data(), "--rack",
              "rack3", "--cluster-name", "Helenus", "--listen-address", r.address)
        fails(1, f"the command line, or {path}: rack is 'rack3'", "node", "--dir", r.data(), "--config", path, "--rack", "rack3")


def test_what_a_node_began_with_is_what_it_is():
    """Not what its configuration says, when nobody noted it before: the truth would be refused for ever."""
    with ring("127.0.77.33", nodes=2) as r:
        r.stop()
        path = os.path.join(r.data(), "helenus.yaml")
        with open(path) as f:
            before = f.read()
        os.remove(os.path.join(r.data(), "settings"))
        with open(path, "w") as f:
            f.write(before.replace("num_tokens: 16", "num_tokens: 8"))
        done = r.ring("start", check=False)
        assert done.returncode == 1 and "num_tokens is '8', but this node began with '16' and keeps it" in done.stderr, done
        with open(path, "w") as f:
            f.write(before)
        r.start()
    with ring() as r:
        r.stop()
        os.remove(os.path.join(r.data(), "settings"))
        fails(1, "the command line: num_tokens is '4', but this node began with '16' and keeps it", "node", "--dir", r.data(),
              "--num-tokens", "4", "--listen-address", r.address)


def test_a_node_that_is_not_up_yet_can_be_killed():
    """Its process was noted when it was up: one that read a long log was to be stopped by hand."""
    with ring() as r:
        r.stop()
        path = os.path.join(r.data(), "identity")
        os.rename(path, path + ".away")
        os.mkfifo(path)
        for action in (["kill", 1], ["pause", 1]):
            start = subprocess.Popen([HELENUS, "ring", "start", "--dir", r.directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            wait_until(lambda: r.status()["pid"] > 0, 10, "the node has its lock, and its process is noted")
            r.ring(*action)
            if action[0] == "pause":
                start.kill()
                r.stop()
            start.communicate(timeout=30)
            assert start.returncode != 0
        os.rename(path + ".away", path)
        r.start()


def test_a_process_file_that_makes_no_sense_harms_nobody():
    with ring() as r:
        path = os.path.join(r.data(), "process")
        with open(path) as f:
            process = f.read()
        for text in ("", "0", "-1", "99999999999999999999", "12x"):
            with open(path, "w") as f:
                f.write(text)
            for action in (["stop"], ["kill", 1], ["pause", 1]):
                done = r.ring(*action, check=False)
                assert done.returncode == 1 and done.stderr, (text, action, done)
        with open(path, "w") as f:
            f.write(process)


def test_who_looks_at_a_node_does_not_make_it_run():
    """A look takes the node's lock, too: another that looked meanwhile took the node for one that runs."""
    with ring() as r:
        r.stop()
        ends = threading.Event()

        def look():
            while not ends.is_set():
                with open(os.path.join(r.data(), "node.lock")) as f:
                    fcntl.flock(f, fcntl.LOCK_EX)
                    time.sleep(0.002)
                time.sleep(0.002)
        looks = threading.Thread(target=look)
        looks.start()
        try:
            states = [r.status()["state"] for _ in range(16)]
        finally:
            ends.set()
            looks.join()
        # It was every second; a machine that is busy may keep one that looks from its end for longer.
        assert states.count("DOWN") >= 14, states


def test_a_directory_belongs_to_one_node():
    with ring() as r:
        done = run(HELENUS, "node", "--dir", r.data(), "--listen-address", "127.0.77.8", check=False)
        assert done.returncode == 1 and "in use by another node" in done.stderr, done.stderr


def test_a_job_without_ring_or_file_is_told_so():
    done = run(HELENUS, "stream", "run", "--ring", "127.0.77.7", "--timeout", 1, "examples/hashtags.lua", "/dev/null", check=False)
    assert done.returncode != 0 and "127.0.77.7" in done.stderr, done.stderr
    with ring(schema=True) as r:
        done = r.job("examples/hashtags.lua", "/no/such/file.jsonl", check=False)
        assert done.returncode != 0 and "/no/such/file.jsonl" in done.stderr, done.stderr
        done = r.job("no/such/job.lua", check=False)
        assert done.returncode != 0 and "no/such/job.lua" in done.stderr, done.stderr


def test_start_again_leaves_a_running_node_alone():
    with ring() as r:
        pid = r.status()["pid"]
        r.start()
        assert r.status()["pid"] == pid
        r.stop()
        assert r.status()["state"] == "DOWN"
        r.restart()
        assert r.status()["state"] == "UP"


def test_closed_descriptors_are_nobody_elses():
    """The first files and pipes of a node got the numbers 0 to 2, and what it printed went into these."""
    r = Ring("127.0.77.33")
    try:
        start = subprocess.Popen([HELENUS, "ring", "start", "--dir", r.directory, "--address", r.address], stdout=None,
                                 preexec_fn=lambda: os.closerange(0, 3))
        assert start.wait(60) == 0
        node = subprocess.Popen([HELENUS, "node", "--dir", os.path.join(r.directory, "other"), "--listen-address", "127.0.77.34"],
                                preexec_fn=lambda: os.closerange(0, 3))
        wait_until(lambda: os.path.exists(os.path.join(r.directory, "other", "process")), 10, "the node runs")
        assert {os.readlink(f"/proc/{node.pid}/fd/{i}") for i in range(3)} == {"/dev/null"}
        node.terminate()
        assert node.wait(60) == 0
    finally:
        r.stop()
        shutil.rmtree(r.directory)


def test_what_could_not_be_printed_is_a_failure():
    with open("/dev/full", "w") as full:
        for command in (["version"], ["ring", "status", "--json", "--dir", "/tmp/never"]):
            done = subprocess.run([HELENUS, *command], stdout=full, stderr=subprocess.PIPE, text=True)
            assert done.returncode == 1 and done.stderr == "helenus: standard output: No space left on device\n", done
    # A reader that has seen enough knows it.
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([HELENUS, "ring", "status", "--dir", "/tmp/never"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 1 and done.stderr == "", done


def test_an_import_that_did_not_begin_prints_no_json():
    done = run(HELENUS, "import", "ks", "t", "/tmp", "--json", "--ring", "127.0.77.7", check=False)
    assert done.returncode == 1 and done.stdout == "" and "does a node run there?" in done.stderr, done


def test_a_drain_that_could_not_flush_says_so():
    """Who takes the files for all that there is would lack what is in the commit log alone."""
    with ring("127.0.77.33", schema=True) as r:
        with r.session("demo_ks") as session:
            session.execute("UPDATE hashtags SET mentions = mentions + 5 WHERE hashtag = '#a' AND interval = 'ALL'")
        table = glob.glob(os.path.join(r.data(), "data/demo_ks/hashtags-*"))[0]
        os.rename(table, table + ".away")
        open(table, "w").close()
        done = r.tool("drain", check=False)
        assert done.returncode == 1 and "could not be flushed: its log says why; 'helenus flush' tries again" in done.stderr, done
        with open(os.path.join(r.data(), "log")) as f:
            log = f.read()
        assert log.count("ERROR a flush failed, and is tried again: ") == 1 and "Not a directory" in log, log
        os.remove(table)
        os.rename(table + ".away", table)
        r.tool("flush")
        assert glob.glob(table + "/*-Data.db")
        r.restart()
        assert r.counts() == {("#a", "ALL"): 5}


def takes_clients(address):
    with socket.socket() as s:
        return s.connect_ex((address, 9042)) == 0


def test_a_stop_while_a_drain_flushes():
    """It began to close the parts that the drain closed a second time, and never ended."""
    with ring("127.0.77.33", schema=True) as r:
        with r.session("demo_ks") as session:
            session.execute("UPDATE hashtags SET mentions = mentions + 5 WHERE hashtag = '#a' AND interval = 'ALL'")
        r.ring("stall", 1, 1000)
        drain = subprocess.Popen([HELENUS, "drain", "--ring", r.address], stderr=subprocess.DEVNULL)
        wait_until(lambda: not takes_clients(r.address), 5, "it serves no client")
        assert drain.poll() is None
        begin = time.monotonic()
        r.stop()
        drain.wait(10)
        assert time.monotonic() - begin < 5
        assert os.path.exists(os.path.join(r.data(), "clean_stop"))
        r.start()
        assert r.counts() == {("#a", "ALL"): 5}


def test_a_compaction_that_failed_is_told():
    with ring("127.0.77.33", schema=True) as r:
        with r.session("demo_ks") as session:
            for _ in range(2):
                session.execute("UPDATE hashtags SET mentions = mentions + 5 WHERE hashtag = '#a' AND interval = 'ALL'")
                r.tool("flush", "demo_ks")
        data = sorted(glob.glob(os.path.join(r.data(), "data/demo_ks/hashtags-*/*-Data.db")))[0]
        with open(data, "r+b") as f:
            f.write(bytes(8))
        done = r.tool("compact", "demo_ks", check=False)
        with open(os.path.join(r.data(), "log")) as f:
            log = f.read()
        assert done.returncode == 1 and "ERROR demo_ks.hashtags: a compaction failed: " + data in log, (done, log)


def test_stopping_twice_is_no_error():
    with ring() as r:
        r.stop()
        assert "0 nodes stopped" in r.stop().stdout
        assert subprocess.run(["pgrep", "-f", r.directory], capture_output=True).stdout == b""
