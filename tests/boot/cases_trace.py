"""Boot tests of what is read from outside: the trace, recordings and their replay, gdb."""

import debugger
import tracecheck
from case import LINUX, MENU, MENU_MODULES, SERVICE, SHORT, Case

CASES = [
    Case("trace",
         modules=MENU_MODULES,
         options="trace=all trace_size=64M hypercall_counts",
         guests=MENU, mem=640, limit=120, trace="live",
         traced=tracecheck.others_read_it),
    Case("trace-golden",
         modules=("GOOD mem=64M -- suites=" + ",".join(tracecheck.GOLDEN_SUITES),),
         options="trace=all", mem=256, icount=True, trace="live",
         traced=tracecheck.golden),
    Case("trace-small-ring",
         modules=("GOOD mem=32M -- suites=events",),
         options="trace=all trace_size=64K", trace="after",
         traced=tracecheck.losses_are_counted),
    Case("trace-of-one",
         modules=(SERVICE,
                  "GOOD name=seen trace=hypercalls -- suites=boot",
                  SHORT.format("unseen")),
         guests=(1, 2), trace="live",
         traced=tracecheck.only_domain_1),
    Case("trace-debugcon",
         modules=("GOOD mem=32M -- suites=boot,events",),
         options="trace=all trace_to=debugcon hypercall_counts", trace="debugcon",
         traced=tracecheck.counters),
    Case("trace-com2",
         modules=(SHORT.format("good"),),
         options="trace=all trace_to=com2 hypercall_counts", trace="com2",
         traced=tracecheck.counters),
    Case("trace-by-key",
         modules=("GOOD mem=32M -- suites=timers",),
         types=((r"Subtest: timers", b"\1\1\1t"), (r"  ok 8 ", b"T"), (r"Trace: the last", b"t")),
         shows=(r"^\(XEN\) Trace: ring of",
                r"^\(XEN\) Trace: on",
                r"^\[(cpu\d )?d1v0 \d+\.\d+\] \w+\(",
                r"^\(XEN\) Trace: off")),
    Case("trace-at-crash",
         modules=("GOOD name=wreck mem=32M -- suites=crash",),
         options="trace=hypercalls trace_lines=5", guests=(), crash=(1,),
         shows=(r"^\(XEN\) Trace: the last 5 of \d+",
                r"^\[(cpu\d )?d1v0 \d+\.\d+\] \w+\(.*\) = -?\d+ <\d+>")),
]

SMP = "trace=all hypercall_counts maxcpus=4 trace_size="
CASES += [
    # Those tests of the suite that make few records, and whose vCPUs wait for each other.
    Case("trace-smp", modules=("GOOD name=smp mem=64M vcpus=4 -- suites=smp tests=each_runs,"
                               "initialise_of_all,no_wakeup_is_lost,ports_of_all,timers_of_all,"
                               "grant_table_grows",),
         options=SMP + "256M", smp=4, mem=640, trace="live", limit=240,
         traced=tracecheck.several_cpus),
    Case("trace-smp-linux", modules=(LINUX.format("", 2, "boot"), "RAMDISK"),
         options=SMP + "64M", smp=4, mem=640, guests=(), trace="live", limit=240,
         traced=tracecheck.several_cpus_and_xenalyze),
    Case("trace-smp-small-ring", modules=("GOOD mem=32M vcpus=4 -- suites=smp tests=each_runs,"
                                          "grant_table_grows",),
         options=SMP + "64K", smp=4, trace="after",
         traced=tracecheck.losses_are_counted),
    Case("trace-smp-by-key",
         modules=("GOOD mem=32M vcpus=2 -- suites=timers",),
         options="maxcpus=4", smp=4,
         types=((r"Subtest: timers", b"\1\1\1t"), (r"  ok 4 ", b"t"), (r"Trace: off", b"t"),
                (r"  ok 8 ", b"T"), (r"Trace: the last", b"t")),
         shows=(r"^\(XEN\) Trace: ring of \d+ KiB for each of 4 CPUs",
                r"^\(XEN\) Trace: on",
                r"^\(XEN\) Trace: off",
                r"^\(XEN\) Trace: on",
                r"^\[cpu\d d1v0 \d+\.\d+\] \w+\(",
                r"^\(XEN\) Trace: off")),
    # Each CPU sends its blocks when they are full.
    Case("trace-smp-debugcon", modules=("GOOD mem=32M vcpus=4 -- suites=smp tests=each_runs,"
                                        "grant_table_grows",),
         options=SMP + "1M trace_to=debugcon", smp=4, trace="debugcon",
         traced=tracecheck.several_cpus),
]

# Recorded and replayed. All records of the two traces are compared, with their times.
TRACED = "console=com1 trace=all"
CLIENT = (SERVICE, "GOOD name=client mem=32M -- suites=store")
SEES_CLIENT = debugger.guest("client", r"^hypercall_page.* in section ")
LINUX_BOOT = (SERVICE, "LINUX name=linux mem=256M -- console=hvc0 paragon=boot", "RAMDISK")

CASES += [
    Case("record-guests",
         modules=(SERVICE,
                  "GOOD name=solo mem=64M -- suites=boot,memory,pagetables",
                  "GOOD name=client mem=32M -- suites=store"),
         options=TRACED, guests=(1, 2), recorded=True, trace="after", limit=120),
    Case("record-iso",
         iso="own", guests=(), recorded=True,
         shows=(r"^\(d1\) tiny: as it has to be",)),
    Case("record-keys",
         modules=(SERVICE, "GRUB name=grub mem=64M --"),
         guests=(), recorded=True,
         types=((r"GNU GRUB", b"halt\n"),),
         shows=(r"^\(XEN\).*Domain 1 \(grub\) ended: power off",)),
    Case("record-linux",
         modules=LINUX_BOOT,
         options=TRACED, guests=(), recorded=True, trace="after", limit=180, snapshots=5,
         shows=(r"^\(XEN\).*Domain 1 \(linux\) ended: power off",)),
]

# gdb with tools/gdb, on a machine that runs and on a replay.
CASES += [
    Case("gdb-guest",
         modules=CLIENT,
         options=TRACED, trace="after", limit=120,
         debugged=SEES_CLIENT),
    Case("gdb-smp",
         modules=("GOOD name=solo mem=64M vcpus=3 -- suites=vcpu",),
         options=TRACED + " maxcpus=4", smp=4, trace="after", limit=120,
         debugged=debugger.four_cpus),
    Case("gdb-replay",
         modules=CLIENT,
         options=TRACED, trace="after", recorded=True, limit=120,
         debugged=SEES_CLIENT),
    Case("gdb-back",
         modules=(SHORT.format("solo"),),
         options=TRACED, trace="after", recorded=True, limit=60,
         debugged=debugger.back),
    Case("gdb-linux",
         modules=LINUX_BOOT,
         options=TRACED, guests=(), trace="after", limit=180,
         debugged=debugger.guest("linux")),
]
