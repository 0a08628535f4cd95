"""What guests said on the console, as a whole: lines that came twice, and lines that have a prefix
where none should be. Used by cases.py."""

import re
from collections import Counter

STAMPED = re.compile(r"^\(d1\) \[ *\d+\.\d{6}\] .{10}")


def once(lines):
    """A kernel's lines begin with the time, so that no two are the same."""
    seen = Counter(line for line in lines if STAMPED.match(line))
    if len(seen) < 100:
        yield f"only {len(seen)} lines of the kernel's"
    twice = [line for line, n in seen.items() if n > 1]
    if twice:
        yield f"{len(twice)} lines came twice, the first of them: {twice[0]}"


def bare(lines):
    """A guest that has the terminal to itself."""
    yield from (f"a prefix: {line}" for line in lines if line.startswith("(d1)"))
