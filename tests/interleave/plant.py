#!/usr/bin/env python3
"""Plants the races of races.py in copies of the hypervisor's files, one at a time, and expects the
interleaver to find each.

    plant.py [--threads] BUILD CC ARGUMENT... -- HOST ARGUMENT... -- XEN ARGUMENT...
        -- OBJECT... -- LINK ARGUMENT...

The objects are the interleaver's, below BUILD; compiler and arguments are those that made them: the
second list those of the fake machine only, the third those of the hypervisor only. With --threads
they are those of the fake CPUs as threads, and ThreadSanitizer must name each of the races in
NAMED. With ONLY=word in the environment it plants those races that have the word in their name or
scenario. Called by make check-races and check-threads.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "model"))
from planted import path_of, users_of       # noqa: E402
from races import NAMED, RACES              # noqa: E402

SEEDS = 2000
SEEDS_OF_THREADS = 3000         # by the host's load, one in 10 or one in 50 shows the race


def build(root, number, race, compiler, host, xen, objects, link):
    path = path_of(race.file)
    own = host if path.parts[0] == "arch" else xen
    text = path.read_text()
    for old, new in zip(*((t,) if isinstance(t, str) else t for t in (race.old, race.new))):
        if text.count(old) != 1:
            sys.exit(f"plant.py: {race.name}: {path} has its place {text.count(old)} times")
        text = text.replace(old, new)
    where = root / "planted" / str(number)
    (where / path).parent.mkdir(parents=True, exist_ok=True)
    (where / path).write_text(text)
    mine, replaced = [], set()
    for source in [path] if race.file.endswith(".c") else users_of(root, path):
        mine.append(where / source.with_suffix(".o").name)
        replaced.add(root / source.with_suffix(".o"))
        copy = where / source if source == path else source
        subprocess.run(compiler[:1] + [f"-I{where}"] + compiler[1:] + own +
                       ["-w", "-c", copy, "-o", mine[-1]], check=True)
    program = where / "interleave"
    others = [o for o in objects if pathlib.Path(o) not in replaced]
    subprocess.run(compiler[:1] + link + ["-o", program] + mine + others, check=True)
    return program


def seed_that_finds(root, number, race, *made_by):
    """None: no seed does."""
    program = build(root, number, race, *made_by)
    p = subprocess.run([program, race.scenario, "1", str(SEEDS)], stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, text=True, timeout=600, errors="replace")
    seed = re.search(r"failed with seed (\d+)", p.stderr)
    return int(seed[1]) if p.returncode != 0 and seed else None


def function_named(root, number, race, *made_by):
    """The function in which ThreadSanitizer found a race that the file has to do with, or None."""
    program = build(root, number, race, *made_by)
    p = subprocess.run(["setarch", "-R", program, race.scenario, "1", str(SEEDS_OF_THREADS)],
                       env=os.environ | {"TSAN_OPTIONS": "halt_on_error=1"}, capture_output=True,
                       text=True, timeout=600, errors="replace")
    at = re.search(r"SUMMARY: ThreadSanitizer: data race \S* in (\w+)", p.stderr)
    return at[1] if at and f"/{race.file}:" in p.stderr else None


def verdict(race, found, threads):
    if threads:
        return f"named, in {found}" if found else \
            f"WRONG: not named in {SEEDS_OF_THREADS} seeds of scenario {race.scenario}"
    return f"found by scenario {race.scenario} with seed {found}" if found is not None else \
        f"WRONG: not found by scenario {race.scenario} in {SEEDS} seeds"


def lists(words):
    """Those between dashes, some of which may be empty."""
    found = [[]]
    for word in words:
        if word == "--":
            found.append([])
        else:
            found[-1].append(word)
    return found


def main():
    threads = sys.argv[1] == "--threads"
    if threads:
        del sys.argv[1]
    root = pathlib.Path(sys.argv[1])
    compiler, *others = lists(sys.argv[2:])
    if compiler[0] == "ccache":             # compiler[0] is called with more arguments behind it
        compiler = compiler[1:]
    table, find = (NAMED, function_named) if threads else (RACES, seed_that_finds)
    races = [r for r in table if os.environ.get("ONLY", "") in r.name + r.scenario]
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda r: find(root, table.index(r), r, compiler, *others), races)
        for race, f in zip(races, found):
            wrong += f is None
            print(f"{race.name} ({race.file}): {verdict(race, f, threads)}", flush=True)
    print(f"{len(races)} planted races, {wrong} not found")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
