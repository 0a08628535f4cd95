/* What the decoder's files share: descriptions of the ABI's structures, and the reading of a call's
 * recorded memory.
 *
 *   decode.c           calls: which argument is printed how, results, what was written back
 *   structs.c          bytes by guest address, from the pieces that were recorded; prints
 *                      structures by their descriptions
 *   gen/abi_layouts.c  the descriptions, made of common/abi.def
 *   decode_union.c     fields that no description can tell how to print
 *   decode_mmu.c       lists: page-table updates, descriptors, trap tables
 *   decode_item.c      what is not a call */
#ifndef PVTRACE_DECODE_H
#define PVTRACE_DECODE_H

#include "common/abi_names.h"
#include "common/compiler.h"
#include "tools/pvtrace/pvtrace.h"

/* --- structs.c: memory ------------------------------------------------------------------------ */
enum side { IN = 1, OUT = 2, BOTH = IN | OUT };        /* what the hypervisor read, what it wrote */

/* How many of the len bytes at va are known, from the first on; they are put into buf. */
size_t read_memory(const struct call *c, enum side side, uint64_t va, void *buf, size_t len);
/* A number of 1 to 8 bytes; false: not all of it is known. */
bool read_number(const struct call *c, enum side side, uint64_t va, unsigned size, uint64_t *value);

/* --- structs.c: structures -------------------------------------------------------------------- */
enum kind {
    K_DEC, K_INT, K_HEX,
    K_DOMID, K_VIRQ, K_VECTOR,
    K_CODE,                     /* address of code */
    K_NS,                       /* nanoseconds */
    K_ENUM, K_FLAGS,            /* .names; of flags by bit */
    K_STRING,                   /* characters, up to a NUL */
    K_BYTES,
    K_STRUCT,                   /* .layout, here */
    K_INLINE,                   /* as many of .layout as fit, here */
    K_ARRAY,                   /* pointer to .layout, .count_size bytes at .count_at say how many */
    K_SPECIAL,                  /* .special prints it: a union */
};

struct names {
    unsigned nr;
    bool negative;              /* the list is by -value */
    const char *const *list;
};

struct field {
    const char *name;
    const char *alias;          /* to be shown instead; "": the value alone, as without any name */
    uint16_t offset, size;
    uint8_t kind, side;
    bool optional;              /* 0 is not shown */
    uint8_t count_size;
    uint16_t count_at;
    const struct names *names;
    const struct layout *layout;
    /* va of the structure; false: not known */
    bool (*special)(struct text *t, const struct call *c, uint64_t va);
};

struct layout {
    uint16_t size, nr;
    bool bare;                  /* one value, no braces */
    const struct field *fields;
};

/* The structure at va, "{port=5}", as far as that side of the call knows it; false: nothing of it,
 * and nothing printed. */
bool print_layout(struct text *t, const struct call *c, const struct layout *l, uint64_t va,
                  enum side side);
bool print_array(struct text *t, const struct call *c, const struct layout *l, uint64_t va,
                 uint64_t count, enum side side);
/* known of len bytes, as a C string that the user's limit cuts. */
void print_string(struct text *t, const char *s, size_t known, size_t len);
void print_enum(struct text *t, const struct names *n, int64_t value);
void print_domid(struct text *t, uint64_t domid);
void print_virq(struct text *t, uint64_t virq);

/* --- gen/abi_layouts.c, made of common/abi.def ------------------------------------------------ */
/* What the pointer of sub-operation op of hypercall nr points to; NULL: not described. */
const struct layout *operation_layout(unsigned nr, uint64_t op);
extern const struct layout layout_iret_context;
extern const struct names names_shutdown_reasons, names_assist_types;
/* Which of the two words of an mmuext operation mean something, and what, by its number. */
enum mmuext_means {
    MEANS_MFN = 1, MEANS_ADDRESS = 2, MEANS_VCPUS = 4, MEANS_ENTRIES = 8, MEANS_SOURCE = 16,
};
extern const uint8_t mmuext_op_means[64];

struct e820_entry {               /* of a memory map: as the BIOS call gives it, and in no header */
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

/* --- decode_union.c: fields that are unions. va of the structure; false: not known ------------ */
bool status_of_port(struct text *t, const struct call *c, uint64_t va);
bool copy_source(struct text *t, const struct call *c, uint64_t va);
bool copy_dest(struct text *t, const struct call *c, uint64_t va);

/* --- decode.c --------------------------------------------------------------------------------- */
bool argument_known(const struct call *c, unsigned i);
/* The 32-bit number that argument i is; 0: not known. */
uint64_t argument_count(const struct call *c, unsigned i);

/* --- decode_mmu.c ----------------------------------------------------------------------------- */
/* Argument i, which is known, by its letter: m, M, g, T. */
void argument_list(struct text *t, const struct call *c, unsigned i, char kind);
void print_uvm_flags(struct text *t, const struct call *c, uint64_t flags);
void print_descriptor(struct text *t, uint64_t d);

#endif
