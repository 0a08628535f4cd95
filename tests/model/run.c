/* How the calls about page tables and memory are run. Arguments are put into guest memory by the
 * model's own mapping, so that its CPU does not cache translations for them. */
#include "model.h"
#include "support.h"
#include "xen/core/sched.h"
#include "xen/pv/desc.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/ptwr.h"

#define CODE (SCRATCH + 0x1000)         /* mov %rax,(%rdi) */

mfn_t argument_mfn[MAX_ACTORS];

void arguments_find(void)
{
    static const uint8_t code[] = { 0x48, 0x89, 0x07 };

    for (unsigned actor = 0; actor < nr_actors; actor++) {
        switch_to(actor);
        guest_put(CODE, code, sizeof(code));
        argument_mfn[actor] = mfn_of_va(SCRATCH);
    }
    switch_to(0);
}

void *argument(void)
{
    return mfn_to_virt(argument_mfn[actor_now()]);
}

uint64_t value_of(unsigned value)
{
    if (value == VALUE_NONE)
        return 0;
    if (value == VALUE_STRANGER)
        return (uint64_t)domains[0]->mfn << PAGE_SHIFT | PTE_P | PTE_US | PTE_A;
    return model_mfn[(value - 2) / 2] << PAGE_SHIFT | PTE_P | PTE_US | PTE_A |
           (value & 1 ? PTE_RW : 0);
}

static bool mmuext(unsigned cmd, mfn_t mfn)
{
    *(struct mmuext_op *)argument() = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = mfn };
    return do_mmuext_op(SCRATCH, 1, 0, DOMID_SELF) == 0;
}

static bool mmu_update(uint64_t maddr, unsigned value)
{
    *(struct mmu_update *)argument() = (struct mmu_update){ maddr, value_of(value) };
    return do_mmu_update(SCRATCH, 1, 0, DOMID_SELF) == 0;
}

bool memory_op(unsigned cmd, mfn_t mfn)
{
    struct xen_memory_reservation *r = argument();
    uint64_t *list = (uint64_t *)(void *)(r + 1);

    *list = mfn;
    *r = (struct xen_memory_reservation){ .nr_extents = 1, .domid = DOMID_SELF };
    if (mfn != 0)
        r->extent_start.p = (void *)(SCRATCH + sizeof(*r));
    return do_memory_op(cmd, SCRATCH) == 1;
}

/* What is no store to a page table is left as it is: the guest here has no handlers. */
void __wrap_other_page_fault(struct vcpu *v, struct cpu_user_regs *regs, uint64_t cr2);
void __wrap_other_page_fault(struct vcpu *v, struct cpu_user_regs *regs, uint64_t cr2)
{
    (void)v, (void)regs, (void)cr2;
}

static bool ptwr(const struct op *op)
{
    struct cpu_user_regs *r = guest_regs(current);

    r->rip = CODE;
    r->cs = FLAT_RING3_CS64;
    r->rdi = places[op->place].va;
    r->rax = value_of(op->value);
    ptwr_fault(current, r, places[op->place].va);
    return r->rip != CODE;
}

/* It needs two pages for its lists, which are lent to it. */
static bool exchange(mfn_t mfn)
{
    struct xen_memory_exchange *x = argument();
    uint64_t *list = (uint64_t *)(void *)(x + 1);
    bool ok;

    *x = (struct xen_memory_exchange){ .in = { .nr_extents = 1, .domid = DOMID_SELF },
                                       .out = { .nr_extents = 1, .domid = DOMID_SELF } };
    list[0] = mfn;
    x->in.extent_start.p = (void *)(SCRATCH + sizeof(*x));
    x->out.extent_start.p = (void *)(SCRATCH + sizeof(*x) + 8);
    lend_pages();
    ok = do_memory_op(XENMEM_exchange, SCRATCH) == 0;
    take_pages_back();
    return ok;
}

static bool update_everywhere(const struct place *p, unsigned value)
{
    if (do_update_va_mapping(p->va, value_of(value), UVMF_INVLPG | UVMF_ALL) != 0)
        return false;
    check_flushed_everywhere(p);
    return true;
}

static bool flush_everywhere(void)
{
    if (!mmuext(MMUEXT_TLB_FLUSH_ALL, 0))
        return false;
    for (unsigned i = 0; i < nr_places; i++)
        check_flushed_everywhere(&places[i]);
    return true;
}

static bool new_user_root_op(mfn_t mfn)
{
    if (!mmuext(MMUEXT_NEW_USER_BASEPTR, mfn))
        return false;
    check_flushed_here();
    return true;
}

static bool hv_takes(void)
{
    return alloc_page() != NULL;
}

static bool hv_gives(mfn_t mfn)
{
    const struct frame *f = mfn_to_frame(mfn);

    if (f->owner != 0 || nr_refs(f->word) == 0)
        return false;
    free_page(mfn_to_virt(mfn));
    return true;
}

static bool write_same(uint64_t va)
{
    uint64_t word;

    return host_guest_read(&word, va, 8) && host_guest_write(va, &word, 8);
}

bool op_run(const struct op *op, unsigned actor)
{
    const struct place *p = &places[op->place != NOWHERE ? op->place : 0];
    mfn_t mfn = model_mfn[op->frame];
    uint64_t word;

    switch_to(actor);
    switch (op->kind) {
    case OP_UPDATE_VA: return do_update_va_mapping(p->va, value_of(op->value), 0) == 0;
    case OP_UPDATE_VA_INVLPG:
        return do_update_va_mapping(p->va, value_of(op->value), UVMF_INVLPG) == 0;
    case OP_UPDATE_VA_ALL: return update_everywhere(p, op->value);
    case OP_MMU_UPDATE_PLACE: return mmu_update(p->maddr, op->value);
    case OP_MMU_UPDATE: return mmu_update((mfn << PAGE_SHIFT) + 8ul * op->arg, op->value);
    case OP_PTWR: return ptwr(op);
    case OP_PIN: return mmuext(MMUEXT_PIN_L1_TABLE + op->arg - 1, mfn);
    case OP_UNPIN: return mmuext(MMUEXT_UNPIN_TABLE, mfn);
    case OP_USER_ROOT: return new_user_root_op(op->arg ? mfn : 0);
    case OP_CLEAR: return mmuext(MMUEXT_CLEAR_PAGE, mfn);
    case OP_DECREASE: return memory_op(XENMEM_decrease_reservation, mfn);
    case OP_INCREASE: return memory_op(XENMEM_increase_reservation, 0);
    case OP_EXCHANGE: return exchange(mfn);
    case OP_HV_TAKES: return hv_takes();
    case OP_HV_GIVES: return hv_gives(mfn);
    case OP_READ: return host_guest_read(&word, p->va, 8);
    case OP_WRITE: return write_same(p->va);
    case OP_FLUSH: arch_flush_all(); return true;
    case OP_FLUSH_ALL: return flush_everywhere();
    case OP_INVLPG: arch_flush_tlb_one(p->va); return true;
    case OP_SET_GDT: return set_gdt_op(op->arg ? mfn : 0);
    case OP_SET_LDT: return set_ldt_op(op->arg ? p->va : 0);
    case OP_LDT_FAULT: return map_ldt_fault(current, 0);
    default: return op_run_grant(op);
    }
}
