"""pvtrace diff: where two traces begin to differ, and what is the same whatever chance did."""
import pathlib
import re
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
from case import Case, guest  # noqa: E402


class Diff(Case):
    def diff(self, a, b, *args):
        return self.run_it("diff", *args, self.trace(a), self.trace(b))

    @staticmethod
    def sequence(change=None, length=20, address=0):
        cpu = guest()
        for i in range(length):
            if i == change:
                cpu.call("vm_assist", 0, 4)
            cpu.call("update_va_mapping", 0x1000 * i + address, 0x5000 + address, 0)
            cpu.call("vcpu_op", 3, i, address, ticks=1000 + address)
        return cpu

    def test_same(self):
        status, out, _ = self.diff(self.sequence(), self.sequence(address=0x7000))
        self.assertEqual(status, 0, out)
        self.assertRegex(out, r"d1v0: same, 40 calls")
        self.assertRegex(out, r"update_va_mapping +20 +20 ")

    def test_first_difference(self):
        status, out, _ = self.diff(self.sequence(), self.sequence(change=5))
        self.assertEqual(status, 1)
        self.assertRegex(out, r"vm_assist VMASST_CMD_enable +0 +1 +\+1 ")
        self.assertIn("d1v0: the first difference is call 10", out)
        marked = [line for line in out.splitlines() if line.startswith(">")]
        self.assertEqual(len(marked), 2)
        self.assertRegex(marked[0], r"^> A +10 .*update_va_mapping\(0x5000,")
        self.assertRegex(marked[1], r"^> B +10 .*vm_assist\(")
        self.assertEqual(len(re.findall(r"(?m)^  A +[6-9] ", out)), 4)

    def test_stable_arguments_and_errors_count(self):
        for one, other in ((("vcpu_op", 3, 0, 0), ("vcpu_op", 3, 1, 0)),
                           (("memory_op", 0, 0), ("memory_op", 1, 0))):
            a, b = guest(), guest()
            a.call(*one)
            b.call(*other)
            self.assertEqual(self.diff(a, b)[0], 1)
        a, b = guest(), guest()
        a.call("memory_op", 0, 0)
        b.call("memory_op", 0, 0, result=-22)
        self.assertEqual(self.diff(a, b)[0], 1)

    def test_one_ends_earlier(self):
        for a, b in ((20, 15), (15, 20)):
            status, out, _ = self.diff(self.sequence(length=a), self.sequence(length=b))
            self.assertEqual(status, 1)
            self.assertIn("the first difference is call 30", out)
            self.assertIn("no more calls", out)

    def test_iret_and_turns_do_not_count(self):
        a, b = gen.Cpu(), gen.Cpu()
        for v in ((1, 0), (2, 0)):              # one after the other
            a.switch(v)
            for _ in range(50):
                a.call("fpu_taskswitch", 1)
        for i in range(100):                    # in turns
            b.switch((1 + i % 2, 0))
            b.call("fpu_taskswitch", 1)
            b.call("iret")
        status, out, _ = self.diff(a, b)
        self.assertEqual(status, 0, out)

    def test_far_ahead(self):
        a, b = gen.Cpu(), gen.Cpu()
        for cpu, order in ((a, (1, 2)), (b, (2, 1))):
            for domid in order:
                cpu.switch((domid, 0))
                for i in range(20000):
                    cpu.call("vcpu_op", 3, i, 0)
                if cpu is b:
                    cpu.call("vm_assist", domid, 0)
        status, out, _ = self.diff(a, a)
        self.assertEqual(status, 0, out)
        status, out, _ = self.diff(a, b)
        self.assertEqual(status, 1)
        self.assertRegex(out, r"d1v0: differs, 20000 calls in A and 20001 in B, "
                              r"the first 20000 the same")

    def test_filter(self):
        self.assertEqual(self.diff(self.sequence(), self.sequence(change=5), "-e",
                                   "!vm_assist")[0], 0)

    def test_unreadable(self):
        good = self.sequence().window()
        self.assertEqual(self.run_it("diff", self.trace(good), self.path("none"))[0], 2)
        self.assertEqual(self.diff(good, b"text")[0], 2)
        status, out, complaints = self.diff(good, good[:-3])
        self.assertEqual(status, 2)
        self.assertIn("offset", complaints)
        self.assertIn("update_va_mapping", out)


if __name__ == "__main__":
    unittest.main()
