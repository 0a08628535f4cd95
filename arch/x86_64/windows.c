/* The windows where each vCPU's GDT and LDT are mapped: pages of its domain's own slot, whose page
 * tables are here. They are written under the domain's mm_lock, except page 14 of the GDT, which
 * the context switch writes. Called by domain.c, by xen/pv/desc.c through arch/arch.h, and by
 * vcpu.c. Loading the tables is segments.c's. */
#include "common/string.h"
#include "arch/x86_64/boot.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/vcpu.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/walk.h"

static uint64_t zero_page[512] __attribute__((aligned(4096)));

static uint64_t window_pte(const void *page)
{
    uint64_t pa =
        (uint64_t)page >= DIRECTMAP_START ? (uint64_t)page - DIRECTMAP_START : image_phys(page);

    return pa | PTE_P | PTE_RW | PTE_A | PTE_D;
}

int arch_domain_init(struct domain *d)
{
    struct arch_domain *a = alloc_page();
    unsigned pages =
        (unsigned)((((uint64_t)d->nr_vcpus << VCPU_WINDOW_SHIFT) + (1 << 21) - 1) >> 21);

    d->arch = a;
    if (a == NULL)
        return -ENOMEM;
    a->l3 = alloc_page();
    a->l2 = alloc_page();
    if (a->l3 == NULL || a->l2 == NULL)
        return -ENOMEM;
    a->l3[0] = window_pte(a->l2);
    for (unsigned i = 0; i < pages; i++) {
        a->l1[i] = alloc_page();
        if (a->l1[i] == NULL)
            return -ENOMEM;
        a->l2[i] = window_pte(a->l1[i]);
    }
    return 0;
}

void arch_domain_free(struct domain *d)
{
    struct arch_domain *a = d->arch;

    if (a == NULL)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(a->l1); i++)
        free_page(a->l1[i]);
    free_page(a->l2);
    free_page(a->l3);
    free_page(a);
    d->arch = NULL;
}

/* The L1 entries of v's window: 16 for the GDT, then 16 for the LDT. */
static uint64_t *window_slots(struct vcpu *v)
{
    struct arch_domain *a = v->domain->arch;
    unsigned slot = v->id * 32;

    return &a->l1[slot / 512][slot % 512];
}

void arch_map_gdt(struct vcpu *v, const mfn_t *mfns, unsigned nr_frames)
{
    uint64_t *slots = window_slots(v);

    for (unsigned i = 0; i < GDT_RESERVED_PAGE; i++)
        slots[i] = i < nr_frames ? mfns[i] << PAGE_SHIFT | PTE_P | PTE_RW | PTE_A | PTE_D
                                 : window_pte(zero_page) & ~(uint64_t)(PTE_RW | PTE_D);
}

void segments_move_vcpu(struct arch_cpu *c, struct vcpu *v)
{
    struct arch_vcpu *a = v->arch;

    window_slots(v)[GDT_RESERVED_PAGE] = window_pte(c->gdt);
    a->gdt_of = c;
}

void arch_map_ldt_page(struct vcpu *v, unsigned page, mfn_t mfn)
{
    window_slots(v)[16 + page] = mfn << PAGE_SHIFT | PTE_P | PTE_RW | PTE_A | PTE_D;
}

void arch_clear_ldt(struct vcpu *v)
{
    memset(&window_slots(v)[16], 0, 16 * sizeof(uint64_t));
}

int64_t arch_ldt_window_offset(struct vcpu *v, uint64_t va)
{
    uint64_t base = LDT_WINDOW((uint64_t)v->id);

    return va >= base && va < base + v->ldt_ents * 8ull ? (int64_t)(va - base) : -1;
}
