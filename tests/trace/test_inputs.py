"""Where a trace may come from: a growing file, a pipe, the RAM of a machine."""
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
import gen_ram  # noqa: E402
import gen_traces  # noqa: E402
from case import PVTRACE, Case, guest  # noqa: E402


class Following(Case):
    def wait_for(self, path, what):
        for _ in range(200):
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
            if what in text:
                return text
            time.sleep(0.05)
        self.fail(f"{what!r} did not come in ten seconds: {text!r}")

    def follow(self, *args):
        out = self.path("out")
        with open(out, "wb") as f:
            process = subprocess.Popen([PVTRACE, "--follow", *args], stdout=f,
                                       stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, out

    def test_a_growing_file(self):
        cpu = guest()
        cpu.call("fpu_taskswitch", 1)
        first = cpu.window()
        cpu = gen.Cpu(now=10**6)
        cpu.runs((1, 0))
        cpu.call("vm_assist", 0, 4)
        second = cpu.window()
        path = self.trace(first)
        process, out = self.follow(path)
        self.assertNotIn("vm_assist", self.wait_for(out, "fpu_taskswitch"))
        with open(path, "ab") as f:
            for i in range(0, len(second), 5):      # in pieces, none of them a record
                f.write(second[i:i + 5])
                f.flush()
        self.wait_for(out, "vm_assist")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 0, process.stderr.read())

    def test_a_pipe(self):
        cpu = gen_traces.one_of_each()
        self.assertEqual(self.good("-", stdin=cpu.window()), self.good(self.trace(cpu)))

    def test_ram_while_it_is_written(self):
        path = self.path("ram")
        ram = gen_ram.Ram(path)
        self.addCleanup(ram.close)
        cpu = guest()
        cpu.call("fpu_taskswitch", 1)
        ram.add_all(cpu)
        process, out = self.follow("--ram", path)
        self.wait_for(out, "fpu_taskswitch")
        more = gen.Cpu(now=10**6, start=False)
        more.call("vm_assist", 0, 4)
        ram.add_all(more)
        self.wait_for(out, "vm_assist")
        ram.end()
        self.assertEqual(process.wait(10), 0, process.stderr.read())


class Ram(Case):
    def ram(self, cpus, **options):
        path = self.path("ram")
        ram = gen_ram.Ram(path, nr_cpus=len(cpus), **options)
        for cpu in cpus:
            ram.add_all(cpu)
        ram.end()
        ram.close()
        return path

    def test_the_same_as_from_a_file(self):
        cpu = gen_traces.one_of_each()
        path = self.ram([cpu])
        self.assertEqual(self.good("--ram", path), self.good(self.trace(cpu)))

    def test_two_cpus_in_order_of_time(self):
        cpus = [gen.Cpu(number=0), gen.Cpu(number=1, now=500)]
        for cpu in cpus:
            cpu.runs((1, cpu.number))
            for _ in range(50):
                cpu.call("fpu_taskswitch", 1)
        rows = self.calls("--ram", self.ram(cpus))
        self.assertEqual(len(rows), 100)
        times = [float(row["time"]) for row in rows]
        self.assertEqual(times, sorted(times))

    def test_overrun_is_counted_exactly(self):
        cpu = guest()
        for i in range(1000):
            cpu.call("set_timer_op", i)
        path = self.ram([cpu], nr_blocks=4)
        rows = self.rows("--ram", path)
        lost = sum(int(re.search(r"\d+", row["details"])[0]) for row in rows
                   if row["kind"] == "lost")
        calls = [row for row in rows if row["kind"] == "hypercall"]
        self.assertGreater(lost, 1000)
        # Every record of this trace is one end of a call; those at the very beginning are lost too.
        self.assertIn(lost + 2 * len(calls) - len(cpu.records), (0, 1))

    def test_saved_as_a_file(self):
        path, saved = self.ram([gen_traces.one_of_each()]), self.path("saved")
        text = self.good("--ram", path, "--save", saved)
        self.assertEqual(self.good(saved), text)

    def test_no_trace_in_it(self):
        path = self.path("zeros")
        with open(path, "wb") as f:
            f.truncate(1 << 20)
        status, _, complaints = self.run_it("--ram", path)
        self.assertEqual(status, 1)
        self.assertNotEqual(complaints, "")

    def test_a_copy_of_the_header_is_none(self):
        path = self.path("ram")
        ram = gen_ram.Ram(path)
        cpu = guest()
        cpu.call("fpu_taskswitch", 1)
        ram.add_all(cpu)
        ram.end()
        ram.rings = [0x800000]      # as of an earlier hypervisor: only its address is wrong
        ram.pa, there = 0x1000, ram.pa
        ram.header()
        ram.put(0x1010, there.to_bytes(8, "little"))
        ram.close()
        self.assertEqual(len(self.calls("--ram", path)), 1)


if __name__ == "__main__":
    unittest.main()
