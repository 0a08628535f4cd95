"""The part of docs/hypercalls.md behind MARK, made from the table that abi.py has read, and from
xen/, where each handler is looked for."""
import pathlib
import re

XEN = pathlib.Path(__file__).resolve().parent.parent / "xen"
DEFINITION = re.compile(r"^(?:int|long) (\w+)\([^;{]*\)\n\{", re.M)
MARK = "<!-- From here on made by make docs, of common/abi.def. -->\n"


def table(columns, rows):
    lines = [columns, ["---"] * len(columns)] + [list(row) for row in rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
                     for line in lines) + "\n"


def answered(remark, answer):
    """The remark, and the errno if no function serves the call."""
    return remark + (f" (-{answer.lstrip('-')})" if answer not in (None, "0") else "")


def definitions():
    """{function: file of xen/ that defines it}; of functions that a handler may be."""
    return {name: str(path.relative_to(XEN.parent)) for path in sorted(XEN.rglob("*.c"))
            for name in DEFINITION.findall(path.read_text())}


def handler_file(files, call, op=None):
    """Where the function of a call or of a sub-operation is."""
    if op is None and call.handler == "ops":
        return "below"
    name = op.handler if op is not None and op.handler != "=" else "do_" + call.name
    return f"`{files[name]}`" if name in files else ""


def call_row(call, files):
    answer = {"do": None, "ops": None, "-": "ENOSYS"}.get(call.handler, call.handler)
    args = "any" if call.args is None else ", ".join(name for name, _ in call.c_args)
    return f"`{call.name}`", args, answered(call.remark, answer), handler_file(files, call)


def op_row(call, op, files):
    of_call = op.handler == "=" and call.handler not in ("do", "ops")
    answer = op.answer or (call.handler if of_call else None)
    struct = "" if op.struct == "-" else f"`{op.struct}`"
    return f"`{op.name}`", struct, answered(op.remark, answer), handler_file(files, call, op)


def page(abi, before):
    """before: the page as it was, whose beginning is written by hand."""
    files = definitions()
    out = [before[:before.index(MARK)], MARK, "\nThe last column is the file of the function that "
           "serves the call. Where it is empty, the\nanswer stands in common/abi.def; below: "
           "each sub-operation has a function of its own.\n\n",
           table(["hypercall", "arguments", "served", "handler"],
                 [call_row(c, files) for c in abi.calls.values()]),
           "\nEvery other number is -ENOSYS, and counted.\n"]
    for family in abi.families.values():
        out.append("\n## " + ", ".join(family.calls) + "\n\n")
        out.append(table(["operation", "structure", "served", "handler"],
                         [op_row(abi.calls[family.name], op, files) for op in family.ops]))
    return "".join(out)
