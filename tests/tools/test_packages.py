"""Missing packages: what apt is asked to install, and that nothing is compiled before that is done.
Scripts in the place of the package tools and the compilers come first on PATH and log each call."""

import os
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
COMPILERS = ("gcc", "clang", "ld", "ar", "tar")
FAILS = 'echo "$(basename "$0") $*" >> "$LOG"; exit 1'
INSTALLS = 'echo "begin apt-get $*" >> "$LOG"; sleep 0.5; echo "end apt-get $*" >> "$LOG"; ' \
    '[ ! -e "$LOG.fail" ] || { rm "$LOG.fail"; exit 100; }'


class StandIns(unittest.TestCase):
    def setUp(self):
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.where = where.name
        self.log = os.path.join(self.where, "log")
        self.program("apt-get", INSTALLS)
        self.program("sudo", 'exec "$@"')
        self.program("dpkg-query", "echo install ok installed old-package; "
                     "echo deinstall ok config-files removed-package; exit 1")

    def program(self, name, text):
        path = os.path.join(self.where, name)
        with open(path, "w", encoding="utf-8") as script:
            script.write("#!/bin/bash\n" + text + "\n")
        os.chmod(path, 0o755)

    def run_it(self, *command):
        env = {name: value for name, value in os.environ.items()
               if "MAKE" not in name and name != "MFLAGS" and not name.endswith("_CC")}
        env.update(PATH=self.where + ":" + os.environ["PATH"], LOG=self.log)
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True,
                              timeout=120, check=False)
        calls = []
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8") as log:
                calls = log.read().splitlines()
        return done, calls


class Install(StandIns):
    WANTED = "end apt-get -q install -y --no-install-recommends new-package removed-package"

    def test_a_complete_machine_is_not_changed(self):
        done, calls = self.run_it("tools/install-packages", "old-package")
        self.assertEqual((done.returncode, done.stdout, calls), (0, "", []))

    def test_what_is_missing_is_installed(self):
        done, calls = self.run_it("tools/install-packages", "removed-package", "old-package",
                                  "new-package")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(calls[-1], self.WANTED)
        self.assertIn("missing packages, installing: new-package removed-package", done.stdout)

    def test_old_lists_are_renewed(self):
        done, calls = self.run_it("bash", "-c", """
            tools/install-packages old-package new-package removed-package
            : > $LOG
            touch $LOG.fail
            tools/install-packages new-package removed-package""")
        self.assertEqual(done.returncode, 0)
        ends = [call for call in calls if call.startswith("end")]
        self.assertEqual(ends[-2:], ["end apt-get -q update", self.WANTED])


class Order(StandIns):
    def test_nothing_is_compiled_before_the_packages_are_there(self):
        for name in COMPILERS:
            self.program(name, FAILS)
        build = os.path.join(self.where, "build")
        os.mkdir(build)
        guest = os.path.join(self.where, "guest")       # a build directory in which newlib is built
        os.mkdir(guest)
        with open(os.path.join(guest, "newlib.stamp"), "w", encoding="utf-8"):
            pass
        for out, goals, expected in (
                (build, ("build", "{}/hv/symbols0.o", "{}/linux/port32", "{}/efi/tests/tiny"),
                 {"gcc", "tar"}),
                (guest, ("{}/guest-pv/guest-pv", "{}/guest-pv/store"), {"gcc"}),
                (build, ("lint", "{}/unit/xen/main.o", "{}/model/xen/main.o",
                         "{}/trace/tools/pvtrace/main.o"), {"gcc", "clang"})):
            with self.subTest(goals):
                if os.path.exists(self.log):
                    os.remove(self.log)
                done, calls = self.run_it("make", "-s", "-k", "-j4", f"BUILD={out}",
                                          *(goal.format(out) for goal in goals))
                self.assertNotEqual(done.returncode, 0)
                compiled = [n for n, call in enumerate(calls) if call.split()[0] in COMPILERS]
                installed = [n for n, call in enumerate(calls)
                             if call.startswith("end apt-get -q install")]
                self.assertEqual({calls[n].split()[0] for n in compiled} & {"gcc", "clang", "tar"},
                                 expected)
                self.assertTrue(installed, calls[:5])
                self.assertLess(installed[0], min(compiled), calls[:5])
                # clang is one of the packages that only tests need, which are installed last.
                clang = [n for n in compiled if calls[n].startswith("clang")]
                self.assertTrue(not clang or installed[-1] < min(clang), calls[:8])


if __name__ == "__main__":
    unittest.main()
