"""NET=tap: a guest and the machine that it runs on, by an interface paragon0, in a network
namespace of their own, so that nothing of the machine's network is touched: unshare -n python3
tap.py, as root. Pings of all sizes, fragments too, and TCP, each both ways; paragon=tap
(tools/linux/tap) is the guest's part. Run by make test-tap."""

import argparse
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(HERE, "..", "..", "tools")]
import ktap  # noqa: E402
import qemu  # noqa: E402

US, GUEST = "10.9.8.1", "10.9.8.2"
BYTES = 3 << 20
SECONDS = 10  # for an answer


def make_interface():
    if os.geteuid() or not os.path.exists("/dev/net/tun"):
        sys.exit("test-tap: it takes root and /dev/net/tun")
    if len(socket.if_nameindex()) > 1:
        sys.exit("test-tap: there are interfaces: it has to run in a namespace of its own")
    for words in ("tuntap add dev paragon0 mode tap", f"addr add {US}/24 dev paragon0",
                  "link set lo up", "link set paragon0 up"):
        subprocess.run(["ip", *words.split()], check=True)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1]))
    total += data[-1] << 8 if len(data) & 1 else 0
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ping(size):
    """Raises if the guest does not send back so many bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(SECONDS)
        body = os.urandom(size)
        head = struct.pack("!BBHHH", 8, 0, 0, 77, size)
        head = head[:2] + struct.pack("!H", checksum(head + body)) + head[4:]
        sock.sendto(head + body, (GUEST, 0))
        while True:
            answer = sock.recv(65536)
            answer = answer[(answer[0] & 15) * 4:]
            if answer[0] == 0 and answer[4:8] == head[4:8]:
                break
        if answer[8:] != body:
            raise ValueError(f"a ping of {size} bytes comes back otherwise")


def echo_server():
    """Sends back what it gets from one guest."""
    server = socket.create_server((US, 9))

    def serve():
        with server.accept()[0] as conn:
            while data := conn.recv(65536):
                conn.sendall(data)
    threading.Thread(target=serve, daemon=True).start()


def connect(port):
    """The guest may not listen yet."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            return socket.create_connection((GUEST, port), SECONDS)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def ask_echo():
    """Of the guest, as fast as it can."""
    data = os.urandom(BYTES)
    with connect(7) as conn:
        def send():
            conn.sendall(data)
            conn.shutdown(socket.SHUT_WR)
        threading.Thread(target=send, daemon=True).start()
        got = b""
        while more := conn.recv(1 << 20):
            got += more
    if got != data:
        raise ValueError(f"{len(got)} of {BYTES} bytes come back, or others")


def ask():
    """In a thread: tells the guest whether all was good."""
    verdict = b"good\n"
    try:
        for size in (0, 1, 17, 100, 999, 1472, 4000, 60000):
            ping(size)
        ask_echo()
    except (OSError, ValueError) as error:
        print(f"test-tap: {error}", flush=True)
        verdict = b"bad\n"
    with connect(8) as conn:
        conn.sendall(verdict)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--paragon", "--store", "--driver", "--linux", "--ramdisk"):
        parser.add_argument(name, required=True)
    parser.add_argument("--limit", type=float, default=120, help="seconds")
    args = parser.parse_args()
    make_interface()
    echo_server()
    machine = {"accel": "tcg", "cpu": "max", "mem": 512, "firmware": "bios", "net": "tap"}
    modules = [f"{args.store} service name=store --", f"{args.driver} driver name=driver --",
               f"{args.linux} name=linux mem=256M vif -- console=hvc0 paragon=tap",
               args.ramdisk]
    report = ktap.Report()

    def on_line(raw):
        line = report.feed(raw)
        print(line, flush=True)
        if re.search("tap: ask now", line):
            threading.Thread(target=ask, daemon=True).start()
        return b""

    argv = qemu.command(machine, None, args.paragon, "console=com1 com1=115200,8n1", modules)
    ended, status = qemu.run(argv, args.limit, on_line, None)
    good, reason = ktap.judge(report, ended, status or 0, ())
    if not good or not any("linux: 6 passed" in line for line in report.lines):
        sys.exit(f"test-tap: {reason}")


main()
