"""The hypervisor's handlers and dispatch: C made from the table that abi.py has read."""
from abi_c import HEAD, array, braced, function, prototype, with_table

CONTEXTS = {"domain": ["struct domain *d"], "element": ["struct domain *d"],
            "vcpu": ["struct vcpu *v"], "-": []}
EXTRAS = {"start": ["uint64_t start"], "count": ["unsigned count"]}
STARTS = {"any": "UINT64_MAX, 0", "16bit": "UINT16_MAX, -EDOM", "EINVAL": "0, -EINVAL",
          "ENOSYS": "0, -ENOSYS"}
COPY_IN = ["if (copy_from_guest(&op, arg, sizeof(op)) != 0)", "    return -EFAULT;"]
HANDLERS_HEAD = """#ifndef ABI_HANDLERS_H
#define ABI_HANDLERS_H

#include "xen/core/types.h"

#define ABI_MAX_OPS 64u                 /* of a hypercall */

struct domain;
struct vcpu;

"""
DISPATCH_HEAD = """#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/sched.h"
#include "xen/pv/hypercalls.h"

#define WORK_PER_ELEMENT 400u
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define SIX_REGISTERS uint64_t r0, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5

/* Functions of one table have the same arguments, whether they use them or not. Every slot of a
 * table first refuses, so that there is no NULL to forget; the served ones override theirs. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

"""
# Of a function that handles an array: one element, and room for others after it.
NEXT_ELEMENT = ["if (work_done(WORK_PER_ELEMENT)) {", "    preempt_point();",
                "    if (current->domain->state != DOM_RUNNING)", "        break;", "}"]


def table_args(family):
    """Parameters of the functions in a table. Where nothing else comes first the operation's number
    does, so that the argument stays in the register that it came in."""
    context, extra = CONTEXTS[family.context], EXTRAS.get(family.column, [])
    return (context if context or extra else ["uint64_t nr"]) + ["uint64_t arg"] + extra


def handler_args(family, op):
    arguments = {"raw": ["uint64_t arg"], "-": [], "in": [f"const {op.c_struct} *op"]}
    argument = arguments.get(op.copy, [f"{op.c_struct} *op"])
    extra = EXTRAS.get(family.column, []) if op.extra == "any" else []
    return CONTEXTS[family.context] + argument + extra


def names_of(args):
    return [arg.split()[-1] for arg in args]


def call_args(call):
    return [f"{kind.hypervisor} {name}" for name, kind in call.c_args]


def invoke(family, op):
    """The handler's call, or the answer in its place. op is a local structure."""
    args = [name.replace("*op", "&op").lstrip("*") for name in names_of(handler_args(family, op))]
    return op.answer or f"{op.handler}({', '.join(args)})"


def handlers(abi):
    out, done = [HEAD, HANDLERS_HEAD], set()
    for call in abi.calls.values():
        if call.handler in ("do", "ops"):
            out.append(prototype("long", "do_" + call.name, call_args(call)) + ";\n")
    for family in with_table(abi):
        element = family.context == "element"
        out.append(f"\n/* {family.name} */\n")
        if element:
            out.append(f"extern {element_declaration(family)};\n")
        elif abi.calls[family.name].handler == "do":
            out.append(f"long {family.name}_by_table(unsigned cmd, uint64_t arg);\n")
        for op in family.ops:
            if op.in_table and op.answer is None and op.handler not in done:
                done.add(op.handler)
                out.append(prototype("int" if element else "long", op.handler,
                                     handler_args(family, op)) + ";\n")
    return "".join(out) + "\n#endif\n"


# --- Tables of sub-operations ---------------------------------------------------------------------
def copied(family, op):
    """The handler's call between its copies, and what becomes of the result."""
    before = COPY_IN if op.copy in ("in", "both", "always") else []
    if op.copy not in ("out", "both", "always"):
        return before + [f"return {invoke(family, op)};"]
    condition = "" if op.copy == "always" else "rc >= 0 && "
    return before + [f"rc = {invoke(family, op)};",
                     f"if ({condition}copy_to_guest(arg, &op, sizeof(op)) != 0)",
                     "    return -EFAULT;", "return rc;"]


def each(family, op):
    loop = [f"{op.c_struct} op;", "long rc;", ""] + COPY_IN
    loop += [f"rc = {invoke(family, op)};", "if (rc != 0)", "    return rc;"]
    loop += ["if (copy_to_guest(arg, &op, sizeof(op)) != 0)", "    return -EFAULT;"] + NEXT_ELEMENT
    return [f"for (unsigned i = 0; i < count; i++, arg += sizeof({op.c_struct})) {{"] + \
        [line and "    " + line for line in loop] + ["}", "return 0;"]


def wrapper(family, op):
    """The function in the table: the copies around the handler."""
    body = []
    if op.copy in ("in", "out", "both", "always"):
        body.append(f"{op.c_struct} op{' = { 0 }' if op.copy == 'out' else ''};")
    if op.copy in ("out", "both", "always"):
        body.append("long rc;")
    body += [""] if body else []
    if op.extra == "1":
        body += ["if (count != 1)", "    return -EINVAL;"]
    body = each(family, op) if op.extra == "each" else body + copied(family, op)
    return function("static long", "call_" + op.name, table_args(family), body)


def family_table(family):
    args, out, slots = table_args(family), [], []
    for op in family.ops:
        if not op.in_table:
            continue
        direct = op.answer is None and handler_args(family, op) == args
        slots.append(f"[{op.name}] = {op.handler if direct else 'call_' + op.name}")
        out += [] if direct else [wrapper(family, op)]
    out.append(function("static long", "no_" + family.name, args, ["return -ENOSYS;"]))
    out.append(array(f"static long (*const {family.name}_table[ABI_MAX_OPS])({', '.join(args)})",
                     [f"[0 ... ABI_MAX_OPS - 1] = no_{family.name}"] + slots))
    if family.column == "start":
        out.append(array("static const struct { uint64_t most; int otherwise; } "
                         "starts[ABI_MAX_OPS]",
                         ["[0 ... ABI_MAX_OPS - 1] = { UINT64_MAX, 0 }"] +
                         [f"[{op.name}] = {{ {STARTS[op.extra]} }}"
                          for op in family.ops if op.in_table]))
    return "".join(out)


def element_declaration(family):
    return f"int (*const {family.name}_table[ABI_MAX_OPS])" \
        f"(struct domain *d, const struct {family.name} *op)"


def element_table(family):
    args = ["struct domain *d", f"const struct {family.name} *op"]
    answers = {"no_" + family.name: "-ENOSYS",
               **{op.name: op.answer for op in family.ops if op.answer}}
    out = [function("static int", "call_" + name, args, [f"return {answer};"])
           for name, answer in answers.items()]
    slots = [f"[{op.name}] = {'call_' + op.name if op.answer else op.handler}"
             for op in family.ops]
    out.append(array(element_declaration(family),
                     [f"[0 ... ABI_MAX_OPS - 1] = call_no_{family.name}"] + slots))
    return "".join(out)


# --- Hypercalls -----------------------------------------------------------------------------------
def checks(kinds):
    """(lines, operation): the checks ahead of the table (a vCPU's number, a count, what is above
    the operation, the operation), and C for the operation's number. All come as whole registers,
    of which a number has the lower half."""
    if "op_start" in kinds:
        return [f"uint64_t op = {kinds['op_start']} & 63, start = {kinds['op_start']} >> 6;", "",
                "if (unlikely(start > starts[op].most))", "    return starts[op].otherwise;"], "op"
    operation, lines = f"(unsigned){kinds['op']}", []
    if "vcpu" in kinds:
        lines += ["struct domain *d = current->domain;", "",
                  f"if (unlikely((unsigned){kinds['vcpu']} >= d->nr_vcpus))", "    return -ENOENT;"]
    if "structs" in kinds:      # the upper bits are where Xen keeps a continuation's place
        lines += [f"if (unlikely((int)count < 0 || {operation} > 0xfff))", "    return -EINVAL;"]
    return lines + [f"if (unlikely({operation} >= ABI_MAX_OPS))", "    return -ENOSYS;"], operation


def dispatcher(abi, family):
    call = abi.calls[family.name]
    kinds = {kind.word: name for name, kind in call.c_args}
    body, operation = checks(kinds)
    values = {"*d": "current->domain", "*v": f"d->vcpu[(unsigned){kinds.get('vcpu')}]",
              "nr": kinds.get("op"), "arg": kinds.get("struct") or kinds["structs"],
              "count": "(unsigned)count", "start": "start"}
    words = ", ".join(values[name] for name in names_of(table_args(family)))
    body.append(f"return {family.name}_table[{operation}]({words});")
    if call.handler == "do":
        return function("long", family.name + "_by_table", ["unsigned cmd", "uint64_t arg"], body)
    names = [name for name, _ in call.c_args]
    return function("static ALWAYS_INLINE long", "dispatch_" + family.name,
                    ["uint64_t " + name for name in names], body) + \
        function("long", "do_" + family.name, call_args(call),
                 [f"return dispatch_{family.name}({', '.join(names)});"])


def entry(call):
    """A function for hypercall_table: it gets all six registers, and passes on as many as the call
    has arguments."""
    whole = call.handler == "ops"
    words = [f"r{i}" if whole or kind.hypervisor == "uint64_t" else f"({kind.hypervisor})r{i}"
             for i, (_, kind) in enumerate(call.c_args)]
    called = {"do": "do_", "ops": "dispatch_"}.get(call.handler)
    value = f"{called}{call.name}({', '.join(words)})" if called else call.handler
    return function("static long", "entry_" + call.name, ["SIX_REGISTERS"], [f"return {value};"])


def dispatch(abi):
    out = [HEAD, DISPATCH_HEAD]
    for family in with_table(abi):
        element = family.context == "element"
        out.append(element_table(family) if element
                   else family_table(family) + dispatcher(abi, family))
    served = [call for call in abi.calls.values() if call.served]
    out += [entry(call) for call in served]
    out.append(function("static long", "entry_not_served", ["SIX_REGISTERS"], ["return -ENOSYS;"]))
    out.append(array("const hypercall_fn hypercall_table[NR_HYPERCALLS]",
                     ["[0 ... NR_HYPERCALLS - 1] = entry_not_served"] +
                     [f"[__HYPERVISOR_{call.name}] = entry_{call.name}" for call in served]))
    out.append("const char *const hypercall_names[NR_HYPERCALLS] = " +
               braced(f'[__HYPERVISOR_{call.name}] = "{call.name}",' for call in served) + ";\n")
    return "".join(out)
