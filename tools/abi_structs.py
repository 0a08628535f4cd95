"""What the trace reader prints of structures, and what the fuzzer fills in: C made from the table
that abi.py has read."""
from abi_c import HEAD, array, function, includes, with_table

SIDES = {"in": "IN", "out": "OUT", "both": "BOTH"}
LAYOUTS_HEAD = """
#define MEMBER(type, member) (((struct type *)0)->member)
#define FIELD(type, member_) .name = #member_, .offset = offsetof(struct type, member_)
#define COUNTED_BY(type, member) \\
    .count_at = offsetof(struct type, member), .count_size = sizeof(MEMBER(type, member))
#define LAYOUT(type, list) { .size = sizeof(type), .nr = ARRAY_SIZE(list), .fields = list }
#define VALUE(list) { .size = sizeof(list##_type), .nr = 1, .bare = true, .fields = list }

"""
FUZZ_HEAD = """/* Structures of sub-operations, and what their fields are: D a domain, x a frame
 * number or an address, p a list, c code, t a time, u a small number. */
struct abi_field { unsigned offset, size; char what; };
struct abi_shape { unsigned nr, op, size, nr_fields; const struct abi_field *fields; };

"""
FIELD_LETTERS = {"domid": "D", "hex": "x", "code": "c", "ns": "t"}


# --- The trace reader -----------------------------------------------------------------------------
def names_list(names):
    prefix, entries = ("" if names.words[0] == "-" else names.words[0]), []
    for word in names.words[1:]:
        value, equals, text = word.partition("=")
        value, text = (value, text) if equals else (prefix + word, (prefix + word).lstrip("_"))
        entries.append(f'[{"-(" + value + ")" if names.how == "negative" else value}] = "{text}"')
    negative = ", .negative = true" if names.how == "negative" else ""
    return array(f"static const char *const {names.name}_list[]", entries) + \
        f"const struct names names_{names.name} = {{ .nr = ARRAY_SIZE({names.name}_list), " \
        f".list = {names.name}_list{negative} }};\n\n"


def kind_of(abi, kind):
    """(K_..., what else of struct field)"""
    if kind in abi.names:
        flags = abi.names[kind].how == "flags"
        return "K_FLAGS" if flags else "K_ENUM", f", .names = &names_{kind}"
    if kind in abi.structs:
        return "K_STRUCT", f", .layout = &layout_{kind}"
    if kind[0] == "@":
        return "K_SPECIAL", f", .special = {kind[1:]}"
    return "K_" + kind.upper(), ""


def value(storage, layout_name, name, c_type, kind, more=""):
    """The layout of something that is no structure: one field, its own value."""
    return f"typedef {c_type} {name}_type;\n" + \
        array(f"static const struct field {name}[]",
              [f"{{ .size = sizeof({name}_type), .side = BOTH, .kind = {kind}{more} }}"]) + \
        f"{storage}const struct layout {layout_name} = VALUE({name});\n\n"


def element_of(abi, struct, member, kind, suffix):
    """(layout of a list's elements, C that makes it): a structure's, or one of a number."""
    if kind in abi.structs:
        return f"layout_{kind}", ""
    name = f"element_{struct.name}_{member.replace('.', '_')}"
    pointer = "" if suffix == "[]" else ".p"
    c_type = f"typeof(*MEMBER({struct.name}, {member}){pointer})"
    return f"layout_{name}", value("static ", f"layout_{name}", name, c_type, *kind_of(abi, kind))


def layout(abi, struct):
    name = struct.name
    if name.endswith("_t"):
        return value("", f"layout_{name}", name + "_value", name, "K_" + struct.words[0].upper())
    before, fields = "", []
    for side, member, shown, kind, suffix, optional in struct.fields:
        size = f"sizeof(MEMBER({name}, {member}))"
        k, more = kind_of(abi, kind)
        if suffix.startswith("("):
            size = suffix[1:-1]
        elif suffix:
            element, made = element_of(abi, struct, member, kind, suffix)
            before += made
            k, more = "K_INLINE" if suffix == "[]" else "K_ARRAY", f", .layout = &{element}"
            more += "" if suffix == "[]" else f", COUNTED_BY({name}, {suffix[1:-1]})"
        more += "" if shown is None else f', .alias = "{shown}"'
        more += ", .optional = true" if optional else ""
        fields.append(f"{{ FIELD({name}, {member}), .size = {size}, .kind = {k}, "
                      f".side = {SIDES[side]}{more} }}")
    return before + array(f"static const struct field {name}_fields[]", fields) + \
        f"const struct layout layout_{name} = LAYOUT(struct {name}, {name}_fields);\n\n"


def means(op):
    return f"[{op.name}] = " + " | ".join("MEANS_" + word for word in op.extra.split("|"))


def layouts(abi):
    out = [HEAD, '#include "tools/pvtrace/decode.h"\n\n', includes(), LAYOUTS_HEAD]
    out += [f"extern const struct layout layout_{struct.name};\n"
            for struct in abi.structs.values()] + ["\n"]
    out += [names_list(names) for names in abi.names.values()]
    out += [layout(abi, struct) for struct in abi.structs.values()]
    tabled = []
    for family in abi.families.values():
        rows = [f"[{op.name}] = &layout_{op.struct}"
                for op in family.ops if op.struct in abi.structs]
        if family.column == "means":
            out.append(array(f"const uint8_t {family.name}_means[64]",
                             [means(op) for op in family.ops if op.extra != "-"]))
        elif rows:
            tabled += [(call, family.name) for call in family.calls]
            out.append(array(f"static const struct layout *const {family.name}_layouts[]", rows))
    out.append(array("static const struct { const struct layout *const *layouts; unsigned nr; } "
                     "tables[ABI_HYPERCALLS]",
                     [f"[__HYPERVISOR_{call}] = {{ {name}_layouts, ARRAY_SIZE({name}_layouts) }}"
                      for call, name in tabled]))
    out.append(function("const struct layout *", "operation_layout", ["unsigned nr", "uint64_t op"],
                        ["return nr < ARRAY_SIZE(tables) && op < tables[nr].nr ? "
                         "tables[nr].layouts[op] : NULL;"]))
    return "".join(out)


# --- The fuzzer -----------------------------------------------------------------------------------
def fuzz_fields(abi, struct, prefix=""):
    """(member, letter), members of structures in it one by one; what the reader prints by a special
    function is left out."""
    for _, member, _, kind, suffix, _ in struct.fields:
        if suffix.startswith("[") and suffix != "[]":
            yield prefix + member, "p"
        elif kind in abi.structs:
            yield from fuzz_fields(abi, abi.structs[kind], prefix + member + ".")
        elif kind[0] != "@" and not suffix:
            yield prefix + member, FIELD_LETTERS.get(kind, "u")


def fuzz(abi):
    described = [(f, op, abi.structs[op.struct]) for f in with_table(abi) for op in f.ops
                 if op.struct in abi.structs and op.copy != "-" and abi.structs[op.struct].fields]
    out = [HEAD, FUZZ_HEAD]
    for name, struct in {struct.name: struct for _, _, struct in described}.items():
        out.append(array(f"static const struct abi_field {name}_fields[]",
                         [f"{{ offsetof(struct {name}, {member}), "
                          f"sizeof(((struct {name} *)0)->{member}), '{letter}' }}"
                          for member, letter in fuzz_fields(abi, struct)]))
    out.append(array("static const struct abi_shape abi_shapes[]",
                     [f"{{ __HYPERVISOR_{f.name}, {op.name}, sizeof(struct {s.name}), "
                      f"ARRAY_SIZE({s.name}_fields), {s.name}_fields }}"
                      for f, op, s in described]))
    return "".join(out)
