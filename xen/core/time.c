/* System time (nanoseconds since boot) and what guests read from memory of it: vcpu_time_info, the
 * wall clock, runstates. Timers are timer.c's, those of a vCPU vtimer.c's. Called by the scheduler
 * (runstates), at the exit to the guest (WORK_PUBLISH, WORK_TIME), by vcpu_op, and for now_ns()
 * everywhere.
 *
 * System time is a fixed linear function of the TSC, and the TSCs of all CPUs agree: arch/ leaves
 * out a CPU whose TSC does not. Guests get this function exactly: a point on it (TSC, ns) and a
 * multiplier, which is the same for all. So each guest computes the same time as the hypervisor, to
 * the nanosecond and on every vCPU, and a vcpu_time_info is written only when it is registered or
 * the point changes, not at each context switch.
 *
 * About every second the guests get a later point, because a kernel that multiplies in 64 bits
 * computes wrong times when the point is more than 4.29 s in the past. Points are chosen so that
 * the product has no fraction there: the same times follow from each of them. So the time has no
 * step, and is the same on two vCPUs of which only one has the new point. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/trace.h"

#define NS_PER_SECOND 1000000000ull
/* Points are multiples of 2^28 scaled ticks of 0.5 to 1 ns. */
#define POINT_SHIFT 28
/* mul is a multiple of this, so that such points are whole nanoseconds. */
#define MUL_STEP (1u << (32 - POINT_SHIFT))

static struct {
    uint64_t base;              /* TSC at system time 0 */
    uint64_t tsc_per_ns;        /* 32.32 fixed point, rounded up */
    uint64_t tsc_step;          /* ticks that shift makes one of */
    uint32_t mul;               /* ns = (ticks << shift) * mul >> 32, as in vcpu_time_info */
    int8_t shift;
    uint8_t flags;
    uint64_t point_tsc, point_ns;       /* the point in the guests' vcpu_time_info */
} scale;
static struct timer point_timer;
static struct spinlock point_lock = SPINLOCK(LOCK_CLOCK, 0);

/* Rounded up, so that no timer is early. */
static uint64_t inverse(uint32_t mul, int shift)
{
    uint64_t ticks = UINT64_MAX / mul + 1;

    return shift < 0 ? ticks << -shift : (ticks + (1ull << shift) - 1) >> shift;
}

void time_init(void)
{
    uint64_t hz = arch_tsc_hz();

    BUG_ON(hz == 0);
    for (scale.shift = 0; hz > 2 * NS_PER_SECOND; hz >>= 1)
        scale.shift--;
    for (; hz <= NS_PER_SECOND; hz <<= 1)
        scale.shift++;
    scale.mul = (uint32_t)((NS_PER_SECOND << 32) / hz) & ~(MUL_STEP - 1);
    scale.tsc_per_ns = inverse(scale.mul, scale.shift);
    scale.tsc_step = scale.shift < 0 ? 1ull << -scale.shift : 1;
    scale.flags = arch_tsc_is_stable() ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
    scale.base = scale.point_tsc = arch_tsc();
    scale.point_ns = 0;
}

static inline uint64_t ticks_to_ns(uint64_t ticks)
{
    ticks = scale.shift < 0 ? ticks >> -scale.shift : ticks << scale.shift;
    return (uint64_t)((unsigned __int128)ticks * scale.mul >> 32);
}

uint64_t tsc_at_boot(void)
{
    return scale.base;
}

uint64_t tsc_to_ns(uint64_t tsc)
{
    return ticks_to_ns(tsc - scale.base);
}

uint64_t now_ns(void)
{
    return ticks_to_ns(arch_tsc() - scale.base);
}

/* Computed from the time that is left, so that the rounding error of tsc_per_ns is multiplied by
 * that and not by the whole uptime. One step is added: ticks_to_ns may lose what is less than
 * one. */
uint64_t ns_to_tsc(uint64_t ns)
{
    uint64_t tsc = arch_tsc(), now = ticks_to_ns(tsc - scale.base);
    unsigned __int128 wait = ns > now ? ns - now : 0;

    wait = (wait * scale.tsc_per_ns >> 32) + scale.tsc_step + tsc;
    return wait >> 64 == 0 ? (uint64_t)wait : UINT64_MAX;
}

/* The version is odd while the other fields change (<public/xen.h>). The guest can overwrite it;
 * then only its own clock is wrong. */
void time_update_vcpu(struct vcpu *v)
{
    struct vcpu_time_info *t;
    uint32_t version;

    spin_lock(&point_lock);
    t = &v->info->time;
    version = (READ_ONCE(t->version) | 1) + 1;
    WRITE_ONCE(t->version, version - 1);
    barrier();
    t->tsc_timestamp = scale.point_tsc;
    t->system_time = scale.point_ns;
    t->tsc_to_system_mul = scale.mul;
    t->tsc_shift = scale.shift;
    t->flags = scale.flags;
    barrier();
    WRITE_ONCE(t->version, version);
    spin_unlock(&point_lock);
    if (v->time_area != 0) {
        v->time_area_stale = true;
        ask_work(v, WORK_TIME);
    }
}

static void move_point(void *arg)
{
    int bits = POINT_SHIFT - scale.shift;
    uint64_t ticks = (arch_tsc() - scale.base) >> bits << bits;
    struct domain *d;
    struct vcpu *v;
    unsigned i;

    (void)arg;
    spin_lock(&point_lock);
    scale.point_tsc = scale.base + ticks;
    scale.point_ns = ticks_to_ns(ticks);
    spin_unlock(&point_lock);
    for_each_domain(d)
        if (d->state == DOM_RUNNING)
            for_each_vcpu(d, v, i)
                if (v->initialised)
                    time_update_vcpu(v);
    timer_set(&point_timer, now_ns() + NS_PER_SECOND);
}

void time_move_points(void)
{
    timer_init(&point_timer, move_point, NULL);
    timer_set(&point_timer, now_ns() + NS_PER_SECOND);
}

static void write_time_area(struct vcpu *v)
{
    struct vcpu_time_info copy = v->info->time;
    uint32_t version = (copy.version | 1) + 1;

    v->time_area_stale = false;
    copy.version = version - 1;
    if (write_guest(v->time_area, &copy, sizeof(copy)) != 0)
        return;
    barrier();
    write_guest(v->time_area, &version, sizeof(version));
}

/* The wall clock in shared_info is the date at system time 0: guests add the system time to it. */
void time_init_domain(struct domain *d)
{
    struct shared_info *s = d->shared;
    uint64_t date = arch_wallclock_seconds() * NS_PER_SECOND, start = date - MIN(date, now_ns());
    uint64_t seconds = start / NS_PER_SECOND;

    s->wc_version = (s->wc_version | 1) + 2;
    barrier();
    s->wc_sec = (uint32_t)seconds;
    s->wc_sec_hi = (uint32_t)(seconds >> 32);
    s->wc_nsec = (uint32_t)(start % NS_PER_SECOND);
    barrier();
    s->wc_version++;
}

void runstate_change(struct vcpu *v, int state, uint64_t now)
{
    struct vcpu_runstate_info *r = &v->runstate;

    if (tracing(TRACE_ALL))
        trace_runstate(v, r->state, state);
    r->time[r->state] += now - r->state_entry_time;
    r->state_entry_time = now;
    r->state = state;
}

static void write_runstate(uint64_t area, struct vcpu_runstate_info r, bool announce)
{
    uint64_t entry_time = area + offsetof(struct vcpu_runstate_info, state_entry_time);

    if (announce) {
        r.state_entry_time |= XEN_RUNSTATE_UPDATE;
        if (write_guest(entry_time, &r.state_entry_time, sizeof(uint64_t)) != 0)
            return;
        barrier();
    }
    if (write_guest(area, &r, sizeof(r)) != 0 || !announce)
        return;
    barrier();
    r.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
    write_guest(entry_time, &r.state_entry_time, sizeof(uint64_t));
}

static void publish_runstate(const struct vcpu *v)
{
    write_runstate(v->runstate_area, v->runstate,
                   v->domain->vm_assist & (1u << VMASST_TYPE_runstate_update_flag));
}

/* The areas are at addresses of the guest's kernel, so for a vCPU in user mode the kernel's L4 is
 * loaded meanwhile. An area that is not mapped is not written. */
void runstate_publish(struct vcpu *v)
{
    bool user = !v->kernel_mode;

    if (user) {
        v->kernel_mode = true;
        arch_load_root(v);
    }
    if (v->runstate_area != 0)
        publish_runstate(v);
    if (v->time_area_stale)
        write_time_area(v);
    if (user) {
        v->kernel_mode = false;
        arch_load_root(v);
    }
}

/* arch_switch loads the next vCPU's L4 afterwards, so the user L4 need not be loaded again. */
void runstate_publish_leaving(struct vcpu *v)
{
    bool user = !v->kernel_mode;

    if (user) {
        v->kernel_mode = true;
        arch_load_root(v);
        v->kernel_mode = false;
    }
    publish_runstate(v);
}
