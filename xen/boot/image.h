/* A PV kernel as a file: an ELF program, and what its Xen notes (or the older __xen_guest string) ask of the
 * builder. */
#ifndef XEN_IMAGE_H
#define XEN_IMAGE_H

#include "common/elf.h"
#include "common/elf_symbols.h"
#include "xen/core/types.h"

#define NOTE_STRING_MAX 32u

struct kernel_image {
    struct elf_file elf;
    uint32_t given;                     /* bit per note type below 32 that was present */
    uint64_t virt_base;                 /* where pseudo-physical 0 is mapped */
    uint64_t paddr_offset;              /* subtracted from the file's physical addresses */
    uint64_t entry;
    uint64_t hypercall_page;            /* valid if given: the page that holds this address */
    uint64_t init_p2m;                  /* valid if given */
    uint64_t mod_start_pfn;             /* nonzero: the ramdisk need not be mapped */
    char xen_version[NOTE_STRING_MAX], loader[NOTE_STRING_MAX], guest_os[NOTE_STRING_MAX];
    char guest_version[NOTE_STRING_MAX];
    bool wants_symbols;
    const char *bad_note;               /* reason of the first note that made no sense */
    /* Derived: the image as virtual addresses, symbols included, which begin at symbols_paddr. */
    struct elf_symbols symbols;
    uint64_t symbols_paddr;             /* by the file's count, as its segments' */
    uint64_t virt_start, virt_end;
};

#define IMAGE_GAVE(k, note) (((k)->given >> (note)) & 1)

/* Was the file meant as a kernel, whether it can be started or not? */
bool image_is_kernel(const void *data, uint64_t size);
/* NULL, or why this is no PV kernel that can be started. The file must stay where it is. */
const char *image_parse(struct kernel_image *k, const void *data, uint64_t size);

#endif
