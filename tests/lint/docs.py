#!/usr/bin/env python3
"""Checks README.md and docs/: what they name exists, and their generated parts are current.

docs.py [--write] [ROOT]. In code (`spans` and indented blocks) it checks paths of the tree, targets
and variables of make, identifiers of C, and names with hyphens. It also checks links, the length of
README.md, and that docs/booting.md has exactly the options, words of modules and keys that the
hypervisor has. --write first brings the generated parts up to date, which are between
`<!-- generated: NAME ... -->` and `<!-- end -->`. Not here: docs/hypercalls.md, which tools/abi.py
writes. Exit status 1, with a line for each fault. Called by make docs-check and make docs.
"""

import glob
import os
import re
import sys

README_LINES = 130
TOLERANCE = 0.05  # of the sizes, which are rounded to hundreds
TREE = "xen|arch|common|guest-pv|tests|tools|docs"
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(rf"(?<![\w/.$<-])((?:{TREE})(?:/[\w.*-]+)+/?)")
MAKE = re.compile(r"""(?<![\w./-])make((?:\s+(?:[A-Z_]+=(?:"[^"]*"|'[^']*'|[^\s;`]*)|"""
                  r"""-\w+|[a-z][\w./-]*))+)""")
VARIABLE = re.compile(r"(?<![\w.$/-])([A-Z][A-Z_]+)=")
IDENTIFIER = re.compile(r"^[a-z][a-z0-9]*(?:_[a-z0-9]+)+$")
HYPHENATED = re.compile(r"^[a-z]+[a-z0-9]*(?:-[a-z0-9.]+)+$")
GENERATED = re.compile(r"(<!-- generated: (\w+) [^\n]*-->\n)(.*?)(<!-- end -->)", re.S)
# Names that look like the tree's own, and are Debian's, gdb's and Linux's.
FOREIGN = re.compile(r"^(linux-image-.*|reverse-continue|function_graph)$")

INVARIANT = re.compile(r"^ \* {3}([A-Z]\d+) +(.*(?:\n \* {6,}.*)*)", re.M)
SIZES = [  # (what, globs)
    ("the hypervisor: `common/`, `xen/`, `arch/x86_64/`", ["common", "xen", "arch/x86_64"]),
    ("its host tests: `tests/unit/`, `tests/fuzz/`, `tests/model/`, `tests/laws/`, `arch/host/`",
     ["tests/unit", "tests/fuzz", "tests/model", "tests/laws", "arch/host"]),
    ("the test guest and its suites: `guest-pv/`",
     ["guest-pv", "!guest-pv/store", "!guest-pv/driver", "!guest-pv/vmm"]),
    ("the vmm, which hosts kernels without PV: `guest-pv/vmm/`", ["guest-pv/vmm"]),
    ("the service domain: `guest-pv/store/`", ["guest-pv/store"]),
    ("the driver domain: `guest-pv/driver/`", ["guest-pv/driver"]),
    ("the trace's reader: `tools/pvtrace/`", ["tools/pvtrace"]),
    ("tests of the reader: `tests/trace/`", ["tests/trace"]),
    ("boot tests: `tests/boot/`", ["tests/boot"]),
    ("runner and other tools: `tools/`", ["tools", "!tools/pvtrace"]),
]
SOURCES = (".c", ".h", ".S", ".lds", ".py", ".mk", ".def", ".awk", ".smt2")


class Tree:
    def __init__(self, root):
        self.root, self.texts = root, {}
        for where, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f not in ("build", ".git", "__pycache__")]
            for name in names:
                path = os.path.relpath(os.path.join(where, name), root)
                with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
                    self.texts[path] = file.read()
        self.docs = sorted(p for p in self.texts if p == "README.md" or
                           re.fullmatch(r"docs/[\w-]+\.md", p))
        rest = "\n".join(text for path, text in self.texts.items() if path not in self.docs)
        self.words = set(re.findall(r"\w+", rest))
        self.hyphenated = set(re.findall(r"[\w.]+(?:-[\w.]+)+", rest))
        make = "\n".join(text for path, text in self.texts.items()
                         if path == "Makefile" or path.endswith(".mk"))
        self.variables = set(re.findall(r"\$\(([A-Z_]+)\)", make))
        self.variables.update(re.findall(r"^([A-Z_]+)\s*[:?+]?=", make, re.M))
        targets = re.findall(r"^\.PHONY: (.*)$", make, re.M)
        targets += re.findall(r"^([a-z][\w -]*):(?!=)", make, re.M)
        self.targets = {word for line in targets for word in line.split()}

    def exists(self, path):
        return bool(glob.glob(os.path.join(self.root, path)))


def pieces(text):
    """(line number, piece of code) of a document: code spans, and lines of indented blocks without
    their comments."""
    block, before = False, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("    ") and (block or not before.strip()):
            block = True
            yield number, re.sub(r"\s+#\s.*", "", line), True
        else:
            block = False
            yield from ((number, span, False) for span in SPAN.findall(line))
        before = line


def anchors(text):
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", text, re.M)}


def link_faults(tree, path):
    for number, line in enumerate(tree.texts[path].splitlines(), 1):
        for link in LINK.findall(line):
            file, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            if "://" in link:
                continue
            if not tree.exists(target):
                yield number, f"{link}: no such file"
            elif anchor and anchor not in anchors(tree.texts.get(target, "")):
                yield number, f"{link}: no such heading"


def word_faults(tree, path):
    for number, code, block in pieces(tree.texts[path]):
        for name in PATH.findall(code):
            if not tree.exists(name) and "NAME" not in name:
                yield number, f"{name}: no such file"
        for words in MAKE.findall(code):
            for word in re.sub(r"""["'][^"']*["']""", "", words).split():
                checked = "=" not in word and not word.startswith(("build/", "-"))
                if checked and word not in tree.targets:
                    yield number, f"make {word}: no such target"
        for name in VARIABLE.findall(code):
            if name not in tree.variables:
                yield number, f"{name}=: no such variable of make"
        name = code.removesuffix("()")
        unknown = IDENTIFIER.match(name) and name not in tree.words or \
            HYPHENATED.match(name) and name not in tree.hyphenated | tree.targets
        if unknown and not block and not FOREIGN.match(name):
            yield number, f"{name}: nothing in the tree has this name"


def table(text, name, pattern):
    """What the pattern finds in the initializer of that array of structures."""
    found = re.search(rf"^\}} {name}\[\] = \{{(.*?)^\}};", text, re.S | re.M)
    return set(re.findall(pattern, found[1], re.M)) if found else set()


def option_faults(tree):
    """Options, words of modules and keys that only the code has, or only docs/booting.md."""
    text = tree.texts["docs/booting.md"]
    first = [SPAN.findall(line.split("|")[1])
             for line in text.splitlines() if line.startswith("| `")]
    documented = {re.split("[=]", name)[0] for names in first for name in names}
    source = "\n".join(text for path, text in tree.texts.items() if path.startswith("xen/"))
    options = table(source, "table", r'^    \{ "(\w+)"')
    words = table(source, "words", r'\{ "(\w+)="')
    words |= set(re.findall(r'strcmp\(word, "(\w+)"\) == 0', source))
    keys = table(source, "keys", r"^    \{ '(\w)'")
    for kind, names in (("option", options), ("word of a module", words), ("key", keys)):
        if len(names) < 2:
            yield "docs/booting.md", f"tests/lint/docs.py no longer finds any {kind} in the source"
        for name in sorted(names - documented):
            yield "docs/booting.md", f"{kind} {name} is not there"
    for name in sorted(documented - options - words - keys):
        yield "docs/booting.md", f"{name}: the hypervisor knows no such option, word or key"


def invariants(tree):
    """Yields Markdown made from the heads of files, where an invariant is ` *   F1  text`, with
    further lines that are indented deeper."""
    for path in sorted(path for path in tree.texts if path.startswith("xen/")):
        found = INVARIANT.findall(tree.texts[path].partition("*/")[0])
        if not found:
            continue
        yield f"\n`{path}`\n\n"
        for number, text in found:
            text = re.sub(r"\s*\n \*\s+", " ", text).strip()
            yield f"- **{number}** " + re.sub(r"([<*])", r"\\\1", text) + "\n"


def lines_of(tree, places):
    """The lines of sources below these folders, without those below the ones with a `!`."""
    here = tuple(place + "/" for place in places if place[0] != "!")
    elsewhere = tuple(place[1:] + "/" for place in places if place[0] == "!")

    def counts(path):
        script = path.startswith("tools/") and "." not in os.path.basename(path)
        return (path.endswith(SOURCES) or script) and path.startswith(here) and \
            not path.startswith(elsewhere)
    return sum(text.count("\n") for path, text in tree.texts.items() if counts(path))


def sizes(tree):
    yield "| part | lines |\n|---|--:|\n"
    for what, places in SIZES:
        yield f"| {what} | {round(lines_of(tree, places), -2):,} |\n"


PARTS = {"invariants": lambda tree: "".join(invariants(tree)) + "\n",
         "sizes": lambda tree: "".join(sizes(tree))}


def same(old, new):
    """Whether two texts are the same but for small differences of sizes, numbers that end in 00."""
    number = r"\b\d[\d,]*00\b"
    if re.sub(number, "", old) != re.sub(number, "", new):
        return False
    before, after = ([int(n.replace(",", "")) for n in re.findall(number, text)]
                     for text in (old, new))
    return all(abs(a - b) <= max(100, TOLERANCE * b) for a, b in zip(before, after))


def generated_faults(tree, path):
    for _, name, text, _ in GENERATED.findall(tree.texts[path]):
        if name not in PARTS:
            yield 0, f"no such generated part: {name}"
        elif not same(text, PARTS[name](tree)):
            yield 0, f"the part \"{name}\" is not current: make docs writes it anew"


def write(tree):
    def current(match):
        head, name, text, end = match.groups()
        return head + (PARTS[name](tree) if name in PARTS else text) + end

    for path in tree.docs:
        old = tree.texts[path]
        new = GENERATED.sub(current, old)
        if new != old:
            tree.texts[path] = new
            with open(os.path.join(tree.root, path), "w", encoding="utf-8") as out:
                out.write(new)


def faults(tree):
    for path in tree.docs:
        for find in (link_faults, word_faults, generated_faults):
            yield from (f"{path}:{number}: {what}" for number, what in find(tree, path))
    yield from (f"{path}: {what}" for path, what in option_faults(tree))
    count = tree.texts["README.md"].count("\n")
    if count > README_LINES:
        yield f"README.md: {count} lines, more than {README_LINES}"


def main():
    args = sys.argv[1:]
    roots = [arg for arg in args if arg != "--write"]
    here = os.path.dirname(os.path.abspath(__file__))
    tree = Tree(roots[0] if roots else os.path.join(here, "..", ".."))
    if "--write" in args:
        write(tree)
    found = list(faults(tree))
    print("".join(fault + "\n" for fault in found), end="", file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
