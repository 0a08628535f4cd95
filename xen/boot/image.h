/* A PV kernel's file: an ELF program, and the values of its Xen notes (or of the older __xen_guest
 * string). */
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
    const char *bad_note;               /* what is wrong with the first bad note; NULL: none */
    /* Derived: the image's virtual addresses, symbols included, which begin at symbols_paddr. */
    struct elf_symbols symbols;
    uint64_t symbols_paddr;             /* as the segments' physical addresses in the file */
    uint64_t virt_start, virt_end;
};

#define IMAGE_GAVE(k, note) (((k)->given >> (note)) & 1)

/* The file is a kernel of some kind, whether it can be started or not. */
bool image_is_kernel(const void *data, uint64_t size);
/* Returns NULL, or the reason why it is not a PV kernel that can be started. The file must stay
 * where it is. */
const char *image_parse(struct kernel_image *k, const void *data, uint64_t size);

#endif
