"""Checks of all lines that guests printed: that none came twice, and that none has a prefix where
there should be none. Called by the cases."""

import re
from collections import Counter

STAMPED = re.compile(r"^\(d1\) \[ *\d+\.\d{6}\] .{10}")


def once(lines):
    """No line of the kernel came twice: each begins with its time, so no two are equal."""
    seen = Counter(line for line in lines if STAMPED.match(line))
    if len(seen) < 100:
        yield f"only {len(seen)} lines of the kernel's"
    twice = [line for line, n in seen.items() if n > 1]
    if twice:
        yield f"{len(twice)} lines came twice, the first of them: {twice[0]}"


def bare(lines):
    """A guest that has the terminal to itself gets no prefix."""
    yield from (f"a prefix: {line}" for line in lines if line.startswith("(d1)"))
