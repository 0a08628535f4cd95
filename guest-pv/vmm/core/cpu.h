/* The CPU that a guest of the vmm sees: its architectural state, and what the core, the platform
 * and a way of running instructions keep beside it. One CPU, 64-bit code only. It is the same
 * with each way: with trap-and-emulate and translation the general registers and RFLAGS are copied
 * in when the guest stops and out when it goes on. Names and encodings: SDM vol. 3.
 *
 * C1: regs[REG_RFLAGS] holds the guest's IF and IOPL, and bit 1 set.
 * C2: cpl is CS's; tlb is that of cpl.
 * C3: fault is read only after a function has returned false.
 * C4: where a linear address leads stays the same while mapping does: it grows with every flush of
 *     the TLB, of a page too. */
#ifndef VMM_CORE_CPU_H
#define VMM_CORE_CPU_H

#include "common/x86/flags.h"
#include "common/x86/insn.h"
#include "common/x86/regs.h"
#include "guest-pv/vmm/core/fetch.h"
#include "guest-pv/vmm/core/ram.h"
#include "guest-pv/vmm/core/tlb.h"

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR4_TSD (1ull << 2)
#define CR4_DE (1ull << 3)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_PGE (1ull << 7)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

enum vector {
    VECTOR_DE = 0, VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_BP = 3, VECTOR_OF = 4, VECTOR_BR = 5,
    VECTOR_UD = 6, VECTOR_NM = 7, VECTOR_DF = 8, VECTOR_TS = 10, VECTOR_NP = 11, VECTOR_SS = 12,
    VECTOR_GP = 13, VECTOR_PF = 14, VECTOR_MF = 16, VECTOR_AC = 17, VECTOR_XM = 19,
};

/* A segment register with its hidden part. access: bits 8 to 23 of the descriptor's upper word,
 * shifted right by 8: type, S, DPL, P in bits 0 to 7; AVL, L, D/B, G in bits 12 to 15. */
struct segment {
    uint16_t selector, access;
    uint32_t limit;             /* in bytes, G taken into account */
    uint64_t base;
};
#define ACCESS_S 0x10u
#define ACCESS_DPL(access) ((access) >> 5 & 3u)
#define ACCESS_PRESENT 0x80u
#define ACCESS_L 0x2000u
#define ACCESS_DB 0x4000u
#define ACCESS_G 0x8000u

struct table_register {
    uint64_t base;
    uint16_t limit;
};

/* An exception that an instruction has raised, and that is not delivered yet. */
struct cpu_fault {
    uint8_t vector;
    bool has_error;
    uint32_t error;
    uint64_t address;           /* of #PF: what CR2 will be */
};

/* Why the guest does not go on. */
enum stop {
    STOP_NOT,
    STOP_RESET,                 /* the guest asked for it, by a port or a triple fault it meant */
    STOP_SHUTDOWN,              /* a fault while delivering a double fault */
    STOP_HALTED,                /* HLT with IF = 0: nothing can wake it */
    STOP_UNSERVED,              /* an instruction that CPUID allows and the core does not know */
};

/* What FXSAVE stores (SDM vol. 1, table 10-2), which is how the FPU's state is kept. */
struct fx_state {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16];
    uint8_t xmm[16][16];
    uint8_t rest[96];
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct fx_state) == 512, "the image of FXSAVE");

struct cpu_counters {
    uint64_t instructions;      /* executed; each step of a REP counts */
    uint64_t exceptions[32], interrupts;
    uint64_t tlb_fills, tlb_flushes;
    uint64_t generic;           /* executed by emulate() in way 1, not by a function of its own */
    uint64_t blocks, invalidations;
};

/* Way 1's arithmetic flags, as the last operation that set them left them; regs[REG_RFLAGS] has
 * them only where lazy.h says so. */
struct lazy_flags {
    int64_t zero;               /* ZF: this is 0 */
    int64_t result;             /* SF: the sign; PF: of the low byte */
    uint64_t first;             /* of a sum or difference: its first operand, for the carries */
    uint32_t kind;              /* 0: low and high hold; else bytes of operands, LAZY_DIFFERENCE */
    uint32_t low, high;         /* carries out of the bits: AF is 3 of low, CF 31 of high, and OF 31
                                 * of high exclusive or 30 */
};

struct platform;

struct cpu {
    uint64_t regs[19];          /* RAX to R15, RIP, RFLAGS, and one that is always 0 */
    struct tlb *tlb;            /* &tlbs[cpl == 3] */
    uint64_t mapping;           /* 2 * (how often a mapping may have changed) + (cpl == 3): C4 */
    struct shadows *shadows;    /* of ways 2 and 3 */
    struct translator *translator;      /* of way 3 */
    struct emulator *emulator;  /* way 1's own, with the next three, which it reaches often */
    const struct block *block;  /* that is running */
    int64_t budget;             /* instructions until way 1 polls the platform; the core takes from
                                 * it the steps of a REP behind the first */
    struct lazy_flags lazy;
    uint64_t cr0, cr2, cr3, cr4, cr8, efer;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, pat, sysenter[3];
    uint64_t dr[8];
    struct segment seg[6];      /* by SEG_*; the bases of FS and GS are the MSRs */
    struct segment ldtr, tr;
    struct table_register gdtr, idtr;
    uint8_t cpl;
    bool shadow;                /* STI or a load of SS just before: no interrupt yet */
    bool halted;
    bool bases_set;             /* FS, GS or a base of theirs was loaded: where guest code runs
                                 * directly, the CPU's bases are to be those in seg[] again */
    bool gigabyte_pages;        /* PS in a level 3 entry is a page of 1 GiB: where the guest sees
                                 * the real CPUID */
    struct cpu_fault fault;
    enum stop stop;
    char reason[120];           /* of stop, for people */
    struct fx_state fx;
    /* Where guest code runs directly: brings the CPU's registers into fx, for the core. */
    void (*load_fx)(struct cpu *c);
    struct ram ram;
    struct platform *platform;
    /* Called before a write to a frame whose flags in ram.flags are not 0. The bytes do not cross
     * its end. */
    void (*frame_written)(struct cpu *c, uint64_t phys, unsigned bytes);
    /* NULL, or called before c->fault is delivered. */
    void (*exception_raised)(struct cpu *c);
    struct cpu_counters counters;
    struct tlb tlbs[2];         /* supervisor, user */
    struct flagged_page flagged[FLAGGED_PAGES];
    struct fetched fetched;
};

/* For common/x86: the words stand in the order of the registers' numbers. */
extern const uint8_t cpu_register_places[18];
static inline struct x86_regs cpu_regs(struct cpu *c)
{
    return (struct x86_regs){ c->regs, cpu_register_places };
}

/* The state after power-on, as far as 64-bit code can have it: the loader sets the rest (SDM vol.
 * 3, table 9-1). Memory, platform and hooks are the caller's and stay as they are. */
void cpu_reset(struct cpu *c);

/* Each returns false, so that a caller can say `return raise_gp(c, 0)`. */
bool raise_fault(struct cpu *c, enum vector vector);                    /* without error code */
bool raise_error(struct cpu *c, enum vector vector, uint32_t error);
static inline bool raise_gp(struct cpu *c, uint32_t error)
{
    return raise_error(c, VECTOR_GP, error);
}
static inline bool raise_ud(struct cpu *c)
{
    return raise_fault(c, VECTOR_UD);
}

/* Ends the guest; the first reason is kept. Returns false. */
bool cpu_stop(struct cpu *c, enum stop stop, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* CPL, and the TLB with it (C2). */
void set_cpl(struct cpu *c, unsigned cpl);

#endif
