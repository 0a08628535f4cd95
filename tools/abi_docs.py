"""The part of docs/hypercalls.md behind MARK, made from the table that abi.py has read."""

MARK = "<!-- From here on made by make docs, of common/abi.def. -->\n"


def table(columns, rows):
    lines = [columns, ["---"] * len(columns)] + [list(row) for row in rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
                     for line in lines) + "\n"


def answered(remark, answer):
    """The remark, and the errno if no function serves the call."""
    return remark + (f" (-{answer.lstrip('-')})" if answer not in (None, "0") else "")


def call_row(call):
    answer = {"do": None, "ops": None, "-": "ENOSYS"}.get(call.handler, call.handler)
    args = "any" if call.args is None else ", ".join(name for name, _ in call.c_args)
    return f"`{call.name}`", args, answered(call.remark, answer)


def op_row(call, op):
    of_call = op.handler == "=" and call.handler not in ("do", "ops")
    answer = op.answer or (call.handler if of_call else None)
    struct = "" if op.struct == "-" else f"`{op.struct}`"
    return f"`{op.name}`", struct, answered(op.remark, answer)


def page(abi, before):
    """before: the page as it was, whose beginning is written by hand."""
    out = [before[:before.index(MARK)], MARK, "\n",
           table(["hypercall", "arguments", "served"], [call_row(c) for c in abi.calls.values()]),
           "\nEvery other number is -ENOSYS, and counted.\n"]
    for family in abi.families.values():
        out.append("\n## " + ", ".join(family.calls) + "\n\n")
        out.append(table(["operation", "structure", "served"],
                         [op_row(abi.calls[family.name], op) for op in family.ops]))
    return "".join(out)
