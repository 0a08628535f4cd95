/* Writable page tables: a guest kernel's store to one of its L1 tables, which it has mapped
 * read-only as it must, is carried out here as the validated update it means
 * (VMASST_TYPE_writable_pagetables). Any integer instruction that writes 1, 2, 4 or 8 bytes,
 * naturally aligned, to a validated L1 is carried out; for all others the guest gets the page
 * fault. Each element of a repeated string instruction is an update. The forms that kernels use
 * most are known without the general decoder (common/x86/parse_short_store.h). Called by traps.c
 * for write faults of guest kernels. */
#include "common/x86/parse_short_store.h"
#include "common/x86/store.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/trace.h"
#include "xen/core/walk.h"
#include "xen/cpu/insn_access.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/l1_entry.h"
#include "xen/pv/page_fault.h"
#include "xen/pv/ptwr.h"
#include "common/trace_format.h"

/* *src: the value to be stored, or the operand that the ALU combines with the old one. MOVS and
 * POP read it from guest memory. */
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

/* Validates the whole entry as it is after the store, and exchanges it. If the CPU sets an accessed
 * or dirty bit in the old entry meanwhile, the instruction is computed anew, as if it had come
 * later; mm_lock is held, so nothing else changes the entry, and that happens twice at most. False:
 * the entry is not acceptable, and the guest gets the page fault. */
static bool store_to_l1(struct domain *d, uint64_t *slot, const struct insn *in, unsigned offset,
                        uint64_t src, struct cpu_user_regs *regs)
{
    uint64_t mask = size_mask(in->op_bytes) << (8 * offset), entry, old;
    struct store_result r;
    int rc;

    do {
        rc = 0;
        entry = READ_ONCE(*slot);
        old = entry >> (8 * offset);
        store_compute(in, old, src, saved_regs(regs), &r);
        if (r.write)
            rc = replace_l1_entry(slot, (entry & ~mask) | ((r.value << (8 * offset)) & mask), d,
                                  entry);
    } while (unlikely(rc == -EAGAIN));
    if (rc != 0)
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

/* The entry that a store to va would change: va is mapped read-only, to an L1 of v's domain. NULL:
 * not so. */
static uint64_t *slot_mapped_at(const struct vcpu *v, uint64_t va)
{
    const uint64_t *slot = walk_to_l1(v->root_kernel, va);
    uint64_t mapping = slot != NULL ? READ_ONCE(*slot) : 0;

    if ((mapping & (PTE_P | PTE_RW)) != PTE_P)
        return NULL;
    return l1_slot_at((mapping & PTE_ADDR_MASK) | (va & ~PAGE_MASK & ~7ull), v->domain);
}

static inline void trace_store(const uint64_t *slot, uint64_t va, const struct cpu_user_regs *regs)
{
    TRACE(TRACE_EMUL, TRC_PV_PTWR_EMULATION | TRC_64_FLAG, W64(READ_ONCE(*slot)), W64(va),
          W64(regs->rip));
}

/* Any store, by the general decoder. */
static __attribute__((noinline)) bool any_store(struct vcpu *v, uint64_t va,
                                                struct cpu_user_regs *regs, uint64_t *slot)
{
    enum cpu_mode mode;
    struct insn in;
    uint8_t bytes[16];
    uint64_t src;
    unsigned len = fetch_insn(v, regs, bytes, &mode);

    if (!decode_insn(bytes, len, mode, &in) || !stores_to(&in, regs, va) ||
        !read_source(&in, regs, &src) ||
        !store_to_l1(v->domain, slot, &in, (unsigned)(va & 7), src, regs))
        return false;
    trace_store(slot, va, regs);
    regs->rip = rip_after(&in, regs);
    return true;
}

/* RFLAGS after an AND with that result. */
static inline uint64_t flags_of_and(uint64_t flags, uint8_t result)
{
    flags &= ~(uint64_t)(FLAG_CF | FLAG_PF | FLAG_ZF | FLAG_SF | FLAG_OF);
    return flags | (result == 0 ? FLAG_ZF : 0) | (result & 0x80 ? FLAG_SF : 0) |
           (__builtin_parity(result) ? 0 : FLAG_PF);
}

static __attribute__((noinline)) bool parse_and_keep(struct vcpu *v, uint64_t code)
{
    struct short_store s;

    if (!parse_short_store(code, &s))
        return false;
    v->store_code = code;
    v->store = s;
    return true;
}

/* The bytes at rip, if they are one of the short forms, and that stores to va. What the bytes mean
 * is kept: a loop over a table meets the same again and again. */
static inline const struct short_store *fetch_short_store(struct vcpu *v, uint64_t va,
                                                          const struct cpu_user_regs *regs)
{
    const struct short_store *s = &v->store;
    uint64_t code;

    if (unlikely((regs->cs | 3) != FLAT_RING3_CS64) ||
        unlikely(!guest_range_ok(regs->rip, sizeof(code))) ||
        unlikely(!get_guest_words(&code, regs->rip, 1)))
        return NULL;
    if ((unlikely(code != v->store_code) || unlikely(s->length == 0)) && !parse_and_keep(v, code))
        return NULL;
    if (unlikely(reg_value(saved_regs(regs), s->base) + (uint64_t)(int64_t)s->disp != va) ||
        (s->op != OP_AND && unlikely(va & 7)))
        return NULL;
    return s;
}

/* What nearly all stores are, without the general decoder. False: it is another one, or cannot be
 * done at once; nothing has changed. */
static inline bool short_store(struct vcpu *v, uint64_t va, struct cpu_user_regs *regs,
                               uint64_t *slot)
{
    const struct short_store *s = fetch_short_store(v, va, regs);
    uint64_t old, entry, flags = regs->rflags, *source;
    unsigned shift = 8 * (va & 7);

    if (unlikely(s == NULL))
        return false;
    source = reg_by_number(saved_regs(regs), s->source);
    old = READ_ONCE(*slot);
    entry = *source;
    if (s->op == OP_AND) {
        entry = old & ~((uint64_t)(uint8_t)~s->imm << shift);
        flags = flags_of_and(flags, (uint8_t)(entry >> shift));
    } else if (s->op == OP_CMPXCHG) {
        if (unlikely(regs->rax != old))
            return false;
        flags = (flags & ~(uint64_t)FLAGS_ARITHMETIC) | FLAG_ZF | FLAG_PF;
    }
    if (unlikely(replace_l1_entry(slot, entry, v->domain, old) != 0))
        return false;
    trace_store(slot, va, regs);
    if (s->op == OP_XCHG)
        *source = old;
    regs->rflags = flags;
    regs->rip += s->length;
    return true;
}

/* Under mm_lock: the tables and the mapping at va stay as they are, but for accessed and dirty
 * bits. Reading the instruction and its operands takes no lock. */
void ptwr_fault(struct vcpu *v, struct cpu_user_regs *regs, uint64_t va)
{
    struct domain *d = v->domain;
    uint64_t *slot;
    bool done;

    spin_lock(&d->mm_lock);
    slot = slot_mapped_at(v, va);
    done = slot != NULL && (short_store(v, va, regs, slot) || any_store(v, va, regs, slot));
    spin_unlock(&d->mm_lock);
    if (likely(done))
        instruction_done(v, regs, regs->rip, 0);
    else
        other_page_fault(v, regs, va);
}
