/* The fake machine as tests see it: settings, counts of what the hypervisor did to the machine, and
 * functions to start it, run vCPUs, access guest memory, and audit the TLB. */
#ifndef HOST_H
#define HOST_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"

/* RAM consists of chunks of CHUNK_FRAMES frames. In frame numbers, each is followed by a gap of the
 * same size that is not RAM; in the hypervisor's mapping the chunks are in another order. So
 * address arithmetic that does not use mfn_to_virt reaches a guard page or a wrong frame. */
#define CHUNK_ORDER 8u
#define CHUNK_FRAMES (1u << CHUNK_ORDER)
#define MAX_CHUNKS 64u
#define HIGH_BASE 0x100400u     /* machine addresses beyond 4 GiB */
#define LOW_BASE 0x200u         /* a small frame table: audits are quick */

/* Ends the test: the hypervisor did what would crash a real CPU, or what a guest could exploit. */
#define HOST_CHECK(cond, ...)                                                   \
    do {                                                                        \
        if (!(cond)) {                                                          \
            fprintf(stderr, "fake machine: %s: ", #cond);                       \
            fprintf(stderr, __VA_ARGS__);                                       \
            fputc('\n', stderr);                                                \
            abort();                                                            \
        }                                                                       \
    } while (0)

/* A PCI function that the test has made: config as the hypervisor reads it. */
struct host_pci {
    struct host_pci *next;
    uint16_t address;
    uint32_t config[64], writable[64];
    uint64_t memory_at, memory_bytes;   /* what its BARs show */
    uint8_t *memory;
    unsigned busy;              /* so often it does not confirm a reset; ~0u: never */
};

/* A pin of the fake interrupt controller; the test raises its level by device_interrupt(vector). */
#define HOST_PINS 24u
struct host_pin {
    uint8_t vector;
    bool masked;
};

struct host_machine {
    /* Set by the test. */
    bool hostile_memory;        /* a guest word changes right after it was read */
    bool deny_xsave, deny_fsgsbase;
    /* arch_switch returns at once, as if on the stack of the vCPU that is current then: for tests
     * that choose themselves what a vCPU does, and run no code of it. */
    bool no_stacks;
    bool early_db;              /* the result of arch_db_is_early() */
    unsigned cpu_id;
    uint64_t tsc_step;          /* ticks that pass at each reading of the clock */
    /* Ticks that pass at each interrupt window; many: slices end there. */
    uint64_t window_ticks;
    void (*program)(struct vcpu *v);    /* of new vCPUs; NULL: host_idle_guest */
    void (*on_window)(void);    /* called in each interrupt window; NULL: none */
    void (*on_cmpxchg)(uint64_t *p);    /* called before each arch_cmpxchg64; NULL: none */
    void (*on_ipi)(unsigned cpu);   /* called by arch_send_ipi; NULL: the CPU does not answer */
    int (*getc)(void);          /* console input; NULL: none */
    bool echo;                  /* console output also to stderr */
    void (*on_send)(void);      /* called at each arch_console_write; NULL: none */
    /* Called on CPU 0 between turns of host_interleave (not of threads); NULL: none. */
    void (*on_turn)(void);
    struct host_pci *pci;       /* NULL: there is none */
    bool no_pins;               /* there is no interrupt controller with pins */
    bool stuck;                 /* the transmitter accepts nothing more */
    uint64_t byte_ticks;        /* time that the transmitter needs to send a byte */
    uint64_t port_ticks;        /* time that the CPU needs to write a byte to the port */
    uint64_t random;            /* state of host_random() */

    /* What the hypervisor did. */
    uint64_t full_flushes, page_flushes, root_loads, timer_programs, switches, windows, gs_swaps;
    uint64_t ipis;
    struct host_pin pin[HOST_PINS];
    bool reaps;                 /* domain_reap() is under way */
    uint64_t tsc, deadline;     /* deadline 0: the timer is off */
    uint64_t cr3;               /* machine address of the loaded L4; 0: the hypervisor's own */
    uint64_t cr4;
    bool ts;
    uint64_t sending_until;     /* tsc until which the console's transmitter is busy */
    char console[1 << 16];      /* the last bytes written; NUL-terminated */
    size_t console_len;
    uint8_t sink[1 << 16];      /* the first bytes sent to the trace's port */
    size_t sink_len;
};
extern HOST_TLS struct host_machine host;

/* The ways in which the machine can end. While a test expects an end, panic, halt and power-off
 * jump to host_end_jmp. */
enum host_end { END_NONE, END_HALT, END_POWEROFF, END_REBOOT };
extern jmp_buf host_end_jmp;
extern bool host_end_expected;
/* Returns 0 at the call, and an enum host_end when the machine has ended. */
#define HOST_CATCH_END() (host_end_expected = true, setjmp(host_end_jmp))

/* The fake CPU's state of a vCPU, vcpu.arch. program runs on the vCPU's own stack, from its first
 * switch on. */
struct host_vcpu {
    struct cpu_user_regs regs;
    void (*program)(struct vcpu *v);
    struct fiber *fiber;
    mfn_t gdt[14], ldt[16];
    unsigned nr_gdt;
    uint64_t loaded_ldt_ents;
    char fpu_image[512];        /* of arch_load_fpu_image; zeros: not called */
    void *token;                /* as many frames as a real vCPU's stack needs */
};

static inline struct host_vcpu *host_vcpu(const struct vcpu *v)
{
    return v->arch;
}

/* A machine with nr_chunks of RAM from frame base on, a clock at 1, and the hypervisor's subsystems
 * initialised. The caller's stack becomes that of the idle vCPU. host_stop frees it all. */
void host_start(mfn_t base, unsigned nr_chunks, uint64_t seed);
void host_stop(void);
void host_ram_init(mfn_t base, unsigned nr_chunks);
void host_ram_free(void);
mfn_t host_first_mfn(void);             /* of the RAM */
uint64_t host_random(void);

/* v becomes the current vCPU, on the caller's stack: hypercalls are v's from now on. If one blocks,
 * other vCPUs run, and the clock advances, until v is woken. */
void host_become(struct vcpu *v);
/* Called as the idle vCPU: runs other vCPUs, and advances the clock from deadline to deadline,
 * until no vCPU is runnable and no deadline is set (true), or until limit_ns have passed
 * (false). */
bool host_run(uint64_t limit_ns);
void host_advance(uint64_t ns);     /* advances the clock; the timer interrupt fires if it is due */
void fiber_free(struct vcpu *v);
void host_fiber_make(struct vcpu *v);
void host_fiber_ready(struct vcpu *v);
bool host_on_stack(const void *p);      /* that runs now */
void host_fiber_switch(struct vcpu *from, struct vcpu *to);
void host_idle_guest(struct vcpu *v);   /* the program of a vCPU that was given none */

/* Several CPUs, in one thread (cpus.c) or each one a thread (threads.c). */
#define HOST_CPUS 8u
extern HOST_TLS unsigned host_cpu;      /* the one that runs */
extern unsigned host_nr_cpus;
extern uint64_t host_steps, host_cpu_switches;
void host_add_cpus(unsigned nr);        /* so many altogether */
void host_remove_cpus(void);
struct vcpu *host_current_of(unsigned cpu);     /* NULL: none yet */
void host_step(void);
void host_take_interrupts(void);
void host_cpu_program(unsigned cpu, struct vcpu *v, void (*program)(struct vcpu *));
_Noreturn void host_program_over(void);
/* CPU 0, which calls it, waits until the programs of the others have ended. In one thread they take
 * turns, after so many steps on average; the seed says which. */
void host_interleave(uint64_t seed, unsigned steps);
void host_program_ended(unsigned cpu);  /* its vCPU is CPU 0's again, and blocked */
void host_set_current_of(unsigned cpu, struct vcpu *v);
void host_take_turns(uint64_t seed, unsigned steps);
void host_turns_end(void);

/* CPUs that schedule, nr altogether, in one thread; they take turns as above, until host_cpus_end,
 * when all must be idle. CPU 0 is the caller's, and runs others in host_run. */
void host_cpus_schedule(unsigned nr, uint64_t seed, unsigned steps);
bool host_cpus_schedule_now(void);
void host_cpus_end(void);
/* The CPU halts until an interrupt, its timer's deadline, or until the clock says so (0: no end).
 * False, on CPU 0: all have halted, and nothing will wake one. */
bool host_halt(uint64_t until);
void host_check_all_idle(void);         /* then */
void host_guest_waits(void);            /* a guest's vCPU does nothing; others may go on */
void host_run_timer(void);              /* the timer interrupt, if it is due */
extern bool host_held;  /* the CPU that runs goes on without a change, and takes no interrupts */
/* Accesses of the hypervisor are points at which another CPU may go on, from here on until the end;
 * wait: stores wait in buffers of their CPU (tests/interleave/accesses.c). NULL in programs that
 * are not compiled for it. */
void accesses_begin(uint64_t seed, bool wait) __attribute__((weak));
void accesses_end(void) __attribute__((weak));

/* A guest instruction of the current vCPU that reads or writes memory, through its page tables and
 * the TLB, which may hold a stale translation. False: #PF. */
bool host_guest_read(void *dst, uint64_t va, size_t len);
bool host_guest_write(uint64_t va, const void *src, size_t len);

/* The TLB (level 0) and the paging-structure caches (tlb.c). host_tlb_find: NULL if the address is
 * not cached there. host_tlb_fault drops the entries for va, as a CPU does at a page fault. */
struct host_translation {
    uint64_t generation;
    uint64_t prefix;            /* the address bits that select the entry, + 1 */
    mfn_t mfn;
    /* All entries of the walk have RW; at level 0, the last is also dirty. */
    bool writable;
    bool global;                /* at level 0: stays when CR3 is loaded */
    struct domain *owner;       /* of the frame, at the time of the walk */
};
void host_tlb_start(void);
void host_tlb_select(unsigned cpu);
void host_load_root(struct vcpu *v);
void host_tlb_speculate(uint64_t random);
void host_walk_again(uint64_t va);
const struct host_translation *host_tlb_find(unsigned level, uint64_t va);
void host_tlb_add(unsigned level, uint64_t va, mfn_t mfn, bool writable, bool global);
void host_tlb_set(unsigned level, uint64_t va, const struct host_translation *t);
void host_tlb_fault(uint64_t va);
void host_tlb_forget(void);
bool host_walkable(mfn_t mfn, unsigned level, bool writable);
/* Checks invariant F8 by the content of the caches. No cached translation leads, writable, to a
 * page table or a descriptor page, nor to a frame that has another owner by now. No entry of the
 * paging-structure caches points to a frame that is not a table of that level. And every L4 in use
 * has the hypervisor's entries. */
void host_audit(void);
void host_tlb_audit(void);          /* only the caches, which is quick */

/* For tests of failing allocations: allocates all but free_frames frames, until host_free_taken. */
void host_leave_free(uint64_t free_frames);
void host_free_taken(void);

#endif
