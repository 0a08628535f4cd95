"""Recordings: a directory with everything that a machine has to be given to run the same way once
more, to the last byte and instruction. That is QEMU's own file of what entered it, its snapshots,
copies of the files that it booted from and of the hypervisor with its symbols (a build after it
changes nothing), which machine it was, and what it printed. Used by paragon-run.

A recorded machine is emulated: KVM's instructions cannot be counted."""

import json
import os
import shutil
import struct
import subprocess

import snapshots

EVENTS, SNAPSHOTS, SETTINGS, SYMBOLS = "events", "snapshots.qcow2", "recording.json", "paragon.elf64"
TERMINAL, MONITOR = "terminal", "monitor"
# of paragon-run's arguments
KEPT = ("iso", "esp", "kernel", "append", "module", "cpu", "mem", "firmware")


def qemu_version():
    program = os.environ.get("QEMU", "qemu-system-x86_64").split()
    return subprocess.run(program + ["--version"], capture_output=True, text=True,
                          check=True).stdout.split("\n")[0]


class Recording:
    """replays: whether it is there already. start: the snapshot from which it is replayed."""

    def __init__(self, directory, replays, start=snapshots.START):
        self.directory, self.replays, self.start = directory, replays, start

    def path(self, name):
        return os.path.join(self.directory, name)

    def rr(self):
        """For qemu.command's machine."""
        return ("replay" if self.replays else "record", self.path(EVENTS), self.path(SNAPSHOTS),
                self.start)

    def text(self, lines, ended):
        """The machine's text from its start, of which these lines were printed: the recording's, or
        what went before the snapshot and these. A string: what is wrong with a replay that came to
        its end; else None."""
        if not self.replays:
            with open(self.path(TERMINAL), "w", encoding="utf-8", newline="") as out:
                out.write("\n".join(lines))
            return lines, None
        with open(self.path(TERMINAL), encoding="utf-8", newline="") as file:
            whole = file.read()
        here = "\n".join(lines)
        if not whole.endswith(here):
            return lines, "what it printed is not the end of what the recorded machine did" if ended else None
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
        """A new recording of the machine of these arguments, which from now on is to boot from the
        copies. It takes an earlier one's place; other files that may be there are left alone."""
        os.makedirs(self.directory, exist_ok=True)
        snapshots.empty_image(self.path(SNAPSHOTS))
        open(self.path(TERMINAL), "w", encoding="utf-8").close()
        for what in ("iso", "esp", "kernel"):
            if getattr(args, what):
                setattr(args, what, self.copy(getattr(args, what), what))
        files = [module.partition(" ") for module in args.module]
        args.module = [f"{self.copy(file, f'module{n}')} {words}" for n,
                       (file, _, words) in enumerate(files)]
        if os.path.exists(symbols):
            self.copy(symbols, SYMBOLS)
        with open(self.path(SETTINGS), "w", encoding="utf-8") as out:
            kept = {name: getattr(args, name) for name in KEPT}
            json.dump({"qemu": qemu_version(), **kept}, out, indent=1)

    def load(self, args):
        """Makes the arguments those of the recorded machine. A string: why it cannot be replayed;
        else None."""
        try:
            with open(self.path(SETTINGS), encoding="utf-8") as file:
                settings = json.load(file)
            if settings["qemu"] != qemu_version():
                return f"recorded with {settings['qemu']}, and this is {qemu_version()}"
            for name in KEPT:
                setattr(args, name, settings[name])
            there = snapshots.names(self.path(SNAPSHOTS))
            if self.start not in there:
                return f"no snapshot {self.start}; there are " + \
                    ", ".join(f"{name} at instruction {count}" for name, count in there.items())
        except (OSError, ValueError, KeyError, struct.error) as error:
            return f"no recording ({type(error).__name__}: {error})"
        # noqa: E731
        moved = lambda word: word and os.path.join(self.directory, os.path.basename(word))
        args.iso, args.esp, args.kernel = moved(args.iso), moved(args.esp), moved(args.kernel)
        files = [module.partition(" ") for module in args.module]
        args.module = [f"{moved(file)} {words}" for file, _, words in files]
        return None
