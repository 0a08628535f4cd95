/* Multicall: several hypercalls in one, each read, called and answered in turn. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"
#include "xen/core/trace.h"
#include "xen/pv/hypercalls.h"

#define WORK_PER_MEMBER 500u

/* By value, so that the arguments stay in registers on the way that counts. */
static long __attribute__((noinline))
call_traced(uint64_t op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    const uint64_t args[6] = { a, b, c, d, e, f };

    return hypercall_traced(op, args);
}

static inline long call(uint64_t op, const uint64_t a[6])
{
    if (tracing(TRACE_HYPERCALL))
        return call_traced(op, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (unlikely(op >= NR_HYPERCALLS))
        return -ENOSYS;
    hypercall_counts[op]++;
    return hypercall_table[op](a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* calls: guest array of nr struct multicall_entry. A member's failure is in its result and stops
 * nothing; an entry that cannot be read or answered is -EFAULT. An iret ends the array, because
 * what follows was the kernel's to ask (XSA-213); its own result is what the guest's rax
 * becomes. */
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

        if (unlikely(
                (unlikely(linear_tables) && linear_hides(calls, sizeof(struct multicall_entry))) ||
                !get_guest_words_unhidden(&op, calls, 1) ||
                !get_guest_words_unhidden(args, calls + offsetof(struct multicall_entry, args),
                                          6))) {
            rc = -EFAULT;
            break;
        }
        result = call(op, args);
        if (unlikely(op == __HYPERVISOR_iret || !v->kernel_mode)) {
            rc = result;
            break;
        }
        if (unlikely(
                !put_guest_words(calls + offsetof(struct multicall_entry, result), &result, 1))) {
            rc = -EFAULT;
            break;
        }
        preempt_after(WORK_PER_MEMBER);     /* whatever is long has counted itself */
        if (unlikely(v->domain->state != DOM_RUNNING))
            break;
    }
    v->in_multicall = false;
    return rc;
}
