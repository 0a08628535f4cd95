#!/usr/bin/env python3
"""Plants the bugs of planted_bugs.py in copies of the hypervisor's files, one at a time, and
expects the model to find each but the SURVIVORS.

    planted.py BUILD CC ARGUMENT... -- LINK_FLAG... -- OBJECT... -- CPUS_FLAG... -- CPUS_OBJECT...

The objects are the model's, below BUILD; compiler and arguments are those that made them. The last
two lists are of the model with two CPUs: more arguments for the compiler, and its objects. With
ONLY=word in the environment it plants those bugs that have the word in their name or scope; with
ONE_CPU=1 it also checks that the scopes of ONE_CPU do not find what only two CPUs do. Called by
make check-planted.
"""
import itertools
import os
import pathlib
import subprocess
import sys

from planted_bugs import BUGS, SURVIVORS

GLOBAL = "zones zones_in_use nr_free".split()
ONE_CPU = "entries below return descriptors grant"


def path_of(name):
    """The file of the hypervisor, or of the fake machine, with that name, of which there is one."""
    path, = [*pathlib.Path("xen").rglob(name), *pathlib.Path("arch/host").glob(name)]
    return path


def users_of(root, header):
    """Files of the hypervisor that include it, by the compiler's dependency files."""
    return [p for p in pathlib.Path("xen").rglob("*.c")
            if str(header) in (root / p.with_suffix(".d")).read_text().replace("./", "").split()]


def build(root, where, bug, compiler, link, objects):
    path = path_of(bug.file)
    text = path.read_text()
    for old, new in zip(*((t,) if isinstance(t, str) else t for t in (bug.old, bug.new))):
        if text.count(old) != 1:
            sys.exit(f"planted.py: {bug.name}: {path} has its place {text.count(old)} times")
        text = text.replace(old, new)
    (where / path).parent.mkdir(parents=True, exist_ok=True)
    (where / path).write_text(text)
    mine, replaced = [], set()
    for source in [path] if bug.file.endswith(".c") else users_of(root, path):
        mine.append(where / source.with_suffix(".o").name)
        replaced |= {root / source.with_suffix(".o"), root / "cpus" / source.with_suffix(".o")}
        copy = where / source if source == path else source
        subprocess.run(compiler[:2] + [f"-I{where}"] + compiler[2:] +
                       ["-Wno-unused", "-Wno-error", "-c", copy, "-o", mine[-1]], check=True)
        if source.name == "alloc.c":
            subprocess.run(["objcopy"] + [f"--globalize-symbol={g}" for g in GLOBAL] + [mine[-1]],
                           check=True)
    program = where / "model"
    others = [o for o in objects if pathlib.Path(o) not in replaced]
    subprocess.run(compiler[:2] + link + ["-o", program] + mine + others, check=True)
    return program


def run(program, scopes, violation):
    """Whether the program finds that violation in them, and what it prints."""
    p = subprocess.run([program] + scopes.split(), stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, text=True, timeout=300)
    return p.returncode != 0 and "violation" in p.stderr and violation in p.stderr, p.stderr


def main():
    root = pathlib.Path(sys.argv[1])
    parts = [list(words) for dashes, words in itertools.groupby(sys.argv[2:], "--".__eq__)
             if not dashes]
    compiler, link, objects, cpus_flags, cpus_objects = parts
    wrong = 0
    for number, bug in enumerate(BUGS + SURVIVORS):
        if os.environ.get("ONLY", "") not in bug.name + bug.scope:
            continue
        where = root / "planted" / str(number)
        with_cpus = bug.scope.startswith("cpus")
        program = build(root, where, bug, compiler + cpus_flags * with_cpus, link,
                        cpus_objects if with_cpus else objects)
        found, text = run(program, bug.scope, bug.violation)
        ok = found == (bug in BUGS)
        if bug.two_cpus and os.environ.get("ONE_CPU"):
            program = build(root, where / "one-cpu", bug, compiler, link, objects)
            found_there, text_there = run(program, ONE_CPU, "")
            ok = ok and not found_there
            text += text_there
            print(f"  {'found' if found_there else 'not found'} in {ONE_CPU}")
        wrong += not ok
        calls = text.count(";\n")
        result = f"found in scope {bug.scope}, after {calls} calls" if found \
            else f"not found in scope {bug.scope}"
        print(f"{'' if ok else 'WRONG: '}{bug.name} ({bug.file}): {result}", flush=True)
        if not ok:
            print(text)
    print(f"{len(BUGS)} planted bugs, {len(SURVIVORS)} that cannot be found here, "
          f"{wrong} not as expected")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
