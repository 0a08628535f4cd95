"""EFI system partitions for the boot tests: directories that QEMU shows as a disk with one FAT
partition.

A case's modules become the section [test] of an xen.cfg, beside xen.efi: where the firmware's boot
manager looks for it (loader "esp"), or in the root with a startup.nsh for the UEFI shell (loader
"shell"). Here are also the sections and commands that have to fail, the check of how they did, and
the check of the pages that fragment.c allocated. Called by run.py and cases_efi.py.
"""

import os
import re
import shutil

CONFIG = "[global]\ndefault=test\n\n[test]\noptions={}\n{}"
HOME = {"esp": "EFI/BOOT/BOOTX64.EFI", "shell": "xen.efi"}


def put(path, source=None, text=""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if source:
        os.link(source, path)
    else:
        with open(path, "w", encoding="ascii", newline="") as out:
            out.write(text)


def section(modules, directory):
    """Yields xen.cfg's lines for modules, (word, file, words), and links each file into the
    directory by the name of its word, in small letters."""
    for word, path, words in modules:
        name = word.lower()
        if not os.path.exists(os.path.join(directory, name)):
            put(os.path.join(directory, name), path)
        data = word.endswith("RAMDISK") or word in ("DISK", "TEXT") or word.startswith("ZEROS")
        key = "ramdisk" if data else "kernel"
        yield f"{key}={name} {words}".strip() + "\n"


def make(root, case, options, file_of, modules):
    """Makes the directory anew. case.files: name -> text, or a colon and a word for file_of."""
    shutil.rmtree(root, ignore_errors=True)
    program = os.path.join(root, HOME[case.loader])
    home = os.path.dirname(program)
    put(program, file_of("XEN"))
    lines = "".join(section(modules, home))
    if case.modules:
        put(os.path.join(home, "xen.cfg"), text=CONFIG.format(options, lines))
    for name, text in case.files.items():
        source = file_of(text[1:]) if text.startswith(":") else None
        path = os.path.join(root, name)
        if os.path.exists(path):
            os.remove(path)
        put(path, source, text.replace("\n", "\r\n"))
    return root


# --- What has to fail: name -> (command of the shell, pattern of the reason, status) -------------
NOT_FOUND, LOAD_ERROR, INVALID, NO_RESOURCES = 0xE, 0x1, 0x2, 0x9
BAD = {
    "no-configuration": (r"empty\xen.efi", r"no configuration.*xen\.cfg", NOT_FOUND),
    "no-such-configuration": ("xen.efi -cfg=none.cfg", r"no file.*none\.cfg", NOT_FOUND),
    "configuration-is-directory": ("xen.efi -cfg=empty", r"empty is a directory", NOT_FOUND),
    "long-configuration": ("xen.efi -cfg=" + "n" * 300, r"behind -cfg= is too long", INVALID),
    "empty-configuration": ("xen.efi -cfg=hollow", r"hollow is empty", LOAD_ERROR),
    "configuration-is-a-kernel": ("xen.efi -cfg=good", r"good", NOT_FOUND),
    "unknown-section": ("xen.efi nowhere", r'no section "nowhere" in xen\.cfg', NOT_FOUND),
    "unknown-option": ("xen.efi -frobnicate", r"unknown switch", INVALID),
    "no-kernel-in-section": ("xen.efi -cfg=bad.cfg barren", r"barren.*no kernel=", LOAD_ERROR),
    "kernel-missing": ("xen.efi -cfg=bad.cfg missing", r"no file.*absent", NOT_FOUND),
    "ramdisk-missing": ("xen.efi -cfg=bad.cfg noramdisk", r"no file.*absent", NOT_FOUND),
    "kernel-empty": ("xen.efi -cfg=bad.cfg hollow", r"hollow is empty", LOAD_ERROR),
    "kernel-is-text": ("xen.efi -cfg=bad.cfg text", r"bad\.cfg.*(kernel|ELF)", LOAD_ERROR),
    "kernel-is-bzimage": ("xen.efi -cfg=bad.cfg packed", r"packed.*bzImage.*unpack", LOAD_ERROR),
    "kernel-cut": ("xen.efi -cfg=bad.cfg cut", r"bad-headers-cut.*", LOAD_ERROR),
    "kernel-is-directory": ("xen.efi -cfg=bad.cfg directory", r"empty is a directory", NOT_FOUND),
    "options-too-long": ("xen.efi -cfg=bad.cfg options", r"options are too long", INVALID),
    "words-too-long": ("xen.efi -cfg=bad.cfg words", r"line is too long", INVALID),
    "too-little-memory": ("xen.efi -cfg=bad.cfg giant", r"not enough memory", NO_RESOURCES),
    "chain-to-nothing": ("xen.efi -cfg=chain.cfg nowhere", r"no file.*absent", NOT_FOUND),
}
BAD_CONFIG = f"""\
[barren]
options=console=com1
[missing]
kernel=absent name=a --
[noramdisk]
kernel=good name=a --
ramdisk=absent
[hollow]
kernel=hollow
[text]
kernel=bad.cfg
[packed]
kernel=packed console=hvc0
[cut]
kernel=bad-headers-cut
[directory]
kernel=empty
[options]
options={"o" * 2048}
kernel=good
[words]
kernel=good {"w" * 4096}
[giant]
kernel=good name=a mem=900G --
"""


def bad_files():
    """The script: memmap before and after all of BAD, and then a start that has to succeed."""
    calls = "".join(f"echo case: {name}\n{call}\necho status %lasterror%\n"
                    for name, (call, _, _) in BAD.items())
    script = "@echo -off\nfs0:\n" + BAD["unknown-section"][0] + \
        f"\nmemmap\n{calls}memmap\necho case: good\nxen.efi\n"
    return {"startup.nsh": script, "bad.cfg": BAD_CONFIG, "chain.cfg": "[global]\nchain=absent\n",
            "empty/xen.efi": ":XEN", "hollow": "", "packed": ":VMLINUZ",
            "bad-headers-cut": ":BAD-headers-cut"}


def bad_calls(lines):
    """Faults: a call that did not print its reason in one line or has another status, and memory
    that was not freed."""
    text = "\n".join(lines)
    for name, (call, reason, status) in BAD.items():
        match = re.search(rf"^case: {name}\n(.*?)^status (\S+)$", text, re.M | re.S)
        if not match:
            yield f"{call}: the shell did not get control back"
            continue
        printed = [line for line in match[1].splitlines()
                   if line.strip() and not line.startswith("Loading ")]
        if int(match[2], 0) & 0xFFFF != status:
            yield f"{call}: status {match[2]}, not {status:#x}"
        if len(printed) != 1 or not re.search(reason, printed[0]):
            yield f"{call}: printed {printed}, not one line with {reason}"
    free = [int(number.replace(",", ""))
            for number in re.findall(r"^ *Available : +([\d,]+) Pages", text, re.M)]
    if len(free) != 2 or free[0] - free[1] > 64:
        yield f"the firmware's free pages before and after: {free}"


# --- fragment.c's pages: FIRST and STEP as there, and what it fills them with --------------------
FIRST, STEP, FILLED = 0x200000, 0x100000, b"\xa5" * 4096


def taken_pages(ram, lines):
    """Faults: a page that it allocated no longer holds what it was filled with."""
    found = next((match for line in lines
                  if (match := re.match(r"fragment: (\d+) pages taken of (\d+)$", line))), None)
    taken, tried = (int(found[1]), int(found[2])) if found else (0, 0)
    if not found or taken < tried // 2:
        yield "too few pages were taken"
        return
    whole = 0
    for index in range(tried):
        ram.seek(FIRST + index * STEP)
        whole += ram.read(4096) == FILLED
    if whole != taken:
        yield f"{taken} pages were taken, and {whole} are unchanged"
