/* This CPU's TLB: loads of CR3 that keep the global translations, and flushes that do not. Global
 * are only the pages of guests' user mode (F12 of xen/core/frame.h). A change of a guest's mode
 * keeps them; the assembler files do that by a plain MOV to CR3, too. Before another vCPU runs all
 * are gone. Which flush is owed when is xen/'s to know (flush.h). Called by xen/ through
 * arch/arch.h, by vcpu.c, and by efi_runtime.c.
 *
 * What drops global translations, too: a MOV to CR4 that changes PGE, and INVLPG for its page (SDM
 * vol. 3, 4.10.4.1). */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/paging.h"
#include "common/atomic.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"

/* CR3 is loaded while PGE is off. So what is cached from the old root in between is not global, and
 * goes. */
void load_cr3_and_flush(uint64_t cr3)
{
    uint64_t cr4;

    if (unlikely(!cpu_features.pge)) {
        write_cr3(cr3);
        return;
    }
    cr4 = read_cr4();
    write_cr4(cr4 & ~CR4_PGE);
    write_cr3(cr3);
    write_cr4(cr4);
}

/* The MOVs wait until earlier stores are done, and no later access is begun before. */
void load_root_and_flush(struct vcpu *v, uint64_t root)
{
    uint64_t epoch = READ_ONCE(v->domain->epoch);

    load_cr3_and_flush(root);
    WRITE_ONCE(v->flushed, epoch);
}

void arch_flush_all(void)
{
    load_root_and_flush(current, read_cr3());
}

void arch_load_root(struct vcpu *v)
{
    write_cr3(root_of(v));
}

void arch_load_root_and_flush(struct vcpu *v)
{
    load_root_and_flush(v, root_of(v));
}

void arch_flush_tlb_one(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}
