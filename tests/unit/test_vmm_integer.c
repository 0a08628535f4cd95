/* Integer instructions by the core, and by way 1's operations, against the host's own CPU: random
 * instructions of every row of the map, on all with the same registers, flags and memory, at the
 * same addresses, at CPL 3.
 * Registers, the flags that the SDM defines, memory, RIP, and the exception with its error code and
 * address have to be the same. VMM_SEED=n and VMM_CASES=n (per row) choose others. What the host
 * cannot be asked is test_vmm_integer_rules.c. */
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/x86/alu.h"
#include "common/x86/format.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/emulate.h"
#include "tests/unit/vmm_cases.h"
#include "tests/unit/vmm_host.h"
#include "tests/unit/vmm_native.h"
#include "tests/unit/vmm_one_block.h"
#include "tests/unit/vmm_undefined.h"

#define TIME_LIMIT_SECONDS 300
#define GS_BASE 0x12345ull

static unsigned nr_cases = 600;         /* per row */
static uint64_t fs_base;

/* --- Ours ------------------------------------------------------------------------------------- */

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_AD = 0x60 };
#define PTE_NX (1ull << 63)

/* The frames of the pages of data: not in their order. */
static uint8_t *frame_of(const struct cpu *c, uint64_t page)
{
    return c->ram.bytes + 0x300000 - 2 * (page - NATIVE_DATA);
}

/* The same pages as the host's: nothing else is mapped. */
static void set_pages(struct cpu *c)
{
    uint64_t *l4 = (uint64_t *)(c->ram.bytes + 0x1000), *l2 = l4 + 1024, *l1 = l2 + 512;

    l4[511] = 0;
    memset(l2, 0, 4096);
    memset(l1, 0, 4096);
    l2[NATIVE_CODE >> 21] = 0x4000 | PTE_P | PTE_W | PTE_U;
    l1[NATIVE_CODE >> 12 & 511] = NATIVE_CODE | PTE_P | PTE_W | PTE_U | PTE_AD;
    for (uint64_t at = NATIVE_DATA; at < NATIVE_END; at += GUEST_PAGE)
        l1[at >> 12 & 511] = (uint64_t)(frame_of(c, at) - c->ram.bytes) | PTE_P | PTE_U | PTE_AD |
                             PTE_NX | (at < NATIVE_READ_ONLY ? PTE_W : 0);
    tlb_flush(c);
}

static struct cpu *make_cpu(void)
{
    struct cpu *c = vmm_cpu_new(1024);

    set_pages(c);
    set_cpl(c, 3);
    for (unsigned i = 0; i < 6; i++)
        c->seg[i].selector = native_selector(i);
    c->seg[SEG_FS].base = fs_base;
    c->seg[SEG_GS].base = GS_BASE;
    return c;
}

static bool step(struct cpu *c)
{
    uint8_t bytes[MAX_INSN];
    unsigned length = fetch_bytes(c, c->regs[REG_RIP], bytes);
    struct insn in;

    if (length == 0)
        return false;
    return decode_insn(bytes, length, MODE_64, &in) ? emulate(c, &in) : raise_ud(c);
}

/* By way 1's operation; what no block can be made of is the core's. */
static bool step_as_block(struct cpu *c)
{
    const uint8_t *bytes = c->ram.bytes + c->regs[REG_RIP];
    enum one_block end = BLOCK_NONE;

    if (c->regs[REG_RIP] - NATIVE_CODE < GUEST_PAGE)
        end = run_one_block(c, bytes, (unsigned)(NATIVE_CODE_END - c->regs[REG_RIP]));
    return end == BLOCK_NONE ? step(c) : end == BLOCK_DONE;
}

/* False: an exception. A repeated instruction takes several calls. */
static bool run_ours(struct cpu *c, const struct test_case *t, bool (*one)(struct cpu *c))
{
    memcpy(c->regs, t->regs, sizeof(t->regs));
    memset(c->ram.bytes + NATIVE_CODE, 0xcc, GUEST_PAGE);
    memcpy(c->ram.bytes + t->start, t->bytes, t->length);
    for (unsigned i = 0; i < 10000; i++) {
        if (!one(c))
            return false;
        if (c->regs[REG_RIP] != t->start)
            return true;
    }
    return true;
}

/* --- Both ------------------------------------------------------------------------------------- */

static unsigned nr_failed, nr_compared, nr_exceptions;

static void print_case(const struct test_case *t, const char *what, uint64_t ours, uint64_t host)
{
    char text[80] = "no instruction";

    if (nr_failed++ >= 20)
        return;
    if (t->k != NULL)
        format_insn(&t->in, t->k, t->start, text, sizeof(text));
    printf("%s:", text);
    for (unsigned i = 0; i < t->length; i++)
        printf(" %02x", t->bytes[i]);
    printf("\n  %s is %lx, the CPU says %lx; operand at %lx, before:", what, ours, host, t->target);
    for (unsigned r = 0; r < 18; r++)
        printf("%s%016lx", r % 6 == 0 ? "\n  " : " ", t->regs[r]);
    printf("\n");
}

/* Also of those that have ended with an exception: registers are as before, or of whole steps. */
static bool compare_registers(const struct test_case *t, const struct cpu *c,
                              const struct native_run *host, bool faulted)
{
    static const char *const names[] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
    };
    uint64_t ignored = FLAG_RF | (faulted || t->k == NULL ? 0 : undefined_flags(t));

    for (unsigned r = 0; r < 17; r++)
        if ((c->regs[r] ^ host->regs[r]) & ~undefined_bits(t, r, faulted))
            return print_case(t, names[r], c->regs[r], host->regs[r]), false;
    /* SDM vol. 2, REP: flags of a comparison that a fault interrupts are those from before it. Ours
     * are of the last step; neither is used when it goes on. */
    if (faulted && t->k != NULL && (t->k->op == OP_CMPS || t->k->op == OP_SCAS))
        ignored |= FLAGS_ARITHMETIC;
    if ((c->regs[REG_RFLAGS] ^ host->regs[17]) & ~ignored)
        return print_case(t, "rflags", c->regs[REG_RFLAGS], host->regs[17]), false;
    return true;
}

/* Of its own addresses Linux says that something is there. */
static uint64_t linux_says_present(const struct native_run *host)
{
    return host->vector == VECTOR_PF && host->address >> 63 ? PTE_P : 0;
}

static bool compare_faults(const struct test_case *t, const struct cpu *c, bool ours,
                           const struct native_run *host, bool faulted)
{
    if (ours != faulted)
        return print_case(t, "an exception", ours ? c->fault.vector : 256,
                          faulted ? host->vector : 256), false;
    if (!faulted)
        return true;
    if (c->fault.vector != host->vector)
        return print_case(t, "the vector", c->fault.vector, host->vector), false;
    if ((c->fault.error | linux_says_present(host)) != host->error)
        return print_case(t, "the error code", c->fault.error, host->error), false;
    if (host->vector == VECTOR_PF && c->fault.address != host->address)
        return print_case(t, "cr2", c->fault.address, host->address), false;
    return true;
}

/* The CPU writes part of ENTER's frame, and CALL's return address, and then sees the fault. */
static bool writes_before_fault(const struct test_case *t)
{
    return t->k != NULL && (t->k->op == OP_ENTER || t->k->op == OP_CALL);
}

static void compare_page(const struct test_case *t, const struct cpu *c, uint64_t page)
{
    const uint8_t *ours = frame_of(c, page), *host = (const uint8_t *)page;
    unsigned i = 0;

    if (memcmp(ours, host, GUEST_PAGE) == 0)
        return;
    while (ours[i] == host[i])
        i++;
    printf("at %lx:\n", page + i);
    print_case(t, "memory", ours[i], host[i]);
}

static void compare_memory(const struct test_case *t, const struct cpu *c, bool faulted)
{
    if (faulted && writes_before_fault(t))
        return;
    for (uint64_t at = NATIVE_DATA; at < NATIVE_END; at += GUEST_PAGE)
        compare_page(t, c, at);
}

static void copy_pages(struct cpu *c)
{
    for (uint64_t at = NATIVE_DATA; at < NATIVE_END; at += GUEST_PAGE)
        memcpy(frame_of(c, at), (const void *)at, GUEST_PAGE);
}

static void compare_with(const struct test_case *t, const struct cpu *c, bool ours,
                         const struct native_run *host, bool faulted)
{
    if (compare_faults(t, c, ours, host, faulted) && compare_registers(t, c, host, faulted))
        compare_memory(t, c, faulted);
}

static void compare_once(struct cpu *c, struct cpu *by_blocks, const struct test_case *t)
{
    struct native_run host = { 0 };
    bool ours, by_block, faulted;

    copy_pages(c);
    copy_pages(by_blocks);
    memcpy(host.regs, t->regs, sizeof(host.regs));
    native_place(t->bytes, t->length);
    native_execute(&host);
    faulted = native_faulted(&host, t->start);
    if (!faulted && host.vector == VECTOR_BP)
        host.regs[16]--;                /* it has jumped to an INT3 */
    ours = !run_ours(c, t, step);
    by_block = !run_ours(by_blocks, t, step_as_block);
    if (is_undefined(t, &host))
        return;
    nr_compared++;
    nr_exceptions += faulted;
    compare_with(t, c, ours, &host, faulted);
    compare_with(t, by_blocks, by_block, &host, faulted);
}

static void compare_rows(const uint16_t *ops, unsigned nr_ops)
{
    static struct row rows[1024];
    static uint8_t wanted[NR_OPS];
    struct test_case t;
    struct cpu *c = make_cpu(), *by_blocks = make_cpu();
    unsigned nr_rows;

    for (unsigned i = 0; i < nr_ops; i++)
        wanted[ops[i]] = 1;
    nr_rows = find_rows(wanted, rows, ARRAY_SIZE(rows));
    for (unsigned i = 0; i < NATIVE_READ_ONLY - NATIVE_DATA; i++)
        ((uint8_t *)NATIVE_DATA)[i] = one_in(4) ? 0xff : (uint8_t)random64();
    if (nr_rows < 20)
        nr_cases *= 10;
    for (unsigned i = 0; i < nr_rows * nr_cases; i++) {
        while (!make_case(rows[i % nr_rows], fs_base, GS_BASE, &t))
            ;
        compare_once(c, by_blocks, &t);
    }
    printf("%u rows, %u instructions, %u exceptions\n", nr_rows, nr_compared, nr_exceptions);
    vmm_cpu_free(by_blocks);
    vmm_cpu_free(c);
}

/* In a child: what goes wrong there is not this process's end, and a hang has one. */
static void in_child(const uint16_t *ops, unsigned nr_ops)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        alarm(TIME_LIMIT_SECONDS);
        fs_base = native_fs_base();
        native_set_gs_base(GS_BASE);
        if (!native_init()) {
            printf("the addresses of the test's pages are not free\n");
            _exit(2);
        }
        compare_rows(ops, nr_ops);
        fflush(stdout);
        _exit(nr_failed != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define GROUP(name, ...)                                                                           \
    static void name(void **state)                                                                 \
    {                                                                                              \
        static const uint16_t ops[] = { __VA_ARGS__ };                                             \
                                                                                                   \
        (void)state;                                                                               \
        in_child(ops, ARRAY_SIZE(ops));                                                            \
    }
GROUP(moves, OP_MOV, OP_MOVNTI, OP_MOVZX, OP_MOVSX, OP_MOVSXD, OP_LEA, OP_CMOVCC, OP_SETCC,
      OP_BSWAP, OP_CBW, OP_CWD, OP_XLAT, OP_LAHF, OP_SAHF, OP_CLC, OP_STC, OP_CMC, OP_CLD, OP_STD,
      OP_NOP, OP_PAUSE, OP_ENDBR64, OP_ENDBR32, OP_RDSSPD, OP_RDSSPQ, OP_CLDEMOTE, OP_PREFETCH,
      OP_PREFETCHW, OP_PREFETCHWT1, OP_PREFETCHNTA, OP_PREFETCHT0, OP_PREFETCHT1, OP_PREFETCHT2)
GROUP(arithmetic, OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_CMP, OP_TEST, OP_INC,
      OP_DEC, OP_NOT, OP_NEG, OP_ROL, OP_ROR, OP_RCL, OP_RCR, OP_SHL, OP_SHR, OP_SAR, OP_SHLD,
      OP_SHRD, OP_MUL, OP_IMUL, OP_DIV, OP_IDIV)
GROUP(bits_and_exchanges, OP_BT, OP_BTS, OP_BTR, OP_BTC, OP_BSF, OP_BSR, OP_XCHG, OP_XADD,
      OP_CMPXCHG, OP_CMPXCHG8B, OP_CMPXCHG16B)
GROUP(strings, OP_MOVS, OP_STOS, OP_LODS, OP_CMPS, OP_SCAS)
GROUP(stack, OP_PUSH, OP_POP, OP_POP_MEMORY, OP_PUSHF, OP_POPF, OP_ENTER, OP_LEAVE)
GROUP(branches, OP_JCC, OP_JMP, OP_CALL, OP_RET, OP_LOOP, OP_LOOPE, OP_LOOPNE, OP_JCXZ)
/* At CPL 3, with IOPL 0, before any operand is accessed: #GP(0). */
GROUP(privileged, OP_CLI, OP_STI, OP_HLT, OP_CLTS, OP_INVD, OP_WBINVD, OP_LGDT, OP_LIDT, OP_LLDT,
      OP_LTR, OP_LMSW, OP_INVLPG, OP_WRMSR, OP_RDMSR, OP_SYSRET, OP_SWAPGS, OP_IN, OP_OUT, OP_INS,
      OP_OUTS)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves),
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(bits_and_exchanges),
        cmocka_unit_test(strings),
        cmocka_unit_test(stack),
        cmocka_unit_test(branches),
        cmocka_unit_test(privileged),
    };
    const char *seed = getenv("VMM_SEED"), *cases = getenv("VMM_CASES");

    random_seed = seed != NULL ? strtoull(seed, NULL, 0) | 1 : 20230601;
    if (cases != NULL)
        nr_cases = (unsigned)strtoul(cases, NULL, 0);
    printf("VMM_SEED=%lu\n", random_seed);
    return cmocka_run_group_tests_name("integer instructions", tests, NULL, NULL);
}
