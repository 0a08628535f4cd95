"""Tests of tests/lint/docs.py: each kind of fault, planted in a copy of the tree, is found. Whether
the tree itself has faults is not tested here (make docs-check does): those that it has are ignored,
and its generated parts are first brought up to date."""

import importlib.util
import os
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DOCS = os.path.join(ROOT, "tests", "lint", "docs.py")
SPEC = importlib.util.spec_from_file_location("docs", DOCS)
docs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(docs)


class Docs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.root)
        shutil.copytree(ROOT, cls.root, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("build", ".git"))
        cls.tree = docs.Tree(cls.root)
        docs.write(cls.tree)
        cls.known = set(docs.faults(cls.tree))

    def found(self, path, change):
        """The new faults when this file's text is changed so."""
        text = self.tree.texts[path]
        self.assertNotEqual(change(text), text)
        self.tree.texts[path] = change(text)
        try:
            return "\n".join(fault for fault in docs.faults(self.tree) if fault not in self.known)
        finally:
            self.tree.texts[path] = text

    def adding(self, text, path="docs/trace.md"):
        return self.found(path, lambda old: f"{old}\n{text}\n")

    def test_links(self):
        self.assertIn("nowhere.md: no such file", self.adding("[x](nowhere.md)"))
        self.assertIn("costs.md#nothing: no such heading", self.adding("[x](costs.md#nothing)"))
        self.assertEqual("", self.adding("[x](costs.md#how-they-are-measured) [y](https://x.org/) "
                                         "[z](#the-format)"))

    def test_paths(self):
        self.assertIn("docs/trace.md:", self.adding("`xen/core/nothing.c`"))
        self.assertIn("tests/nothing/: no such file", self.adding("\n    cat tests/nothing/"))
        self.assertIn("xen/pv/no*.c: no such file", self.adding("`xen/pv/no*.c`"))
        self.assertEqual("", self.adding("`xen/pv/gr*.c`, `tests/unit/test_NAME.c`, "
                                         "/usr/include/xen/nothing.h"))

    def test_make(self):
        self.assertIn("make nothing: no such target", self.adding("`make run` and `make nothing`"))
        self.assertIn("make nothing: no such target", self.adding("`make -j2 nothing`"))
        self.assertIn("make iso-cube: no such target",
                      self.adding("\n    make iso-cube MEM=3   # a comment"))
        self.assertIn("RAMDISK=: no such variable", self.adding("`make run RAMDISK=x`"))
        self.assertIn("NOTHING=: no such variable", self.adding("`NOTHING=word`"))
        self.assertEqual("", self.adding("`make -j2 test`, `make run KERNEL=x CMDLINE=\"a b=c\"`, "
                                         "`make build/pvtrace`"))

    def test_names(self):
        unknown = "no_such" + "_function"       # in two pieces: this file is in the tree, too
        self.assertIn(f"{unknown}: nothing in the tree", self.adding(f"`{unknown}()`"))
        self.assertIn("no-such-" + "case: nothing in the tree", self.adding("`no-such-" + "case`"))
        self.assertEqual("", self.adding("`domain_crash()`, `irqsoff-death`"))

    def test_options_and_keys(self):
        def drop(what):
            return lambda text: "\n".join(line for line in text.split("\n") if what not in line)

        self.assertIn("option sync_console is not there",
                      self.found("docs/booting.md", drop("| `sync_console`")))
        self.assertIn("key R is not there", self.found("docs/booting.md", drop("| `R`")))
        self.assertIn("word of a module vcpus is not there",
                      self.found("docs/booting.md", drop("| `vcpus")))
        self.assertIn("knows no such option", self.adding("\n| `turbo=on` | |", "docs/booting.md"))
        self.assertIn("no such option", self.found("xen/boot/cmdline.c", lambda text: text.replace(
            '{ "noreboot"', '{ "noreebot"')))

    def test_generated_parts(self):
        stale = "is not current: make docs"
        self.assertIn(stale, self.found("xen/core/frame.h", lambda text: text.replace(
            "F2  a type", "F2  no type")))
        self.assertIn(stale, self.found("xen/main.c", lambda text: text + "\n" * 3000))
        self.assertEqual("", self.found("xen/main.c", lambda text: text + "\n" * 90))
        self.assertIn("no such generated part",
                      self.adding("<!-- generated: nothing at all -->\n<!-- end -->"))

    def test_write_mends_generated_parts(self):
        tree = docs.Tree(self.root)
        tree.texts["docs/design.md"] = tree.texts["docs/design.md"].replace("**F2**", "**F3**")
        self.assertTrue(set(docs.faults(tree)) - self.known)
        docs.write(tree)
        self.assertEqual(set(docs.faults(docs.Tree(self.root))), self.known)

    def test_length_of_readme(self):
        self.assertIn("lines, more than 130",
                      self.found("README.md", lambda text: text + "\n" * 130))


if __name__ == "__main__":
    unittest.main()
