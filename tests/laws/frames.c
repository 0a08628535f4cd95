/* Calls the hypervisor's code that frames.smt2 and updates.smt2 model, on frames of a table that is
 * made for it. */
#include <stdlib.h>
#include <string.h>
#include "hooks.h"
#include "tie.h"
#include "common/x86/insn.h"
#include "xen/core/flush.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"
#include "xen/pv/linear.h"
#include "xen/pv/l1_entry.h"
#include "xen/pv/pagetype.h"

int update_one(const struct mmu_update *u, struct domain *d, struct domain *owner);
bool store_to_l1(struct domain *d, uint64_t *slot, const struct insn *in, unsigned offset,
                 uint64_t src, struct cpu_user_regs *regs);

#define MARK 0x6d61726b6d61726bull
#define TABLE 5u                                /* frame numbers */
#define TARGET 6u

/* --- Updates ---------------------------------------------------------------------------------- */

static struct frame plain_frame(uint64_t type)
{
    return (struct frame){ .word = type | TYPE_VALIDATED | FRAME_ALLOCATED | TYPE_REF | 2,
                           .owner = guest->mfn };
}

/* All frames are replaced but that of the guest's own struct domain. */
static void shape_address(uint64_t *a)
{
    if (a[1] % 2)
        a[0] %= (uint64_t)SPARSE_FRAMES << PAGE_SHIFT;
    if (a[0] >> PAGE_SHIFT == guest->mfn)
        a[0] ^= PAGE_SIZE;
    if (a[1] % 5 == 0)
        a[1] = (a[0] >> PAGE_SHIFT) + a[1] / 8 % 4 - 1;
    else if (a[1] % 5 < 3)
        a[1] = SPARSE_FRAMES;
    a[1] %= SPARSE_FRAMES + 1;
}

static uint64_t marked_address(void)
{
    uint64_t *page = hooks.page, found = ~0ull;

    for (unsigned i = 0; i < PTES_PER_TABLE; i++)
        if (page[i] == MARK) {
            page[i] = 0;
            if (found != ~0ull)
                abort();
            found = (hooks.frame << PAGE_SHIFT) + 8 * i;
        }
    return found;
}

static uint64_t call_update_target(const uint64_t *a)
{
    struct mmu_update u = { .ptr = a[0], .val = MARK };
    uint64_t found;

    sparse_on();
    max_mfn = a[1];
    if (a[0] >> PAGE_SHIFT < SPARSE_FRAMES)
        frame_table[a[0] >> PAGE_SHIFT] = plain_frame(TYPE_WRITABLE);
    update_one(&u, guest, guest);
    found = marked_address();
    sparse_off();
    return found;
}

static uint64_t call_l1_slot_at(const uint64_t *a)
{
    uint64_t *slot;

    sparse_on();
    max_mfn = a[1];
    if (a[0] >> PAGE_SHIFT < SPARSE_FRAMES)
        frame_table[a[0] >> PAGE_SHIFT] = plain_frame(TYPE_L1);
    slot = l1_slot_at(a[0], guest);
    if (slot != NULL && (hooks.frame != a[0] >> PAGE_SHIFT ||
                         slot != (uint64_t *)hooks.page + a[0] % PAGE_SIZE / 8))
        abort();
    sparse_off();
    return slot != NULL;
}

static void shape_part_stored(uint64_t *a)
{
    a[2] = 1ull << a[2] % 4;
    a[3] = a[3] % 8 & ~(a[2] - 1);
    a[0] &= ~1ull;
    a[1] &= a[3] == 0 ? ~1ull : ~0ull;
}

static uint64_t call_part_stored(const uint64_t *a)
{
    const struct insn in = { .op = OP_MOV, .op_bytes = (uint8_t)a[2] };
    struct cpu_user_regs regs = { .rip = 0 };
    uint64_t slot = a[0];

    if (!store_to_l1(guest, &slot, &in, (unsigned)a[3], a[1], &regs))
        abort();
    return slot;
}

/* --- The word of a frame ---------------------------------------------------------------------- */

static struct frame frame_with(uint64_t word)
{
    return (struct frame){ .word = word, .owner = guest->mfn };
}

static uint64_t call_may_get(const uint64_t *a)
{
    struct frame f = frame_with(a[0]);

    return get_page(&f, guest);
}

static uint64_t call_word_after_get(const uint64_t *a)
{
    struct frame f = frame_with(a[0]);

    return get_page(&f, guest) ? f.word : 0;
}

static uint64_t call_word_after_put(const uint64_t *a)
{
    struct frame f = frame_with(a[0]);

    put_page(&f);
    return f.word;
}

static void shape_type(uint64_t *a)
{
    a[1] = ((a[1] % 2 ? a[0] : a[1]) & TYPE_MASK);
}

static uint64_t call_is_valid_as(const uint64_t *a)
{
    const struct frame f = frame_with(a[0]);

    return is_valid_as(&f, a[1]);
}

static void shape_type_after_get(uint64_t *a)
{
    a[0] |= TYPE_VALIDATED;
    a[1] = a[0] & TYPE_MASK;
}

static uint64_t call_type_after_get(const uint64_t *a)
{
    struct frame f = frame_with(a[0]);

    return get_page_type(&f, a[1]) == 0 ? f.word : 0;
}

static void shape_type_after_put(uint64_t *a)
{
    if (nr_type_refs(a[0]) < 2)
        a[0] |= 2 * TYPE_REF;
}

static uint64_t call_type_after_put(const uint64_t *a)
{
    struct frame f = frame_with(a[0]);

    put_page_type(&f);
    return f.word;
}

static void shape_writable(uint64_t *a)
{
    a[0] |= TYPE_WRITABLE | TYPE_VALIDATED;
    a[0] &= ~(8ull << TYPE_SHIFT);
    if (!may_get(a[0]))
        a[0] ^= FRAME_COUNT_GUARD;
}

/* The references of a writable entry on a frame with this word: taken, or put again. */
static uint64_t after_entry(uint64_t word, bool put)
{
    uint64_t entry = (uint64_t)TARGET << PAGE_SHIFT | PTE_P | PTE_RW | PTE_US, after;

    sparse_on();
    frame_table[TARGET] = frame_with(word);
    if (!put && get_page_from_l1e(entry, guest) != 0)
        abort();
    if (put)
        put_page_from_l1e(entry, guest);
    after = frame_table[TARGET].word;
    sparse_off();
    return after;
}

static uint64_t call_writable_get(const uint64_t *a)
{
    return after_entry(a[0], false);
}

static void shape_writable_put(uint64_t *a)
{
    shape_writable(a);
    a[0] |= 2 * TYPE_REF + 2;
}

static uint64_t call_writable_put(const uint64_t *a)
{
    return after_entry(a[0], true);
}

/* a: the word of the table, that of the target, `linear` of the table, that of the target. */
static void shape_linear_ok(uint64_t *a)
{
    a[1] = (a[1] & ~FRAME_COUNT_MASK) | 1;
    if ((a[1] >> 32) % 4)
        a[1] = (a[1] & ~TYPE_MASK) | (a[0] & TYPE_MASK) | TYPE_VALIDATED;
    if (a[0] % 4)
        a[2] &= ~(uint64_t)LINEAR_USES;
    if (a[0] % 5)
        a[3] &= ~(uint64_t)LINEAR_ENTRIES;
    if (a[0] % 7 == 0)
        a[3] |= LINEAR_USES;
}

static void shape_linear(uint64_t *a)
{
    a[1] = (a[1] & ~(TYPE_MASK | FRAME_COUNT_MASK)) | (a[0] & TYPE_MASK) | TYPE_VALIDATED | 1;
    a[2] &= ~(uint64_t)LINEAR_USES;
    a[3] &= ~(uint64_t)LINEAR_ENTRIES;
}

/* The table and its target after get_linear_table; its result. */
static bool make_linear(const uint64_t *a, struct frame *table, struct frame *target)
{
    int rc;

    sparse_on();
    frame_table[TABLE] = frame_with(a[0]);
    frame_table[TARGET] = frame_with(a[1]);
    frame_table[TABLE].linear = (uint32_t)a[2];
    frame_table[TARGET].linear = (uint32_t)a[3];
    rc = get_linear_table((uint64_t)TARGET << PAGE_SHIFT | PTE_P, &frame_table[TABLE]);
    linear_tables = guest->linear_tables = false;
    guest->vcpu[0]->iret_slow = 0;
    *table = frame_table[TABLE];
    *target = frame_table[TARGET];
    if (table->word != a[0] || target->word != a[1] + (rc == 0 ? TYPE_REF + 1 : 0) ||
        (rc != 0 && (table->linear != (uint32_t)a[2] || target->linear != (uint32_t)a[3])))
        abort();
    sparse_off();
    return rc == 0;
}

static uint64_t call_linear_ok(const uint64_t *a)
{
    struct frame table, target;

    return make_linear(a, &table, &target);
}

static uint64_t call_linear_table(const uint64_t *a)
{
    struct frame table, target;

    return make_linear(a, &table, &target) ? table.linear : 0;
}

static uint64_t call_linear_target(const uint64_t *a)
{
    struct frame table, target;

    return make_linear(a, &table, &target) ? target.linear : 0;
}

static uint64_t call_flush_needed(const uint64_t *a)
{
    uint64_t before = host.full_flushes;

    guest->vcpu[0]->flushed = a[0];
    guest->epoch = a[2];
    spin_lock(&guest->mm_lock);
    flush_since(guest, a[1]);
    spin_unlock(&guest->mm_lock);
    return host.full_flushes - before;
}

static uint64_t call_epoch_after(const uint64_t *a)
{
    guest->vcpu[0]->flushed = a[0];
    guest->epoch = a[2];
    spin_lock(&guest->mm_lock);
    flush_since(guest, a[1]);
    spin_unlock(&guest->mm_lock);
    return guest->epoch;
}

/* Epochs near one another, in their order: flushed and stamp are no later than the epoch. */
static void shape_epochs(uint64_t *a)
{
    a[2] = MAX(a[2] % 8 != 0 ? a[2] : a[2] % 100, 1ull);
    a[2] = MIN(a[2], UINT64_MAX - 1);
    a[0] = a[0] % 2 ? a[2] - MIN(a[0] / 2 % 3, a[2]) : MIN(a[0], a[2]);
    a[1] = a[1] % 2 ? a[2] - MIN(a[1] / 2 % 3, a[2]) : MIN(a[1], a[2]);
}

const struct real reals_frames[] = {
    { "update_target", call_update_target, shape_address, 0 },
    { "l1_slot_at", call_l1_slot_at, shape_address, 0 },
    { "part_stored", call_part_stored, shape_part_stored, 0 },
    { "may_get", call_may_get, NULL, 0 },
    { "word_after_get", call_word_after_get, NULL, 0 },
    { "word_after_put", call_word_after_put, NULL, 0 },
    { "is_valid_as", call_is_valid_as, shape_type, 0 },
    { "type_after_get", call_type_after_get, shape_type_after_get, 0 },
    { "type_after_put", call_type_after_put, shape_type_after_put, 0 },
    { "writable_get", call_writable_get, shape_writable, 0 },
    { "writable_put", call_writable_put, shape_writable_put, 0 },
    { "linear_ok", call_linear_ok, shape_linear_ok, 0 },
    { "linear_table", call_linear_table, shape_linear, 0 },
    { "linear_target", call_linear_target, shape_linear, 0 },
    { "flush_needed", call_flush_needed, shape_epochs, 0 },
    { "epoch_after", call_epoch_after, shape_epochs, 0 },
    { .name = NULL },
};
