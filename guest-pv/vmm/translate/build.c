/* Translates a block: what is copied, what is replaced by a sequence, what calls out. A sequence
 * has one host instruction that commits: up to it the guest's state is the one before the
 * instruction, from it on the one behind it; the points say so. Called by cache.c. */
#include <stddef.h>
#include "common/x86/map.h"
#include "guest-pv/vmm/translate/region.h"

#define BLOCK_INSNS 32u
#define STATE(field) offsetof(struct state_page, field)

/* What reads or changes, in ring 3 and without a trap, what is not the guest's. */
static bool must_call_out(const struct insn *in, const struct insn_case *k)
{
    static const uint16_t ops[] = {
        OP_POPF, OP_CPUID, OP_IRET, OP_RET_FAR, OP_JMP_FAR, OP_CALL_FAR, OP_LAR, OP_LSL, OP_VERR,
        OP_VERW, OP_SGDT, OP_SIDT, OP_SLDT, OP_STR, OP_SMSW, OP_SYSCALL, OP_SYSRET, OP_SYSENTER,
        OP_SYSEXIT, OP_UD2, OP_UD0, OP_UD1, OP_XGETBV, OP_RDPKRU, OP_WRPKRU, OP_RDTSCP, OP_RDPID,
        OP_RDFSBASE, OP_RDGSBASE, OP_WRFSBASE, OP_WRGSBASE, OP_LFS, OP_LGS, OP_LSS, OP_INT,
        OP_INT3, OP_INT1, OP_SWAPGS, OP_HLT, OP_IN, OP_OUT, OP_WRMSR, OP_RDMSR, OP_INVLPG,
        OP_LOOP, OP_LOOPE, OP_LOOPNE, OP_JCXZ, OP_XBEGIN, OP_ENTER, OP_VMCALL, OP_VMMCALL,
    };

    if (in->opcode == 0x8c || in->opcode == 0x8e) /* MOV of segment registers */
        return true;
    if (in->opcode == 0x122 || in->opcode == 0x120 || in->opcode == 0x121 || in->opcode == 0x123)
        return true;
    if (k->op == OP_PUSH || k->op == OP_POP)
        return in->opcode == 0x1a0 || in->opcode == 0x1a8 || in->opcode == 0x1a1 ||
               in->opcode == 0x1a9; /* of FS and GS */
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        if (ops[i] == k->op)
            return true;
    return false;
}

/* MOV of a segment register to a general one, whose value is in the state page. */
static bool reads_selector(const struct insn *in)
{
    return in->opcode == 0x8c && !in->memory && !in->opsize;
}

static bool ends_block(const struct insn *in, const struct insn_case *k)
{
    if (reads_selector(in) || k->op == OP_INVLPG)
        return false;
    return must_call_out(in, k) || k->op == OP_JMP || k->op == OP_JCC || k->op == OP_CALL ||
           k->op == OP_RET;
}

/* The core does it. */
static void call_out(struct emitter *e)
{
    struct translator *t = e->t;
    uint32_t stub;

    emit_point(e, e->rip, 0);
    stub = emit_stub(e, EXIT_TO_EMULATE, e->rip, 0);
    t->insns[t->nr_insns] = (struct kept_callout){ *e->in, e->k };
    t->stubs[stub].insn = t->nr_insns++;
}

static void branch_to(struct emitter *e, uint64_t rip)
{
    uint32_t patch;

    emit_point(e, rip, 0);
    patch = emit_branch(e, JMP_ALWAYS);
    emit_point(e, rip, 0);
    emit_stub(e, EXIT_OF_BRANCH, rip, patch);
}

/* The branch that is not taken comes first, so that both stubs are behind it. */
static void translate_jcc(struct emitter *e, const struct insn *in)
{
    uint64_t next = e->rip + in->length, target = next + in->imm;
    uint32_t taken;

    emit_point(e, e->rip, 0);
    taken = emit_branch(e, in->opcode & 15u);
    branch_to(e, next);
    emit_point(e, target, 0);
    emit_stub(e, EXIT_OF_BRANCH, target, taken);
}

/* push $next: sign-extended, which reaches where kernels are. False: it does not. */
static bool push_return(struct emitter *e, const struct insn *in)
{
    uint64_t next = e->rip + in->length;
    int32_t low = (int32_t)next;

    if ((uint64_t)(int64_t)low != next)
        return false;
    emit_bytes(e, "\x68", 1);
    emit_bytes(e, &low, 4);
    return true;
}

static void translate_call(struct emitter *e, const struct insn *in)
{
    emit_point(e, e->rip, 0);
    if (push_return(e, in))
        branch_to(e, e->rip + in->length + in->imm);
    else
        call_out(e);
}

static void save_three(struct emitter *e)
{
    emit_point(e, e->rip, 0);
    emit_save(e, RCX);
    emit_save(e, RAX);
    emit_save(e, RDX);
}

/* pop %rcx commits: then RIP is in RCX until it is in the state page. RET n calls out. */
static void translate_ret(struct emitter *e, const struct insn *in)
{
    int32_t more = (int32_t)(in->imm & 0xffff);

    if (more != 0) {
        call_out(e);
        return;
    }
    save_three(e);
    emit_bytes(e, "\x59", 1);
    emit_point(e, e->rip, FIX_RCX | RIP_IN_RCX);
    emit_store(e, RCX, STATE(rip));
    emit_point(e, e->rip, FIX_RCX | RIP_IN_STATE);
    emit_jump_to_lookup(e);
}

/* JMP and CALL by a register or memory. The operand is read before anything is pushed. */
static void translate_indirect(struct emitter *e, const uint8_t *bytes, const struct insn *in,
                               bool is_call)
{
    uint32_t start = e->t->used;
    uint16_t points = e->b->nr_points;
    uint32_t nr_points = e->t->nr_points;

    save_three(e);
    if (in->op_bytes != 8 || !emit_operand_of(e, bytes, in, 0x8b, RCX))
        goto out;
    emit_point(e, e->rip, is_call ? FIX_RCX : FIX_RCX | RIP_IN_RCX);
    emit_store(e, RCX, STATE(rip));
    if (is_call && !push_return(e, in))
        goto out;
    emit_point(e, e->rip, FIX_RCX | RIP_IN_STATE);
    emit_jump_to_lookup(e);
    return;
out:
    e->t->used = start;
    e->t->nr_points = nr_points;
    e->b->nr_points = points;
    call_out(e);
}

/* pushf, and the virtual IF into what it wrote: the store of that commits. */
static void translate_pushf(struct emitter *e, const struct insn *in)
{
    if (in->op_bytes != 8) {
        call_out(e);
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
    emit_point(e, e->rip + in->length, FIX_RCX | FIX_RDX);
    emit_restore(e, RCX);
    emit_restore(e, RDX);
}

static void translate_cli(struct emitter *e)
{
    emit_point(e, e->rip, 0);
    emit_set(e, STATE(if_word), -FLAG_IF);
}

/* With an interrupt pending the vmm does it: it knows of the shadow, and delivers. So it does where
 * the next instruction, which the shadow is for, is not in this block. */
static void translate_sti(struct emitter *e, const uint8_t *bytes, const struct insn *in)
{
    struct insn next;
    uint32_t jump;

    if (!decode_insn(bytes + in->length, e->left - in->length, MODE_64, &next) ||
        find_case(&next) == NULL) {
        call_out(e);
        return;
    }
    emit_point(e, e->rip, 0);
    emit_save(e, RCX);
    emit_load(e, RCX, STATE(pending));
    emit_point(e, e->rip, FIX_RCX);
    emit_bytes(e, "\xe3\x00", 2); /* jrcxz over the stub */
    jump = e->t->used;
    emit_restore(e, RCX);
    call_out(e);
    e->t->host->memory[jump - 1] = (uint8_t)(e->t->used - jump);
    emit_point(e, e->rip, FIX_RCX);
    emit_restore(e, RCX);
    emit_point(e, e->rip, 0);
    emit_set(e, STATE(if_word), 0);
    e->shadow = e->rip + in->length;
    emit_point(e, e->shadow, 0);
}

static void translate_mov_from_segment(struct emitter *e, const struct insn *in)
{
    emit_point(e, e->rip, 0);
    emit_load(e, modrm_rm(in), STATE(selectors) + 8 * (in->modrm >> 3 & 7));
}

/* The shadow tables owe nothing to it; the vmm is told when it looks. */
static void translate_invlpg(struct emitter *e)
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

/* RCX = the if_word that belongs to the RFLAGS at 16(%rsp). Not for RF, AC and the like, and not
 * for what the table leaves to the core. */
static void check_flags(struct emitter *e, uint32_t bail[2])
{
    int32_t table;

    emit_bytes(e, "\x0f\xb6\x4c\x24\x12", 5); /* movzbl 18(%rsp), %ecx: bits 16 to 23 */
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

/* Kernels return so to themselves at each place that they patch. popf commits; RIP, RSP and IF are
 * in the state page by then. */
static void translate_iret(struct emitter *e)
{
    uint32_t bail[5];

    save_three(e);
    bail[0] = check_selector(e, 8, STATE(minus_cs));
    bail[1] = check_selector(e, 32, STATE(minus_ss));
    check_flags(e, &bail[2]);
    bail[4] = check_pending(e);
    emit_bytes(e, "\x48\x8b\x04\x24", 4); /* mov (%rsp), %rax */
    emit_store(e, RAX, STATE(rip));
    emit_store(e, RCX, STATE(next_if_word));
    emit_bytes(e, "\x48\x8b\x44\x24\x18", 5); /* mov 24(%rsp), %rax */
    emit_store(e, RAX, STATE(rsp));
    emit_load(e, RCX, STATE(rip));
    emit_bytes(e, "\x48\x8d\x64\x24\x10", 5); /* lea 16(%rsp), %rsp */
    emit_point(e, e->rip, FIX_RCX | FIX_RAX | FIX_RSP_16);
    emit_bytes(e, "\x9d", 1); /* popf: ring 3 leaves the real IF alone */
    emit_point(e, e->rip, FIX_RCX | FIX_RAX | RIP_IN_STATE | IF_IS_NEXT | RSP_IN_STATE);
    emit_load(e, RSP, STATE(rsp));
    emit_point(e, e->rip, FIX_RCX | FIX_RAX | RIP_IN_STATE | IF_IS_NEXT);
    emit_load(e, RAX, STATE(next_if_word));
    emit_store(e, RAX, STATE(if_word));
    emit_point(e, e->rip, FIX_RCX | FIX_RAX | RIP_IN_STATE);
    emit_jump_to_lookup(e);
    for (unsigned i = 0; i < ARRAY_SIZE(bail); i++)
        patch_branch(e->t, bail[i], e->t->used);
    emit_point(e, e->rip, FIX_RCX | FIX_RAX);
    emit_restore(e, RCX);
    emit_restore(e, RAX);
    call_out(e);
}

static void translate_other(struct emitter *e, const uint8_t *bytes, const struct insn *in)
{
    uint32_t start = e->t->used;

    emit_point(e, e->rip, 0);
    if (in->base != REG_RIP || !in->memory) {
        emit_bytes(e, bytes, in->length);
    } else if (!emit_operand_of(e, bytes, in, 0, 0)) {
        e->t->used = start;
        call_out(e);
    }
}

static void translate_insn(struct emitter *e, const uint8_t *bytes, const struct insn *in,
                           const struct insn_case *k)
{
    bool relative = k->forms[0] == FORM_Jb || k->forms[0] == FORM_Jz;

    if (reads_selector(in))
        translate_mov_from_segment(e, in);
    else if (k->op == OP_INVLPG)
        translate_invlpg(e);
    else if (k->op == OP_IRET && in->op_bytes == 8)
        translate_iret(e);
    else if (must_call_out(in, k))
        call_out(e);
    else if (k->op == OP_JCC)
        translate_jcc(e, in);
    else if (k->op == OP_JMP && relative)
        branch_to(e, e->rip + in->length + in->imm);
    else if (k->op == OP_CALL && relative)
        translate_call(e, in);
    else if (k->op == OP_JMP || k->op == OP_CALL)
        translate_indirect(e, bytes, in, k->op == OP_CALL);
    else if (k->op == OP_RET)
        translate_ret(e, in);
    else if (k->op == OP_PUSHF)
        translate_pushf(e, in);
    else if (k->op == OP_CLI)
        translate_cli(e);
    else if (k->op == OP_STI)
        translate_sti(e, bytes, in);
    else
        translate_other(e, bytes, in);
}

bool build_block(struct translator *t, struct tblock *b, const uint8_t *bytes, unsigned len)
{
    struct emitter e = { .t = t, .b = b };
    unsigned at = 0, n = 0;
    bool ended = false;

    for (; (n < BLOCK_INSNS || e.shadow == b->rip + at) && !ended; n++) {
        struct insn in;
        const struct insn_case *k;

        if (!decode_insn(bytes + at, MIN(len - at, MAX_INSN), MODE_64, &in))
            break;
        k = find_case(&in);
        if (k == NULL)
            break;
        e.rip = b->rip + at;
        e.left = MIN(len - at, 2 * MAX_INSN);
        e.in = &in;
        e.k = k;
        translate_insn(&e, bytes + at, &in, k);
        ended = ends_block(&in, k);
        at += in.length;
    }
    if (n != 0 && !ended)
        branch_to(&e, b->rip + at);
    t->counters.instructions += n;
    return n != 0;
}

/* RCX has the guest's target, which is in the state page too; RAX, RCX and RDX are saved. Finds the
 * host's address, or calls out: lea adds without flags, jrcxz tests without. */
void build_lookup(struct translator *t)
{
    struct tblock *b = &t->blocks[t->nr_blocks];
    struct emitter e = { .t = t, .b = b };
    int32_t table;
    uint32_t jump;

    t->lookup = t->used;
    emit_point(&e, 0, FIX_RAX | FIX_RCX | FIX_RDX | RIP_IN_STATE);
    emit_bytes(&e, "\x0f\xb7\xc1\x48\x8d\x15", 6); /* movzwl %cx, %eax; lea table(%rip), %rdx */
    table = (int32_t)STATE_BYTES - (int32_t)(t->used + 4);
    emit_bytes(&e, &table, 4);
    emit_bytes(&e, "\x48\x8d\x14\xc2\x48\x8d\x14\xc2", 8); /* lea (%rdx,%rax,8), %rdx, twice */
    /* mov (%rdx), %rax; lea (%rcx,%rax), %rcx */
    emit_bytes(&e, "\x48\x8b\x02\x48\x8d\x0c\x01", 7);
    emit_bytes(&e, "\xe3\x00", 2);
    jump = t->used;
    emit_restore(&e, RAX);
    emit_restore(&e, RCX);
    emit_restore(&e, RDX);
    emit_point(&e, 0, RIP_IN_STATE);
    emit_stub(&e, EXIT_OF_LOOKUP, 0, 0);
    t->host->memory[jump - 1] = (uint8_t)(t->used - jump);
    emit_point(&e, 0, FIX_RAX | FIX_RCX | FIX_RDX | RIP_IN_STATE);
    emit_bytes(&e, "\x48\x8b\x42\x08", 4);              /* mov 8(%rdx), %rax */
    emit_store(&e, RAX, STATE(host));
    emit_restore(&e, RAX);
    emit_restore(&e, RCX);
    emit_restore(&e, RDX);
    emit_point(&e, 0, RIP_IN_STATE);
    emit_bytes(&e, "\xff\x25", 2);                      /* jmp *host(%rip) */
    table = (int32_t)STATE(host) - (int32_t)(t->used + 4);
    emit_bytes(&e, &table, 4);
}
