/* The second file of suite "segments": the bases of FS and GS, and code segments. */
#include "clock.h"
#include "gdt.h"
#include "segments.h"
#include "thread.h"
#include "user.h"

static USER_DATA uint64_t words[4] = { 0x1111, 0x2222, 0x3333, 0x4444 };

/* --- The bases of FS and GS ------------------------------------------------------------------- */

USER_ASM void user_gs(void) { __asm__("movq %gs:(%rdi), %rax\n\tret"); }
USER_ASM void user_fs(void) { __asm__("movq %fs:(%rdi), %rax\n\tret"); }

static void segment_bases(void)
{
    uint64_t base = (uint64_t)USER_PTR(words[0]);

    EXPECT_EQ(xen_set_segment_base(SEGBASE_FS, base), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, base + 8), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, base + 16), 0);
    EXPECT_EQ(read_fs(0), 0x1111);
    EXPECT_EQ(read_gs(0), 0x2222);
    EXPECT_EQ(user_run(user_gs, 0, 0, 0).code, 0x3333);
    EXPECT_EQ(user_run(user_fs, 0, 0, 0).code, 0x1111);
    EXPECT_EQ(user_run(user_gs, 8, 0, 0).code, 0x4444);
    EXPECT_EQ(read_gs(8), 0x3333);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_FS, 0x800000000000), -XEN_EINVAL);    /* not canonical */
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, 0xffff7fffffffffff), -XEN_EINVAL);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, 1ul << 63), -XEN_EINVAL);
    EXPECT_EQ(xen_set_segment_base(4, 0), -XEN_EINVAL);
    EXPECT_EQ(read_fs(0), 0x1111);
    EXPECT_EQ(read_gs(0), 0x2222);
    thread_sleep(2 * NS_PER_MS);                        /* another domain may run meanwhile */
    EXPECT_EQ(read_fs(8), 0x2222);
    EXPECT_EQ(read_gs(8), 0x3333);
    EXPECT_EQ(user_run(user_gs, 0, 0, 0).code, 0x3333);
    bases_reset();
}

/* SEGBASE_GS_USER_SEL: user mode's GS base is that of the descriptor. An invalid selector loads
 * null, and that is no error. */
static void gs_by_selector(void)
{
    uint64_t base = (uint64_t)USER_PTR(words[0]);

    gdt_begin();
    EXPECT_EQ(gdt_set(7, D_DATA | D_BIG | D_BASE(base + 24)), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, base + 8), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, SEL(7)), 0);
    EXPECT_EQ(user_run(user_gs, 0, 0, 0).code, 0x4444);
    EXPECT_EQ(read_gs(0), 0x2222);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, SEL(100)), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 0xffff), 0);
    EXPECT_EQ(user_run(user_gs, base, 0, 0).code, 0x1111);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    EXPECT_EQ(read_gs(0), 0x2222);
    bases_reset();
    gdt_end();
}

/* --- Code segments ---------------------------------------------------------------------------- */

USER_ASM void user_cs(void) { __asm__("movl %cs, %eax\n\tret"); }

/* 0x40 is a prefix of ud2 in 64-bit mode, and an instruction before it in 32-bit mode. */
USER_ASM void user_bits(void) { __asm__(".byte 0x40, 0x0f, 0x0b"); }

static struct user_result run_at(void (*fn)(void), uint16_t cs)
{
    struct regs r;

    user_init_regs(&r, fn, 0, 0, 0);
    r.cs = cs;
    return user_run_regs(&r);
}

static void code_segments(void)
{
    struct user_result res;

    gdt_begin();
    EXPECT_EQ(gdt_set(8, (D_CODE | D_LONG) & ~D_DPL3), 0);
    EXPECT_EQ(gdt_set(9, (D_CODE | D_LONG) & ~D_P), 0);
    res = run_at(user_cs, SEL(8));
    EXPECT(res.exited);
    EXPECT_EQ(res.code, SEL(8));
    EXPECT_EQ(run_at(user_bits, FLAT_USER_CS64).fault.rip, (uint64_t)user_bits);
    EXPECT_FAULT(run_at(user_bits, FLAT_USER_CS64).fault, TRAP_UD, 0);
    res = run_at(user_bits, FLAT_RING3_CS32);
    EXPECT_FAULT(res.fault, TRAP_UD, 0);
    EXPECT_EQ(res.fault.rip, (uint64_t)user_bits + 1);
    gdt_end();
}

SUITE_PART(segments, 30, 1, TEST(segment_bases), TEST(gs_by_selector), TEST(code_segments));
