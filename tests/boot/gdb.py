"""As much of GDB's remote protocol as a test needs to do to the machine what no guest and no key
can: stop at an instruction of the hypervisor, change a register, raise an NMI or a machine check
there, and continue.

QEMU does not start the machine (-S) before the plan does. A plan is a function of a Stub; it runs
in a thread beside the boot, and an exception in it is a fault of the case. Plans: meddle.py.
Called by run.py.
"""

import os
import re
import socket
import subprocess
import threading
import time

# Numbers of registers in QEMU's x86-64 target description.
RBX, RSP, RIP = 1, 7, 16
PATIENCE = 60  # seconds, for any one answer


def options(path):
    """Options for QEMU's command line."""
    return ["-S", "-gdb", f"unix:{path},server=on,wait=off"]


def symbols(elf):
    """Addresses of the hypervisor's functions."""
    lines = subprocess.run(["nm", elf], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return {name: int(address, 16)
            for address, _, name in (line.split() for line in lines if len(line.split()) == 3)}


class Ended(Exception):
    """The machine is off."""


class Stub:
    def __init__(self, path, elf):
        self.symbols = symbols(elf)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.rest = b""
        # Only after this QEMU lets single registers be written.
        self.ask("qXfer:features:read:target.xml:0,fff")

    def send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError as error:
            raise Ended from error

    def send(self, text):
        data = text.encode()
        self.send_bytes(b"$%s#%02x" % (data, sum(data) & 0xff))

    def receive(self):
        """The next packet's text; acknowledgements are dropped."""
        while not (match := re.search(rb"\$([^#]*)#..", self.rest)):
            try:
                chunk = self.socket.recv(65536)
            except ConnectionError:
                chunk = b""
            if not chunk:
                raise Ended
            self.rest += chunk
        self.rest = self.rest[match.end():]
        if match[1].startswith(b"W"):
            raise Ended
        self.send_bytes(b"+")
        return match[1].decode()

    def ask(self, text):
        self.send(text)
        answer = self.receive()
        if answer.startswith("E"):
            raise RuntimeError(f"gdb stub: {text}: {answer}")
        return answer

    def run_to(self, name):
        """Continues until this function is entered, by a hardware breakpoint, which leaves the
        image unchanged."""
        address = f"{self.symbols[name]:x}"
        self.ask(f"Z1,{address},1")
        answer = self.ask("c")
        if not answer.startswith("T05"):
            raise RuntimeError(f"gdb stub: stopped with {answer}, and not at {name}")
        self.ask(f"z1,{address},1")

    def get(self, register):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{register:x}")), "little")

    def word(self, address):
        """The 8 bytes at a virtual address."""
        return int.from_bytes(bytes.fromhex(self.ask(f"m{address:x},8")), "little")

    def set_word(self, address, value):
        if self.ask(f"M{address:x},8:{value.to_bytes(8, 'little').hex()}") != "OK":
            raise RuntimeError(f"gdb stub: no memory at {address:#x}")

    def set(self, register, value):
        if self.ask(f"P{register:x}={value.to_bytes(8, 'little').hex()}") != "OK":
            raise RuntimeError(f"gdb stub: register {register} cannot be written")

    def monitor(self, command):
        """A command of QEMU's monitor, and what it printed."""
        self.send("qRcmd," + command.encode().hex())
        said = b""
        while (answer := self.receive()) != "OK":
            if answer.startswith("O"):
                said += bytes.fromhex(answer[1:])
            else:
                raise RuntimeError(f"gdb stub: {command}: {answer}")
        return said.decode()

    def leave(self):
        """Detaches; the machine may be off before its answer arrives."""
        try:
            self.ask("D")
        except Ended:
            pass

    def pause(self, seconds):
        """Continues for a time, then stops the machine wherever it is."""
        self.send("c")
        time.sleep(seconds)
        self.send_bytes(b"\x03")
        self.receive()


class Beside:
    """A context in which work() runs in a thread beside the machine, if there is something to do.
    path: of the socket of QEMU's stub. `faults`: what went wrong."""

    LIMIT = 5  # seconds, after the machine is off
    UNFINISHED = ""  # the fault, if it has not ended then

    def __init__(self, wanted, path):
        self.wanted, self.path, self.faults = wanted, path, []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            self.work()
        except Exception as error:  # whatever it is, the case has failed
            self.faults = [f"{type(error).__name__}: {error}"]

    def __enter__(self):
        if self.wanted:
            if os.path.exists(self.path):
                os.remove(self.path)
            self.thread.start()
        return self

    def __exit__(self, *_):
        if self.wanted:
            self.thread.join(self.LIMIT)
            if self.thread.is_alive() and not self.faults:
                self.faults = [self.UNFINISHED]


class Meddler(Beside):
    """Carries out a plan on the machine."""

    UNFINISHED = "its plan did not end"

    def __init__(self, plan, path, elf):
        super().__init__(plan, path)
        self.elf = elf

    def work(self):
        try:
            self.wanted(Stub(self.path, self.elf))
        except Ended:
            self.faults = ["the machine was off before its plan ended"]
