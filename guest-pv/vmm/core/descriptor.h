/* Descriptors of the guest's GDT and LDT: descriptor.c (SDM vol. 3, 3.4.5 and 5.2.1). What they may
 * be used for is decided by who loads them: segment.c, transfer.c, deliver.c. */
#ifndef VMM_CORE_DESCRIPTOR_H
#define VMM_CORE_DESCRIPTOR_H

#include "guest-pv/vmm/core/cpu.h"

#define SELECTOR_RPL(selector) ((selector) & 3u)
#define SELECTOR_INDEX(selector) ((selector) & 0xfffcu) /* with the table: what error codes say */

/* Types of system descriptors, and bits of the others' types */
#define TYPE(access) ((access) & 15u)
enum {
    TYPE_LDT = 2, TYPE_TSS = 9, TYPE_TSS_BUSY = 11, TYPE_CALL_GATE = 12, TYPE_INTERRUPT_GATE = 14,
    TYPE_TRAP_GATE = 15,
};
enum {
    TYPE_ACCESSED = 1, TYPE_WRITABLE = 2, TYPE_READABLE = 2, TYPE_CONFORMING = 4, TYPE_CODE = 8,
};

struct descriptor {
    uint64_t at;                /* its linear address */
    uint64_t base;
    uint32_t limit;             /* in bytes */
    uint16_t selector, access;  /* access as in struct segment */
};

static inline bool selector_is_null(uint16_t selector)
{
    return SELECTOR_INDEX(selector) == 0;
}
static inline bool is_code(const struct descriptor *d)
{
    return (d->access & (ACCESS_S | TYPE_CODE)) == (ACCESS_S | TYPE_CODE);
}
static inline bool is_writable_data(const struct descriptor *d)
{
    return (d->access & (ACCESS_S | TYPE_CODE | TYPE_WRITABLE)) == (ACCESS_S | TYPE_WRITABLE);
}
static inline bool is_present(const struct descriptor *d)
{
    return d->access & ACCESS_PRESENT;
}

/* Does its table have the first 8 bytes of it? */
bool descriptor_exists(const struct cpu *c, uint16_t selector);
/* False: a fault: #GP(selector | ext) if the table has no such descriptor, or one of the access.
 * The selector is not null. ext: 1 while an exception or an interrupt is delivered. */
bool read_descriptor(struct cpu *c, uint16_t selector, unsigned ext, struct descriptor *d);
/* Of an LDT or a TSS: 16 bytes. */
bool read_system_descriptor(struct cpu *c, uint16_t selector, struct descriptor *d);
/* Writes its type: sets the accessed or busy bit. False: a fault. */
bool write_type(struct cpu *c, struct descriptor *d, unsigned type);
bool mark_accessed(struct cpu *c, struct descriptor *d);

/* The two steps of every load of CS; between them the caller checks privilege. read_code: not null,
 * and code. check_code: present, and 64-bit code: the vmm has no other. */
bool read_code(struct cpu *c, uint16_t selector, unsigned ext, struct descriptor *d);
bool check_code(struct cpu *c, const struct descriptor *d, unsigned ext);

void set_segment(struct segment *s, uint16_t selector, const struct descriptor *d);
void set_null_segment(struct segment *s, uint16_t selector);

#endif
