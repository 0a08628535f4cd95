/* mmuext_op: pins, page-table roots, TLB flushes, LDT, clearing and copying of frames; one
 * function for each command. Also loads roots for emulate.c (MOV to CR3) and drops them when a
 * domain ends. Validation is in pagetype.c. */
#include "arch/arch.h"
#include "common/atomic.h"
#include "common/string.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/flush.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/guest_log.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/sched.h"
#include "xen/pv/desc.h"
#include "xen/pv/domid.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/mmu_update.h"
#include "xen/pv/mmuext.h"
#include "xen/pv/pagetype.h"

#define WORK_PER_OP 300u
#define FEW 4u                          /* so few operations are not counted as work */
#define WORK_PER_PAGE 1500u             /* to clear or copy one */

/* The epoch advances, so that no frame with an older stamp needs a flush of this CPU any more. */
static void load_and_flush(struct vcpu *v)
{
    locked_add(&v->domain->epoch, 1);
    arch_load_root_and_flush(v);
}

/* The M2P is for the kernel: an L4 maps it when it has been a kernel's root, or if the guest asked
 * for m2p_strict before it became an L4 (pagetype.c); with m2p_strict not while it is a user's.
 * That is what public/xen.h says of m2p_strict. */
static inline void show_m2p(const struct vcpu *v, uint64_t *l4, bool kernel)
{
    if (kernel ? unlikely(l4[HOLE_FIRST_SLOT] == 0) : unlikely(m2p_is_strict(v->domain)))
        arch_show_m2p(l4, kernel);
}

/* V1: takes the new root's references, then loads it, then drops the old root's references: so
 * the CPU never uses a freed table. load: v runs, and its CPU may have translations of the old
 * root. */
static inline __attribute__((always_inline)) int new_root(struct vcpu *v, bool kernel, mfn_t mfn,
                                                          bool load)
{
    uint64_t *root = kernel ? &v->root_kernel : &v->root_user;
    uint64_t old = *root;
    struct frame *f;
    int rc;

    if (mfn == old >> PAGE_SHIFT) {
        if (load)
            load_and_flush(v); /* loading the same root again flushes the TLB, as MOV to CR3 does */
        return 0;
    }
    if (mfn != 0) {
        rc = get_page_and_type(mfn, v->domain, TYPE_L4, &f);
        if (rc != 0)
            return rc;
        show_m2p(v, mfn_to_virt(mfn), kernel);
    }
    *root = mfn << PAGE_SHIFT;
    if (load)
        load_and_flush(v);
    if (old != 0)
        put_page_and_type(mfn_to_frame(old >> PAGE_SHIFT));
    return 0;
}

int new_guest_root(struct vcpu *v, mfn_t mfn)
{
    if (mfn == 0)
        return -EINVAL;
    if (v->ldt_ents != 0)
        drop_ldt(v);
    return new_root(v, true, mfn, v == current);
}

static int change_user_root(struct vcpu *v, mfn_t mfn, bool load)
{
    return new_root(v, false, mfn, load);
}

int new_user_root(struct vcpu *v, mfn_t mfn)
{
    return change_user_root(v, mfn, v == current);
}

bool write_guest_cr3(struct vcpu *v, uint64_t value)
{
    int rc;

    spin_lock(&v->domain->mm_lock);
    rc = new_guest_root(v, value >> PAGE_SHIFT);
    spin_unlock(&v->domain->mm_lock);
    return rc == 0;
}

void drop_roots(struct vcpu *v)
{
    uint64_t *roots[2] = { &v->root_kernel, &v->root_user };

    for (unsigned i = 0; i < ARRAY_SIZE(roots); i++) {
        uint64_t old = *roots[i];

        *roots[i] = 0;
        if (old != 0)
            put_page_and_type(mfn_to_frame(old >> PAGE_SHIFT));
    }
}

int mmuext_pin(struct domain *d, const struct mmuext_op *op)
{
    static const uint64_t types[] = { TYPE_L1, TYPE_L2, TYPE_L3, TYPE_L4 };
    struct frame *f;
    int rc = get_page_and_type(op->arg1.mfn, d, types[op->cmd - MMUEXT_PIN_L1_TABLE], &f);

    if (rc != 0) {
        guest_log(d, LOG_DEBUG, "pin of mfn %lx as L%u refused, error %d", op->arg1.mfn,
                  op->cmd - MMUEXT_PIN_L1_TABLE + 1, rc);
        return rc;
    }
    if (READ_ONCE(f->word) & TYPE_PINNED) {
        put_page_and_type(f);
        return -EINVAL;
    }
    locked_or(&f->word, TYPE_PINNED);   /* F7: the pin holds the two references just taken */
    mm_preempt_after(d, 0);
    return 0;
}

int mmuext_unpin_table(struct domain *d, const struct mmuext_op *op)
{
    struct frame *f = get_frame(op->arg1.mfn, d);

    if (f == NULL)
        return -EINVAL;
    if (!(READ_ONCE(f->word) & TYPE_PINNED)) {
        put_page(f);
        return -EINVAL;
    }
    locked_and(&f->word, ~TYPE_PINNED);
    put_page_and_type(f);
    put_page(f);
    mm_preempt_after(d, 0);
    return 0;
}

int mmuext_new_baseptr(struct domain *d, const struct mmuext_op *op)
{
    struct vcpu *v = current;
    int rc = new_guest_root(v, op->arg1.mfn);

    (void)d;
    v->user_root_unused = rc == 0;
    return rc;
}

/* Linux changes both roots in one call. Then the flush for the kernel's root has left no
 * translation of the old user root, and user mode has not run since: no other flush is owed. */
int mmuext_new_user_baseptr(struct domain *d, const struct mmuext_op *op)
{
    struct vcpu *v = current;

    (void)d;
    return change_user_root(v, op->arg1.mfn, !v->user_root_unused);
}

/* A flush that the guest asks for. mm_lock is released meanwhile: the guest's other vCPUs may wait
 * for it. */
static void flush_others_unlocked(struct domain *d)
{
    if (nr_cpus == 1)
        return;
    spin_unlock(&d->mm_lock);
    flush_others(d);
    spin_lock(&d->mm_lock);
}

/* Local, multi and all. A vCPU that is not running loads its root, and so flushes, when it runs;
 * multi flushes all that run. */
int mmuext_tlb_flush(struct domain *d, const struct mmuext_op *op)
{
    locked_add(&d->epoch, 1);
    arch_flush_all();
    if (op->cmd != MMUEXT_TLB_FLUSH_LOCAL)
        flush_others_unlocked(d);
    return 0;
}

int mmuext_invlpg(struct domain *d, const struct mmuext_op *op)
{
    if (!guest_range_ok(op->arg1.linear_addr, 1))
        return 0;
    arch_flush_tlb_one(op->arg1.linear_addr);
    if (op->cmd != MMUEXT_INVLPG_LOCAL)
        flush_others_unlocked(d);
    return 0;
}

/* The multi forms name a set of vCPUs, which must be readable, as on Xen. More CPUs may be
 * flushed. */
int mmuext_tlb_flush_multi(struct domain *d, const struct mmuext_op *op)
{
    return check_vcpu_set((uint64_t)op->arg2.vcpumask.p) != 0 ? -EINVAL : mmuext_tlb_flush(d, op);
}

int mmuext_invlpg_multi(struct domain *d, const struct mmuext_op *op)
{
    return check_vcpu_set((uint64_t)op->arg2.vcpumask.p) != 0 ? -EINVAL : mmuext_invlpg(d, op);
}

int mmuext_set_ldt(struct domain *d, const struct mmuext_op *op)
{
    (void)d;
    return set_ldt(current, op->arg1.linear_addr, op->arg2.nr_ents);
}

static int clear_or_copy(struct domain *d, mfn_t to, const void *from)
{
    struct frame *f;

    if (get_page_and_type(to, d, TYPE_WRITABLE, &f) != 0)
        return -EINVAL;
    if (from)
        memcpy(mfn_to_virt(to), from, PAGE_SIZE);
    else
        memset(mfn_to_virt(to), 0, PAGE_SIZE);
    put_page_and_type(f);
    count_work(WORK_PER_PAGE);
    return 0;
}

int mmuext_clear_page(struct domain *d, const struct mmuext_op *op)
{
    return clear_or_copy(d, op->arg1.mfn, NULL);
}

int mmuext_copy_page(struct domain *d, const struct mmuext_op *op)
{
    struct frame *src = get_frame(op->arg2.src_mfn, d);
    int rc;

    if (src == NULL)
        return -EINVAL;
    rc = clear_or_copy(d, op->arg1.mfn, mfn_to_virt(frame_to_mfn(src)));
    put_page(src);
    return rc;
}

/* uops: guest array of count struct mmuext_op; stops at the first that fails and returns its
 * errno. foreigndom: whose frames are pinned or copied; only the caller may be named. uops and
 * pdone: as for mmu_update. */
long do_mmuext_op(uint64_t uops, unsigned count, uint64_t pdone, unsigned foreigndom)
{
    struct domain *d = current->domain;
    unsigned done = 0;
    int rc = 0;

    if (unlikely(!is_guest_va(uops)))
        return -EFAULT;
    if (unlikely((domid_t)foreigndom != DOMID_SELF))
        return check_domid((domid_t)foreigndom, NAMES_SYSTEM);
    current->user_root_unused = false;
    spin_lock(&d->mm_lock);
    for (; done < count; done++) {
        struct mmuext_op op;

        rc = -EFAULT;
        if (unlikely(!get_guest_args(&op, uops + done * sizeof(op), 3)))
            break;
        rc = -ENOSYS;
        if (unlikely(op.cmd >= ABI_MAX_OPS))
            break;
        rc = mmuext_op_table[op.cmd](d, &op);
        if (unlikely(rc != 0))
            break;
        if (unlikely((done & 31) == 31) && !mm_preempt_after(d, 32 * WORK_PER_OP))
            break;
    }
    if (unlikely(count > FEW))
        count_work((done & 31) * WORK_PER_OP);
    spin_unlock(&d->mm_lock);
    if (pdone != 0)
        store_done(pdone, done);
    return rc;
}
