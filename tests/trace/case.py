"""What the tests of the trace reader share: a directory for each test, traces made by gen.py, and
runs of the program. The program is $PVTRACE, which `make trace-test` builds with the sanitizers."""
import csv
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402

PVTRACE = os.environ.get("PVTRACE", "build/trace/pvtrace")


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
        return subprocess.Popen([PVTRACE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True,
                                errors="replace", **options)

    def run_it(self, *args, stdin=None):
        """(exit status, output, complaints); a crash fails here."""
        done = subprocess.run([PVTRACE, *args], capture_output=True, timeout=60, check=False,
                              input=stdin)
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
