/* XENMEM_memory_map and XENMEM_set_memory_map: a guest's memory map is one range of RAM from 0,
 * of the largest size that the domain may have, unless the guest has set another one. Called by
 * the generated dispatch (common/abi.def). The other commands are in memory.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/memory.h"
#include "xen/pv/memory_map.h"

#define MAX_ENTRIES 1024u               /* of a map that a guest sets */

struct range {                          /* as the BIOS call INT 0x15, AX 0xe820 gives it */
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

static unsigned order_of(unsigned nr)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < nr * sizeof(struct range))
        order++;
    return order;
}

void memory_map_free(struct domain *d)
{
    free_pages_for(d, d->memory_map, order_of(d->memory_map_entries));
    d->memory_map = NULL;
}

long memory_set_memory_map(const struct xen_foreign_memory_map *op)
{
    unsigned nr = op->map.nr_entries;
    struct domain *d = current->domain;
    void *ranges = NULL;
    int rc;

    if (nr > MAX_ENTRIES)
        return -EINVAL;
    rc = memory_check_domid(op->domid);
    if (rc != 0)
        return rc;
    if (nr != 0) {
        ranges = alloc_pages_for(d, order_of(nr));
        if (ranges == NULL)
            return -ENOMEM;
    }
    if (copy_from_guest(ranges, (uint64_t)op->map.buffer.p, nr * sizeof(struct range)) != 0) {
        free_pages_for(d, ranges, order_of(nr));
        return -EFAULT;
    }
    spin_lock(&d->mm_lock);
    memory_map_free(d);
    d->memory_map = ranges;
    d->memory_map_entries = nr;
    d->memory_map_set = true;
    spin_unlock(&d->mm_lock);
    return 0;
}

/* Takes mm_lock, so that no other vCPU replaces the map meanwhile. -ENOSYS: the guest has set an
 * empty one. */
static int give_map(struct domain *d, uint64_t to, unsigned *nr)
{
    const struct range ram = { 0, d->max_frames << PAGE_SHIFT, 1 };

    if (d->memory_map_set && d->memory_map_entries == 0)
        return -ENOSYS;
    *nr = MIN(*nr, d->memory_map_set ? d->memory_map_entries : 1);
    return copy_to_guest(to, d->memory_map_set ? d->memory_map : &ram, *nr * sizeof(ram));
}

long memory_memory_map(struct xen_memory_map *op)
{
    struct domain *d = current->domain;
    int rc;

    spin_lock(&d->mm_lock);
    rc = give_map(d, (uint64_t)op->buffer.p, &op->nr_entries);
    spin_unlock(&d->mm_lock);
    return rc;
}
