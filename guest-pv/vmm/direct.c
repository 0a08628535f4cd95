/* Guest code in this domain's user mode: direct.h for the ways that run it so. Every trap and every
 * event that arrives from user mode comes through entry.S to direct_stopped() below; what a way
 * does with it happens there, and returning is going on. The FPU's registers are the guest's
 * throughout, from cpu_reset() on: entry.S saves them, since what events and the console call may
 * use them. */
#include "clock.h"
#include "event.h"
#include "guest-pv/vmm/direct/direct.h"
#include "guest-pv/vmm/platform/platform.h"
#include "guest-pv/vmm/vmm.h"
#include "hypercall.h"
#include "start.h"
#include "trap.h"
#include "user.h"
#include <public/callback.h>

#define TI_MASK_EVENTS 4
#define DIRECT_STUB 32

/* These are the guest's only as the vmm says: in ring 3 the CPU has its own. */
#define VIRTUAL_FLAGS ((uint64_t)(FLAG_IF | FLAG_IOPL | FLAG_NT | FLAG_VM))

/* entry.S */
extern char direct_stubs[], direct_event_entry[], direct_syscall_entry[];
user_enter_fn direct_enter;
struct resume {
    uint64_t rip, rflags;
};
struct resume direct_stopped(unsigned vector, uint32_t error, uint64_t rflags);
struct cpu *direct_cpu;
struct fx_state direct_fx;
_Static_assert(offsetof(struct cpu, regs) == 0, "entry.S counts on it");

static exit_fn *way;
static struct exit_counters exits;
/* As the CPU has them, as far as known: loads of null selectors do not trap, and may clear them; a
 * kernel writes the MSR then, though with the value that it had. */
static uint64_t fs_base, gs_base;
#define UNKNOWN_BASE (~0ull)
static struct timer alarm_timer;

/* Has the core the guest's FPU state in c->fx? */
static bool fx_loaded;

static void load_fx(struct cpu *c)
{
    if (!fx_loaded)
        c->fx = direct_fx;
    fx_loaded = true;
}

static void load_base(unsigned which, uint64_t base, uint64_t *loaded)
{
    if (base == *loaded)
        return;
    *loaded = base;
    xen_set_segment_base(which, base);
}

static void load_bases(struct cpu *c)
{
    if (c->bases_set)
        fs_base = gs_base = UNKNOWN_BASE;
    c->bases_set = false;
    load_base(SEGBASE_FS, c->seg[SEG_FS].base, &fs_base);
    load_base(SEGBASE_GS_USER, c->seg[SEG_GS].base, &gs_base);
}

const struct exit_counters *direct_exits(void)
{
    return &exits;
}

static struct resume resume_at(const struct cpu *c, uint64_t rip)
{
    return (struct resume){ rip, (c->regs[REG_RFLAGS] & ~VIRTUAL_FLAGS) | FLAG_IF };
}

static struct exit exit_of(unsigned vector, uint32_t error)
{
    struct exit e = { .vector = vector, .error = error };

    if (likely(vector < ARRAY_SIZE(exits.traps))) {
        exits.traps[vector]++;
        if (vector == TRAP_PF)
            e.address = shared_info->vcpu_info[0].arch.cr2;
    } else if (vector == VECTOR_SYSCALL) {
        exits.syscalls++;
        e.vector = EXIT_SYSCALL;
    } else {
        exits.events++;
        e.vector = EXIT_EVENT;
        trap_events();
    }
    return e;
}

struct resume direct_stopped(unsigned vector, uint32_t error, uint64_t rflags)
{
    struct cpu *c = direct_cpu;
    uint64_t *flags = &c->regs[REG_RFLAGS], rip;
    struct exit e = exit_of(vector, error);

    *flags = (rflags & ~VIRTUAL_FLAGS) | (*flags & VIRTUAL_FLAGS);
    fx_loaded = false;
    rip = way(c, &e);
    if (unlikely(fx_loaded))
        direct_fx = c->fx;
    if (unlikely(c->stop != STOP_NOT))
        user_end((struct user_result){ .exited = true });
    load_bases(c);
    return resume_at(c, rip);
}

static void ring(void *arg)
{
    (void)arg; /* the event has stopped the guest: that is all */
}

void direct_alarm(uint64_t tsc)
{
    uint64_t now = clock_tsc(), ticks = tsc > now ? tsc - now : 0;

    timer_cancel(&alarm_timer);
    if (tsc != UINT64_MAX)
        timer_start(&alarm_timer,
                    clock_ns() + ticks / host.tsc_hz * NS_PER_S +
                        ticks % host.tsc_hz * NS_PER_S / host.tsc_hz,
                    ring, NULL);
}

/* CPUID is not privileged, so this is what the guest sees. */
static bool cpu_has_gigabyte_pages(void)
{
    uint32_t a = 0x80000001, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return d >> 26 & 1;
}

static void register_callback(unsigned type, const void *entry)
{
    struct callback_register cb = { .type = (uint16_t)type, .flags = CALLBACKF_mask_events,
                                    .address = (unsigned long)entry };

    xen_callback_op(CALLBACKOP_register, &cb);
}

/* Guest code may use INT3 and INTO. */
static void install_entries(void)
{
    static struct trap_info table[33];  /* the last, address 0, ends it */

    for (unsigned n = 0; n < 32; n++)
        table[n] = (struct trap_info){
            .vector = (uint8_t)n, .cs = FLAT_KERNEL_CS,
            .flags = (n == TRAP_BP || n == TRAP_OF ? 3 : 0) | TI_MASK_EVENTS,
            .address = (unsigned long)direct_stubs + n * DIRECT_STUB,
        };
    xen_set_trap_table(table);
    /* INT 80h is #GP for the core, as every INT n but 3 and 4. */
    trap_table_set(0x80, 0, false);
    register_callback(CALLBACKTYPE_event, direct_event_entry);
    register_callback(CALLBACKTYPE_syscall, direct_syscall_entry);
}

/* From the thread's stack on; entry.S goes on afterwards. */
static void enter_guest(const struct cpu *c, uint64_t rip)
{
    const uint64_t *g = c->regs;
    struct resume to = resume_at(c, rip);
    struct regs r = {
        .rax = g[RAX], .rcx = g[RCX], .rdx = g[RDX], .rbx = g[RBX], .rbp = g[RBP], .rsi = g[RSI],
        .rdi = g[RDI], .r8 = g[R8], .r9 = g[R9], .r10 = g[R10], .r11 = g[R11], .r12 = g[R12],
        .r13 = g[R13], .r14 = g[R14], .r15 = g[R15], .rsp = g[RSP], .rip = to.rip,
        .rflags = to.rflags, .cs = FLAT_USER_CS, .ss = FLAT_USER_SS,
    };

    user_run_by(direct_enter, &r);
}

void direct_run(struct cpu *c, exit_fn *on_exit)
{
    struct exit e = { .vector = EXIT_START };
    uint64_t rip;

    direct_cpu = c;
    direct_fx = c->fx;
    c->load_fx = load_fx;
    way = on_exit;
    c->gigabyte_pages = cpu_has_gigabyte_pages();
    events_off();
    install_entries();
    if (c->stop == STOP_NOT) {
        rip = way(c, &e);
        if (fx_loaded)
            direct_fx = c->fx;
        load_bases(c);
        enter_guest(c, rip);
    }
    timer_cancel(&alarm_timer);
}
