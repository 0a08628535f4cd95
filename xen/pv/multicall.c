/* multicall: several hypercalls in one; each is read, called, and its result written, in turn.
 * Called like any hypercall, through hypercall_table. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"
#include "xen/core/trace.h"
#include "xen/pv/hypercalls.h"

#define WORK_PER_MEMBER 500u

/* By value, so that the arguments stay in registers on the usual path. */
static long __attribute__((noinline))
call_traced(uint64_t op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    const uint64_t args[6] = { a, b, c, d, e, f };

    return hypercall_traced(op, args);
}

static inline long call(struct vcpu *v, uint64_t op, const uint64_t a[6])
{
    if (tracing(TRACE_HYPERCALL))
        return call_traced(op, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (unlikely(op >= NR_HYPERCALLS))
        return -ENOSYS;
    v->calls[op]++;
    return hypercall_table[op](a[0], a[1], a[2], a[3], a[4], a[5]);
}

static inline __attribute__((always_inline)) bool get_member(uint64_t va, uint64_t *op,
                                                             uint64_t args[6])
{
    uint64_t args_va = va + offsetof(struct multicall_entry, args);

    if (unlikely(linear_tables))
        return linear_copy(op, va, 8) == 0 && linear_copy(args, args_va, 48) == 0;
    return get_guest_words_unhidden(op, va, 1) && get_guest_words_unhidden(args, args_va, 6);
}

/* calls: guest array of nr struct multicall_entry. If a member fails, its result has the errno
 * and the next one is called. If an entry cannot be read or its result not written: -EFAULT. An
 * iret ends the array, because the guest may be in user mode then, and the other entries are the
 * kernel's (XSA-213); the return value is then the guest's rax. */
long do_multicall(uint64_t calls, unsigned nr)
{
    struct vcpu *v = current;
    long rc = 0;

    if (unlikely(v->in_multicall))
        return -EINVAL;
    if (unlikely(!guest_range_ok(calls, (uint64_t)nr * sizeof(struct multicall_entry))))
        return -EFAULT;
    v->in_multicall = true;
    for (unsigned i = 0; i < nr; i++, calls += sizeof(struct multicall_entry)) {
        uint64_t op, args[6];
        long result;

        if (unlikely(!get_member(calls, &op, args))) {
            rc = -EFAULT;
            break;
        }
        result = call(v, op, args);
        if (unlikely(op == __HYPERVISOR_iret || !v->kernel_mode)) {
            rc = result;
            break;
        }
        if (unlikely(
                !put_guest_words(calls + offsetof(struct multicall_entry, result), &result, 1))) {
            rc = -EFAULT;
            break;
        }
        preempt_after(WORK_PER_MEMBER);     /* members that take long count their own work */
        if (unlikely(v->domain->state != DOM_RUNNING))
            break;
    }
    v->in_multicall = false;
    return rc;
}
