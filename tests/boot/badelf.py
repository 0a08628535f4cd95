"""Broken PV kernels, each made from the good one by one change, which the loader has to refuse.

KINDS maps a kind to a function from the good file's bytes to the bad one's, and MADE a name to one
that makes its file from nothing. Called by run.py; cases_guests.py has a case for each kind.
"""

import struct

PHDR = struct.Struct("<IIQQQQQQ")  # type, flags, offset, vaddr, paddr, filesz, memsz, align
TYPE, OFFSET, VADDR, PADDR, FILESZ, MEMSZ = 0, 2, 3, 4, 5, 6
PT_NULL, PT_LOAD, PT_NOTE = 0, 1, 4


class Elf:
    """Just enough of an ELF64 file to change its program headers."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.phoff, = struct.unpack_from("<Q", data, 32)
        self.count, = struct.unpack_from("<H", data, 56)

    def header(self, index):
        return list(PHDR.unpack_from(self.data, self.phoff + index * PHDR.size))

    def all_of(self, kind):
        return [index for index in range(self.count) if self.header(index)[TYPE] == kind]

    def change(self, index, **fields):
        header = self.header(index)
        for name, value in fields.items():
            header[globals()[name.upper()]] = value
        PHDR.pack_into(self.data, self.phoff + index * PHDR.size, *header)

    def done(self):
        return bytes(self.data)


def elf32():
    """A 32-bit kernel as its build leaves it: an i386 ELF header, one segment to load."""
    header = b"\x7fELF\1\1\1" + bytes(9)
    header += struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x100000, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", PT_LOAD, 0, 0x100000, 0x100000, 84, 4096, 7, 4096)
    return header + segment


def lost():
    """Good as a kernel without PV, which cannot go on: it loads an IDT without gates, and executes
    an undefined instruction. (With an empty IDT, that is how kernels restart a machine.)"""
    base, size = 0x100000, 4096
    code = b"\x0f\x01\x1d\2\0\0\0"  # lidt, of the ten bytes behind the next instruction
    code += b"\x0f\x0b"  # ud2
    code += struct.pack("<HQ", 0xfff, base + size)
    headers = struct.Struct("<16sHHIQQQIHHHHHH")
    start = headers.size + PHDR.size
    header = headers.pack(b"\x7fELF\2\1\1", 2, 62, 1, base + start, headers.size, 0, 0,
                          headers.size, PHDR.size, 1, 0, 0, 0)
    return header + PHDR.pack(PT_LOAD, 7, 0, base, base, start + len(code), 2 * size, size) + code


def not_elf(_):
    return b"This is a text and no kernel.\n" * 200


def truncated(good):
    """Cut in the middle of the last segment's bytes, with every header intact."""
    elf = Elf(good)
    last = max((elf.header(i) for i in elf.all_of(PT_LOAD)), key=lambda h: h[OFFSET] + h[FILESZ])
    return good[:last[OFFSET] + last[FILESZ] // 2]


def headers_cut(good):
    return good[:70]


def no_notes(good):
    """Neither note segments nor sections, one of which could hold the older __xen_guest string."""
    elf = Elf(good)
    for index in elf.all_of(PT_NOTE):
        elf.change(index, type=PT_NULL)
    struct.pack_into("<Q", elf.data, 40, 0)
    struct.pack_into("<HH", elf.data, 60, 0, 0)
    return elf.done()


def overlapping(good):
    """Every segment four times, at the same address."""
    elf = Elf(good)
    table = elf.data[elf.phoff:elf.phoff + elf.count * PHDR.size] * 4
    struct.pack_into("<Q", elf.data, 32, len(elf.data))
    struct.pack_into("<H", elf.data, 56, elf.count * 4)
    return elf.done() + bytes(table)


def with_last_load(**fields):
    def make(good):
        elf = Elf(good)
        elf.change(elf.all_of(PT_LOAD)[-1], **fields)
        return elf.done()
    return make


MADE = {"ELF32": elf32, "LOST": lost}
KINDS = {
    "not-elf": not_elf,
    "truncated": truncated,
    "headers-cut": headers_cut,
    "no-notes": no_notes,
    "overlapping": overlapping,
    "memsz-wraps": with_last_load(memsz=2**64 - 4096),
    "paddr-wraps": with_last_load(paddr=2**64 - 4096),
    "offset-wraps": with_last_load(offset=2**64 - 16, filesz=4096, memsz=4096),
    "filesz-over-memsz": with_last_load(filesz=4096, memsz=16),
    "too-large": with_last_load(memsz=8 * 2**30),
}
