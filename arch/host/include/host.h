/* The knobs and dials of the fake machine: what a test may set, and the log of what the hypervisor did
 * to it. */
#ifndef HOST_H
#define HOST_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"

/* RAM comes in chunks of CHUNK_FRAMES. In frame numbers there is a gap of no RAM behind each of them, and in
 * our own mapping they lie in another order: arithmetic that goes around mfn_to_virt lands in a guard or in a
 * wrong frame. */
#define CHUNK_ORDER 8u
#define CHUNK_FRAMES (1u << CHUNK_ORDER)
#define MAX_CHUNKS 64u
#define HIGH_BASE 0x100400u     /* machine addresses beyond 4 GiB */
#define LOW_BASE 0x200u         /* a small frame table: audits are quick */

/* What no real CPU would get over, or what a guest would use at once: the end of the test. */
#define HOST_CHECK(cond, ...)                                                   \
    do {                                                                        \
        if (!(cond)) {                                                          \
            fprintf(stderr, "fake machine: %s: ", #cond);                       \
            fprintf(stderr, __VA_ARGS__);                                       \
            fputc('\n', stderr);                                                \
            abort();                                                            \
        }                                                                       \
    } while (0)

struct host_machine {
    /* Set by the test. */
    bool hostile_memory;        /* a guest word changes right after it was read */
    bool deny_xsave, deny_fsgsbase;
    bool early_db;              /* the answer of arch_db_is_early() */
    unsigned cpu_id;
    uint64_t tsc_step;          /* ticks that pass at each reading of the clock, */
    uint64_t window_ticks;      /* and at each interrupt window: long ones preempt whatever is preemptible */
    void (*on_window)(void);    /* called in each interrupt window; NULL: none */
    int (*getc)(void);          /* NULL: no input */
    bool echo;                  /* console to stderr as well */
    void (*on_send)(void);      /* called whenever the console's transmitter is asked to take something; NULL: none */
    bool stuck;                 /* the console's reader has stopped: the transmitter takes nothing more */
    uint64_t byte_ticks;        /* that it takes for a byte, */
    uint64_t port_ticks;        /* and that we take to give it one: ports are slow, of virtual machines above all */
    uint64_t random;            /* state of host_random() */

    /* The effect log. */
    uint64_t full_flushes, page_flushes, root_loads, timer_programs, switches, windows, gs_swaps;
    uint64_t tsc, deadline;     /* deadline 0: the timer is off */
    uint64_t cr3;               /* machine address of the root in use; 0: the hypervisor's own */
    uint64_t cr4;
    bool ts;
    uint64_t sending_until;     /* tsc: the console's transmitter is busy */
    char console[1 << 16];      /* the last bytes written; NUL-terminated */
    size_t console_len;
    uint8_t sink[1 << 16];      /* the first bytes sent to the trace's port */
    size_t sink_len;
};
extern struct host_machine host;

/* One end of the machine: the jump buffer that panics, halts and power-off take while a test expects them. */
enum host_end { END_NONE, END_HALT, END_POWEROFF, END_REBOOT };
extern jmp_buf host_end_jmp;
extern bool host_end_expected;
/* 0 the first time, the reason of the end when it came. */
#define HOST_CATCH_END() (host_end_expected = true, setjmp(host_end_jmp))

/* What the CPU keeps for a vCPU beyond struct vcpu. program runs on the vCPU's own stack at its
 * first entry. */
struct host_vcpu {
    struct cpu_user_regs regs;
    void (*program)(struct vcpu *v);
    struct fiber *fiber;
    mfn_t gdt[14], ldt[16];
    unsigned nr_gdt;
    uint64_t loaded_ldt_ents;
    char fpu_image[512];        /* what it was to start with; zeros: nothing */
    void *token;                /* the frames that a real stack would take */
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

/* The caller's stack goes on as that of v: hypercalls made from here on are v's. If one blocks, the other
 * vCPUs run, and the clock is turned, until v is woken. */
void host_become(struct vcpu *v);
/* As idle: runs everything there is to run, turning the clock from deadline to deadline, until nothing is
 * runnable and no deadline is left, or until limit_ns have passed. False: the limit. */
bool host_run(uint64_t limit_ns);
void host_advance(uint64_t ns);     /* turns the clock and takes the timer interrupt if it is due */
void fiber_free(struct vcpu *v);

/* A guest instruction that reads or writes memory of the current vCPU, through its tables and the TLB. False:
 * #PF. The write goes through whatever translation the TLB still holds. */
bool host_guest_read(void *dst, uint64_t va, size_t len);
bool host_guest_write(uint64_t va, const void *src, size_t len);

/* What the CPU remembers of its walks (tlb.c): the frame of a page at level 0, the table of that level above. NULL: nothing.
 * host_tlb_fault is what it forgets at a page fault. */
struct host_translation {
    uint64_t generation;
    uint64_t prefix;            /* what of the address leads there, + 1 */
    mfn_t mfn;
    bool writable;              /* all entries on the way are, and at level 0 the last is dirty */
    struct domain *owner;       /* of the frame, when it was found */
};
const struct host_translation *host_tlb_find(unsigned level, uint64_t va);
void host_tlb_add(unsigned level, uint64_t va, mfn_t mfn, bool writable);
void host_tlb_set(unsigned level, uint64_t va, mfn_t mfn, bool writable, struct domain *owner);
void host_tlb_fault(uint64_t va);
void host_tlb_forget(void);
bool host_walkable(mfn_t mfn, unsigned level, bool writable);
/* Invariant F8, from the other side: no translation that a CPU may still use leads to a table, to a
 * descriptor page (as writable), or to a frame that has changed hands; no walk by what it remembers would take for
 * a table what is none of that level; and every live L4 carries the hypervisor's entries. */
void host_audit(void);
void host_tlb_audit(void);          /* the first half of it alone, which is quick */

/* Allocation failure: leaves free_frames of RAM and gives the rest back with host_give_back. */
void host_take_all_but(uint64_t free_frames);
void host_give_back(void);

#endif
