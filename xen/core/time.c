/* System time, nanoseconds since boot, and the copies of it that guests read without asking:
 * vcpu_time_info, the wall clock, and the runstate of a vCPU. Timers are timer.c's, those of a vCPU
 * vtimer.c's.
 *
 * System time is a fixed linear function of the TSC, and guests get exactly that function: a point of it and one
 * multiplier for all. So what they compute is what we compute, to the nanosecond and on every vCPU, and a
 * vcpu_time_info is written when it appears or moves, and not at each switch.
 *
 * About every second the guests get a later point, because a kernel that multiplies in 64 bits loses its time when
 * the point is more than 4.29 s away. Only points are taken at which the product has no fraction: from each of them
 * the same times follow, so that nobody sees a step, nor two vCPUs different times while only one has the new one. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/guest_access.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/trace.h"

#define NS_PER_SECOND 1000000000ull
#define POINT_SHIFT 28                  /* points are 2^28 ticks of 0.5 to 1 ns apart, */
#define MUL_STEP (1u << (32 - POINT_SHIFT))     /* of which mul then makes whole nanoseconds */

static struct {
    uint64_t base;              /* TSC at system time 0 */
    uint64_t tsc_per_ns;        /* 32.32 fixed point */
    uint32_t mul;               /* ns = (ticks << shift) * mul >> 32, as in vcpu_time_info */
    int8_t shift;
    uint8_t flags;
    uint64_t point_tsc, point_ns;       /* what guests count from */
} scale;
static struct timer point_timer;

void time_init(void)
{
    uint64_t hz = arch_tsc_hz();

    BUG_ON(hz == 0);
    for (scale.shift = 0; hz > 2 * NS_PER_SECOND; hz >>= 1)
        scale.shift--;
    for (; hz <= NS_PER_SECOND; hz <<= 1)
        scale.shift++;
    scale.mul = (uint32_t)((NS_PER_SECOND << 32) / hz) & ~(MUL_STEP - 1);
    scale.tsc_per_ns = UINT64_MAX / scale.mul + 1;      /* its inverse, so that no timer is early */
    scale.tsc_per_ns = scale.shift < 0 ? scale.tsc_per_ns << -scale.shift : scale.tsc_per_ns >> scale.shift;
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

/* Counted from now, so that the rounding of the reciprocal is that of the wait and not that of the whole
 * uptime. */
uint64_t ns_to_tsc(uint64_t ns)
{
    uint64_t tsc = arch_tsc(), now = ticks_to_ns(tsc - scale.base);
    unsigned __int128 wait = ns > now ? ns - now : 0;

    wait = wait * scale.tsc_per_ns >> 32;
    return wait < UINT64_MAX - tsc ? tsc + (uint64_t)wait + 1 : UINT64_MAX;
}

/* The version is odd while the rest changes. The guest may have scribbled on it; only its own clock
 * suffers. */
void time_update_vcpu(struct vcpu *v)
{
    struct vcpu_time_info *t = &v->info->time;
    uint32_t version = (READ_ONCE(t->version) | 1) + 1;

    WRITE_ONCE(t->version, version - 1);
    barrier();
    t->tsc_timestamp = scale.point_tsc;
    t->system_time = scale.point_ns;
    t->tsc_to_system_mul = scale.mul;
    t->tsc_shift = scale.shift;
    t->flags = scale.flags;
    barrier();
    WRITE_ONCE(t->version, version);
    if (v->time_area != 0) {
        v->time_area_stale = true;
        v->work |= WORK_PUBLISH;
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
    scale.point_tsc = scale.base + ticks;
    scale.point_ns = ticks_to_ns(ticks);
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

/* Guests add system time to it: it is the date at system time 0, not now. */
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
    write_runstate(v->runstate_area, v->runstate, v->domain->vm_assist & (1u << VMASST_TYPE_runstate_update_flag));
}

/* The areas are kernel addresses of the guest, so a vCPU in user mode borrows its kernel root for the
 * moment. One that is not mapped is the guest's loss. */
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

/* The next vCPU's root is loaded after this one's, whichever that is. */
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
