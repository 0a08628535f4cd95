/* Translates a block: the guest's instructions in a row, up to one behind which nothing follows, or
 * so many, or the page's end. Branches that may not be taken are in the middle, and so is what is
 * behind a call, for it will return. With BLOCK_INSNS of them it ends behind the next branch, so
 * that a loop's body is rarely cut. Called by cache.c. */
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/paging.h"
#include "guest-pv/vmm/translate/region.h"

#define BLOCK_INSNS 32u
#define MOST_INSNS 64u

/* What becomes of an instruction. COPY: the CPU does in ring 3 what it would do in ring 0, or
 * traps. CALL_OUT: it reads or changes, without a trap, what is not the guest's, or traps at a
 * high price. END: that, and nothing follows. */
enum class {
    COPY, CALL_OUT, END, JCC, JUMP, CALL, RET, PUSHF, CLI, STI, IRET, INVLPG, MOVE, PUSH_POP,
};

static const uint8_t classes[NR_OPS] = {
    [OP_JCC] = JCC, [OP_JMP] = JUMP, [OP_CALL] = CALL, [OP_RET] = RET, [OP_PUSHF] = PUSHF,
    [OP_CLI] = CLI, [OP_STI] = STI, [OP_IRET] = IRET, [OP_INVLPG] = INVLPG, [OP_MOV] = MOVE,
    [OP_PUSH] = PUSH_POP, [OP_POP] = PUSH_POP,
    [OP_POPF] = CALL_OUT, [OP_CPUID] = CALL_OUT, [OP_LAR] = CALL_OUT, [OP_LSL] = CALL_OUT,
    [OP_VERR] = CALL_OUT, [OP_VERW] = CALL_OUT, [OP_SGDT] = CALL_OUT, [OP_SIDT] = CALL_OUT,
    [OP_SLDT] = CALL_OUT, [OP_STR] = CALL_OUT, [OP_SMSW] = CALL_OUT, [OP_XGETBV] = CALL_OUT,
    [OP_RDPKRU] = CALL_OUT, [OP_WRPKRU] = CALL_OUT, [OP_RDTSCP] = CALL_OUT, [OP_RDPID] = CALL_OUT,
    [OP_RDFSBASE] = CALL_OUT, [OP_RDGSBASE] = CALL_OUT, [OP_WRFSBASE] = CALL_OUT,
    [OP_WRGSBASE] = CALL_OUT, [OP_LFS] = CALL_OUT, [OP_LGS] = CALL_OUT, [OP_LSS] = CALL_OUT,
    [OP_SWAPGS] = CALL_OUT, [OP_HLT] = CALL_OUT, [OP_IN] = CALL_OUT, [OP_OUT] = CALL_OUT,
    [OP_WRMSR] = CALL_OUT, [OP_RDMSR] = CALL_OUT, [OP_LOOP] = CALL_OUT, [OP_LOOPE] = CALL_OUT,
    [OP_LOOPNE] = CALL_OUT, [OP_JCXZ] = CALL_OUT, [OP_XBEGIN] = CALL_OUT, [OP_ENTER] = CALL_OUT,
    [OP_RET_FAR] = END, [OP_JMP_FAR] = END, [OP_CALL_FAR] = END, [OP_SYSCALL] = END,
    [OP_SYSRET] = END, [OP_SYSENTER] = END, [OP_SYSEXIT] = END, [OP_UD2] = END, [OP_UD0] = END,
    [OP_UD1] = END, [OP_INT] = END, [OP_INT3] = END, [OP_INT1] = END, [OP_VMCALL] = END,
    [OP_VMMCALL] = END,
};

static bool is_relative(const struct insn_case *k)
{
    return k->forms[0] == FORM_Jb || k->forms[0] == FORM_Jz;
}

/* Segment, control and debug registers. Of a segment register to a general one the value is in the
 * state page. */
static void translate_move(struct emitter *e)
{
    const struct insn *in = e->in;

    if (in->opcode == 0x8c && !in->memory && !in->opsize)
        translate_mov_from_segment(e);
    else if (in->opcode == 0x8c || in->opcode == 0x8e || (in->opcode & ~3u) == 0x120)
        call_out(e, true);
    else if (store_calls_out(e))
        store_by_core(e);
    else
        translate_other(e);
}

static bool is_of_segment(const struct insn *in)
{
    return (in->opcode & ~9u) == 0x1a0; /* PUSH and POP of FS and GS */
}

/* False: nothing follows. */
static bool translate_insn(struct emitter *e)
{
    switch ((enum class)classes[e->k->op]) {
    case COPY:
        break;
    case CALL_OUT:
    case END:
        call_out(e, classes[e->k->op] == CALL_OUT);
        return classes[e->k->op] == CALL_OUT;
    case JCC:
        return translate_jcc(e);
    case JUMP:
        return is_relative(e->k) ? translate_jump(e) : translate_indirect_jump(e);
    case CALL:
        return is_relative(e->k) ? translate_call(e) : translate_indirect_call(e);
    case RET:
        return translate_ret(e);
    case PUSHF:
        translate_pushf(e);
        return true;
    case CLI:
        translate_cli(e);
        return true;
    case STI:
        translate_sti(e);
        return true;
    case IRET:
        if (e->in->op_bytes == 8)
            translate_iret(e);
        else
            call_out(e, false);
        return false;
    case INVLPG:
        translate_invlpg(e);
        return true;
    case MOVE:
        translate_move(e);
        return true;
    case PUSH_POP:
        if (!is_of_segment(e->in))
            break;
        call_out(e, true);
        return true;
    }
    if (is_store(e->in) && store_calls_out(e))
        store_by_core(e);
    else
        translate_other(e);
    return true;
}

/* The guest's bytes from RIP on: to the page's end, then those of one more instruction, which
 * begins there and ends on the next page. */
struct source {
    struct cpu *c;
    struct tblock *b;
    const uint8_t *page;
    /* offsets from RIP: where the next instruction is, the page's end */
    unsigned at, end;
    uint8_t both[2 * MAX_INSN];
};

/* An instruction that goes over the page's end. */
static bool decode_at_end(struct source *s, struct insn *in)
{
    unsigned n = s->end - s->at, more = MAX_INSN - n;
    struct translation where;

    if (n >= MAX_INSN || !walk(s->c, s->b->rip + s->end, ACCESS_FETCH, &where) ||
        !frame_is_ram(&s->c->ram, where.frame))
        return false;
    memcpy(s->both, s->page + s->at, n);
    memcpy(s->both + n, frame_to_read(&s->c->ram, where.frame), more);
    if (!decode_insn(s->both, MAX_INSN, MODE_64, in))
        return false;
    s->b->frame[1] = (uint32_t)where.frame;
    return true;
}

/* The next instruction; its bytes are e->bytes. */
static bool next_insn(struct source *s, struct emitter *e, struct insn *in)
{
    unsigned left = s->end - s->at;

    e->bytes = s->page + s->at;
    e->left = left;
    if (decode_insn(e->bytes, MIN(left, MAX_INSN), MODE_64, in))
        return true;
    e->bytes = s->both;
    e->left = MAX_INSN;
    return decode_at_end(s, in);
}

/* What build_block() has read, to compare with later. */
static void keep_source(struct translator *t, struct tblock *b, const struct source *s)
{
    unsigned first = MIN(s->at, s->end);

    b->source = t->nr_source;
    b->length = (uint16_t)s->at;
    memcpy(t->source + b->source, s->page, first);
    if (b->frame[1] != NO_FRAME)
        memcpy(t->source + b->source + first,
               frame_to_read(&s->c->ram, b->frame[1]), s->at - first);
    t->nr_source += s->at;
}

/* n instructions are there, the last of which is e's. */
static bool may_go_on(const struct emitter *e, unsigned n)
{
    return n < BLOCK_INSNS ||
           (n < MOST_INSNS && classes[e->k->op] != JCC && classes[e->k->op] != CALL);
}

bool build_block(struct cpu *c, struct tblock *b)
{
    struct translator *t = c->translator;
    unsigned offset = b->rip % GUEST_PAGE, n = 0;
    struct source s = { .c = c, .b = b, .page = frame_to_read(&c->ram, b->frame[0]) + offset,
                        .end = GUEST_PAGE - offset };
    struct emitter e = { .t = t, .b = b };
    bool follows = true;
    struct insn in;

    for (; follows && s.at < s.end && may_go_on(&e, n); n++) {
        if (!next_insn(&s, &e, &in) || (e.k = find_case(&in)) == NULL)
            break;
        e.in = &in;
        e.rip = b->rip + s.at;
        e.is_last = n == MOST_INSNS - 1;
        follows = translate_insn(&e);
        s.at += in.length;
    }
    if (n == 0)
        return false;
    e.rip = b->rip + s.at;
    if (follows)
        branch_to(&e, e.rip);
    emit_stubs_of_exits(&e);
    keep_source(t, b, &s);
    t->counters.instructions += n;
    return true;
}
