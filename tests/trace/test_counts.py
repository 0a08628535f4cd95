"""What the trace reader adds up: the table of -c, the rows of --csv, the picture of --svg."""
import pathlib
import re
import sys
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
import gen_traces  # noqa: E402
from case import Case, guest  # noqa: E402


SVG = "{http://www.w3.org/2000/svg}"


class Counts(Case):
    def test_summary_counts_each_call(self):
        data, expected = gen_traces.workload(500)
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
        for name in ("mmu_update", "iret", "set_timer_op", "stack_switch", "multicall",
                     "event_channel_op"):
            self.assertEqual(found.get(name), total[name], (name, table))

    def test_csv_counts_each_call(self):
        data, expected = gen_traces.workload(500, seed=7)
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
        line = next(ln for ln in self.good("-c", self.trace(cpu)).splitlines()
                    if ln.endswith(" set_gdt"))
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
        self.assertIn(["memory_op", "1 calls, 0 failed", "2.00 ms in all, 2.00 ms each",
                       "66.67 %"], titles)
        self.assertFalse(any("SCHEDOP_block" in t[0] for t in titles))

    def test_members_are_within_their_multicall(self):
        cpu = gen.Cpu(step=1000, hz=10**9)
        cpu.runs((1, 0))
        cpu.multicall(("update_va_mapping", 1, 2, 0), ("update_va_mapping", 1, 2, 0))
        cpu.call("update_va_mapping", 1, 2, 0)
        _, titles = self.picture(cpu)
        self.assertIn(["multicall", "1 calls, 0 failed", "5.00 \u00b5s in all, 5.00 \u00b5s each",
                       "83.33 %"], titles)
        self.assertIn(["update_va_mapping", "2 calls, 0 failed",
                       "2.00 \u00b5s in all, 1.00 \u00b5s each", "33.33 %"], titles)
        self.assertIn(["update_va_mapping", "1 calls, 0 failed",
                       "1.00 \u00b5s in all, 1.00 \u00b5s each", "16.67 %"], titles)

        self.assertIn(["multicall, itself", "1 calls, 0 failed",
                       "3.00 \u00b5s in all, 3.00 \u00b5s each", "50.00 %"],
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
        data, expected = gen_traces.workload(1000)
        root, _ = self.picture(data)
        text = "".join(root.itertext()).replace("\u202f", "")
        for (domid, _), names in expected.items():
            blocks = names.get("sched_op", 0)
            members = 3 * names.get("multicall", 0)
            calls = sum(names.values()) - blocks + members
            self.assertIn(f"{calls} hypercalls · asleep {blocks} ×", text)
            self.assertIn(f"d{domid} · {'one' if domid == 1 else 'two'}", text)

    def test_small_ones_are_merged(self):
        cpu = guest()
        cpu.call("set_gdt", 0, 1, ticks=10**9)
        for name in ("fpu_taskswitch", "get_debugreg", "vm_assist"):
            cpu.call(name, 0, 0, ticks=1000)
        _, titles = self.picture(cpu)
        self.assertIn("other (3)", [t[0] for t in titles])

    def test_hostile_names(self):
        for name in (b"<&>\"'", b"\xff\xfe\x01\x1b[31m", b"\xef\xbf\xbf\xc3\xa9\xf4\x90\x80\x80",
                     b"]]></svg>"):
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


if __name__ == "__main__":
    unittest.main()
