#!/usr/bin/env python3
"""Which values the variables of make may have. Not here: paragon-run's own options.

settings.py NAME=VALUE... prints one line about the first value that is wrong, and nothing if all
are correct; the Makefile runs it before anything is built. paragon-run imports CHOICES;
tests/tools/test_make.py tries every message.
"""

import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
CHOICES = {
    "ACCEL": ("auto", "kvm", "tcg"),
    "FIRMWARE": ("bios", "uefi"),
    "BOOT": ("grub", "efi", "esp"),
    "RAW": ("auto", "on", "off"),
    "STORE": ("yes", "no"),
    "NET": ("none", "user", "tap"),
    "WAY": ("pv", "emulate", "trap", "translate"),
}
BUILT_IN_GUESTS = ("linux", "debian", "grub")
TRACE_WORDS = ("hypercall", "args", "trap", "emul", "event", "sched", "mem", "hypercalls", "all",
               "off")
# These are put between single quotes, in grub.cfg's variables or in a line of the shell.
QUOTED = ("CMDLINE", "APPEND", "WORDS", "SUITES", "VIEW")
FILES = ("KERNEL", "INITRD", "DISK")


def one_of(words):
    *most, last = words
    return f"must be {', '.join(most)} or {last}"


def menu_entries():
    with open(os.path.join(ROOT, "grub.cfg"), encoding="utf-8") as menu:
        return re.findall(r"^menuentry .*--id ([a-z]+) ", menu.read(), re.M)


def faults(given):
    """Yields a line for each value that is wrong. given: name -> value."""
    def value(name):
        return given.get(name, "")

    for name, choices in CHOICES.items():
        if name in given and value(name) not in choices:
            yield f"{name}={value(name)}: {one_of(choices)}"
    if value("RAMDISK"):
        yield f"RAMDISK={value('RAMDISK')}: is called INITRD={value('RAMDISK')} now"
    if value("GUEST") and value("GUEST") not in BUILT_IN_GUESTS:
        yield (f"GUEST={value('GUEST')}: names a guest that comes with Paragon "
               f"({', '.join(BUILT_IN_GUESTS)}); "
               f"a kernel of yours, ELF or bzImage, is KERNEL={value('GUEST')}")
    for name in FILES:
        if value(name) and not (os.path.isfile(value(name)) and os.access(value(name), os.R_OK)):
            exists = os.path.exists(value(name))
            fault = "not a file that can be read" if exists else "no such file"
            yield f"{name}={value(name)}: {fault}"
    if value("KERNEL") and value("GUEST"):
        yield "KERNEL= and GUEST= are two kernels: give one"
    if value("INITRD") and not value("KERNEL"):
        yield "INITRD= needs KERNEL=, the kernel that it belongs to"
    if value("WAY") not in ("", "pv") and (value("DISK") or value("GUEST") in ("debian", "grub")):
        yield f"WAY={value('WAY')}: the kernels that it hosts have no disk"
    if value("DISK") and not value("KERNEL") and not value("GUEST"):
        yield "DISK= needs GUEST= or KERNEL=, the kernel that uses it"
    if not re.fullmatch("[0-9]*", value("SSH_PORT")) or int(value("SSH_PORT") or 0) > 65535:
        yield f"SSH_PORT={value('SSH_PORT')}: must be a number of a port, 0 for none"
    if value("WAY") not in ("", "pv") and not value("KERNEL") and not value("GUEST"):
        yield f"WAY={value('WAY')} needs GUEST= or KERNEL=, the kernel that is hosted"
    if value("BOOT") in CHOICES["BOOT"][1:] and value("FIRMWARE") == "bios":
        yield f"BOOT={value('BOOT')} needs FIRMWARE=uefi"
    if any(word.removeprefix("-") not in TRACE_WORDS
           for word in re.split("[, ]", value("TRACE")) if word):
        yield (f"TRACE={value('TRACE')}: must be words of {' '.join(TRACE_WORDS)}, with commas "
               "between and - before what is not wanted")
    if not re.fullmatch("[0-9]+", given.get("MEM", "0")):
        yield f"MEM={value('MEM')}: must be a number of MiB"
    if given.get("SMP", "1") not in map(str, range(1, 256)):
        yield f"SMP={value('SMP')}: must be a number of CPUs, 1 to 255"
    if not re.fullmatch("[0-9]*", value("TIMEOUT")):
        yield f"TIMEOUT={value('TIMEOUT')}: must be a number of seconds"
    if "ENTRY" in given and value("ENTRY") not in menu_entries():
        yield f"ENTRY={value('ENTRY')}: grub.cfg has no such entry, but {' '.join(menu_entries())}"
    for name in QUOTED:
        if "'" in value(name):
            yield f"{name}={value(name)}: it cannot hold a single quote"


if __name__ == "__main__":
    print(next(faults(dict(word.split("=", 1) for word in sys.argv[1:])), ""))
