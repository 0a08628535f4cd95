"""Reading the machine: symbols, constants, lists, domains, physical memory. Everything that is read
may be wrong: lists end after LIMIT members, and an address that cannot be read is a Fault, of which
the user sees one line. Called by the pv_*.py files."""

import re

import gdb

LIMIT = 70000  # members of a list, at most: more than there are domains
_constants, _macros = {}, {}


class Fault(Exception):
    """Why there is nothing to show."""


def macros():
    """{name: (parameter, text)} of the macros of some functions' files, which together include all
    that is needed, wherever the machine has stopped."""
    if not _macros:
        for where in ("frame_audit", "trace_write", "guest_regs", "grant_audit",
                      "fifo_expand_array"):
            try:
                lines = gdb.execute(f"info macros {where}", False, True).splitlines()
            except gdb.error:
                continue
            _macros.update((found[1], (found[2], found[3])) for line in lines
                           if (found := re.match(r"#define (\w+)(?:\((\w+)\))? (.*)", line)))
    return _macros


def expand(expression):
    """The expression with macros replaced by their text, also macros with one parameter."""
    for _ in range(20):
        before = expression
        expression = re.sub(r"\b([A-Za-z_]\w*)\b(?:\((\w+)\))?", one_macro, expression)
        if expression == before:
            break
    return expression


def one_macro(found):
    parameter, body = macros().get(found[1], (None, None))
    if body is None or (parameter and not found[2]):
        return found[0]
    if parameter:
        return re.sub(r"\s*##\s*", "", re.sub(rf"\b{parameter}\b", found[2], body))
    return body + (f"({found[2]})" if found[2] else "")


def constant(name):
    """The value of a macro or an enumerator of the hypervisor."""
    if name not in _constants:
        try:
            _constants[name] = int(gdb.parse_and_eval(expand(name)))
        except gdb.error:
            raise Fault(f"{name} is not known: is this ELF file the hypervisor's, built with -g3?"
                        ) from None
    return _constants[name]


def symbol(name):
    """A variable of the hypervisor."""
    found = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if found is None:
        raise Fault(f"no symbol {name}: load build/paragon.elf64 first")
    try:
        value = found.value()
        value.fetch_lazy()
    except gdb.error as error:
        raise Fault(f"{name} cannot be read yet ({error})") from None
    return value


def struct(name):
    return gdb.lookup_type(f"struct {name}")


def at(address, type_):
    return gdb.Value(int(address)).cast(type_.pointer()).dereference()


def text(array):
    """A C string in an array, without characters that control a terminal."""
    raw = bytes(int(array[i]) & 0xff for i in range(array.type.range()[1] + 1))
    return "".join(c if c.isprintable() else "?"
                   for c in raw.split(b"\0")[0].decode("ascii", "replace"))


def flags(value, names):
    """The names of those that are set."""
    return " ".join(name for name, is_set in names.items() if is_set) or "-"


def entries(head, type_, member):
    """The structures that a list_head leads to."""
    field = next(f for f in type_.fields() if f.name == member)
    start, link, seen = int(head.address), int(head["next"]), 0
    if link == 0:
        raise Fault("the list is not made yet")
    while link != start:
        entry = at(link - field.bitpos // 8, type_)
        yield entry
        link, seen = int(entry[member]["next"]), seen + 1
        if seen > LIMIT or link == 0:
            raise Fault("the list does not end")


def domains(some=True):
    """All domains. some: if there are none, that is a Fault."""
    table = symbol("domains")
    found = [table[i].dereference() for i in range(int(symbol("numbers_end"))) if int(table[i])]
    if some and not found:
        raise Fault("there are no domains (not yet, or no more)")
    return found


def domain(word):
    """The domain with that name or number; a number may have a d before it."""
    for d in domains():
        if word in (str(int(d["id"])), f"d{int(d['id'])}", text(d["name"])):
            return d
    raise Fault(f"no domain {word}")


def chosen(word):
    """The domains that a command is about: one, or all."""
    return domains() if word is None else [domain(word)]


def vcpus(d):
    return [d["vcpu"][i].dereference() for i in range(int(d["nr_vcpus"])) if int(d["vcpu"][i])]


def cpus():
    """The CPUs that came up; the first one booted."""
    table = symbol("cpus")
    return [table[i].dereference() for i in range(int(symbol("nr_cpus")))]


def this_cpu():
    """The CPU that gdb looks at: QEMU's threads are in the order of the APIC ids."""
    thread = gdb.selected_thread()
    for cpu in cpus():
        if thread and int(cpu["arch"]) and int(cpu["arch"]["apic_id"]) == thread.num - 1:
            return cpu
    return cpus()[0]


def running(cpu=None):
    """The vCPU that runs there, the idle one perhaps. cpu: None is the one that gdb looks at."""
    v = (cpu or this_cpu())["running"]
    if not int(v):
        raise Fault("nothing runs yet")
    return v.dereference()


def name_of(d):
    return f"d{int(d['id'])} ({text(d['name'])})"


def vcpu_name(v):
    if int(v["domain"]) == int(symbol("idle_domain").address):
        return "idle"
    return f"d{int(v['domain']['id'])}v{int(v['id'])}"


def owner_of(mfn):
    """The domain whose struct lies in that frame."""
    return next((d for d in domains(False) if int(d["mfn"]) == mfn), None)


def physical(address, size):
    """Bytes of the machine's RAM."""
    try:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:1", False, True)
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except gdb.error as error:
        raise Fault(f"machine address {address:#x} cannot be read ({error})") from None
    finally:
        try:
            gdb.execute("maintenance packet Qqemu.PhyMemMode:0", False, True)
        except gdb.error:
            pass


def number(word):
    """The value of an address or a number that the user typed, as any expression of gdb."""
    try:
        return int(gdb.parse_and_eval(word)) & (1 << 64) - 1
    except gdb.error as error:
        raise Fault(f"{word}: {error}") from None
