/* x87 instructions that compute, load or store numbers. The host's CPU does it: x87_code has each
 * opcode with each ModRM, and an instruction of the guest is executed by loading the guest's state,
 * jumping to the same opcode there, and storing the state. A memory operand is at RDI there. Which
 * of them are ever jumped to say handlers_sse.def and the rows of the map. An exception that the
 * guest does not mask sets ES in its status and nothing else: no waiting instruction follows before
 * the vmm's own state is back. */
#include <string.h>
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/x87.h"

#define MXCSR_ALL_MASKED 0x1f80u
#define FSW_PENDING (FSW_EXCEPTIONS | FSW_SF | FSW_ES | FSW_B)
#define NO_STORE_IF 0x19u               /* IE, OE, UE: what is not masked leaves memory alone */

/* Four bytes each, ended by a jump to where RDX points: D8 to DF with C0 to FF, then with 07 to 3F,
 * which is each number in the ModRM's middle and the memory at RDI. */
__asm__(".pushsection .text\n"
        ".balign 4\n"
        "x87_code:\n"
        ".set x87_opcode, 0xd8\n"
        ".rept 8\n"
        ".set x87_modrm, 0xc0\n"
        ".rept 64\n"
        ".byte x87_opcode, x87_modrm, 0xff, 0xe2\n"
        ".set x87_modrm, x87_modrm + 1\n"
        ".endr\n"
        ".set x87_opcode, x87_opcode + 1\n"
        ".endr\n"
        "x87_code_memory:\n"
        ".set x87_opcode, 0xd8\n"
        ".rept 8\n"
        ".set x87_modrm, 0x07\n"
        ".rept 8\n"
        ".byte x87_opcode, x87_modrm, 0xff, 0xe2\n"
        ".set x87_modrm, x87_modrm + 8\n"
        ".endr\n"
        ".set x87_opcode, x87_opcode + 1\n"
        ".endr\n"
        ".popsection\n");
extern const uint8_t x87_code[8][64][4], x87_code_memory[8][8][4];

/* A number in memory, and the arithmetic flags of RFLAGS: FCMOVcc reads them, FCOMI sets them. */
struct job {
    uint8_t memory[16];
    uint64_t flags;
};

/* OF is set by adding 127 to it as a byte, the others by SAHF; afterwards SETO and LAHF. XMM
 * registers are lost: FXRSTOR loads them from fx, which has nothing of theirs. */
static void run(struct fx_state *fx, struct job *j, const uint8_t *code)
{
    uint64_t flags = (j->flags & 0xff) << 8 | (j->flags >> 11 & 1);
    uint32_t mxcsr;
    uint16_t fcw;

    __asm__ volatile("stmxcsr %[mxcsr]\n"
                     "fnstcw %[fcw]\n"
                     "fxrstor64 %[fx]\n"
                     "lea 1f(%%rip), %%rdx\n"
                     "addb $127, %%al\n"
                     "sahf\n"
                     "jmp *%[code]\n"
                     "1: lahf\n"
                     "seto %%al\n"
                     "fxsave64 %[fx]\n"
                     "fninit\n"
                     "fldcw %[fcw]\n"
                     "ldmxcsr %[mxcsr]\n"
                     : [fx] "+m"(*fx), [mxcsr] "=m"(mxcsr), [fcw] "=m"(fcw), "+a"(flags),
                       "+m"(j->memory)
                     : [code] "r"(code), "D"(j->memory)
                     : "rdx", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
                       "st(7)", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    j->flags = (flags >> 8 & 0xff) | (flags & 1) << 11;
}

bool x87_usable(struct exec *x, bool waits)
{
    if (x->c->cr0 & (CR0_EM | CR0_TS))
        return raise_fault(x->c, VECTOR_NM);
    return !waits || no_x87_pending(x->c);
}

static bool stores_to_memory(const struct exec *x)
{
    static const uint16_t stores[] = { OP_FST, OP_FSTP, OP_FIST, OP_FISTP, OP_FBSTP };

    for (unsigned i = 0; i < ARRAY_SIZE(stores) && x->in->memory; i++)
        if (x->k->op == stores[i])
            return true;
    return false;
}

/* Exceptions of before are not in fx, where without CR0.NE they would be pending and raise #MF
 * here: store_state() adds them. */
static void run_insn(const struct exec *x, struct fx_state *fx, struct job *j)
{
    unsigned opcode = x->in->opcode & 7u, modrm = x->in->modrm;
    const uint8_t *code = x->in->memory ? x87_code_memory[opcode][modrm >> 3 & 7]
                                        : x87_code[opcode][modrm & 0x3f];

    j->flags = x->c->regs[REG_RFLAGS];
    memset(fx, 0, sizeof(*fx));
    memcpy(fx, &x->c->fx, offsetof(struct fx_state, xmm));
    fx->mxcsr = MXCSR_ALL_MASKED;
    fx->fsw &= (uint16_t)~FSW_PENDING;
    run(fx, j, code);
}

/* Pointers are those of the last instruction that may raise an exception (SDM vol. 1, 8.1.8). */
static void store_state(struct exec *x, const struct fx_state *fx)
{
    struct cpu *c = x->c;

    set_x87_status(&c->fx, fx->fsw | (c->fx.fsw & FSW_PENDING));
    c->fx.ftw = fx->ftw;
    memcpy(c->fx.st, fx->st, sizeof(fx->st));
    c->fx.fip = c->regs[REG_RIP];
    c->fx.fop = (uint16_t)((x->in->opcode & 7) << 8 | x->in->modrm);
    if (x->in->memory)
        c->fx.fdp = x->linear - segment_base(c, x->in);
}

static bool sets_flags(const struct exec *x)
{
    return x->k->op == OP_FCOMI || x->k->op == OP_FCOMIP || x->k->op == OP_FUCOMI ||
           x->k->op == OP_FUCOMIP;
}

bool op_x87(struct exec *x)
{
    uint64_t *rflags = &x->c->regs[REG_RFLAGS];
    unsigned bytes = x->in->memory ? operand_size(x, 0) : 0;
    bool stores = stores_to_memory(x);
    struct job j = { .flags = 0 };
    struct fx_state fx;

    if (!x87_usable(x, true) || (bytes && !stores && !read_memory(x, 0, j.memory, bytes)))
        return false;
    run_insn(x, &fx, &j);
    if (stores && !(fx.fsw & ~fx.fcw & NO_STORE_IF) && !write_memory(x, 0, j.memory, bytes))
        return false;
    store_state(x, &fx);
    if (sets_flags(x))
        *rflags = (*rflags & ~FLAGS_ARITHMETIC) | (j.flags & FLAGS_ARITHMETIC);
    return finish(x);
}
