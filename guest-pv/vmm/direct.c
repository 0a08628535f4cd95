/* Guest code in this domain's user mode: direct.h for the ways that run it so. Every trap and every
 * event that arrives from user mode comes to stopped() below, inside guest-pv's own trap handling;
 * what a way does with it happens there, and returning is going on. The FPU's registers are the
 * guest's throughout: trap.c keeps them for exceptions and events, and here they are kept for
 * system calls. Traps of the vmm itself are none of this file's business. */
#include "clock.h"
#include "event.h"
#include "guest-pv/vmm/direct/direct.h"
#include "guest-pv/vmm/platform/platform.h"
#include "guest-pv/vmm/vmm.h"
#include "hypercall.h"
#include "start.h"
#include "trap.h"
#include "user.h"

/* These are the guest's only as the vmm says: in ring 3 the CPU has its own. */
#define VIRTUAL_FLAGS ((uint64_t)(FLAG_IF | FLAG_IOPL | FLAG_NT | FLAG_VM))

static struct cpu *running;
static exit_fn *way;
static struct exit_counters exits;
/* As the CPU has them, as far as known: loads of null selectors do not trap, and may clear them; a
 * kernel writes the MSR then, though with the value that it had. */
static uint64_t fs_base, gs_base;
#define UNKNOWN_BASE (~0ull)
static struct timer alarm_timer;

/* Where the guest's FPU state was saved when it stopped, and whether the core has it in c->fx. */
static struct fx_state *saved_fx;
static bool fx_loaded;

static void load_fx(struct cpu *c)
{
    if (!fx_loaded)
        c->fx = *saved_fx;
    fx_loaded = true;
}

static void copy_in(struct cpu *c, const struct regs *r)
{
    uint64_t virtual = c->regs[REG_RFLAGS] & VIRTUAL_FLAGS;
    uint64_t *g = c->regs;

    g[RAX] = r->rax, g[RCX] = r->rcx, g[RDX] = r->rdx, g[RBX] = r->rbx;
    g[RSP] = r->rsp, g[RBP] = r->rbp, g[RSI] = r->rsi, g[RDI] = r->rdi;
    g[R8] = r->r8, g[R9] = r->r9, g[R10] = r->r10, g[R11] = r->r11;
    g[R12] = r->r12, g[R13] = r->r13, g[R14] = r->r14, g[R15] = r->r15;
    g[REG_RIP] = r->rip;
    g[REG_RFLAGS] = (r->rflags & ~VIRTUAL_FLAGS) | virtual;
}

static void copy_out(const struct cpu *c, struct regs *r, uint64_t rip)
{
    const uint64_t *g = c->regs;

    r->rax = g[RAX], r->rcx = g[RCX], r->rdx = g[RDX], r->rbx = g[RBX];
    r->rsp = g[RSP], r->rbp = g[RBP], r->rsi = g[RSI], r->rdi = g[RDI];
    r->r8 = g[R8], r->r9 = g[R9], r->r10 = g[R10], r->r11 = g[R11];
    r->r12 = g[R12], r->r13 = g[R13], r->r14 = g[R14], r->r15 = g[R15];
    r->rip = rip;
    r->rflags = (g[REG_RFLAGS] & ~VIRTUAL_FLAGS) | FLAG_IF;
    r->cs = FLAT_USER_CS;
    r->ss = FLAT_USER_SS;
}

static void load_base(unsigned which, uint64_t base, uint64_t *loaded)
{
    if (base == *loaded)
        return;
    *loaded = base;
    xen_set_segment_base(which, base);
}

static void call_way(struct regs *r, const struct exit *e)
{
    struct cpu *c = running;
    uint64_t rip;

    copy_in(c, r);
    fx_loaded = false;
    rip = way(c, e);
    if (fx_loaded)
        *saved_fx = c->fx;
    if (c->bases_set)
        fs_base = gs_base = UNKNOWN_BASE;
    c->bases_set = false;
    if (c->stop != STOP_NOT)
        user_end((struct user_result){ .exited = true });
    load_base(SEGBASE_FS, c->seg[SEG_FS].base, &fs_base);
    load_base(SEGBASE_GS_USER, c->seg[SEG_GS].base, &gs_base);
    copy_out(c, r, rip);
}

const struct exit_counters *direct_exits(void)
{
    return &exits;
}

static bool stopped(struct regs *r)
{
    struct exit e = { .vector = r->vector, .error = r->error };

    if (!regs_user(r))
        return false;
    if (r->vector == TRAP_PF)
        e.address = shared_info->vcpu_info[0].arch.cr2;
    if (r->vector == VECTOR_EVENT) {
        e.vector = EXIT_EVENT;
        exits.events++;
    } else {
        exits.traps[r->vector]++;
    }
    saved_fx = (struct fx_state *)(((uintptr_t)r - sizeof(*saved_fx)) & ~15ul); /* entry.S */
    call_way(r, &e);
    return true;
}

static bool system_call(struct regs *r)
{
    static struct fx_state fx;
    struct exit e = { .vector = EXIT_SYSCALL };

    exits.syscalls++;
    __asm__ volatile("fxsave64 %0" : "=m"(fx));
    saved_fx = &fx;
    call_way(r, &e);
    __asm__ volatile("fxrstor64 %0" : : "m"(fx));
    return true;
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

void direct_run(struct cpu *c, exit_fn *on_exit)
{
    struct exit start = { .vector = EXIT_START };
    struct regs r = { .rax = 0 };

    running = c;
    c->load_fx = load_fx;
    way = on_exit;
    c->gigabyte_pages = cpu_has_gigabyte_pages();
    /* INT 80h is #GP for the core, as every INT n but 3 and 4. */
    trap_table_set(0x80, 0, false);
    for (unsigned vector = 0; vector < 32; vector++)
        trap_set_handler(vector, stopped);
    trap_set_handler(VECTOR_EVENT, stopped);
    trap_set_handler(VECTOR_SYSCALL, system_call);
    copy_out(c, &r, c->regs[REG_RIP]);
    events_off();
    if (c->stop == STOP_NOT) {
        copy_out(c, &r, way(c, &start));
        load_base(SEGBASE_FS, c->seg[SEG_FS].base, &fs_base);
        load_base(SEGBASE_GS_USER, c->seg[SEG_GS].base, &gs_base);
        user_run_regs(&r);
    }
    timer_cancel(&alarm_timer);
}
