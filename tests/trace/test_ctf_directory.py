"""--ctf into what is already there."""
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
import gen_traces  # noqa: E402
from export import Export, run, synthetic  # noqa: E402


class Directory(unittest.TestCase):
    """--ctf into what is already there."""

    def setUp(self):
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.ctf = pathlib.Path(where.name) / "ctf"
        self.trace = pathlib.Path(where.name) / "trace"
        self.trace.write_bytes(synthetic()[0])

    def write(self):
        return run("--ctf", str(self.ctf), str(self.trace)).returncode

    def files(self):
        return {file.name for file in self.ctf.iterdir()}

    def test_an_earlier_trace_is_replaced(self):
        self.assertEqual(self.write(), 0)
        self.assertEqual(self.files(), {"metadata", "stream_0", "stream_1"})
        self.trace.write_bytes(gen_traces.one_of_each().window())
        self.assertEqual(self.write(), 0)
        self.assertEqual(self.files(), {"metadata", "stream_0"})

    def test_an_empty_directory_is_used(self):
        self.ctf.mkdir()
        self.assertEqual(self.write(), 0)

    def test_anything_else_is_left_alone(self):
        for name, text in (("letter", "dear"), ("metadata", "/* CTF 1.8 */\nsomebody else's"),
                           ("stream_0", "data")):
            with self.subTest(name):
                self.ctf.mkdir()
                (self.ctf / name).write_text(text)
                self.assertNotEqual(self.write(), 0)
                self.assertEqual(self.files(), {name})
                self.assertEqual((self.ctf / name).read_text(), text)
                shutil.rmtree(self.ctf)

    def test_an_earlier_trace_with_something_added(self):
        self.assertEqual(self.write(), 0)
        (self.ctf / "notes").write_text("mine")
        before = {file: (self.ctf / file).read_bytes() for file in self.files()}
        self.assertNotEqual(self.write(), 0)
        self.assertEqual({file: (self.ctf / file).read_bytes() for file in self.files()}, before)

    def test_a_file_is_no_directory(self):
        self.ctf.write_text("mine")
        self.assertNotEqual(self.write(), 0)
        self.assertEqual(self.ctf.read_text(), "mine")

    def test_no_clock(self):
        cpu = gen.Cpu(start=False)
        cpu.runs((1, 0))
        cpu.now = 2_400_000_000 * 5
        cpu.call("stack_switch", 1, 2)
        self.trace.write_bytes(cpu.window())
        export = Export(self.trace, self.ctf.parent)
        self.assertEqual((export.errors, export.babeltrace_errors), ([], ""))
        call, = export.calls
        self.assertEqual(call["time"], "5.000000416")
        self.assertEqual([e["ts"] for e in export.events if e.get("cat") == "hypercall"],
                         [5000000.416])
        self.assertEqual([time for time, name, _,
                          _ in export.ctf_events if name == "hypercall_entry"], ["5.000000416"])


if __name__ == "__main__":
    unittest.main()
