#!/usr/bin/env python3
"""Checks that no line of a source file is longer than 100 columns. lines.py [ROOT]: every file that
git tracks, or without git every file outside build/. Exit status 1, with a line for each fault.
Called by make lint."""
import fnmatch
import os
import subprocess
import sys

COLUMNS = 100
# Patterns of files in which a line may be longer, and why.
EXEMPT = {
    "*.md": "a row of a table cannot be broken in Markdown",
    "*.svg": "an output of a tool, kept as an example",
    "tests/boot/golden-trace.txt": "what the trace has to be, compared line by line",
}


def tracked(root):
    done = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, text=True,
                          check=False)
    if done.returncode == 0:
        return done.stdout.split("\0")[:-1]
    return [os.path.relpath(os.path.join(where, name), root)
            for where, _, names in os.walk(root) for name in names
            if not os.path.relpath(where, root).startswith(("build", ".git"))]


def faults(root):
    """Yields a line for each that is too long, and for each pattern that matches no file."""
    files = [path for path in tracked(root) if os.path.isfile(os.path.join(root, path))]
    patterns = tuple(EXEMPT)
    for pattern in patterns:
        if not fnmatch.filter(files, pattern):
            yield f"tests/lint/lines.py: no file is called {pattern}"
    for path in sorted(files):
        if any(fnmatch.fnmatch(path, pattern) for pattern in patterns):
            continue
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                columns = len(line.rstrip("\n"))
                if columns > COLUMNS:
                    yield f"{path}:{number}: {columns} columns, more than {COLUMNS}"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    found = list(faults(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "..")))
    print("".join(fault + "\n" for fault in found), end="", file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
