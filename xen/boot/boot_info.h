/* The information from the boot loader. Multiboot 1, multiboot 2 and xen.efi fill this one
 * structure; all later code is the same for the three. It is plain data without pointers, so that
 * the EFI application, which is a separate program, can fill it. */
#ifndef XEN_BOOT_INFO_H
#define XEN_BOOT_INFO_H

#include <stdbool.h>
#include <stdint.h>

#define BOOT_MODULES 1024
#define BOOT_STRING 4096             /* of a module, with its NUL */
#define BOOT_RANGES 256
/* Firmware that protects its drivers has some for each of them. */
#define BOOT_RUNTIME_RANGES 128

/* Modules must be below this machine address: at boot the hypervisor maps no more (paging.c). */
#define BOOT_ADDRESS_END (512ull << 30)

/* Addresses are machine addresses below that. Strings are NUL-terminated copies. */
struct boot_module {
    uint64_t start, size;
    uint64_t cut;                   /* bytes cut from the end of its string */
    char string[BOOT_STRING];
};

struct ram_range {
    uint64_t start, end;
};

/* The frame buffer that the firmware has set up, with 32-bit pixels. */
struct boot_screen {
    uint64_t base;                  /* 0: none */
    uint32_t width, height, pitch;  /* pixels, lines, bytes from one line to the next */
    uint32_t red, green, blue;      /* masks */
};

/* The firmware's runtime services: memory of their code and data, which must not be used as RAM.
 * They can be called only if both table and ranges are there. */
struct boot_runtime {
    /* Machine address of the runtime services' table; 0: not known. */
    uint64_t table;
    unsigned nr_ranges;
    struct {
        uint64_t start, end;
        bool uncached;
    } range[BOOT_RUNTIME_RANGES];
};

struct boot_info {
    char loader[64];
    char cmdline[2048];             /* whole words */
    uint64_t cmdline_cut;           /* bytes cut from its end */
    unsigned nr_modules, nr_modules_dropped;        /* dropped: did not fit into modules[] */
    char first_dropped[64];         /* the start of the first dropped one's string */
    struct boot_module modules[BOOT_MODULES];
    unsigned nr_ranges;
    /* Usable RAM, page aligned, sorted, without the hypervisor's image; the modules are in it. */
    struct ram_range ranges[BOOT_RANGES];
    uint64_t ram;                   /* bytes in all ranges, before anything was allocated */
    uint64_t dropped;               /* bytes of RAM that did not fit into ranges[] */
    uint64_t tsc;                   /* when the hypervisor was entered */
    /* Seconds since 1970 at that moment, by the firmware; 0: not known. */
    uint64_t date;
    /* Two pages of RAM below 640 KiB, where other CPUs start; 0: there are none. */
    uint64_t low_pages;
    uint8_t rsdp[36];               /* copy of ACPI's root pointer; all zero: none given */
    struct boot_screen screen;
    struct boot_runtime runtime;
};
extern struct boot_info boot_info;

/* A loader's string without the file name that loaders other than GRUB 2 put first. */
const char *boot_string(const char *s);

#endif
