#!/usr/bin/env python3
"""Reads and checks common/abi.def, the one table of the ABI (its head says what the columns mean).

    abi.py TABLE DIRECTORY      writes the C files that the build needs, there
    abi.py TABLE --docs FILE    brings the page about hypercalls up to date

What is wrong with the table is printed with its line. The text of the files is made by abi_*.py.
"""
import dataclasses
import pathlib
import re
import sys

import abi_dispatch
import abi_docs
import abi_names
import abi_structs

FILES = {"abi_tables.h": abi_names.tables, "abi_wrappers.h": abi_names.wrappers,
         "abi_handlers.h": abi_dispatch.handlers, "abi_dispatch.c": abi_dispatch.dispatch,
         "abi_layouts.c": abi_structs.layouts, "abi_fuzz.h": abi_structs.fuzz}
COPIES = {"in", "out", "both", "always", "raw", "-"}
CONTEXTS = {"domain", "vcpu", "element", "-"}
COLUMNS = {"start": {"any", "16bit", "EINVAL", "ENOSYS"}, "count": {"any", "1", "-", "each"},
           "means": {"-", "MFN", "ADDRESS", "VCPUS", "ENTRIES", "SOURCE"}}
NUMBERS = {"dec", "int", "hex", "domid", "virq", "code", "ns"}      # field kinds of one number
ANSWER = re.compile(r"-?E[A-Z0-9]+$|-E[A-Z]+$|0$")
FIELD = re.compile(r"([\w.]+(?:\[\d+\])?)(?:=(\w*))?(?::(@?\w+)(\[[\w.]*\]|\(\d+\))?)?(\?)?$")


class Wrong(Exception):
    def __init__(self, line, what):
        super().__init__(what)
        self.line = line


@dataclasses.dataclass
class Kind:
    word: str
    letter: str
    words: int
    hypervisor: str
    guest: str


@dataclasses.dataclass
class Call:
    line: int
    name: str
    handler: str                # do, ops, -, or an answer
    args: list                  # of (name, Kind); None: not known
    remark: str

    @property
    def letters(self):
        return "pppppp" if self.args is None else "".join(kind.letter for _, kind in self.args)

    @property
    def c_args(self):
        return [(name, kind) for name, kind in self.args or () if kind.words]

    @property
    def served(self):
        return self.handler != "-"


@dataclasses.dataclass
class Op:
    line: int
    name: str
    struct: str
    copy: str
    handler: str
    extra: str
    remark: str

    @property
    def answer(self):
        return self.handler if ANSWER.match(self.handler) else None

    @property
    def in_table(self):
        return self.handler != "=" and (self.handler != "-ENOSYS" or self.copy != "-")

    @property
    def c_struct(self):
        return c_type(self.struct)


@dataclasses.dataclass
class Family:
    line: int
    # names of the hypercalls that have these; the first is whose table it is
    calls: list
    context: str
    column: str
    ops: list = dataclasses.field(default_factory=list)

    @property
    def name(self):
        return self.calls[0]


@dataclasses.dataclass
class Names:
    line: int
    name: str
    how: str
    words: list


@dataclasses.dataclass
class Struct:
    line: int
    name: str
    words: list
    # of (side, member, shown, kind, suffix, optional)
    fields: list = dataclasses.field(default_factory=list)


def c_type(name):
    return name if name.endswith("_t") else "struct " + name


def rows(text):
    """[number of its first line, text] of each row, without remarks and with its continuation."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if line.startswith(" " * 8) and found:
            found[-1][1] += " " + line.strip()
        elif line:
            found.append([number, line])
    return found


class Abi:
    def __init__(self, text):
        self.kinds, self.calls, self.families, self.names, self.structs = {}, {}, {}, {}, {}
        self.section = None
        for number, line in rows(text):
            self.read(number, line)
        self.check()

    def read(self, number, line):
        words = line.split()
        if line[0] in " \t":
            self.read_more(number, words)
            return
        readers = {"kind": self.read_kind, "hypercall": self.read_call, "ops": self.read_ops,
                   "names": self.read_names, "struct": self.read_struct}
        if words[0] not in readers:
            raise Wrong(number, f"{words[0]}: no section has this name ({', '.join(readers)})")
        self.section = readers[words[0]](number, words[1:], line)

    def put(self, where, what, number, name):
        if name in where:
            line = getattr(where[name], "line", None)
            raise Wrong(number, f"{name}: stands in line {line} already" if line
                        else f"{name}: is there already")
        where[name] = what
        return what

    def read_kind(self, number, words, _):
        if len(words) != 5 or not words[2].isdigit():
            raise Wrong(number, "a kind has five columns: WORD LETTER WORDS HYPERVISOR GUEST")
        if any(kind.letter == words[1] and kind.words != int(words[2])
               for kind in self.kinds.values()):
            raise Wrong(number, f"letter {words[1]} belongs to another kind of other words")
        self.put(self.kinds, Kind(words[0], words[1], int(words[2]), words[3], words[4]), number,
                 words[0])

    def read_call(self, number, words, line):
        if len(words) < 3 or "|" not in words:
            raise Wrong(number, "a hypercall has four columns: NAME HANDLER ARGUMENTS | REMARK")
        if words[1] not in ("do", "ops", "-") and not ANSWER.match(words[1]):
            raise Wrong(number, f"{words[1]}: a hypercall's handler is do, ops, - or an errno")
        args = words[2:words.index("|")]
        call = Call(number, words[0], words[1],
                    None if args == ["*"] else [self.argument(number, a) for a in args],
                    served(number, line.split("|", 1)[1]))
        self.put(self.calls, call, number, call.name)

    def argument(self, number, word):
        name, _, kind = word.partition(":")
        if kind not in self.kinds:
            raise Wrong(number, f"{word}: no such kind of argument")
        return name, self.kinds[kind]

    def read_ops(self, number, words, _):
        if not 2 <= len(words) <= 3 or words[1] not in CONTEXTS:
            raise Wrong(number, "ops HYPERCALL[,OTHER] CONTEXT [COLUMN]; a context is one of " +
                        ", ".join(sorted(CONTEXTS)))
        if len(words) == 3 and words[2] not in COLUMNS:
            raise Wrong(number, f"{words[2]}: no such column ({', '.join(COLUMNS)})")
        family = Family(number, words[0].split(","), words[1],
                        words[2] if len(words) == 3 else None)
        for call in family.calls:
            if call not in self.calls:
                raise Wrong(number, f"{call}: no such hypercall above")
        return self.put(self.families, family, number, family.name)

    def read_names(self, number, words, _):
        if len(words) < 4 or words[1] not in ("enum", "negative", "flags"):
            raise Wrong(number, "names NAME enum|negative|flags PREFIX WORDS...")
        return self.put(self.names, Names(number, words[0], words[1], words[2:]), number, words[0])

    def read_struct(self, number, words, _):
        if len(words) < 2:
            raise Wrong(number, "struct NAME FIELDS...")
        return self.put(self.structs, Struct(number, words[0], words[1:]), number, words[0])

    def read_more(self, number, words):
        if isinstance(self.section, Family):
            self.section.ops.append(self.read_op(number, words))
        elif self.section is not None:
            self.section.words += words
        else:
            raise Wrong(number, "begins with a blank, and belongs to no section")

    def read_op(self, number, words):
        columns = 5 if self.section.column is None else 6
        if len(words) < columns:
            raise Wrong(number,
                        f"{words[0]}: {len(words)} columns, a row here has {columns} or more")
        extra = words[4] if self.section.column else None
        op = Op(number, *words[:4], extra, served(number, " ".join(words[columns - 1:])))
        if op.copy not in COPIES:
            raise Wrong(number, f"{op.copy}: no way to copy ({', '.join(sorted(COPIES))})")
        if not (ANSWER.match(op.handler) or op.handler == "=" or
                re.match(r"[a-z]\w+$", op.handler)):
            raise Wrong(number, f"{op.handler}: a handler is a function, a number or =")
        if extra is not None and not set(extra.split("|")) <= COLUMNS[self.section.column]:
            words = ", ".join(sorted(COLUMNS[self.section.column]))
            raise Wrong(number, f"{extra}: {self.section.column} is one of {words}")
        if op.struct == "-" and op.copy not in ("raw", "-"):
            raise Wrong(number, f"{op.name}: copies {op.copy}, and names no structure")
        return op

    # --- What can be checked when all is read ---
    def check(self):
        for struct in self.structs.values():
            struct.fields = list(self.fields(struct))
        seen, handlers = {}, {}
        for family in self.families.values():
            for op in family.ops:
                self.put(seen, op, op.line, op.name)
                if op.struct != "-" and op.struct not in self.structs and op.struct != family.name:
                    raise Wrong(op.line, f"{op.struct}: no such structure is described")
                if op.answer is None and op.handler != "=":
                    extra = op.extra if family.column != "means" else None
                    shape = family.name, op.struct, op.copy, extra
                    other, line = handlers.setdefault(op.handler, (shape, op.line))
                    if other != shape:
                        raise Wrong(op.line, f"{op.handler}: is the handler of line {line}, "
                                             "of another shape")
        for call in self.calls.values():
            if call.handler == "ops" and call.name not in self.families:
                raise Wrong(call.line, f"{call.name}: has no ops below")

    def fields(self, struct):
        if struct.name.endswith("_t"):
            if struct.words not in (["string"], ["bytes"]):
                raise Wrong(struct.line, f"{struct.name}: string or bytes")
            return
        side = None
        for word in struct.words:
            if word in ("in", "out", "both"):
                side = word
                continue
            match = FIELD.match(word)
            if not match or side is None:
                raise Wrong(struct.line, f"{struct.name}: {word}: " +
                            ("no field can be written so" if side
                             else "in, out or both comes before the fields"))
            member, shown, kind, suffix, optional = match.groups()
            kind = kind or "dec"
            if kind not in NUMBERS | {"string", "bytes"} and kind[0] != "@" and \
               kind not in self.names and kind not in self.structs:
                raise Wrong(struct.line, f"{struct.name}: {word}: no such kind of field")
            yield side, member, shown, kind, suffix or "", bool(optional)


def served(number, remark):
    remark = remark.strip()
    if not re.match(r"(yes|no)\b", remark):
        raise Wrong(number, f"{remark or 'nothing'}: the last column begins with yes or no")
    return remark


def write(path, text):
    """Only what changed, so that make need not build everything again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main(table, *to):
    try:
        abi = Abi(pathlib.Path(table).read_text())
    except Wrong as wrong:
        return f"{table}:{wrong.line}: {wrong}"
    if to[0] == "--docs":
        write(pathlib.Path(to[1]), abi_docs.page(abi, pathlib.Path(to[1]).read_text()))
        return 0
    directory = pathlib.Path(to[0])
    directory.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        write(directory / name, make(abi))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
