/* What the #PF of a guest is, if it is no store to one of its page tables (ptwr.c): repaired,
 * spurious, or the guest's own. Called by traps.c and by ptwr.c. */
#include "arch/arch.h"
#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/trace.h"
#include "xen/core/walk.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/desc.h"
#include "xen/pv/page_fault.h"

/* A #PF in the descriptor windows, by the load of a selector: LDT pages are mapped at first use.
 * If the guest has no page there it gets the fault, with the address in its own LDT. */
static void window_fault(struct vcpu *v, uint64_t cr2, uint32_t code)
{
    int64_t offset = arch_ldt_window_offset(v, cr2);

    if (offset < 0)
        inject_page_fault(v, cr2, code);
    else if (map_ldt_fault(v, (uint64_t)offset))
        TRACE(TRACE_EMUL, TRC_PV_GDT_LDT_MAPPING_FAULT | TRC_64_FLAG, W64(guest_regs(v)->rip),
              W64(offset));
    else
        inject_page_fault(v, v->ldt_base + (uint64_t)offset, code);
}

/* What an entry needs to allow an access with this error code, and what it may not have. Need has
 * the US bit, so a walk stays within the guest's tables. */
static inline uint64_t needed_for(uint32_t code)
{
    _Static_assert(PF_WRITE == PTE_RW, "the same bit");
    return PTE_P | PTE_US | (code & PF_WRITE);
}

static inline uint64_t refused_for(uint32_t code)
{
    return code & PF_FETCH ? PTE_NX : 0;
}

/* All entries for va, from the L4 at machine address `at` on, allow it. */
static bool entries_allow(uint64_t at, uint64_t va, uint32_t code)
{
    uint64_t need = needed_for(code), refuse = refused_for(code);

    for (unsigned level = 4; level > 0; level--) {
        uint64_t entry = READ_ONCE(((const uint64_t *)maddr_to_virt(at))[table_index(va, level)]);

        if ((entry & need) != need || (entry & refuse) || (level > 1 && (entry & PTE_PS)))
            return false;
        at = entry & PTE_ADDR_MASK;
    }
    return true;
}

static __attribute__((noinline)) bool is_allowed(const struct vcpu *v, uint64_t va, uint32_t code)
{
    bool allowed;

    if ((code & ~(PF_PRESENT | PF_WRITE | PF_USER | PF_FETCH)) || !is_guest_va(va) ||
        root_of(v) == 0)
        return false;
    spin_lock(&v->domain->mm_lock);
    allowed = entries_allow(root_of(v), va, code);
    spin_unlock(&v->domain->mm_lock);
    return allowed;
}

/* The page tables allow this access, so the fault is spurious: the entry was changed meanwhile,
 * or the TLB held an older one, which the CPU dropped when it faulted. The access will succeed
 * when it is repeated. Nearly always the last entry refuses it, which is found here. */
bool page_fault_is_spurious(const struct vcpu *v, uint64_t va, uint32_t code)
{
    uint64_t need = needed_for(code), root = root_of(v);
    const uint64_t *slot;
    bool refused;

    if (unlikely(root == 0) || unlikely(!spin_lock_free(&v->domain->mm_lock)))
        return is_allowed(v, va, code);
    slot = walk_to_l1(root, va);
    refused = slot != NULL &&
              ((READ_ONCE(*slot) ^ need) & (need | refused_for(code))) != 0;
    spin_unlock(&v->domain->mm_lock);
    return refused ? false : is_allowed(v, va, code);
}

void other_page_fault(struct vcpu *v, struct cpu_user_regs *regs, uint64_t cr2)
{
    uint32_t code = regs->error_code;

    if (unlikely(code & PF_RESERVED)) {
        domain_crash(v->domain, "reserved bit in a page table: #PF at %lx [%04x]", cr2, code);
        return;
    }
    if (unlikely(!guest_range_ok(cr2, 1))) {
        if ((code & PF_PRESENT) || !arch_map_m2p(cr2))
            window_fault(v, cr2, code);
        return;
    }
    if ((code & PF_PRESENT) && page_fault_is_spurious(v, cr2, code))
        return;
    inject_page_fault(v, cr2, code);
}
