/* What the boot loader gave us, whatever the loader was: three ways of booting fill this one structure, and nobody behind
 * them asks which. Plain data without pointers, so that the EFI application, a program of its own, can fill it in and
 * hand it over. */
#ifndef XEN_BOOT_INFO_H
#define XEN_BOOT_INFO_H

#include <stdbool.h>
#include <stdint.h>

#define BOOT_MODULES 1024
#define BOOT_STRING 4096             /* of a module, with its NUL */
#define BOOT_RANGES 256
#define BOOT_RUNTIME_RANGES 128        /* firmware that protects its drivers has some for each of them */

/* Where a module has to lie: the hypervisor maps no more (paging.c). */
#define BOOT_ADDRESS_END (512ull << 30)

/* Addresses are machine addresses below that. Strings are NUL-terminated copies. */
struct boot_module {
    uint64_t start, size;
    uint64_t cut;                   /* bytes of its string that had no room */
    char string[BOOT_STRING];
};

struct ram_range {
    uint64_t start, end;
};

/* The screen as the firmware left it: a linear picture of 32-bit pixels. */
struct boot_screen {
    uint64_t base;                  /* 0: none */
    uint32_t width, height, pitch;  /* pixels, lines, bytes from one line to the next */
    uint32_t red, green, blue;      /* masks */
};

/* Firmware that stays callable: its code and data, which are nobody's RAM. There is none without table and ranges. */
struct boot_runtime {
    uint64_t table;                 /* machine address of the runtime services' table; 0: not known */
    unsigned nr_ranges;
    struct {
        uint64_t start, end;
        bool uncached;
    } range[BOOT_RUNTIME_RANGES];
};

struct boot_info {
    char loader[64];
    char cmdline[2048];             /* whole words */
    uint64_t cmdline_cut;           /* bytes that had no room */
    unsigned nr_modules, nr_modules_dropped;        /* for these there was no room */
    char first_dropped[64];         /* the first one's string, as far as it goes */
    struct boot_module modules[BOOT_MODULES];
    unsigned nr_ranges;
    struct ram_range ranges[BOOT_RANGES];   /* usable RAM, page aligned, sorted, without ourselves; modules still in it */
    uint64_t ram;                   /* bytes in them when they were found; arch/ adds it up */
    uint64_t dropped;               /* bytes of RAM for which the table above had no room */
    uint64_t tsc;                   /* when the loader handed over */
    uint64_t date;                  /* seconds since 1970 at that moment, as the firmware had it; 0: not known */
    uint8_t rsdp[36];               /* copy of ACPI's root pointer; all zero: none given */
    struct boot_screen screen;
    struct boot_runtime runtime;
};
extern struct boot_info boot_info;

/* A loader's string without the file name that loaders other than GRUB 2 put first. */
const char *boot_string(const char *s);

#endif
