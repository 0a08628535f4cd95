"""Compares a replay with the recording: the terminal's text and the trace. Each function returns
what is wrong, or "". Called by run.py; tests/tools/test_boot.py sees them find differences."""

import itertools


def unlike_text(text, again, reason):
    """Lines of a recording and of its replay, which ended for this reason."""
    pairs = itertools.zip_longest(text, again)
    wrong = next((n for n, (first, second) in enumerate(pairs) if first != second), None)
    if wrong is None:
        return ""
    seen, wanted = (repr(lines[wrong]) if wrong < len(lines) else "none" for lines in (again, text))
    return f"the replay's line {wrong} is not the recording's ({reason}): {seen} and not {wanted}"


def unlike_end(text, again, reason):
    """The same for a replay from a snapshot: some lines of the text are missing in front."""
    whole, end = "\n".join(text), "\n".join(again)
    if not end or len(end) == len(whole):
        printed = "everything" if end else "nothing"
        return f"a replay from a snapshot printed {printed} ({reason})"
    if whole.endswith(end):
        return ""
    return f"a replay from a snapshot did not end as the recording ({reason}): " \
        f"{again[-1]!r} and not {text[-1]!r}"


def unlike_traces(trace, again):
    """Bytes of both traces; there has to be one."""
    if not trace:
        return "the recording has no trace"
    if trace == again:
        return ""
    wrong = next((n for n, (first, second) in enumerate(zip(trace, again)) if first != second),
                 min(len(trace), len(again)))
    return f"the replay's trace ({len(again)} bytes) is not the recording's ({len(trace)}), " \
        f"from byte {wrong} on"
