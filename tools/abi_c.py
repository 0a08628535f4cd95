"""The C files made of the table that abi.py has read: FILES has a function for each."""

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
    out = [HEAD, "#ifndef ABI_HANDLERS_H\n#define ABI_HANDLERS_H\n\n#include \"xen/core/types.h\"\n\nstruct domain;\nstruct vcpu;\n\n"]
    for call in abi.calls.values():
        if call.handler in ("do", "ops"):
            out.append(prototype("long", "do_" + call.name, call_args(call)) + ";\n")
    done = set()
    for family in with_table(abi):
        out.append(f"\n/* {family.name} */\n")
        if family.context == "element":
            out.append(f"extern int (*const {family.name}_table[])(struct domain *, const struct {family.name} *);\n"
                       f"extern const unsigned nr_{family.name}s;\n")
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
    args = context_args(family) + ["uint64_t arg"] + extra_args(family)
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
    before, after = copies(op, family)
    loop = [f"{op.c_struct} op;", "long rc;", ""] + before + [f"rc = {invoke(family, op)};", "if (rc != 0)", "    return rc;"]
    loop += after + ["if (work_done(WORK_PER_ELEMENT)) {", "    preempt_point();",
                     "    if (current->domain->state != DOM_RUNNING)", "        break;", "}"]
    body = [f"for (unsigned i = 0; i < count; i++, arg += sizeof({op.c_struct})) {{"] + ["    " + line if line else "" for line in loop]
    return f"static {prototype('long', 'call_' + op.name, args)}\n" + \
        braced(body + ["}", "return 0;"]).replace("\n    \n", "\n\n") + "\n\n"


def is_direct(family, op):
    return op.copy == "raw" and op.answer is None and op.extra in (None, "any")


def family_table(family):
    entries = [op for op in family.ops if op.in_table]
    out = [wrapper(family, op) for op in entries if not is_direct(family, op)]
    args = context_args(family) + ["uint64_t arg"] + extra_args(family)
    out.append(f"static long (*const {family.name}_table[])({', '.join(args)}) = " +
               braced(f"[{op.name}] = {op.handler if is_direct(family, op) else 'call_' + op.name}," for op in entries) + ";\n\n")
    if family.column == "start":
        most = {"any": "UINT64_MAX, 0", "16bit": "UINT16_MAX, -EDOM", "EINVAL": "0, -EINVAL", "ENOSYS": "0, -ENOSYS"}
        out.append("static const struct { uint64_t most; int otherwise; } starts[] = " +
                   braced(f"[{op.name}] = {{ {most[op.extra]} }}," for op in entries) + ";\n\n")
    return "".join(out)


def element_table(family):
    out, entries = [], []
    for op in family.ops:
        if op.answer is not None:
            out.append(f"static int call_{op.name}(struct domain *d, const {op.c_struct} *op)\n" +
                       braced(["(void)d, (void)op;", f"return {op.answer};"]) + "\n\n")
        entries.append(f"[{op.name}] = {op.handler if op.answer is None else 'call_' + op.name},")
    name = family.name
    out.append(f"int (*const {name}_table[])(struct domain *, const struct {name} *) = {braced(entries)};\n"
               f"const unsigned nr_{name}s = ARRAY_SIZE({name}_table);\n\n")
    return "".join(out)


def dispatcher(abi, family):
    """The hypercall's own arguments are judged in this order: a vCPU's number, a count, the operation, what is above it."""
    call = abi.calls[family.name]
    by_table = call.handler == "do"
    args = ["unsigned cmd", "uint64_t arg"] if by_table else call_args(call)
    kinds = {kind.word: name for name, kind in call.c_args}
    operation, number = (kinds.get("op") or kinds["op_start"]), None
    context = {"domain": "current->domain", "vcpu": "d->vcpu[{}]".format(kinds.get("vcpu"))}.get(family.context)
    argument = kinds.get("struct") or kinds["structs"]
    body, number = [], operation
    if "vcpu" in kinds:
        body += ["struct domain *d = current->domain;", "", f"if (unlikely({kinds['vcpu']} >= d->nr_vcpus))", "    return -ENOENT;"]
    if "structs" in kinds:      # the upper bits are where Xen keeps a continuation's place
        body += [f"if (unlikely((int)count < 0 || {operation} > 0xfff))", "    return -EINVAL;"]
    if "op_start" in kinds:
        body += [f"uint64_t op = {operation} & 63, start = {operation} >> 6;", ""]
        number = "op"
    body += [f"if (unlikely({number} >= ARRAY_SIZE({family.name}_table) || {family.name}_table[{number}] == NULL))", "    return -ENOSYS;"]
    if "op_start" in kinds:
        body += ["if (unlikely(start > starts[op].most))", "    return starts[op].otherwise;"]
    words = ([context] if context else []) + [argument] + names_of(extra_args(family))
    body.append(f"return {family.name}_table[{number}]({', '.join(words)});")
    name = f"{family.name}_by_table" if by_table else f"do_{family.name}"
    text = braced(body).replace("\n    \n", "\n\n")
    return f"{prototype('long', name, args)}\n{text}\n\n" if by_table else \
        f"{prototype('static ALWAYS_INLINE long', 'dispatch_' + family.name, args)}\n{text}\n\n" \
        f"{prototype('long', name, args)}\n" + \
        braced([f"return dispatch_{family.name}({', '.join(n for n, _ in call.c_args)});"]) + "\n\n"


def entry(call):
    """One of hypercall_table: all six registers, of which the call has as many words as it has arguments."""
    words = [f"({kind.hypervisor})r{i}" if kind.hypervisor != "uint64_t" else f"r{i}" for i, (_, kind) in enumerate(call.c_args)]
    function = {"do": "do_", "ops": "dispatch_"}.get(call.handler)
    value = f"{function}{call.name}({', '.join(words)})" if function else call.handler
    return f"static long entry_{call.name}(SIX_REGISTERS)\n" + braced([f"return {value};"]) + "\n\n"


def dispatch(abi):
    out = [HEAD, '#include "xen/core/guest_access.h"\n#include "xen/core/sched.h"\n#include "xen/pv/hypercalls.h"\n\n',
           "#define WORK_PER_ELEMENT 400u\n#define ALWAYS_INLINE inline __attribute__((always_inline))\n",
           "#define SIX_REGISTERS " + ", ".join(f"uint64_t r{i} UNUSED" for i in range(6)) + "\n"
           "#define UNUSED __attribute__((unused))\n\n"]
    for family in with_table(abi):
        out.append(element_table(family) if family.context == "element" else family_table(family) + dispatcher(abi, family))
    served = [call for call in abi.calls.values() if call.served]
    out += [entry(call) for call in served]
    out.append("static long entry_not_served(SIX_REGISTERS)\n" + braced(["return -ENOSYS;"]) + "\n\n")
    out.append('/* Every slot first refuses, so that there is no NULL to forget; the served ones then override theirs. */\n'
               '#pragma GCC diagnostic ignored "-Woverride-init"\n'
               '#ifdef __clang__\n#pragma GCC diagnostic ignored "-Winitializer-overrides"\n#endif\n'
               "const hypercall_fn hypercall_table[NR_HYPERCALLS] = " +
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
        if not call.served or len(args) != len(call.args or ()):
            continue
        name = call.name if call.name.startswith("xen_") else "xen_" + call.name
        values = ", ".join([n for n, _ in args] + ["0"] * (5 - len(args)))
        out.append(f"\nstatic inline long {name}({', '.join(guest_type(k.guest) + n for n, k in args)})\n" +
                   braced([f"return HYPERCALL(__HYPERVISOR_{call.name}, {values});"]) + "\n")
    return "".join(out)


FILES = {"abi_tables.h": tables, "abi_handlers.h": handlers, "abi_dispatch.c": dispatch, "abi_layouts.c": layouts,
         "abi_wrappers.h": wrappers}
