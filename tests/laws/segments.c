/* Calls the hypervisor's code about segments and ports that cpu.smt2 models. */
#include <stdlib.h>
#include <string.h>
#include "hooks.h"
#include "tie.h"
#include "xen/cpu/ioport.h"
#include "xen/cpu/segments.h"
#include "xen/pv/hypercalls.h"

bool gate_target_ok(unsigned sel);
unsigned gdt_nr_frames(unsigned entries);

static struct vcpu *v;
static uint8_t *bitmap[3];                      /* pages of the guest, from SCRATCH on */

static uint64_t call_gate_target_ok(const uint64_t *a)
{
    return gate_target_ok((unsigned)a[0]);
}

/* Often a valid call gate with one bit changed. */
static void shape_descriptor(uint64_t *a)
{
    uint64_t bit = 1ull << a[0] % 61;

    if (a[0] % 3 == 0)
        a[0] = ((a[0] & ~(0x1fffull << 32)) | 0x8cull << 40) ^ bit;
    if (a[0] % 5 == 0)
        a[0] &= ~0xe0000000ull;
}

static uint64_t call_descriptor_ok(const uint64_t *a)
{
    uint64_t desc = a[0];

    return sanitise_descriptor(&desc);
}

/* A descriptor that is allowed: type 0, a call gate to the LDT or to the guest's part of the
 * GDT, or a segment. */
static void shape_descriptor_made(uint64_t *a)
{
    if (a[0] % 3 == 0)
        a[0] = (a[0] & ~(0x1full << 40)) | 0x80ull << 40;
    else if (a[0] % 3 == 1)
        a[0] |= 1ull << 44;
    else
        a[0] = (a[0] & ~(0x1fffull << 32 | (a[0] & 4ull << 16 ? 0 : 0x80000000))) | 0x8cull << 40;
}

static uint64_t call_descriptor_made(const uint64_t *a)
{
    uint64_t desc = a[0];

    return sanitise_descriptor(&desc) ? desc : 0;
}

static void shape_entries(uint64_t *a)
{
    a[0] %= FIRST_RESERVED_GDT_ENTRY + 1;
}

static uint64_t call_gdt_nr_frames(const uint64_t *a)
{
    return gdt_nr_frames((unsigned)a[0]);
}

static void shape_segment_holds(uint64_t *a)
{
    a[4] = a[4] % 3 ? 1 + a[4] % 64 : a[4] | 1;
    if (a[3] % 2)
        a[3] = (uint32_t)(a[0] - a[4] + a[3] / 2 % 5);
    else if (a[3] % 5 == 0)
        a[3] = (uint32_t)((a[2] ? 0xffffffff : 0xffff) - a[4] + a[3] / 8 % 5);
}

static uint64_t call_segment_holds(const uint64_t *a)
{
    const struct segment s = { .limit = (uint32_t)a[0], .expand_down = a[1], .big = a[2] };

    return segment_holds(&s, (uint32_t)a[3], (unsigned)a[4]);
}

static uint64_t call_user_gs(const uint64_t *a)
{
    do_set_segment_base(SEGBASE_GS_USER_SEL, a[0]);
    return hooks.user_gs;
}

static void shape_io(uint64_t *a)
{
    a[1] = 1ull << a[1] % 3;
    if (a[2] % 2)
        a[2] = (uint32_t)(a[0] + a[2] / 2 % 9 - 2);
    if (a[2] % 3)
        a[3] &= a[3] >> 4, a[4] &= a[4] << 4 & 0xff;
}

static uint64_t call_io_allowed(const uint64_t *a)
{
    uint64_t byte = a[0] / 8;

    v->iobmp = SCRATCH;
    v->iobmp_ports = (uint32_t)a[2];
    bitmap[byte / PAGE_SIZE][byte % PAGE_SIZE] = (uint8_t)a[3];
    byte++;
    bitmap[byte / PAGE_SIZE][byte % PAGE_SIZE] = (uint8_t)a[4];
    return guest_io_allowed(v, (uint16_t)a[0], (unsigned)a[1]);
}

void segments_up(void)
{
    v = guest->vcpu[0];
    for (unsigned i = 0; i < ARRAY_SIZE(bitmap); i++)
        bitmap[i] = mfn_to_virt(mfn_of_va(SCRATCH + i * PAGE_SIZE));
}

const struct real reals_segments[] = {
    { "gate_target_ok", call_gate_target_ok, NULL, 0 },
    { "descriptor_ok", call_descriptor_ok, shape_descriptor, 0 },
    { "descriptor_made", call_descriptor_made, shape_descriptor_made, 0 },
    { "gdt_nr_frames", call_gdt_nr_frames, shape_entries, 0 },
    { "segment_holds", call_segment_holds, shape_segment_holds, 0 },
    { "user_gs", call_user_gs, NULL, 0 },
    { "io_allowed", call_io_allowed, shape_io, 0 },
    { .name = NULL },
};
