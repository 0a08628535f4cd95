/* SSE and x87 by the vmm's core and by the host, and what is compared: see vmm_fx_fixture.h. What
 * is executed is vmm_fx_cases.c's. */
#include "cmocka_main.h"
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/vmm_fx_fixture.h"
#include "tests/unit/vmm_host.h"

#define PAGE 4096u
#define DATA_BYTES (NATIVE_END - NATIVE_DATA)
#define PTE_WRITABLE 0x67ull            /* P, RW, US, A, D */
#define PTE_READ_ONLY 0x65ull
#define COMPARED_FLAGS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF | FLAG_DF)
#define TIME_LIMIT_SECONDS 300
#define MXCSR_OE 0x08u
#define MXCSR_UE 0x10u
#define MXCSR_PE 0x20u

struct cpu *fx_cpu;

struct cpu *fx_new_cpu(void)
{
    struct cpu *c = vmm_cpu_new(0x300);
    uint64_t *l2 = (uint64_t *)(c->ram.bytes + 0x3000), *l1 = (uint64_t *)(c->ram.bytes + 0x4000);

    l2[NATIVE_CODE >> 21] = 0x4000 | PTE_WRITABLE;
    for (uint64_t at = NATIVE_DATA; at < NATIVE_READ_ONLY; at += PAGE)
        l1[at >> 12 & 511] = at | PTE_WRITABLE;
    l1[NATIVE_READ_ONLY >> 12 & 511] = NATIVE_READ_ONLY | PTE_READ_ONLY;
    l1[NATIVE_CODE >> 12 & 511] = NATIVE_CODE | PTE_READ_ONLY;
    set_cpl(c, 3);
    return c;
}

void fx_in_child(void (*function)(void))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        alarm(TIME_LIMIT_SECONDS);
        fx_cpu = fx_new_cpu();
        if (!native_init())
            fx_fail("the addresses of the test's pages are not free");
        function();
        fflush(stdout);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

void fx_fail(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    _exit(1);
}

void fx_reset(void)
{
    struct cpu *c = fx_cpu;

    c->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET | CR0_NE;
    c->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    memset(c->regs, 0, sizeof(c->regs));
    c->regs[REG_RFLAGS] = FLAG_MBS;
    c->regs[RBX] = c->regs[R11] = c->regs[RDI] = FX_DATA;
    memset(&c->fx, 0, sizeof(c->fx));
    c->fx.fcw = 0x37f;
    c->fx.mxcsr = 0x1f80;
    memset(c->ram.bytes + NATIVE_DATA, 0, NATIVE_READ_ONLY - NATIVE_DATA);
}

int fx_setup(void **state)
{
    (void)state;
    fx_cpu = fx_new_cpu();
    fx_reset();
    return 0;
}

int fx_teardown(void **state)
{
    (void)state;
    vmm_cpu_free(fx_cpu);
    return 0;
}

int fx_emulate(const uint8_t *bytes, unsigned len)
{
    struct insn in;

    if (!decode_insn(bytes, len, MODE_64, &in) || in.length != len)
        return VECTOR_UD;
    return emulate(fx_cpu, &in) ? FX_NONE : fx_cpu->fault.vector;
}

int (*fx_executed_by)(const uint8_t *bytes, unsigned len) = fx_emulate;

static int run_native(struct native_run *run, const uint8_t *bytes, unsigned len)
{
    uint64_t start = native_place(bytes, len);

    run->regs[REG_RIP] = start;
    native_execute(run);
    return native_faulted(run, start) ? (int)run->vector : FX_NONE;
}

/* As the CPU would have it: no bits that a load changes. */
static void set_by_host(struct fx_state *fx)
{
    static const uint8_t nop = 0x90;
    struct native_run run = { .fx = fx };

    run_native(&run, &nop, 1);
}

static unsigned differences;

static void expect(bool same, const char *what)
{
    if (same)
        return;
    differences++;
    printf("  %s\n", what);
}

static void compare_x87(const struct fx_state *ours, const struct fx_state *host)
{
    expect(ours->fcw == host->fcw, "FCW");
    expect(ours->fsw == host->fsw, "FSW");
    expect(ours->ftw == host->ftw, "FTW");
    for (unsigned i = 0; i < 8; i++)
        expect(memcmp(ours->st[i], host->st[i], 10) == 0, "an ST register");
}

/* Beside an overflow or underflow that is not masked PE says whether the rounded result would be
 * exact with another exponent; the core's is that of the masked operation. */
static void compare_sse(const struct fx_state *ours, const struct fx_state *host, int vector)
{
    bool no_pe = vector == VECTOR_XM && (host->mxcsr & ~(host->mxcsr >> 7) & (MXCSR_OE | MXCSR_UE));

    expect(!((ours->mxcsr ^ host->mxcsr) & ~(no_pe ? MXCSR_PE : 0)), "MXCSR");
    expect(memcmp(ours->xmm, host->xmm, sizeof(ours->xmm)) == 0, "an XMM register");
}

/* Where the images have FIP, FDP, FOP and selectors; MXCSR_MASK in FXSAVE's. */
static void forget_pointers(uint8_t *image, const struct insn *in, unsigned op)
{
    bool is_short = in->opsize && !(in->rex & 8);

    if (op == OP_FNSTENV || op == OP_FNSAVE) {
        memset(image + (is_short ? 6 : 12), 0, is_short ? 8 : 16);
    } else if (op == OP_FXSAVE || op == OP_FXSAVE64) {
        memset(image + 6, 0, 18);
        memset(image + 28, 0, 4);
    }
}

static bool same_memory(const struct insn *in, const struct insn_case *k)
{
    static uint8_t ours[DATA_BYTES + 512], host[DATA_BYTES + 512];
    uint64_t offset = fx_cpu->regs[RBX] - NATIVE_DATA;

    memcpy(ours, fx_cpu->ram.bytes + NATIVE_DATA, DATA_BYTES);
    memcpy(host, (void *)(uintptr_t)NATIVE_DATA, DATA_BYTES);
    if (offset < DATA_BYTES) {
        forget_pointers(ours + offset, in, k->op);
        forget_pointers(host + offset, in, k->op);
    }
    return memcmp(ours, host, DATA_BYTES) == 0;
}

/* CPUs load and store them in several steps in any order: which of two pages that may not be
 * accessed raises the fault, and what has been stored before, is theirs. */
static bool is_in_parts(const struct insn_case *k)
{
    return k->forms[0] == FORM_Mt || k->forms[0] == FORM_Menv || k->forms[0] == FORM_Msav ||
           k->forms[0] == FORM_Mfx;
}

static bool same_page_fault(const struct native_run *run, const struct insn_case *k)
{
    return is_in_parts(k) ||
           (fx_cpu->fault.error == run->error && fx_cpu->fault.address == run->address);
}

static bool uses_mmx(const struct insn_case *k)
{
    for (unsigned i = 0; i < 3; i++)
        if (k->forms[i] == FORM_Pq || k->forms[i] == FORM_Qq || k->forms[i] == FORM_Qd)
            return true;
    return false;
}

/* Of an MMX instruction that raises an exception nobody says whether the change from x87 to MMX has
 * happened before. */
static void compare(const struct native_run *run, int vector, const struct insn *in)
{
    const struct insn_case *k = find_case(in);
    const struct cpu *c = fx_cpu;

    expect(memcmp(c->regs, run->regs, 16 * 8) == 0, "a general register");
    expect(c->regs[REG_RIP] == run->regs[REG_RIP], "RIP");
    expect(!((c->regs[REG_RFLAGS] ^ run->regs[REG_RFLAGS]) & COMPARED_FLAGS), "RFLAGS");
    if (vector == VECTOR_PF)
        expect(same_page_fault(run, k), "the page fault's address or error code");
    if (vector == FX_NONE || !uses_mmx(k))
        compare_x87(&c->fx, run->fx);
    compare_sse(&c->fx, run->fx, vector);
    if (vector != VECTOR_PF || !is_in_parts(k))
        expect(same_memory(in, k), "memory");
}

static void print_value(const char *what, const void *value, unsigned bytes)
{
    printf("  %-10s", what);
    while (bytes-- > 0)
        printf("%02x", ((const uint8_t *)value)[bytes]);
    printf("\n");
}

static void print_fx(const char *who, const struct fx_state *fx)
{
    printf(" %s: fcw %04x fsw %04x ftw %02x mxcsr %04x\n", who, fx->fcw, fx->fsw, fx->ftw,
                fx->mxcsr);
    for (unsigned i = 0; i < 8; i++)
        print_value("st", fx->st[i], 10);
    for (unsigned i = 0; i < 16; i++)
        print_value("xmm", fx->xmm[i], 16);
}

int fx_run_both(const char *name, const uint8_t *bytes, unsigned len, const uint64_t regs[18],
                const struct fx_state *fx)
{
    struct fx_state host_fx = *fx;
    struct native_run run = { .fx = &host_fx };
    struct insn in;
    int ours, host;

    if (!decode_insn(bytes, len, MODE_64, &in) || find_case(&in) == NULL)
        fx_fail("%s is not in the map", name);

    memcpy(run.regs, regs, sizeof(run.regs));
    memcpy(fx_cpu->regs, regs, 18 * 8);
    fx_cpu->fx = *fx;
    memcpy(fx_cpu->ram.bytes + NATIVE_DATA, (void *)(uintptr_t)NATIVE_DATA, DATA_BYTES);
    host = run_native(&run, bytes, len);
    fx_cpu->regs[REG_RIP] = NATIVE_CODE_END - len;
    ours = fx_executed_by(bytes, len);
    expect(ours == host, "the exception");
    compare(&run, host, &in);
    if (differences == 0)
        return host;
    print_value(name, bytes, len);
    printf(" exception: ours %d, the host's %d; RBX %#lx\n", ours, host, regs[RBX]);
    print_fx("before", fx);
    print_fx("ours", &fx_cpu->fx);
    print_fx("the host's", &host_fx);
    fx_fail("%s differs from the host's CPU", name);
}

static void run_row(const struct fx_opcode *opcode, const struct fx_row *row, unsigned times,
                    void (*prepare)(const struct fx_row *row, const uint64_t regs[18]))
{
    unsigned done = 0;

    for (unsigned i = 0; i < times; i++) {
        uint8_t bytes[MAX_INSN];
        unsigned len = fx_encode(opcode, row, bytes);
        uint64_t regs[18];
        struct fx_state fx;

        fx_randomize(regs, &fx);
        set_by_host(&fx);
        if (prepare)
            prepare(row, regs);
        if (fx_is_served(row))
            done += fx_run_both(row->name, bytes, len, regs, &fx) == FX_NONE;
        else if (fx_emulate(bytes, len) != VECTOR_UD)
            fx_fail("%s is executed", row->name);
    }
    if (fx_is_served(row) && done == 0)
        fx_fail("%s was never executed to its end", row->name);
}

void fx_run_rows(const struct fx_opcode *opcodes, unsigned times,
                 void (*prepare)(const struct fx_row *row, const uint64_t regs[18]))
{
    for (; opcodes->rows != NULL; opcodes++)
        for (const struct fx_row *row = opcodes->rows; row->name != NULL; row++)
            run_row(opcodes, row, times, prepare);
}
