/* Page tables and frames of one domain, changed by two or three vCPUs at once: a page is mapped
 * writable by one while another makes a table of it, a tree is pinned by two, frames are given
 * back. */
#include "arch/arch.h"
#include "tests/interleave/interleave.h"
#include "xen/core/frame.h"
#include "xen/core/request.h"
#include "xen/core/walk.h"

#define ROUNDS 12u
#define FRAMES 3u

/* Frames that play: where they can be mapped, and the frames themselves. */
static mfn_t frames[FRAMES];
static uint64_t places[FRAMES];

static void prepare(struct domain *d[2])
{
    host_become(d[0]->vcpu[0]);
    for (unsigned i = 0; i < FRAMES; i++) {
        places[i] = FREE_PFN_VA + i * PAGE_SIZE;
        (void)call(__HYPERVISOR_update_va_mapping, places[i], 0, 0, 0);
        frames[i] = unmapped_frame();
    }
}

static uint64_t entry(mfn_t mfn, bool writable)
{
    return mfn << PAGE_SHIFT | PTE_P | PTE_US | (writable ? PTE_RW : 0);
}

static void map_or_not(bool flush)
{
    unsigned place = pick(FRAMES), what = pick(4);
    uint64_t val = what == 0 ? 0 : entry(frames[pick(FRAMES)], what > 1);

    (void)call(__HYPERVISOR_update_va_mapping, places[place], val, flush ? UVMF_INVLPG : 0, 0);
}

static void retype(struct vcpu *v)
{
    (void)v;
    for (unsigned i = 0; i < ROUNDS; i++) {
        switch (pick(6)) {
        case 0:
        case 1:
            map_or_not(pick(2));
            break;
        case 2:
            (void)call_mmuext(MMUEXT_PIN_L1_TABLE, frames[pick(FRAMES)], 0);
            break;
        case 3:
            (void)call_mmuext(MMUEXT_UNPIN_TABLE, frames[pick(FRAMES)], 0);
            break;
        case 4:
            guest_store(places[pick(FRAMES)] + 8, 0);
            break;
        default:
            guest_load(places[pick(FRAMES)]);
        }
    }
}

/* Stores of the guest through its TLB, while the other vCPUs change the frame's use: none may reach
 * a table. The stored word is no valid entry, so a table that has it was written behind the
 * hypervisor's back; the audit finds it. */
static void hammer(struct vcpu *v)
{
    if (v->id > 0) {
        retype(v);
        return;
    }
    for (unsigned i = 0; i < 3 * ROUNDS; i++)
        guest_store(places[pick(FRAMES)] + 16, 0xffffff0000000fff);
}

/* frames[2] is an L2, frames[1] an L1 below it, frames[0] a page. */
static void prepare_tree(struct domain *d[2])
{
    prepare(d);
    ((uint64_t *)mfn_to_virt(frames[2]))[3] = entry(frames[1], true);
    ((uint64_t *)mfn_to_virt(frames[1]))[5] = entry(frames[0], true);
}

static void update(mfn_t table, unsigned slot, uint64_t val)
{
    struct mmu_update u = { (table << PAGE_SHIFT) + 8 * slot, val };

    guest_put(SCRATCH + current->id * PAGE_SIZE, &u, sizeof(u));
    (void)call(__HYPERVISOR_mmu_update, SCRATCH + current->id * PAGE_SIZE, 1, 0, DOMID_SELF);
}

static void trees(struct vcpu *v)
{
    (void)v;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned level = 1 + pick(2);

        switch (pick(6)) {
        case 0:
        case 1:
            (void)call_mmuext(level == 1 ? MMUEXT_PIN_L1_TABLE : MMUEXT_PIN_L2_TABLE, frames[level],
                              0);
            break;
        case 2:
        case 3:
            (void)call_mmuext(MMUEXT_UNPIN_TABLE, frames[level], 0);
            break;
        case 4:
            update(frames[level], level == 2 ? 3 : 5, pick(2) ? 0 : entry(frames[level - 1], true));
            break;
        default:
            map_or_not(true);
        }
    }
}

/* An extent of one frame: *word is its frame number, or where it is to be. Both are on current's
 * pages. */
static long reservation(unsigned command, uint64_t *word)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    uint64_t page = SCRATCH + (8 + current->id) * PAGE_SIZE;
    long rc;

    guest_put(page, word, 8);
    set_xen_guest_handle(r.extent_start, (void *)page);
    rc = call_struct(__HYPERVISOR_memory_op, command, &r, sizeof(r));
    guest_get(word, page, 8);
    return rc;
}

void give_frame_back(mfn_t mfn)
{
    (void)reservation(XENMEM_decrease_reservation, &mfn);
}

mfn_t get_frame_anew(void)
{
    uint64_t word = 100;

    return reservation(XENMEM_populate_physmap, &word) == 1 ? word : INVALID_MFN;
}

static void give_back(struct vcpu *v)
{
    mfn_t mfn;

    (void)v;
    for (unsigned i = 0; i < ROUNDS; i++) {
        switch (pick(4)) {
        case 0:
            give_frame_back(frames[pick(FRAMES)]);
            break;
        case 1:
            mfn = get_frame_anew();
            if (mfn != INVALID_MFN)
                frames[pick(FRAMES)] = mfn;
            break;
        case 2:
            map_or_not(pick(2));
            break;
        default:
            guest_store(places[pick(FRAMES)], 1);
        }
    }
}

/* A linear entry of the root comes and goes, by which a walk reaches the hypervisor's entries; the
 * other vCPU passes addresses there to hypercalls. */
#define VIEW_SLOT 300ul
#define VIEW_VA (0xffff000000000000ul | VIEW_SLOT << 39)
#define HIDDEN_VA (VIEW_VA | 262ul << 30)
/* One of the guest's L1 tables; a CPU that has read it has the linear entry cached. */
#define SEEN_VA (VIEW_VA | (GUEST_BASE >> 9 & 0x7ffffff000ul))

static void prepare_linear(struct domain *d[2])
{
    prepare(d);
    linear_tables = false;
}

static void linear(struct vcpu *v)
{
    mfn_t root = v->root_kernel >> PAGE_SHIFT;

    for (unsigned i = 0; i < 2 * ROUNDS; i++) {
        if (v->id == 0)
            update(root, VIEW_SLOT, pick(2) ? entry(root, false) : 0);
        else if (pick(3) == 0)
            guest_load(SEEN_VA);
        else
            (void)call(__HYPERVISOR_memory_op, XENMEM_current_reservation, HIDDEN_VA, 0, 0);
    }
}

static struct domain *audited;

/* As debug builds do when a domain has ended. While the others are held, none is in the middle of
 * an update. */
static void audit_while_held(void)
{
    if (pick(50) != 0)
        return;
    hold_cpus();
    HOST_CHECK(!READ_ONCE(audited->mm_lock.taken), "d%u is not held", audited->id);
    if (READ_ONCE(mm_preempted) == 0)
        audit();
    release_cpus();
}

static void prepare_audited(struct domain *d[2])
{
    prepare(d);
    audited = d[0];
    host.on_turn = audit_while_held;
}

const struct scenario page_scenarios[] = {
    { "retype", { 2 }, prepare, { retype }, NULL },
    { "retype-audited", { 2 }, prepare_audited, { retype }, NULL },
    { "hammer", { 3 }, prepare, { hammer }, NULL },
    { "trees", { 2 }, prepare_tree, { trees }, NULL },
    { "linear", { 2 }, prepare_linear, { linear }, NULL },
    { "give-back", { 2 }, prepare, { give_back }, NULL },
    { "give-back-two", { 2, 1 }, prepare, { give_back, give_back }, NULL },
    { NULL },
};
