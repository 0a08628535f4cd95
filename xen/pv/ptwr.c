/* Writable page tables: a guest kernel's store to one of its L1 tables, which it has mapped
 * read-only as it must, is carried out here as the validated update it means
 * (VMASST_TYPE_writable_pagetables). Any integer instruction that writes 1, 2, 4 or 8 bytes,
 * naturally aligned, to a validated L1 is carried out; for all others the guest gets the page
 * fault. Each element of a repeated string instruction is an update. Called by traps.c for write
 * faults of guest kernels. */
#include "common/x86/store.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/trace.h"
#include "xen/core/walk.h"
#include "xen/cpu/insn_access.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/mmu_update.h"
#include "xen/pv/ptwr.h"
#include "common/trace_format.h"

/* *src: the value to be stored, or the operand that the ALU combines with the old one. MOVS and
 * POP read it from guest memory, so this is done before taking the lock. */
static bool read_source(const struct insn *in, const struct cpu_user_regs *regs, uint64_t *src)
{
    uint64_t va;

    *src = 0;
    if (in->op == OP_MOVS)
        return linear_address(in, operand_segment(in), regs->rsi & size_mask(in->ad_bytes),
                              in->op_bytes, false, &va) == 0 &&
               read_guest(src, va, in->op_bytes) == 0;
    if (in->op == OP_POP_MEMORY)
        return in->mode == MODE_64 && read_guest(src, regs->rsp, in->op_bytes) == 0;
    if (in->op == OP_SETCC)
        *src = in->opcode & 15;
    else if (in->op == OP_CMPXCHG8B)
        *src = regs->rcx << 32 | (uint32_t)regs->rbx;
    else
        *src = in->source == NO_REG ? in->imm : read_operand_reg(in, saved_regs(regs), in->source);
    return true;
}

/* Validates the whole entry as it is after the store, and exchanges it. False: it is not
 * acceptable, and the guest gets the page fault. */
static bool store_to_l1(struct domain *d, uint64_t *slot, const struct insn *in, unsigned offset,
                        uint64_t src, struct cpu_user_regs *regs)
{
    uint64_t mask = size_mask(in->op_bytes) << (8 * offset);
    uint64_t entry = READ_ONCE(*slot), old = entry >> (8 * offset);
    struct store_result r;

    store_compute(in, old, src, saved_regs(regs), &r);
    if (r.write &&
        mod_l1_entry(slot, (entry & ~mask) | ((r.value << (8 * offset)) & mask), d, d, false) != 0)
        return false;
    store_commit(in, old, &r, saved_regs(regs));
    return true;
}

/* Whether the instruction, with these registers, stores one aligned part of an entry to va. */
static bool stores_to(const struct insn *in, const struct cpu_user_regs *regs, uint64_t va)
{
    uint64_t offset, address;
    unsigned segment = SEG_ES;

    if (!is_store(in))
        return false;
    if (unlikely(is_string_store(in))) {
        if (in->rep && (regs->rcx & size_mask(in->ad_bytes)) == 0)
            return false;
        offset = regs->rdi & size_mask(in->ad_bytes);
    } else if (in->memory) {
        offset = operand_offset(in, saved_regs(regs));
        segment = operand_segment(in);
    } else {
        return false;
    }
    return linear_address(in, segment, offset, in->op_bytes, true, &address) == 0 &&
           address == va && !(va & (in->op_bytes - 1));
}

/* Of a repeated string instruction one element is done; rip moves on after the last one. */
static uint64_t rip_after(const struct insn *in, const struct cpu_user_regs *regs)
{
    if (unlikely(is_string_store(in)) && in->rep && (regs->rcx & size_mask(in->ad_bytes)) != 0)
        return regs->rip;
    return next_rip(in, regs->rip);
}

bool ptwr_fault(struct vcpu *v, uint64_t va, struct cpu_user_regs *regs)
{
    struct domain *d = v->domain;
    uint64_t *mapping, *slot, src;
    enum cpu_mode mode;
    struct insn in;
    uint8_t bytes[16];
    unsigned len;
    bool done = false;

    mapping = walk_to_l1(v->root_kernel, va);
    if (mapping == NULL || (*mapping & (PTE_P | PTE_RW)) != PTE_P)
        return false;
    if (l1_slot_at((*mapping & PTE_ADDR_MASK) | (va & ~PAGE_MASK & ~7ull), d) == NULL)
        return false;
    len = fetch_insn(v, regs, bytes, &mode);
    if (!decode_insn(bytes, len, mode, &in) || !stores_to(&in, regs, va) ||
        !read_source(&in, regs, &src))
        return false;

    /* And check again: another vCPU may have changed the mapping or the type. */
    spin_lock(&d->mm_lock);
    if ((READ_ONCE(*mapping) & (PTE_P | PTE_RW)) == PTE_P) {
        slot = l1_slot_at((*mapping & PTE_ADDR_MASK) | (va & ~PAGE_MASK & ~7ull), d);
        done = slot && store_to_l1(d, slot, &in, (unsigned)(va & 7), src, regs);
    }
    spin_unlock(&d->mm_lock);
    if (done) {
        TRACE(TRACE_EMUL, TRC_PV_PTWR_EMULATION | TRC_64_FLAG, W64(READ_ONCE(*slot)), W64(va),
              W64(regs->rip));
        instruction_done(v, regs, rip_after(&in, regs), 0);
    }
    return done;
}
