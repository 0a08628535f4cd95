/* Single instructions: those that are copied, those that a sequence replaces, and those that the
 * core does. A sequence has one host instruction that commits: up to it the guest's state is the
 * one before the instruction, from it on the one behind it; the points say so. Branches are
 * branch.c's. Called by build.c. */
#include <stddef.h>
#include <string.h>
#include "guest-pv/vmm/translate/region.h"

#define STATE(field) offsetof(struct state_page, field)

/* The core does it. */
void call_out(struct emitter *e, bool goes_on)
{
    struct translator *t = e->t;
    uint32_t stub;

    emit_point(e, e->rip, 0);
    stub = emit_stub(e, EXIT_TO_EMULATE, e->rip);
    t->insns[t->nr_insns] = (struct kept_callout){ *e->in, e->k, { { 0 } } };
    for (unsigned i = 0; i < DECODED_OPERANDS && e->k != NULL; i++)
        get_operand(e->in, e->k, i, &t->insns[t->nr_insns].operands[i]);
    t->stubs[stub].in_shadow = e->shadow == e->rip && e->rip != 0;
    t->stubs[stub].goes_on = goes_on;
    t->stubs[stub].insn = t->nr_insns++;
}

void store_by_core(struct emitter *e)
{
    call_out(e, true);
    e->t->stubs[e->t->nr_stubs - 1].is_store = true;
}

/* pushf, and the virtual IF into what it wrote: the store of that commits. */
void translate_pushf(struct emitter *e)
{
    if (e->in->op_bytes != 8) {
        call_out(e, true);
        return;
    }
    emit_point(e, e->rip, 0);
    emit_save(e, RCX);
    emit_save(e, RDX);
    emit_bytes(e, "\x9c", 1);
    emit_point(e, e->rip, FIX_RSP);
    emit_bytes(e, "\x48\x8b\x0c\x24", 4); /* mov (%rsp), %rcx */
    emit_point(e, e->rip, FIX_RSP | FIX_RCX);
    emit_load(e, RDX, STATE(if_word));
    emit_point(e, e->rip, FIX_RSP | FIX_RCX | FIX_RDX);
    emit_bytes(e, "\x48\x8d\x0c\x11\x48\x89\x0c\x24", 8); /* lea (%rcx,%rdx), %rcx; mov to (%rsp) */
    emit_point(e, e->rip + e->in->length, FIX_RCX | FIX_RDX);
    emit_restore(e, RCX);
    emit_restore(e, RDX);
}

void translate_cli(struct emitter *e)
{
    emit_point(e, e->rip, 0);
    emit_set(e, STATE(if_word), -FLAG_IF);
}

/* With an interrupt pending the vmm does it: it knows of the shadow, and delivers. So it does where
 * the next instruction, which the shadow is for, is not in this block. */
void translate_sti(struct emitter *e)
{
    unsigned length = e->in->length;
    struct insn next;
    uint32_t jump;

    if (e->is_last || !decode_insn(e->bytes + length, MIN(e->left - length, MAX_INSN), MODE_64,
                                   &next) ||
        find_case(&next) == NULL) {
        call_out(e, true);
        return;
    }
    emit_point(e, e->rip, 0);
    emit_save(e, RCX);
    emit_load(e, RCX, STATE(pending));
    emit_point(e, e->rip, FIX_RCX);
    emit_bytes(e, "\xe3\x00", 2); /* jrcxz over the stub */
    jump = e->t->used;
    emit_restore(e, RCX);
    call_out(e, false);
    e->t->host->memory[jump - 1] = (uint8_t)(e->t->used - jump);
    emit_point(e, e->rip, FIX_RCX);
    emit_restore(e, RCX);
    emit_point(e, e->rip, 0);
    emit_set(e, STATE(if_word), 0);
    e->shadow = e->rip + length;
    emit_point(e, e->shadow, 0);
}

void translate_mov_from_segment(struct emitter *e)
{
    emit_point(e, e->rip, 0);
    emit_load(e, modrm_rm(e->in), STATE(selectors) + 8 * (e->in->modrm >> 3 & 7));
}

/* The shadow tables owe nothing to it; the vmm is told when it looks. */
void translate_invlpg(struct emitter *e)
{
    emit_point(e, e->rip, 0);
    emit_set(e, STATE(flush), 1);
}

/* jrcxz over a jump to where the core does it: goes on when RCX is 0. Returns the jump to patch. */
static uint32_t go_on_if_zero(struct emitter *e)
{
    emit_bytes(e, "\xe3\x05", 2);
    return emit_branch(e, JMP_ALWAYS);
}

/* Is offset(%rsp) the selector whose negative is in the state page? No flag changes. */
static uint32_t check_selector(struct emitter *e, unsigned offset, unsigned minus)
{
    uint8_t load[] = { 0x48, 0x8b, 0x4c, 0x24, (uint8_t)offset }; /* mov offset(%rsp), %rcx */

    emit_bytes(e, load, sizeof(load));
    emit_point(e, e->rip, FIX_RCX | FIX_RAX);
    emit_load(e, RAX, minus);
    emit_bytes(e, "\x48\x8d\x0c\x01", 4); /* lea (%rcx,%rax), %rcx */
    return go_on_if_zero(e);
}

/* RCX = the if_word that belongs to the RFLAGS at 16(%rsp). Not for AC and the like, and not for
 * what the table leaves to the core. RF, which a fault's frame has, is left out: the guest has
 * no breakpoints that it could be for. */
static void check_flags(struct emitter *e, uint32_t *bail)
{
    int32_t table;

    emit_bytes(e, "\x0f\xb6\x4c\x24\x12", 5); /* movzbl 18(%rsp), %ecx: bits 16 to 23 */
    emit_bytes(e, "\xe3\x04\x48\x8d\x49\xff", 6); /* jrcxz over it; lea -1(%rcx), %rcx */
    bail[0] = go_on_if_zero(e);
    emit_bytes(e, "\x0f\xb6\x4c\x24\x11\x48\x8d\x05", 8); /* movzbl 17(%rsp); lea table, %rax */
    table = (int32_t)STATE(iret_if_words) - (int32_t)(e->t->used + 4);
    emit_bytes(e, &table, 4);
    emit_bytes(e, "\x48\x8b\x0c\xc8\x48\x8d\x49\xff", 8); /* mov (%rax,%rcx,8); lea -1(%rcx) */
    emit_bytes(e, "\xe3\x02\xeb\x05", 4);                 /* jrcxz to the jump, or over it */
    bail[1] = emit_branch(e, JMP_ALWAYS);
    emit_bytes(e, "\x48\x8d\x49\x01", 4);                 /* lea 1(%rcx), %rcx */
}

/* With IF = 1 (RCX is 0) and an interrupt pending the core does it. RCX stays. */
static uint32_t check_pending(struct emitter *e)
{
    uint32_t over, bail;

    emit_bytes(e, "\xe3\x02\xeb\x00", 4); /* jrcxz +2; jmp over */
    over = e->t->used;
    emit_load(e, RCX, STATE(pending));
    bail = go_on_if_zero(e);
    e->t->host->memory[over - 1] = (uint8_t)(e->t->used - over);
    return bail;
}

/* RAX = RIP at (%rsp), if 32 bits of it say all: so it is canonical. */
static uint32_t check_rip(struct emitter *e)
{
    emit_bytes(e, "\x48\x63\x0c\x24\x48\xf7\xd1", 7);   /* movslq (%rsp), %rcx; not %rcx */
    emit_bytes(e, "\x48\x8b\x04\x24", 4);               /* mov (%rsp), %rax */
    emit_bytes(e, "\x48\x8d\x4c\x01\x01", 5);           /* lea 1(%rcx,%rax), %rcx */
    return go_on_if_zero(e);
}

/* Kernels return so to themselves at each place that they patch. popf commits; RIP, RSP and IF are
 * in the state page by then. */
void translate_iret(struct emitter *e)
{
    uint32_t bail[6];

    emit_point(e, e->rip, 0);
    emit_save(e, RCX);
    emit_save(e, RAX);
    emit_point(e, e->rip, FIX_RCX | FIX_RAX);
    bail[0] = check_selector(e, 8, STATE(minus_cs));
    bail[1] = check_selector(e, 32, STATE(minus_ss));
    bail[4] = check_rip(e);
    check_flags(e, &bail[2]);
    bail[5] = check_pending(e);
    emit_bytes(e, "\x48\x8b\x04\x24", 4); /* mov (%rsp), %rax */
    emit_store(e, RAX, STATE(rip));
    emit_store(e, RCX, STATE(next_if_word));
    emit_bytes(e, "\x48\x8b\x44\x24\x18", 5); /* mov 24(%rsp), %rax */
    emit_store(e, RAX, STATE(rsp));
    emit_bytes(e, "\x48\x8d\x64\x24\x10", 5); /* lea 16(%rsp), %rsp */
    emit_point(e, e->rip, FIX_RCX | FIX_RAX | FIX_RSP_16);
    emit_bytes(e, "\x9d", 1); /* popf: ring 3 leaves the real IF alone */
    emit_point(e, e->rip, FIX_RCX | FIX_RAX | RIP_IN_STATE | IF_IS_NEXT | RSP_IN_STATE);
    emit_load(e, RSP, STATE(rsp));
    emit_point(e, e->rip, FIX_RCX | FIX_RAX | RIP_IN_STATE | IF_IS_NEXT);
    emit_load(e, RAX, STATE(next_if_word));
    emit_store(e, RAX, STATE(if_word));
    emit_point(e, e->rip, FIX_RCX | FIX_RAX | RIP_IN_STATE);
    emit_restore(e, RAX);
    emit_point(e, e->rip, FIX_RCX | RIP_IN_STATE);
    emit_load(e, RCX, STATE(rip));
    emit_point(e, e->rip, FIX_RCX | RIP_IN_RCX);
    patch_branch(e->t, emit_branch(e, JMP_ALWAYS), e->t->lookup[LOOKUP_JUMP]);
    for (unsigned i = 0; i < ARRAY_SIZE(bail); i++)
        patch_branch(e->t, bail[i], e->t->used);
    emit_point(e, e->rip, FIX_RCX | FIX_RAX);
    emit_restore(e, RCX);
    emit_restore(e, RAX);
    call_out(e, false);
}

/* With bytes enough on both sides it is copied at once. */
static void copy_insn(struct emitter *e)
{
    struct translator *t = e->t;

    if (e->left >= 16) {
        __builtin_memcpy(t->host->memory + t->used, e->bytes, 16);
        t->used += e->in->length;
    } else {
        emit_bytes(e, e->bytes, e->in->length);
    }
}

void translate_other(struct emitter *e)
{
    uint32_t start = e->t->used;

    emit_point(e, e->rip, 0);
    if (e->in->base != REG_RIP || !e->in->memory) {
        copy_insn(e);
    } else if (!emit_operand_of(e, e->bytes, e->in, 0, 0)) {
        e->t->used = start;
        call_out(e, true);
    }
}
