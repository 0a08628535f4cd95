"""The tests of a trace that was exported as JSON: a part of the class that test_exports.py makes
for each trace."""
import collections
import re


class Json:
    """self.export is the trace in all forms (export.py)."""

    def test_json_structure(self):
        named = {(e["pid"], e["tid"]) for e in self.export.events if e["ph"] == "M"
                 and e["name"] == "thread_name"}
        processes = {e["pid"] for e in self.export.events if e["ph"] == "M"
                     and e["name"] == "process_name"}
        for event in self.export.events:
            self.assertIn(event["ph"], "XiMsf")
            self.assertIn(event["pid"], processes)
            if event["ph"] == "M":
                continue
            self.assertIn((event["pid"], event["tid"]), named, event)
            self.assertTrue(event["name"] and event["cat"])
            if event["ph"] == "X":
                self.assertGreaterEqual(event["dur"], 0)
            if event["ph"] == "i":
                self.assertIn(event["s"], "tpg")
        self.assertEqual(set(re.findall(rb'"(?:ts|dur)":([^,}]*)', self.export.json)) -
                         set(re.findall(rb'"(?:ts|dur)":(-?\d+\.\d{3})[,}]', self.export.json)),
                         set())
        other = self.export.document["otherData"]
        self.assertGreater(other["tsc_hz"], 0)
        self.assertEqual(other["records_lost"], self.export.lost())

    def test_json_calls(self):
        ours = collections.Counter(row["operation"] or row["name"] for row in self.export.calls)
        theirs = collections.Counter(e["name"] for e in self.export.events
                                     if e.get("cat") == "hypercall")
        self.assertEqual(theirs, ours)
        results = collections.Counter(int(row["result"]) for row in self.export.calls
                                      if row["result"])
        self.assertEqual(collections.Counter(int(e["args"]["result"]) for e in self.export.events
                                             if e.get("cat") == "hypercall"
                                             and "result" in e["args"]), results)

    def test_json_nothing_missing(self):
        counts = collections.Counter(row["kind"] for row in self.export.rows)
        theirs = collections.Counter(e["cat"] for e in self.export.events if e["ph"] in "Xi")
        for kind in ("trap", "upcall", "ptwr", "emulated", "send", "domain", "mem", "lost",
                     "counter", "classes", "other"):
            self.assertEqual(theirs[kind], counts[kind], kind)

    def slices(self):
        """Slices of each track in order, times in whole nanoseconds: (from, to, event)."""
        tracks = collections.defaultdict(list)
        for e in self.export.events:
            if e["ph"] == "X":
                start, took = round(e["ts"] * 1000), round(e["dur"] * 1000)
                tracks[e["pid"], e["tid"]].append((start, start + took, e))
        for track in tracks.values():
            track.sort(key=lambda s: (s[0], -s[1]))
        return tracks

    def test_json_slices_nest(self):
        for track, slices in self.slices().items():
            open_ends = []
            for start, end, event in slices:
                while open_ends and open_ends[-1] <= start:
                    open_ends.pop()
                self.assertTrue(not open_ends or end <= open_ends[-1], (track, event))
                open_ends.append(end)

    def test_json_members_are_inside_their_multicall(self):
        members = sum(row["depth"] != "0" for row in self.export.calls)
        inside = 0
        for slices in self.slices().values():
            outer = None
            for start, end, event in slices:
                if event["cat"] == "hypercall" and outer is not None and start < outer:
                    self.assertLessEqual(end, outer)    # a refused multicall among the members, too
                    inside += 1
                elif event["cat"] == "hypercall" and event["name"] == "multicall":
                    outer = end
        self.assertEqual(inside, members)

    def test_json_arrows(self):
        tracks = self.slices()
        ends = {e["id"]: e for e in self.export.events if e["ph"] == "f"}
        starts = {e["id"]: e for e in self.export.events if e["ph"] == "s"}
        self.assertEqual(set(starts), set(ends))
        both = [(e, "hypercall") for e in starts.values()] + [(e, "upcall") for e in ends.values()]
        for arrow, category in both:
            at = round(arrow["ts"] * 1000)
            self.assertTrue(any(start <= at <= end and e["cat"] == category
                                for start, end, e in tracks[arrow["pid"], arrow["tid"]]), arrow)
            if arrow["ph"] == "s":
                self.assertLessEqual(arrow["ts"], ends[arrow["id"]]["ts"])
