/* Owns writable page tables: a guest kernel's store to one of its L1 tables, which it has mapped read-only as it must,
 * is carried out here as the validated update it means (VMASST_TYPE_writable_pagetables; contract 4.4). Anything but a
 * simple, naturally aligned store by the kernel to a live L1 stays the page fault that it is. */
#include "xen/emulate.h"
#include "xen/guest_access.h"
#include "xen/mm.h"
#include "xen/upcall.h"

static uint64_t size_mask(unsigned bytes)
{
    return bytes == 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

struct store_result {
    uint64_t value;         /* for memory */
    bool write;
    bool set_reg;           /* the register operand gets the old value (xchg, xadd) */
    bool set_rax;           /* cmpxchg that failed: rax gets the old value */
    uint64_t flags, flags_mask;
};

/* CF PF ZF SF OF of a logical result; AF is undefined and left alone. */
static uint64_t logic_flags(uint64_t value, unsigned bytes)
{
    uint64_t flags = 0;

    if (!__builtin_parity((unsigned)(value & 0xff)))
        flags |= 1u << 2;
    if ((value & size_mask(bytes)) == 0)
        flags |= 1u << 6;
    if (value >> (8 * bytes - 1) & 1)
        flags |= 1u << 7;
    return flags;
}

#define FLAGS_ARITH 0x8d5ull        /* CF PF AF ZF SF OF */
#define FLAGS_LOGIC 0x8c5ull

static uint64_t arith_flags(uint64_t a, uint64_t b, uint64_t r, unsigned bytes, bool subtract)
{
    uint64_t sign = 1ull << (8 * bytes - 1), flags = logic_flags(r, bytes);

    if (subtract ? (a & size_mask(bytes)) < (b & size_mask(bytes)) : (r & size_mask(bytes)) < (a & size_mask(bytes)))
        flags |= 1;
    if ((a ^ b ^ r) & 0x10)
        flags |= 0x10;
    if ((subtract ? (a ^ b) & (a ^ r) : ~(a ^ b) & (a ^ r)) & sign)
        flags |= 0x800;
    return flags;
}

static void compute(const struct store_insn *in, uint64_t old, uint64_t src, uint64_t rax, struct store_result *r)
{
    unsigned bit = (unsigned)(src & (8 * in->bytes - 1));

    *r = (struct store_result){ .value = src, .write = true };
    switch (in->op) {
    case ST_MOV:
        return;
    case ST_XCHG:
        r->set_reg = true;
        return;
    case ST_CMPXCHG:
        r->write = ((old ^ rax) & size_mask(in->bytes)) == 0;
        r->set_rax = !r->write;
        r->flags = arith_flags(rax, old, rax - old, in->bytes, true);
        r->flags_mask = FLAGS_ARITH;
        return;
    case ST_XADD:
        r->set_reg = true;      /* and the sum: as ADD */
        /* fall through */
    case ST_ADD:
        r->value = old + src;
        r->flags = arith_flags(old, src, r->value, in->bytes, false);
        r->flags_mask = FLAGS_ARITH;
        return;
    case ST_SUB:
        r->value = old - src;
        r->flags = arith_flags(old, src, r->value, in->bytes, true);
        r->flags_mask = FLAGS_ARITH;
        return;
    case ST_OR:
    case ST_AND:
    case ST_XOR:
        r->value = in->op == ST_OR ? old | src : in->op == ST_AND ? old & src : old ^ src;
        r->flags = logic_flags(r->value, in->bytes);
        r->flags_mask = FLAGS_LOGIC;
        return;
    case ST_BTS:
    case ST_BTR:
    case ST_BTC:
        r->flags = old >> bit & 1;
        r->flags_mask = EFLAGS_CF;
        r->value = in->op == ST_BTS ? old | 1ull << bit : in->op == ST_BTR ? old & ~(1ull << bit) : old ^ 1ull << bit;
        return;
    }
}

static void write_reg(uint64_t *reg, unsigned bytes, bool high, uint64_t value)
{
    if (high)
        *reg = (*reg & ~0xff00ull) | (value & 0xff) << 8;
    else if (bytes >= 4)
        *reg = value & size_mask(bytes);    /* a 32-bit write clears the upper half */
    else
        *reg = (*reg & ~size_mask(bytes)) | (value & size_mask(bytes));
}

/* The whole entry after the store, validated and exchanged. false: not acceptable, the fault is the guest's. */
static bool store_to_l1(struct domain *d, uint64_t *slot, const struct store_insn *in, unsigned offset,
                        struct cpu_user_regs *regs)
{
    uint64_t *reg = in->reg >= 0 ? reg_by_number(regs, (unsigned)in->reg) : NULL;
    uint64_t src = reg ? (in->high_byte ? *reg >> 8 : *reg) : in->imm;
    uint64_t mask = size_mask(in->bytes) << (8 * offset);
    uint64_t entry = READ_ONCE(*slot), old = entry >> (8 * offset);
    struct store_result r;

    compute(in, old, src, regs->rax, &r);
    if (r.write && mod_l1_entry(slot, (entry & ~mask) | ((r.value << (8 * offset)) & mask), d, d, false) != 0)
        return false;
    if (r.set_reg && reg)
        write_reg(reg, in->bytes, in->high_byte, old);
    if (r.set_rax)
        write_reg(&regs->rax, in->bytes, false, old);
    regs->rflags = (regs->rflags & ~r.flags_mask) | (r.flags & r.flags_mask);
    return true;
}

/* Up to 15 bytes of the instruction; fewer where the next page cannot be read. */
static unsigned fetch(uint8_t insn[16], uint64_t rip)
{
    if (!guest_range_ok(rip, 16))
        return 0;
    if (get_guest_words(insn, rip, 2))
        return 15;
    return (unsigned)(15 - arch_copy_from_guest(insn, rip, 15));
}

bool ptwr_fault(struct vcpu *v, uint64_t va, struct cpu_user_regs *regs)
{
    struct domain *d = v->domain;
    uint64_t *mapping, *slot, address;
    struct store_insn in;
    uint8_t insn[16];
    unsigned len;
    bool done = false;

    mapping = walk_to_l1(v->root_kernel, va);
    if (mapping == NULL || (*mapping & (PTE_P | PTE_RW)) != PTE_P)
        return false;
    if (l1_slot_at((*mapping & PTE_ADDR_MASK) | (va & ~PAGE_MASK & ~7ull), d) == NULL)
        return false;
    len = fetch(insn, regs->rip);
    if (!decode_store(insn, len, regs, &in, &address) || address != va || (va & (in.bytes - 1)))
        return false;

    spin_lock(&d->mm_lock);     /* and look again: another vCPU may have changed the mapping or the type */
    if ((READ_ONCE(*mapping) & (PTE_P | PTE_RW)) == PTE_P) {
        slot = l1_slot_at((*mapping & PTE_ADDR_MASK) | (va & ~PAGE_MASK & ~7ull), d);
        done = slot && store_to_l1(d, slot, &in, (unsigned)(va & 7), regs);
    }
    spin_unlock(&d->mm_lock);
    if (done) {
        TRACE(TRACE_EMUL, TRC_PV_PTWR_EMULATION | TRC_64_FLAG, W64(READ_ONCE(*slot)), W64(va), W64(regs->rip));
        instruction_done(v, regs, in.length, 0);
    }
    return done;
}
