"""Boot tests of disks: the driver domain's RAM disks under Debian's Linux and PV GRUB."""

from case import SERVICE, SHORT, Case

DRIVER = "DRIVER name=driver driver --"
GUEST = "LINUX name=linux mem=256M {} -- console=hvc0 paragon=disk"
NET = "LINUX name=linux mem=256M {} -- console=hvc0 paragon=net {}"
# The whole disk is served, nothing is left of it at the end, and the service domains end last.
ENDED = (r"^\(XEN\).*Domain \d+ \(linux\) ended: power off",
         r"^\(XEN\).*Domain 1 \(driver\) ended: power off",
         r"^\(XEN\).*Domain 0 \(store\) ended: power off")
MAX_LINES = 25  # of the driver's about one device (guest-pv/driver/pair.c)


def ended(times, domain):
    """What is typed to end that domain, each time that tools/linux/disk asks for it. The input goes
    back to the guest by way of the driver domain, if there is one."""
    back = b"\1\1\1" * (1 if domain == 1 else 2)
    return tuple((rf"end it now, {n}\s*$", b"\1\1\1x%d" % domain + back)
                 for n in range(1, times + 1))


def few_lines(lines):
    """A guest's devices, six of them, cannot fill the driver's log."""
    count = sum("(d1) driver: d2" in line for line in lines)
    if count > 6 * MAX_LINES:
        yield f"{count} lines of the driver about d2"


# What is left is the driver domain's own, in the store too: its watches are on its directory, on
# ends of domains, and on the node that tells it to end.
NOTHING_LEFT = (r"^\(d1\) driver: ends: 0 devices, 0 grants, 0 packets are left",
                r"^\(d0\) store: \d\d nodes, 3 watches, 0 transactions, 1 connections are left")


def hostile(name, disks, smp=0):
    """Suite hostilefront on these disks; on several CPUs its second vCPU changes what the first one
    has asked, while the driver domain reads it."""
    vcpus = 2 if smp else 1
    wrong = f"GOOD name=hostile mem=16M vcpus={vcpus} disk={disks}0,xvda,w disk={disks}1,xvdb,r " \
            f"disk={disks}2,xvdc,w vif vif=02:00:00:00:00:07,strict vif -- suites=hostilefront"
    front = f"GOOD name=front mem=16M disk={disks}3,xvda,w vif vif -- suites=frontend seconds=6"
    return Case(name, modules=(SERVICE, DRIVER) + ("DISKS-4",) * (disks == "ram") +
                (wrong, front), guests=(2, 3), limit=90, check=few_lines, smp=smp,
                blank=(disks == "vd") * 1, blanks=4 if disks == "vd" else 1,
                shows=(r"^\(d1\) driver: d3: xvda ends: .*, 0 errors",
                       r"^\(d1\) driver: d3: network device 1 ends: .*, 0 dropped, 0 refused") +
                NOTHING_LEFT)


def killed(name, seeds):
    """Guests of the suite doomed with these seeds, and one beside them that must not notice."""
    last = 2 + len(seeds)
    doomed = tuple(f"GOOD name=doomed{seed} mem=8M disk=ram{n},xvda,w vif -- suites=doomed "
                   f"seed={seed}" for n, seed in enumerate(seeds))
    steady = f"GOOD name=front mem=16M disk=ram{len(seeds)},xvda,w vif vif -- suites=frontend " \
             "seconds=2"
    return Case(name, modules=(SERVICE, "DRIVER name=driver driver --",
                               f"DISKS-{len(seeds) + 1}") + doomed + (steady,),
                guests=(last,), crash=tuple(range(2, last)), mem=1024, limit=120,
                shows=(rf"^\(d1\) driver: d{last}: xvda ends: .*, 0 errors",) + NOTHING_LEFT)


def kills(seed, number):
    """Boots with 20 such guests each: make soak-disk."""
    return [killed(f"killed-{first}", range(first, first + 20))
            for first in range(seed, seed + number, 20)]


def many(number):
    """So many guests with a disk and a network device each, all started at the same time, and one
    that takes of the store what it can, and keeps it busy."""
    guests = tuple(f"GOOD name=front{n} mem=4M disk=ram{n},xvda,w vif -- suites=frontend"
                   for n in range(number))
    greedy = "GOOD name=greedy mem=4M -- suites=storegreedy seconds=5"
    return Case("many-guests", modules=(SERVICE, DRIVER, f"DISKS-{number}", greedy) + guests,
                guests=tuple(range(2, 3 + number)), mem=1024, limit=90, long=True,
                shows=NOTHING_LEFT)


CASES = [
    Case("disk-ram",
         modules=(SERVICE, DRIVER, "DISK", GUEST.format("disk=ram0,xvda1,w"), "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240,
         shows=(r"^\(d1\) driver: ram0: 49152 KiB",
                r"^\(d1\) driver: d2: xvda1 is ram0, 48 MiB\s*$",
                r"^\(d1\) driver: d2: xvda1 ends: \d+ requests, [1-9]\d* KiB read, [1-9]\d* KiB "
                r"written, [1-9]\d* KiB discarded, 0 errors") + ENDED),
    Case("disk-ram-read-only",
         modules=(SERVICE, DRIVER, "DISK", GUEST.format("disk=ram0,xvda1,r"), "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240,
         shows=(r"^\(d1\) driver: d2: xvda1 is ram0, 48 MiB, read-only",
                r"^\(d1\) driver: d2: xvda1 ends: \d+ requests, \d+ KiB read, 0 KiB written, "
                r"0 KiB discarded, 0 errors") + ENDED),
    Case("disk-grub",
         modules=(SERVICE, DRIVER, "DISK", "GRUB name=linux mem=256M disk=ram0,xvda1,w --"),
         guests=(2,), mem=768, limit=300,
         shows=(r"^\(d2\).*Linux from \(xen/xvda1\)",) + ENDED),
    # The test guest's own front ends.
    Case("frontend",
         modules=(SERVICE, DRIVER, "DISKS-1",
                  "GOOD name=front mem=16M disk=ram0,xvda,w vif vif -- suites=frontend seconds=1"),
         guests=(2,),
         shows=(r"^\(d1\) driver: d2: xvda ends: .*, 0 errors",
                r"^\(d1\) driver: d2: network device 1 ends: .*, 0 dropped, 0 refused")),
    # One that does everything wrong, and one beside it whose data must not change meanwhile.
    hostile("front-hostile", "ram"),
    hostile("front-hostile-virtio", "vd"),
    hostile("front-hostile-4-cpus", "ram", smp=4),
    hostile("front-hostile-virtio-4-cpus", "vd", smp=4),
    many(64),
    # Guests that are ended in the middle of everything: nothing is left of them.
    killed("front-killed", range(100, 120)),
    # The machine's own devices.
    Case("disk-virtio",
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w"), "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240, disk=True,
         shows=(r"^\(d1\) driver: vd0: 49152 KiB",
                r"^\(d1\) driver: d2: xvda1 is vd0, 48 MiB\s*$",
                r"^\(d1\) driver: d2: xvda1 ends: .*, [1-9]\d* KiB discarded, 0 errors") + ENDED),
    Case("disk-virtio-4-cpus",
         modules=(SERVICE, DRIVER, GUEST.format("vcpus=4 disk=vd0,xvda1,w"), "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=300, disk=True, smp=4,
         shows=(r"^\(d1\) driver: d2: xvda1 ends: .*, 0 errors",) + ENDED),
    Case("disk-virtio-q35", long=True,
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w"), "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240, disk=True, firmware="q35",
         shows=(r"^\(d1\) driver: d2: xvda1 ends: .*, 0 errors",) + ENDED),
    # The firmware has used the devices, and their registers may be above 4 GiB.
    Case("disk-virtio-uefi",
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w vif"), "DISK-RAMDISK"),
         options="console=com1", guests=(2,), mem=768, limit=240, disk=True, net=True,
         firmware="uefi-q35", loader="esp",
         shows=(r"^\(d1\) driver: network card 0",
                r"^\(d1\) driver: d2: xvda1 ends: .*, 0 errors") + ENDED),
    Case("net-two-guests",
         modules=(SERVICE, DRIVER, NET.format("vif", "peer=a"), "DISK-RAMDISK",
                  NET.format("vif=02:00:00:00:00:07,strict", "peer=b"), "DISK-RAMDISK"),
         guests=(2, 3), mem=1024, limit=240, net=True,
         shows=(r"^\(d1\) driver: d2: network device 0 is 00:16:3e:00:02:00\s*$",
                r"^\(d1\) driver: d3: network device 0 is 02:00:00:00:00:07, no other",
                r"^\(d1\) driver: d3: network device 0 ends: .*, 0 refused") + ENDED),
    # The driver domain dies while the guest reads and writes. The guest does not notice it.
    Case("driver-dies",
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w vif") + " deaths=2",
                  "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240, disk=True, net=True, types=ended(2, 1),
         shows=(r"^\(XEN\).*d1 \(driver\) died while guests need it: started again, with 2 PCI",
                r"^\(d1\) driver: d2: network device 0 ends: [1-9]\d* packets sent, [1-9]",
                r"^\(d1\) driver: d2: xvda1 goes on, [1-9]\d* requests are repeated",
                r"^\(d1\) driver: d2: xvda1 ends: .*, 0 errors") + ENDED),
    Case("driver-dies-too-often",
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w") + " lost=3",
                  "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240, disk=True, types=ended(3, 1),
         shows=(r"^\(XEN\).*d1, the driver domain, died too often", ENDED[0], ENDED[2])),
    # So does the store, from the third time on to refuse every request.
    Case("disk-store-dies",
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w") + " deaths=2",
                  "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240, disk=True, types=ended(2, 0),
         shows=(r"^\(XEN\).*d0 \(store\) died .*2 of 3",
                r"^\(d1\) driver: d2: xvda1 ends: .*, 0 errors") + ENDED),
    # Both, one just behind the other: what the store keeps in the guest's page is enough.
    *(Case(f"disk-{name}-die", long=keys == b"x1x0",
           modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w vif") + " deaths=2",
                    "DISK-RAMDISK"),
           guests=(2,), mem=768, limit=240, disk=True, net=True,
           types=tuple((rf"end it now, {n}\s*$", b"\1\1\1" + keys + b"\1\1\1") for n in (1, 2)),
           shows=(r"^\(XEN\).*d0 \(store\) died .*2 of 3",
                  r"^\(XEN\).*d1 \(driver\) died while guests need it: started again, with 2 PCI",
                  r"^\(d1\) driver: d2: xvda1 goes on, \d* requests are repeated",
                  r"^\(d1\) driver: d2: xvda1 ends: .*, 0 errors") + ENDED)
      for name, keys in (("store-driver", b"x0x1"), ("driver-store", b"x1x0"))),
    # Both, while a front end connects or closes, which writes nothing twice.
    *(Case(f"handshake-{n}",
           modules=(SERVICE, DRIVER,
                    f"GOOD name=front mem=16M disk=vd0,xvda,w -- suites=handshake{n}"),
           guests=(2,), limit=120, blank=2,
           types=tuple((rf"end them now, {i}\s*$", b"\1\1\1x0x1\1\1\1") for i in (1, 2)),
           shows=(r"^\(XEN\).*d0 \(store\) died .*2 of 3",
                  r"^\(XEN\).*d1 \(driver\) died while guests need it: started again, with 1 PCI",
                  *ENDED[1:]))
      for n in (1, 2)),
    # The driver domain until it is not started again, and then the store.
    Case("handshake-3",
         modules=(SERVICE, DRIVER, "GOOD name=front mem=16M disk=vd0,xvda,w -- suites=handshake3"),
         guests=(2,), limit=120, blank=2,
         types=tuple((rf"end them now, {i}\s*$", b"\1\1\1x%d" % domain + b"\1\1\1" * back)
                     for i, domain, back in ((1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 0, 1))),
         shows=(r"^\(XEN\).*d1, the driver domain, died too often",
                r"^\(XEN\).*d0 \(store\) died .*1 of 3", ENDED[2])),
    # One of them.
    *(Case(f"handshake-{name}-{n}", long=True,
           modules=(SERVICE, DRIVER,
                    f"GOOD name=front mem=16M disk=vd0,xvda,w -- suites=handshake{n}"),
           guests=(2,), limit=120, blank=2,
           types=tuple((rf"end them now, {i}\s*$", b"\1\1\1x%d" % domain + b"\1\1\1" * back)
                       for i in (1, 2)),
           shows=(rf"^\(XEN\).*d{domain} \({name}\) died", *ENDED[1:]))
      for n in (1, 2) for name, domain, back in (("store", 0, 2), ("driver", 1, 1))),
    # The same with Linux's front ends: at the first line the disk connects, then the network.
    *(Case(f"linux-handshake-{ms}", long=ms != 20,
           modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w vif") + f" early={ms}",
                    "DISK-RAMDISK"),
           guests=(2,), mem=768, limit=120, disk=True, net=True,
           types=tuple((rf"end it now, {n}\s*$", b"\1\1\1x0x1\1\1\1") for n in (1, 2)),
           shows=(r"^\(XEN\).*d0 \(store\) died .*2 of 3",
                  r"^\(XEN\).*d1 \(driver\) died while guests need it: started again, with 2 PCI",
                  r"^\(d1\) driver: d2: xvda1 ends: .*, 0 errors") + ENDED)
      for ms in (0, 20, 40, 80)),
    Case("disk-store-refuses", long=True,
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w") + " deaths=3",
                  "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240, disk=True, types=ended(3, 0),
         shows=(r"^\(XEN\).*d0 \(store\) died .*3 of 3\), to refuse",
                r"^\(d1\) driver: ends: 0 devices, .*, 1 disks are flushed") + ENDED),
    # In the end there is none, and the driver domain is told nothing. Linux waits for the store
    # when it switches off, and is ended by the key.
    Case("disk-no-store", long=True,
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w") + " deaths=4",
                  "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240, disk=True,
         types=ended(4, 0) + ((r"linux: 6 passed", b"\1\1\1x2"),),
         shows=(r"^\(XEN\).*Nobody serves the store any more",
                r"^\(d1\) driver: there is no store any more: what is written is flushed every",
                r"^\(XEN\).*d1 \(driver\) is ended: there is no store to tell it",
                ENDED[0], ENDED[1])),
    # Devices without MSI-X, which share a pin.
    *(Case(f"intx-{firmware}",
           modules=(SERVICE, DRIVER,
                    "GOOD name=front mem=16M disk=vd0,xvda,w vif vif -- suites=frontend,uplink"),
           guests=(2,), limit=90, blank=2, net=True, vectors=0,
           firmware={"pc": "bios"}.get(firmware, firmware),
           shows=(r"^\(d1\) driver: PCI 00:0\d.0 interrupts by line 11\s*$",
                  r"^\(d1\) driver: vd0: 2048 KiB", r"^\(d1\) driver: network card 0",
                  r"^\(d1\) driver: d2: xvda ends: .*, 0 errors"))
      for firmware in ("pc", "q35")),
    # A guest with a network card of its own, and one without, beside the driver domain's disk.
    Case("pci",
         modules=(SERVICE, DRIVER, "GOOD name=owner mem=16M pci=00:04.0,00:09.0 -- suites=pci",
                  "GOOD name=other mem=16M disk=vd0,xvda,w -- suites=pci,frontend"),
         guests=(2, 3), blank=2, net=True,
         shows=(r"^\(XEN\).*d1 \(driver\) gets 1 PCI functions",
                r"^\(XEN\).*d2 \(owner\) gets 1 PCI functions",
                r"^\(XEN\).*d2 \(owner\): pci=00:09.0: there is no such virtio",
                r"^\(d2\).*pci: 00:04.0 is its own",
                r"^\(d1\) driver: d3: xvda ends: .*, 0 errors")),
    # A sector that can be neither read nor written; and a power cut.
    Case("disk-error",
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w") + " bad=90000",
                  "DISK-RAMDISK"),
         guests=(2,), mem=768, limit=240, disk=True, bad_sector=90000,
         shows=(r"^\(d1\) driver: d2: xvda1 ends: .* [1-9]\d* errors",) + ENDED),
    Case("disk-power-cut",
         modules=(SERVICE, DRIVER, GUEST.format("disk=vd0,xvda1,w") + " cut=1", "DISK-RAMDISK"),
         mem=768, limit=240, disk=True, cut=True, until=r"cut25 is written",
         shows=(r"cut25 is written",)),
    # What is wrong gets a line, and the guest runs.
    Case("disk-words",
         modules=(SERVICE, "DRIVER name=driver driver --",
                  "GOOD name=one mem=32M disk=ram7,xvda,w -- suites=boot,store",
                  SHORT.format("two").replace(" -- ", " disk=ram0,sda,w -- ", 1),
                  SHORT.format("three").replace(" -- ", " disk=ram0,xvda0,r -- ", 1)),
         guests=(2, 4),
         shows=(r"^\(d1\) driver: no devices",
                r"^\(d1\) driver: d2: vbd/51712: there is no disk of that name",
                r'^\(XEN\).*module word "disk=ram0,sda,w": not a value for it',
                r"^\(d0\) store: domain 4: disk=ram0,xvda0,r: not the name of a disk")),
    Case("driver-little-memory",
         modules=(SERVICE, "DRIVER name=driver mem=6M driver --", "DISKS-1",
                  "GOOD name=front mem=16M disk=ram0,xvda,w vif vif -- suites=frontend"),
         guests=(2,),
         shows=(r"^\(d1\) driver: d2: vif/1: no memory for large packets \(mem= of the driver",)),
    Case("driver-no-memory",
         modules=(SERVICE, "DRIVER name=driver mem=4M driver --", "DISKS-1",
                  "GOOD name=net mem=16M vif -- suites=frontrefused",
                  "GOOD name=disk mem=16M disk=ram0,xvda,w -- suites=frontend"),
         guests=(2, 3),
         shows=(r"^\(d1\) driver: d2: vif/0: no memory for its packets \(mem= of the driver",)),
    Case("disk-without-driver",
         modules=(SERVICE, SHORT.format("good").replace(" -- ", " disk=ram0,xvda,w -- ", 1)),
         guests=(1,),
         shows=(r"^\(XEN\).*d1 \(good\): there is no driver domain: it gets no devices",)),
]
