"""A copy of the sources in build/, in which bugs are planted one after the other, and the seeds that find them."""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["base", "storage", "ring", "cql", "stream", "node"]
FOLDERS += ["tests/sim", "tests/storage", "tests/ring", "tests/stream", "tests/node", "tests/interop", "bench/storage_bench"]
CHUNK = 10


class Copy:
    """build/NAME/source and build/NAME/build: the program at -O1, without warnings."""

    def __init__(self, name):
        self.source = ROOT / "build" / name / "source"
        self.build = ROOT / "build" / name / "build"
        self.source.mkdir(parents=True, exist_ok=True)
        self._copy_sources()
        self._configure()
        self.compile()

    def _copy_sources(self):
        """Only what differs, so that little is built again."""
        wanted = {pathlib.Path("CMakeLists.txt")}
        for folder in FOLDERS:
            wanted |= {p.relative_to(ROOT) for p in (ROOT / folder).rglob("*") if p.is_file()}
        for path in wanted:
            to = self.source / path
            if to.exists() and to.read_bytes() == (ROOT / path).read_bytes():
                continue
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, to)
        for path in list(self.source.rglob("*")):
            if path.is_file() and path.relative_to(self.source) not in wanted:
                path.unlink()

    def _configure(self):
        command = ["cmake", "-S", self.source, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                   "-DCMAKE_C_FLAGS_RELEASE=-O1 -w", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -w"]
        if shutil.which("ccache"):
            command += ["-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def compile(self):
        return self._ninja("helenus")

    def compile_test(self, name):
        return self._ninja(name)

    def _ninja(self, target):
        done = subprocess.run(["ninja", "-C", self.build, target], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            lines = [line for line in done.stdout.splitlines() if "error:" in line or "undefined" in line]
            raise RuntimeError("it does not compile: " + "; ".join(lines[:3]))
        return self.build / target

    def plant(self, file, old, new, at=None):
        """Replaces `old`, which occurs once (or the bytes from `at`); the result is what undo() takes."""
        path = self.source / file
        text = path.read_text()
        if at is None:
            if text.count(old) != 1:
                raise RuntimeError(f"{file} has the text {text.count(old)} times, not once: {old}")
            at = text.index(old)
        path.write_text(text[:at] + new + text[at + len(old):])
        return path, text

    @staticmethod
    def undo(planted):
        path, text = planted
        path.write_text(text)


def test_failure(program):
    """What a test program says when it fails, or None."""
    done = subprocess.run([program], text=True, capture_output=True, timeout=300, cwd=ROOT)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stdout.splitlines() if re.search(r":[FE]:", line)]
    return (lines or ["it fails"])[0].split("/")[-1][:110]


def _chunk(program, world, seed):
    """The first seed of a chunk that fails and why, or None."""
    try:
        done = subprocess.run([program, "sim", "--world", world, "--seed", str(seed), "--seeds", str(CHUNK), "--json"],
                              text=True, capture_output=True, timeout=300)
    except subprocess.TimeoutExpired:
        return seed, "no end after 300 s"
    count = 0
    for line in done.stdout.splitlines():
        result = json.loads(line)
        if "seed" not in result:
            return None
        if not result["passed"]:
            return result["seed"], result["fault"]
        count += 1
    return seed + count, "the program dies: " + done.stderr.strip()[-200:]


def first_failure(program, world, seeds_max, first=1):
    """(seed, why) of a failure within so many seeds, or None."""
    starts = range(first, first + seeds_max, CHUNK)
    cores = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        for i in range(0, len(starts), cores):
            found = [f for f in pool.map(lambda s: _chunk(program, world, s), starts[i:i + cores]) if f]
            if found:
                return min(found)
    return None
