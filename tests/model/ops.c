/* The calls that the domain's kernel can make about the frames of the model, and what its CPU and the hypervisor do beside:
 * a table of all of them, made for a scope; how each is run, and how it is written as a line of C. */
#include <stdio.h>
#include "arch/arch.h"
#include "model.h"
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/ptwr.h"

#define CODE (SCRATCH + 0x1000)         /* mov %rax,(%rdi) */

struct op ops[MAX_OPS];
unsigned nr_ops;

static mfn_t argument_mfn;              /* of SCRATCH */

static void add(enum op_kind kind, unsigned frame, unsigned place, unsigned arg, unsigned value)
{
    HOST_CHECK(nr_ops < MAX_OPS, "%u calls", nr_ops);
    ops[nr_ops++] = (struct op){ kind, (uint8_t)frame, (uint8_t)place, (uint8_t)arg, (uint8_t)value };
}

static void add_place_ops(unsigned place, unsigned values)
{
    for (unsigned value = 0; value < values; value++)
        if (places[place].level == 1) {
            add(OP_UPDATE_VA, 0, place, 0, value);
            add(OP_UPDATE_VA_INVLPG, 0, place, 0, value);
            if (value != VALUE_STRANGER)
                add(OP_PTWR, 0, place, 0, value);
        } else {
            add(OP_MMU_UPDATE_PLACE, 0, place, 0, value);
        }
    add(OP_READ, 0, place, 0, 0);
    add(OP_WRITE, 0, place, 0, 0);
    add(OP_INVLPG, 0, place, 0, 0);
}

static void add_frame_ops(unsigned frame, unsigned values)
{
    for (unsigned level = 1; level <= 4; level++)
        add(OP_PIN, frame, 0, level, 0);
    for (unsigned entry = 0; entry < scope->nr_entries; entry++)
        for (unsigned value = 0; value < values; value++)
            add(OP_MMU_UPDATE, frame, 0, entry, value);
    add(OP_UNPIN, frame, 0, 0, 0);
    add(OP_USER_ROOT, frame, 0, 1, 0);
    add(OP_CLEAR, frame, 0, 0, 0);
    add(OP_DECREASE, frame, 0, 0, 0);
    if (scope->comes_back)
        add(OP_HV_GIVES, frame, 0, 0, 0);
}

void ops_make(void)
{
    unsigned values = VALUE_RO(scope->nr_frames);
    static const uint8_t code[] = { 0x48, 0x89, 0x07 };

    guest_put(CODE, code, sizeof(code));
    argument_mfn = mfn_of_va(SCRATCH);
    nr_ops = 0;
    for (unsigned place = 0; place < nr_places; place++)
        add_place_ops(place, values);
    for (unsigned frame = 0; frame < scope->nr_frames; frame++)
        add_frame_ops(frame, values);
    add(OP_USER_ROOT, 0, 0, 0, 0);
    add(OP_HV_TAKES, 0, 0, 0, 0);
    add(OP_FLUSH, 0, 0, 0, 0);
    if (scope->comes_back)
        add(OP_INCREASE, 0, 0, 0, 0);
}

static uint64_t value_of(unsigned value)
{
    if (value == VALUE_NONE)
        return 0;
    if (value == VALUE_STRANGER)
        return (uint64_t)model_domain->mfn << PAGE_SHIFT | PTE_P | PTE_US | PTE_A;
    return model_mfn[(value - 2) / 2] << PAGE_SHIFT | PTE_P | PTE_US | PTE_A | (value & 1 ? PTE_RW : 0);
}

/* --- How they are run ----------------------------------------------------------------------------------------------------
 * Arguments are put where the guest has them by our own mapping: its CPU would only remember walks that say nothing. */

static void *argument(void)
{
    return mfn_to_virt(argument_mfn);
}

static bool mmuext(unsigned cmd, mfn_t mfn)
{
    *(struct mmuext_op *)argument() = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = mfn };
    return do_mmuext_op(SCRATCH, 1, 0, DOMID_SELF) == 0;
}

static bool mmu_update(uint64_t maddr, unsigned value)
{
    *(struct mmu_update *)argument() = (struct mmu_update){ maddr, value_of(value) };
    return do_mmu_update(SCRATCH, 1, 0, DOMID_SELF) == 0;
}

static bool memory_op(unsigned cmd, mfn_t mfn)
{
    struct xen_memory_reservation *r = argument();
    uint64_t *list = (uint64_t *)(void *)(r + 1);

    *list = mfn;
    *r = (struct xen_memory_reservation){ .nr_extents = 1, .domid = DOMID_SELF };
    if (mfn != 0)
        r->extent_start.p = (void *)(SCRATCH + sizeof(*r));
    return do_memory_op(cmd, SCRATCH) == 1;
}

static bool ptwr(const struct op *op)
{
    struct cpu_user_regs *r = guest_regs(current);

    r->rip = CODE;
    r->cs = FLAT_RING3_CS64;
    r->rdi = places[op->place].va;
    r->rax = value_of(op->value);
    return ptwr_fault(current, places[op->place].va, r);
}

static bool hv_takes(void)
{
    return alloc_page() != NULL;
}

static bool hv_gives(mfn_t mfn)
{
    const struct frame *f = mfn_to_frame(mfn);

    if (f->owner != 0 || (f->count & FRAME_COUNT_MASK) == 0)
        return false;
    free_page(mfn_to_virt(mfn));
    return true;
}

static bool write_same(uint64_t va)
{
    uint64_t word;

    return host_guest_read(&word, va, 8) && host_guest_write(va, &word, 8);
}

bool op_run(const struct op *op)
{
    const struct place *p = &places[op->place];
    mfn_t mfn = model_mfn[op->frame];
    uint64_t word;

    switch (op->kind) {
    case OP_UPDATE_VA: return do_update_va_mapping(p->va, value_of(op->value), 0) == 0;
    case OP_UPDATE_VA_INVLPG: return do_update_va_mapping(p->va, value_of(op->value), UVMF_INVLPG) == 0;
    case OP_MMU_UPDATE_PLACE: return mmu_update(p->maddr, op->value);
    case OP_MMU_UPDATE: return mmu_update((mfn << PAGE_SHIFT) + 8ul * op->arg, op->value);
    case OP_PTWR: return ptwr(op);
    case OP_PIN: return mmuext(MMUEXT_PIN_L1_TABLE + op->arg - 1, mfn);
    case OP_UNPIN: return mmuext(MMUEXT_UNPIN_TABLE, mfn);
    case OP_USER_ROOT: return mmuext(MMUEXT_NEW_USER_BASEPTR, op->arg ? mfn : 0);
    case OP_CLEAR: return mmuext(MMUEXT_CLEAR_PAGE, mfn);
    case OP_DECREASE: return memory_op(XENMEM_decrease_reservation, mfn);
    case OP_INCREASE: return memory_op(XENMEM_increase_reservation, 0);
    case OP_HV_TAKES: return hv_takes();
    case OP_HV_GIVES: return hv_gives(mfn);
    case OP_READ: return host_guest_read(&word, p->va, 8);
    case OP_WRITE: return write_same(p->va);
    case OP_FLUSH: arch_flush_tlb(); return true;
    case OP_INVLPG: arch_flush_tlb_one(p->va); return true;
    }
    return false;
}

/* --- How they are written ------------------------------------------------------------------------------------------------ */

int op_print(char *text, size_t len, const struct op *op, const struct renaming *names)
{
    static const char *const line[] = {
        [OP_UPDATE_VA] = "update_va_mapping(va[%2$u], %4$s, 0)",
        [OP_UPDATE_VA_INVLPG] = "update_va_mapping(va[%2$u], %4$s, UVMF_INVLPG)",
        [OP_MMU_UPDATE_PLACE] = "mmu_update(slot_of(va[%2$u]), %4$s)",
        [OP_MMU_UPDATE] = "mmu_update(maddr(frame[%1$u]) + 8 * %3$u, %4$s)",
        [OP_PTWR] = "ptwr: *(uint64_t *)va[%2$u] = %4$s",
        [OP_PIN] = "mmuext(MMUEXT_PIN_L%3$u_TABLE, frame[%1$u])",
        [OP_UNPIN] = "mmuext(MMUEXT_UNPIN_TABLE, frame[%1$u])",
        [OP_USER_ROOT] = "mmuext(MMUEXT_NEW_USER_BASEPTR, frame[%1$u])",
        [OP_CLEAR] = "mmuext(MMUEXT_CLEAR_PAGE, frame[%1$u])",
        [OP_DECREASE] = "memory_op(XENMEM_decrease_reservation, frame[%1$u])",
        [OP_INCREASE] = "memory_op(XENMEM_increase_reservation)",
        [OP_HV_TAKES] = "alloc_page()",
        [OP_HV_GIVES] = "free_page(frame[%1$u])",
        [OP_READ] = "guest_read(va[%2$u])",
        [OP_WRITE] = "guest_write(va[%2$u])",
        [OP_FLUSH] = "mmuext(MMUEXT_TLB_FLUSH_LOCAL)",
        [OP_INVLPG] = "mmuext(MMUEXT_INVLPG_LOCAL, va[%2$u])",
    };
    const char *format = op->kind == OP_USER_ROOT && op->arg == 0 ? "mmuext(MMUEXT_NEW_USER_BASEPTR, 0)" : line[op->kind];
    char value[32] = "0";

    if (op->value == VALUE_STRANGER)
        snprintf(value, sizeof(value), "ro(stranger)");
    else if (op->value != VALUE_NONE)
        snprintf(value, sizeof(value), "%s(frame[%u])", op->value & 1 ? "rw" : "ro", names->frame[(op->value - 2) / 2]);
    _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
    return snprintf(text, len, format, names->frame[op->frame], names->place[op->place], op->arg, value);
}
