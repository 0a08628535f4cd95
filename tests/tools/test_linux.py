"""Tests of the tools behind `make run GUEST=linux`: unpack-kernel, make-ramdisk, and typing."""

import gzip
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools"))
import qemu  # noqa: E402

PLAIN = b"\x7fELF" + bytes(range(256)) * 40
FORMATS = {"gzip": ["gzip", "-c"],
           "xz": ["xz", "-c", "--check=crc32", "--x86", "--lzma2=dict=1MiB"],
           "zstd": ["zstd", "-cq"], "lz4": ["lz4", "-lcq"], "bzip2": ["bzip2", "-c"],
           "lzma": ["xz", "--format=lzma", "-c"]}


def compressed(name, plain=PLAIN, sized=True):
    data = subprocess.run(FORMATS[name], input=plain, stdout=subprocess.PIPE, check=True).stdout
    return data + struct.pack("<I", len(plain)) * (sized and name != "gzip")


def bzimage(payload, sectors=3, protocol=0x20f, length=None):
    image = bytearray((sectors + 1) * 512 + 0x2cc)
    image[0x1f1] = sectors
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, protocol)
    struct.pack_into("<II", image, 0x248, 0x2cc, len(payload) if length is None else length)
    return bytes(image) + payload + b"what lies behind it"


class Directory(unittest.TestCase):
    def setUp(self):
        self.where = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.where)

    def file(self, name, data=b""):
        path = os.path.join(self.where, name)
        with open(path, "wb") as out:
            out.write(data)
        return path

    def tool(self, name, *words):
        return subprocess.run([os.path.join(ROOT, "tools", name), *words], capture_output=True,
                              text=True, check=False)


class Unpack(Directory):
    def unpack(self, data):
        out = os.path.join(self.where, "out")
        done = self.tool("unpack-kernel", self.file("in", data), out)
        if done.returncode:
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
            self.assertFalse(os.path.exists(out))
            return done.stderr
        with open(out, "rb") as plain:
            return plain.read()

    def test_every_format_is_unpacked(self):
        for name, command in FORMATS.items():
            if not shutil.which(command[0]):
                continue
            with self.subTest(name):
                self.assertEqual(self.unpack(bzimage(compressed(name))), PLAIN)
                self.assertEqual(self.unpack(compressed(name, sized=False)), PLAIN)

    def test_an_elf_file_stays_as_it_is(self):
        self.assertEqual(self.unpack(PLAIN), PLAIN)
        self.assertEqual(self.unpack(bzimage(PLAIN)), PLAIN)

    def test_a_file_that_it_cannot_unpack_is_refused_with_the_reason(self):
        xz = compressed("xz")
        for why, data in {
            "neither a bzImage nor an ELF file": b"#!/bin/sh\n" * 100,
            "begins with nothing": b"",
            "a bzImage whose payload begins with 01 02 03": bzimage(b"\1\2\3\4" * 50),
            "older than 2.08": bzimage(xz, protocol=0x207),
            "truncated bzImage": bzimage(xz, length=1 << 20),
            "were promised": bzimage(xz[:-4] + struct.pack("<I", 7)),
            "xz cannot unpack it": bzimage(xz[:80] + bytes(len(xz) - 84) + xz[-4:]),
            "is no ELF file": bzimage(compressed("gzip", b"a text, and no kernel")),
        }.items():
            with self.subTest(why):
                self.assertIn(why, self.unpack(data))


class Ramdisk(Directory):
    def names(self, archive):
        at, found = 0, {}
        while True:
            self.assertEqual(archive[at:at + 6], b"070701")
            field = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
            name = archive[at + 110:at + 110 + field[11] - 1].decode()
            data = at + 110 + field[11] + -(at + 110 + field[11]) % 4
            found[name] = (field[1], archive[data:data + field[6]], tuple(field[9:11]))
            at = data + field[6] + -(data + field[6]) % 4
            if name == "TRAILER!!!":
                return found

    def test_entries(self):
        program = self.file("program", b"abcde")
        os.chmod(program, 0o755)
        os.makedirs(os.path.join(self.where, "tree/sub"))
        self.file("tree/sub/leaf", b"x")
        out = os.path.join(self.where, "out")
        words = [out, f"bin/p={program}", "etc/", "dev/console:c:5:1", "sbin/q->/bin/p",
                 f"/={self.where}/tree/"]
        self.assertEqual(self.tool("make-ramdisk", *words).returncode, 0)
        with gzip.open(out) as packed:
            found = self.names(packed.read())
        self.assertEqual(found["bin/p"], (0o100755, b"abcde", (0, 0)))
        self.assertEqual(found["bin"][0], 0o40755)
        self.assertEqual(found["etc"][0], 0o40755)
        self.assertEqual(found["dev/console"], (0o20600, b"", (5, 1)))
        self.assertEqual(found["sbin/q"], (0o120777, b"/bin/p", (0, 0)))
        self.assertEqual(found["sub/leaf"], (0o100644, b"x", (0, 0)))
        self.assertLess(list(found).index("sub"), list(found).index("sub/leaf"))

    def test_a_missing_file_is_one_line(self):
        done = self.tool("make-ramdisk", os.path.join(self.where, "out"), "x=/no/such")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr, "make-ramdisk: /no/such: No such file or directory\n")


class Typing(unittest.TestCase):
    def test_answers_are_typed(self):
        text = b"".join(b"line %d\n" % n for n in range(30000)) + b"end\n"
        lines = []

        def on_line(line):
            lines.append(line)
            return text if line == "ready" else None

        ended, status = qemu.run(["sh", "-c", "echo ready; sed '/^end$/q'"], 30, on_line)
        self.assertEqual((ended, status), (True, 0))
        self.assertEqual(lines, ["ready"] + text.decode().split("\n")[:-1])

    def test_a_child_that_does_not_read_is_ended(self):
        self.assertFalse(qemu.run(["sh", "-c", "echo x; exec sleep 60"], 1,
                                  lambda line: bytes(1 << 20))[0])


if __name__ == "__main__":
    unittest.main()
