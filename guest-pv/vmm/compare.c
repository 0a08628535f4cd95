/* What two ways are compared by (word of the vmm: compare=N): a hash of the guest's registers at
 * each of its exceptions, and one of its memory at every N-th and at the end. Both are printed,
 * and are the same by emulation and by translation, because the guest's clock is then a count of
 * what the guest did: 1000 ticks for each access to a port and each exception. Called by main.c;
 * report.c prints the last hashes.
 *
 * Not hashed: the FPU's registers, the segments other than CS and SS, and the segments' bases: the
 * CPU that runs the guest keeps those until the vmm needs them. Interrupts come when the vmm looks
 * at the clock, which is not at the same instruction by each way: a guest that is to be compared
 * may not use them, nor wait for the TSC without touching a port. */
#include <stdlib.h>
#include "console.h"
#include "guest-pv/vmm/platform/platform.h"
#include "guest-pv/vmm/vmm.h"
#include "start.h"

#define TICKS 1000u
#define HZ 1000000000ull
#define RAM_FRAMES (80u << 8)           /* the same by each way, and enough for the test guest */
/* CF PF ZF SF TF IF DF OF IOPL NT AC. AF is undefined after so much that CPUs differ. */
#define FLAGS 0x47fc5ull

static struct cpu *cpu;
static uint64_t every, nr, registers_hash;

static uint64_t mix(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * 0x9e3779b97f4a7c15 + (hash >> 29);
}

static uint64_t counted_tsc(void)
{
    return TICKS * (cpu->platform->reads + cpu->platform->writes + nr);
}

static uint64_t hash_of_memory(void)
{
    const uint64_t *words = (const uint64_t *)cpu->ram.bytes;
    uint64_t hash = 0;

    for (uint64_t i = 0; i < cpu->ram.nr_frames * (GUEST_PAGE / 8); i++)
        hash = mix(hash, words[i]);
    return hash;
}

void print_hashes(void)
{
    if (every != 0)
        kprintf("vmm: compare: exception %lu: registers %016lx, memory %016lx\n", nr,
                registers_hash, hash_of_memory());
}

static void on_exception(struct cpu *c)
{
    uint64_t hash = registers_hash;

    nr++;
    for (unsigned i = 0; i < REG_RIP; i++)
        hash = mix(hash, c->regs[i]);
    hash = mix(hash, c->regs[REG_RIP]);
    hash = mix(hash, c->regs[REG_RFLAGS] & FLAGS);
    hash = mix(hash, c->fault.vector | (uint64_t)c->fault.error << 8);
    hash = mix(hash, c->seg[SEG_CS].selector | c->seg[SEG_SS].selector << 16 | c->cpl << 24);
    hash = mix(mix(mix(hash, c->cr0), c->cr2), mix(c->cr3, c->cr4));
    registers_hash = hash;
    if (nr % every == 0)
        print_hashes();
}

bool comparing(void)
{
    return every != 0;
}

uint64_t compared_frames(uint64_t frames)
{
    return comparing() ? MIN(frames, RAM_FRAMES) : frames;
}

/* Without TSD guest code that runs directly would read the real clock. The hypervisor executes this
 * kernel's own RDTSC then. */
static void trap_rdtsc(void)
{
    uint64_t cr4;

    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movq %0, %%cr4" : : "r"(cr4 | CR4_TSD));
}

void compare_init(struct cpu *c)
{
    char word[16];

    if (cmdline_get("compare", word, sizeof(word)) == NULL)
        return;
    every = strtoul(word, NULL, 10);
    if (every == 0)
        every = 1;
    cpu = c;
    c->exception_raised = on_exception;
    host.tsc = counted_tsc;
    host.tsc_hz = HZ;
    trap_rdtsc();
}
