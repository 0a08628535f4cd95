/* struct domain and struct vcpu: the state of a guest, and the functions of domain.c. Larger state
 * of a subsystem is in a struct of its own, behind a pointer here (evtchn, grant, arch).
 *
 * Invariants
 *   D1  a frame's owner points to a domain whose state is not DEAD; the struct is freed only when
 *       nr_frames == 0
 *   D2  a vCPU enters the guest only while its domain is RUNNING; in any other state it parks
 *       before
 *   D3  kernel_mode is false only if root_user != 0
 *   V1  root_kernel and root_user each hold one general and one L4 type reference on their frame
 *   V2  upcalls are delivered only when info->evtchn_upcall_pending && !info->evtchn_upcall_mask
 */
#ifndef XEN_DOMAIN_H
#define XEN_DOMAIN_H

#include "xen/core/console_line.h"
#include "xen/core/lock.h"
#include "xen/core/timer.h"
#include "xen/core/types.h"
#include "common/abi_names.h"
#include "common/atomic.h"
#include "common/compiler.h"
#include "common/list.h"
#include "common/x86/short_store.h"

struct evtchn_table;
struct grant_table;
struct cpu;

enum domain_state { DOM_BUILDING, DOM_RUNNING, DOM_SHUTDOWN, DOM_DYING, DOM_DEAD };

#define STORE_DOMID 0u      /* the service domain; guests are numbered from 1 */
/* The service domain, and one guest for each module that a boot loader may load. */
#define MAX_DOMIDS 1025u
#define DEVICE_WORDS 160u   /* bytes for a domain's devices: store.c tells of them */
#define MC_BANKS 2u         /* machine-check banks of a guest's vCPU */

/* vcpu.work: what is to be done before the vCPU returns to the guest. entry.S tests the whole word
 * against zero. The lower half, own_work, is changed only by the CPU on which the vCPU runs, or
 * that is about to run it; the upper half, asked_work, by all, with ask_work() and done_work(). */
#define WORK_RESCHED 1u     /* another vCPU should run: call schedule() */
#define WORK_PUBLISH 8u     /* runstate and time areas in guest memory are to be written */
/* Return by IRET with the whole frame: the guest changed its selectors or mode. */
#define WORK_IRET 16u
/* A selector could not be loaded at the context switch: failsafe callback, sel_*. */
#define WORK_FAILSAFE 32u
#define WORK_HELD_DB 64u    /* a #DB is held back for one instruction, or to be dropped: mov_ss.c */
#define WORK_DOMAIN 0x10000u        /* the domain is no longer RUNNING: domain_exit_work() */
#define WORK_NMI 0x20000u           /* a virtual NMI is pending */
#define WORK_TIME 0x40000u          /* the time area is to be written, as WORK_PUBLISH */
#define WORK_STOP 0x80000u          /* the vCPU is down: schedule_at_exit() */
#define WORK_TIMERS 0x100000u       /* its periodic timer has changed: vcpu_timers_work() */

enum callback { CB_EVENT, CB_FAILSAFE, CB_SYSCALL, CB_SYSCALL32, CB_SYSENTER, NR_CALLBACKS };

/* Grouped by the room that uses the fields. Only code that runs on the vCPU itself writes them,
 * unless stated. */
struct vcpu {
    /* What entry.S, iret.S and traps.S read, by generated offsets. */
    struct vcpu_info *info;         /* the hypervisor's mapping of the guest's vcpu_info */
    uint64_t root_kernel;           /* machine address of the L4 in kernel mode; V1 */
    uint64_t root_user;             /* the same in user mode; 0: none */
    /* stack_switch: the stack for bounce frames when user mode is interrupted; and where on it the
     * frame of a system call begins. set_kernel_stack() */
    uint64_t kernel_sp, syscall_frame;
    uint64_t callback[NR_CALLBACKS];
    /* Three words in this order, of which assembler code compares the first two or the last two
     * with 0 at once. */
    struct {
        /* nmi_blocked, architectural_iopl or linear_tables: do_iret in C, not iret.S */
        uint32_t iret_slow;
        union {
            uint32_t work;
            struct {
                uint16_t own_work, asked_work;
            };
        };
        uint32_t iopl_in_frames;    /* architectural_iopl: frames are pushed by C */
    };
    uint8_t kernel_mode;
    uint8_t cb_masks_events;        /* bit per enum callback: CALLBACKF_mask_events */
    /* In an mmuext_op: a new root_kernel was loaded, and with that all was flushed. */
    bool user_root_unused;
    struct cpu *cpu;                /* on which it runs or ran last, or on whose queue it is */
    /* The value of d->epoch just before the last full flush of the CPU that runs this vCPU. */
    uint64_t flushed;
    struct domain *domain;

    /* What the CPU is to the guest: cpu/. */
    bool ts;                        /* virtual CR0.TS */
    bool nmi_blocked;
    uint8_t iopl;                   /* virtual IOPL, 0..3 (PHYSDEVOP_set_iopl) */
    uint32_t iobmp_ports;           /* PHYSDEVOP_set_iobitmap */
    uint64_t iobmp;                 /* guest virtual address */
    uint64_t cr2;
    /* The last store to a page table that ptwr.c knew by its bytes; length 0: none yet. */
    uint64_t store_code;
    struct short_store store;
    uint64_t cr4_guest;             /* the bits that the guest may set */
    uint64_t xcr0;
    uint64_t tsc_aux;
    /* machine-check MSRs: stored and read back, without effect */
    uint64_t mcg_status, mc_ctl2[MC_BANKS];
    uint64_t debugreg[8];
    /* WORK_HELD_DB: DR6 of the #DB, and the instruction that is executed before it */
    uint64_t held_dr6, held_rip;
    bool held_tf;                   /* the guest itself had set TF */
    uint64_t base_fs, base_gs_kernel, base_gs_user;   /* while not running */
    uint16_t sel_ds, sel_es, sel_fs, sel_gs;          /* while not running */
    struct trap_info traps[256];

    /* What the ABI is: pv/. */
    unsigned id;
    bool initialised;               /* VCPUOP_initialise done, or vCPU 0 */
    /* VCPUOP_initialise has begun, and may be preempted; stays true when it has succeeded. */
    bool initialising;
    bool in_multicall;              /* multicalls do not nest; per vCPU, as a member may sleep */
    uint64_t gdt_frames[14];        /* mfns, each with a general and a seg-desc reference */
    unsigned gdt_ents;
    uint64_t ldt_base;              /* guest linear address */
    unsigned ldt_ents;
    mfn_t ldt_mfn[16];              /* frames mapped in the LDT window; 0: not mapped yet */
    bool ldt_mapped;                /* at least one of them is mapped */
    uint64_t runstate_area;         /* guest virtual address; 0: none */
    /* Guest virtual address of a secondary vcpu_time_info; 0: none. */
    uint64_t time_area;
    bool time_area_stale;           /* to be written at the next WORK_PUBLISH */
    mfn_t info_mfn;                 /* frame of a registered vcpu_info; 0: in shared_info */
    evtchn_port_t virq_port[NR_VIRQS];  /* 0: unbound */
    evtchn_port_t poll_port;        /* SCHEDOP_poll: 0 not polling; POLL_SEVERAL */

    /* What the scheduler needs: core/. Guarded by the lock of cpu's queue, but for up and started:
     * by life_lock. */
    bool up;                        /* VCPUOP_up; false: before it, or after VCPUOP_down */
    bool started;                   /* vcpu_start() was called: it counts in vcpus_inside */
    bool parked;                    /* its domain ended and it reached its last exit */
    bool blocked;
    /* blocked inside a hypercall, in vcpu_wait(): being down does not keep it so */
    bool waits;
    bool on_queue;
    bool throttled;                 /* its domain has used up its cap; sched_cap.c */
    bool boosted;                   /* woke lately: before all others in the queue (S4) */
    uint64_t vruntime;              /* ns scaled by weight */
    uint64_t run_since;
    uint64_t given_at;              /* ns when a CPU gave it to another; sched_place.c */
    uint64_t cpu_ns;                /* time it ran */
    struct list_head queue;
    struct cpu *on_cpu;             /* S6; NULL: none */
    int64_t allowance;              /* ns that it may still run of its domain's cap */
    uint32_t cap_period;            /* of which period it has that; sched_cap.c */
    struct vcpu_runstate_info runstate;
    struct timer singleshot, periodic, poll;
    uint64_t periodic_ns;
    uint64_t periodic_last;         /* ns of the last periodic tick, due or sent */

    uint64_t calls[ABI_HYPERCALLS];  /* how often it made each hypercall; hypercall_counts.c */

    void *arch;                     /* arch/'s state of it: stack, FPU image, windows */
};

struct domain {
    /* What it is, and how it ends: core/. */
    domid_t id;
    char name[32];
    enum domain_state state;
    int shutdown_code;              /* SHUTDOWN_*; valid from DOM_SHUTDOWN on */
    char crash_reason[128];         /* first reason kept; empty: none */
    bool dumped;                    /* the registers of its crash were printed */
    /* It has ended, but a device that it owned may still write to memory: it stays as it is. */
    bool quarantined;
    bool serves;                    /* a service or driver domain: it ends after the guests */
    unsigned nr_vcpus;              /* maximum; vcpu[i] exists for all i below */
    struct vcpu *vcpu[MAX_VCPUS];
    /* Guards state, vcpus_inside, crash_reason, watchdogs, and up and started of vCPUs. */
    struct spinlock life_lock;
    unsigned vcpus_inside;          /* started vCPUs that are not parked */
    unsigned weight;
    unsigned cap;                   /* percent of one CPU, for all its vCPUs together; 0: none */
    uint64_t budget;                /* what is left of it in this period; sched_cap.c */
    unsigned first_released;        /* the vCPU that was the first to go on in this period */
    struct timer refill;
    struct cpu_set cpus, cpus_soft; /* where its vCPUs may run, and where they should */
    uint32_t trace;                 /* classes of trace records, see trace.h */
    /* guest_log: start of the interval, lines printed and suppressed in it */
    uint64_t log_since;
    unsigned log_lines, log_withheld;

    /* Its frames: core/, and pv/ for their types. */
    /* Guards types, references and page tables of this domain's frames. */
    struct spinlock mm_lock;
    /* F8: advances between flushes; starts at 1. Under mm_lock. */
    uint64_t epoch;
    /* Frame number of this struct: `owner` of the domain's frames. */
    uint32_t mfn;
    struct spinlock ring_lock;      /* guards the ring of its frames: frames and nr_frames */
    uint32_t frames;                /* F9: one of its frames; 0: none */
    uint64_t nr_frames;             /* frames owned, allocated to the guest */
    uint64_t max_frames;
    /* The hypervisor's frames for its ports, grant tables ...: see claim.h. */
    uint64_t nr_hv_frames;
    bool linear_tables;             /* it has or had linear page-table entries */
    struct spinlock linear_lock;    /* guards its linear L4 entries against copies: linear.c */
    /* vCPUs, by id, that sleep in wait_while_validating(), and the frames that they wait for. */
    uint32_t type_waiters, awaited[MAX_VCPUS];

    /* What the CPU is to the guest: cpu/. */
    uint32_t pci_address;           /* last value written to port 0xcf8 */
    uint8_t cmos_index;             /* last value written to port 0x70 */

    /* What the ABI is: pv/. */
    struct shared_info *shared;
    mfn_t shared_mfn;
    uint64_t vm_assist;             /* bit per VMASST_TYPE_* */
    void *memory_map;               /* XENMEM_set_memory_map; NULL: not called */
    unsigned memory_map_entries;
    bool memory_map_set;
    struct evtchn_table *evtchn;
    unsigned max_port;              /* the highest event channel port it may open */
    uint32_t poll_mask;             /* vCPUs in SCHEDOP_poll, by id */
    bool pirq_eoi_given;            /* PHYSDEVOP_pirq_eoi_gmfn was called: only once is allowed */
    uint16_t noted_reason;          /* SCHEDOP_shutdown_code: 1 + reason to report later; 0: none */
    struct timer watchdog[2];       /* SCHEDOP_watchdog */
    uint8_t watchdogs_used;         /* bit per watchdog timer in use */
    struct grant_table *grant;
    mfn_t store_mfn;                /* page and port of its xenstore connection; 0: it has none */
    evtchn_port_t store_port;
    char devices[DEVICE_WORDS];     /* its words disk= and vif=, a NUL behind each */

    /* Its console output: core/, and pv/ for its ring. */
    struct xencons_interface *console_ring;
    mfn_t console_mfn;
    evtchn_port_t console_port;
    /* Guards console_line, the consumer's index of the output ring, and guest_log's counters:
     * several vCPUs may write. */
    struct spinlock line_lock;
    struct console_line console_line[NR_CONSOLE_WAYS];
    uint64_t console_position;      /* in the transmit ring: the end of its last output */
    /* It has ended; console_left bytes of its ring are still to be shown. */
    bool console_ending;
    uint32_t console_left;

    void *arch;
};

#define for_each_vcpu(d, v, i) \
    for ((i) = 0; (i) < (d)->nr_vcpus && ((v) = (d)->vcpu[i], true); (i)++)

/* Functions for the state that a subsystem in another room keeps for each domain. Registered once,
 * in the order in which they are called at a domain's end. A NULL member is not called. */
struct domain_part {
    /* d has its struct and its arch/ part, but no vCPUs. Returns 0 or -ENOMEM. */
    int (*init)(struct domain *d);
    /* d crashed, v == current is on its last exit: prints what helps to find the reason. */
    void (*crashed)(struct vcpu *v);
    /* False: d may not become DYING yet; called again after sched_wake_idle(). */
    bool (*may_end)(struct domain *d);
    /* d is DYING: releases references and what is shared with other domains. May sleep in
     * preemption points. */
    void (*relinquish)(struct domain *d);
    /* No other code can reach d any more; also called after an init that failed. */
    void (*free)(struct domain *d);
};
void domain_register_parts(const struct domain_part *parts, unsigned nr);

/* A new domain in state BUILDING with nr_vcpus vCPUs, shared_info and empty tables; NULL: no
 * memory. */
struct domain *domain_create(domid_t id, const char *name, unsigned nr_vcpus, uint64_t max_frames,
                             unsigned weight);
/* The guest cannot go on: keeps the first reason and calls domain_shutdown(SHUTDOWN_crash).
 * Returns, and may be called anywhere in a hypercall or trap, for any domain; the vCPUs stop at
 * their next exit to the guest. */
void domain_crash(struct domain *d, const char *why, ...) __attribute__((format(printf, 2, 3)));
/* SHUTDOWN_*: all its vCPUs stop, then domain_reap releases it */
void domain_shutdown(struct domain *d, int reason);
/* WORK_DOMAIN of current; does not return when d has ended */
void domain_exit_work(void);
/* d->life_lock is held: v is up from now on, and is counted; then vcpu_wake(). */
void vcpu_start(struct vcpu *v);
void domain_start(struct domain *d);                    /* d was built: vCPU 0 may run */
/* Releases domains that have ended; runs on the idle vCPU. */
void domain_reap(void);

/* For the bits of asked_work. The vCPU may be asked at any time; who clears a bit does so before
 * the work, so that the next request is not lost. */
static inline void ask_work(struct vcpu *v, uint32_t bits)
{
    locked_or(&v->asked_work, (uint16_t)(bits >> 16));
}

static inline void done_work(struct vcpu *v, uint32_t bits)
{
    locked_and(&v->asked_work, (uint16_t)~(bits >> 16));
}

static inline bool m2p_is_strict(const struct domain *d)
{
    return READ_ONCE(d->vm_assist) >> VMASST_TYPE_m2p_strict & 1;
}

/* The reason that SCHEDOP_shutdown_code has noted, or else the one given. */
static inline int domain_end_code(const struct domain *d, int reason)
{
    unsigned noted = READ_ONCE(d->noted_reason);

    return noted != 0 ? (int)noted - 1 : reason;
}

/* Machine address of the L4 of the mode that v is in. */
static inline uint64_t root_of(const struct vcpu *v)
{
    return v->kernel_mode ? v->root_kernel : v->root_user;
}

/* V2 */
static inline bool upcall_due(const struct vcpu *v)
{
    return v->info->evtchn_upcall_pending && !v->info->evtchn_upcall_mask;
}

#endif
