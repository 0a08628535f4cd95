#!/usr/bin/env python3
"""Checks that calls and includes go down the rooms of xen/, that no files call each other in a
circle, and that a header declares what one file defines.

    rooms.py OBJECTS    the folder with the objects of xen/, one for each .c

nm says what each object defines and needs, so that what macros and inline functions call counts as
well. The rooms, from the top: files of xen/ itself (main.c, which calls all others once), boot, pv,
cpu, core. A file may use its own room and those below. Circles of files within a room are listed in
CIRCLES; the list may only shrink. Called by make lint-layers.
"""
import collections
import pathlib
import re
import subprocess
import sys

ROOMS = ("core", "cpu", "pv", "boot", "")           # from the lowest
INCLUDE = re.compile(r'^\s*#\s*include\s*"xen/(?:([a-z]+)/)?[a-z0-9_]+\.h"', re.M)

# Files that call each other, all of one room. Each line is a circle that remains to be cut.
CIRCLES = (
    ("boot/build", "boot/build_plan", "boot/build_tables"),
    ("boot/modules", "boot/service"),
    ("core/console", "core/console_line", "core/console_terminal"),
    ("core/sched", "core/sched_cap", "core/sched_place", "core/sched_queue", "core/sched_wake",
     "core/vtimer"),
    ("core/time", "core/timer", "core/trace"),
    ("pv/console_ring", "pv/input", "pv/store"),
    ("pv/desc", "pv/linear", "pv/pagetype"),
    ("pv/evtchn", "pv/evtchn_fifo"),
    ("pv/grant", "pv/grant_maptrack", "pv/grant_version"),
)


def room_of(path, root):
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def symbols(root):
    """({name: object that defines it}, {object: names it needs}), if the source of it exists."""
    defined, needed = {}, {}
    for o in sorted(root.rglob("*.o")):
        if not pathlib.Path("xen", o.relative_to(root)).with_suffix(".c").exists():
            continue
        out = subprocess.run(["nm", o], capture_output=True, text=True, check=True).stdout
        needed[o] = set()
        for line in out.splitlines():
            fields = line.split()
            if len(fields) == 2 and fields[0] == "U":
                needed[o].add(fields[1])
            elif len(fields) == 3 and fields[1].isupper():
                defined[fields[2]] = o
    return defined, needed


def circles(uses):
    """The strongly connected components of more than one member (Tarjan), as sorted tuples."""
    number, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        on_stack.add(node)
        for other in sorted(uses[node]):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            members = []
            while not members or members[-1] != node:
                members.append(stack.pop())
                on_stack.discard(members[-1])
            if len(members) > 1:
                found.append(tuple(sorted(members)))

    for node in sorted(uses):
        if node not in number:
            visit(node)
    return found


def check_calls(root, defined, needed):
    problems, uses = [], collections.defaultdict(set)
    for o in needed:
        name, room = str(o.relative_to(root).with_suffix("")), room_of(o, root)
        for symbol in sorted(needed[o] & defined.keys()):
            other = defined[symbol]
            uses[name].add(str(other.relative_to(root).with_suffix("")))
            if ROOMS.index(room_of(other, root)) > ROOMS.index(room):
                problems.append(f"xen/{name}.c uses {symbol} of the higher room "
                                f"{room_of(other, root)}/ ({other.stem}.c)")
    within = {name: {u for u in others if room_of(root / u, root) == room_of(root / name, root)}
              for name, others in uses.items()}
    for other in list(within.values()):
        for name in other:
            within.setdefault(name, set())
    found = circles(within)
    problems += [f"a new circle: {', '.join(c)}" for c in found if c not in CIRCLES]
    problems += [f"no longer a circle, take it off the list: {', '.join(c)}"
                 for c in CIRCLES if c not in found]
    return problems


def check_includes(root):
    problems = []
    for path in sorted(root.rglob("*.[ch]")):
        room = room_of(path, root)
        for other in INCLUDE.findall(path.read_text()):
            if ROOMS.index(other) > ROOMS.index(room):
                problems.append(f"xen/{path.relative_to(root)} includes a header of the higher "
                                f"room {other}/")
    return problems


PROTOTYPE = re.compile(r"^(?!static|typedef|#|\s|/)[^(;{]*?\b(\w+)\([^;{]*\)[^;{]*;", re.M)


def check_headers(defined):
    """A header declares what one file defines."""
    problems = []
    for path in sorted(pathlib.Path("xen").rglob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        files = {defined[name].stem for name in PROTOTYPE.findall(text) if name in defined}
        if len(files) > 1:
            problems.append(f"{path} declares functions of {', '.join(sorted(files))}")
    return problems


def main():
    root = pathlib.Path(sys.argv[1])
    defined, needed = symbols(root)
    problems = check_calls(root, defined, needed)
    problems += check_includes(pathlib.Path("xen")) + check_headers(defined)
    if not needed:
        problems.append("no objects found")
    for p in problems:
        print(f"rooms: {p}", file=sys.stderr)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
