/* How the calls about grants are run. The guest writes whole entries of either version to its
 * table, without the bits that say that an entry is in use: a guest that revokes a grant in
 * spite of them can do no more harm. */
#include "model.h"
#include "support.h"
#include "xen/pv/grant.h"
#include "xen/pv/hypercalls.h"

static unsigned mine(void)
{
    return domain_of_actor(actor_now());
}

/* Of which nothing may be left in use. */
static domid_t other_id(void)
{
    return (domid_t)(2 - mine());
}

static bool write_entry(const struct op *op)
{
    struct grant_table *gt = domains[mine()]->grant;
    uint16_t flags = op->value == VALUE_NONE ? 0
                     : op->value & 1         ? GTF_permit_access
                                             : GTF_permit_access | GTF_readonly;
    domid_t domid = op->value == VALUE_NONE ? 0 : other_id();
    mfn_t mfn = op->value == VALUE_NONE ? 0 : model_mfn[(op->value - 2) / 2];

    if (gt->version == 1)
        *grant_entry_v1_of(gt, ref_of(op->number)) =
            (struct grant_entry_v1){ flags, domid, (uint32_t)mfn };
    else
        *grant_entry_v2_of(gt, ref_of(op->number)) =
            (union grant_entry_v2){ .full_page = { .hdr = { flags, domid }, .frame = mfn } };
    return true;
}

static struct maptrack *handle(unsigned number)
{
    return &domains[mine()]->grant->maptrack[0][number];
}

/* An address, or the machine address of an entry of a table. */
static uint64_t where(const struct op *op, bool is_pte)
{
    if (op->place == NOWHERE)
        return model_mfn[op->frame] << PAGE_SHIFT;
    return is_pte ? places[op->place].maddr : places[op->place].va;
}

/* With as many handles as the model distinguishes, it asks for no more. */
static bool map(const struct op *op)
{
    struct gnttab_map_grant_ref *a = argument();

    if (domains[mine()]->grant->free_maptrack >= scope->second.handles[mine()])
        return false;
    *a = (struct gnttab_map_grant_ref){ .flags = op->arg,
                                        .ref = ref_of(op->number),
                                        .dom = other_id() };
    if (op->arg & GNTMAP_host_map)
        a->host_addr = where(op, op->arg & GNTMAP_contains_pte);
    return do_grant_table_op(GNTTABOP_map_grant_ref, SCRATCH, 1) == 0 && a->status == GNTST_okay;
}

static bool unmap(const struct op *op)
{
    struct gnttab_unmap_grant_ref *a = argument();
    const struct maptrack *t = handle(op->number);

    *a = (struct gnttab_unmap_grant_ref){ .handle = (uint32_t)t->generation << 16 | op->number };
    if (op->arg & GNTMAP_host_map)
        a->host_addr = where(op, t->flags & GNTMAP_contains_pte);
    if ((op->arg & GNTMAP_device_map) && (t->flags & GNTMAP_device_map))
        a->dev_bus_addr = (uint64_t)grant_pins_of(t->granter->grant, t->ref)->mfn << PAGE_SHIFT;
    return do_grant_table_op(GNTTABOP_unmap_grant_ref, SCRATCH, 1) == 0 && a->status == GNTST_okay;
}

static bool unmap_and_replace(const struct op *op)
{
    struct gnttab_unmap_and_replace *a = argument();
    const struct maptrack *t = handle(op->number);

    *a =
        (struct gnttab_unmap_and_replace){ .handle = (uint32_t)t->generation << 16 | op->number,
                                           .host_addr = where(op, t->flags & GNTMAP_contains_pte) };
    if (op->arg != NOWHERE)
        a->new_addr = places[op->arg].va;
    return do_grant_table_op(GNTTABOP_unmap_and_replace, SCRATCH, 1) == 0 &&
           a->status == GNTST_okay;
}

/* The bytes of one entry. */
static bool copy(const struct op *op)
{
    struct gnttab_copy *a = argument();
    struct gnttab_copy_ptr granted = { .u.ref = ref_of(op->number), .domid = other_id() };
    struct gnttab_copy_ptr own = { .u.gmfn = model_mfn[op->frame], .domid = DOMID_SELF };

    *a = (struct gnttab_copy){ .source = granted,
                               .dest = own,
                               .len = 8 * (uint16_t)scope->nr_entries,
                               .flags = GNTCOPY_source_gref };
    if (op->kind == OP_COPY_TO) {
        a->source = own;
        a->dest = granted;
        a->flags = GNTCOPY_dest_gref;
    }
    return do_grant_table_op(GNTTABOP_copy, SCRATCH, 1) == 0 && a->status == GNTST_okay;
}

bool op_run_grant(const struct op *op)
{
    switch (op->kind) {
    case OP_GRANT: return write_entry(op);
    case OP_MAP: return map(op);
    case OP_UNMAP: return unmap(op);
    case OP_REPLACE: return unmap_and_replace(op);
    default: return copy(op);
    }
}
