/* Segments: which descriptors a guest may have, and which segment a selector names in its GDT or
 * LDT. It changes nothing; the references on the tables' frames are held by pv/desc.c. Called by
 * pv/ (desc.c, traps.c) and by insn_access.c. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/cpu/segments.h"

#define DESC_TYPE (15ull << 40)
#define DESC_S (1ull << 44)             /* code or data */
#define DESC_RW (1ull << 41)            /* code: readable; data: writable */
#define DESC_EXPAND_DOWN (1ull << 42)
#define DESC_CODE (1ull << 43)
#define DESC_DPL (3ull << 45)
#define DESC_P (1ull << 47)
#define DESC_L (1ull << 53)
#define DESC_BIG (1ull << 54)
#define DESC_G (1ull << 55)
#define GATE_CALL (12ull << 40)
#define GATE_RESERVED (0xffull << 32)

/* A gate may only name a code segment that the guest could load itself: its own, or the ABI's
 * flat ones of ring 3. */
static bool gate_target_ok(unsigned sel)
{
    return (sel >> 3) < FIRST_RESERVED_GDT_ENTRY || sel == FLAT_RING3_CS64 || (sel & 4);
}

/* Descriptors that are not present are harmless: loading one faults. Code and data segments may
 * have any base and limit, because paging protects the hypervisor. Of the system descriptors
 * only call gates are accepted, and they get a DPL of 0, so that no guest can use one; type 0 is
 * accepted as the upper half of a call gate. */
bool sanitise_descriptor(uint64_t *desc)
{
    uint64_t d = *desc;

    if (!(d & DESC_P))
        return true;
    if (d & DESC_S) {
        *desc = d | DESC_DPL;
        return true;
    }
    if ((d & DESC_TYPE) == 0)
        return true;
    if ((d & DESC_TYPE) != GATE_CALL || !gate_target_ok((unsigned)(d >> 16 & 0xffff)) ||
        (d & GATE_RESERVED))
        return false;
    *desc = (d & ~DESC_DPL) | 3ull << 16;
    return true;
}

/* 0: none. */
static uint64_t read_descriptor(const struct vcpu *v, uint16_t sel)
{
    unsigned index = sel >> 3, page = index / DESCS_PER_FRAME;
    const uint64_t *table;
    mfn_t mfn;

    switch (sel | 3) {                  /* the ABI's flat segments */
    case FLAT_RING3_CS64:
        return 0x00affb000000ffff;
    case FLAT_RING3_CS32:
        return 0x00cffb000000ffff;
    case FLAT_RING3_SS32:
        return 0x00cff3000000ffff;
    }
    if (index >= ((sel & 4) ? v->ldt_ents : v->gdt_ents))
        return 0;
    mfn = (sel & 4) ? v->ldt_mfn[page] : v->gdt_frames[page];
    if (mfn == 0)
        return 0;
    table = mfn_to_virt(mfn);
    return READ_ONCE(table[index % DESCS_PER_FRAME]);
}

bool read_segment(const struct vcpu *v, uint16_t sel, struct segment *s)
{
    uint64_t desc = sel > 3 ? read_descriptor(v, sel) : 0;
    uint32_t limit = (uint32_t)(desc & 0xffff) | (uint32_t)(desc >> 32 & 0xf0000);
    bool code = desc & DESC_CODE;

    if ((desc & (DESC_P | DESC_S)) != (DESC_P | DESC_S))
        return false;
    *s = (struct segment){
        .base = (uint32_t)(desc >> 16 & 0xffffff) | (uint32_t)(desc >> 32 & 0xff000000),
        .limit = desc & DESC_G ? limit << 12 | 0xfff : limit,
        .code = code,
        .long_mode = code && (desc & DESC_L),
        .big = desc & DESC_BIG,
        .expand_down = !code && (desc & DESC_EXPAND_DOWN),
        .readable = !code || (desc & DESC_RW),
        .writable = !code && (desc & DESC_RW),
    };
    return true;
}

bool segment_holds(const struct segment *s, uint32_t offset, unsigned bytes)
{
    uint64_t last = (uint64_t)offset + bytes - 1;

    if (s->expand_down)
        return offset > s->limit && last <= (s->big ? 0xffffffffu : 0xffffu);
    return last <= s->limit;
}
