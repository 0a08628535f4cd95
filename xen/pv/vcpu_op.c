/* vcpu_op except VCPUOP_initialise (vcpu_init.c): up and down, timers, runstate, and the areas
 * in guest memory where a vCPU's state is published. Each vCPU may name every vCPU of its
 * domain, unless the command says otherwise. Called by the generated dispatch (common/abi.def). */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/vtimer.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/vcpu_op.h"

long vcpu_up(struct vcpu *v)
{
    if (!v->initialised)
        return -EINVAL;
    spin_lock(&v->domain->life_lock);
    if (!v->up && v->domain->state == DOM_RUNNING)
        vcpu_start(v);
    spin_unlock(&v->domain->life_lock);
    vcpu_wake(v);
    return 0;
}

/* When the last vCPU goes down the domain is shut down, because no vCPU is left to bring one up
 * again. A vCPU other than the caller stops at its next exit to the guest. */
long vcpu_down(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct vcpu *other;
    bool last = true, was_up;
    unsigned i;

    spin_lock(&d->life_lock);
    for_each_vcpu(d, other, i)
        last &= other == v || !other->up;
    was_up = v->up && d->state == DOM_RUNNING;
    last &= d->state == DOM_RUNNING;
    if (was_up && !last)
        WRITE_ONCE(v->up, false);
    spin_unlock(&d->life_lock);
    if (last)
        domain_shutdown(d, domain_end_code(d, SHUTDOWN_poweroff));
    else if (was_up && v == current)
        schedule_at_exit();
    else if (was_up)
        vcpu_stop(v);
    return 0;
}

long vcpu_is_up(struct vcpu *v)
{
    return v->up;
}

long vcpu_get_runstate_info(struct vcpu *v, struct vcpu_runstate_info *op)
{
    vcpu_get_runstate(v, op);
    return 0;
}

/* An area that is not mapped now is no error; it is written when the vCPU runs next. */
long vcpu_register_runstate_memory_area(struct vcpu *v,
                                        const struct vcpu_register_runstate_memory_area *op)
{
    struct vcpu_runstate_info r;

    if (!guest_range_ok(op->addr.p, sizeof(r)))
        return -EFAULT;
    v->runstate_area = op->addr.p;
    if (v == current) {
        v->own_work |= WORK_PUBLISH;
    } else if (v->runstate_area != 0) {
        vcpu_get_runstate(v, &r);
        copy_to_guest(v->runstate_area, &r, sizeof(r));
    }
    return 0;
}

long vcpu_register_vcpu_time_memory_area(struct vcpu *v,
                                         const struct vcpu_register_time_memory_area *op)
{
    if (!guest_range_ok(op->addr.p, sizeof(struct vcpu_time_info)))
        return -EFAULT;
    v->time_area_stale = false;
    v->time_area = op->addr.p;
    time_update_vcpu(v);
    return 0;
}

long vcpu_set_periodic_timer(struct vcpu *v, const struct vcpu_set_periodic_timer *op)
{
    return op->period_ns == 0 ? -EINVAL : vcpu_set_periodic(v, op->period_ns);
}

long vcpu_stop_periodic_timer(struct vcpu *v)
{
    return vcpu_set_periodic(v, 0);
}

/* A deadline in the past fires at once, also with VCPU_SSHOTTMR_future. One more than 292 years
 * away is a negative number, and so in the past. */
long vcpu_set_singleshot_timer(struct vcpu *v, uint64_t arg)
{
    struct vcpu_set_singleshot_timer set;

    if (v != current)
        return -EINVAL;
    if (!guest_range_ok(arg, sizeof(set)) || !get_guest_args(&set, arg, 2))
        return -EFAULT;
    timer_set(&v->singleshot, (int64_t)set.timeout_abs_ns < 0 ? 0 : set.timeout_abs_ns);
    return 0;
}

long vcpu_stop_singleshot_timer(struct vcpu *v)
{
    if (v != current)
        return -EINVAL;
    timer_cancel(&v->singleshot);
    return 0;
}

static int move_info(struct vcpu *v, const struct vcpu_register_vcpu_info *op)
{
    struct vcpu_info *info;
    struct frame *f;

    if (v->info_mfn != 0 || (v != current && READ_ONCE(v->up)) ||
        get_page_and_type(op->mfn, v->domain, TYPE_WRITABLE, &f) != 0)
        return -EINVAL;
    info = (struct vcpu_info *)((char *)mfn_to_virt(op->mfn) + op->offset);
    memmove(info, v->info, sizeof(*info));
    v->info_mfn = op->mfn;
    WRITE_ONCE(v->info, info);
    return 0;
}

/* Allowed once for each vCPU, by itself or while it is down. The references on the frame are
 * held until the domain ends, so it stays plain writable memory. */
long vcpu_register_vcpu_info(struct vcpu *v, const struct vcpu_register_vcpu_info *op)
{
    int rc;

    if (op->offset > PAGE_SIZE - sizeof(*v->info) || op->offset % _Alignof(struct vcpu_info) != 0)
        return -ENXIO;
    spin_lock(&v->domain->mm_lock);
    rc = move_info(v, op);
    spin_unlock(&v->domain->mm_lock);
    if (rc == 0)
        evtchn_info_moved(v);
    return rc;
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

long vcpu_send_nmi(struct vcpu *v, uint64_t arg)
{
    if (arg != 0)
        return -EINVAL;
    ask_work(v, WORK_NMI);
    vcpu_wake(v);
    vcpu_kick(v);
    return 0;
}
