#!/usr/bin/env python3
"""seeds.py DIRECTORY: what the fuzzer starts from: every kind of record, a workload, a RAM file, a
kernel's symbols; and more than the reader has room for: of bytes that one call read, of vCPUs, of
kinds of hypercalls."""
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen  # noqa: E402
import gen_ram  # noqa: E402
import gen_traces  # noqa: E402


def long_calls():
    cpu = gen.Cpu()
    cpu.runs((1, 0))
    cpu.mmu(*((i << 12, i) for i in range(1100)))
    cpu.begin("console_io", 0, 30000, 0x1000)
    for i in range(1500):
        cpu.copy(0x1000 + 2 * i, b"ab")
    cpu.result("console_io", 30000)
    for _ in range(70):
        cpu.send(0, 1, (2, 0), 2)
    return cpu


def many_names():
    cpu = gen.Cpu()
    for i in range(1500):
        cpu.runs((i * 7 % 5000, i % 3))
        cpu.begin(i, 1)
        cpu.call("vcpu_op", i, 0, 0, sub=i % 2 == 1)
    for i in range(2700):
        cpu.runs((i * 11 % 32000, 0))
        cpu.trap(i % 256)
    return cpu


def several_cpus():
    """A vCPU on three CPUs in turn, in windows of each that overlap in time."""
    made = [gen.Cpu(number=i, now=10 * i, cpus=3) for i in range(3)]
    windows = []
    for i in range(40):
        cpu = made[i % 3]
        cpu.now = max(other.now for other in made)
        cpu.switch((1, 0))
        cpu.call("sched_op", 1, 0)
        cpu.switch((gen.IDLE, cpu.number))
        if i % 7 == 6:
            windows.append(cpu.cut())
    return b"".join(windows[::-1] + [cpu.window() for cpu in made])


def main(where):
    (where / "long.trace").write_bytes(long_calls().window())
    (where / "many.trace").write_bytes(many_names().window())
    (where / "each.trace").write_bytes(gen_traces.one_of_each().window())
    names = [(0xffffffff81000000 + 16 * i, "t", f"sys_{i}") for i in range(600)]
    (where / "kernel.elf").write_bytes(gen_ram.elf(gen_ram.kallsyms(names, True)))
    (where / "cpus.trace").write_bytes(several_cpus())
    (where / "work.trace").write_bytes(gen_traces.workload(60, cut_every=15)[0])
    ram = gen_ram.Ram(where / "each.ram", block_bytes=4096, nr_blocks=4, nr_cpus=2, size=64 << 10,
                      pa=0x1000, ring_pa=0x2000)
    cpu = gen_traces.one_of_each()
    ram.add_all(cpu)
    cpu.number = 1
    ram.add_all(cpu)
    ram.end()
    ram.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
