"""The trace reader's habits, on synthetic traces (gen.py): what is shown of good traces, and what of bad ones. The program is
$PVTRACE, built with the sanitizers by `make trace-test`."""
import csv
import gzip
import io
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402

PVTRACE = os.environ.get("PVTRACE", "build/trace/pvtrace")
SVG = "{http://www.w3.org/2000/svg}"


class Case(unittest.TestCase):
    def setUp(self):
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.dir = where.name
        self.files = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def trace(self, data):
        """A file with these bytes, or with the window of a Cpu."""
        self.files += 1
        path = self.path(f"{self.files}.trace")
        with open(path, "wb") as f:
            f.write(data.window() if isinstance(data, gen.Cpu) else data)
        return path

    def start(self, *args, **options):
        return subprocess.Popen([PVTRACE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                errors="replace", **options)

    def run_it(self, *args, stdin=None):
        """(exit status, output, complaints); a crash fails here."""
        done = subprocess.run([PVTRACE, *args], capture_output=True, timeout=60, check=False, input=stdin)
        complaints = done.stderr.decode(errors="replace")
        self.assertIn(done.returncode, (0, 1, 2), complaints)
        self.assertNotRegex(complaints, "Sanitizer|runtime error")
        return done.returncode, done.stdout.decode(errors="replace"), complaints

    def good(self, *args, stdin=None):
        status, out, complaints = self.run_it(*args, stdin=stdin)
        self.assertEqual((status, complaints), (0, ""))
        return out

    def rows(self, *args):
        return list(csv.DictReader(io.StringIO(self.good("--csv", *args))))

    def calls(self, *args):
        return [row for row in self.rows(*args) if row["kind"] == "hypercall"]


def guest(step=1000, **options):
    """A Cpu on which d1v0 runs."""
    cpu = gen.Cpu(step=step, **options)
    cpu.runs((1, 0))
    return cpu


class Text(Case):
    def lines(self, cpu, *args):
        return self.good("--times", "none", *args, self.trace(cpu)).splitlines()

    def test_every_kind(self):
        text = self.good(self.trace(gen.one_of_each()))
        for what in (r"\[d1v0 [\d.]+\] mmu_update\(\[\{.*ptr=0x7f3000.*\], 2, .*DOMID_SELF\) = 0",
                     r"update_va_mapping\(0xffff880000001000, .*\) = 0",
                     r"update_va_mapping_otherdomain\(.*2\) = 0", r"\]   stack_switch\(", r"\] multicall\(",
                     r"= -38 ENOSYS", r"event_channel_op\(EVTCHNOP_send, \{port=5\}\) = 0 -> d2v0",
                     r"--- #GP code=0x18", r"--- #UD", r"--- #PF write not-present user va=0xdead000", r"--- ptwr va=",
                     r"--- emulate mov +%cr3", r"cpuid", r"--- upcall", r'console_io\(CONSOLEIO_write, 6, "hello\\n"\) = 6',
                     r"\] iret\(\)(?! = )", r"xen_version\(XENVER_version.*\) = .*", r"\{port=9\}", r"= -22 EINVAL",
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
        self.assertEqual([re.sub(r"\(.*\)", "()", line) for line in self.lines(cpu, "--no-took") if "---" not in line],
                         ["[d1v0] iret()", "[d1v0] multicall() = ?", "[d1v0]   fpu_taskswitch() = 0",
                          "[d1v0]   stack_switch() = ?", "[d1v0] sched_op() = ?", "[d1v0] vm_assist() = 0"])
        self.assertEqual([bool(row["ticks"]) for row in self.calls(self.trace(cpu))],
                         [False, True, False, False, False, True])

    def test_a_result_that_belongs_to_the_multicall(self):
        cpu = guest()
        cpu.begin("multicall", 0x1000, 1)
        cpu.begin("stack_switch", 1, 2, sub=True)
        cpu.result("multicall", 0)
        cpu.call("vm_assist", 0, 4)
        self.assertEqual([(row["name"], row["depth"], bool(row["ticks"])) for row in self.calls(self.trace(cpu))],
                         [("stack_switch", "1", False), ("multicall", "0", True), ("vm_assist", "0", True)])

    def test_a_call_alone_is_one_line(self):
        cpu = guest()
        cpu.begin("sched_op", 1, 0)
        cpu.switch((gen.IDLE, 0), leave=gen.BLOCKED)
        cpu.switch((1, 0))
        cpu.result("sched_op")
        self.assertEqual(len(self.lines(cpu, "-e", "sched_op")), 1)

    def test_times(self):
        cpu = guest(now=2 * gen.HZ)
        cpu.now = 3 * gen.HZ - cpu.step
        cpu.call("fpu_taskswitch", 1)
        cpu.now = 3 * gen.HZ + gen.HZ // 2 - cpu.step
        cpu.call("fpu_taskswitch", 0)
        path = self.trace(cpu)

        def times(*args):
            return re.findall(r"\[d1v0 ([\d.]+)\] fpu", self.good("-e", "fpu_taskswitch", *args, path))
        self.assertEqual(times(), ["3.000000000", "3.500000000"])
        self.assertEqual(times("--times", "relative"), ["0.000000000", "0.500000000"])
        self.assertEqual(times("--times", "delta"), ["0.000000000", "0.500000000"])
        self.assertEqual(times("--times", "ticks"), ["6000000000", "7000000000"])

    def test_symbols(self):
        cpu = guest()
        cpu.trap(6, rip=0xffffffff81000010)
        system_map = self.path("System.map")
        with open(system_map, "w", encoding="ascii") as f:
            f.write("ffffffff81000000 T startup\nffffffff81000020 t later\n")
        self.assertIn("<startup+0x10>", self.good("--symbols", system_map, self.trace(cpu)))
        source, elf = self.path("x.S"), self.path("x.elf")
        with open(source, "w", encoding="ascii") as f:
            f.write(".globl _start, there\n_start: .skip 16\n.type there, @function\nthere: nop\n.size there, 1\n")
        subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0xffffffff81000000",
                        source, "-o", elf], check=True)
        self.assertIn("<there>", self.good("--symbols", elf, self.trace(cpu)))

    def test_symbols_of_a_stripped_kernel(self):
        text = 0xffffffff81000000
        symbols = [(8 * i, "A", f"percpu_{i}") for i in range(300)]
        symbols += [(text + 16 * i, "T", f"do_{i}_sys_" + "long" * (i % 40)) for i in range(700)]
        cpu = guest()
        cpu.trap(6, rip=text)
        cpu.trap(6, rip=text + 16 * 639 + 3)
        for late in False, True:
            with self.subTest(late=late):
                kernel = self.path("vmlinux")
                with open(kernel, "wb") as f:
                    f.write(gen.elf(bytes(4096) + b"0\0001\0002\0" * 5 + bytes(1010) + gen.kallsyms(symbols, late) + bytes(99)))
                lines = self.good("--symbols", kernel, self.trace(cpu))
                self.assertIn("<do_0_sys_>", lines)
                self.assertIn("<do_639_sys_" + "long" * 39 + "+0x3>", lines)
                with open(kernel, "r+b") as f:          # a name more than there is
                    data = f.read().replace(struct.pack("<Q", len(symbols)), struct.pack("<Q", len(symbols) + 1))
                    f.seek(0)
                    f.write(data)
                self.assertIn("no symbols", self.run_it("--symbols", kernel, self.trace(cpu))[2])

    def test_saved_kallsyms(self):
        cpu = guest()
        cpu.trap(6, rip=0xffffffffc0000010)
        path = self.path("kallsyms")
        with open(path, "w", encoding="ascii") as f:
            f.write("0000000000000000 A fixed_percpu_data\nffffffffc0000000 t init\t[module]\n")
        self.assertIn("<init+0x10>", self.good("--symbols", path, self.trace(cpu)))

    def test_symbol_files_without_symbols(self):
        for text in ("ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n",
                     "0000000000000000 T startup_64\n", "", "MZ and so on"):
            with self.subTest(text):
                path = self.path("System.map")
                with open(path, "w", encoding="ascii") as f:
                    f.write(text)
                status, out, complaints = self.run_it("--symbols", path, self.trace(guest()))
                self.assertEqual(status, 2 if text.startswith("MZ") else 0)
                self.assertRegex(complaints, "unpack-kernel" if text.startswith("MZ") else "vmlinux.*/proc/kallsyms")
                self.assertNotIn("The", out)

    def test_no_symbols(self):
        status, _, complaints = self.run_it("--symbols", self.path("none"), self.trace(guest()))
        self.assertNotEqual(status, 0)
        self.assertIn("none", complaints)


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
        for expression, count in (("trace=event_channel_op", 6), ("event_channel_op", 6), ("EVTCHNOP_send", 3),
                                  ("mmu", 3), ("event,mmu", 9), ("!event", 6), ("!event,mmu", 3), ("all", 12),
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
        for words, expected in ((["d1"], [("1", "0"), ("1", "1")]), (["d1v1"], [("1", "1")]), (["2"], [("2", "0")]),
                                (["two"], [("2", "0")]), (["d1v0", "two"], [("1", "0"), ("2", "0")]), (["d3"], [])):
            with self.subTest(words):
                self.assertEqual(self.guests(*[w for word in words for w in ("-p", word)]), expected)

    def test_filter_of_the_picture(self):
        picture = self.good("--svg", "-p", "two", self.file)
        self.assertIn("d2 · two", picture)
        self.assertNotIn("d1 ·", picture)


class Counts(Case):
    def test_summary_counts_each_call(self):
        data, expected = gen.workload(500)
        total = {}
        for counts in expected.values():
            for name, n in counts.items():
                total[name] = total.get(name, 0) + n
        found = {}
        table = self.good("-c", self.trace(data)).split("\n\n")[0]
        for line in table.splitlines():
            m = re.match(r" *[\d.]+ .* (\d+) +(?:\d+ )? (\w+)$", line)
            if m:
                found[m[2]] = int(m[1])
        for name in ("mmu_update", "iret", "set_timer_op", "stack_switch", "multicall", "event_channel_op"):
            self.assertEqual(found.get(name), total[name], (name, table))

    def test_csv_counts_each_call(self):
        data, expected = gen.workload(500, seed=7)
        found = {}
        for row in self.calls(self.trace(data)):
            if row["depth"] == "0":
                mine = found.setdefault((int(row["domain"]), int(row["vcpu"])), {})
                mine[row["name"]] = mine.get(row["name"], 0) + 1
        self.assertEqual(found, expected)

    def test_times_and_errors(self):
        cpu = guest()
        for ticks, result in ((1000, 0), (3000, -22), (8000, 0)):
            cpu.call("set_gdt", 0, 1, ticks=ticks, result=result)
        rows = self.calls(self.trace(cpu))
        self.assertEqual([(r["ticks"], r["result"], r["errno"]) for r in rows],
                         [("1000", "0", ""), ("3000", "-22", "EINVAL"), ("8000", "0", "")])
        line = next(ln for ln in self.good("-c", self.trace(cpu)).splitlines() if ln.endswith(" set_gdt"))
        self.assertRegex(line, r" 0\.000006000 +2\.000 +4\.000 +3 +1 ")

    def test_a_sleeping_call_costs_nothing(self):
        cpu = guest()
        cpu.call("fpu_taskswitch", 1)
        cpu.block(ticks=10**9)
        summary = self.good("-c", self.trace(cpu))
        self.assertRegex(summary, r"(?m)^asleep +0\.50000.*SCHEDOP_block$")
        self.assertRegex(summary, r"(?m)^100\.00 +0\.00000.* total$")

    def test_the_hypervisors_own_counts(self):
        cpu = guest()
        cpu.add(gen.CLASSES, [0x7f])
        cpu.call("fpu_taskswitch", 1)
        cpu.counters({"fpu_taskswitch": 1})
        self.assertIn("agree", self.good("-c", self.trace(cpu)))
        cpu.counters({"fpu_taskswitch": 2})
        self.assertIn("differ", self.good("-c", self.trace(cpu)))

    def test_lost_records_are_said(self):
        cpu = guest()
        cpu.lost(77)
        cpu.call("fpu_taskswitch", 1)
        path = self.trace(cpu)
        for args in ([], ["-c"], ["--csv"], ["--svg"]):
            self.assertRegex(self.good(*args, path), r"\b77\b")


class Picture(Case):
    def picture(self, cpu, *args):
        root = xml.etree.ElementTree.fromstring(self.good("--svg", *args, self.trace(cpu)))
        self.assertEqual(root.tag, SVG + "svg")
        titles = [title.text.split("\n") for title in root.iter(SVG + "title")]
        return root, titles

    def test_where_the_time_went(self):
        cpu = gen.Cpu(step=10, hz=10**9)
        cpu.domain(1, 0, b"one")
        cpu.runs((gen.IDLE, 0))
        cpu.switch((1, 0))                      # from here on: d1v0 runs
        began = cpu.now
        cpu.call("fpu_taskswitch", 1, ticks=1_000_000)
        cpu.call("memory_op", 9, 0x1000, ticks=2_000_000)
        cpu.now += 5_000_000
        cpu.block(ticks=4_000_000)
        cpu.switch((gen.IDLE, 0))
        cpu.now = began + 20_000_000
        cpu.add(gen.DOM_ADD, [9])
        _, titles = self.picture(cpu)
        found = {t[0]: t[1:] for t in titles}
        self.assertEqual(found["hypercalls"][0], "3.00 ms")
        self.assertEqual(found["blocked"][0], "4.00 ms")
        self.assertEqual(found["guest code"][0], "5.00 ms")
        self.assertEqual(found["waiting for the CPU"][0], "8.00 ms")
        self.assertEqual(found["fpu_taskswitch"],           # the table's, the last
                         ["1 calls, 0 failed", "1.00 ms in all, 1.00 ms each", "33.33 %"])
        self.assertIn(["memory_op", "1 calls, 0 failed", "2.00 ms in all, 2.00 ms each", "66.67 %"], titles)
        self.assertFalse(any("SCHEDOP_block" in t[0] for t in titles))

    def test_members_are_within_their_multicall(self):
        cpu = gen.Cpu(step=1000, hz=10**9)
        cpu.runs((1, 0))
        cpu.multicall(("update_va_mapping", 1, 2, 0), ("update_va_mapping", 1, 2, 0))
        cpu.call("update_va_mapping", 1, 2, 0)
        _, titles = self.picture(cpu)
        self.assertIn(["multicall", "1 calls, 0 failed", "5.00 \u00b5s in all, 5.00 \u00b5s each", "83.33 %"], titles)
        self.assertIn(["update_va_mapping", "2 calls, 0 failed", "2.00 \u00b5s in all, 1.00 \u00b5s each", "33.33 %"], titles)
        self.assertIn(["update_va_mapping", "1 calls, 0 failed", "1.00 \u00b5s in all, 1.00 \u00b5s each", "16.67 %"], titles)

        self.assertIn(["multicall, itself", "1 calls, 0 failed", "3.00 \u00b5s in all, 3.00 \u00b5s each", "50.00 %"],
                      titles)

    def test_sleep_without_scheduling_records(self):
        cpu = gen.Cpu(step=0, hz=10**9)
        cpu.runs((1, 0))
        cpu.call("fpu_taskswitch", 1, ticks=1_000_000)
        cpu.call("sched_op", 1, 0, ticks=7_000_000)         # block
        cpu.call("sched_op", 0, 0, ticks=2_000_000)         # yield
        _, titles = self.picture(cpu)
        found = {t[0]: t[1] for t in titles}
        self.assertEqual((found["hypercalls"], found["blocked"], found["waiting for the CPU"]),
                         ("1.00 ms", "7.00 ms", "2.00 ms"))
        self.assertNotIn("guest code", found)

    def test_total_of_a_workload(self):
        data, expected = gen.workload(1000)
        root, _ = self.picture(data)
        text = "".join(root.itertext()).replace("\u202f", "")
        for (domid, _), names in expected.items():
            blocks = names.get("sched_op", 0)
            members = 3 * names.get("multicall", 0)
            self.assertIn(f"{sum(names.values()) - blocks + members} hypercalls · asleep {blocks} ×", text)
            self.assertIn(f"d{domid} · {'one' if domid == 1 else 'two'}", text)

    def test_small_ones_are_merged(self):
        cpu = guest()
        cpu.call("set_gdt", 0, 1, ticks=10**9)
        for name in ("fpu_taskswitch", "get_debugreg", "vm_assist"):
            cpu.call(name, 0, 0, ticks=1000)
        _, titles = self.picture(cpu)
        self.assertIn("other (3)", [t[0] for t in titles])

    def test_hostile_names(self):
        for name in (b"<&>\"'", b"\xff\xfe\x01\x1b[31m", b"\xef\xbf\xbf\xc3\xa9\xf4\x90\x80\x80", b"]]></svg>"):
            cpu = gen.Cpu()
            cpu.domain(1, 0, name)
            cpu.runs((1, 0))
            cpu.call("fpu_taskswitch", 1)
            self.picture(cpu)

    def test_nothing_in_it(self):
        self.picture(gen.Cpu())

    def test_xens_own_traces_have_no_results(self):
        cpu = guest()
        for _ in range(3):
            cpu.begin("fpu_taskswitch", 1)
        root, titles = self.picture(cpu)
        self.assertIn("no results", "".join(root.itertext()))
        self.assertIn(["fpu_taskswitch", "3 calls, 0 failed", "100.00 %"], titles)


class Bad(Case):
    """What could be read is shown, what is wrong is said with its place, and the exit status is 1."""

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
                           (gzip.compress(b"x" * 999), "compressed"), (bytes(4096), "trace"), (b"\xff" * 4096, "trace")):
            with self.subTest(what):
                self.assertEqual(self.bad(data, what), [])

    def test_no_file(self):
        for path in (self.path("none"), self.dir):
            status, out, complaints = self.run_it(path)
            self.assertNotEqual(status, 0)
            self.assertEqual(out, "")
            self.assertIn(path, complaints)

    def test_every_output_survives(self):
        cpu = gen.one_of_each()
        data = cpu.window()[:-7]
        for args in ([], ["-c"], ["--json"], ["--csv"], ["--svg"], ["--ctf", self.path("ctf")]):
            with self.subTest(args):
                status, _, complaints = self.run_it(*args, self.trace(data))
                self.assertEqual(status, 1)
                self.assertIn(f"offset {len(data)}", complaints)
        json.loads(self.run_it("--json", self.trace(data))[1])


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
            process = subprocess.Popen([PVTRACE, "--follow", *args], stdout=f, stderr=subprocess.PIPE)
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
        cpu = gen.one_of_each()
        self.assertEqual(self.good("-", stdin=cpu.window()), self.good(self.trace(cpu)))

    def test_ram_while_it_is_written(self):
        path = self.path("ram")
        ram = gen.Ram(path)
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
        ram = gen.Ram(path, nr_cpus=len(cpus), **options)
        for cpu in cpus:
            ram.add_all(cpu)
        ram.end()
        ram.close()
        return path

    def test_the_same_as_from_a_file(self):
        cpu = gen.one_of_each()
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
        lost = sum(int(re.search(r"\d+", row["details"])[0]) for row in rows if row["kind"] == "lost")
        calls = [row for row in rows if row["kind"] == "hypercall"]
        self.assertGreater(lost, 1000)
        # Every record of this trace is one end of a call; those at the very beginning are lost too.
        self.assertIn(lost + 2 * len(calls) - len(cpu.records), (0, 1))

    def test_saved_as_a_file(self):
        path, saved = self.ram([gen.one_of_each()]), self.path("saved")
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
        ram = gen.Ram(path)
        cpu = guest()
        cpu.call("fpu_taskswitch", 1)
        ram.add_all(cpu)
        ram.end()
        ram.rings = [0x800000]                  # of a hypervisor before it, say: all but its address is plausible
        ram.pa, there = 0x1000, ram.pa
        ram.header()
        ram.put(0x1010, there.to_bytes(8, "little"))
        ram.close()
        self.assertEqual(len(self.calls("--ram", path)), 1)


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
        for one, other in ((("vcpu_op", 3, 0, 0), ("vcpu_op", 3, 1, 0)), (("memory_op", 0, 0), ("memory_op", 1, 0))):
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
        self.assertRegex(out, r"d1v0: differs, 20000 calls in A and 20001 in B, the first 20000 the same")

    def test_filter(self):
        self.assertEqual(self.diff(self.sequence(), self.sequence(change=5), "-e", "!vm_assist")[0], 0)

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
