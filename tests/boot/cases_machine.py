"""Boot tests of the machine: CPUs that lack something, much memory, NMIs and machine checks, real
KVM."""

import re

import meddle
import nested
from case import ALL, LINUX, PV, SERVICE, SHORT, Case

NO_TCG = "max,tcg-cpuid=off"  # an emulated CPU that does not show that it is emulated

CASES = [
    Case("cpu-no-nx",
         modules=(SERVICE, ALL.format("solo"), "GOOD name=client mem=32M -- suites=store"),
         cpu="max,-nx", guests=(1, 2),
         shows=(r"^\(XEN\) This CPU has no NX",)),
    Case("cpu-no-nx-linux", long=True,
         modules=(SERVICE, LINUX.format("", 2, "selftest"), "RAMDISK"),
         cpu="max,-nx", limit=240,
         shows=PV + (r"^\(d1\).*NX .*missing in CPU",)),
    Case("tsc-of-tcg", modules=("GOOD mem=32M -- suites=clocks tsc=stable",)),
    Case("tsc-not-invariant",
         modules=("GOOD mem=32M -- suites=clocks tsc=unstable",),
         cpu=NO_TCG,
         shows=(r"^\(XEN\) The TSC is not known to be invariant",)),
    Case("tsc-trusted",
         modules=("GOOD mem=32M -- suites=clocks tsc=invariant",),
         options="tsc=stable", cpu=NO_TCG),
]



def starts_within(millions):
    """So many instructions from the boot loader to the first guest, which wait for them."""
    def check(lines):
        for line in lines:
            if m := re.match(r"\(XEN\) Guests start ([\d.]+) ms after the boot loader", line):
                if float(m[1]) > millions:
                    yield line
                return
        yield "no time of the boot"
    return check


# A hole below 4 GiB, and memory above it. The time of the boot does not depend on the memory.
CASES += [
    Case("boot-256-mib", modules=(SHORT.format("good"),), mem=256, icount=True,
         check=starts_within(3)),
    Case("boot-3-gib", modules=(SHORT.format("good"),), mem=3584, icount=True,
         check=starts_within(3.5)),
    Case("memory-above-4-gib",
         modules=(SERVICE, ALL.format("one"),
                  "GOOD name=two mem=64M vcpus=2 -- suites=memory,user"),
         mem=3584, guests=(1, 2), options="console=com1 maxcpus=2", smp=2),
]

# The debugger brings about what can come between any two instructions, and what must not happen.
MACHINE_CHECK = (r"^\(XEN\) Machine check: \d+ so far, the last in bank 1, status b5[0-9a-f]{14}, "
                 r"address 1234000: going on",)

CASES += [
    Case("nmi-while-printing",
         modules=(SHORT.format("good"),),
         meddles=meddle.nmi_while_printing,
         shows=(r"^\(XEN\) NMI: [1-5] so far, the last at e008:\[<[0-9a-f]{16}>\] \w+",)),
    Case("nmi-flood",
         modules=(ALL.format("solo"), SHORT.format("good")),
         guests=(1, 2), meddles=meddle.nmi_flood, limit=120,
         shows=(r"^\(XEN\) NMI: \d\d+ so far",)),
    Case("machine-check",
         modules=(SHORT.format("good"),),
         meddles=meddle.machine_check_while_printing,
         shows=MACHINE_CHECK),
    Case("machine-check-fatal",
         modules=(SHORT.format("good"),),
         meddles=meddle.fatal_machine_check_while_printing,
         panics=r"FATAL TRAP: vector = 18, machine check: bank 1, status b6[0-9a-f]{14}, "
                r"address 1234000",
         check=meddle.one_register_dump),
    Case("stack-lost",
         modules=(SHORT.format("good"),),
         meddles=meddle.no_stack, panics="FATAL TRAP: vector = 8, double fault",
         check=meddle.one_register_dump),
    Case("stack-elsewhere",
         modules=(SHORT.format("good"),),
         meddles=meddle.strange_stack, panics="FATAL TRAP: vector = (6|13|14), ",
         shows=(r"^\(XEN\) No call trace: rsp [0-9a-f]{16} is on no stack",),
         check=meddle.one_register_dump),
    # Goes on in user mode, in which it finds no memory of its kernel.
    Case("crash-spurious",
         modules=("GOOD name=wreck mem=16M -- suites=crash crash=spurious", SHORT.format("good")),
         guests=(2,), crash=(1,), meddles=meddle.allow_meanwhile,
         shows=(r"^\(XEN\) d1v0: kernel stack ffffff0000001230 cannot take a frame$",
                r"^\(XEN\) RIP:    e033:\[<0000007000000006>\]",
                r"^\(XEN\) r12: 00000000600d600d ",
                r" cr2: ffffffff8[0-9a-f]{7}$")),
    Case("panic-in-panic",
         modules=(SHORT.format("good"),),
         meddles=meddle.panic_in_panic, panics="FATAL TRAP: vector = 14",
         shows=(r"^\(XEN\) Panic on CPU \d, while another was being shown:", r"^\(XEN\) Rebooting"),
         check=meddle.one_register_dump),
]

# On real KVM, in an emulated machine. The CPU there is AMD's whatever its name; with XSAVE, QEMU's
# emulation of SVM loses XCR0.
KVM = {"limit": 180}
BARE = "qemu64,-hypervisor"  # a CPU that does not show that it is a virtual machine's
TIMERS = ("GOOD mem=32M -- suites=boot,timers",)

CASES += [
    Case("kvm-suites", modules=(ALL.format("solo"),), kvm="qemu64", same_as="cpu-qemu64", **KVM),
    Case("kvm-host",
         modules=(ALL.format("solo"), "GOOD name=clocks mem=32M -- suites=clocks tsc=unstable"),
         options="loglvl=all", guests=(1, 2), kvm="host",
         shows=(r"^\(XEN\) XSAVE is not used: XCR0", r"^\(XEN\) Local APIC: x2APIC"),
         **KVM),
    Case("kvm-xapic",
         modules=TIMERS,
         options="loglvl=all", kvm=BARE,
         shows=(r"^\(XEN\) Local APIC: xAPIC",),
         **KVM),
    Case("kvm-x2apic-found-on",
         modules=TIMERS,
         options="loglvl=all", kvm=BARE, rom=nested.option_rom(nested.X2APIC_ON),
         shows=(r"^\(XEN\) Local APIC: x2APIC",),
         **KVM),
    Case("kvm-smp",                             # x2APIC mode, which TCG's CPUs do not have
         modules=TIMERS,
         options="loglvl=all maxcpus=3", kvm="qemu64", smp=3,
         shows=(r"^\(XEN\) Local APIC: x2APIC", r"^\(XEN\) 3 CPUs$"),
         **KVM),
    Case("kvm-smp-xapic",
         modules=TIMERS,
         options="loglvl=all maxcpus=3", kvm=BARE, smp=3,
         shows=(r"^\(XEN\) Local APIC: xAPIC", r"^\(XEN\) 3 CPUs$"),
         **KVM),
    Case("kvm-linux", long=True,
         modules=(SERVICE, LINUX.format("", 2, "selftest"), "RAMDISK"),
         kvm="host,-xsave", limit=300,
         shows=PV),
]
