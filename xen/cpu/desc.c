/* Owns descriptor tables: what a guest may put in its GDT and LDT, the references on their frames, and the
 * segment-base hypercall. Mapping them where the CPU looks is arch/'s. A frame is loaded only while typed
 * seg-desc, that is, while every descriptor in it has passed sanitise_descriptor and nobody has it mapped
 * writable. */
#include "common/string.h"
#include "xen/cpu/desc.h"
#include "xen/core/guest_access.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/mm.h"

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
#define DESCS_PER_FRAME (PAGE_SIZE / 8)
#define MAX_LDT_ENTRIES 8192u

/* A gate may only lead where the guest itself could jump: its own segments, or the ABI's flat ring 3 code. */
static bool gate_target_ok(unsigned sel)
{
    return (sel >> 3) < FIRST_RESERVED_GDT_ENTRY || sel == FLAT_RING3_CS64 || (sel & 4);
}

/* Absent descriptors fault whatever they say. Code and data may have any base and limit: in 64-bit mode
 * neither opens anything that paging does not guard. Of the system descriptors only call gates are let in,
 * with a DPL of 0, so that no guest can go through one; type 0 is the upper half of one. */
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
    if ((d & DESC_TYPE) != GATE_CALL || !gate_target_ok((unsigned)(d >> 16 & 0xffff)) || (d & GATE_RESERVED))
        return false;
    *desc = (d & ~DESC_DPL) | 3ull << 16;
    return true;
}

int validate_segdesc_frame(struct frame *f)
{
    uint64_t *table = mfn_to_virt(frame_to_mfn(f));

    for (unsigned i = 0; i < DESCS_PER_FRAME; i++) {
        uint64_t desc = READ_ONCE(table[i]);

        if (!sanitise_descriptor(&desc))
            return -EINVAL;
        if (desc != table[i])
            WRITE_ONCE(table[i], desc);
    }
    return 0;
}

static void put_frames(const uint64_t *mfns, unsigned nr_frames)
{
    while (nr_frames-- > 0)
        put_page_and_type(mfn_to_frame(mfns[nr_frames]));
}

static unsigned gdt_nr_frames(unsigned entries)
{
    return (unsigned)((entries + DESCS_PER_FRAME - 1) / DESCS_PER_FRAME);
}

/* Takes the new references, exchanges the mapping (arch/ flushes it from the TLB), and only then gives up the
 * old references: they are what keeps those frames from becoming writable. */
int set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
    unsigned nr_frames = gdt_nr_frames(entries), nr_old = gdt_nr_frames(v->gdt_ents);
    uint64_t old[ARRAY_SIZE(v->gdt_frames)];
    struct frame *f;

    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    for (unsigned i = 0; i < nr_frames; i++) {
        if (get_page_and_type(frames[i], v->domain, TYPE_SEGDESC, &f) != 0) {
            put_frames(frames, i);
            return -EINVAL;
        }
    }
    memcpy(old, v->gdt_frames, sizeof(old));
    memset(v->gdt_frames, 0, sizeof(v->gdt_frames));
    for (unsigned i = 0; i < nr_frames; i++)
        v->gdt_frames[i] = frames[i];
    v->gdt_ents = entries;
    arch_map_gdt(v, v->gdt_frames, nr_frames);
    put_frames(old, nr_old);
    return 0;
}

void destroy_gdt(struct vcpu *v)
{
    if (v->gdt_ents != 0)
        set_gdt(v, NULL, 0);
}

void drop_ldt(struct vcpu *v)
{
    mfn_t old[ARRAY_SIZE(v->ldt_mfn)];

    if (!v->ldt_mapped)
        return;
    v->ldt_mapped = false;
    memcpy(old, v->ldt_mfn, sizeof(old));
    memset(v->ldt_mfn, 0, sizeof(v->ldt_mfn));
    arch_clear_ldt(v);
    for (unsigned i = 0; i < ARRAY_SIZE(old); i++)
        if (old[i] != 0)
            put_page_and_type(mfn_to_frame(old[i]));
}

int set_ldt(struct vcpu *v, uint64_t base, unsigned entries)
{
    if (entries == 0)
        base = 0;
    if ((base & ~PAGE_MASK) || !is_canonical(base) || !guest_range_ok(base, 1) || entries > MAX_LDT_ENTRIES)
        return -EINVAL;
    if (base == v->ldt_base && entries == v->ldt_ents)
        return 0;
    drop_ldt(v);
    v->ldt_base = base;
    v->ldt_ents = entries;
    if (v == current)
        arch_load_ldt(v);
    return 0;
}

bool map_ldt_fault(struct vcpu *v, uint64_t offset)
{
    unsigned page = (unsigned)(offset >> PAGE_SHIFT);
    struct domain *d = v->domain;
    uint64_t *slot, pte;
    struct frame *f;
    bool mapped = false;

    if (offset >= v->ldt_ents * 8ull || v->ldt_mfn[page] != 0)
        return false;
    spin_lock(&d->mm_lock);
    slot = walk_to_l1(v->root_kernel, v->ldt_base + offset);
    pte = slot ? READ_ONCE(*slot) : 0;
    if ((pte & PTE_P) && get_page_and_type(PTE_MFN(pte), d, TYPE_SEGDESC, &f) == 0) {
        v->ldt_mfn[page] = PTE_MFN(pte);
        v->ldt_mapped = true;
        arch_map_ldt_page(v, page, PTE_MFN(pte));
        mapped = true;
    }
    spin_unlock(&d->mm_lock);
    return mapped;
}

/* 0: none. */
static uint64_t read_descriptor(const struct vcpu *v, uint16_t sel)
{
    unsigned index = sel >> 3, page = index / DESCS_PER_FRAME;
    const uint64_t *table;
    mfn_t mfn;

    switch (sel | 3) {                  /* the ABI's flat ones */
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

/* frame_list: guest array of frame numbers, one for each 512 of the entries. */
long do_set_gdt(uint64_t frame_list, unsigned entries)
{
    struct vcpu *v = current;
    uint64_t frames[ARRAY_SIZE(v->gdt_frames)];
    int rc;

    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    if (copy_from_guest(frames, frame_list, gdt_nr_frames(entries) * sizeof(frames[0])) != 0)
        return -EFAULT;
    spin_lock(&v->domain->mm_lock);
    rc = set_gdt(v, frames, entries);
    spin_unlock(&v->domain->mm_lock);
    preempt_after(0);
    return rc;
}

/* One descriptor at a machine address, in a frame that is a descriptor page, or that is about to be one and
 * still plain memory. Whichever it is, it must stay so during the store. */
long do_update_descriptor(uint64_t maddr, uint64_t desc)
{
    struct domain *d = current->domain;
    struct frame *f;
    int rc = -EINVAL;

    if ((maddr & 7) || !sanitise_descriptor(&desc))
        return -EINVAL;
    spin_lock(&d->mm_lock);
    f = get_frame(maddr >> PAGE_SHIFT, d);
    if (f != NULL) {
        uint64_t type = (f->type & TYPE_MASK) == TYPE_SEGDESC ? TYPE_SEGDESC : TYPE_WRITABLE;

        if (get_page_type(f, type) == 0) {
            uint64_t *table = mfn_to_virt(maddr >> PAGE_SHIFT);

            WRITE_ONCE(table[(maddr & ~PAGE_MASK) / 8], desc);
            put_page_type(f);
            rc = 0;
        }
        put_page(f);
    }
    spin_unlock(&d->mm_lock);
    return rc;
}

/* A base that is not canonical would fault in the hypervisor, so it is refused. A bad selector is not an
 * error: the ABI promises guests that it cannot fail, and loads null. */
long do_set_segment_base(unsigned which, uint64_t base)
{
    static const enum arch_base bases[] = {
        [SEGBASE_FS] = BASE_FS, [SEGBASE_GS_USER] = BASE_GS_USER, [SEGBASE_GS_KERNEL] = BASE_GS_KERNEL,
    };

    if (which == SEGBASE_GS_USER_SEL) {
        unsigned selector = (uint16_t)base;

        arch_load_user_gs(selector > 3 ? selector | 3 : selector);  /* RPL 3, but for the null selectors */
        return 0;
    }
    if (which >= ARRAY_SIZE(bases) || !is_canonical(base))
        return -EINVAL;
    arch_set_base(bases[which], base);
    return 0;
}
