/* What the files of the EFI application share. It is a program of its own: nothing of the
 * hypervisor is in it but its image, and a few files of plain C. Its functions return EFI_STATUS;
 * one that fails has said why, in one line. */
#ifndef EFI_STUB_H
#define EFI_STUB_H

#include <efi.h>
#include <efilib.h>
#include <efishell.h>

#include "common/compiler.h"
#include "xen/boot/boot_info.h"
#include "arch/x86_64/efi/config.h"
#include "arch/x86_64/efi/memory.h"

/* print.c: a line on the firmware's console and on COM1. */
void print_init(void);
/* what com1= and console= of the hypervisor's options say */
void print_use_serial(const char *options);
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* From here on the firmware's console must not be called: what is said goes to the port alone. */
void print_without_firmware(void);
EFI_STATUS fail(EFI_STATUS status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* files.c: files of our own directory, read into pages of their own, with a NUL behind. */
struct file {
    char *data;
    uint64_t size;
};
EFI_STATUS files_init(EFI_HANDLE image);
void files_close(void);                     /* harmless without files_init */
const char *files_program(void);            /* our own file's name, without the directory */
const char *files_directory(void);
/* EFI_NOT_FOUND is not said when it may be missing. */
EFI_STATUS file_load(const char *name, bool may_be_missing, struct file *f);

/* pages.c: memory that is given back if we return. */
EFI_STATUS pages_take(EFI_ALLOCATE_TYPE type, EFI_MEMORY_TYPE kind, uint64_t bytes,
                      uint64_t *address);
void pages_give_back(uint64_t address);
void pages_give_back_all(void);
/* A fresh map in a buffer with room for it to grow; *key is for leaving boot services. Not said
 * when it fails. */
EFI_STATUS pages_map(struct efi_map *map, UINTN *key);

/* machine.c: what the firmware knows of the machine. */
void machine_describe(struct boot_info *info);

/* handover.c: puts the hypervisor where it can run, leaves boot services and starts it. Returns
 * only if it cannot. */
EFI_STATUS handover(EFI_HANDLE self, struct boot_info *info);
/* A boot_info in memory that the hypervisor can read when it starts. */
EFI_STATUS handover_prepare(struct boot_info **info);

/* kernel.c: NULL, or why this is no kernel that can be started. */
const char *kernel_reason(const void *data, uint64_t size);

#endif
