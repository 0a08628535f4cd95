/* Suite "segments": the guest's own descriptor tables: which frames and descriptors are accepted,
 * and loading selectors. The bases of FS and GS and code segments are in segments_bases.c, code
 * with 16- and 32-bit segments in compat.c. */
#include <string.h>
#include "gdt.h"
#include "hypercall.h"
#include "segments.h"
#include "suite.h"
#include "user.h"

#define UNMAPPED 0xffffff0000000000ul

static USER_DATA uint64_t words[4] = { 0x1111, 0x2222, 0x3333, 0x4444 };

#define LOADER(name, reg)                                               \
    static void name(void *sel)                                         \
    {                                                                   \
        __asm__ volatile("movl %k0, %%" #reg : : "r"(sel) : "memory");  \
    }
LOADER(load_ds, ds)
LOADER(load_es, es)
LOADER(load_fs, fs)
LOADER(load_ss, ss)

static struct fault load(void (*fn)(void *), unsigned sel)
{
    return try_fault(fn, (void *)(uint64_t)sel);
}

/* Frames of a GDT have a type of their own: they cannot be mapped writable or used as tables. */
static void gdt_frames(void)
{
    pfn_t pfn = frame_alloc();
    unsigned long bad = PTE_ADDR_MASK >> PAGE_SHIFT;

    EXPECT_EQ(gdt_load(pfn, 512), -XEN_EINVAL);             /* writable */
    ASSERT_EQ(frame_set_ro(pfn), 0);
    ASSERT_EQ(gdt_load(pfn, 1), 0);
    EXPECT_EQ(frame_set_rw(pfn), -XEN_EBUSY);
    EXPECT_EQ(mmu_pin(1, pfn), -XEN_EINVAL);
    EXPECT(mmu_set(pfn_to_mfn(pfn) << PAGE_SHIFT, D_DATA | D_BIG) < 0);
    EXPECT_FAULT(try_write64(p2v(pfn), 0), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_EQ(gdt_load(kernel_root(), 512), -XEN_EINVAL);
    EXPECT_EQ(xen_set_gdt(&bad, 1), -XEN_EINVAL);
    EXPECT_EQ(xen_set_gdt((void *)UNMAPPED, 1), -XEN_EFAULT);
    EXPECT_EQ(gdt_load(pfn, FIRST_RESERVED_GDT_ENTRY + 1), -XEN_EINVAL);
    EXPECT_EQ(frame_set_rw(pfn), -XEN_EBUSY);               /* none of these replaced it */
    ASSERT_EQ(xen_set_gdt(NULL, 0), 0);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    frame_free(pfn);
}

/* A frame's descriptors are checked when it is loaded. One that is not allowed makes the call fail.
 * A DPL below 3 becomes 3. */
static void gdt_contents(void)
{
    pfn_t pfn = frame_alloc();
    uint64_t *desc = p2v(pfn);

    desc[2] = (D_DATA | D_BIG) & ~D_DPL3;
    desc[511] = D_P | D_TYPE(9);                            /* a task state segment */
    ASSERT_EQ(frame_set_ro(pfn), 0);
    EXPECT_EQ(gdt_load(pfn, 512), -XEN_EINVAL);
    EXPECT_EQ(gdt_load(pfn, 3), -XEN_EINVAL);               /* beyond the limit, but in the frame */
    EXPECT_EQ(frame_set_rw(pfn), 0);
    desc[511] = 0;
    ASSERT_EQ(frame_set_ro(pfn), 0);
    ASSERT_EQ(gdt_load(pfn, 512), 0);
    EXPECT_EQ(((volatile uint64_t *)desc)[2] & D_DPL3, D_DPL3);
    EXPECT_NO_FAULT(load(load_ds, SEL(2)));
    load(load_ds, 0);
    ASSERT_EQ(xen_set_gdt(NULL, 0), 0);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    frame_free(pfn);
}

/* System descriptors that are present are refused, except call gates; those that are not present
 * are allowed. */
static void descriptor_types(void)
{
    gdt_begin();
    for (unsigned type = 1; type < 16; type++) {
        uint64_t gate = D_P | D_DPL3 | D_TYPE(type) | 0xe0330000ul;
        long rc = gdt_set(3, gate);

        if (type != 12) {
            EXPECT_MSG(rc == -XEN_EINVAL, "system type %u: %ld", type, rc);
            EXPECT_EQ(gdt_get(3), 0);
        } else if (!rc) {
            EXPECT_EQ(gdt_get(3) & D_DPL3, 0);              /* its use must fault */
        }
        EXPECT_EQ(gdt_set(3, D_TYPE(type) | D_DPL3), 0);
        EXPECT_EQ(gdt_set(3, 0), 0);
    }
    for (unsigned type = 0; type < 16; type++) {
        EXPECT_EQ(gdt_set(3, D_P | D_S | D_TYPE(type) | D_BIG), 0);
        EXPECT_EQ(gdt_get(3) & (D_DPL3 | D_P | D_S), D_DPL3 | D_P | D_S);
    }
    EXPECT_EQ(gdt_set(3, D_P), 0);                          /* type 0 is allowed */
    gdt_end();
}

static void descriptor_addresses(void)
{
    pfn_t pfn = frame_alloc();
    uint64_t *page = p2v(pfn);

    gdt_begin();
    EXPECT_EQ(xen_update_descriptor(v2maddr(p2v(gdt_frame())) + 4, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_descriptor(PTE_ADDR_MASK, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_descriptor(v2maddr(p2v(kernel_root())), 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_descriptor(pte_maddr(p2v(pfn), 1), D_DATA | D_BIG), -XEN_EINVAL);
    EXPECT_EQ(xen_update_descriptor(v2maddr(&page[4]), D_DATA | D_BIG), 0);   /* an ordinary page */
    EXPECT_EQ(page[4], D_DATA | D_BIG);
    EXPECT_EQ(xen_update_descriptor(v2maddr(&page[4]), D_P | D_TYPE(14)), -XEN_EINVAL);
    EXPECT_EQ(page[4], D_DATA | D_BIG);
    gdt_end();
    frame_free(pfn);
}

static void data_segments(void)
{
    uint64_t base = (uint64_t)USER_PTR(words[0]);
    struct fault f;

    gdt_begin();
    EXPECT_EQ(gdt_set(5, D_DATA | D_BIG | D_BASE(base + 8) | D_LIMIT(0xfffff)), 0);
    EXPECT_NO_FAULT(load(load_fs, SEL(5)));
    EXPECT_EQ(read_fs(0), 0x2222);
    EXPECT_EQ(gdt_set(5, D_DATA | D_BIG | D_BASE(base + 16)), 0);
    EXPECT_EQ(read_fs(0), 0x2222);                          /* until the register is loaded again */
    EXPECT_NO_FAULT(load(load_fs, SEL(5)));
    EXPECT_EQ(read_fs(0), 0x3333);
    EXPECT_NO_FAULT(load(load_es, SEL(5)));
    load(load_es, 0);
    /* If a register held the selector when it becomes invalid, a switch to another domain and back
     * would end in the failsafe callback. */
    load(load_fs, 0);
    EXPECT_EQ(gdt_set(5, (D_DATA | D_BIG) & ~D_P), 0);
    f = load(load_fs, SEL(5));
    EXPECT_FAULT(f, TRAP_NP, 5 * 8);
    EXPECT_FAULT(load(load_ds, SEL(5)), TRAP_NP, 5 * 8);
    EXPECT_FAULT(load(load_ss, SEL(5)), TRAP_SS, 5 * 8);
    EXPECT_FAULT(load(load_ss, 0), TRAP_GP, 0);
    EXPECT_FAULT(load(load_ds, SEL(6)), TRAP_GP, 6 * 8);    /* nothing there */
    EXPECT_EQ(gdt_set(6, D_P | D_S | D_DPL3 | D_TYPE(8) | D_LONG), 0);
    EXPECT_FAULT(load(load_ds, SEL(6)), TRAP_GP, 6 * 8);    /* code that is not readable */
    EXPECT_FAULT(load(load_ds, SEL(6) | 4), TRAP_GP, 6 * 8 + 4);        /* no LDT */
    bases_reset();
    gdt_end();
}

/* Of the hypervisor's own part the flat segments can be loaded; every other selector faults. */
static void reserved_selectors(void)
{
    uint16_t cs, ss;
    unsigned loaded = 0;

    __asm__ volatile("movw %%cs, %0\n\tmovw %%ss, %1" : "=r"(cs), "=r"(ss));
    EXPECT_EQ(cs, FLAT_KERNEL_CS);
    EXPECT_EQ(ss, FLAT_KERNEL_SS);
    EXPECT_NO_FAULT(load(load_ds, FLAT_RING3_DS32));
    for (unsigned i = 0; i < 0x200; i += 8) {
        unsigned sel = FIRST_RESERVED_GDT_BYTE + i + 3;
        struct fault f = load(load_ds, sel);

        loaded += f.vector == FAULT_NONE;
        EXPECT_MSG(f.vector == FAULT_NONE || f.vector == TRAP_GP || f.vector == TRAP_NP,
                   "selector %#x: vector %d", sel, f.vector);
    }
    EXPECT(loaded >= 1);
    load(load_ds, 0);
}

/* --- LDT -------------------------------------------------------------------------------------- */

static void do_ldt_fs(void *sel)
{
    load_fs(sel);
}

static void ldt(void)
{
    uint64_t *page = va_alloc(2), base = (uint64_t)USER_PTR(words[0]);
    pfn_t pfn = frame_alloc();
    uint64_t *desc = p2v(pfn);
    struct fault f;

    desc[3] = D_DATA | D_BIG | D_BASE(base + 24);
    ASSERT_EQ(map_page(page, make_pte(pfn_to_mfn(pfn), PTE_RO)), 0);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, (uint64_t)page + 8, 512), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, (uint64_t)page, 8193), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, HOLE_START, 512), -XEN_EINVAL);
    ASSERT_EQ(mmuext(MMUEXT_SET_LDT, (uint64_t)page, 1024), 0);
    /* The pages of an LDT are checked at first use. One that is mapped writable is refused. */
    f = try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(3) | 4));
    EXPECT_FAULT(f, TRAP_PF, ANY_ERROR);
    EXPECT_EQ(f.cr2, (uint64_t)&page[3]);
    ASSERT_EQ(frame_set_ro(pfn), 0);
    EXPECT_NO_FAULT(try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(3) | 4)));
    EXPECT_EQ(read_fs(0), 0x4444);
    EXPECT_EQ(frame_set_rw(pfn), -XEN_EBUSY);
    EXPECT_EQ(xen_update_descriptor(v2maddr(&desc[4]), D_DATA | D_BIG | D_BASE(base)), 0);
    EXPECT_NO_FAULT(try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(4) | 4)));
    EXPECT_EQ(read_fs(0), 0x1111);
    EXPECT_EQ(xen_update_descriptor(v2maddr(&desc[4]), D_P | D_TYPE(2)), -XEN_EINVAL);
    f = try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(512) | 4));  /* its second page is not mapped */
    EXPECT_FAULT(f, TRAP_PF, ANY_ERROR);
    EXPECT_EQ(f.cr2, (uint64_t)&page[512]);
    bases_reset();
    ASSERT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    EXPECT_FAULT(try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(3) | 4)), TRAP_GP, 3 * 8 + 4);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    EXPECT_EQ(unmap_page(page), 0);
    frame_free(pfn);
}

SUITE(segments, 30, 0, TEST(gdt_frames), TEST(gdt_contents), TEST(descriptor_types),
      TEST(descriptor_addresses), TEST(data_segments), TEST(reserved_selectors), TEST(ldt));
