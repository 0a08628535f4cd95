/* Shared by the files of the EFI application. It is a separate program: of the hypervisor it
 * contains only the image as data, and a few files of plain C. Functions return EFI_STATUS; one
 * that fails has printed the reason in one line, unless stated. */
#ifndef EFI_STUB_H
#define EFI_STUB_H

#include <efi.h>
#include <efilib.h>
#include <efishell.h>

#include "common/compiler.h"
#include "xen/boot/boot_info.h"
#include "arch/x86_64/efi/config.h"
#include "arch/x86_64/efi/memory.h"

/* print.c: prints a line on the firmware's console and on COM1. */
void print_init(void);
/* Applies com1= and console= of the hypervisor's options. */
void print_use_serial(const char *options);
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* From here on the firmware's console is not called: lines go to the port only. */
void print_without_firmware(void);
EFI_STATUS fail(EFI_STATUS status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* files.c: reads files of xen.efi's directory into pages of their own, with a NUL at the end. */
struct file {
    char *data;
    uint64_t size;
};
EFI_STATUS files_init(EFI_HANDLE image);
void files_close(void);                     /* harmless without files_init */
const char *files_program(void);            /* the name of xen.efi's file, without the directory */
const char *files_directory(void);
/* If the file may be missing, nothing is printed for EFI_NOT_FOUND. */
EFI_STATUS file_load(const char *name, bool may_be_missing, struct file *f);

/* pages.c: memory that is freed when xen.efi returns to the firmware. */
EFI_STATUS pages_allocate(EFI_ALLOCATE_TYPE type, EFI_MEMORY_TYPE kind, uint64_t bytes,
                      uint64_t *address);
void pages_free(uint64_t address);
void pages_free_all(void);
/* Reads the memory map into a buffer with room for it to grow; *key is for ExitBootServices. Prints
 * nothing when it fails. */
EFI_STATUS pages_map(struct efi_map *map, UINTN *key);

/* machine.c: fills boot_info with the firmware's facts about the machine. */
void machine_describe(struct boot_info *info);

/* handover.c: copies the hypervisor to its place, exits boot services and starts it. Returns only
 * if that failed. */
EFI_STATUS handover(EFI_HANDLE self, struct boot_info *info);
/* Allocates a boot_info where the hypervisor can read it. */
EFI_STATUS handover_prepare(struct boot_info **info);

/* kernel.c: returns NULL, or why this is not a kernel that can be started. */
const char *kernel_reason(const void *data, uint64_t size);

#endif
