/* A guest and lists of frame numbers in its memory. Included by test_memory.c,
 * test_memory_exchange.c and test_multicall.c. */
#ifndef MEMORY_FIXTURE_H
#define MEMORY_FIXTURE_H

#include <string.h>
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/pv/hypercalls.h"

#define LIST (SCRATCH + 1024)

static struct domain *d;

static inline int one_guest(void **state)
{
    (void)state;
    d = guest_up(1);
    return 0;
}

static inline struct xen_memory_reservation extents(unsigned nr, unsigned order)
{
    struct xen_memory_reservation r = {
        .nr_extents = nr, .extent_order = order, .domid = DOMID_SELF,
    };

    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)LIST);
    return r;
}

static inline long reserve(unsigned cmd, struct xen_memory_reservation r)
{
    return hcall_struct(__HYPERVISOR_memory_op, cmd, &r, sizeof(r));
}

static inline void list_put(unsigned i, uint64_t value)
{
    guest_put(LIST + i * 8, &value, 8);
}

static inline uint64_t list_get(unsigned i)
{
    uint64_t value;

    guest_get(&value, LIST + i * 8, 8);
    return value;
}

/* Removes all mappings of the frame at va, so that only its owner's reference is left. */
static inline mfn_t unmapped(uint64_t va)
{
    mfn_t mfn = mfn_of_va(va);

    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, 0, UVMF_INVLPG), 0);
    return mfn;
}

#define BELOW_4G 0x100000u             /* in frames */

static inline int across_4g(void **state)
{
    (void)state;
    machine_up_at(BELOW_4G - 10 * 2 * CHUNK_FRAMES);    /* ten chunks below, six above */
    d = guest_make(1, 1);
    assert_non_null(d);
    host_become(d->vcpu[0]);
    d->max_frames = ~0ull >> 1;
    return 0;
}

static inline uint64_t free_below(mfn_t end)
{
    uint64_t n = 0;

    for (mfn_t mfn = 0; mfn < MIN(end, max_mfn); mfn++) {
        const struct frame *f = mfn_to_frame(mfn);

        n += f->owner == 0 && nr_refs(f->word) == 0;
    }
    return n;
}
#define with_memory_across_4g(test) \
    cmocka_unit_test_setup_teardown(test, across_4g, machine_down)
#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)

#endif
