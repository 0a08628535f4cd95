"""Tests of the runner's verdicts (tools/ktap.py) and of its machine (tools/qemu.py): a run without
faults passes, and each kind of fault makes it fail with its reason."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools"))
import ktap  # noqa: E402
import qemu  # noqa: E402

START = ["(XEN) Paragon 1.0", "(XEN) memory: 100 frames free before guests"]
END = ["(XEN) memory: 100 frames free after the last guest"]
SUITE = """KTAP version 1
1..2
  KTAP version 1
  # Subtest: boot
  1..2
  ok 1 start_info
  ok 2 p2m # SKIP no p2m
ok 1 boot
  KTAP version 1
  # Subtest: traps
  1..1
  ok 1 - page_fault
ok 2 traps
guest-pv: 2 passed, 0 failed, 1 skipped""".split("\n")


def guest(domid, lines=tuple(SUITE)):
    return [f"(d{domid}) {line}" for line in lines]


def judge(lines, ended=True, status=0, expect_crash=()):
    report = ktap.Report()
    for line in lines:
        report.feed(line + "\r\n")
    good, reason = ktap.judge(report, ended, status, expect_crash)
    return good, reason, report


def changed(old, new):
    assert any(old in line for line in SUITE)
    return [line.replace(old, new) for line in SUITE if new or old not in line]


class Good(unittest.TestCase):
    def test_one_guest(self):
        good, reason, report = judge(START + guest(1) + END)
        self.assertTrue(good, reason)
        self.assertEqual([(t.name, t.verdict) for t in report.guests[1].tests],
                         [("boot/start_info", "pass"), ("boot/p2m", "skip"),
                          ("traps/page_fault", "pass")])
        self.assertEqual(report.guests[1].tests[1].detail, "no p2m")

    def test_a_guest_with_the_terminal(self):
        raw = ["(XEN) *** d1 has the terminal to itself (console_raw)", "login: root",
               "\x18\x1b[0m(XEN) Domain 1 (x) ended"]
        self.assertTrue(judge(START + raw + END)[0])
        self.assertFalse(judge(START + raw + ["\x18\x1b[0m(XEN) Panic on CPU 0:"] + END)[0])
        self.assertFalse(judge(START + raw[1:] + END)[0])
        self.assertTrue(judge(START + raw + SUITE + END)[0])
        failed = changed("  ok 1 - page", "  not ok 1 - page")
        self.assertFalse(judge(START + raw + failed + END)[0])

    def test_interleaved_guests(self):
        mixed = [line for pair in zip(guest(1), guest(2)) for line in pair]
        good, reason, report = judge(START + mixed + END)
        self.assertTrue(good, reason)
        self.assertEqual(report.totals(), [4, 0, 2])

    def test_plain_output_of_domain_0(self):
        halted = ["(XEN) Hardware Dom0 halted: halting machine"]
        good, reason, report = judge(["(XEN) Xen version 4.17"] + SUITE + halted)
        self.assertTrue(good, reason)
        self.assertEqual(list(report.guests), [0])

    def test_screen_control_is_dropped(self):
        first = ["\x1b[2J\x1b[01;01H\x1b[=3h(XEN) Paragon"]
        self.assertTrue(judge(first + START + guest(1) + END)[0])

    def test_without_tests_the_reason_says_how_the_guests_ended(self):
        ended = ["(XEN) Domain 2 (right) ended: reboot", "(XEN) Domain 1 (linux) ended: power off",
                 "(XEN) Domain 0 (store) ended: power off"]
        self.assertEqual(judge(START + ["(d1) hello"] + ended[1:] + END)[:2],
                         (True, "Guest linux ended: power off"))
        self.assertEqual(judge(START + ["(d1) hello"] + ended + END)[:2],
                         (True, "Guest linux ended: power off; guest right ended: reboot"))
        self.assertEqual(judge(START + guest(1) + ended + END)[1], "2 passed, 0 failed, 1 skipped")
        self.assertFalse(judge(START + ["(d1) hello"] + ended + ["(XEN) Panic on CPU 0:"] + END)[0])

    def test_last_line_of_the_runner(self):
        def last(lines):
            with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
                log.writelines(line + "\n" for line in lines)
                log.flush()
                runner = os.path.join(ROOT, "tools", "paragon-run")
                done = subprocess.run([runner, "--replay", log.name], capture_output=True,
                                      text=True, check=False)
            return done.returncode, done.stdout.splitlines()[-1]
        ended = ["(XEN) Domain 1 (linux) ended: power off"]
        self.assertEqual(last(START + ["(d1) hello"] + ended + END),
                         (0, "Guest linux ended: power off"))
        self.assertEqual(last(START + guest(1) + ended + END),
                         (0, "PASS: 2 passed, 0 failed, 1 skipped"))
        self.assertEqual(last(START + ["(d1) hello"] + ended),
                         (1, "FAIL: the machine stopped before the last guest ended"))

    def test_expected_crash(self):
        crash = ["(XEN) Domain 2 (vcpu#0) crashed on cpu#0:"]
        self.assertTrue(judge(START + guest(1) + guest(2, SUITE[:5]) + crash + END,
                              expect_crash=[2])[0])

    def test_timestamps(self):
        self.assertTrue(judge(["(XEN) [    0.5] Paragon"] + START + guest(1) + END)[0])


class Bad(unittest.TestCase):
    def refused(self, why, lines, **how):
        good, reason, _ = judge(lines, **how)
        self.assertFalse(good)
        self.assertIn(why, reason)
        self.assertNotIn("\n", reason)

    def test_failed_test(self):
        lines = changed("ok 1 - page", "not ok 1 - page")
        self.refused("1 failed (traps/page_fault)", START + guest(1, lines) + END)

    def test_failure_only_in_the_final_line(self):
        self.refused("1 failed", START + guest(1, changed("0 failed", "1 failed")) + END)

    def test_failure_only_of_the_suite(self):
        self.refused("(traps)", START + guest(1, changed("ok 2 traps", "not ok 2 traps")) + END)

    def test_no_final_line(self):
        self.refused("guest 2: stopped before", START + guest(1) + guest(2, SUITE[:-1]) + END)

    def test_lost_line(self):
        lines = changed("2 passed", "3 passed")
        self.refused("says 3 passed, its lines show 2", START + guest(1, lines) + END)

    def test_short_suite(self):
        self.refused("2 tests planned, 1 reported", START + guest(1, changed("ok 2 p2m", "")) + END)

    def test_crash(self):
        for line in ("Domain 1 (vcpu#0) crashed on cpu#0:", "Domain 1 (left) ended: crash"):
            self.refused("guest 1 crashed", START + guest(1) + ["(XEN) " + line] + END)

    def test_crash_that_did_not_come(self):
        self.refused("was to crash and did not", START + guest(1) + END, expect_crash=[1])
        self.refused("printed nothing", START + guest(1) + END, expect_crash=[7])

    def test_panic(self):
        self.refused("panicked", START + guest(1) + ["(XEN) Panic on CPU 0:"] + END)

    def test_time_limit(self):
        self.refused("time limit", START + guest(1), ended=False)

    def test_status(self):
        self.refused("status 1", START + guest(1) + END, status=1)

    def test_triple_fault(self):
        self.refused("before the last guest ended", START + guest(1))
        self.refused("before the last guest ended", START)

    def test_leak(self):
        self.refused("100 free before the guests, 99 after",
                     START + guest(1) + ["(XEN) memory: 99 frames free after the last guest"])

    def test_silence(self):
        self.refused("nothing on the terminal", [])
        self.refused("nothing on the terminal", ["SeaBIOS", "error: file not found"])
        self.refused("no guest said anything", START + END)

    def test_only_skips(self):
        lines = ["KTAP version 1", "1..1", "ok 1 boot # SKIP all",
                 "guest-pv: 0 passed, 0 failed, 1 skipped"]
        self.refused("no test ran", START + guest(1, lines) + END)

    def test_bail_out(self):
        self.refused("Bail out!", START + guest(1, SUITE[:3] + ["Bail out! stuck"]) + END)


class Machine(unittest.TestCase):
    PLAIN = {"accel": "tcg", "cpu": "max", "mem": 512, "firmware": "bios"}

    def test_commas_in_modules_are_doubled(self):
        argv = qemu.command(self.PLAIN, kernel="xen", append="a=b",
                            modules=["g suites=x,y", "ramdisk"])
        self.assertEqual(argv[argv.index("-initrd") + 1], "g suites=x,,y,ramdisk")

    def test_child_that_does_not_end_is_ended(self):
        lines = []
        ended, _ = qemu.run(["sh", "-c", "echo one; exec sleep 60"], 1, lines.append)
        self.assertFalse(ended)
        self.assertEqual(lines, ["one"])

    def test_child_that_closes_its_output_and_lingers_is_ended(self):
        self.assertFalse(qemu.run(["sh", "-c", "exec sleep 60 > /dev/null 2>&1"], 1, print)[0])

    def test_status_and_last_line_without_newline(self):
        lines = []
        self.assertEqual(qemu.run(["sh", "-c", "printf 'a\\nb'; exit 3"], 10, lines.append),
                         (True, 3))
        self.assertEqual(lines, ["a", "b"])

    def test_an_accelerator_that_is_named_is_used(self):
        self.assertEqual(qemu.pick_accel("kvm")[0], "kvm")


if __name__ == "__main__":
    unittest.main()
