/* The walk of the guest's page tables: see paging.h. What becomes of the result is access.c's. The
 * tables are the guest's memory and may be anything, themselves included: each entry is read once,
 * and what is written back is what was read, with A and D. */
#include <string.h>
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/page_entry.h"
#include "guest-pv/vmm/core/paging.h"

#define PTE_FRAME (PTE_ADDRESS & ~PTE_RESERVED)
#define LARGE_RESERVED 0x1fe000ull      /* bits 13 to 20; 12 is PAT */
#define HUGE_RESERVED 0x3fffe000ull     /* bits 13 to 29 */

enum { ERROR_P = 1, ERROR_W = 2, ERROR_U = 4, ERROR_RSVD = 8, ERROR_I = 16 };

/* The entries that a walk has used, from level 4 down. */
struct path {
    uint64_t entry[4];
    unsigned nr;
    uint64_t all, any;          /* AND and OR of the entries */
};

static bool rights_of_user(const struct cpu *c, unsigned how)
{
    return !(how & ACCESS_SYSTEM) && c->cpl == 3;
}

static bool page_fault(struct cpu *c, uint64_t linear, unsigned how, uint32_t error)
{
    error |= how & ACCESS_WRITE ? ERROR_W : 0;
    error |= rights_of_user(c, how) ? ERROR_U : 0;
    error |= (how & ACCESS_FETCH) && (c->efer & EFER_NXE) ? ERROR_I : 0;
    raise_error(c, VECTOR_PF, error);
    c->fault.address = linear;
    return false;
}

static void write_entry(struct cpu *c, uint64_t at, uint64_t entry)
{
    uint64_t frame = at / GUEST_PAGE;

    if (frame_flags(&c->ram, frame) != 0)
        c->frame_written(c, at, sizeof(entry));
    memcpy(frame_to_write(&c->ram, frame) + at % GUEST_PAGE, &entry, sizeof(entry));
}

static bool is_reserved(const struct cpu *c, uint64_t entry, unsigned level)
{
    uint64_t reserved = PTE_RESERVED | (c->efer & EFER_NXE ? 0 : PTE_NX);

    if (level == 4 || (level == 3 && !c->gigabyte_pages))
        reserved |= PTE_PS;
    else if (level > 1 && (entry & PTE_PS))
        reserved |= level == 2 ? LARGE_RESERVED : HUGE_RESERVED;
    return entry & reserved;
}

/* Down to the leaf. Every access that the TLB misses comes here, so what is rare is asked for all
 * at once: is_reserved() looks closer. */
static bool follow(struct cpu *c, uint64_t linear, unsigned how, struct path *p)
{
    uint64_t rare = PTE_RESERVED | PTE_PS | (c->efer & EFER_NXE ? 0 : PTE_NX);
    uint64_t table = c->cr3, all = ~0ull, any = 0, entry;

    for (unsigned i = 0;; i++) {
        entry = read_page_entry(&c->ram, (table & PTE_FRAME) / GUEST_PAGE,
                                linear >> (39 - 9 * i) & 511);
        if (!(entry & PTE_P))
            return page_fault(c, linear, how, 0);
        if ((entry & rare) && is_reserved(c, entry, 4 - i))
            return page_fault(c, linear, how, ERROR_P | ERROR_RSVD);
        p->entry[i] = entry;
        all &= entry;
        any |= entry;
        table = entry;
        if (i == 3 || (entry & PTE_PS)) {
            p->nr = i + 1;
            break;
        }
    }
    p->all = all;
    p->any = any;
    return true;
}

/* SDM vol. 3, 4.8. From level 4 down, so that the leaf's value is what stays in an entry that is
 * used at several levels. */
static void mark_used(struct cpu *c, uint64_t linear, const struct path *p, bool write)
{
    uint64_t table = c->cr3 & PTE_FRAME;

    for (unsigned i = 0; i < p->nr; i++) {
        uint64_t mark = PTE_A | (write && i == p->nr - 1 ? PTE_D : 0);

        if ((p->entry[i] & mark) != mark)
            write_entry(c, table + 8 * (linear >> (39 - 9 * i) & 511), p->entry[i] | mark);
        table = p->entry[i] & PTE_FRAME;
    }
}

bool walk(struct cpu *c, uint64_t linear, unsigned how, struct translation *t)
{
    struct path p;
    uint64_t leaf;

    if (!is_canonical(linear))
        return raise_gp(c, 0);
    if (!follow(c, linear, how, &p))
        return false;
    t->user = p.all & PTE_US;
    t->no_execute = p.any & PTE_NX;
    t->writable = (p.all & PTE_RW) || (!rights_of_user(c, how) && !(c->cr0 & CR0_WP));
    if ((rights_of_user(c, how) && !t->user) || ((how & ACCESS_WRITE) && !t->writable) ||
        ((how & ACCESS_FETCH) && t->no_execute))
        return page_fault(c, linear, how, ERROR_P);
    leaf = p.entry[p.nr - 1];
    if (!(p.all & PTE_A) || ((how & ACCESS_WRITE) && !(leaf & PTE_D)))
        mark_used(c, linear, &p, how & ACCESS_WRITE);
    t->large = p.nr < 4;
    t->dirty = (leaf & PTE_D) || (how & ACCESS_WRITE);
    t->frame = (leaf & PTE_FRAME) / GUEST_PAGE;
    if (t->large) {
        uint64_t within = (1ull << (p.nr == 3 ? 9 : 18)) - 1;

        t->frame = (t->frame & ~within) | (linear >> 12 & within);
    }
    return true;
}
