/* Domains and vCPUs: what a guest is to the hypervisor. This header owns the two central structures; the subsystems
 * keep their own state behind the pointers in them.
 *
 * Invariants
 *   D1  a frame's owner points to a domain whose state is not DEAD; the struct is freed only when nr_frames == 0
 *   D2  a vCPU runs only while its domain is RUNNING; every other state is acted upon at its next exit to the guest
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
#include "common/compiler.h"
#include "common/list.h"

struct evtchn_table;
struct grant_table;
struct cpu;

enum domain_state { DOM_BUILDING, DOM_RUNNING, DOM_SHUTDOWN, DOM_DYING, DOM_DEAD };

#define STORE_DOMID 0u                  /* the service domain's number; guests count from 1 */
#define MAX_DOMIDS 1025u           /* it, and a guest for each module that a boot loader may give */
#define MC_BANKS 2u         /* machine check banks that a guest finds */

/* vcpu.work: reasons for the slow way out to the guest. Entry code tests the word against zero. */
#define WORK_RESCHED 1u     /* somebody else should run */
#define WORK_DOMAIN 2u      /* the domain is no longer RUNNING, or was crashed: see domain_exit_work() */
#define WORK_NMI 4u         /* a virtual NMI waits */
#define WORK_PUBLISH 8u     /* it ran again after others: runstate and time areas in guest memory are stale */
#define WORK_HELD_DB 64u    /* a #DB is held back for one instruction, or to be dropped: mov_ss.c */
#define WORK_FAILSAFE 32u   /* a selector could not be loaded when it was switched in: sel_* tell */
#define WORK_IRET 16u       /* leave by IRET with the whole frame: the guest changed its selectors or mode */

enum callback { CB_EVENT, CB_FAILSAFE, CB_SYSCALL, CB_SYSCALL32, CB_SYSENTER, NR_CALLBACKS };

/* Grouped by who owns the fields; within a group the vCPU itself writes them, unless it is said otherwise. */
struct vcpu {
    /* What entry.S reads, by generated offsets. */
    struct vcpu_info *info;         /* the hypervisor's mapping of the guest's vcpu_info */
    uint64_t root_kernel;           /* machine address of an L4; V1 */
    uint64_t root_user;             /* 0: none */
    uint64_t kernel_sp;             /* stack_switch: where bounces from user mode push */
    uint64_t callback[NR_CALLBACKS];
    uint32_t work;
    uint8_t kernel_mode;
    uint8_t cb_masks_events;        /* bit per enum callback: CALLBACKF_mask_events */
    uint8_t iret_slow;              /* nmi_blocked, architectural_iopl, linear_tables: iret needs more than entry.S does */
    struct cpu *cpu;                /* where it runs or ran last */
    struct domain *domain;

    /* What the CPU is to the guest: cpu/. */
    bool ts;                        /* virtual CR0.TS */
    bool nmi_blocked;
    uint8_t iopl;                   /* virtual IOPL, 0..3 (PHYSDEVOP_set_iopl) */
    uint32_t iobmp_ports;           /* PHYSDEVOP_set_iobitmap */
    uint64_t iobmp;                 /* guest virtual address */
    uint64_t cr2;
    uint64_t cr4_guest;             /* the bits that are the guest's choice */
    uint64_t xcr0;
    uint64_t tsc_aux;
    uint64_t mcg_status, mc_ctl2[MC_BANKS];     /* machine check MSRs: kept, and nothing else */
    uint64_t debugreg[8];
    uint64_t held_dr6, held_rip;    /* WORK_HELD_DB: what the #DB is, and the instruction that goes first */
    bool held_tf;                   /* TF is the guest's own */
    uint64_t base_fs, base_gs_kernel, base_gs_user;   /* while not running */
    uint16_t sel_ds, sel_es, sel_fs, sel_gs;          /* while not running */
    struct trap_info traps[256];

    /* What the ABI is: pv/. */
    unsigned id;
    bool initialised;               /* VCPUOP_initialise done, or vCPU 0 */
    bool initialising;              /* VCPUOP_initialise in progress, which may be preempted */
    bool in_multicall;              /* multicalls do not nest; a member may sleep, so it is the vCPU's */
    uint64_t gdt_frames[14];        /* mfns, each with a general and a seg-desc reference */
    unsigned gdt_ents;
    uint64_t ldt_base;              /* guest linear address */
    unsigned ldt_ents;
    mfn_t ldt_mfn[16];              /* pages mapped in the window; 0: not yet */
    bool ldt_mapped;                /* one of them at least */
    uint64_t runstate_area;         /* guest virtual address; 0: none */
    uint64_t time_area;             /* guest virtual address of a secondary vcpu_time_info; 0: none */
    bool time_area_stale;           /* to be written at the next WORK_PUBLISH */
    mfn_t info_mfn;                 /* frame of a registered vcpu_info; 0: in shared_info */
    evtchn_port_t virq_port[NR_VIRQS];  /* 0: unbound */
    evtchn_port_t poll_port;        /* SCHEDOP_poll: 0 not polling; POLL_SEVERAL */

    /* What the scheduler needs: core/, guarded by its lock; the timers by theirs. */
    bool up;                        /* VCPUOP_up: not held down */
    bool started;                   /* it ran at least once, or may: counted in vcpus_inside */
    bool parked;                    /* its domain ended and it reached its last exit */
    bool blocked;
    bool on_queue;
    bool boosted;                   /* woke lately: goes first in the queue */
    uint64_t vruntime;              /* ns scaled by weight */
    uint64_t run_since;
    uint64_t cpu_ns;                /* time it ran */
    struct list_head queue;
    struct vcpu_runstate_info runstate;
    struct timer singleshot, periodic, poll;
    uint64_t periodic_ns;
    uint64_t periodic_last;         /* ns of the last periodic tick, due or sent */

    void *arch;                     /* what arch/ keeps: stack, FPU image, windows */
};

struct domain {
    /* What it is, and how it ends: core/. */
    domid_t id;
    char name[32];
    enum domain_state state;
    int shutdown_code;              /* SHUTDOWN_*; valid from DOM_SHUTDOWN on */
    char crash_reason[128];         /* first reason kept; empty: none */
    bool dumped;                    /* the registers of its crash were printed */
    struct list_head list;          /* of all domains, by id */
    unsigned nr_vcpus;              /* maximum; vcpu[i] exists for all below */
    struct vcpu *vcpu[MAX_VCPUS];
    unsigned vcpus_inside;          /* started vCPUs that are not parked for good */
    unsigned weight;
    uint32_t trace;                 /* classes of records, see trace.h */
    uint64_t log_since;             /* guest_log: start of the interval, lines said and withheld in it */
    unsigned log_said, log_withheld;

    /* Its frames: core/, and pv/ for their types. */
    struct spinlock mm_lock;        /* types, references and tables of this domain's frames */
    uint32_t mfn;                   /* of this struct: what its frames name as their owner */
    uint32_t frames;                /* F9: one of its frames; 0: none */
    uint64_t nr_frames;             /* frames owned, allocated to the guest */
    uint64_t max_frames;
    uint64_t nr_hv_frames;          /* frames of our own that serve it (ports, grant tables ...): see DOMAIN_RESERVE */
    bool linear_tables;             /* it has or had linear page-table entries */

    /* What the CPU is to the guest: cpu/. */
    uint32_t pci_address;           /* port CF8 and 70: what was last written */
    uint8_t cmos_index;

    /* What the ABI is: pv/. */
    struct shared_info *shared;
    mfn_t shared_mfn;
    uint64_t vm_assist;             /* bit per VMASST_TYPE_* */
    void *memory_map;               /* XENMEM_set_memory_map, which it may have called */
    unsigned memory_map_entries;
    bool memory_map_set;
    struct evtchn_table *evtchn;
    unsigned max_port;              /* the last event channel it may open */
    uint32_t poll_mask;             /* vCPUs in SCHEDOP_poll, by id */
    bool pirq_eoi_given;            /* PHYSDEVOP_pirq_eoi_gmfn: once */
    uint16_t noted_reason;          /* SCHEDOP_shutdown_code: 1 + reason to report later; 0: none */
    struct timer watchdog[2];       /* SCHEDOP_watchdog */
    uint8_t watchdogs_used;         /* bit per timer handed out */
    struct grant_table *grant;
    mfn_t store_mfn;                /* the page and the port of its store; 0: it has none */
    evtchn_port_t store_port;

    /* What it prints: core/, and pv/ for its ring. */
    struct xencons_interface *console_ring;
    mfn_t console_mfn;
    evtchn_port_t console_port;
    struct console_line console_line[NR_CONSOLE_WAYS];
    uint64_t console_position;      /* in the transmit ring: behind what it put there last */
    bool console_ending;            /* it has ended, with console_left bytes in its ring that are still to be shown */
    uint32_t console_left;

    void *arch;
};

#define for_each_vcpu(d, v, i) for ((i) = 0; (i) < (d)->nr_vcpus && ((v) = (d)->vcpu[i], true); (i)++)

/* What the rooms above keep of a domain: a part each, registered once, in the order in which a domain's end takes them
 * down. A member that is NULL has nothing to do. */
struct domain_part {
    int (*init)(struct domain *d);          /* d has its struct and its arch/ part, no vCPUs; 0 or -ENOMEM */
    void (*crashed)(struct vcpu *v);        /* v == current, on its last exit: shows what is worth showing */
    bool (*may_end)(struct domain *d);      /* false: not yet; asked again after sched_wake_idle() */
    void (*relinquish)(struct domain *d);   /* d is DYING: gives back what others may hold; others run meanwhile */
    void (*free)(struct domain *d);         /* nobody can reach d any more; also after an init that failed */
};
void domain_register_parts(const struct domain_part *parts, unsigned nr);

/* A new domain in state BUILDING with nr_vcpus vCPUs, shared_info and empty tables; NULL: no memory. */
struct domain *domain_create(domid_t id, const char *name, unsigned nr_vcpus, uint64_t max_frames, unsigned weight);
/* The guest cannot go on: keeps the first reason, ends the domain at its next exit. Never returns an error; may be
 * called from any depth of a hypercall or trap of any vCPU. */
void domain_crash(struct domain *d, const char *why, ...) __attribute__((format(printf, 2, 3)));
void domain_shutdown(struct domain *d, int reason);         /* SHUTDOWN_*: stops all its vCPUs, then tears it down */
void domain_exit_work(void);                                /* of current, on the slow way out; may not return */
/* Lets vCPU 0 of a built domain run. */
void domain_start(struct domain *d);
/* Frees what ended domains held; runs on the idle vCPU. */
void domain_reap(void);

/* V2 */
static inline bool upcall_due(const struct vcpu *v)
{
    return v->info->evtchn_upcall_pending && !v->info->evtchn_upcall_mask;
}

#endif
