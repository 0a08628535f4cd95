"""Unit tests of tools/abi.py: what it refuses in a table of the ABI, with the line, and what it
makes of a right one."""
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import abi  # noqa: E402
import abi_docs  # noqa: E402

RIGHT = """kind op o 1 unsigned unsigned
kind struct S 2 uint64_t void*
kind structs A 2 uint64_t void*
kind num u 1 unsigned uint64_t
hypercall sched_op ops cmd:op arg:struct | yes
hypercall grant_table_op ops cmd:op uop:structs count:num | yes
hypercall hvm_op - op:num arg:struct | no
hypercall kexec_op -EPERM cmd:op arg:struct | no
ops sched_op -
    SCHEDOP_yield - - sched_yield yes
    SCHEDOP_shutdown sched_shutdown in sched_shutdown   # a remark
        yes, any reason
    SCHEDOP_pin_override - - -EPERM no
ops grant_table_op - count
    GNTTABOP_swap_grant_ref gnttab_swap_grant_ref both grant_swap each yes
names reasons enum SHUTDOWN_ poweroff
    reboot
struct sched_shutdown in reason:reasons
struct gnttab_swap_grant_ref in ref_a ref_b
    out status:int
"""
# what is changed in it: old, new, the line that is named, a word of the message
WRONG = (
    ("names reasons", "nombres reasons", 16, "no section"),
    ("kind num u 1 unsigned uint64_t", "kind num u 1 unsigned", 4, "five columns"),
    ("kind num u", "kind num S", 4, "of other words"),
    ("arg:struct | yes", "arg:structure | yes", 5, "no such kind of argument"),
    ("hypercall hvm_op -", "hypercall sched_op -", 7, "stands in line 5"),
    ("hypercall hvm_op -", "hypercall hvm_op never", 7, "handler"),
    ("ops sched_op -", "ops sched_ops -", 9, "no such hypercall"),
    ("ops sched_op -", "ops sched_op cpu", 9, "context"),
    ("in sched_shutdown   # a remark\n        yes, any reason", "in", 11, "columns"),
    ("sched_shutdown in sched_shutdown", "sched_shutdwn in sched_shutdown", 11,
     "no such structure"),
    ("- - sched_yield yes", "- in sched_yield yes", 10, "names no structure"),
    ("- - sched_yield yes", "- no sched_yield yes", 10, "no way to copy"),
    ("- - sched_yield yes", "- - sched_yield served", 10, "yes or no"),
    ("- - sched_yield yes", "- - sched_shutdown yes", 11, "handler of line 10"),
    ("SCHEDOP_pin_override", "SCHEDOP_yield", 13, "stands in line 10"),
    ("both grant_swap each", "both grant_swap all", 15, "count is one of"),
    ("reason:reasons", "reason:reason", 18, "no such kind of field"),
    ("in reason:reasons", "reason:reasons", 18, "in, out or both"),
    ("ops grant_table_op - count", "", 15, "yes or no"),
    ("        yes, any reason", "    yes, any reason", 11, "columns"),
)


def read(text):
    return abi.Abi(text)


class Table(unittest.TestCase):
    def test_wrong_tables_are_refused_with_their_line(self):
        for old, new, line, word in WRONG:
            self.assertEqual(RIGHT.count(old), 1, old)
            with self.subTest(new=new), self.assertRaises(abi.Wrong) as raised:
                read(RIGHT.replace(old, new))
            self.assertIn(word, str(raised.exception))
            self.assertEqual(raised.exception.line, line)

    def test_a_row_and_its_continuation_are_one(self):
        operation = read(RIGHT).families["sched_op"].ops[1]
        self.assertEqual((operation.name, operation.handler, operation.line, operation.remark),
                         ("SCHEDOP_shutdown", "sched_shutdown", 11, "yes, any reason"))

    def test_a_hypercall_served_by_operations_needs_some(self):
        with self.assertRaisesRegex(abi.Wrong, "has no ops"):
            read(RIGHT.replace("kexec_op -EPERM", "kexec_op ops"))

    def test_files_come_out(self):
        table = read(RIGHT)
        made = {name: make(table) for name, make in abi.FILES.items()}
        self.assertIn("long sched_shutdown(const struct sched_shutdown *op);",
                      made["abi_handlers.h"])
        self.assertIn("long sched_yield(void);", made["abi_handlers.h"])
        self.assertNotIn("do_kexec_op", made["abi_handlers.h"])
        self.assertIn("return -EPERM;", made["abi_dispatch.c"])
        self.assertIn("for (unsigned i = 0; i < count; i++", made["abi_dispatch.c"])
        self.assertNotIn("hvm_op", made["abi_dispatch.c"])
        self.assertIn('[SHUTDOWN_reboot] = "SHUTDOWN_reboot"', made["abi_layouts.c"])
        self.assertIn('[__HYPERVISOR_hvm_op] = { "hvm_op", "uS" }', made["abi_tables.h"])
        self.assertIn("xen_sched_op(unsigned cmd, void *arg)", made["abi_wrappers.h"])
        self.assertIn("| `SCHEDOP_shutdown` | `sched_shutdown` | yes, any reason |",
                      abi_docs.page(table, abi_docs.MARK))

    def test_the_page_is_that_of_the_table(self):
        page = (ROOT / "docs/hypercalls.md").read_text()
        made = abi_docs.page(read((ROOT / "common/abi.def").read_text()), page)
        self.assertEqual(page, made, "make docs has not run since common/abi.def changed")


if __name__ == "__main__":
    unittest.main()
