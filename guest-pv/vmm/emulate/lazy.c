/* RFLAGS from way 1's lazy flags, and back. */
#include "common/x86/alu.h"
#include "guest-pv/vmm/emulate/lazy.h"

void lazy_to_rflags(struct cpu *c)
{
    uint64_t flags = c->regs[REG_RFLAGS] & ~(uint64_t)FLAGS_ARITHMETIC;

    lazy_settle(c);
    flags |= lazy_cf(c) ? FLAG_CF : 0;
    flags |= lazy_pf(c) ? FLAG_PF : 0;
    flags |= c->lazy.low >> 3 & 1 ? FLAG_AF : 0;
    flags |= c->lazy.zero == 0 ? FLAG_ZF : 0;
    flags |= c->lazy.result < 0 ? FLAG_SF : 0;
    flags |= lazy_of(c) ? FLAG_OF : 0;
    c->regs[REG_RFLAGS] = flags;
}

void rflags_to_lazy(struct cpu *c)
{
    uint64_t flags = c->regs[REG_RFLAGS];

    c->lazy.zero = !(flags & FLAG_ZF);
    c->lazy.result = flags & FLAG_PF ? 0 : 1;
    if (flags & FLAG_SF)
        c->lazy.result |= INT64_MIN;
    lazy_cf_of(c, (flags & FLAG_CF) != 0, (flags & FLAG_OF) != 0);
    c->lazy.low = flags & FLAG_AF ? 8 : 0;
}
