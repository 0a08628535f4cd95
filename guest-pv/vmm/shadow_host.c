/* Shadow tables by hypercalls: struct shadow_host of direct/shadow.h. A table is a frame of this
 * domain, read-only for the vmm from its first use on; entries are written by mmu_update, several
 * at a time. Entries have neither U nor G: the hypervisor adds U, and without it nothing of the
 * guest can stay in the TLB while the vmm runs at the same addresses. */
#include <stdlib.h>
#include "console.h"
#include "guest-pv/vmm/direct/shadow.h"
#include "guest-pv/vmm/translate/region.h"
#include "guest-pv/vmm/vmm.h"
#include "hypercall.h"
#include "mm.h"
#include "user.h"

#define BATCH 32u

static pfn_t *tables;                   /* by number; 0: not used yet */
static unsigned nr_tables;
static const struct ram *ram;
static pfn_t region;                    /* its first page */

static bool clear(shadow_t nr)
{
    if (tables[nr] == 0)
        return (tables[nr] = table_alloc()) != 0;
    return mmuext(MMUEXT_CLEAR_PAGE, pfn_to_mfn(tables[nr]), 0) == 0;
}
static bool pin(shadow_t nr)
{
    return mmu_pin(4, tables[nr]) == 0;
}
static bool unpin(shadow_t nr)
{
    return mmu_unpin(tables[nr]) == 0;
}
static bool load(shadow_t nr)
{
    return set_user_root(tables[nr]) == 0;
}

static pfn_t frame_of_ram(uint64_t frame)
{
    if (frame == SHADOW_ZERO_FRAME)
        return v2p(ram->zeroes);
    return frame >= SHADOW_REGION ? region + (frame - SHADOW_REGION)
                                  : v2p(ram->bytes) + frame;
}

/* RW and NX of the upper levels, too, are the guest's: a large page has them nowhere else. */
static uint64_t entry_of(const struct shadow_update *u)
{
    uint64_t used = u->flags & SHADOW_AHEAD ? 0 : PTE_A;
    uint64_t flags = PTE_P | used | (u->flags & PTE_RW) | (u->flags & PTE_NX_BIT ? PTE_NX : 0);

    if (!(u->flags & PTE_P))
        return 0;
    if (u->level > 1)
        return make_pte(pfn_to_mfn(tables[u->frame]), flags);
    return make_pte(pfn_to_mfn(frame_of_ram(u->frame)), flags | PTE_D);
}

static bool set(const struct shadow_update *updates, unsigned n)
{
    mmu_update_t requests[BATCH];

    while (n > 0) {
        unsigned part = n < BATCH ? n : BATCH, done = 0;

        for (unsigned i = 0; i < part; i++) {
            requests[i].ptr = (pfn_to_mfn(tables[updates[i].table]) << PAGE_SHIFT) +
                              8ul * updates[i].index;
            requests[i].val = entry_of(&updates[i]);
        }
        if (xen_mmu_update(requests, part, &done, DOMID_SELF) != 0)
            return false;
        updates += part;
        n -= part;
    }
    return true;
}

static bool used(shadow_t nr, unsigned index)
{
    const volatile uint64_t *table = p2v(tables[nr]);

    return table[index] & PTE_A;
}

static const struct shadow_host shadow_host = {
    .clear = clear, .pin = pin, .unpin = unpin, .set = set, .load = load, .used = used,
};

bool make_shadows(struct cpu *c, unsigned nr)
{
    ram = &c->ram;
    nr_tables = nr;
    tables = calloc(nr + 1, sizeof(tables[0]));
    xen_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict);
    if (tables != NULL && shadows_init(c, &shadow_host, nr))
        return true;
    kprintf("vmm: no memory for %u shadow tables\n", nr);
    return false;
}

/* --- The region of way 3 ---------------------------------------------------------------------- */

/* The state page and the return cache are written by guest code, the tables of targets read, the
 * rest executed. */
static uint64_t region_flags(unsigned page)
{
    if (page < WRITABLE_BYTES / GUEST_PAGE)
        return SHADOW_P | SHADOW_RW | SHADOW_NX;
    return page < CODE_OFFSET / GUEST_PAGE ? SHADOW_P | SHADOW_NX : SHADOW_P;
}

void reserve_region(unsigned nr_pages)
{
    region = frames_reserve(nr_pages);
}

bool make_translator(struct cpu *c, unsigned nr_pages)
{
    static struct translate_host translate_host = {
        .base = REGION_BASE, .callout = { 0x0f, 0x05 }, .protect = shadow_protect,
    };

    translate_host.memory = p2v(region);
    translate_host.bytes = (uint64_t)nr_pages * GUEST_PAGE;
    if (shadow_map_region(c, REGION_BASE, nr_pages, region_flags) &&
        translate_init(c, &translate_host))
        return true;
    kprintf("vmm: no memory for translated code\n");
    return false;
}
