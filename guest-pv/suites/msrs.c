/* Suite "msrs": what a guest's kernel reads from each MSR, and what a write to it does. The
 * segment bases and EFER are in registers.c. */
#include "hypercall.h"
#include "insn.h"
#include "insn_msr.h"
#include "mm.h"
#include "start.h"

#define INTEL 1u
#define AMD   2u
#define ALL   (INTEL | AMD)
#define NONE  0u

BODY(i_vendor, "xorl %%eax, %%eax\n\t.byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n\tcpuid\n\t"
               "movl %%ebx, %%edi")

static unsigned vendor(void)
{
    EXPECT_NO_FAULT(run(i_vendor));
    return io.rdi == 0x756e6547 ? INTEL : AMD;
}

/* The vendors on whose CPUs it can be read; on others, #GP(0). */
static const struct {
    uint32_t msr;
    unsigned readable;
    uint64_t value;
} reads[] = {
    { 0x000, ALL, 0 }, { 0x001, ALL, 0 },                           /* P5_MC */
    { 0x002, NONE, 0 },
    { 0x03a, INTEL, 1 },                                            /* FEATURE_CONTROL: locked */
    { 0x048, NONE, 0 }, { 0x049, NONE, 0 },                         /* write-only; not offered */
    { 0x0c1, INTEL, 0 }, { 0x0c8, INTEL, 0 }, { 0x0c9, NONE, 0 },   /* counters */
    { 0x0ce, ALL, 0 }, { 0x0cf, NONE, 0 },                          /* PLATFORM_INFO, CORE_CAPS */
    { 0x0e7, NONE, 0 }, { 0x0e8, NONE, 0 }, { 0x0fe, NONE, 0 },     /* MPERF, APERF, MTRRcap */
    { 0x140, ALL, 0 },                                              /* MISC_FEATURES_ENABLES */
    { 0x174, NONE, 0 }, { 0x17b, ALL, 0 },                          /* SYSENTER_CS, MCG_CTL */
    { 0x186, INTEL, 0 }, { 0x189, INTEL, 0 }, { 0x18a, NONE, 0 },   /* events */
    { 0x198, INTEL, 0 }, { 0x199, INTEL, 0 }, { 0x19a, NONE, 0 },   /* PERF_STATUS, PERF_CTL */
    { 0x19c, INTEL, 0 }, { 0x1b0, NONE, 0 },                        /* THERM_STATUS */
    { 0x200, NONE, 0 }, { 0x277, ALL, 0x050100070406 },             /* MTRR, PAT */
    { 0x280, ALL, 0 }, { 0x29f, ALL, 0 }, { 0x2a0, NONE, 0 },       /* MCi_CTL2 */
    { 0x309, INTEL, 0 }, { 0x30b, INTEL, 0 }, { 0x30c, NONE, 0 },   /* fixed counters */
    { 0x345, ALL, 0 }, { 0x38d, INTEL, 0 }, { 0x390, INTEL, 0 },
    { 0x400, ALL, ~0ul }, { 0x401, ALL, 0 },                        /* MC bank 0 */
    { 0x404, ALL, ~0ul }, { 0x407, ALL, 0 },                        /* MC bank 1 */
    { 0x408, ALL, 0 }, { 0x47f, ALL, 0 }, { 0x480, NONE, 0 }, { 0x4d0, NONE, 0 },
    { 0x40000000, ALL, 0 }, { 0x40000001, NONE, 0 },
    { 0xc0000081, NONE, 0 }, { 0xc0000084, NONE, 0 },               /* STAR, SFMASK */
    { 0xc0010000, AMD, 0 }, { 0xc0010007, AMD, 0 },                 /* events, counters */
    { 0xc0010015, AMD, 0 },                                         /* HWCR */
    { 0xc001001f, ALL, 0 },                                         /* NB_CFG */
    { 0xc0010041, AMD, 0 }, { 0xc0010055, NONE, 0 }, { 0xc0010061, AMD, 0 }, { 0xc001006b, AMD, 0 },
    { 0xc0010200, AMD, 0 }, { 0xc001020b, AMD, 0 }, { 0xc001020c, NONE, 0 },
    { 0xc0011019, NONE, 0 }, { 0xc0011027, NONE, 0 },
    { 0xc0011029, AMD, 2 },                                         /* DE_CFG: LFENCE serialises */
};

static void reading(void)
{
    unsigned this = vendor();

    for (unsigned i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        uint64_t val;
        struct fault f = msr_read(reads[i].msr, &val);

        if (reads[i].readable & this)
            EXPECT_MSG(f.vector == FAULT_NONE && val == reads[i].value,
                       "MSR %#x: vector %d, %#lx", reads[i].msr, f.vector, val);
        else
            EXPECT_MSG(f.vector == TRAP_GP && f.error == 0, "MSR %#x: vector %d", reads[i].msr,
                       f.vector);
    }
}

/* The vendors on whose CPUs the write is accepted, without effect; on others, #GP(0). */
static const struct {
    uint32_t msr;
    uint64_t value;
    unsigned writable;
} writes[] = {
    { 0x000, 0, NONE }, { 0x010, 0, NONE }, { 0x01b, 0xfee00800, NONE }, { 0x03a, 1, NONE },
    { 0x08b, 0, INTEL }, { 0x08b, 1, NONE },            /* microcode: asks for its revision */
    { 0x0c1, 5, INTEL }, { 0x0ce, 0, NONE }, { 0x0e7, 5, ALL }, { 0x0e8, 5, ALL },
    { 0x140, 0, ALL }, { 0x140, 1, NONE },
    { 0x179, 5, ALL }, { 0x17b, 5, ALL },
    { 0x186, 5, INTEL }, { 0x198, 0, NONE }, { 0x199, 5, INTEL },
    { 0x19a, 5, INTEL }, { 0x19c, 0, NONE },
    { 0x1b0, 5, INTEL }, { 0x1d9, 0, NONE }, { 0x277, 0x050100070406, NONE },
    { 0x29f, 5, ALL }, { 0x309, 5, INTEL }, { 0x345, 0, NONE }, { 0x38f, 5, INTEL },
    { 0x400, 5, ALL }, { 0x401, 0, ALL }, { 0x401, 5, NONE }, { 0x402, 5, NONE },
    { 0x407, 5, NONE }, { 0x409, 5, ALL },
    { 0x4d0, 0, NONE }, { 0x40000001, 0, NONE },
    { 0xc0010000, 5, AMD }, { 0xc0010015, 5, AMD }, { 0xc001001f, 5, ALL }, { 0xc0010062, 5, AMD },
    { 0xc0010200, 5, AMD }, { 0xc0011029, 5, AMD }, { 0xc0011027, 0, NONE },
};

static void writing(void)
{
    unsigned this = vendor();

    for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        struct fault f = msr_write(writes[i].msr, writes[i].value);
        int expected = writes[i].writable & this ? FAULT_NONE : TRAP_GP;

        EXPECT_MSG(f.vector == expected, "MSR %#x, %#lx: vector %d", writes[i].msr,
                   writes[i].value, f.vector);
    }
    reading();
}

/* These keep what is written. */
static void machine_check(void)
{
    uint64_t val;
    bool intel = vendor() == INTEL;

    EXPECT_NO_FAULT(msr_read(0x179, &val));
    EXPECT_EQ(val, intel ? 0x1000c02 : 2);              /* two banks */
    EXPECT_NO_FAULT(msr_write(0x17a, 4));
    EXPECT_NO_FAULT(msr_read(0x17a, &val));
    EXPECT_EQ(val, 4);
    EXPECT_NO_FAULT(msr_write(0x17a, 0));
    EXPECT_NO_FAULT(msr_write(0x281, 5));
    EXPECT_NO_FAULT(msr_read(0x281, &val));
    EXPECT_EQ(val, intel ? 5 : 0);
    EXPECT_NO_FAULT(msr_write(0x281, 0));
}

/* The host's value without what no guest has. A write is accepted and has no effect. */
static void misc_enable(void)
{
    uint64_t before, val;

    if (msr_read(0x1a0, &before).vector != FAULT_NONE)
        SKIP("this CPU has no MISC_ENABLE");
    EXPECT_EQ(before & 0x801800, 0x801800);
    EXPECT_EQ(before & 0x40080, 0);
    EXPECT_NO_FAULT(msr_write(0x1a0, before ^ 1));
    EXPECT_NO_FAULT(msr_read(0x1a0, &val));
    EXPECT_EQ(val, before);
}

static void debugctl(void)
{
    uint64_t val;

    EXPECT_NO_FAULT(msr_read(0x1d9, &val));
    EXPECT_EQ(val, 0);
}

SUITE(msrs, 34, 0, TEST(reading), TEST(writing), TEST(machine_check), TEST(misc_enable),
      TEST(debugctl));
