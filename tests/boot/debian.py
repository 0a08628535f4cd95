#!/usr/bin/env python3
"""What `make run GUEST=debian` promises. `make test-debian` starts it as a user does, on an overlay
of the disk that was made, waits for the login, and reaches the guest by the line for ssh that the
screen shows. There no unit has failed, a file goes over the network both ways, and power off is
asked for. Afterwards the file system has nothing to be mended, and the file is in it.

The command that starts it comes behind --; DISK= and SSH_PORT= are added.
"""

import argparse
import hashlib
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time

# The line above the prompt, which has no end of line and may stay unseen without a terminal.
LOGIN = r"Debian GNU/Linux 12 debian hvc0"
SSH = r"^when its network is up: (ssh .*?)(?: \(.*\))?$"
PASSWORD = "paragon"
FILE_SIZE = 8 << 20
ENDS = (r"^\(XEN\) Domain \d+ \(\w+\) ended: power off$",
        r"^\(XEN\) memory: \d+ frames free after the last guest$",
        r"^\(XEN\) All guests have ended. Powering off.$")


class Failed(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Machine:
    """The running command; what it prints is kept and written to the log."""

    def __init__(self, argv, log):
        self.text, self.log = "", log
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        with open(self.log, "w", encoding="utf-8") as out:
            while data := os.read(self.process.stdout.fileno(), 65536):
                text = data.decode("utf-8", "replace").replace("\r", "")
                out.write(text)
                out.flush()
                self.text += text

    def find(self, pattern):
        return re.search(pattern, self.text, re.MULTILINE)

    def wait_for(self, pattern, limit):
        end = time.monotonic() + limit
        while not (found := self.find(pattern)):
            if time.monotonic() > end or self.process.poll() is not None:
                raise Failed(f"nothing that looks like {pattern!r} within {limit} s")
            time.sleep(0.2)
        return found

    def ended(self, limit):
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired as e:
            raise Failed(f"still running {limit} s after power off") from e
        self.reader.join()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self.reader.join()


class Guest:
    def __init__(self, line):
        self.ssh = ["sshpass", "-p", PASSWORD, *shlex.split(line)]

    def wait(self, limit):
        """Until ssh answers, which may start after the prompt for a login."""
        end = time.monotonic() + limit
        while (done := subprocess.run([*self.ssh, "true"], capture_output=True, timeout=60,
                                      check=False)).returncode:
            if time.monotonic() > end:
                raise Failed(f"ssh does not answer: {done.stderr.decode()[-300:]}")
            time.sleep(1)

    def run(self, command, data=b"", limit=120, may_fail=False):
        done = subprocess.run([*self.ssh, command], input=data, capture_output=True, timeout=limit,
                              check=False)
        if done.returncode and not may_fail:
            raise Failed(f"{command}: {done.returncode}: {done.stderr.decode()[-300:]}")
        return done.stdout

    def says(self, command, wanted):
        found = self.run(command, may_fail=True).decode().strip()
        if not re.fullmatch(wanted, found):
            raise Failed(f"{command} says {found!r}")
        print(f"ok     {command}: {found}", flush=True)


def use(guest):
    """All that is done over ssh. Returns the SHA-256 of the file that is left there."""
    # Ends with 1 and "degraded" if a unit has failed.
    guest.says("systemctl is-system-running --wait; systemctl --failed --no-legend", "running")
    guest.says("findmnt -no SOURCE,FSTYPE /", r"/dev/xvda1? +ext4")
    guest.says("cat /sys/hypervisor/type", "xen")
    guest.says("ip -4 -o addr show scope global | wc -l", "1")
    data = os.urandom(FILE_SIZE)
    digest = hashlib.sha256(data).hexdigest()
    guest.run("cat > /root/file", data)
    guest.says("sha256sum < /root/file", f"{digest}  -")
    if guest.run("cat /root/file") != data:
        raise Failed("the file that comes back is another")
    print(f"ok     {FILE_SIZE >> 20} MiB by ssh, both ways", flush=True)
    guest.run("systemctl poweroff", may_fail=True)
    return digest


def check_disk(disk, digest):
    raw = disk + ".raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
    done = subprocess.run(["/sbin/e2fsck", "-fn", raw], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"e2fsck ends with {done.returncode}: {done.stdout[-300:]}")
    found = subprocess.run(["/sbin/debugfs", "-R", "cat /root/file", raw], capture_output=True,
                           check=True).stdout
    if hashlib.sha256(found).hexdigest() != digest:
        raise Failed("the file on the disk is another")
    print("ok     the file system is whole, and the file is on it", flush=True)


def test(args, out):
    disk, port = os.path.join(out, "disk.qcow2"), free_port()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b",
                    os.path.abspath(args.disk), disk], check=True)
    start = time.monotonic()
    machine = Machine([*args.command, f"DISK={disk}", f"SSH_PORT={port}"], args.log)
    try:
        line = machine.wait_for(SSH, 60)[1]
        machine.wait_for(LOGIN, args.limit)
        print(f"ok     login after {time.monotonic() - start:.0f} s", flush=True)
        guest = Guest(line)
        guest.wait(90)
        digest = use(guest)
        machine.ended(90)
    finally:
        machine.stop()
    for pattern in ENDS:
        if not machine.find(pattern):
            raise Failed(f"nothing that looks like {pattern!r} at the end")
    if machine.process.returncode:
        raise Failed(f"make run ends with {machine.process.returncode}")
    check_disk(disk, digest)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disk", required=True, help="the disk that was made")
    parser.add_argument("--out", required=True, help="directory for what is written")
    parser.add_argument("--limit", type=float, default=400, help="seconds until the login")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    args.log = os.path.join(args.out, "screen.log")
    subprocess.run(["rm", "-rf", args.out], check=True)
    os.makedirs(args.out)
    try:
        test(args, args.out)
    except (Failed, subprocess.TimeoutExpired) as e:
        print(f"not ok {e}\n       the screen: {args.log}; its end:")
        with open(args.log, encoding="utf-8") as log:
            print("".join(f"       | {line}" for line in log.readlines()[-15:]))
        sys.exit(1)


main()
