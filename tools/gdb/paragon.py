"""gdb's view of Paragon: the commands `pv ...`. Load it with gdb build/paragon.elf64 -x
tools/gdb/paragon.py, then attach to QEMU's stub (make debug prints the line).

Structures, fields and constants come from the ELF file, by name (it is built with -g3): no offset
is typed here. Page tables are read as physical memory, which QEMU's stub offers, so that they can
be read whatever CR3 says. If the machine is not ready or is broken, a command prints one line,
never a Python trace.

What each command shows: pv_domains.py, pv_memory.py, pv_events.py, pv_sched.py, pv_replay.py;
reading the machine: machine.py.
"""

import os
import sys

import gdb

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(os.path.expanduser(__file__))))
import machine  # noqa: E402
import pv_domains  # noqa: E402
import pv_events  # noqa: E402
import pv_memory  # noqa: E402
import pv_replay  # noqa: E402
import pv_sched  # noqa: E402


class Prefix(gdb.Command):
    """Paragon: what the hypervisor knows of its guests. `help pv` lists the commands."""

    def __init__(self):
        super().__init__("pv", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class Command(gdb.Command):
    """One command: a function of the words given, whose docstring is the help. Any failure in it is
    one line."""

    def __init__(self, name, function):
        self.__doc__ = function.__doc__
        self.function = function
        super().__init__(f"pv {name}", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        try:
            self.function(*gdb.string_to_argv(argument))
        except TypeError as error:
            if "argument" not in str(error):
                raise gdb.GdbError(self.line(error)) from None
            raise gdb.GdbError(f"pv {self.function.__doc__.splitlines()[0]}") from None
        except KeyboardInterrupt:
            raise
        except Exception as error:  # the machine may be in any state
            raise gdb.GdbError(self.line(error)) from None

    def line(self, error):
        return " ".join(f"pv: {error}".split()) if str(error) else f"pv: {type(error).__name__}"


def symbols(elf, *more):
    """symbols FILE [WORDS]: adds the symbols of a guest's kernel, as add-symbol-file does."""
    gdb.execute(" ".join(["add-symbol-file", elf, *more]), False, True)
    print(f"symbols of {elf}: they are valid while that guest runs")


Prefix()
for _name, _function in {
        "domains": pv_domains.domains, "vcpu": pv_domains.vcpu, "frame": pv_memory.frame,
        "walk": pv_memory.walk, "evtchn": pv_events.evtchn, "grants": pv_events.grants,
        "queues": pv_sched.queues, "running": pv_sched.running, "trace": pv_sched.trace,
        "symbols": symbols,
        "goto": pv_replay.goto, "back": pv_replay.back}.items():
    Command(_name, _function)
gdb.execute("set confirm off")
