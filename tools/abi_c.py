"""Pieces of C, for abi_names.py, abi_dispatch.py and abi_structs.py."""

HEAD = "/* Made by tools/abi.py from common/abi.def. */\n"
PUBLIC = ("xen callback event_channel grant_table hypfs kexec memory nmi physdev pmu sched vcpu "
          "version arch-x86/xen-mca").split()


def includes():
    return "".join(f"#include <public/{name}.h>\n" for name in PUBLIC)


def braced(lines):
    """Lines of C in braces; empty ones stay empty."""
    return "{\n" + "".join(f"    {line}\n" if line else "\n" for line in lines) + "}"


def array(declaration, entries):
    return f"{declaration} = {braced(entry + ',' for entry in entries)};\n\n"


def prototype(result, name, args):
    return f"{result} {name}({', '.join(args) or 'void'})"


def function(result, name, args, body):
    return f"{prototype(result, name, args)}\n{braced(body)}\n\n"


def with_table(abi):
    """The hypercalls of which some sub-operation has a handler or an answer of its own."""
    return [f for f in abi.families.values() if any(op.in_table for op in f.ops)]
