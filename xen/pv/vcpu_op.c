/* Vcpu_op but for VCPUOP_initialise (vcpu_init.c): up and down, timers, runstate, and the places in
 * guest memory where a vCPU's state is published. A vCPU may be named by any vCPU of its domain, unless
 * its command says otherwise. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/vtimer.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/vcpu_init.h"
#include "xen/pv/vcpu_op.h"

static long vcpu_up(struct vcpu *v, uint64_t arg)
{
    (void)arg;
    if (!v->initialised)
        return -EINVAL;
    if (v->up || v->domain->state != DOM_RUNNING)
        return 0;
    v->up = true;
    vcpu_wake(v);
    return 0;
}

/* The last one takes the domain with it: nobody would be left to bring any up again. Another vCPU than the
 * caller stops when it next leaves for the guest. */
static long vcpu_down(struct vcpu *v, uint64_t arg)
{
    struct domain *d = v->domain;
    struct vcpu *other;
    bool last = true;
    unsigned i;

    (void)arg;
    if (d->state != DOM_RUNNING)
        return 0;
    for_each_vcpu(d, other, i)
        last &= other == v || !other->up;
    if (last) {
        domain_shutdown(d, d->noted_reason != 0 ? d->noted_reason - 1 : SHUTDOWN_poweroff);
        return 0;
    }
    if (!v->up)
        return 0;
    v->up = false;
    if (v == current)
        schedule_at_exit();
    else if (v->blocked)
        runstate_change(v, RUNSTATE_offline, now_ns());
    else
        v->work |= WORK_RESCHED;
    return 0;
}

static long vcpu_is_up(struct vcpu *v, uint64_t arg)
{
    (void)arg;
    return v->up;
}

static void get_runstate(const struct vcpu *v, struct vcpu_runstate_info *r)
{
    memcpy(r, &v->runstate, sizeof(*r));        /* padding and all: it is zero there */
    r->time[r->state] += now_ns() - r->state_entry_time;
}

static long vcpu_get_runstate_info(struct vcpu *v, uint64_t arg)
{
    struct vcpu_runstate_info r;

    get_runstate(v, &r);
    return copy_to_guest(arg, &r, sizeof(r));
}

/* An area that is not mapped now is no error; it is tried again whenever the vCPU runs. */
static long vcpu_register_runstate_memory_area(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_runstate_memory_area area;
    struct vcpu_runstate_info r;

    if (copy_from_guest(&area, arg, sizeof(area)) != 0 || !guest_range_ok(area.addr.p, sizeof(r)))
        return -EFAULT;
    v->runstate_area = area.addr.p;
    if (v == current) {
        v->work |= WORK_PUBLISH;
    } else if (v->runstate_area != 0) {
        get_runstate(v, &r);
        copy_to_guest(v->runstate_area, &r, sizeof(r));
    }
    return 0;
}

static long vcpu_register_vcpu_time_memory_area(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_time_memory_area area;

    if (copy_from_guest(&area, arg, sizeof(area)) != 0 ||
        !guest_range_ok(area.addr.p, sizeof(struct vcpu_time_info)))
        return -EFAULT;
    v->time_area_stale = false;
    v->time_area = area.addr.p;
    time_update_vcpu(v);
    return 0;
}

static long vcpu_set_periodic_timer(struct vcpu *v, uint64_t arg)
{
    struct vcpu_set_periodic_timer set;

    if (copy_from_guest(&set, arg, sizeof(set)) != 0)
        return -EFAULT;
    return set.period_ns == 0 ? -EINVAL : vcpu_set_periodic(v, set.period_ns);
}

static long vcpu_stop_periodic_timer(struct vcpu *v, uint64_t arg)
{
    (void)arg;
    return vcpu_set_periodic(v, 0);
}

/* A deadline in the past is served at once, with VCPU_SSHOTTMR_future as well. Those of more than 292 years are negative, which is past too. */
static long vcpu_set_singleshot_timer(struct vcpu *v, uint64_t arg)
{
    struct vcpu_set_singleshot_timer set;

    if (v != current)
        return -EINVAL;
    if (!guest_range_ok(arg, sizeof(set)) || !get_guest_args(&set, arg, 2))
        return -EFAULT;
    timer_set(&v->singleshot, (int64_t)set.timeout_abs_ns < 0 ? 0 : set.timeout_abs_ns);
    return 0;
}

static long vcpu_stop_singleshot_timer(struct vcpu *v, uint64_t arg)
{
    (void)arg;
    if (v != current)
        return -EINVAL;
    timer_cancel(&v->singleshot);
    return 0;
}

/* Once per vCPU, by itself or while it is down. The frame keeps its references until the domain goes, so
 * that it stays plain writable memory for us. */
static long vcpu_register_vcpu_info(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_vcpu_info reg;
    struct domain *d = v->domain;
    struct vcpu_info *info;
    struct frame *f;
    int rc;

    if (copy_from_guest(&reg, arg, sizeof(reg)) != 0)
        return -EFAULT;
    if (reg.offset > PAGE_SIZE - sizeof(*info) || reg.offset % _Alignof(struct vcpu_info) != 0)
        return -ENXIO;
    if (v->info_mfn != 0 || (v != current && v->up))
        return -EINVAL;
    spin_lock(&d->mm_lock);
    rc = get_page_and_type(reg.mfn, d, TYPE_WRITABLE, &f);
    spin_unlock(&d->mm_lock);
    if (rc != 0)
        return -EINVAL;
    info = (struct vcpu_info *)((char *)mfn_to_virt(reg.mfn) + reg.offset);
    memmove(info, v->info, sizeof(*info));
    v->info_mfn = reg.mfn;
    v->info = info;
    evtchn_info_moved(v);
    return 0;
}

void vcpu_release_info(struct vcpu *v)
{
    mfn_t mfn = v->info_mfn;

    if (mfn == 0)
        return;
    v->info = &v->domain->shared->vcpu_info[v->id];
    v->info_mfn = 0;
    put_page_and_type(mfn_to_frame(mfn));
}

static long vcpu_send_nmi(struct vcpu *v, uint64_t arg)
{
    if (arg != 0)
        return -EINVAL;
    v->work |= WORK_NMI;
    vcpu_wake(v);
    return 0;
}

static long vcpu_get_physid(struct vcpu *v, uint64_t arg)
{
    (void)v, (void)arg;
    return -EINVAL;                     /* for a vCPU that is pinned for the hardware's sake */
}

static long (*const ops[])(struct vcpu *v, uint64_t arg) = {
    [VCPUOP_initialise] = vcpu_initialise,
    [VCPUOP_up] = vcpu_up,
    [VCPUOP_down] = vcpu_down,
    [VCPUOP_is_up] = vcpu_is_up,
    [VCPUOP_get_runstate_info] = vcpu_get_runstate_info,
    [VCPUOP_register_runstate_memory_area] = vcpu_register_runstate_memory_area,
    [VCPUOP_set_periodic_timer] = vcpu_set_periodic_timer,
    [VCPUOP_stop_periodic_timer] = vcpu_stop_periodic_timer,
    [VCPUOP_set_singleshot_timer] = vcpu_set_singleshot_timer,
    [VCPUOP_stop_singleshot_timer] = vcpu_stop_singleshot_timer,
    [VCPUOP_register_vcpu_info] = vcpu_register_vcpu_info,
    [VCPUOP_send_nmi] = vcpu_send_nmi,
    [VCPUOP_get_physid] = vcpu_get_physid,
    [VCPUOP_register_vcpu_time_memory_area] = vcpu_register_vcpu_time_memory_area,
};

long do_vcpu_op(int cmd, unsigned vcpuid, uint64_t arg)
{
    struct domain *d = current->domain;

    if (unlikely(vcpuid >= d->nr_vcpus))
        return -ENOENT;
    return (unsigned)cmd < ARRAY_SIZE(ops) ? ops[cmd](d->vcpu[vcpuid], arg) : -ENOSYS;
}
