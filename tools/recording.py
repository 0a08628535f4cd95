"""Recordings: a directory with everything that makes a machine run the same way once more, byte for
byte and instruction for instruction. In it are QEMU's file of what entered the machine, snapshots,
copies of the files that it booted from and of the hypervisor with its symbols (so that a later
build changes nothing), the machine's settings, and what it printed. Called by paragon-run.

A recorded machine is emulated: KVM's instructions cannot be counted.
"""

import json
import os
import shutil
import struct
import subprocess

import snapshots

EVENTS, SNAPSHOTS, SETTINGS = "events", "snapshots.qcow2", "recording.json"
SYMBOLS, TERMINAL, MONITOR = "paragon.elf64", "terminal", "monitor"
# Those of paragon-run's arguments that are part of a recording.
KEPT = ("iso", "esp", "kernel", "append", "module", "cpu", "mem", "smp", "firmware")


def qemu_version():
    program = os.environ.get("QEMU", "qemu-system-x86_64").split()
    done = subprocess.run(program + ["--version"], capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[0]


class Recording:
    """replays: it exists, and is replayed. start: the snapshot from which it is replayed."""

    def __init__(self, directory, replays, start=snapshots.START):
        self.directory, self.replays, self.start = directory, replays, start

    def path(self, name):
        return os.path.join(self.directory, name)

    def rr(self):
        """The value of rr in qemu.command's machine."""
        return ("replay" if self.replays else "record", self.path(EVENTS), self.path(SNAPSHOTS),
                self.start)

    def text(self, lines, ended):
        """(lines, fault) of a run that printed these lines: all that the machine printed since its
        start (a replay from a snapshot prints only the rest), and what is wrong with a replay that
        ended, or None."""
        if not self.replays:
            with open(self.path(TERMINAL), "w", encoding="utf-8", newline="") as out:
                out.write("\n".join(lines))
            return lines, None
        with open(self.path(TERMINAL), encoding="utf-8", newline="") as file:
            whole = file.read()
        here = "\n".join(lines)
        if not whole.endswith(here):
            fault = "what it printed is not the end of what the recorded machine did"
            return lines, fault if ended else None
        if self.start == snapshots.START and len(here) != len(whole):
            return lines, "it printed less than the recorded machine did" if ended else None
        return whole.split("\n"), None

    def copy(self, source, name):
        if os.path.isdir(source):
            shutil.copytree(source, self.path(name), dirs_exist_ok=True)
        else:
            shutil.copyfile(source, self.path(name))
        return self.path(name)

    def keep(self, args, symbols):
        """Makes a new recording for a machine with these arguments, and changes them so that it
        boots from the copies. An earlier recording is replaced; other files there are kept."""
        os.makedirs(self.directory, exist_ok=True)
        snapshots.empty_image(self.path(SNAPSHOTS))
        open(self.path(TERMINAL), "w", encoding="utf-8").close()
        for what in ("iso", "esp", "kernel"):
            if getattr(args, what):
                setattr(args, what, self.copy(getattr(args, what), what))
        files = [module.partition(" ") for module in args.module]
        args.module = [f"{self.copy(file, f'module{n}')} {words}"
                       for n, (file, _, words) in enumerate(files)]
        if os.path.exists(symbols):
            self.copy(symbols, SYMBOLS)
        with open(self.path(SETTINGS), "w", encoding="utf-8") as out:
            kept = {name: getattr(args, name) for name in KEPT}
            json.dump({"qemu": qemu_version(), **kept}, out, indent=1)

    def load(self, args):
        """Sets the arguments to those of the recorded machine. Returns why it cannot be replayed,
        or None."""
        try:
            with open(self.path(SETTINGS), encoding="utf-8") as file:
                settings = json.load(file)
            if settings["qemu"] != qemu_version():
                return f"recorded with {settings['qemu']}, and this is {qemu_version()}"
            for name in KEPT:
                setattr(args, name, settings.get(name, getattr(args, name)))
            there = snapshots.names(self.path(SNAPSHOTS))
            if self.start not in there:
                return f"no snapshot {self.start}; there are " + \
                    ", ".join(f"{name} at instruction {count}" for name, count in there.items())
        except (OSError, ValueError, KeyError, struct.error) as error:
            return f"no recording ({type(error).__name__}: {error})"
        for what in ("iso", "esp", "kernel"):
            setattr(args, what, getattr(args, what) and self.here(getattr(args, what)))
        files = [module.partition(" ") for module in args.module]
        args.module = [f"{self.here(file)} {words}" for file, _, words in files]
        return None

    def here(self, path):
        """A copied file's path, wherever the recording was when it was made."""
        return self.path(os.path.basename(path))
