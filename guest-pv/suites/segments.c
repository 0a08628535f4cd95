/* Suite "segments": descriptor tables of the guest's own, which descriptors are accepted, loading
 * selectors in both modes, and the bases of FS and GS. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"
#include "thread.h"
#include "user.h"

#define UNMAPPED 0xffffff0000000000ul

/* Descriptor words. */
#define D_P        (1ul << 47)
#define D_S        (1ul << 44)
#define D_DPL3     (3ul << 45)
#define D_TYPE(t)  ((uint64_t)(t) << 40)
#define D_LONG     (1ul << 53)
#define D_BIG      (1ul << 54)
#define D_DATA     (D_P | D_S | D_DPL3 | D_TYPE(3) | D_BIG)     /* read-write, accessed */
#define D_CODE64   (D_P | D_S | D_DPL3 | D_TYPE(11) | D_LONG)
#define D_BASE(b)  ((((b) & 0xffffff) << 16) | ((uint64_t)((b) >> 24 & 0xff) << 56))
#define D_LIMIT(l) (((l) & 0xffff) | ((uint64_t)((l) >> 16 & 0xf) << 48))
#define SEL(n)     ((n) * 8 + 3)

static USER_DATA uint64_t words[4] = { 0x1111, 0x2222, 0x3333, 0x4444 };

/*
 * --- a GDT of one frame ----------------------------------------------------------------------------------
 */

static pfn_t gdt;

static long gdt_load(pfn_t pfn, unsigned entries)
{
    unsigned long frame = pfn_to_mfn(pfn);

    return xen_set_gdt(&frame, entries);
}

static long gdt_set(unsigned n, uint64_t desc)
{
    return xen_update_descriptor(v2maddr((uint64_t *)p2v(gdt) + n), desc);
}

static uint64_t gdt_get(unsigned n)
{
    return ((volatile uint64_t *)p2v(gdt))[n];
}

static void gdt_begin(void)
{
    gdt = table_alloc();
    ASSERT_EQ(gdt_load(gdt, 512), 0);
}

static void gdt_end(void)
{
    EXPECT_EQ(xen_set_gdt(NULL, 0), 0);
    table_free(gdt);
}

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

static uint64_t read_fs(uint64_t off)
{
    uint64_t v;

    __asm__ volatile("movq %%fs:(%1), %0" : "=r"(v) : "r"(off));
    return v;
}

static uint64_t read_gs(uint64_t off)
{
    uint64_t v;

    __asm__ volatile("movq %%gs:(%1), %0" : "=r"(v) : "r"(off));
    return v;
}

static void bases_reset(void)
{
    load(load_fs, 0);
    for (unsigned which = SEGBASE_FS; which <= SEGBASE_GS_KERNEL; which++)
        EXPECT_EQ(xen_set_segment_base(which, 0), 0);
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
    EXPECT(mmu_set(pfn_to_mfn(pfn) << PAGE_SHIFT, D_DATA) < 0);
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

/* Judged on loading: a single bad descriptor refuses the frame; a privilege level is only
 * lowered. */
static void gdt_contents(void)
{
    pfn_t pfn = frame_alloc();
    uint64_t *desc = p2v(pfn);

    desc[2] = D_DATA & ~D_DPL3;
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

/* System types by number: not-present ones are harmless, present ones are refused but for call
 * gates. */
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
            EXPECT_EQ(gdt_get(3) & D_DPL3, 0);              /* its use must trap */
        }
        EXPECT_EQ(gdt_set(3, D_TYPE(type) | D_DPL3), 0);
        EXPECT_EQ(gdt_set(3, 0), 0);
    }
    for (unsigned type = 0; type < 16; type++) {
        EXPECT_EQ(gdt_set(3, D_P | D_S | D_TYPE(type) | D_BIG), 0);
        EXPECT_EQ(gdt_get(3) & (D_DPL3 | D_P | D_S), D_DPL3 | D_P | D_S);
    }
    EXPECT_EQ(gdt_set(3, D_P), 0);                          /* type 0: filler */
    gdt_end();
}

static void descriptor_addresses(void)
{
    pfn_t pfn = frame_alloc();
    uint64_t *page = p2v(pfn);

    gdt_begin();
    EXPECT_EQ(xen_update_descriptor(v2maddr(p2v(gdt)) + 4, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_descriptor(PTE_ADDR_MASK, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_descriptor(v2maddr(p2v(kernel_root())), 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_descriptor(pte_maddr(p2v(pfn), 1), D_DATA), -XEN_EINVAL);
    EXPECT_EQ(xen_update_descriptor(v2maddr(&page[4]), D_DATA), 0);         /* an ordinary page, for later */
    EXPECT_EQ(page[4], D_DATA);
    EXPECT_EQ(xen_update_descriptor(v2maddr(&page[4]), D_P | D_TYPE(14)), -XEN_EINVAL);
    EXPECT_EQ(page[4], D_DATA);
    gdt_end();
    frame_free(pfn);
}

static void data_segments(void)
{
    uint64_t base = (uint64_t)USER_PTR(words[0]);
    struct fault f;

    gdt_begin();
    EXPECT_EQ(gdt_set(5, D_DATA | D_BASE(base + 8) | D_LIMIT(0xfffff)), 0);
    EXPECT_NO_FAULT(load(load_fs, SEL(5)));
    EXPECT_EQ(read_fs(0), 0x2222);
    EXPECT_EQ(gdt_set(5, D_DATA | D_BASE(base + 16)), 0);
    EXPECT_EQ(read_fs(0), 0x2222);                          /* until the register is loaded again */
    EXPECT_NO_FAULT(load(load_fs, SEL(5)));
    EXPECT_EQ(read_fs(0), 0x3333);
    EXPECT_NO_FAULT(load(load_es, SEL(5)));
    load(load_es, 0);
    /* after a switch to another domain and back, the selector could not be reloaded: the failsafe
     * callback would run */
    load(load_fs, 0);
    EXPECT_EQ(gdt_set(5, (D_DATA & ~D_P)), 0);
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

/* The hypervisor's own part: its flat segments load, nothing else of it does more than fault. */
static void reserved_selectors(void)
{
    uint16_t cs, ss;
    unsigned loaded = 0;

    __asm__ volatile("movw %%cs, %0\n\tmovw %%ss, %1" : "=r"(cs), "=r"(ss));
    EXPECT_EQ(cs, FLAT_KERNEL_CS);
    EXPECT_EQ(ss, FLAT_KERNEL_SS);
    EXPECT_NO_FAULT(load(load_ds, FLAT_RING3_DS32));
    for (unsigned sel = FIRST_RESERVED_GDT_BYTE + 3; sel < FIRST_RESERVED_GDT_BYTE + 0x200; sel += 8) {
        struct fault f = load(load_ds, sel);

        loaded += f.vector == FAULT_NONE;
        EXPECT_MSG(f.vector == FAULT_NONE || f.vector == TRAP_GP || f.vector == TRAP_NP,
                   "selector %#x: vector %d",
                   sel, f.vector);
    }
    EXPECT(loaded >= 1);
    load(load_ds, 0);
}

/*
 * --- LDT
 * -----------------------------------------------------------------------------------------------------
 */

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

    desc[3] = D_DATA | D_BASE(base + 24);
    ASSERT_EQ(map_page(page, make_pte(pfn_to_mfn(pfn), PTE_RO)), 0);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, (uint64_t)page + 8, 512), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, (uint64_t)page, 8193), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, HOLE_START, 512), -XEN_EINVAL);
    ASSERT_EQ(mmuext(MMUEXT_SET_LDT, (uint64_t)page, 1024), 0);
    /* An LDT's pages are checked at first use; a page that is mapped writable is refused. */
    f = try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(3) | 4));
    EXPECT_FAULT(f, TRAP_PF, ANY_ERROR);
    EXPECT_EQ(f.cr2, (uint64_t)&page[3]);
    ASSERT_EQ(frame_set_ro(pfn), 0);
    EXPECT_NO_FAULT(try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(3) | 4)));
    EXPECT_EQ(read_fs(0), 0x4444);
    EXPECT_EQ(frame_set_rw(pfn), -XEN_EBUSY);
    EXPECT_EQ(xen_update_descriptor(v2maddr(&desc[4]), D_DATA | D_BASE(base)), 0);
    EXPECT_NO_FAULT(try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(4) | 4)));
    EXPECT_EQ(read_fs(0), 0x1111);
    EXPECT_EQ(xen_update_descriptor(v2maddr(&desc[4]), D_P | D_TYPE(2)), -XEN_EINVAL);
    f = try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(512) | 4));         /* its second page is not mapped */
    EXPECT_FAULT(f, TRAP_PF, ANY_ERROR);
    EXPECT_EQ(f.cr2, (uint64_t)&page[512]);
    bases_reset();
    ASSERT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    EXPECT_FAULT(try_fault(do_ldt_fs, (void *)(uint64_t)(SEL(3) | 4)), TRAP_GP, 3 * 8 + 4);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    EXPECT_EQ(unmap_page(page), 0);
    frame_free(pfn);
}

/*
 * --- bases ------------------------------------------------------------------------------------------------
 */

static USER_CODE __attribute__((naked)) void user_gs(void) { __asm__("movq %gs:(%rdi), %rax\n\tret"); }
static USER_CODE __attribute__((naked)) void user_fs(void) { __asm__("movq %fs:(%rdi), %rax\n\tret"); }

static void segment_bases(void)
{
    uint64_t base = (uint64_t)USER_PTR(words[0]);

    EXPECT_EQ(xen_set_segment_base(SEGBASE_FS, base), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, base + 8), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, base + 16), 0);
    EXPECT_EQ(read_fs(0), 0x1111);
    EXPECT_EQ(read_gs(0), 0x2222);
    EXPECT_EQ(user_run(user_gs, 0, 0, 0).code, 0x3333);
    EXPECT_EQ(user_run(user_fs, 0, 0, 0).code, 0x1111);
    EXPECT_EQ(user_run(user_gs, 8, 0, 0).code, 0x4444);
    EXPECT_EQ(read_gs(8), 0x3333);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_FS, 0x800000000000), -XEN_EINVAL);       /* not canonical */
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, 0xffff7fffffffffff), -XEN_EINVAL);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, 1ul << 63), -XEN_EINVAL);
    EXPECT_EQ(xen_set_segment_base(4, 0), -XEN_EINVAL);
    EXPECT_EQ(read_fs(0), 0x1111);
    EXPECT_EQ(read_gs(0), 0x2222);
    thread_sleep(2 * NS_PER_MS);                        /* somebody else had the CPU meanwhile */
    EXPECT_EQ(read_fs(8), 0x2222);
    EXPECT_EQ(read_gs(8), 0x3333);
    EXPECT_EQ(user_run(user_gs, 0, 0, 0).code, 0x3333);
    bases_reset();
}

/* By selector: the user's GS takes what the descriptor says. It never fails; a bad one loads
 * null. */
static void gs_by_selector(void)
{
    uint64_t base = (uint64_t)USER_PTR(words[0]);

    gdt_begin();
    EXPECT_EQ(gdt_set(7, D_DATA | D_BASE(base + 24)), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, base + 8), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, SEL(7)), 0);
    EXPECT_EQ(user_run(user_gs, 0, 0, 0).code, 0x4444);
    EXPECT_EQ(read_gs(0), 0x2222);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, SEL(100)), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 0xffff), 0);
    EXPECT_EQ(user_run(user_gs, base, 0, 0).code, 0x1111);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    EXPECT_EQ(read_gs(0), 0x2222);
    bases_reset();
    gdt_end();
}

/* --- code segments ---------------------------------------------------------------------------- */

static USER_CODE __attribute__((naked)) void user_cs(void) { __asm__("movl %cs, %eax\n\tret"); }
/* In 64-bit mode a prefix and ud2; in 32-bit mode an instruction of one byte before it. */
static USER_CODE __attribute__((naked)) void user_bits(void) { __asm__(".byte 0x40, 0x0f, 0x0b"); }

static struct user_result run_at(void (*fn)(void), uint16_t cs)
{
    struct regs r;

    user_init_regs(&r, fn, 0, 0, 0);
    r.cs = cs;
    return user_run_regs(&r);
}

static void code_segments(void)
{
    struct user_result res;

    gdt_begin();
    EXPECT_EQ(gdt_set(8, D_CODE64 & ~D_DPL3), 0);
    EXPECT_EQ(gdt_set(9, D_CODE64 & ~D_P), 0);
    res = run_at(user_cs, SEL(8));
    EXPECT(res.exited);
    EXPECT_EQ(res.code, SEL(8));
    EXPECT_EQ(run_at(user_bits, FLAT_USER_CS64).fault.rip, (uint64_t)user_bits);
    EXPECT_FAULT(run_at(user_bits, FLAT_USER_CS64).fault, TRAP_UD, 0);
    res = run_at(user_bits, FLAT_RING3_CS32);
    EXPECT_FAULT(res.fault, TRAP_UD, 0);
    EXPECT_EQ(res.fault.rip, (uint64_t)user_bits + 1);
    gdt_end();
}

SUITE(segments, 30, 0, TEST(gdt_frames), TEST(gdt_contents), TEST(descriptor_types),
      TEST(descriptor_addresses),
      TEST(data_segments), TEST(reserved_selectors), TEST(ldt), TEST(segment_bases), TEST(gs_by_selector),
      TEST(code_segments));
