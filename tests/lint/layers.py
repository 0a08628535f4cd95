#!/usr/bin/env python3
"""Checks who includes whom: quotes are for the tree's own headers and follow the layers, angle
brackets are for all others. In tests/ a header named without a folder lies beside the file, or
is one of those that the table names so."""
import pathlib
import re
import sys

FREESTANDING = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h", "stdalign.h"}
ALL_LIBC = None

# directory: (prefixes of ours that it may include, names in angle brackets that it may include)
LAYERS = {
    "common": (("common/", "gen/"), FREESTANDING),
    "xen": (("common/", "gen/", "xen/", "arch/arch.h"), FREESTANDING),
    "arch/x86_64": (("common/", "xen/", "arch/arch.h", "arch/x86_64/", "arch_cpu.h",
                     "asm-offsets.h"), FREESTANDING),
    "arch/x86_64/efi": (("common/", "xen/boot/boot_info.h", "xen/boot/image.h", "arch/x86_64/efi/"),
                        FREESTANDING | {"efi.h", "efilib.h", "efishell.h"}),
    "arch/host": (("common/", "xen/", "arch/arch.h", "arch_cpu.h", "fiber.h", "host.h"),
                  ALL_LIBC),
    "tests/unit": (("common/", "xen/", "arch/arch.h", "arch/x86_64/efi/",
                    "arch/x86_64/acpi_tables.h", "arch/x86_64/madt.h",
                    "arch/x86_64/cpuid_words.h", "arch/x86_64/tsc_rate.h", "arch/x86_64/cpu.h",
                    "arch/x86_64/features.h", "host.h", "tests/unit/",
                    "guest-pv/store/", "guest-pv/driver/", "guest-pv/vmm/"), ALL_LIBC),
    "tests/fuzz": (("common/", "gen/", "xen/", "arch/arch.h", "host.h", "support.h",
                    "trace_reader.h", "tests/fuzz/"), ALL_LIBC),
    "tests/laws": (("common/", "xen/", "arch/arch.h", "host.h", "support.h"), ALL_LIBC),
    "tests/model": (("common/", "xen/", "arch/arch.h", "fiber.h", "host.h", "support.h",
                     "tsan_calls.h"), ALL_LIBC),
}
EXCEPTIONS = {
    # the inline half of the seam comes from the architecture that is built
    ("arch/arch.h", "arch_cpu.h"),
    # whose control registers the test fakes; a part of a plugin of QEMU
    ("tests/unit/test_x86_tlb.c", "arch/x86_64/tlb.c"),
    ("tests/unit/test_counts_tlb.c", "tools/counts/tlb.c"),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)
ASSEMBLER = re.compile(r'\b(?:__asm__|asm)\b(?!\s*volatile\s*\(""\s*:)')


def layer_of(path):
    best = None
    for layer in LAYERS:
        if path.startswith(layer + "/") and (best is None or len(layer) > len(best)):
            best = layer
    return best


def check(path, text, beside=()):
    """Yields what is wrong. beside: names of the files in the same folder."""
    layer = layer_of(path) or ("xen" if path == "arch/arch.h" else None)
    if layer is None:
        return
    ours, theirs = LAYERS[layer]
    for bracket, name in INCLUDE.findall(text):
        if (path, name) in EXCEPTIONS:
            continue
        if name.startswith("public/"):
            if layer.startswith("tests") or layer == "xen" and path != "xen/core/abi.h":
                yield f"<{name}>: only xen/core/abi.h includes the public headers"
        elif bracket == "<" and theirs is not None and name not in theirs:
            yield f"<{name}>: not a freestanding header"
        elif layer.startswith("tests") and name in beside:
            continue
        elif bracket == '"' and (name.endswith(".c") or not name.startswith(ours)):
            yield f'"{name}": {layer}/ may not include it'
    if layer in ("xen", "common") and path != "common/compiler.h" and ASSEMBLER.search(text):
        yield "assembler does not belong here"


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    problems = files = 0
    for top in ("common", "xen", "arch", "tests"):
        for file in sorted((root / top).rglob("*.[chS]")):
            path = str(file.relative_to(root))
            files += 1
            beside = {other.name for other in file.parent.glob("*.h")}
            for what in check(path, file.read_text(), beside):
                print(f"{path}: {what}", file=sys.stderr)
                problems += 1
    if files == 0:
        print("no sources found", file=sys.stderr)
    return problems != 0 or files == 0


if __name__ == "__main__":
    sys.exit(main())
