"""The module of a driver domain with several RAM disks: a cpio archive (newc) of one file each, all
zeros. The driver's reader of it is guest-pv/driver/ramdisk.c."""

SIZE = 1 << 20


def entry(name, data):
    fields = [0, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % n for n in fields) + name + b"\0"
    return b"".join(part + bytes(-len(part) % 4) for part in (head, data))


def archive(number):
    files = [entry(b"disk%d" % i, bytes(SIZE)) for i in range(number)]
    return b"".join(files) + entry(b"TRAILER!!!", b"")
