"""Boot tests of machines with several CPUs: that all come up, and what happens if one does not."""

import re

import meddle
from case import ALL, LINUX, PV, SHORT, Case

OPTIONS = "console=com1 com1=115200,8n1 "
FOUR = {"options": OPTIONS + "maxcpus=4", "smp": 4, "shows": (r"^\(XEN\) 4 CPUs$",)}
GOOD = (SHORT.format("good"),)
AT_WORK = r" was at (e008:\[<\w{16}>\] arch_idle\+.*current d32767v|.*current d1v)"


def one_cpu(lines):
    """The other CPUs are left alone if the options say so."""
    if any(re.search(r"^\(XEN\) .*CPUs", line) for line in lines):
        yield "more than one CPU"


def all_stopped(lines):
    """Each other CPU says once where it was: halted in its idle loop, or busy with the guest."""
    for cpu in (1, 2, 3):
        found = [line for line in lines if line.startswith(f"(XEN) CPU {cpu} ")]
        if len(found) != 1 or not re.search(AT_WORK, found[0]):
            yield f"CPU {cpu} at the panic: {found}"
    yield from meddle.one_register_dump(lines)


def faulty(kind, line, waits=False):
    """CPU 2 of 4 has a fault: it is named, and the others come up. Some are waited for, for ten
    seconds."""
    return {"waits": waits, "options": f"{OPTIONS}maxcpus=4 cpu_fault={kind}:2", "smp": 4,
            "shows": (r"^\(XEN\) CPU with APIC id 2 " + line, r"^\(XEN\) 3 CPUs$")}


def shares(*guests):
    """Suite share in guests of (weight, vCPUs) on two CPUs: each vCPU's time is within 3 % of the
    weighted max-min ideal."""
    weights = {(d + 1, v): weight for d, (weight, vcpus) in enumerate(guests)
               for v in range(vcpus)}
    low, high = 0.0, 2.0
    for _ in range(50):
        level = (low + high) / 2
        full = sum(min(1, level * weight) for weight in weights.values()) >= min(2, len(weights))
        low, high = (low, level) if full else (level, high)

    def check(lines):
        found = {}
        for line in lines:
            if m := re.match(r"\(d(\d+)\) +# share: vCPU (\d+) ran (\d+) us of (\d+)", line):
                found[int(m[1]), int(m[2])] = int(m[3]) / int(m[4])
        if found.keys() != weights.keys():
            yield f"shares of {sorted(found)}"
        for who, share in found.items():
            ideal = min(1, low * weights[who])
            if abs(share - ideal) > 0.03:
                yield f"d{who[0]}v{who[1]}: {share:.3f}, and its share is {ideal:.3f}"

    modules = tuple(f"GOOD name=g{d} mem=32M weight={weight} vcpus={vcpus} -- suites=share"
                    for d, (weight, vcpus) in enumerate(guests))
    return {"modules": modules, "guests": tuple(range(1, len(guests) + 1)), "check": check,
            "options": OPTIONS + "maxcpus=2", "smp": 2, "shows": (r"^\(XEN\) 2 CPUs$",)}


CASES = [
    Case("smp-2-shares", **shares((512, 1), (256, 3))),
    Case("smp-2-shares-equal", **shares((256, 1), (256, 1), (256, 1))),
    # More vCPUs than CPUs: who waits for a spinlock sleeps in SCHEDOP_poll.
    Case("smp-2-linux-8", modules=(LINUX.format("", 8, "forks programs=40"), "RAMDISK"), limit=240,
         smp=2, options=OPTIONS + "maxcpus=2", shows=PV + (r"^\(XEN\) 2 CPUs$",)),
    Case("smp-4", modules=(ALL.format("solo"),), same_as="cpu-max", **FOUR),
    # Guests on all of them.
    Case("smp-4-vcpus", modules=("GOOD name=smp mem=64M vcpus=4 -- suites=smp,smpfifo",), limit=180,
         **FOUR),
    # More vCPUs than CPUs.
    Case("smp-2-of-8-vcpus", long=True,
         modules=("GOOD name=smp mem=64M vcpus=8 -- suites=smp,smpfifo",), smp=2, limit=240,
         shows=(r"^\(XEN\) 2 CPUs$",)),
    Case("smp-4-all", modules=("GOOD name=all mem=64M vcpus=4 -- suites=all",), limit=300, **FOUR),
    Case("smp-4-crash", modules=("GOOD name=wreck mem=32M vcpus=4 -- suites=crash",
                                 "GOOD name=good mem=64M vcpus=4 -- suites=all"),
         guests=(2,), crash=(1,), limit=120, **FOUR),
    # Grants that end, are given back, and are open when their domain dies, under four vCPUs that
    # use them.
    Case("smp-4-grants",
         modules=("GOOD name=granter mem=32M vcpus=2 -- suites=smpgranter,crash peer=2",
                  "GOOD name=mapper mem=32M vcpus=4 -- suites=smpmapper peer=1"),
         guests=(2,), crash=(1,), limit=120, **FOUR),
    # 200 short lives beside a long one.
    Case("smp-4-lives", long=True,
         modules=("GOOD name=long mem=64M vcpus=4 -- suites=smp,smpfifo",
                  *(f"GOOD name=short{n} mem=16M vcpus=2 -- suites=boot" for n in range(200))),
         guests=tuple(range(1, 202)), mem=4096, limit=300, **FOUR),
    # The service domain is built anew three times, while guests run on the other CPUs.
    Case("smp-4-store-dies",
         modules=("GOOD service name=dying mem=32M vcpus=2 -- suites=crash",
                  "GOOD name=good mem=64M vcpus=4 -- suites=smp tests=each_runs,"
                  "no_wakeup_is_lost,ports_of_all,timers_of_all,grant_table_grows",
                  "GOOD name=client mem=32M -- suites=storebroken"),
         guests=(1, 2), crash=(0,), limit=300,
         **FOUR | {"shows": FOUR["shows"] + (r"d0 \(dying\) died.*3 of 3",
                                             r"Nobody serves the store")}),
    Case("smp-4-linux", long=True, modules=(LINUX.format("", 4, "selftest"), "RAMDISK"), limit=600,
         **FOUR | {"shows": PV + FOUR["shows"]}),
    Case("smp-4-stress", modules=(LINUX.format("", 4, "smp seconds=10"), "STRESS"), limit=600,
         **FOUR | {"shows": PV + FOUR["shows"]}),
    Case("smp-4-icount", modules=GOOD, icount=True, **FOUR),
    Case("smp-4-q35", modules=GOOD, firmware="q35", **FOUR),
    Case("smp-4-efi", modules=GOOD, firmware="uefi", loader="esp", limit=120, **FOUR),
    Case("smp-4-efi-q35", modules=GOOD, firmware="uefi-q35", loader="esp", limit=120, **FOUR),
    Case("smp-4-default", modules=GOOD, smp=4, shows=FOUR["shows"]),
    Case("smp-1-of-4", modules=GOOD, smp=4, options=OPTIONS + "maxcpus=1", check=one_cpu),
    Case("smp-4-nosmp", modules=GOOD, smp=4, options=OPTIONS + "maxcpus=4 nosmp", check=one_cpu),
    Case("smp-2-of-4", modules=GOOD, smp=4, options=OPTIONS + "maxcpus=2",
         shows=(r"^\(XEN\) 2 CPUs$",)),
    Case("smp-64", modules=GOOD, smp=64, options=OPTIONS + "maxcpus=64", limit=240,
         shows=(r"^\(XEN\) 64 CPUs$",)),
    Case("smp-missing", modules=GOOD, **faulty("missing", "has not started: left out", True)),
    Case("smp-late", modules=GOOD, **faulty("late", "has not started: left out", True)),
    Case("smp-stuck", modules=GOOD, **faulty("stuck", "has stopped while it was started", True)),
    Case("smp-gone", modules=GOOD, **faulty("gone", "has stopped while it was started", True)),
    Case("smp-skew", modules=GOOD, **faulty("skew", r"is left out: its TSC is \d+ ticks ahead")),
    Case("smp-feature", modules=GOOD,
         **faulty("feature", r"differs from the first one \(leaf 1 ecx\): left out")),
    Case("smp-panic", modules=GOOD, options=OPTIONS + "maxcpus=4", smp=4,
         meddles=meddle.fatal_machine_check_while_printing, check=all_stopped,
         panics=r"FATAL TRAP: vector = 18, machine check: bank 1"),
    Case("smp-nmi", modules=GOOD, options=OPTIONS + "maxcpus=4", smp=4,
         meddles=meddle.nmi_while_printing,
         shows=(r"^\(XEN\) 4 CPUs$", r"^\(XEN\) NMI: \d+ so far")),
]
