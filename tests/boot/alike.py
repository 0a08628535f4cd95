"""Whether a replay is what was recorded: its terminal's text and its trace. Each function gives
what is wrong, or "". Used by run.py; tests/tools/test_boot.py gives them what differs."""

import itertools


def unlike_text(text, again, reason):
    """Lines of a recording and of its replay, which ended for this reason."""
    pairs = itertools.zip_longest(text, again)
    wrong = next((n for n, (first, second) in enumerate(pairs) if first != second), None)
    return "" if wrong is None else f"the replay's line {wrong} is not the recording's ({reason}): " + \
        " and not ".join(repr(lines[wrong]) if wrong < len(lines) else "none"
                         for lines in (again, text))


def unlike_end(text, again, reason):
    """The same for a replay from a snapshot: some lines of the text are missing in front."""
    whole, end = "\n".join(text), "\n".join(again)
    if not end or len(end) == len(whole):
        return f"a replay from a snapshot printed {'nothing' if not end else 'everything'} ({reason})"
    return "" if whole.endswith(end) else \
        f"a replay from a snapshot did not end as the recording ({reason}): {again[-1]!r} and not {text[-1]!r}"


def unlike_traces(trace, again):
    """Bytes of both traces; there has to be one."""
    if not trace:
        return "the recording has no trace"
    if trace == again:
        return ""
    wrong = next((n for n, (first, second) in enumerate(zip(trace, again)) if first != second),
                 min(len(trace), len(again)))
    return f"the replay's trace ({len(again)} bytes) is not the recording's ({len(trace)}), from byte {wrong} on"
