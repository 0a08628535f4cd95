"""Traces that are damaged, cut or none at all."""
import csv
import gzip
import io
import json
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
import gen_traces  # noqa: E402
from case import PVTRACE, Case, guest  # noqa: E402


class Bad(Case):
    """What could be read is shown. A message says what is wrong and where. The exit status is 1."""

    def bad(self, data, *expected, args=()):
        status, out, complaints = self.run_it("--csv", *args, self.trace(data))
        self.assertEqual(status, 1, complaints)
        self.assertRegex(complaints, r"offset \d+")
        for what in expected:
            self.assertRegex(complaints, what)
        return [row for row in csv.DictReader(io.StringIO(out)) if row["kind"] == "hypercall"]

    def test_truncated_anywhere(self):
        cpu = guest()
        cpu.event(4, 5)
        cpu.multicall(("fpu_taskswitch", 1))
        cpu.trap(6)
        whole = cpu.window()
        ends, at = [12], 12                     # where a record ends
        for data in cpu.records:
            at += len(data)
            ends.append(at)
        results = [end for end, data in zip(ends[1:], cpu.records)
                   if int.from_bytes(data[:4], "little") & 0xfffffff == gen.RESULT]
        for size in range(len(whole)):
            status, out, complaints = self.run_it("--csv", self.trace(whole[:size]))
            self.assertEqual(status, 1, size)
            self.assertIn(f"offset {size}" if size >= 4 else "offset 0", complaints, size)
            shown = [row for row in csv.DictReader(io.StringIO(out)) if row["ticks"]]
            self.assertEqual(len(shown), sum(end <= size for end in results), size)
        self.assertEqual(self.run_it("--csv", self.trace(whole))[0], 0)

    def test_a_record_longer_than_its_window(self):
        first, second = guest(), guest(now=10**6)
        first.call("fpu_taskswitch", 1)
        second.call("fpu_taskswitch", 0)
        head = first.data()
        rows = self.bad(gen.window(head + gen.record(gen.TRAP, [1, 2, 3], 5)[:8]) + second.window(),
                        f"offset {12 + len(head)}:")
        self.assertEqual(len(rows), 2)

    def test_noise_in_the_middle(self):
        first, second = guest(), guest(now=10**6)
        first.call("fpu_taskswitch", 1)
        second.call("fpu_taskswitch", 0)
        self.assertEqual(len(self.bad(gen.window(first.data() + bytes(64)) + second.window())), 2)

    def test_a_window_of_no_cpu(self):
        cpu = guest()
        cpu.call("fpu_taskswitch", 1)
        self.assertEqual(len(self.bad(cpu.window() + gen.window(b"", cpu=99999))), 1)

    def test_a_window_longer_than_the_file(self):
        cpu = guest()
        cpu.call("fpu_taskswitch", 1)
        self.assertEqual(len(self.bad(gen.window(cpu.data(), claim=0xfffffff0))), 1)

    def test_noise_behind_the_end(self):
        cpu = guest()
        cpu.call("fpu_taskswitch", 1)
        good = cpu.window()
        self.assertEqual(len(self.bad(good + b"what?" * 10, f"offset {len(good)}:")), 1)

    def test_another_version(self):
        cpu = gen.Cpu(start=False)
        cpu.clock(version=99)
        self.bad(cpu, "99")

    def test_foreign_files(self):
        with open(PVTRACE, "rb") as f:
            elf = f.read(4096)
        for data, what in ((elf, "ELF"), (b"time,cpu,domain\n1,2,3\n" * 9, "text"), (b"", "empty"),
                           (gzip.compress(b"x" * 999), "compressed"), (bytes(4096), "trace"),
                           (b"\xff" * 4096, "trace")):
            with self.subTest(what):
                self.assertEqual(self.bad(data, what), [])

    def test_no_file(self):
        for path in (self.path("none"), self.dir):
            status, out, complaints = self.run_it(path)
            self.assertNotEqual(status, 0)
            self.assertEqual(out, "")
            self.assertIn(path, complaints)

    def test_every_output_survives(self):
        cpu = gen_traces.one_of_each()
        data = cpu.window()[:-7]
        for args in ([], ["-c"], ["--json"], ["--csv"], ["--svg"], ["--ctf", self.path("ctf")]):
            with self.subTest(args):
                status, _, complaints = self.run_it(*args, self.trace(data))
                self.assertEqual(status, 1)
                self.assertIn(f"offset {len(data)}", complaints)
        json.loads(self.run_it("--json", self.trace(data))[1])


if __name__ == "__main__":
    unittest.main()
