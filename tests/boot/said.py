"""What guests said on the console, as a whole: a prefix where none should be. Used by cases.py."""


def bare(lines):
    """A guest that has the terminal to itself."""
    yield from (f"a prefix: {line}" for line in lines if line.startswith("(d1)"))
