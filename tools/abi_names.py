"""The names and kinds of common/abi_names.c, and the guest's wrappers: C made from the table that
abi.py has read."""
from abi_c import HEAD, array, function, includes

POINTERS = {"void*": "void *", "const*": "const void *", "unsigned*": "unsigned *",
            "ulong*": "const unsigned long *"}


def tables(abi):
    letters = {kind.letter: kind.words for kind in abi.kinds.values()}
    families = abi.families.values()
    out = [HEAD, includes(), "\n"]
    out.append(array("static const struct { const char *name, *kinds; } calls[ABI_HYPERCALLS]",
                     [f'[__HYPERVISOR_{c.name}] = {{ "{c.name}", "{c.letters}" }}'
                      for c in abi.calls.values()]))
    out.append(array("static const uint8_t kind_words[128]",
                     [f"['{letter}'] = {words}" for letter, words in letters.items()]))
    for family in families:
        out.append(array(f"static const char *const {family.name}_names[]",
                         [f'[{op.name}] = "{op.name}"' for op in family.ops]))
    out.append(array("static const struct { const char *const *names; unsigned nr; } "
                     "operations[ABI_HYPERCALLS]",
                     [f"[__HYPERVISOR_{call}] = {{ {f.name}_names, ARRAY_SIZE({f.name}_names) }}"
                      for f in families for call in f.calls]))
    return "".join(out)


def guest_type(word):
    pointer = f"const struct {word[:-1]} *" if word.endswith("*") else None
    return POINTERS.get(word) or pointer or word + " "


def wrappers(abi):
    out = [HEAD, "\n"]
    for call in abi.calls.values():
        args = call.c_args
        if call.handler not in ("do", "ops") or len(args) != len(call.args or ()):
            continue
        name = call.name if call.name.startswith("xen_") else "xen_" + call.name
        values = ", ".join([n for n, _ in args] + ["0"] * (5 - len(args)))
        out.append(function("static inline long", name,
                            [guest_type(kind.guest) + n for n, kind in args],
                            [f"return HYPERCALL(__HYPERVISOR_{call.name}, {values});"]))
    return "".join(out)
