/* Calls the hypervisor's code that addresses.smt2 and entries.smt2 model. Static functions are
 * declared here: laws.mk makes them global. */
#include <stdlib.h>
#include <string.h>
#include "hooks.h"
#include "tie.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"
#include "xen/cpu/debugreg.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/l1_entry.h"
#include "xen/pv/pagetype.h"

extern uint64_t table_refused;
bool is_hole_slot(uint64_t type, unsigned i);
int mod_table_entry(uint64_t *slot, uint64_t entry, struct frame *table, struct domain *d,
                    bool preserve_ad);
void bounce(struct vcpu *v, uint64_t handler, const uint64_t *extra, unsigned nr, bool mask_events);

static struct frame *l2;                /* a table of the guest's, and one that it may refer to */
static mfn_t child;
/* owns no frame, so that no reference to one can be had */
static struct domain nobody = { .mfn = ~0u };

/* --- Addresses -------------------------------------------------------------------------------- */

static uint64_t call_is_canonical(const uint64_t *a)
{
    return is_canonical(a[0]);
}

static uint64_t call_guest_range_ok(const uint64_t *a)
{
    return guest_range_ok(a[0], a[1]);
}

static uint64_t call_guest_range_ok_short(const uint64_t *a)
{
    bool ok = guest_range_ok(a[0], 8);

    if (ok != guest_range_ok(a[0], 1) || ok != guest_range_ok(a[0], PAGE_SIZE))
        abort();
    return ok;
}

static uint64_t call_is_guest_va(const uint64_t *a)
{
    return is_guest_va(a[0]);
}

static void shape_table_index(uint64_t *a)
{
    a[1] = 1 + a[1] % 4;
}

static uint64_t call_table_index(const uint64_t *a)
{
    return table_index(a[0], (unsigned)a[1]);
}

static void shape_is_hole_slot(uint64_t *a)
{
    a[0] = a[0] % 3 ? TYPE_L4 : a[0];
    a[1] %= PTES_PER_TABLE;
}

static uint64_t call_is_hole_slot(const uint64_t *a)
{
    return is_hole_slot(a[0], (unsigned)a[1]);
}

static void shape_mod_table_entry(uint64_t *a)
{
    if (a[0] % 2)
        a[0] = (a[0] & ~TYPE_MASK) | TYPE_L4;
    a[1] &= ~PAGE_MASK & ~7ull;
}

static uint64_t call_mod_table_entry(const uint64_t *a)
{
    static uint64_t table[PTES_PER_TABLE] __attribute__((aligned(4096)));
    struct frame f = { .word = a[0] };

    return mod_table_entry(&table[a[1] / 8], 0, &f, guest, false) == 0;
}

/* Compares the frame that is pushed with the one that the new stack pointer requires. */
static uint64_t push(uint64_t sp, unsigned words)
{
    static const uint64_t extra[4];
    struct vcpu *v = guest->vcpu[0];
    struct cpu_user_regs *regs = guest_regs(v);

    memset(regs, 0, sizeof(*regs));
    regs->rsp = sp;
    v->kernel_mode = 1;
    hooks.deaf = true;
    hooks.guest_bytes = extra;
    hooks.push_base = (sp & ~15ull) - 8 * ARRAY_SIZE(hooks.pushed);
    hooks.push_mask = 0;
    hooks.push_elsewhere = false;
    bounce(v, 1, extra, words, false);
    hooks.deaf = false;
    hooks.guest_bytes = NULL;
    if (hooks.push_elsewhere)
        abort();
    return regs->rip == 1 ? regs->rsp : 0;
}

/* Often near an end of the hole. */
static void shape_bounce_pushes(uint64_t *a)
{
    if (a[0] % 2)
        a[0] = (a[0] % 3 ? HOLE_END : HOLE_START) + (a[0] >> 8) % 512 - 128;
}

static uint64_t call_bounce_pushes(const uint64_t *a)
{
    push(a[0], 1);
    return hooks.push_mask != 0;
}

static void shape_bounce_rsp(uint64_t *a)
{
    a[1] %= 5;
}

static uint64_t call_bounce_rsp(const uint64_t *a)
{
    unsigned words = 7 + (unsigned)a[1];
    uint64_t rsp = push(a[0], (unsigned)a[1]);

    return hooks.push_mask == ((1u << words) - 1) << (16 - words) ? rsp : 0;
}

static uint64_t call_breakpoint_ok(const uint64_t *a)
{
    struct vcpu *v = guest->vcpu[0];
    bool ok = guest_set_debugreg(v, 0, a[0]) == 0;

    for (unsigned reg = 1; reg < 4; reg++)
        if (ok != (guest_set_debugreg(v, reg, a[0]) == 0) || (ok && v->debugreg[reg] != a[0]))
            abort();
    return ok;
}

/* --- Entries ---------------------------------------------------------------------------------- */

static uint64_t call_pte_mfn(const uint64_t *a)
{
    return PTE_MFN(a[0]);
}

static void shape_cpu(uint64_t *paddr)
{
    *paddr = 32 + *paddr % 21;
}

static void init_pagetype(uint64_t paddr, uint64_t nx)
{
    if (hooks.paddr_bits == paddr && hooks.nx == (nx != 0))
        return;
    hooks.paddr_bits = (uint8_t)paddr;
    hooks.nx = nx != 0;
    pagetype_init();
}

static uint64_t call_table_refused(const uint64_t *a)
{
    init_pagetype(a[0], a[1]);
    return table_refused;
}

static uint64_t call_l1_refused(const uint64_t *a)
{
    init_pagetype(a[0], a[1]);
    return l1_refused;
}

static void shape_entry(uint64_t *a)
{
    shape_cpu(&a[1]);
}

static uint64_t call_l1e_flags_ok(const uint64_t *a)
{
    init_pagetype(a[1], a[2]);
    return l1e_flags_ok(a[0]);
}

static void shape_table_entry(uint64_t *a)
{
    shape_cpu(&a[1]);
    a[0] = (a[0] & ~PTE_ADDR_MASK) | child << PAGE_SHIFT;
}

static uint64_t call_table_entry_ok(const uint64_t *a)
{
    int rc;

    init_pagetype(a[1], a[2]);
    rc = get_page_from_table_entry(a[0], l2);
    if (rc == 0)
        put_page_from_table_entry(a[0] | PTE_P, l2);
    return rc == 0;
}

/* Often the same frame number, or one that differs in one bit. */
static void shape_update(uint64_t *a)
{
    uint64_t same = (a[0] ^ a[1]) % 3 == 0 ? PTE_ADDR_MASK | PTE_RW | PTE_P
                    : a[0] % 3 == 0        ? PTE_ADDR_MASK
                                           : 0;

    a[1] = (a[1] & ~same) | (a[0] & same) | PTE_P;
    if (a[0] % 2 == 0 && a[1] % 5)
        a[1] &= ~(PTE_PWT | PTE_PCD | PTE_PS);
}

static uint64_t call_keeps_references(const uint64_t *a)
{
    uint64_t slot = a[0];

    init_pagetype(52, a[2]);
    return mod_l1_entry(&slot, a[1], guest, &nobody, false) == 0;
}

static uint64_t call_l1e_to_store(const uint64_t *a)
{
    return l1e_to_store(a[0]);
}

static void shape_stored_entry(uint64_t *a)
{
    a[0] |= PTE_P;
    a[1] = ((a[1] & ~(PTE_ADDR_MASK | PTE_RW)) | (a[0] & (PTE_ADDR_MASK | PTE_RW)) | PTE_P) &
           ~(PTE_PWT | PTE_PCD | PTE_PS);
}

static uint64_t call_stored_entry(const uint64_t *a)
{
    uint64_t slot = a[0];

    init_pagetype(52, true);
    return mod_l1_entry(&slot, a[1], guest, &nobody, a[2]) == 0 ? slot : 0;
}

void pages_up(void)
{
    mfn_t mfn = guest->vcpu[0]->root_kernel >> PAGE_SHIFT;

    for (unsigned level = 4; level > 2; level--)
        mfn = PTE_MFN(((const uint64_t *)mfn_to_virt(mfn))[table_index(SCRATCH, level)]);
    l2 = mfn_to_frame(mfn);
    child = PTE_MFN(((const uint64_t *)mfn_to_virt(mfn))[table_index(SCRATCH, 2)]);
}

const struct real reals_pages[] = {
    { "is_canonical", call_is_canonical, NULL, 0 },
    { "guest_range_ok", call_guest_range_ok, NULL, 0 },
    { "guest_range_ok_short", call_guest_range_ok_short, NULL, 0 },
    { "is_guest_va", call_is_guest_va, NULL, 0 },
    { "table_index", call_table_index, shape_table_index, 0 },
    { "is_hole_slot", call_is_hole_slot, shape_is_hole_slot, 0 },
    { "mod_table_entry", call_mod_table_entry, shape_mod_table_entry, 0 },
    { "bounce_pushes", call_bounce_pushes, shape_bounce_pushes, 0 },
    { "bounce_rsp", call_bounce_rsp, shape_bounce_rsp, 0 },
    { "breakpoint_ok", call_breakpoint_ok, NULL, 0 },
    { "pte_mfn", call_pte_mfn, NULL, 0 },
    { "table_refused", call_table_refused, shape_cpu, 0 },
    { "l1_refused", call_l1_refused, shape_cpu, 0 },
    { "l1e_flags_ok", call_l1e_flags_ok, shape_entry, 0 },
    { "table_entry_ok", call_table_entry_ok, shape_table_entry, 0 },
    { "keeps_references", call_keeps_references, shape_update, 0 },
    { "l1e_to_store", call_l1e_to_store, NULL, 0 },
    { "stored_entry", call_stored_entry, shape_stored_entry, 0 },
    { .name = NULL },
};
