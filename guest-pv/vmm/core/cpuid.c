/* CPUID: a 64-bit CPU of no known vendor with SSE2, and nothing that would need XSAVE, an APIC,
 * PCIDs or larger pages: each bit that is not here keeps a class of instructions off the core. A
 * leaf that is not in the table is all zeroes, in either range. */
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"

/* Leaf 1, EDX and ECX; leaf 0x80000001, EDX and ECX (SDM vol. 2, CPUID; AMD's manual, vol. 3) */
enum {
    FPU = 1 << 0, DE = 1 << 2, PSE = 1 << 3, TSC = 1 << 4, MSR = 1 << 5, PAE = 1 << 6, CX8 = 1 << 8,
    PGE = 1 << 13, CMOV = 1 << 15, PAT = 1 << 16, CLFLUSH = 1 << 19, MMX = 1 << 23, FXSR = 1 << 24,
    SSE = 1 << 25, SSE2 = 1 << 26,
    FEATURES = FPU | DE | PSE | TSC | MSR | PAE | CX8 | PGE | CMOV | PAT | CLFLUSH | MMX | FXSR |
               SSE | SSE2,
    CX16 = 1 << 13,
    SYSCALL = 1 << 11, NX = 1 << 20, LM = 1 << 29,
    LAHF = 1 << 0,
};

#define FAMILY_6 0x600
#define CLFLUSH_64_BYTES (8 << 8)       /* in units of 8 bytes */
#define ADDRESS_BITS (48 << 8 | 40)     /* linear, physical */

#define FOUR(a, b, c, d)                                                                           \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* The vendor's twelve letters are in EBX, EDX, ECX; the name's 48 in EAX to EDX of three leaves. */
static const struct {
    uint32_t leaf, eax, ebx, ecx, edx;
} leaves[] = {
    { 0x00000000, 1, FOUR('P', 'a', 'r', 'a'), FOUR('u', 'e', 's', 't'), FOUR('g', 'o', 'n', 'G') },
    { 0x00000001, FAMILY_6, CLFLUSH_64_BYTES, CX16, FEATURES },
    { 0x80000000, 0x80000008, 0, 0, 0 },
    { 0x80000001, 0, 0, LAHF, SYSCALL | NX | LM },
    { 0x80000002, FOUR('P', 'a', 'r', 'a'), FOUR('g', 'o', 'n', ' '), FOUR('v', 'i', 'r', 't'),
      FOUR('u', 'a', 'l', ' ') },
    { 0x80000003, FOUR('C', 'P', 'U', 0), 0, 0, 0 },
    { 0x80000008, ADDRESS_BITS, 0, 0, 0 },
};

bool op_cpuid(struct exec *x)
{
    uint64_t *regs = x->c->regs;
    uint32_t leaf = (uint32_t)regs[RAX];

    regs[RAX] = regs[RBX] = regs[RCX] = regs[RDX] = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
        if (leaves[i].leaf == leaf) {
            regs[RAX] = leaves[i].eax;
            regs[RBX] = leaves[i].ebx;
            regs[RCX] = leaves[i].ecx;
            regs[RDX] = leaves[i].edx;
        }
    }
    return finish(x);
}
