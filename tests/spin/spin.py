#!/usr/bin/env python3
"""Explores the models of protocols between CPUs, tests/spin/*.pml, with Spin: every order of their
steps, with store buffers where a model includes tso.h. A model must have no state in which one of
its assertions fails, and none in which a process waits for ever.

The head of a model lists planted faults, "FAULT NAME   what is wrong": with NAME defined Spin must
find a violation, else the model proves nothing about that step. "LONG NAME=n ..." is one more run
of the model without faults, with these definitions, which takes long.

    spin.py BUILD [--long] [MODEL...]

Prints one line for each run, and the steps that lead to a violation which should not be there. With
SHOW=NAME in the environment it prints the steps that lead to the planted fault NAME. Called by
make check-spin.
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
LIMIT = 3600        # seconds for one search


class Run:
    def __init__(self, model, name, what, defines, fault):
        self.model, self.name, self.what = model, name, what
        self.defines, self.fault = defines, fault
        self.violation, self.states, self.seconds, self.steps = None, 0, 0, []


def runs_of(path, long):
    text = path.read_text()
    if not long:
        yield Run(path, "", "", [], False)
    for words in re.findall(r"^ \* LONG (.*)$", text, re.M) if long else []:
        yield Run(path, words, "", words.split(), False)
    for name, what in re.findall(r"^ \* FAULT (\w+) +(.*(?:\n \*     .*)*)$", text, re.M) \
            if not long else []:
        what = re.sub(r"\s*\n \* +", " ", what)
        if not re.search(rf"\b{name}\b", text.split("*/", 1)[1]):
            sys.exit(f"spin.py: {path} lists {name} and has no such place")
        yield Run(path, name, what, [name], True)


def call(directory, *command):
    p = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=LIMIT)
    return p.returncode, p.stdout + p.stderr


def explore(root, run):
    """Breadth first for a fault, so that the steps to it are few; else depth first: less memory."""
    began = time.time()
    where = root / (run.model.stem + "-" + (re.sub(r"\W+", "-", run.name) or "as-it-is"))
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    for path in [run.model, HERE / "tso.h"]:
        shutil.copy(path, where)
    defines = [f"-D{d}" for d in run.defines]
    rc, text = call(where, "spin", "-a", *defines, run.model.name)
    if rc != 0 or "rror" in text:
        sys.exit(f"spin.py: {run.model}: {text}")
    how = ["-O0", "-DBFS"] if run.fault else ["-O0"] if run.name == "" else ["-O2", "-DCOLLAPSE"]
    rc, text = call(where, "gcc", "-w", *how, "-DSAFETY", "-DMEMLIM=6000", "-DVECTORSZ=2048",
                    "pan.c", "-o", "pan")
    if rc != 0:
        sys.exit(f"spin.py: {run.model}: {text}")
    _, text = call(where, "./pan", "-m1000000", "-w22", "-n")
    states = re.search(r"(\d+) states, stored", text)
    errors = re.search(r"errors: (\d+)", text)
    if not states or not errors or "Search not completed" in text and errors[1] == "0" \
            or "max search depth" in text:
        sys.exit(f"spin.py: {run.model} {run.name}: the search did not end: {text}")
    run.states = int(states[1])
    if errors[1] != "0":
        run.violation = re.search(r"pan:\d+: (.*?) \(at depth", text)[1]
        run.violation = run.violation.replace("invalid end state", "a process waits for ever")
        _, text = call(where, "spin", "-T", "-B", "-t", *defines, run.model.name)
        run.steps = [line.strip() for line in text.splitlines()
                     if line.strip() and not line.startswith(("spin:", "#"))]
    run.seconds = time.time() - began
    return run


def report(run):
    """Whether the run ended as it should."""
    name = f"{run.model.stem} {run.name}".strip()
    if run.fault and run.violation:
        print(f"{name}: found, in {len(run.steps)} steps: {run.what}", flush=True)
    elif run.fault:
        print(f"WRONG: {name}: not found in {run.states:,} states: {run.what}", flush=True)
    elif run.violation:
        print(f"WRONG: {name}: {run.violation}", flush=True)
    else:
        print(f"{name}: {run.states:,} states, no violation, {run.seconds:.1f} s", flush=True)
    if run.violation and (not run.fault or os.environ.get("SHOW") == run.name):
        print("".join(f"    {step}\n" for step in run.steps) + f"    {run.violation}", flush=True)
    return run.fault == bool(run.violation)


def main():
    root = pathlib.Path(sys.argv[1])
    long = "--long" in sys.argv
    names = [a for a in sys.argv[2:] if a != "--long"]
    models = [HERE / f"{n}.pml" for n in names] or sorted(HERE.glob("*.pml"))
    began = time.time()
    runs = [r for m in models for r in runs_of(m, long)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [r for r in pool.map(lambda r: explore(root, r), runs) if not report(r)]
    faults = sum(r.fault for r in runs)
    print(f"{len(models)} models, {faults} planted faults, {len(wrong)} not as expected, "
          f"{time.time() - began:.0f} s")
    return len(wrong) != 0


if __name__ == "__main__":
    sys.exit(main())
