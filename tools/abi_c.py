"""The C files made of the table that abi.py has read: FILES has a function for each."""
import dataclasses

HEAD = "/* Made by tools/abi.py from common/abi.def. */\n"
POINTERS = {"void*": "void *", "const*": "const void *", "unsigned*": "unsigned *", "ulong*": "const unsigned long *"}
SIDES = {"in": "IN", "out": "OUT", "both": "BOTH"}
PUBLIC = ("xen callback event_channel grant_table hypfs kexec memory nmi physdev pmu sched vcpu version "
          "arch-x86/xen-mca").split()


def includes():
    return "".join(f"#include <public/{name}.h>\n" for name in PUBLIC)


def braced(lines):
    return "{\n" + "".join(f"    {line}\n" for line in lines) + "}"


# --- Names, for common/abi_names.c -------------------------------------------------------------------------------------
def tables(abi):
    out = [HEAD, includes(), "\nstatic const struct { const char *name, *kinds; } calls[ABI_HYPERCALLS] = "]
    out.append(braced(f'[__HYPERVISOR_{c.name}] = {{ "{c.name}", "{c.letters}" }},' for c in abi.calls.values()) + ";\n\n")
    letters = {kind.letter: kind.words for kind in abi.kinds.values()}
    out.append("static const uint8_t kind_words[128] = " +
               braced(f"['{letter}'] = {words}," for letter, words in letters.items()) + ";\n\n")
    for family in abi.families.values():
        out.append(f"static const char *const {family.name}_names[] = " +
                   braced(f'[{op.name}] = "{op.name}",' for op in family.ops) + ";\n\n")
    out.append("static const struct { const char *const *names; unsigned nr; } operations[ABI_HYPERCALLS] = ")
    out.append(braced(f"[__HYPERVISOR_{call}] = {{ {f.name}_names, ARRAY_SIZE({f.name}_names) }},"
                      for f in abi.families.values() for call in f.calls) + ";\n")
    return "".join(out)


# --- The hypervisor's handlers and dispatch ------------------------------------------------------------------------------
def context_args(family):
    return {"domain": ["struct domain *d"], "vcpu": ["struct vcpu *v"], "element": ["struct domain *d"]}.get(family.context, [])


def extra_args(family, op=None):
    """What goes with the argument: of the table's functions, or of one handler."""
    what = {"start": ["uint64_t start"], "count": ["unsigned count"]}.get(family.column, [])
    return what if op is None or op.extra == "any" else []


def table_args(family):
    """Of the functions in a table. Where nothing else comes first the operation's number does, so that the argument stays in
    the register that it came in."""
    context, extra = context_args(family), extra_args(family)
    return (context if context or extra else ["uint64_t nr"]) + ["uint64_t arg"] + extra


def handler_args(family, op):
    const = "const " if op.copy == "in" else ""
    args = context_args(family)
    if op.copy == "raw":
        args = args + ["uint64_t arg"]
    elif op.copy != "-":
        args = args + [f"{const}{op.c_struct} *op"]
    return args + extra_args(family, op)


def names_of(args):
    return [arg.split()[-1].lstrip("*") for arg in args]


def result(family):
    return "int" if family.context == "element" else "long"


def prototype(result_type, name, args):
    return f"{result_type} {name}({', '.join(args) or 'void'})"


def call_args(call):
    return [f"{kind.hypervisor} {name}" for name, kind in call.c_args]


def with_table(abi):
    return [f for f in abi.families.values() if any(op.in_table for op in f.ops)]


def handlers(abi):
    out = [HEAD, "#ifndef ABI_HANDLERS_H\n#define ABI_HANDLERS_H\n\n#include \"xen/core/types.h\"\n\n#define ABI_MAX_OPS 64u      /* of a hypercall */\n\nstruct domain;\nstruct vcpu;\n\n"]
    for call in abi.calls.values():
        if call.handler in ("do", "ops"):
            out.append(prototype("long", "do_" + call.name, call_args(call)) + ";\n")
    done = set()
    for family in with_table(abi):
        out.append(f"\n/* {family.name} */\n")
        if family.context == "element":
            out.append(f"extern int (*const {family.name}_table[ABI_MAX_OPS])(struct domain *, const struct {family.name} *);\n")
        elif abi.calls[family.name].handler == "do":
            out.append(f"long {family.name}_by_table(unsigned cmd, uint64_t arg);\n")
        for op in family.ops:
            if op.in_table and op.answer is None and op.handler not in done:
                done.add(op.handler)
                out.append(prototype(result(family), op.handler, handler_args(family, op)) + ";\n")
    return "".join(out) + "\n#endif\n"


def copies(op, family, arg="arg"):
    """(before, after) the handler, and what has to be returned at the end."""
    before = [f"if (copy_from_guest(&op, {arg}, sizeof(op)) != 0)", "    return -EFAULT;"] if op.copy in ("in", "both", "always") else []
    after = []
    if op.copy in ("out", "both", "always"):
        condition = "" if op.copy == "always" else "rc >= 0 && "
        after = [f"if ({condition}copy_to_guest({arg}, &op, sizeof(op)) != 0)", "    return -EFAULT;"]
    return before, after


def invoke(family, op):
    if op.answer is not None:
        return op.answer
    args = ["&op" if arg.endswith("*op") else name for arg, name in
            zip(handler_args(family, op), names_of(handler_args(family, op)))]
    return f"{op.handler}({', '.join(args)})"


def wrapper(family, op):
    """The function in the table: the copies around the handler."""
    args = table_args(family)
    before, after = copies(op, family)
    body = [f"{op.c_struct} op{' = { 0 }' if op.copy == 'out' else ''};"] if before or after else []
    if after:
        body.append("long rc;")
    body += [""] if body else []
    used = {name for name in names_of(args) if name in invoke(family, op).replace("(", " ").replace(",", " ").replace(")", " ").split()}
    used |= {"arg"} if before or after else set()
    if op.extra == "1":
        used.add("count")
    unused = [f"(void){name}" for name in names_of(args) if name not in used]
    body += [", ".join(unused) + ";"] if unused else []
    if op.extra == "1":
        body += ["if (count != 1)", "    return -EINVAL;"]
    if op.extra == "each":
        return each(family, op, args)
    body += before
    if after:
        body += [f"rc = {invoke(family, op)};"] + after + ["return rc;"]
    else:
        body.append(f"return {invoke(family, op)};")
    return f"static {prototype('long', 'call_' + op.name, args)}\n" + braced(body).replace("\n    \n", "\n\n") + "\n\n"


def each(family, op, args):
    before, after = copies(dataclasses.replace(op, copy="always"), family)       # the result is 0 there
    loop = [f"{op.c_struct} op;", "long rc;", ""] + before + [f"rc = {invoke(family, op)};", "if (rc != 0)", "    return rc;"]
    loop += after + ["if (work_done(WORK_PER_ELEMENT)) {", "    preempt_point();",
                     "    if (current->domain->state != DOM_RUNNING)", "        break;", "}"]
    body = [f"for (unsigned i = 0; i < count; i++, arg += sizeof({op.c_struct})) {{"] + ["    " + line if line else "" for line in loop]
    return f"static {prototype('long', 'call_' + op.name, args)}\n" + \
        braced(body + ["}", "return 0;"]).replace("\n    \n", "\n\n") + "\n\n"


def is_direct(family, op):
    return op.answer is None and handler_args(family, op) == table_args(family)


def family_table(family):
    entries = [op for op in family.ops if op.in_table]
    out = [wrapper(family, op) for op in entries if not is_direct(family, op)]
    args = table_args(family)
    out.append(f"static {prototype('long', 'no_' + family.name, args)}\n" +
               braced([", ".join(f"(void){name}" for name in names_of(args)) + ";", "return -ENOSYS;"]) + "\n\n")
    out.append(f"static long (*const {family.name}_table[ABI_MAX_OPS])({', '.join(args)}) = " +
               braced([f"[0 ... ABI_MAX_OPS - 1] = no_{family.name},"] +
                      [f"[{op.name}] = {op.handler if is_direct(family, op) else 'call_' + op.name}," for op in entries]) + ";\n\n")
    if family.column == "start":
        most = {"any": "UINT64_MAX, 0", "16bit": "UINT16_MAX, -EDOM", "EINVAL": "0, -EINVAL", "ENOSYS": "0, -ENOSYS"}
        out.append("static const struct { uint64_t most; int otherwise; } starts[ABI_MAX_OPS] = " +
                   braced(["[0 ... ABI_MAX_OPS - 1] = { UINT64_MAX, 0 },"] + [f"[{op.name}] = {{ {most[op.extra]} }}," for op in entries]) + ";\n\n")
    return "".join(out)


def element_table(family):
    args = f"(struct domain *d, const struct {family.name} *op)"
    refusing = {op.name: op.answer for op in family.ops if op.answer is not None}
    out = [f"static int call_{name}{args}\n" + braced(["(void)d, (void)op;", f"return {answer};"]) + "\n\n"
           for name, answer in {**refusing, "no_" + family.name: "-ENOSYS"}.items()]
    entries = [f"[{op.name}] = {'call_' + op.name if op.name in refusing else op.handler}," for op in family.ops]
    out.append(f"int (*const {family.name}_table[ABI_MAX_OPS]){args} = " +
               braced([f"[0 ... ABI_MAX_OPS - 1] = call_no_{family.name},"] + entries) + ";\n\n")
    return "".join(out)


def dispatcher(abi, family):
    """The hypercall's own arguments are judged in this order: a vCPU's number, a count, what is above the operation, the
    operation. They come as whole registers, of which a number has the lower half."""
    call = abi.calls[family.name]
    by_table = call.handler == "do"
    kinds = {kind.word: name for name, kind in call.c_args}
    operation, body = f"(unsigned){kinds.get('op')}", []
    if "vcpu" in kinds:
        body = ["struct domain *d = current->domain;", "", f"if (unlikely((unsigned){kinds['vcpu']} >= d->nr_vcpus))",
                "    return -ENOENT;"]
    if "structs" in kinds:      # the upper bits are where Xen keeps a continuation's place
        body = [f"if (unlikely((int)count < 0 || {operation} > 0xfff))", "    return -EINVAL;"]
    if "op_start" in kinds:
        operation = "op"
        body = [f"uint64_t op = {kinds['op_start']} & 63, start = {kinds['op_start']} >> 6;", "",
                "if (unlikely(start > starts[op].most))", "    return starts[op].otherwise;"]
    else:
        body += [f"if (unlikely({operation} >= ABI_MAX_OPS))", "    return -ENOSYS;"]
    words = [{"d": "current->domain", "v": f"d->vcpu[(unsigned){kinds.get('vcpu')}]", "nr": kinds.get("op"), "count": "(unsigned)count",
              "arg": kinds.get("struct") or kinds["structs"]}.get(name, name) for name in names_of(table_args(family))]
    body.append(f"return {family.name}_table[{operation}]({', '.join(words)});")
    text = braced(body).replace("\n    \n", "\n\n")
    if by_table:
        return f"{prototype('long', family.name + '_by_table', ['unsigned cmd', 'uint64_t arg'])}\n{text}\n\n"
    registers = [f"uint64_t {name}" for name, _ in call.c_args]
    return f"{prototype('static ALWAYS_INLINE long', 'dispatch_' + family.name, registers)}\n{text}\n\n" \
        f"{prototype('long', 'do_' + family.name, call_args(call))}\n" + \
        braced([f"return dispatch_{family.name}({', '.join(n for n, _ in call.c_args)});"]) + "\n\n"


def entry(call):
    """One of hypercall_table: all six registers, of which the call has as many words as it has arguments."""
    whole = call.handler == "ops"
    words = [f"r{i}" if whole or kind.hypervisor == "uint64_t" else f"({kind.hypervisor})r{i}"
             for i, (_, kind) in enumerate(call.c_args)]
    function = {"do": "do_", "ops": "dispatch_"}.get(call.handler)
    value = f"{function}{call.name}({', '.join(words)})" if function else call.handler
    return f"static long entry_{call.name}(SIX_REGISTERS)\n" + braced([f"return {value};"]) + "\n\n"


def dispatch(abi):
    out = [HEAD, '#include "arch/arch.h"\n#include "xen/core/domain.h"\n#include "xen/core/guest_access.h"\n'
           '#include "xen/core/sched.h"\n#include "xen/pv/hypercalls.h"\n\n',
           "#define WORK_PER_ELEMENT 400u\n#define ALWAYS_INLINE inline __attribute__((always_inline))\n",
           "#define SIX_REGISTERS " + ", ".join(f"uint64_t r{i} UNUSED" for i in range(6)) + "\n"
           "#define UNUSED __attribute__((unused))\n\n"
           "/* Every slot of a table first refuses, so that there is no NULL to forget; the served ones override theirs. */\n"
           '#ifdef __clang__\n#pragma GCC diagnostic ignored "-Winitializer-overrides"\n#else\n'
           '#pragma GCC diagnostic ignored "-Woverride-init"\n#endif\n\n']
    for family in with_table(abi):
        out.append(element_table(family) if family.context == "element" else family_table(family) + dispatcher(abi, family))
    served = [call for call in abi.calls.values() if call.served]
    out += [entry(call) for call in served]
    out.append("static long entry_not_served(SIX_REGISTERS)\n" + braced(["return -ENOSYS;"]) + "\n\n")
    out.append("const hypercall_fn hypercall_table[NR_HYPERCALLS] = " +
               braced(["[0 ... NR_HYPERCALLS - 1] = entry_not_served,"] +
                      [f"[__HYPERVISOR_{call.name}] = entry_{call.name}," for call in served]) + ";\n\n")
    out.append("const char *const hypercall_names[NR_HYPERCALLS] = " +
               braced(f'[__HYPERVISOR_{call.name}] = "{call.name}",' for call in served) + ";\n")
    return "".join(out)


# --- What the trace reader prints ------------------------------------------------------------------------------------------
def names_list(names):
    prefix, entries = ("" if names.words[0] == "-" else names.words[0]), []
    for word in names.words[1:]:
        value, equals, text = word.partition("=")
        value, text = (value, text) if equals else (prefix + word, (prefix + word).lstrip("_"))
        entries.append(f'[{"-(" + value + ")" if names.how == "negative" else value}] = "{text}",')
    return f"static const char *const {names.name}_list[] = {braced(entries)};\n" \
        f"const struct names names_{names.name} = {{ .nr = ARRAY_SIZE({names.name}_list), .list = {names.name}_list" + \
        (", .negative = true" if names.how == "negative" else "") + " };\n\n"


def kind_of(abi, kind):
    """(K_..., what else of struct field)"""
    if kind in abi.names:
        return ("K_FLAGS" if abi.names[kind].how == "flags" else "K_ENUM"), f", .names = &names_{kind}"
    if kind in abi.structs:
        return "K_STRUCT", f", .layout = &layout_{kind}"
    if kind[0] == "@":
        return "K_SPECIAL", f", .special = {kind[1:]}"
    return "K_" + kind.upper(), ""


def element_of(abi, struct, member, kind, suffix):
    """The layout of a list's elements: a structure's, or one of a number, made here."""
    if kind in abi.structs:
        return f"layout_{kind}", ""
    name = f"{struct.name}_{member.replace('.', '_')}"
    size = f"sizeof(*MEMBER({struct.name}, {member}){'' if suffix == '[]' else '.p'})"
    k, more = kind_of(abi, kind)
    return f"element_{name}", \
        f"static const struct field element_{name}_field = {{ .size = {size}, .side = BOTH, .kind = {k}{more} }};\n" \
        f"static const struct layout element_{name} = {{ .size = {size}, .nr = 1, .bare = true, .fields = &element_{name}_field }};\n"


def layout(abi, struct):
    if struct.name.endswith("_t"):
        return f"static const struct field {struct.name}_field = {{ .size = sizeof({struct.name}), .side = BOTH, " \
            f".kind = K_{struct.words[0].upper()} }};\n" \
            f"const struct layout layout_{struct.name} = {{ .size = sizeof({struct.name}), .nr = 1, .bare = true, " \
            f".fields = &{struct.name}_field }};\n\n"
    before, fields = "", []
    for side, member, shown, kind, suffix, optional in struct.fields:
        size = f"sizeof(MEMBER({struct.name}, {member}))"
        k, more = kind_of(abi, kind)
        if suffix.startswith("("):
            size = suffix[1:-1]
        elif suffix:
            element, made = element_of(abi, struct, member, kind, suffix)
            before += made
            k, more = "K_INLINE" if suffix == "[]" else "K_ARRAY", f", .layout = &{element}"
            if suffix != "[]":
                more += f", COUNTED_BY({struct.name}, {suffix[1:-1]})"
        if shown is not None:
            more += f', .alias = "{shown}"'
        if optional:
            more += ", .optional = true"
        fields.append(f'{{ .name = "{member}", .offset = offsetof(struct {struct.name}, {member}), .size = {size}, '
                      f".kind = {k}, .side = {SIDES[side]}{more} }},")
    return before + f"static const struct field {struct.name}_fields[] = {braced(fields)};\n" \
        f"const struct layout layout_{struct.name} = {{ .size = sizeof(struct {struct.name}), " \
        f".nr = ARRAY_SIZE({struct.name}_fields), .fields = {struct.name}_fields }};\n\n"


def layouts(abi):
    out = [HEAD, '#include "tools/pvtrace/decode.h"\n\n', includes(),
           "\n#define MEMBER(type, member) (((struct type *)0)->member)\n"
           "#define COUNTED_BY(type, member) .count_at = offsetof(struct type, member), .count_size = sizeof(MEMBER(type, member))\n\n"]
    out += [f"extern const struct layout layout_{struct.name};\n" for struct in abi.structs.values()] + ["\n"]
    out += [names_list(names) for names in abi.names.values()]
    out += [layout(abi, struct) for struct in abi.structs.values()]
    tabled = []
    for family in abi.families.values():
        rows = [f"[{op.name}] = &layout_{op.struct}," for op in family.ops if op.struct in abi.structs]
        if family.column == "means":
            means = [f"[{op.name}] = {' | '.join('MEANS_' + w for w in op.extra.split('|'))}," for op in family.ops if op.extra != "-"]
            out.append(f"const uint8_t {family.name}_means[64] = {braced(means)};\n\n")
        elif rows:
            tabled += [(call, family.name) for call in family.calls]
            out.append(f"static const struct layout *const {family.name}_layouts[] = {braced(rows)};\n\n")
    out.append("static const struct { const struct layout *const *layouts; unsigned nr; } tables[ABI_HYPERCALLS] = " +
               braced(f"[__HYPERVISOR_{call}] = {{ {name}_layouts, ARRAY_SIZE({name}_layouts) }}," for call, name in tabled) + ";\n\n")
    out.append("const struct layout *operation_layout(unsigned nr, uint64_t op)\n" +
               braced(["return nr < ARRAY_SIZE(tables) && op < tables[nr].nr ? tables[nr].layouts[op] : NULL;"]) + "\n")
    return "".join(out)


# --- The guest's wrappers ----------------------------------------------------------------------------------------------------
def guest_type(word):
    return POINTERS.get(word) or (f"const struct {word[:-1]} *" if word.endswith("*") else word + " ")


def wrappers(abi):
    out = [HEAD]
    for call in abi.calls.values():
        args = call.c_args
        if call.handler not in ("do", "ops") or len(args) != len(call.args or ()):
            continue
        name = call.name if call.name.startswith("xen_") else "xen_" + call.name
        values = ", ".join([n for n, _ in args] + ["0"] * (5 - len(args)))
        out.append(f"\nstatic inline long {name}({', '.join(guest_type(k.guest) + n for n, k in args)})\n" +
                   braced([f"return HYPERCALL(__HYPERVISOR_{call.name}, {values});"]) + "\n")
    return "".join(out)


# --- What the fuzzer fills in -----------------------------------------------------------------------------------------------
FIELD_LETTERS = {"domid": "D", "hex": "x", "code": "c", "ns": "t"}


def fuzz_fields(abi, struct, top=None, prefix=""):
    """(member, letter), members of structures in it one by one; what only its own function knows is left out."""
    top = top or struct
    for _, member, _, kind, suffix, _ in struct.fields:
        if suffix.startswith("[") and suffix != "[]":
            yield prefix + member, "p"
        elif kind in abi.structs:
            yield from fuzz_fields(abi, abi.structs[kind], top, prefix + member + ".")
        elif kind[0] != "@" and not suffix:
            yield prefix + member, FIELD_LETTERS.get(kind, "u")


def fuzz(abi):
    out = [HEAD, "/* Structures of sub-operations, and what their fields are: D a domain, x a frame number or an address, p a list, c code,\n"
           " * t a time, u a small number. */\n"
           "struct abi_field { unsigned offset, size; char what; };\n"
           "struct abi_shape { unsigned nr, op, size, nr_fields; const struct abi_field *fields; };\n\n"]
    described = [(f, op, abi.structs[op.struct]) for f in with_table(abi) for op in f.ops
                 if op.struct in abi.structs and op.copy != "-" and abi.structs[op.struct].fields]
    for struct in {struct.name: struct for _, _, struct in described}.values():
        fields = [f"{{ offsetof(struct {struct.name}, {member}), sizeof(((struct {struct.name} *)0)->{member}), '{letter}' }},"
                  for member, letter in fuzz_fields(abi, struct)]
        out.append(f"static const struct abi_field {struct.name}_fields[] = {braced(fields)};\n\n")
    out.append("static const struct abi_shape abi_shapes[] = " +
               braced(f"{{ __HYPERVISOR_{f.name}, {op.name}, sizeof(struct {s.name}), ARRAY_SIZE({s.name}_fields), {s.name}_fields }},"
                      for f, op, s in described) + ";\n")
    return "".join(out)


FILES = {"abi_fuzz.h": fuzz, "abi_tables.h": tables, "abi_handlers.h": handlers, "abi_dispatch.c": dispatch, "abi_layouts.c": layouts,
         "abi_wrappers.h": wrappers}
