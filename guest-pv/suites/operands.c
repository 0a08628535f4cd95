/* Suite "operands": memory operands at addresses that are not canonical, in user mode: an access
 * through RSP or RBP, explicit or implied, raises #SS, every other access #GP, and instructions
 * that compute an address without an access raise none; and far pointers in memory. Other
 * exceptions are in traps.c and entries.c. */
#include <string.h>
#include "hypercall.h"
#include "mm.h"
#include "suite.h"
#include "user.h"

#define CODE_VA     ((void *)0x12400000)
#define BAD         0x4000000000001000ul    /* bits 63 to 47 differ, also in twice the value */
#define LAST        0x7ffffffffffful                /* the last byte below the gap */

#define B(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })
static const struct form {
    const char *name;
    uint8_t insn[12];
    unsigned length;
    int vector;
} forms[] = {
#define SS(name, ...) { name, B(__VA_ARGS__), TRAP_SS }
#define GP(name, ...) { name, B(__VA_ARGS__), TRAP_GP }
#define NO(name, ...) { name, B(__VA_ARGS__), TRAP_UD }     /* the ud2 after it is reached */
    SS("mov (%rsp),%rbx", 0x48, 0x8b, 0x1c, 0x24), SS("mov (%rbp),%rbx", 0x48, 0x8b, 0x5d, 0x00),
    GP("mov (%rax),%rbx", 0x48, 0x8b, 0x18), GP("mov (%r12),%rbx", 0x49, 0x8b, 0x1c, 0x24),
    GP("mov 0(%r13),%rbx", 0x49, 0x8b, 0x5d, 0x00), SS("mov %rbx,(%rsp)", 0x48, 0x89, 0x1c, 0x24),
    SS("mov %rbx,8(%rbp)", 0x48, 0x89, 0x5d, 0x08),
    SS("mov %bl,0x100(%rsp)", 0x88, 0x9c, 0x24, 0, 1, 0, 0),
    SS("mov (%rsp,%rcx,8),%ebx", 0x8b, 0x1c, 0xcc),
    SS("mov (%rbp,%rcx),%ebx", 0x8b, 0x5c, 0x0d, 0x00),
    GP("mov (%rax,%rbp),%ebx", 0x8b, 0x1c, 0x28),
    GP("mov 0(,%rbp,1),%ebx", 0x8b, 0x1c, 0x2d, 0, 0, 0, 0),
    SS("mov (%rsp,%rcx),%ebx", 0x8b, 0x1c, 0x0c), SS("ds mov (%rsp)", 0x3e, 0x8b, 0x1c, 0x24),
    SS("ss mov (%rbp)", 0x36, 0x8b, 0x5d, 0x00), GP("ss mov (%rax)", 0x36, 0x8b, 0x18),
    GP("fs mov (%rsp)", 0x64, 0x8b, 0x1c, 0x24), GP("gs mov (%rbp)", 0x65, 0x8b, 0x5d, 0x00),
    SS("mov 8(%rsp),%rbx", 0x48, 0x8b, 0x5c, 0x24, 0x08),
    GP("movabs (moffs)", 0x48, 0xa1, 0, 0, 0, 0, 0, 0, 0, 0x80),
    SS("movzbl (%rsp)", 0x0f, 0xb6, 0x1c, 0x24), SS("movslq (%rbp)", 0x48, 0x63, 0x5d, 0x00),
    SS("cmp $1,(%rsp)", 0x48, 0x83, 0x3c, 0x24, 0x01),
    SS("testb $1,(%rbp)", 0xf6, 0x45, 0x00, 0x01),
    SS("add %rbx,(%rsp)", 0x48, 0x01, 0x1c, 0x24),
    SS("lock xadd (%rbp)", 0xf0, 0x48, 0x0f, 0xc1, 0x5d, 0x00),
    SS("xchg (%rsp)", 0x48, 0x87, 0x1c, 0x24),
    SS("lock cmpxchg (%rsp)", 0xf0, 0x48, 0x0f, 0xb1, 0x1c, 0x24),
    SS("incl (%rbp)", 0xff, 0x45, 0x00), SS("notb (%rsp)", 0xf6, 0x14, 0x24),
    SS("shll $2,(%rbp)", 0xc1, 0x65, 0x00, 2),
    SS("shld (%rsp)", 0x48, 0x0f, 0xa4, 0x1c, 0x24, 3),
    SS("bt $1,(%rsp)", 0x48, 0x0f, 0xba, 0x24, 0x24, 0x01),
    SS("bts %rbx,(%rbp)", 0x48, 0x0f, 0xab, 0x5d, 0x00),
    SS("bsf (%rsp)", 0x48, 0x0f, 0xbc, 0x1c, 0x24),
    SS("imul (%rbp)", 0x48, 0x0f, 0xaf, 0x5d, 0x00),
    SS("imul $3,(%rsp)", 0x48, 0x6b, 0x1c, 0x24, 0x03),
    SS("divl (%rsp)", 0xf7, 0x34, 0x24), SS("cmovz (%rbp)", 0x48, 0x0f, 0x44, 0x5d, 0x00),
    SS("setz (%rsp)", 0x0f, 0x94, 0x04, 0x24), SS("movnti (%rbp)", 0x0f, 0xc3, 0x5d, 0x00),
    SS("cmpxchg8b (%rsp)", 0x0f, 0xc7, 0x0c, 0x24), SS("mov %ds,(%rsp)", 0x8c, 0x1c, 0x24),
    SS("mov (%rbp),%es", 0x8e, 0x45, 0x00), SS("lar (%rsp)", 0x0f, 0x02, 0x1c, 0x24),
    SS("movaps (%rbp)", 0x0f, 0x28, 0x45, 0x00), SS("movdqu (%rsp)", 0xf3, 0x0f, 0x6f, 0x04, 0x24),
    SS("movq %mm0,(%rsp)", 0x0f, 0x7f, 0x04, 0x24),
    SS("cvtsi2sd (%rbp)", 0xf2, 0x48, 0x0f, 0x2a, 0x45, 0x00),
    SS("pshufd (%rsp)", 0x66, 0x0f, 0x70, 0x04, 0x24, 0x1b), SS("fldl (%rsp)", 0xdd, 0x04, 0x24),
    SS("fstpt (%rbp)", 0xdb, 0x7d, 0x00), SS("fldcw (%rsp)", 0xd9, 0x2c, 0x24),
    SS("ldmxcsr (%rsp)", 0x0f, 0xae, 0x14, 0x24),
    SS("fxsave (%rsp)", 0x0f, 0xae, 0x04, 0x24), GP("movaps (%rax)", 0x0f, 0x28, 0x00),
    GP("fldl (%rax)", 0xdd, 0x00),
    SS("push %rbx", 0x53), SS("push $1", 0x6a, 0x01), SS("push $imm", 0x68, 1, 2, 3, 4),
    SS("pushw %bx", 0x66, 0x53),
    SS("pushf", 0x9c), SS("push %fs", 0x0f, 0xa0), SS("push (%rsp)", 0xff, 0x34, 0x24),
    GP("push (%rax)", 0xff, 0x30),
    SS("pop %rbx", 0x5b), SS("popf", 0x9d), SS("pop %gs", 0x0f, 0xa9),
    SS("pop (%rsp)", 0x8f, 0x04, 0x24),
    SS("ret", 0xc3), SS("ret $8", 0xc2, 8, 0), SS("lretq", 0x48, 0xcb), SS("iretq", 0x48, 0xcf),
    SS("call", 0xe8, 0, 0, 0, 0), SS("call *%rcx", 0xff, 0xd1),
    SS("call *(%rsp)", 0xff, 0x14, 0x24),
    GP("call *(%rax)", 0xff, 0x10), SS("jmp *(%rbp)", 0xff, 0x65, 0x00),
    GP("jmp *(%rax)", 0xff, 0x20),
    SS("lcall *(%rsp)", 0xff, 0x1c, 0x24), SS("ljmp *(%rbp)", 0xff, 0x6d, 0x00),
    GP("ljmp *(%rax)", 0xff, 0x28),
    SS("enter", 0xc8, 16, 0, 0), SS("leave", 0xc9),
    GP("lods", 0x48, 0xad), GP("stos", 0x48, 0xab), GP("movs", 0xa4), GP("cmps", 0xa6),
    GP("scas", 0xae),
    GP("rep movs", 0xf3, 0x48, 0xa5), GP("xlat", 0xd7),
    GP("ss lods", 0x36, 0xad),
    NO("lea (%rsp)", 0x48, 0x8d, 0x1c, 0x24), NO("nopl (%rsp)", 0x0f, 0x1f, 0x04, 0x24),
    NO("prefetcht0 (%rbp)", 0x0f, 0x18, 0x4d, 0x00), NO("endbr", 0xf3, 0x0f, 0x1e, 0xfa),
    GP("lgdt (%rsp)", 0x0f, 0x01, 0x14, 0x24), GP("lidt (%rbp)", 0x0f, 0x01, 0x5d, 0x00),
    GP("lldt (%rsp)", 0x0f, 0x00, 0x14, 0x24), GP("ltr (%rbp)", 0x0f, 0x00, 0x5d, 0x00),
    GP("invlpg (%rsp)", 0x0f, 0x01, 0x3c, 0x24), GP("lmsw (%rbp)", 0x0f, 0x01, 0x75, 0x00),
    GP("hlt", 0xf4), GP("in", 0xec), GP("cli", 0xfa), GP("wrmsr", 0x0f, 0x30),
    GP("mov %cr3,%rax", 0x0f, 0x20, 0xd8),
};

static uint8_t *code;

static void code_begin(pfn_t *pfn)
{
    *pfn = frame_alloc();
    code = p2v(*pfn);
    ASSERT_EQ(map_user(CODE_VA, make_pte(pfn_to_mfn(*pfn), PTE_P | PTE_US | PTE_A)), 0);
}

static void code_end(pfn_t pfn)
{
    EXPECT_EQ(unmap_page(CODE_VA), 0);
    flush_local();
    frame_free(pfn);
}

static struct fault execute(const struct form *f, struct regs *r)
{
    memcpy(code, f->insn, f->length);
    memcpy(code + f->length, "\x0f\x0b", 2);
    r->rip = (uint64_t)CODE_VA;
    return user_run_regs(r).fault;
}

/* Every register that an address can use holds an address that is not canonical. */
static void not_canonical(void)
{
    pfn_t pfn;
    struct regs r;

    code_begin(&pfn);
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const struct form *form = &forms[i];
        struct fault f;

        user_init_regs(&r, CODE_VA, BAD, BAD, 0);
        r.rax = r.rbx = r.rbp = r.rsp = r.r12 = r.r13 = BAD;
        r.rcx = 0x200;
        f = execute(form, &r);
        EXPECT_MSG(f.vector == form->vector && f.error == 0, "%s: vector %d error %#x",
                   form->name, f.vector, f.error);
        EXPECT_MSG(f.rip == (uint64_t)CODE_VA + (f.vector == TRAP_UD ? form->length : 0) &&
                   f.rsp == BAD, "%s: rip %#lx rsp %#lx", form->name, f.rip, f.rsp);
    }
    code_end(pfn);
}

/* Operands that begin in the last page below the gap and reach into it, and some that end just
 * before it. */
static void across_the_edge(void)
{
    static const struct form load = SS("mov (%rsp),%rbx", 0x48, 0x8b, 0x1c, 0x24);
    static const struct form other = GP("mov (%rax)", 0x48, 0x8b, 0x18);
    static const struct form byte = SS("mov (%rsp),%bl", 0x8a, 0x1c, 0x24);
    static const struct form push = SS("push %rbx", 0x53), pop = SS("pop %rbx", 0x5b);
    volatile uint64_t *last = (void *)(LAST - 0xfff);
    pfn_t pfn, page = frame_alloc();
    struct regs r;

    code_begin(&pfn);
    ASSERT_EQ(map_user(last, make_pte(pfn_to_mfn(page), PTE_USER | PTE_NX)), 0);
    user_init_regs(&r, CODE_VA, 0, 0, 0);
    r.rax = r.rsp = LAST - 3;
    EXPECT_FAULT(execute(&load, &r), TRAP_SS, 0);
    EXPECT_FAULT(execute(&pop, &r), TRAP_SS, 0);
    EXPECT_FAULT(execute(&other, &r), TRAP_GP, 0);
    r.rsp = LAST - 7;
    EXPECT_FAULT(execute(&load, &r), TRAP_UD, 0);
    EXPECT_FAULT(execute(&pop, &r), TRAP_UD, 0);
    r.rsp = LAST;
    EXPECT_FAULT(execute(&byte, &r), TRAP_UD, 0);
    r.rsp = LAST + 1;                                       /* push writes below it */
    EXPECT_FAULT(execute(&push, &r), TRAP_UD, 0);
    EXPECT_FAULT(execute(&byte, &r), TRAP_SS, 0);
    code_end(pfn);
    EXPECT_EQ(unmap_page(last), 0);
    flush_local();
    frame_free(page);
}

static bool is_amd(void)
{
    uint32_t a = 0, b, c, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return b == 0x68747541 || b == 0x6f677948;              /* "Auth", "Hygo" */
}

/* A far pointer with a selector of an LDT that does not exist: the fault's error code is the
 * selector. With REX.W, AMD's CPUs read the selector at the offset where it is without REX.W. */
static void far_pointers(void)
{
    static const struct form far[] = {
        GP("lcall m16:32", 0xff, 0x18), GP("ljmp m16:32", 0xff, 0x28),
        GP("lcall m16:64", 0x48, 0xff, 0x18), GP("ljmp m16:64", 0x48, 0xff, 0x28),
    };
    pfn_t pfn;
    struct regs r;

    ASSERT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    code_begin(&pfn);
    for (unsigned i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        uint16_t *pointer = memset(code + 0x800, 0, 16);

        pointer[i < 2 || is_amd() ? 2 : 4] = 0x0f;
        user_init_regs(&r, CODE_VA, 0, 0, 0);
        r.rax = (uint64_t)CODE_VA + 0x800;
        EXPECT_FAULT(execute(&far[i], &r), TRAP_GP, 0x0c);
        pointer[2] = pointer[4] = 0;
        EXPECT_FAULT(execute(&far[i], &r), TRAP_GP, 0);
    }
    code_end(pfn);
}

SUITE(operands, 33, 0, TEST(not_canonical), TEST(across_the_edge), TEST(far_pointers));
