/* Calls the hypervisor's code that lists.smt2 models. */
#include <stdlib.h>
#include <string.h>
#include "hooks.h"
#include "tie.h"
#include "common/elf.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_maptrack.h"
#include "xen/pv/grant_pin.h"
#include "xen/pv/hypercalls.h"

bool inside(const struct elf_file *e, uint64_t offset, uint64_t len);
bool within(const struct grant_area *area, unsigned offset, unsigned len);
struct maptrack *maptrack_by_handle(const struct grant_table *gt, grant_handle_t handle);
uint32_t nr_waiting(const struct domain *d);
bool link_to_tail(event_word_t *tail, evtchn_port_t port);

#define NO_DOMAIN 0x7001u

/* --- memory_op, ELF --------------------------------------------------------------------------- */

/* As many frames in as out, in lists that a guest may have; often one number is then made wrong. */
static void shape_exchange(uint64_t *a)
{
    uint64_t random = a[0] ^ a[2] ^ a[4], nr = a[0] >> 20;
    unsigned in = a[1] % 10, out = a[3] % 10, chunk;

    switch (random % 16) {
    case 0:
        in = a[1] % 36;
        nr = 1 + a[0] % 4;
        break;
    case 1:
        out = a[3] % 36;
        nr = 1 + a[0] % 4;
        break;
    case 2:                                     /* the largest count that can be shifted */
        in = out = 4 + in % 6;
        nr = (~0ull >> in) - a[0] % 2;
        break;
    }
    chunk = MAX(in, out);
    a[0] = nr << (random % 16 == 2 ? 0 : chunk - in);
    a[2] = nr << (random % 16 == 2 ? 0 : chunk - out);
    a[1] = in;
    a[3] = out;
    a[5] &= ~0ull >> 18;
    a[6] &= ~0ull >> 18;
    switch (random / 16 % 12) {
    case 0:
        a[0] |= 1ull << (64 - MAX(in, 1u));       /* or one that is larger */
        break;
    case 1:
        a[2] |= 1ull << (64 - MAX(out, 1u));
        break;
    case 2:                                     /* more words than there can be */
        a[1] = in = 0;
        a[0] = 1ull << (61 + random / 256 % 3) | nr << out;
        a[2] = a[0] >> out;
        break;
    case 3:
        a[3] = out = 0;
        a[2] = 1ull << (61 + random / 256 % 3) | nr << in;
        a[0] = a[2] >> in;
        break;
    case 4:
        a[0] += random % 3;
        break;
    case 5:
        a[2] += random % 3;
        break;
    case 6:
        a[5] = HOLE_START - 8 * a[0] + random % 16 - 8;
        break;
    case 7:
        a[6] = HOLE_START - 8 * a[2] + random % 16 - 8;
        break;
    case 8:
        a[5] |= HOLE_START;
        break;
    case 9:
        a[6] |= HOLE_START;
        break;
    }
    if (random % 2)
        a[5] = a[6] = 0;
    a[4] = a[0] - (a[4] % 4 == 0 ? 0 : a[4] % 8 == 1 ? -1ull : 1);
}

/* The domain is checked after all numbers, and no domain has that id. */
static uint64_t call_exchange_ok(const uint64_t *a)
{
    struct xen_memory_exchange x = {
        .in = { .nr_extents = a[0], .extent_order = (unsigned)a[1], .domid = NO_DOMAIN },
        .out = { .nr_extents = a[2], .extent_order = (unsigned)a[3], .domid = NO_DOMAIN },
        .nr_exchanged = a[4],
    };
    long rc;

    set_xen_guest_handle_raw(x.in.extent_start, (xen_pfn_t *)(uintptr_t)a[5]);
    set_xen_guest_handle_raw(x.out.extent_start, (xen_pfn_t *)(uintptr_t)a[6]);
    hooks.guest_bytes = &x;
    rc = do_memory_op(XENMEM_exchange, SCRATCH);
    hooks.guest_bytes = NULL;
    return rc == -ESRCH;
}

static void shape_command(uint64_t *a)
{
    static const uint8_t with_start[] = { XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                          XENMEM_populate_physmap };

    a[0] = (a[0] & ~63ull) | with_start[a[0] % ARRAY_SIZE(with_start)];
}

static uint64_t call_memory_op_start(const uint64_t *a)
{
    return (uint64_t)do_memory_op(a[0], HOLE_START);
}

static uint64_t call_elf_inside(const uint64_t *a)
{
    const struct elf_file e = { .size = a[0] };

    return inside(&e, a[1], a[2]);
}

/* --- Grants ----------------------------------------------------------------------------------- */

static struct grant_table table;
static struct maptrack tracks[65536];

/* Addresses of pages, 1 MiB apart, which are only compared. */
#define FAKE_PAGE(n) ((void *)(uintptr_t)((1ull << 32) + ((uint64_t)(n) << 20)))

static uint64_t place_of(const void *p)
{
    uint64_t distance = (uint64_t)(uintptr_t)p - (1ull << 32);

    if (distance % (1u << 20) >= PAGE_SIZE)
        abort();
    return (distance >> 20) * PAGE_SIZE + distance % (1u << 20);
}

static void shape_ref(uint64_t *a)
{
    a[0] %= MAX_GRANT_FRAMES * GRANTS_PER_FRAME;
}

static void shape_ref_v2(uint64_t *a)
{
    a[0] %= MAX_GRANT_FRAMES * GRANTS_V2_PER_FRAME;
}

static uint64_t call_v1_place(const uint64_t *a)
{
    return place_of(grant_entry_v1_of(&table, (grant_ref_t)a[0]));
}

static uint64_t call_v2_place(const uint64_t *a)
{
    return place_of(grant_entry_v2_of(&table, (grant_ref_t)a[0]));
}

static uint64_t call_status_place(const uint64_t *a)
{
    table.version = 2;
    return place_of(grant_status_of(&table, (grant_ref_t)a[0]));
}

static uint64_t call_pins_place(const uint64_t *a)
{
    return place_of(grant_pins_of(&table, (grant_ref_t)a[0]));
}

static uint64_t call_copy_within(const uint64_t *a)
{
    const struct grant_area area = { .start = (uint16_t)a[0], .length = (uint16_t)a[1] };

    return within(&area, (unsigned)a[2], (unsigned)a[3]);
}

static void shape_handle(uint64_t *a)
{
    if (a[0] % 4)
        a[1] = a[0] >> 16;
    a[2] = a[2] % 4 ? 65536 - a[2] / 4 % 256 : (a[0] % 65536 + a[2] / 4 % 5) % 65536;
}

static uint64_t call_handle_found(const uint64_t *a)
{
    struct maptrack *mine = &tracks[a[0] % 65536], *found;

    *mine = (struct maptrack){ .generation = (uint16_t)a[1], .flags = GNTMAP_host_map };
    table.nr_maptracks = (uint32_t)a[2];
    found = maptrack_by_handle(&table, (grant_handle_t)a[0]);
    mine->flags = 0;
    if (found != NULL && found != mine)
        abort();
    return found != NULL;
}

static uint64_t call_next_generation(const uint64_t *a)
{
    struct maptrack t = { .generation = (uint16_t)a[0], .flags = GNTMAP_host_map };

    maptrack_free(&table, &t, 0);
    return t.generation;
}

/* --- Rings ------------------------------------------------------------------------------------ */

static uint64_t with_ring(struct xencons_interface *ring, bool output, unsigned n)
{
    void *before = guest->console_ring;
    uint64_t result;

    guest->console_ring = ring;
    result = output ? nr_waiting(guest) : console_has_room(guest, n);
    guest->console_ring = before;
    return result;
}

/* Often close to each other. */
static void shape_ring(uint64_t *a)
{
    if (a[0] % 4)
        a[1] = (uint32_t)(a[0] - a[1] % 2200);
}

static uint64_t call_ring_waiting(const uint64_t *a)
{
    static struct xencons_interface ring;

    ring.out_prod = (uint32_t)a[0];
    ring.out_cons = (uint32_t)a[1];
    return with_ring(&ring, true, 0);
}

static void shape_room(uint64_t *a)
{
    shape_ring(a);
    if (a[0] % 8)
        a[2] = (uint32_t)(1024 - (a[0] - a[1]) + a[2] % 5 - 2);
}

static uint64_t call_ring_room(const uint64_t *a)
{
    static struct xencons_interface ring;

    ring.in_prod = (uint32_t)a[0];
    ring.in_cons = (uint32_t)a[1];
    return with_ring(&ring, false, (unsigned)a[2]);
}

static void shape_linked(uint64_t *a)
{
    a[0] |= 1u << EVTCHN_FIFO_LINKED;
    a[1] %= EVTCHN_FIFO_NR_CHANNELS;
}

static uint64_t call_linked_word(const uint64_t *a)
{
    event_word_t word = (event_word_t)a[0];

    return link_to_tail(&word, (evtchn_port_t)a[1]) ? word : 0;
}

void lists_up(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(table.shared); i++)
        table.shared[i] = FAKE_PAGE(i);
    for (unsigned i = 0; i < ARRAY_SIZE(table.status); i++)
        table.status[i] = FAKE_PAGE(i);
    for (unsigned i = 0; i < ARRAY_SIZE(table.pins); i++)
        table.pins[i] = FAKE_PAGE(i);
    for (unsigned i = 0; i < ARRAY_SIZE(table.maptrack); i++)
        table.maptrack[i] = &tracks[i * MAPTRACKS_PER_PAGE];
}

const struct real reals_lists[] = {
    { "exchange_ok", call_exchange_ok, shape_exchange, 0 },
    { "memory_op_start", call_memory_op_start, shape_command, 0 },
    { "elf_inside", call_elf_inside, NULL, 0 },
    { "v1_place", call_v1_place, shape_ref, 0 },
    { "v2_place", call_v2_place, shape_ref_v2, 0 },
    { "status_place", call_status_place, shape_ref_v2, 0 },
    { "pins_place", call_pins_place, shape_ref, 0 },
    { "copy_within", call_copy_within, NULL, 0 },
    { "handle_found", call_handle_found, shape_handle, 0 },
    { "next_generation", call_next_generation, NULL, 0 },
    { "ring_waiting", call_ring_waiting, shape_ring, 0 },
    { "ring_room", call_ring_room, shape_room, 0 },
    { "linked_word", call_linked_word, shape_linked, 0 },
    { .name = NULL },
};
