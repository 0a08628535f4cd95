"""Snapshots of a recorded machine: the image that QEMU writes them to, and a thread that asks QEMU
for one every so many seconds while it records. A replay can start from each of them, and gdb goes
backwards by way of them. Where the image lies, and what else is in a recording: recording.py.
Called by recording.py, paragon-run and tests/boot.
"""

import re
import socket
import struct
import threading
import time

START = "init"  # QEMU takes this one by itself, before the first instruction
PATIENCE = 60  # seconds, for QEMU's answer
PROMPT = b"(qemu) "


def empty_image(path):
    """A qcow2 image of one empty cluster. After the header come the table of reference counts, the
    one block of them, and the L1 table, a cluster each."""
    cluster = 1 << 16
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, cluster, 0, 1, 3 * cluster,
                         cluster, 1, 0, 0)
    parts = header, struct.pack(">Q", 2 * cluster), struct.pack(">4H", 1, 1, 1, 1), b""
    with open(path, "wb") as out:
        out.writelines(part.ljust(cluster, b"\0") for part in parts)


def names(path):
    """{name: number of instructions before it} of the snapshots in an image. In qcow2's table of
    snapshots that number is the third of the fields that older images lack."""
    found = {}
    with open(path, "rb") as image:
        number, offset = struct.unpack(">60x IQ", image.read(72))
        image.seek(offset)
        for _ in range(number):
            id_size, name_size, extra_size = struct.unpack(">12x HH 16x 4x I", image.read(40))
            extra, _, name = image.read(extra_size), image.read(id_size), image.read(name_size)
            image.seek(-(40 + extra_size + id_size + name_size) % 8, 1)
            found[name.decode()] = struct.unpack(">16x Q", extra[:24])[0] if len(extra) >= 24 else 0
    return found


class Taker:
    """A context in which snapshots s1, s2, ... are taken of the machine whose monitor is at this
    socket, one every so many seconds, at most `most` of them. `taken`: their names. tell: a
    function that gets a line about each."""

    def __init__(self, path, seconds, tell, most=None):
        self.path, self.seconds, self.tell, self.most, self.taken = path, seconds, tell, most, []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self):
        if self.seconds:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        if self.seconds:
            self.thread.join(PATIENCE)

    def work(self):
        try:
            with self.connect() as monitor:
                self.answer(monitor)
                while len(self.taken) != self.most and not self.stop.wait(self.seconds):
                    self.take(monitor, f"s{len(self.taken) + 1}")
        except (OSError, EOFError):
            pass  # the machine is off

    def connect(self):
        end = time.monotonic() + PATIENCE
        while True:
            monitor = socket.socket(socket.AF_UNIX)
            monitor.settimeout(PATIENCE)
            try:
                monitor.connect(self.path)
                return monitor
            except OSError:
                monitor.close()
                if self.stop.wait(0.05) or time.monotonic() > end:
                    raise

    @staticmethod
    def answer(monitor, command=""):
        """What the monitor prints, without the echo of the command."""
        if command:
            monitor.sendall(command.encode() + b"\n")
        data = b""
        while not data.endswith(PROMPT):
            more = monitor.recv(65536)
            if not more:
                raise EOFError
            data += more
        return data[:-len(PROMPT)].decode("utf-8", "replace").partition("\n")[2].strip()

    def take(self, monitor, name):
        """QEMU refuses while an event waits to be recorded: then it is asked again."""
        for _ in range(50):
            refused = self.answer(monitor, f"savevm {name}")
            if not refused:
                count = re.search(rf"^\S+ +{name} .* (\d+)\s*$",
                                  self.answer(monitor, "info snapshots"), re.M)
                self.taken.append(name)
                self.tell(f"snapshot {name}: instruction {count[1] if count else 'unknown'}")
                return
            self.stop.wait(0.1)
        self.tell(f"no snapshot {name}: {refused}")
        self.stop.set()
