/* Traps: the saved registers, handlers per vector, and the recovery from faults that tests are
 * built on. The trap table and the registration of callbacks are in trap.c; entry.S builds struct
 * regs. */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

/* Pseudo vectors, for the ways in that are no CPU vector. */
#define VECTOR_EVENT     256
#define VECTOR_FAILSAFE  257
#define VECTOR_SYSCALL   258
#define VECTOR_SYSCALL32 259
#define VECTOR_SYSENTER  260
#define NR_VECTORS       261
#define REGS_SIZE        (21 * 8)

#ifndef __ASSEMBLY__
#include <stdbool.h>
#include <stdint.h>

enum {
    TRAP_DE = 0, TRAP_DB = 1, TRAP_NMI = 2, TRAP_BP = 3, TRAP_OF = 4, TRAP_BR = 5, TRAP_UD = 6,
    TRAP_NM = 7, TRAP_DF = 8, TRAP_TS = 10, TRAP_NP = 11, TRAP_SS = 12, TRAP_GP = 13, TRAP_PF = 14,
    TRAP_MF = 16, TRAP_AC = 17, TRAP_MC = 18, TRAP_XM = 19,
};

/* Flags of rflags. */
#define RFLAGS_TF   0x100
#define RFLAGS_IF   0x200
#define RFLAGS_DF   0x400
#define RFLAGS_IOPL 0x3000
#define RFLAGS_VM   0x20000

/* Error code of a page fault. */
#define PF_PRESENT 1
#define PF_WRITE   2
#define PF_USER    4
#define PF_RSVD    8
#define PF_INSN    16

struct regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r10, r9, r8, rdx, rsi, rdi, rax, r11, rcx;
    uint32_t error, vector;
    uint64_t rip;
    uint32_t cs;   /* RPL 0 from kernel mode, 3 from user mode; only this tells them apart */
    uint32_t saved_mask;        /* the upcall mask before the trap */
    uint64_t rflags, rsp, ss;
};
_Static_assert(sizeof(struct regs) == REGS_SIZE, "entry.S counts on it");

static inline bool regs_user(const struct regs *r)
{
    return (r->cs & 3) == 3;
}

/* What a fault was. vector FAULT_NONE: nothing happened. */
#define FAULT_NONE (-1)
struct fault {
    int vector;
    uint32_t error;
    uint64_t cr2;               /* for TRAP_PF: vcpu_info's */
    uint64_t rip, rsp, rflags;
    bool user;
};

/*
 * Run fn(arg) in kernel mode; the first trap that no handler takes ends it, and is returned. Nests.
 * The virtual interrupt flag is put back as it was. Locals that fn changed and its caller wants
 * must be memory.
 */
struct fault try_fault(void (*fn)(void *), void *arg);

/* The same for one access; the value read, if wanted, through *val. Returns the fault. */
struct fault try_read64(const volatile void *va, uint64_t *val);
struct fault try_write64(volatile void *va, uint64_t val);
/* Jump to va as a function without arguments. */
struct fault try_exec(const void *va);

/*
 * A handler sees a vector first (kernel and user mode); true = handled, resume from *r as it may
 * have changed it; false = go on with recovery. Runs with events masked if the table says so (all
 * our entries do, flag bit 2). NULL removes it. Returns the previous one. Of VECTOR_EVENT it is
 * called when the events have been dispatched, of VECTOR_SYSCALL before user.c's table.
 */
typedef bool (*trap_handler)(struct regs *r);
trap_handler trap_set_handler(unsigned vector, trap_handler fn);

/* The address of our stub for a CPU vector, for a test that builds its own trap table. */
void *trap_stub(unsigned vector);
/* Registers our whole table (again); all vectors, DPL 3 for 3, 4 and 0x80. Returns the hypercall's
 * result. */
int trap_table_install(void);
/* Re-register one vector of it with this DPL and, unless `open`, the mask-events flag. */
int trap_table_set(unsigned vector, unsigned dpl, bool open);
/* Event, failsafe and syscall callbacks. */
int trap_callbacks_install(void);

extern uint64_t trap_count[NR_VECTORS];
/* True inside an event handler: sleeping is not allowed. */
extern unsigned irq_depth;

void trap_init(void);
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void regs_print(const struct regs *r);

/* Entry points in entry.S, and what it calls. */
extern char trap_stubs[], event_entry[], failsafe_entry[], syscall_entry[], syscall32_entry[],
    sysenter_entry[];
void trap_dispatch(struct regs *r);
void trap_events(void);                     /* what an event's entry does, and nothing else */
bool trap_handled(struct regs *r);          /* by the vector's handler */
void syscall_dispatch(struct regs *r);
_Noreturn void user_enter(const struct regs *r, uint64_t *kernel_sp);
#endif
#endif
