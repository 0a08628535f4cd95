/* Branches. A direct one is the guest's with another displacement: it leads to the target's
 * block, or to a stub at the block's end that calls the vmm, as long as there is no such block.
 *
 * An indirect one has its target in RCX, whose own value is in the state page, and goes to an
 * address that it takes from memory; the code there compares RCX with the one guest address that
 * it stands for. So what is in memory is a guess, and may be anything:
 *
 *   RET         takes the word of the return cache that belongs to its function. Calls have put the
 *               place behind themselves there, which compares with the call's return address.
 *   CALL, JMP   take that of a table, by the low 16 bits of the target: of an entry, a little block
 *               that compares with the target and leads to the target's block. There is one for
 *               calls, which also stores where this call returns to, for the RET of that function.
 *   Where the comparison fails the table is asked, and where that fails the vmm.
 *
 * A function is known by the return slot of its first instruction, which the blocks reached from
 * there by direct jumps inherit. Where a jump leads from a function to a block of another, as
 * calls at a function's end do, it goes by an adapter, which takes the content of the slot
 * along. Comparisons are LEA and JRCXZ, for no flag may change; they know addresses of 32 bits,
 * sign-extended, which is where kernels are. Called by build.c and cache.c. */
#include <stddef.h>
#include "guest-pv/vmm/translate/region.h"

#define STATE(field) offsetof(struct state_page, field)

static uint32_t slot_offset(unsigned slot)
{
    return RETURNS_OFFSET + 8 * slot;
}

/* Its negative, too. */
static bool is_short(uint64_t rip)
{
    return (uint64_t)(int64_t)(int32_t)rip == rip && (int32_t)rip != INT32_MIN;
}

static uint64_t next_of(const struct emitter *e)
{
    return e->rip + e->in->length;
}

/* --- Direct ----------------------------------------------------------------------------------- */

void branch_to(struct emitter *e, uint64_t rip)
{
    emit_point(e, e->rip, 0);
    emit_exit(e, JMP_ALWAYS, rip, e->b->slot);
}

bool translate_jcc(struct emitter *e)
{
    emit_point(e, e->rip, 0);
    emit_exit(e, e->in->opcode & 15u, next_of(e) + e->in->imm, e->b->slot);
    return true;
}

bool translate_jump(struct emitter *e)
{
    branch_to(e, next_of(e) + e->in->imm);
    return false;
}

/* --- What calls return to --------------------------------------------------------------------- */

static void push_return(struct emitter *e)
{
    int32_t low = (int32_t)next_of(e);

    emit_bytes(e, "\x68", 1);
    emit_bytes(e, &low, 4);
}

/* Behind a call: RETs come here, with RCX = a target that should be the instruction behind it. */
static void return_here(struct emitter *e, uint32_t address)
{
    uint64_t next = next_of(e);

    set_host_address(e->t, address, e->t->used);
    emit_point(e, e->rip, FIX_RCX | RIP_IN_RCX);
    emit_add_to_rcx(e, -(int32_t)next);
    emit_point(e, next, FIX_RCX | RIP_PLUS_RCX);
    emit_jump_of_return(e, next); /* over the next two */
    emit_add_to_rcx(e, (int32_t)next);
    emit_point(e, e->rip, FIX_RCX | RIP_IN_RCX);
    patch_branch(e->t, emit_branch(e, JMP_ALWAYS), e->t->lookup[LOOKUP_JUMP]);
    emit_point(e, next, FIX_RCX);
    emit_restore(e, RCX);
}

bool translate_call(struct emitter *e)
{
    uint64_t target = next_of(e) + e->in->imm;
    unsigned slot = return_slot(target);
    uint32_t address;

    if (!is_short(next_of(e))) {
        call_out(e, false);
        return false;
    }
    emit_point(e, e->rip, 0);
    address = emit_set_host_address(e, slot_offset(slot));
    push_return(e);
    emit_point_of_stub(e, e->t->nr_stubs);
    emit_exit(e, JMP_ALWAYS, target, slot);
    return_here(e, address);
    return true;
}

/* --- Indirect --------------------------------------------------------------------------------- */

/* pop %rcx commits. RET n calls out. */
bool translate_ret(struct emitter *e)
{
    if ((e->in->imm & 0xffff) != 0 || !is_short(e->rip)) {
        call_out(e, false);
        return false;
    }
    emit_point(e, e->rip, 0);
    emit_set(e, STATE(from), (int32_t)e->rip);
    emit_save(e, RCX);
    emit_bytes(e, "\x59", 1);
    emit_point(e, e->rip, FIX_RCX | RIP_IN_RCX);
    emit_jump_by(e, slot_offset(e->b->slot));
    return false;
}

/* The target in RCX. False: it calls out instead. */
static bool load_target(struct emitter *e)
{
    uint32_t start = e->t->used;

    if (e->in->op_bytes != 8 || !is_short(next_of(e)) || !is_short(e->rip))
        return false;
    emit_point(e, e->rip, 0);
    emit_set(e, STATE(from), (int32_t)e->rip);
    emit_save(e, RCX);
    if (emit_operand_of(e, e->bytes, e->in, 0x8b, RCX))
        return true;
    e->t->used = start;
    return false;
}

bool translate_indirect_jump(struct emitter *e)
{
    if (!load_target(e)) {
        call_out(e, false);
        return false;
    }
    emit_point(e, e->rip, FIX_RCX | RIP_IN_RCX);
    patch_branch(e->t, emit_branch(e, JMP_ALWAYS), e->t->lookup[LOOKUP_JUMP]);
    return false;
}

/* The operand has been read before anything is pushed. */
bool translate_indirect_call(struct emitter *e)
{
    uint32_t address;

    if (!load_target(e)) {
        call_out(e, false);
        return false;
    }
    emit_point(e, e->rip, FIX_RCX);
    address = emit_set_host_address(e, STATE(link));
    push_return(e);
    emit_point(e, e->rip, FIX_RCX | RIP_IN_RCX);
    patch_branch(e->t, emit_branch(e, JMP_ALWAYS), e->t->lookup[LOOKUP_CALL]);
    return_here(e, address);
    return true;
}

/* --- Lookups and entries ---------------------------------------------------------------------- */

/* The target is in RCX. RAX and RDX are saved, for an entry to restore. */
static void build_lookup(struct emitter *e, enum lookup by)
{
    struct translator *t = e->t;
    int32_t table;

    t->lookup[by] = t->used;
    emit_point(e, 0, FIX_RCX | RIP_IN_RCX);
    emit_save(e, RAX);
    emit_save(e, RDX);
    emit_point(e, 0, FIX_RAX | FIX_RCX | FIX_RDX | RIP_IN_RCX);
    emit_bytes(e, "\x0f\xb7\xc1\x48\x8d\x15", 6); /* movzwl %cx, %eax; lea table(%rip), %rdx */
    table = (int32_t)(TARGETS_OFFSET + by * TARGETS * 8) - (int32_t)(t->used + 4);
    emit_bytes(e, &table, 4);
    emit_bytes(e, "\xff\x24\xc2", 3);             /* jmp *(%rdx,%rax,8) */
}

/* Of what no entry is in the table for, and, from missed on, of what the entry is not for. */
static void build_miss(struct emitter *e, enum lookup by)
{
    struct translator *t = e->t;
    uint32_t start = t->used;

    emit_point(e, 0, FIX_RAX | FIX_RCX | FIX_RDX | RIP_IN_RCX);
    emit_restore(e, RAX);
    emit_restore(e, RDX);
    t->missed[by] = t->used;
    emit_point(e, 0, FIX_RCX | RIP_IN_RCX);
    emit_store(e, RCX, STATE(rip));
    emit_point(e, 0, FIX_RCX | RIP_IN_STATE);
    emit_restore(e, RCX);
    emit_point(e, 0, RIP_IN_STATE);
    t->stubs[emit_stub(e, EXIT_OF_LOOKUP, 0)].slot = (uint16_t)by;
    for (unsigned i = 0; i < TARGETS; i++)
        t->targets[by][i] = t->host->base + start;
}

void build_lookups(struct translator *t)
{
    struct emitter e = { .t = t, .b = &t->blocks[t->nr_blocks] };

    for (enum lookup by = 0; by < NR_LOOKUPS; by++) {
        build_lookup(&e, by);
        build_miss(&e, by);
    }
}

bool build_entry(struct translator *t, struct tblock *b, enum lookup by, unsigned slot)
{
    struct emitter e = { .t = t, .b = b };

    if (!is_short(b->rip))
        return false;
    emit_point(&e, 0, FIX_RAX | FIX_RCX | FIX_RDX | RIP_IN_RCX);
    emit_restore(&e, RAX);
    emit_restore(&e, RDX);
    emit_point(&e, 0, FIX_RCX | RIP_IN_RCX);
    emit_add_to_rcx(&e, -(int32_t)b->rip);
    emit_point(&e, b->rip, FIX_RCX | RIP_PLUS_RCX);
    emit_bytes(&e, "\xe3\x0c", 2); /* jrcxz over the next two */
    emit_add_to_rcx(&e, (int32_t)b->rip);
    emit_point(&e, 0, FIX_RCX | RIP_IN_RCX);
    patch_branch(t, emit_branch(&e, JMP_ALWAYS), t->missed[by]);
    emit_point(&e, b->rip, FIX_RCX);
    if (by == LOOKUP_CALL) {
        emit_load(&e, RCX, STATE(link));
        emit_store(&e, RCX, slot_offset(slot));
    }
    emit_restore(&e, RCX);
    e.rip = b->rip;
    emit_point(&e, b->rip, 0);
    emit_exit(&e, JMP_ALWAYS, b->rip, slot);
    emit_stubs_of_exits(&e);
    return true;
}

void build_adapter(struct translator *t, struct tblock *b, unsigned from, unsigned to)
{
    struct emitter e = { .t = t, .b = b, .rip = b->rip };

    emit_point(&e, b->rip, 0);
    emit_save(&e, RCX);
    emit_load(&e, RCX, slot_offset(from));
    emit_point(&e, b->rip, FIX_RCX);
    emit_store(&e, RCX, slot_offset(to));
    emit_restore(&e, RCX);
    emit_point(&e, b->rip, 0);
    emit_exit(&e, JMP_ALWAYS, b->rip, to);
    emit_stubs_of_exits(&e);
}
