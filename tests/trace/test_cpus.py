#!/usr/bin/env python3
"""Traces of several CPUs: merged by time, from files, pipes and a machine's RAM; vCPUs that go from
one to another; what is missing of one of them."""
import json
import pathlib
import random
import re
import struct
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
import gen_ram  # noqa: E402
from case import PVTRACE, Case  # noqa: E402


def cpus(nr=3, **options):
    """CPUs on which nobody runs yet."""
    made = [gen.Cpu(number=i, now=100 * i, cpus=nr, **options) for i in range(nr)]
    for cpu in made:
        cpu.add(gen.CLASSES, [0x7f])
    return made


def busy(nr=3, calls=200, cut=20):
    """Each CPU has its own vCPU, which makes calls at random times: the CPUs, and their windows.
    The last CPU is idle most of the time, and has one window only."""
    rng = random.Random(7)
    made, windows = cpus(nr), []
    for cpu in made:
        cpu.switch((1, cpu.number))
    for i in range(calls):
        cpu = rng.choice(made[:-1] + made[:-1] + made)
        cpu.now = max(other.now for other in made) + rng.randrange(5)
        cpu.call(60, i + 1)
        if rng.randrange(cut) == 0 and cpu is not made[-1]:
            windows.append(cpu.cut())
    return windows + [cpu.window() for cpu in made]


class Order(Case):
    def order(self, rows):
        return [int(re.search(r"\((0x[0-9a-f]+|\d+)\)", row["details"])[1], 0) for row in rows]

    def test_windows_in_any_order(self):
        """A CPU's own are in order; a window comes when it is full."""
        windows = busy()
        self.assertGreater(len(windows), 6)
        rows = self.calls(self.trace(b"".join(windows)))
        self.assertEqual(self.order(rows), list(range(1, 201)))
        self.assertEqual({row["cpu"] for row in rows}, {"0", "1", "2"})
        for sign in (1, -1):
            by_cpu = sorted(windows, key=lambda w: sign * w[4])
            rows = self.calls(self.trace(b"".join(by_cpu)))
            self.assertEqual(self.order(rows), list(range(1, 201)))

    def test_a_pipe(self):
        data = b"".join(busy())
        self.assertEqual(self.good("-", stdin=data), self.good(self.trace(data)))
        self.assertEqual(self.good("-c", "-", stdin=data), self.good("-c", self.trace(data)))

    def test_a_pipe_with_one_window(self):
        cpu = cpus(2)[0]
        cpu.switch((1, 0))
        cpu.call("fpu_taskswitch", 1)
        self.assertEqual(self.good("-", stdin=cpu.window()), self.good(self.trace(cpu)))

    def test_a_damaged_pipe(self):
        data = b"".join(busy())
        for at in range(len(data) - 3, len(data) - 400, -7):
            piped, read = self.run_it("-", stdin=data[:at]), self.run_it(self.trace(data[:at]))
            self.assertEqual(piped[:2], read[:2])
            self.assertEqual(piped[2].partition(": ")[2].partition(": ")[2],
                             read[2].partition(": ")[2].partition(": ")[2])

    def test_save_of_a_pipe(self):
        data, saved = b"".join(busy()), self.path("saved")
        text = self.good("--save", saved, "-", stdin=data)
        self.assertEqual(self.good(saved), text)

    def test_cpus_of_a_saved_trace_end_together(self):
        """xenalyze begins a CPU anew that has ended before others come to its last window."""
        made, saved = cpus(2), self.path("saved")
        made[1].call("set_timer_op", 1)
        made[0].now = 10 * made[1].now
        made[0].call("set_timer_op", 2)
        self.good("--save", saved, "-", stdin=made[0].window() + made[1].window())
        data, at, ends = pathlib.Path(saved).read_bytes(), 0, []
        while at < len(data):
            _, cpu, size = struct.unpack_from("<3I", data, at)
            ends.append((cpu, struct.unpack_from("<Q", data, at + 16)[0]))      # a clock's time
            at += 12 + size
        self.assertEqual([cpu for cpu, _ in ends[-2:]], [0, 1])
        self.assertEqual(ends[-1][1], ends[-2][1])
        self.assertGreaterEqual(ends[-1][1], 10 * made[1].now)

    def test_followed_file(self):
        """What is there is shown at once, a window after the other."""
        with subprocess.Popen([PVTRACE, "-f", "--csv", self.trace(b"".join(busy()))],
                              stdout=subprocess.PIPE, text=True) as process:
            rows = [process.stdout.readline() for _ in range(3)]
            process.terminate()
            process.communicate()
        self.assertTrue(rows[2])

    def test_the_middle_of_a_window_is_damaged(self):
        windows, at = busy(), 12
        for _ in range(10):
            head = int.from_bytes(windows[0][at:at + 4], "little")
            at += 4 * (1 + 2 * (head >> 31) + (head >> 28 & 7))
        windows[0] = windows[0][:at] + bytes(4) + windows[0][at + 4:]
        status, out, complaints = self.run_it("--csv", self.trace(b"".join(windows)))
        self.assertEqual(status, 1)
        self.assertIn("bytes skipped, in 1 window", complaints)
        self.assertGreater(out.count("hypercall"), 150)
        self.assertEqual(out.count(",lost,"), 1)

    def test_many_cpus(self):
        made = [gen.Cpu(number=i, now=7 * i, cpus=256) for i in range(256)]
        for cpu in reversed(made):
            cpu.runs((cpu.number, 0))
            cpu.call("fpu_taskswitch", 1)
        rows = self.calls(self.trace(b"".join(cpu.window() for cpu in reversed(made))))
        self.assertEqual([row["cpu"] for row in rows], [str(i) for i in range(256)])

    def test_of_xen(self):
        """No clock says how many CPUs there are."""
        made = [gen.Cpu(number=i, now=100 * i, start=False) for i in range(2)]
        for cpu in made:
            cpu.runs((1, cpu.number))
        for _ in range(20):
            for cpu in made:
                cpu.call("fpu_taskswitch", 1)
        rows = self.calls(self.trace(b"".join(cpu.window() for cpu in reversed(made))))
        self.assertEqual([row["cpu"] for row in rows], ["0", "1"] * 20)


class Ram(Case):
    def ram(self, made, **options):
        path = self.path("ram")
        ram = gen_ram.Ram(path, nr_cpus=len(made), **options)
        for cpu in made:
            ram.add_all(cpu)
        ram.end()
        ram.close()
        return path

    def test_ram_and_what_is_saved_of_it(self):
        made, saved = cpus(4), self.path("saved")
        for i in range(300):
            cpu = made[i * i % 4]
            cpu.now = max(other.now for other in made)
            cpu.call("set_timer_op", i)
        path = self.ram(made)
        text = self.good("--ram", path, "--save", saved)
        self.assertEqual(text.count("set_timer_op"), 300)
        self.assertEqual(self.good(self.trace(b"".join(cpu.window() for cpu in made))), text)
        self.assertEqual(self.good(saved), text)

    def test_a_lost_part_is_lost_once(self):
        made, saved = cpus(2), self.path("saved")
        for cpu in made:
            for i in range(1000 if cpu.number else 10):
                cpu.call("set_timer_op", i)
        path = self.ram(made, nr_blocks=4)
        lost = [row for row in self.rows("--ram", path, "--save", saved) if row["kind"] == "lost"]
        self.assertEqual([row["cpu"] for row in lost], ["1"])
        self.assertEqual([row for row in self.rows(saved) if row["kind"] == "lost"], lost)

    def test_saved_windows_have_numbers_of_their_own(self):
        """A block that is larger than a window of the copy is cut where the trace has no clock."""
        made, saved = cpus(2), self.path("saved")
        for i in range(3000):
            for cpu in made:
                cpu.call("set_timer_op", i)
        windows = [cpu.cut() for cpu in made]
        for cpu in made:
            cpu.call("set_timer_op", 1)
            windows.append(cpu.window())
        self.good("--save", saved, "-", stdin=b"".join(windows))
        self.assertIn("no records lost", self.good("-c", saved))
        self.assertEqual(len(self.calls(saved)), 6002)

    def test_format_1(self):
        cpu = gen.Cpu(version=1)
        cpu.runs((1, 0))
        cpu.call("fpu_taskswitch", 1)
        self.assertEqual(self.good("--ram", self.ram([cpu], version=1)), self.good(self.trace(cpu)))

    def test_rings_of_256(self):
        made = [gen.Cpu(number=i, now=7 * i, cpus=256) for i in range(256)]
        for cpu in made:
            cpu.call("fpu_taskswitch", 1)
        rows = self.calls("--ram", self.ram(made, block_bytes=512, nr_blocks=2))
        self.assertEqual([row["cpu"] for row in rows], [str(i) for i in range(256)])


class Migration(Case):
    def setUp(self):
        super().setUp()
        first, second = cpus(2)
        first.switch((1, 0))
        first.begin("sched_op", 1, 0)
        first.switch((gen.IDLE, 0), leave=gen.BLOCKED)
        second.now = first.now + 500
        second.runstate((1, 0), gen.BLOCKED, gen.RUNNABLE)
        second.switch((1, 0))
        second.result("sched_op", 0, second.now + second.step - first.now)
        second.call("set_timer_op", 1)
        second.switch((gen.IDLE, 1), leave=gen.BLOCKED)
        first.now = second.now + 500
        first.switch((1, 0), old=gen.BLOCKED)
        first.call("set_timer_op", 2)
        self.cpus = first, second
        self.path_ = self.trace(second.window() + first.window())

    def test_a_call_that_ends_elsewhere(self):
        calls = self.calls(self.path_)
        self.assertEqual([row["operation"] or row["name"] for row in calls],
                         ["SCHEDOP_block", "set_timer_op", "set_timer_op"])
        self.assertEqual([row["result"] for row in calls], ["0", "0", "0"])

    def test_it_is_said(self):
        moves = [row for row in self.rows(self.path_) if row["kind"] == "migrated"]
        self.assertEqual([(row["cpu"], row["vcpu"], row["details"]) for row in moves],
                         [("1", "0", "d1v0 from CPU 0 to CPU 1"),
                          ("0", "0", "d1v0 from CPU 1 to CPU 0")])
        self.assertIn("2  migrations of a vCPU to another CPU", self.good("-c", self.path_))
        lines = self.good("-e", "migrated", "--times", "none", self.path_).splitlines()[1:]
        self.assertEqual(lines,
                         ["[cpu1 d1v0] --- d1v0 from CPU 0 to CPU 1 ---",
                          "[cpu0 d1v0] --- d1v0 from CPU 1 to CPU 0 ---"])

    def test_what_is_traced_is_said_once(self):
        self.assertEqual(len([row for row in self.rows(self.path_) if row["kind"] == "classes"]), 1)

    def test_the_columns(self):
        lines = self.good("-e", "hypercall", "--no-took", "--times", "none",
                          self.path_).splitlines()[1:]
        self.assertEqual(lines, ["[cpu0 d1v0] sched_op(SCHEDOP_block, NULL) = 0",
                                 "[cpu1 d1v0] set_timer_op(0.000000001s) = 0",
                                 "[cpu0 d1v0] set_timer_op(0.000000002s) = 0"])
        lines = self.good("--no-took", "--times", "none", self.path_).splitlines()
        self.assertIn("[cpu0 d1v0] sched_op(SCHEDOP_block, NULL <unfinished ...>", lines)
        self.assertIn("[cpu1 d1v0] <... sched_op resumed>) = 0", lines)

    def test_one_cpu_only(self):
        def calls(*args):
            return [(row["operation"] or row["name"]) + row["details"][-6:]
                    for row in self.calls(*args, self.path_)]
        self.assertEqual(len(calls("--cpu", "0")), 2)
        self.assertEqual(len(calls("--cpu", "1")), 1)
        self.assertEqual(len(calls("--cpu", "0-1")), 3)
        self.assertEqual(len(calls("--cpu", "2,4-7")), 0)
        for wrong in ("", "x", "1-", "3-1", "1,,2", "4096", "0 1"):
            status, _, complaints = self.run_it("--cpu", wrong, self.path_)
            self.assertEqual(status, 2)
            self.assertIn("--cpu", complaints)

    def test_the_counts_agree(self):
        self.cpus[0].counters({"sched_op": 1, "set_timer_op": 2})
        path = self.trace(b"".join(cpu.window() for cpu in self.cpus))
        self.assertIn("all 3 hypercalls are in the trace", self.good("-c", path))

    def test_tracks_of_cpus(self):
        events = json.loads(self.good("--json", self.path_))["traceEvents"]
        names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events
                 if e["ph"] == "M" and e["name"] == "thread_name"}
        runs = [(names[e["pid"], e["tid"]], e["name"]) for e in events
                if e["ph"] == "X" and e["cat"] == "sched"]
        self.assertEqual(sorted(runs), [("CPU 0", "d1v0"), ("CPU 0", "d1v0"), ("CPU 1", "d1v0")])
        moves = [e for e in events if e["name"] == "migrated"]
        self.assertEqual({names[e["pid"], e["tid"]] for e in moves}, {"d1v0"})
        self.assertEqual(len(moves), 2)


class Losses(Case):
    def windows(self):
        cpu, windows = cpus(2)[1], []
        cpu.runs((1, 0))
        for i in range(90):
            cpu.call("set_timer_op", i)
            if i % 10 == 9:
                windows.append((cpu.cut(), cpu.written - 2))
        return windows

    def test_a_window_that_is_missing(self):
        windows = self.windows()
        for missing in (0, 3, 4):
            there = [data for i, (data, _) in enumerate(windows) if i != missing]
            nr = windows[missing][1] - (windows[missing - 1][1] if missing else 0)
            out = self.good("-c", self.trace(b"".join(there)))
            self.assertIn(f"{nr} RECORDS LOST", out)
        self.assertIn("no records lost", self.good("-c", self.trace(b"".join(
            data for data, _ in windows))))

    def test_a_machine_that_began_anew(self):
        data = b"".join(data for data, _ in self.windows())
        self.assertIn("no records lost", self.good("-c", self.trace(data + data)))


if __name__ == "__main__":
    unittest.main()
