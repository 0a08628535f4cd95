"""A machine's RAM with a trace in it, as a file, though no machine ran; and the symbols of a
kernel, as its image has them. The records are gen.py's."""
import pathlib
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402


class Ram:
    """A memory file with the header and the rings of trace_format.h, written as the hypervisor
    would."""
    HEADER = struct.Struct("<16sQIIQQIIII")
    RINGS = {1: (8, "<QQ"), 2: (256, "<QQ48x")}     # by version
    BLOCK = struct.Struct("<QQIIQ")

    def __init__(self, path, block_bytes=4096, nr_blocks=8, nr_cpus=1, size=16 << 20, pa=0x345000,
                 ring_pa=0x400000, version=2):
        self.pa, self.nr_cpus, self.version = pa, nr_cpus, version
        self.block_bytes, self.nr_blocks = block_bytes, nr_blocks
        self.rings = [ring_pa + i * block_bytes * nr_blocks for i in range(nr_cpus)]
        self.heads, self.counts = [0] * nr_cpus, [0] * nr_cpus
        self.used = [block_bytes] * nr_cpus
        self.size, self.state = size, 1
        self.file = open(path, "w+b")
        self.file.truncate(size)
        self.header()

    def header(self):
        most, shape = self.RINGS[self.version]
        rings = [(self.rings[i], self.heads[i]) if i < self.nr_cpus else (0, 0)
                 for i in range(most)]
        self.put(self.pa,
                 self.HEADER.pack(b"PARAGON-TRACE-01", self.pa, self.version, self.state, self.size,
                                  gen.HZ, self.block_bytes, self.nr_blocks, self.nr_cpus, 0)
                 + b"".join(struct.pack(shape, *ring) for ring in rings))

    def put(self, pa, data):
        self.file.seek(pa)
        self.file.write(data)
        self.file.flush()

    def slot(self, cpu):
        return self.rings[cpu] + (self.heads[cpu] - 1) % self.nr_blocks * self.block_bytes

    def add(self, data, cpu=0, tsc=0):
        """One gen.record."""
        if self.used[cpu] + len(data) > self.block_bytes - self.BLOCK.size:
            self.heads[cpu] += 1
            self.used[cpu] = 0
            self.put(self.slot(cpu), bytes(8))
            self.put(self.slot(cpu),
                     self.BLOCK.pack(self.heads[cpu], self.counts[cpu], 0, cpu, tsc))
            self.header()
        slot = self.slot(cpu)
        self.put(slot + self.BLOCK.size + self.used[cpu], data)
        self.used[cpu] += len(data)
        self.counts[cpu] += 1
        self.put(slot + 16, struct.pack("<I", self.used[cpu]))

    def add_all(self, cpu):
        """Everything that a Cpu has recorded."""
        for data in cpu.records:
            self.add(data, cpu.number)

    def end(self):
        self.state = 2
        self.header()

    def close(self):
        self.file.close()


def kallsyms(symbols, late):
    """[(address, kind, name)], rising, as a kernel's image has them. late: as since 6.5, with the
    offsets behind the tokens."""
    def table(data):
        return data + bytes(-len(data) % 8)
    tokens = [bytes([c]) if chr(c).isalnum() or chr(c) in "_." else b"unused"
              for c in range(128)] + [b"unused"] * 128
    tokens[1], tokens[3] = b"sys_", b"do_"
    names, markers = b"", b""
    for i, (_, kind, name) in enumerate(symbols):
        if i % 256 == 0:
            markers += struct.pack("<I", len(names))
        packed = (kind + name).encode().replace(b"sys_", b"\1").replace(b"do_", b"\3")
        length = bytes([len(packed)]) if len(packed) < 128 else bytes([len(packed) & 0x7f | 0x80,
                                                                       len(packed) >> 7])
        names += length + packed
    base = min(address for address, _, _ in symbols if address >> 63)
    offsets = table(b"".join(struct.pack("<i", a if a < 1 << 31 else base - 1 - a) for a, _,
                             _ in symbols))
    offsets += struct.pack("<Q", base)
    index = b"".join(struct.pack("<H", sum(len(word) + 1 for word in tokens[:i]))
                     for i in range(256))
    return b"".join([b"" if late else offsets, struct.pack("<Q", len(symbols)), table(names),
                     table(markers),
                     table(b"".join(word + b"\0" for word in tokens)), table(index),
                     offsets if late else b""])


def elf(payload):
    """An ELF file without sections around these bytes."""
    return struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, 0, 0, 0, 0, 64, 56, 0, 64,
                       0, 0) + payload
