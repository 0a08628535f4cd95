"""Typing into a guest, and reading it back: 100 KiB of text that must pass both ways unchanged.

Called by cases_linux.py; the guest's side is tools/linux/console.
"""

import base64
import hashlib
import random
import re

SIZE = 100 * 1024
LINE = 76


def text():
    """Lines of base64, which a terminal passes on unchanged; no two are alike, and each run has the
    same."""
    data = base64.b64encode(random.Random(1).randbytes(SIZE))
    lines = [data[i:i + LINE - 1] + b"\n" for i in range(0, len(data), LINE - 1)]
    return b"".join(lines)[:SIZE - 1] + b"\n"


def ready(size=SIZE):
    return rf"console: type {size}$"


def faults(lines):
    """What is wrong with the checksum and the text that the guest printed."""
    typed = text()
    guest = [re.sub(r"^\(d1\) ", "", line) for line in lines]
    if f"console: sha256 {hashlib.sha256(typed).hexdigest()}  -" not in guest:
        yield "what the guest got is not what was typed"
    try:
        start, end = guest.index("console: text begins") + 1, guest.index("console: text ends")
    except ValueError:
        yield "the guest did not print the text"
        return
    wanted, printed = typed.decode().splitlines(), guest[start:end]
    wrong = next((n for n, pair in enumerate(zip(wanted, printed)) if pair[0] != pair[1]), None)
    if wrong is not None:
        yield f"line {wrong} came as {printed[wrong]!r}, not {wanted[wrong]!r}"
    if len(wanted) != len(printed):
        yield f"{len(printed)} lines were printed, not {len(wanted)}"
