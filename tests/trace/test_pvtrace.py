"""The lines that the trace reader prints, and the filters of what it prints."""
import os
import pathlib
import re
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
import gen_traces  # noqa: E402
from case import Case, guest  # noqa: E402


class Text(Case):
    def lines(self, cpu, *args):
        return self.good("--times", "none", *args, self.trace(cpu)).splitlines()

    def test_every_kind(self):
        text = self.good(self.trace(gen_traces.one_of_each()))
        for what in (r"\[d1v0 [\d.]+\] mmu_update\(\[\{.*ptr=0x7f3000.*\], 2, .*DOMID_SELF\) = 0",
                     r"update_va_mapping\(0xffff880000001000, .*\) = 0",
                     r"update_va_mapping_otherdomain\(.*2\) = 0", r"\]   stack_switch\(",
                     r"\] multicall\(",
                     r"= -38 ENOSYS", r"event_channel_op\(EVTCHNOP_send, \{port=5\}\) = 0 -> d2v0",
                     r"--- #GP code=0x18", r"--- #UD",
                     r"--- #PF write not-present user va=0xdead000", r"--- ptwr va=",
                     r"--- emulate mov +%cr3", r"cpuid", r"--- upcall",
                     r'console_io\(CONSOLEIO_write, 6, "hello\\n"\) = 6',
                     r"\] iret\(\)(?! = )", r"xen_version\(XENVER_version.*\) = .*", r"\{port=9\}",
                     r"= -22 EINVAL",
                     r"d2v0 [\d.]+\] vcpu_op\(VCPUOP_is_up, 0.*\) = 1", r"arch_7", r"77 .*lost",
                     r"sched_op\(SCHEDOP_shutdown.* = \?", r"first", r"second"):
            self.assertRegex(text, what)

    def test_members_of_a_multicall_are_indented(self):
        cpu = guest()
        cpu.multicall(("stack_switch", 1, 2), ("fpu_taskswitch", 1))
        cpu.call("fpu_taskswitch", 0)
        lines = [line for line in self.lines(cpu) if "switch" in line or "multicall" in line]
        self.assertEqual([re.match(r"\[d1v0\] ( *\w+)", line)[1] for line in lines],
                         ["multicall", "  stack_switch", "  fpu_taskswitch", "fpu_taskswitch"])

    def test_unfinished_and_resumed(self):
        cpu = gen.Cpu()
        cpu.runs((1, 0))
        cpu.begin("sched_op", 1, 0)
        cpu.switch((2, 0), leave=gen.BLOCKED)
        cpu.call("fpu_taskswitch", 1)
        cpu.switch((1, 0))
        cpu.result("sched_op")
        lines = [line for line in self.lines(cpu, "-e", "sched_op,fpu_taskswitch")]
        self.assertEqual(len(lines), 3, lines)
        self.assertRegex(lines[0], r"^\[d1v0\] sched_op\(SCHEDOP_block.*<unfinished \.\.\.>$")
        self.assertRegex(lines[1], r"^\[d2v0\] fpu_taskswitch\(1\) = 0")
        self.assertRegex(lines[2], r"^\[d1v0\] <\.\.\. sched_op resumed>\) = 0 <")

    def test_calls_that_never_return(self):
        cpu = guest()
        cpu.begin("iret")                       # goes to the guest
        cpu.begin("multicall", 0x1000, 2)
        cpu.call("fpu_taskswitch", 1, sub=True)
        cpu.begin("stack_switch", 1, 2, sub=True)
        cpu.begin("sched_op", 2, 0)             # what is open is not going to return
        cpu.call("vm_assist", 0, 4)
        self.assertEqual([re.sub(r"\(.*\)", "()", line) for line in self.lines(cpu, "--no-took")
                          if "---" not in line],
                         ["[d1v0] iret()", "[d1v0] multicall() = ?",
                          "[d1v0]   fpu_taskswitch() = 0",
                          "[d1v0]   stack_switch() = ?", "[d1v0] sched_op() = ?",
                          "[d1v0] vm_assist() = 0"])
        self.assertEqual([bool(row["ticks"]) for row in self.calls(self.trace(cpu))],
                         [False, True, False, False, False, True])

    def test_a_result_that_belongs_to_the_multicall(self):
        cpu = guest()
        cpu.begin("multicall", 0x1000, 1)
        cpu.begin("stack_switch", 1, 2, sub=True)
        cpu.result("multicall", 0)
        cpu.call("vm_assist", 0, 4)
        self.assertEqual([(row["name"], row["depth"], bool(row["ticks"]))
                          for row in self.calls(self.trace(cpu))],
                         [("stack_switch", "1", False), ("multicall", "0", True),
                          ("vm_assist", "0", True)])

    def test_a_call_alone_is_one_line(self):
        cpu = guest()
        cpu.begin("sched_op", 1, 0)
        cpu.switch((gen.IDLE, 0), leave=gen.BLOCKED)
        cpu.switch((1, 0))
        cpu.result("sched_op")
        self.assertEqual(len(self.lines(cpu, "-e", "sched_op")), 1)

    def test_calls_that_return_in_their_order_are_whole_lines(self):
        cpus = [gen.Cpu(number=0), gen.Cpu(number=1, now=100)]
        for cpu in cpus:
            cpu.runs((1, cpu.number))
            cpu.begin("fpu_taskswitch", 1)
        data = b"".join(cpu.cut() for cpu in cpus)
        for cpu in cpus:
            cpu.result("fpu_taskswitch")
            data += cpu.window()
        self.assertEqual(self.lines(data, "--no-took"),
                         ["[cpu0 d1v0] fpu_taskswitch(1) = 0", "[cpu1 d1v1] fpu_taskswitch(1) = 0"])

    def test_times(self):
        cpu = guest(now=2 * gen.HZ)
        cpu.now = 3 * gen.HZ - cpu.step
        cpu.call("fpu_taskswitch", 1)
        cpu.now = 3 * gen.HZ + gen.HZ // 2 - cpu.step
        cpu.call("fpu_taskswitch", 0)
        path = self.trace(cpu)

        def times(*args):
            return re.findall(r"\[d1v0 ([\d.]+)\] fpu",
                              self.good("-e", "fpu_taskswitch", *args, path))
        self.assertEqual(times(), ["3.000000000", "3.500000000"])
        self.assertEqual(times("--times", "relative"), ["0.000000000", "0.500000000"])
        self.assertEqual(times("--times", "delta"), ["0.000000000", "0.500000000"])
        self.assertEqual(times("--times", "ticks"), ["6000000000", "7000000000"])


class Filters(Case):
    def setUp(self):
        super().setUp()
        cpu = gen.Cpu()
        cpu.domain(1, 0, b"one")
        cpu.domain(2, 0, b"two")
        for v in ((1, 0), (1, 1), (2, 0)):
            cpu.switch(v)
            cpu.event(4, 1)
            cpu.event(9, 1)
            cpu.mmu((8, 1))
            cpu.call("memory_op", 0, 0, result=-12)
            cpu.trap(6)
        self.file = self.trace(cpu)

    def names(self, *args):
        return [row["operation"] or row["name"] for row in self.calls(*args, self.file)]

    def guests(self, *args):
        return sorted({(row["domain"], row["vcpu"]) for row in self.calls(*args, self.file)})

    def test_expressions(self):
        for expression, count in (("trace=event_channel_op", 6), ("event_channel_op", 6),
                                  ("EVTCHNOP_send", 3),
                                  ("mmu", 3), ("event,mmu", 9), ("!event", 6), ("!event,mmu", 3),
                                  ("all", 12),
                                  ("!EVTCHNOP_send", 9), ("trace=!mmu", 9), ("trap", 0)):
            with self.subTest(expression):
                self.assertEqual(len(self.names("-e", expression)), count)

    def test_expressions_are_anded(self):
        self.assertEqual(self.names("-e", "event", "-e", "!EVTCHNOP_unmask"), ["EVTCHNOP_send"] * 3)

    def test_unknown_expression(self):
        status, out, complaints = self.run_it("-e", "trace=mmu,bananas", self.file)
        self.assertNotEqual(status, 0)
        self.assertEqual(out, "")
        self.assertIn("bananas", complaints)

    def test_guests(self):
        for words, expected in ((["d1"], [("1", "0"), ("1", "1")]), (["d1v1"], [("1", "1")]),
                                (["2"], [("2", "0")]),
                                (["two"], [("2", "0")]),
                                (["d1v0", "two"], [("1", "0"), ("2", "0")]), (["d3"], [])):
            with self.subTest(words):
                self.assertEqual(self.guests(*[w for word in words for w in ("-p", word)]),
                                 expected)

    def test_filter_of_the_picture(self):
        picture = self.good("--svg", "-p", "two", self.file)
        self.assertIn("d2 · two", picture)
        self.assertNotIn("d1 ·", picture)


if __name__ == "__main__":
    unittest.main()
