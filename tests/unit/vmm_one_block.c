/* A block of one instruction: see vmm_one_block.h. */
#include <string.h>
#include "guest-pv/vmm/emulate/ops.h"
#include "tests/unit/vmm_one_block.h"

static struct emulator emulator;
static struct {
    struct block block;
    struct op ops[BLOCK_INSNS + 2];
} made;
static struct kept_insn kept;

static const struct kept_insn *keep(struct cpu *c, const struct insn *in, const struct insn_case *k)
{
    (void)c;
    kept = (struct kept_insn){ *in, k };
    return &kept;
}

/* The jumps that it may look up are none. */
static void prepare(struct cpu *c)
{
    c->emulator = &emulator;
    emulator.fault = false;
    for (unsigned i = 0; i < JUMPS; i++)
        emulator.jumps[i] = &no_block;
    c->budget = 1000;
    c->stop = STOP_NOT;
}

enum one_block run_one_block(struct cpu *c, const uint8_t *bytes, unsigned len)
{
    struct build b = { .c = c, .rip = c->regs[REG_RIP], .bytes = bytes, .len = len, .keep = keep };

    if (!build_ops(&b))
        return BLOCK_NONE;
    prepare(c);
    memcpy(made.ops, b.ops, b.nr_ops * sizeof(b.ops[0]));
    made.block = (struct block){
        .mapping = c->mapping, .rip = b.rip, .offsets = b.offsets, .nr_insns = b.nr_insns,
    };
    c->block = &made.block;
    rflags_to_lazy(c);
    made.ops[0].run(c, made.ops);
    lazy_to_rflags(c);
    return emulator.fault ? BLOCK_FAULT : BLOCK_DONE;
}

bool was_generic(void)
{
    return made.ops[0].run == generic;
}
