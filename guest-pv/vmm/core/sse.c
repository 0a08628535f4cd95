/* MMX, SSE and SSE2 instructions that compute. The host's CPU does it: an instruction of the guest
 * is executed by loading registers 0 and 1, jumping to the same opcode in sse_code, and storing.
 * Which opcodes are ever jumped to say handlers_sse.def and the rows of the map; moves and shuffles
 * are sse_move.c's. */
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/sse.h"
#include "guest-pv/vmm/core/sse_code.h"

#define MXCSR_FLAGS 0x3fu               /* IE, DE, ZE, OE, UE, PE; their masks are 7 bits higher */
#define MXCSR_UE 0x10u
#define MXCSR_BEFORE 0x07u              /* seen before anything is computed */
#define MXCSR_MASKS_SHIFT 7
#define MXCSR_FTZ 0x8000u

/* An operation: a is the destination. Which of the results is meant says the destination's kind. */
struct job {
    const uint8_t *code;
    union sse_value a, b;
    uint64_t mmx, general;
    uint32_t mxcsr, own_mxcsr;
    uint8_t flags;              /* SF, ZF, AF, PF, CF as LAHF gives them */
};

#define RUN(load_mmx, store_mmx, ...) \
    __asm__ volatile("stmxcsr %[own]\n" \
                     "ldmxcsr %[mxcsr]\n" \
                     "movaps %[a], %%xmm0\n" \
                     "movaps %[b], %%xmm1\n" load_mmx \
                     "mov %[b], %%rcx\n" \
                     "lea 1f(%%rip), %%rdx\n" \
                     "jmp *%[code]\n" \
                     "1: mov %%rax, %[general]\n" \
                     "lahf\n" \
                     "mov %%ah, %[flags]\n" \
                     "movaps %%xmm0, %[a]\n" store_mmx \
                     "stmxcsr %[mxcsr]\n" \
                     "ldmxcsr %[own]\n" \
                     : [a] "+m"(j->a), [mmx] "=m"(j->mmx), [general] "=m"(j->general), \
                       [flags] "=m"(j->flags), [mxcsr] "+m"(j->mxcsr), [own] "=m"(j->own_mxcsr) \
                     : [b] "m"(j->b), [code] "r"(j->code) \
                     : "rax", "rcx", "rdx", "xmm0", "xmm1", "cc", ##__VA_ARGS__)

static void run(struct job *j)
{
    RUN("", "");
}

static void run_mmx(struct job *j)
{
    RUN("movq %[a], %%mm0\n movq %[b], %%mm1\n", "movq %%mm0, %[mmx]\n emms\n", "mm0", "mm1");
}

static const uint8_t *code_of(const struct insn *in)
{
    return sse_code[sse_prefix(in)][in->opcode & 0xff];
}

static bool load_job(struct exec *x, struct job *j, unsigned destination, unsigned source)
{
    j->code = code_of(x->in);
    j->mxcsr = x->c->fx.mxcsr | MXCSR_FLAGS << MXCSR_MASKS_SHIFT;
    j->a.quads[0] = j->a.quads[1] = 0;
    return sse_usable(x) && read_sse_operand(x, source, &j->b) &&
           (x->k->forms[destination] == FORM_Gy || x->k->forms[destination] == FORM_Gd ||
            read_sse_operand(x, destination, &j->a));
}

/* The source of CVTPI2PS and CVTPI2PD is MMX register 1 in sse_code, also where it was in
 * memory. */
static bool is_mmx_form(unsigned form)
{
    return form == FORM_Pq || form == FORM_Qq || form == FORM_Qd;
}

static void run_job(struct exec *x, struct job *j)
{
    if (is_mmx_form(x->k->forms[0]) || is_mmx_form(x->k->forms[1]))
        run_mmx(j);
    else
        run(j);
}

static bool store_job(struct exec *x, struct job *j)
{
    if (x->k->forms[0] == FORM_Gy || x->k->forms[0] == FORM_Gd)
        j->a.quads[0] = j->general;
    else if (is_mmx_operand(x, 0))
        j->a.quads[0] = j->mmx;
    return write_sse_operand(x, 0, &j->a);
}

/* XMM registers, or one and memory. */
static bool plain_xmm(struct exec *x)
{
    union sse_value *a = xmm_register(x, modrm_reg(x->in)), b;
    const uint8_t *code = code_of(x->in);

    if (!xmm_usable(x))
        return false;
    if (!x->in->memory)
        b = *xmm_register(x, modrm_rm(x->in));
    else if (!is_sse_aligned(x, 16) || !read_part(x, &b, 16))
        return false;
    __asm__("movaps %[a], %%xmm0\n"
            "movaps %[b], %%xmm1\n"
            "lea 1f(%%rip), %%rdx\n"
            "jmp *%[code]\n"
            "1: movaps %%xmm0, %[a]\n"
            : [a] "+m"(*a)
            : [b] "m"(b), [code] "r"(code)
            : "rdx", "xmm0", "xmm1");
    return finish(x);
}

/* On integers or bits: MXCSR has no part in it. */
bool op_sse_plain(struct exec *x)
{
    struct job j;

    if (x->k->forms[0] == FORM_Vx && x->k->forms[1] == FORM_Wx)
        return plain_xmm(x);
    if (!load_job(x, &j, 0, 1))
        return false;
    run_job(x, &j);
    return store_job(x, &j);
}

/* MOVMSKPS, MOVMSKPD, PMOVMSKB: the signs of the elements. */
bool op_sse_movmsk(struct exec *x)
{
    const union sse_value *from = xmm_register(x, modrm_rm(x->in));
    const uint8_t *code = code_of(x->in);
    uint64_t signs;

    if (is_mmx_operand(x, 1))
        return op_sse_plain(x);
    if (!xmm_usable(x))
        return false;
    __asm__("movaps %[from], %%xmm1\n"
            "lea 1f(%%rip), %%rdx\n"
            "jmp *%[code]\n"
            "1:\n"
            : "=a"(signs)
            : [from] "m"(*from), [code] "r"(code)
            : "rdx", "xmm1");
    x->c->regs[modrm_reg(x->in)] = signs;
    return finish(x);
}

/* By a register, or by an immediate. */
bool op_sse_shift(struct exec *x)
{
    const struct insn *in = x->in;
    struct job j;

    if (x->k->forms[1] != FORM_Iu)
        return op_sse_plain(x);
    if (!load_job(x, &j, 0, 0))
        return false;
    j.code = sse_shift_code(in);
    j.b.quads[0] = in->imm & 0xff;
    j.b.quads[1] = 0;
    run_job(x, &j);
    return store_job(x, &j);
}

/* The exceptions that an operation raises, as flags, with all of them masked. A result that is tiny
 * but exact is an underflow only where that is not masked: FTZ, which only a masked one obeys,
 * shows it, and the result is not used. PE beside it, and beside an overflow that is not masked, is
 * that of the masked operation. */
static uint32_t run_masked(struct exec *x, struct job *j)
{
    j->mxcsr &= ~MXCSR_FLAGS;
    if (!(x->c->fx.mxcsr & MXCSR_UE << MXCSR_MASKS_SHIFT))
        j->mxcsr |= MXCSR_FTZ;
    run_job(x, j);
    return j->mxcsr & MXCSR_FLAGS;
}

/* Runs it, and sets the flags in MXCSR. False: #XM, or #UD without OSXMMEXCPT, and the flags are
 * all that has changed: of exceptions after computing none where one before it is not masked (SDM
 * vol. 1, 11.5.4). */
static bool run_float(struct exec *x, struct job *j)
{
    struct cpu *c = x->c;
    uint32_t raised = run_masked(x, j), unmasked = ~(c->fx.mxcsr >> MXCSR_MASKS_SHIFT);

    if (raised & unmasked & MXCSR_BEFORE)
        raised &= MXCSR_BEFORE;
    c->fx.mxcsr |= raised;
    if (!(raised & unmasked))
        return true;
    return raise_fault(c, c->cr4 & CR4_OSXMMEXCPT ? VECTOR_XM : VECTOR_UD);
}

/* On floating-point numbers, conversions from and to them included. */
bool op_sse_float(struct exec *x)
{
    struct job j;

    return load_job(x, &j, 0, 1) && run_float(x, &j) && store_job(x, &j);
}

bool op_sse_cmp(struct exec *x)
{
    struct job j;

    if (!load_job(x, &j, 0, 1))
        return false;
    j.code = sse_code_compare[sse_prefix(x->in)][x->in->imm & 7];
    return run_float(x, &j) && store_job(x, &j);
}

/* COMISS, UCOMISD and so on: into RFLAGS. */
bool op_sse_comi(struct exec *x)
{
    uint64_t *rflags = &x->c->regs[REG_RFLAGS];
    struct job j;

    if (!load_job(x, &j, 0, 1) || !run_float(x, &j))
        return false;
    *rflags = (*rflags & ~FLAGS_ARITHMETIC) | (j.flags & FLAGS_ARITHMETIC);
    return finish_sse(x);
}

/* CVTSI2SS, CVTSI2SD: of 4 or 8 bytes, always as 8. */
bool op_sse_from_integer(struct exec *x)
{
    struct job j;

    if (!load_job(x, &j, 0, 1))
        return false;
    j.code = sse_code_rex_w[x->in->rep == 0xf2][x->in->opcode & 0xf];
    j.b.quads[0] = sign_extend(j.b.quads[0], operand_size(x, 1));
    return run_float(x, &j) && store_job(x, &j);
}

/* CVTSS2SI, CVTTSD2SI and so on. */
bool op_sse_to_integer(struct exec *x)
{
    struct job j;

    if (!load_job(x, &j, 0, 1))
        return false;
    if (operand_size(x, 0) == 8)
        j.code = sse_code_rex_w[x->in->rep == 0xf2][x->in->opcode & 0xf];
    return run_float(x, &j) && store_job(x, &j);
}
