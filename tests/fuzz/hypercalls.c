/* Two domains of three vCPUs whose "kernels" are random choices: any hypercall with any arguments over any
 * memory, stores to their own pages through whatever the TLB still maps, traps at instructions of all kinds,
 * time that passes. What must hold, whatever they say: no BUG, no panic, nothing the sanitizers see; the
 * recount of all references and types; no stale translation; and once both have ended, every frame is free.
 *
 * Random words rarely mean anything, so the generator knows the kinds of things that hypercalls talk about
 * (words), the shapes of the commoner requests (shapes), and the fields of every structure, from the table of the ABI. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/arch.h"
#include "common/abi_names.h"
#include "fuzz.h"
#include "gen/abi_fuzz.h"
#include "support.h"
#include "trace_reader.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_ring.h"
#include "xen/core/trace_show.h"
#include "xen/core/walk.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/grant.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/mmuext.h"
#include "xen/pv/traps.h"

#define STACK_TOP (SCRATCH + 0x8000)
#define CODE (SCRATCH + 0x9000)
#define ARGS (SCRATCH + 0xa000)
#define LISTS (SCRATCH + 0xb000)
#define PLAY (GUEST_BASE + 0x20000)     /* sixteen pages whose mappings come and go */
#define TABLES_VA (GUEST_BASE + 0x38000)

static struct fuzz_source *source;
static struct fuzz_result result;
static uint64_t hypercalls_left;
static unsigned inside;                 /* vCPUs in a hypercall that may hold something half done */
static bool over;

static uint64_t any(void)
{
    return source->next(source->state);
}

static uint64_t below(uint64_t n)
{
    return any() % n;
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

/* --- The trace --------------------------------------------------------------------------------------------------------
 * In half of the worlds, for some classes and domains, which now and then change. A reader follows the ring, in some of
 * them so seldom that it wraps, and finds whatever cannot be. The ring is moved where AddressSanitizer guards its ends. */

static struct trace_reader reader;
static void *ring_of_ram;
static unsigned reads_one_in;

static uint32_t some_classes(void)
{
    return one_in(2) ? TRACE_ALL : one_in(3) ? 0 : (uint32_t)below(TRACE_ALL + 1);
}

static void move_ring(void *to)
{
    struct trace_ring *r = &trace_rings[0];
    ptrdiff_t by = (char *)to - (char *)r->slots;

    memcpy(to, r->slots, (size_t)trace_header.nr_blocks * TRACE_BLOCK_BYTES);
    r->slots = to;
    r->block = (void *)((char *)r->block + by);
    r->pos = (void *)((char *)r->pos + by);
    r->limit = (void *)((char *)r->limit + by);
}

static void trace_changes(void)
{
    struct domain *d;

    for_each_domain(d)
        if (one_in(2))
            trace_domain(d, some_classes());
    if (one_in(4))
        trace_toggle();
}

/* What changed is in the ring; what follows is of calls that may have begun untraced. */
static void trace_change_now_and_then(void)
{
    if (reads_one_in == 0 || !one_in(200))
        return;
    reader_follow(&reader);
    trace_changes();
    reader_follow(&reader);
    reader_forget_calls(&reader);
}

static void trace_begin(void)
{
    reads_one_in = one_in(2) ? 0 : one_in(2) ? 1 : one_in(2) ? 40 : 2000;
    trace_config = (struct trace_config){ .size = 64 << 10, .lines = (unsigned)below(40) };
    if (reads_one_in == 0)
        return;
    trace_config.classes = TRACE_ALL;
    trace_init();
    ring_of_ram = trace_rings[0].slots;
    move_ring(malloc((size_t)trace_header.nr_blocks * TRACE_BLOCK_BYTES));
    reader_start(&reader, NULL);
}

static void trace_check_now_and_then(void)
{
    if (reads_one_in != 0 && one_in(reads_one_in))
        reader_follow(&reader);
}

/* The last words are the counts; and everything is accounted for: what was seen and what was lost. */
static void trace_finish(void)
{
    uint64_t records = trace_rings[0].records;
    void *fenced = trace_rings[0].slots;

    if (reads_one_in == 0)
        return;
    trace_show();
    reader_follow(&reader);
    if (reader.seen + reader.lost != records)
        fprintf(stderr, "fuzz: %lu records, seen %lu, lost %lu\n", records, reader.seen, reader.lost), abort();
    result.records += reader.seen;
    result.lost += reader.lost;
    move_ring(ring_of_ram);
    free(fenced);
    trace_end();
    reader_drop_ring();
}

/* --- Words ------------------------------------------------------------------------------------------------
 */

static struct vcpu *some_vcpu(void)
{
    struct domain *d;
    unsigned n = (unsigned)below(4);

    for_each_domain(d)
        if (n-- == 0)
            return d->vcpu[below(d->nr_vcpus)];
    return current;
}

static mfn_t frame_of(const struct domain *d, pfn_t pfn)
{
    for (mfn_t mfn = LOW_BASE + below(max_mfn - LOW_BASE); mfn < max_mfn; mfn++)
        if (frame_owner(mfn_to_frame(mfn)) == d && pfn-- == 0)
            return mfn;
    return d->shared_mfn;
}

static mfn_t some_mfn(void)
{
    struct vcpu *v = current;

    switch (below(12)) {
    case 0:
        return v->root_kernel >> PAGE_SHIFT;
    case 1:
        return v->domain->shared_mfn;
    case 2:
        return frame_of(some_vcpu()->domain, 0);
    case 3:
        return below(max_mfn + 16);
    case 4:
        return any();
    case 5:
        return PTE_MFN(slot_maddr(PLAY));
    case 6:
        return some_vcpu()->root_kernel >> PAGE_SHIFT;
    case 7:
    case 8:
        return PTE_MFN(pte_at(PLAY + below(16) * PAGE_SIZE));
    default:
        return frame_of(v->domain, below(20));
    }
}

static bool table_type(const struct frame *f)
{
    return (f->type & TYPE_VALIDATED) && (f->type & TYPE_COUNT_MASK) && (f->type & TYPE_MASK) >= TYPE_L2 &&
           (f->type & TYPE_MASK) <= TYPE_L4 && frame_owner(f) == current->domain;
}

/* One of the guest's tables of tables: of the type given, or any; the root when there is no such other one. */
static mfn_t some_table(uint64_t type)
{
    mfn_t at = LOW_BASE + below(max_mfn - LOW_BASE);

    for (mfn_t i = LOW_BASE; i < max_mfn; i++) {
        const struct frame *f = mfn_to_frame(at);

        if (table_type(f) && (type == 0 || (f->type & TYPE_MASK) == type))
            return at;
        at = at + 1 < max_mfn ? at + 1 : LOW_BASE;
    }
    return current->root_kernel >> PAGE_SHIFT;
}

#define LINEAR_SLOT 300u                /* four of the root's, which map nothing else */

/* Where the CPU comes by tables that take the place of lower ones, the hypervisor's entries among theirs. */
static uint64_t linear_va(void)
{
    uint64_t va = 0xffff;

    for (unsigned level = 4; level > 0; level--)
        va = va << 9 | (level == 4 || one_in(2) ? LINEAR_SLOT + below(4)
                        : one_in(2) ? HOLE_FIRST_SLOT + below(16) : one_in(2) ? 511 : below(512));
    return va << PAGE_SHIFT | below(512) * 8;
}

static uint64_t some_pte(void)
{
    uint64_t pte = some_mfn() << PAGE_SHIFT;

    if (!one_in(16))
        pte &= PTE_ADDR_MASK;
    pte |= one_in(8) ? 0 : PTE_P;
    pte |= one_in(2) ? PTE_RW : 0;
    pte |= any() & (PTE_US | PTE_A | PTE_D | PTE_NX);
    if (one_in(10))
        pte |= 1ull << below(64);
    return pte;
}

static uint64_t some_va(void)
{
    static const uint64_t odd[] = {
        0,
        8,
        HOLE_START - 8,
        HOLE_START,
        HOLE_START + 0x1000,
        HOLE_END - 8,
        HOLE_END,
        1ull << 47,
        (1ull << 47) - 8,
        ~0ull,
        ~7ull,
        GUEST_BASE - 8,
        GUEST_BASE,
        GUEST_BASE + (4 << 20) - 16,
        0x8000000000,
        0xffff820000010000,
    };

    switch (below(9)) {
    case 0:
        return odd[below(ARRAY_SIZE(odd))];
    case 8:
        return linear_va();
    case 1:
        return PLAY + below(16) * PAGE_SIZE - (one_in(2) ? below(64) : 0);
    case 2:
        return TABLES_VA + below(0x4000);
    case 3:
        return GUEST_BASE + below(4 << 20);
    default:
        return LISTS + below(0x400) * 8;
    }
}

static domid_t some_domid(void)
{
    static const domid_t ids[] = { 0, 1, 2, 3, 4, DOMID_IO, DOMID_XEN, DOMID_INVALID, DOMID_IDLE };

    return one_in(2) ? DOMID_SELF : ids[below(ARRAY_SIZE(ids))];
}

static uint64_t some_word(void)
{
    switch (below(10)) {
    case 0:
        return some_mfn();
    case 1:
        return some_mfn() << PAGE_SHIFT | below(512) * 8 | below(4);
    case 2:
        return some_pte();
    case 3:
        return some_va();
    case 4:
        return some_domid();
    case 5:
        return any();
    case 6:
        return 1ull << below(64);
    case 7:
        return below(64) | below(64) << 32;
    default:
        return below(32);
    }
}

/* What the guest would do itself, where it can. */
static void put(uint64_t va, const void *src, size_t len)
{
    (void)host_guest_write(va, src, len);
}

static void put_words(uint64_t va, unsigned n)
{
    while (n-- > 0) {
        uint64_t w = some_word();

        put(va + 8 * n, &w, 8);
    }
}

/* Grants that were mapped, to be unmapped some day. */
static struct { uint64_t addr, bus_addr; uint32_t flags; grant_handle_t handle; domid_t domid; } mapped[16];

static void remember_maps(const struct vcpu *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct gnttab_map_grant_ref m;

        if (!host_guest_read(&m, ARGS + i * sizeof(m), sizeof(m)) || m.status != GNTST_okay)
            continue;
        mapped[below(ARRAY_SIZE(mapped))] =
            (typeof(mapped[0])){m.host_addr, m.dev_bus_addr, m.flags, m.handle, v->domain->id};
        result.grants += v->domain->state == DOM_RUNNING;
    }
}

static void choose_mapped(struct gnttab_unmap_grant_ref *u)
{
    for (unsigned i = 0; i < ARRAY_SIZE(mapped); i++) {
        unsigned j = (unsigned)below(ARRAY_SIZE(mapped));

        if (mapped[j].domid == current->domain->id) {
            u->host_addr = one_in(10) ? 0 : mapped[j].addr;
            u->handle = mapped[j].handle;
            u->dev_bus_addr = one_in(3) ? mapped[j].bus_addr : 0;
            return;
        }
    }
}

/* --- Shapes: arguments of one kind of request, at ARGS and in a[]
 * ------------------------------------------- */

static void shape_mmu_update(uint64_t *a)
{
    unsigned n = one_in(20) ? 200 : 1 + (unsigned)below(5);

    for (unsigned i = 0; i < n; i++) {
        struct mmu_update u = { some_mfn() << PAGE_SHIFT | below(512) * 8, some_pte() };

        if (one_in(3))
            u.ptr = slot_maddr(PLAY + below(16) * PAGE_SIZE);
        u.ptr |= one_in(4) ? below(8) : 0;
        put(ARGS + i * sizeof(u), &u, sizeof(u));
    }
    a[0] = ARGS;
    a[1] = n;
    a[2] = one_in(3) ? some_va() : 0;
    a[3] = one_in(6) ? some_word() : DOMID_SELF;
}

/* Entries of tables to tables of the same level, most of them without RW. */
static void shape_linear_update(uint64_t *a)
{
    unsigned n = 1 + (unsigned)below(4);

    for (unsigned i = 0; i < n; i++) {
        mfn_t table = some_table(0), target = one_in(2) ? table : some_table(mfn_to_frame(table)->type & TYPE_MASK);
        struct mmu_update u = {
            .ptr = table << PAGE_SHIFT | (LINEAR_SLOT + below(4)) * 8 | (one_in(6) ? MMU_PT_UPDATE_PRESERVE_AD : 0),
            .val = one_in(3) ? 0 : target << PAGE_SHIFT | PTE_P | (one_in(8) ? PTE_RW : 0),
        };

        put(ARGS + i * sizeof(u), &u, sizeof(u));
    }
    a[0] = ARGS;
    a[1] = n;
    a[3] = DOMID_SELF;
}

static void shape_mmuext_op(uint64_t *a)
{
    unsigned n = 1 + (unsigned)below(4);

    for (unsigned i = 0; i < n; i++) {
        static const unsigned common[] = {
            MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE,
            MMUEXT_UNPIN_TABLE,  MMUEXT_UNPIN_TABLE,  MMUEXT_NEW_BASEPTR,  MMUEXT_NEW_USER_BASEPTR,
        };
        struct mmuext_op op = { .cmd = one_in(2) ? common[below(8)] : (unsigned)below(24) };

        op.arg1.mfn = one_in(5) ? some_word() : some_mfn();
        op.arg2.src_mfn = one_in(2) ? some_word() : some_mfn();
        if (op.cmd == MMUEXT_SET_LDT) {
            op.arg1.linear_addr = PLAY + below(16) * PAGE_SIZE;
            op.arg2.nr_ents = (unsigned)below(8200);
        }
        put(ARGS + i * sizeof(op), &op, sizeof(op));
    }
    a[0] = ARGS;
    a[1] = n;
    a[2] = one_in(3) ? some_va() : 0;
    a[3] = one_in(6) ? some_word() : DOMID_SELF;
}

static void shape_update_va_mapping(uint64_t *a)
{
    a[0] = one_in(4) ? some_va() : PLAY + below(16) * PAGE_SIZE;
    a[1] = some_pte();
    a[2] = one_in(8) ? some_word() : below(3);
    a[3] = some_domid();
}

static void shape_memory_op(uint64_t *a)
{
    static const unsigned cmds[] = {
        XENMEM_increase_reservation, XENMEM_decrease_reservation, XENMEM_populate_physmap, XENMEM_exchange,
    };
    struct xen_memory_reservation r = {
        .nr_extents = below(6), .extent_order = one_in(4) ? (unsigned)below(10) : 0, .domid = some_domid()};
    unsigned which = (unsigned)below(5);

    for (unsigned i = 0; i < 8; i++) {
        uint64_t mfn = one_in(8) ? some_word() : some_mfn();

        put(LISTS + 8 * i, &mfn, 8);
    }
    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)(one_in(6) ? some_va() : LISTS));
    a[0] = which < 4 ? cmds[which] : below(32);
    a[1] = ARGS;
    if (which == 3) {
        struct xen_memory_exchange x = { .in = r, .out = r };

        x.in.domid = x.out.domid = DOMID_SELF;
        x.nr_exchanged = one_in(8) ? any() : 0;
        set_xen_guest_handle_raw(x.out.extent_start, (xen_pfn_t *)(one_in(6) ? some_va() : LISTS + 64));
        put(ARGS, &x, sizeof(x));
    } else if (which < 3) {
        put(ARGS, &r, sizeof(r));
    } else {
        put_words(ARGS, 6);
    }
}

static void shape_event_channel_op(uint64_t *a)
{
    uint32_t words[4];

    for (unsigned i = 0; i < 4; i++)
        words[i] = (uint32_t)(one_in(4) ? some_word() : below(12));
    a[0] = one_in(40) ? EVTCHNOP_reset : below(14);
    if (a[0] == EVTCHNOP_reset && !one_in(20))
        a[0] = EVTCHNOP_send;
    if (a[0] == EVTCHNOP_alloc_unbound && !one_in(4))
        words[0] = DOMID_SELF | (uint32_t)some_vcpu()->domain->id << 16;
    else if (a[0] == EVTCHNOP_bind_interdomain && !one_in(4))
        words[0] = some_vcpu()->domain->id;
    else if (one_in(6))
        words[0] = some_domid() | (uint32_t)some_domid() << 16;
    if (a[0] == EVTCHNOP_init_control || a[0] == EVTCHNOP_expand_array) {
        uint64_t mfn = some_mfn();

        memcpy(words, &mfn, sizeof(mfn));
        words[2] = (uint32_t)(below(4) * 8);
        words[3] = (uint32_t)below(3);
    }
    put(ARGS, words, sizeof(words));
    a[1] = ARGS;
}

static unsigned maps_asked;

/* The commands about the table and what is written in it: one element. */
static void shape_grant_table(unsigned cmd)
{
    struct gnttab_get_status_frames f = { .nr_frames = (uint32_t)below(4), .dom = some_domid() };
    struct gnttab_set_version v = { .version = (uint32_t)(one_in(8) ? some_word() : 1 + below(2)) };
    struct gnttab_cache_flush c = { .a.dev_bus_addr = some_mfn() << PAGE_SHIFT, .offset = (uint16_t)below(4200),
                                    .length = (uint16_t)below(200), .op = (uint32_t)below(5) };
    struct gnttab_swap_grant_ref w = { .ref_a = (grant_ref_t)below(12), .ref_b = (grant_ref_t)below(12) };

    set_xen_guest_handle_raw(f.frame_list, (uint64_t *)LISTS);
    if (cmd == GNTTABOP_set_version)
        put(ARGS, &v, sizeof(v));
    else if (cmd == GNTTABOP_get_status_frames)
        put(ARGS, &f, sizeof(f));
    else if (cmd == GNTTABOP_cache_flush)
        put(ARGS, &c, sizeof(c));
    else
        put(ARGS, &w, sizeof(w));
}

static void shape_grant_table_op(uint64_t *a)
{
    unsigned cmd = (unsigned)(one_in(3) ? below(13) : (uint64_t[]){0, 0, 1, 2, 5, 5, 8}[below(7)]),
             n = 1 + (unsigned)below(3);
    unsigned size = 64;

    for (unsigned i = 0; i < n; i++) {
        struct gnttab_map_grant_ref m = {.host_addr = one_in(6) ? some_word() : PLAY + below(16) * PAGE_SIZE,
                                         .flags = one_in(4) ? (uint32_t)below(64)
                                                            : GNTMAP_host_map | (uint32_t)below(2) * 4,
                                         .ref = (grant_ref_t)below(12),
                                         .dom = one_in(4) ? some_domid() : some_vcpu()->domain->id};
        struct gnttab_unmap_grant_ref u = { .host_addr = m.host_addr, .handle = (grant_handle_t)below(6) };
        struct gnttab_setup_table s = { .dom = some_domid(), .nr_frames = (uint32_t)below(6) };
        struct gnttab_copy c = {.source.domid = some_domid(),
                                .dest.domid = some_domid(),
                                .flags = (uint16_t)below(4),
                                .len = (uint16_t)(one_in(2) ? below(64) : below(5000)),
                                .source.offset = (uint16_t)below(4200),
                                .dest.offset = (uint16_t)below(4200)};

        if (one_in(3))
            u.dev_bus_addr = some_mfn() << PAGE_SHIFT;
        if (!one_in(4))
            choose_mapped(&u);
        if (one_in(3))
            m.host_addr = slot_maddr(PLAY + below(16) * PAGE_SIZE), m.flags |= GNTMAP_contains_pte;
        c.source.u.gmfn = c.flags & GNTCOPY_source_gref ? below(12) : some_mfn();
        c.dest.u.gmfn = c.flags & GNTCOPY_dest_gref ? below(12) : some_mfn();
        set_xen_guest_handle_raw(s.frame_list, (xen_pfn_t *)LISTS);
        if (cmd == GNTTABOP_map_grant_ref)
            size = sizeof(m), put(ARGS + i * size, &m, size);
        else if (cmd == GNTTABOP_unmap_grant_ref)
            size = sizeof(u), put(ARGS + i * size, &u, size);
        else if (cmd == GNTTABOP_setup_table)
            size = sizeof(s), put(ARGS + i * size, &s, size);
        else if (cmd == GNTTABOP_copy)
            size = sizeof(c), put(ARGS + i * size, &c, size);
        else
            put_words(ARGS + i * size, 8);
    }
    if (cmd == GNTTABOP_set_version || cmd == GNTTABOP_get_status_frames || cmd == GNTTABOP_cache_flush ||
        cmd == GNTTABOP_swap_grant_ref)
        shape_grant_table(cmd), n = 1;
    a[0] = cmd;
    a[1] = ARGS;
    maps_asked = cmd == GNTTABOP_map_grant_ref ? n : 0;
    a[2] = cmd == GNTTABOP_setup_table ? 1 : n;
}

static void shape_vcpu_op(uint64_t *a)
{
    static __thread struct vcpu_guest_context c;

    a[0] = one_in(3) ? VCPUOP_initialise : below(15);
    a[1] = one_in(8) ? some_word() : below(3);
    a[2] = one_in(3) ? some_va() : ARGS;
    if (a[0] != VCPUOP_initialise) {
        struct vcpu_register_vcpu_info info = { .mfn = some_mfn(), .offset = (uint32_t)below(4200) & ~7u };

        put_words(ARGS, 4);
        if (a[0] == VCPUOP_register_vcpu_info)
            put(ARGS, &info, sizeof(info));
        return;
    }
    memset(&c, 0, sizeof(c));
    for (unsigned i = 0; i < 40; i++)
        if (one_in(3))
            ((uint64_t *)(void *)&c)[below(sizeof(c) / 8)] = some_word();
    c.user_regs.rip = CODE;
    c.user_regs.rsp = STACK_TOP;
    c.gdt_ents = one_in(3) ? below(20) * 100 : 0;
    for (unsigned i = 0; i < 14; i++)
        c.gdt_frames[i] = some_mfn();
    c.ctrlreg[3] = one_in(3) ? some_word() : current->root_kernel;
    c.ctrlreg[1] = one_in(3) ? some_word() : 0;
    a[2] = LISTS;
    put(LISTS, &c, sizeof(c));
}

static void shape_set_gdt(uint64_t *a)
{
    for (unsigned i = 0; i < 14; i++) {
        uint64_t mfn = some_mfn();

        put(LISTS + 8 * i, &mfn, 8);
    }
    a[0] = LISTS;
    a[1] = one_in(3) ? some_word() : below(3) * 512;
}

static void shape_update_descriptor(uint64_t *a)
{
    uint64_t gdt = current->gdt_frames[0];

    a[0] = (gdt != 0 && one_in(2) ? gdt : some_mfn()) << PAGE_SHIFT | below(512) * 8;
    a[1] = one_in(2) ? any() : 0x00cffb000000ffff;
}

static void shape_iret(uint64_t *a)
{
    uint64_t frame[9] = {any(),
                         2,
                         3,
                         one_in(2) ? VGCF_in_syscall : 0,
                         CODE,
                         one_in(3) && (current->root_user != 0 || one_in(50)) ? 0x33 : 0xe030,
                         some_word() | 0x200,
                         STACK_TOP - 64,
                         0x2b};

    (void)a;
    guest_regs(current)->rsp = one_in(50) ? some_va() : STACK_TOP - 0x100;
    put(STACK_TOP - 0x100, frame, sizeof(frame));
}

static void shape_set_callbacks(uint64_t *a)
{
    a[0] = CODE + 0x10;
    a[1] = CODE + 0x20;
    a[2] = one_in(4) ? some_word() : CODE + 0x30;
}

static void shape_sched_op(uint64_t *a)
{
    a[0] = below(10);
    a[1] = ARGS;
    put_words(ARGS, 4);
    if (a[0] == SCHEDOP_shutdown && !one_in(30))
        a[0] = SCHEDOP_yield;
    if (a[0] == SCHEDOP_poll) {
        uint32_t ports[4] = {(uint32_t)below(12), (uint32_t)below(12), (uint32_t)below(12),
                             (uint32_t)below(6000)};

        put(LISTS, ports, sizeof(ports));
        struct sched_poll p = { .nr_ports = (unsigned)below(4), .timeout = now_ns() + below(3000000) };

        set_xen_guest_handle_raw(p.ports, (evtchn_port_t *)(one_in(10) ? some_va() : LISTS));
        put(ARGS, &p, sizeof(p));
    }
}

static const struct {
    unsigned nr;
    void (*shape)(uint64_t *a);
} shapes[] = {
    { __HYPERVISOR_mmu_update, shape_mmu_update },
    { __HYPERVISOR_mmu_update, shape_mmu_update },
    { __HYPERVISOR_mmu_update, shape_linear_update },
    { __HYPERVISOR_mmuext_op, shape_mmuext_op },
    { __HYPERVISOR_mmuext_op, shape_mmuext_op },
    { __HYPERVISOR_update_va_mapping, shape_update_va_mapping },
    { __HYPERVISOR_update_va_mapping_otherdomain, shape_update_va_mapping },
    { __HYPERVISOR_memory_op, shape_memory_op },
    { __HYPERVISOR_event_channel_op, shape_event_channel_op },
    { __HYPERVISOR_event_channel_op, shape_event_channel_op },
    { __HYPERVISOR_grant_table_op, shape_grant_table_op },
    { __HYPERVISOR_grant_table_op, shape_grant_table_op },
    { __HYPERVISOR_vcpu_op, shape_vcpu_op },
    { __HYPERVISOR_set_gdt, shape_set_gdt },
    { __HYPERVISOR_update_descriptor, shape_update_descriptor },
    { __HYPERVISOR_iret, shape_iret },
    { __HYPERVISOR_set_callbacks, shape_set_callbacks },
    { __HYPERVISOR_sched_op, shape_sched_op },
};

static void no_shape(uint64_t *a)
{
    for (unsigned i = 0; i < 6; i++)
        a[i] = one_in(2) ? ARGS : some_word();
    if (one_in(2))
        a[0] = below(16);
    put_words(ARGS, 8);
}

static uint64_t some_field(char what)
{
    switch (what) {
    case 'D':
        return some_domid();
    case 'x':
        return one_in(4) ? some_va() : some_mfn();
    case 'p':
        return one_in(8) ? some_va() : LISTS;
    case 'c':
        return CODE;
    case 't':
        return now_ns() + below(3000000);
    default:
        return one_in(6) ? some_word() : below(8);
    }
}

/* A sub-operation with one or two of its structures, of which each field holds what such a field means. */
static unsigned shape_by_table(uint64_t *a)
{
    const struct abi_shape *s;
    const char *kinds;

    do
        s = &abi_shapes[below(ARRAY_SIZE(abi_shapes))];
    while (s->nr == __HYPERVISOR_sched_op);     /* would end the domain, or put the vCPU to sleep, too often */
    kinds = abi_argument_kinds(s->nr);
    put_words(LISTS, 8);
    for (unsigned element = 0; element < 2; element++)
        for (unsigned i = 0; i < s->nr_fields; i++) {
            uint64_t value = some_field(s->fields[i].what);

            put(ARGS + element * s->size + s->fields[i].offset, &value, MIN(s->fields[i].size, sizeof(value)));
        }
    for (unsigned i = 0; kinds[i] != '\0'; i++)
        a[i] = kinds[i] == 'o' ? s->op : kinds[i] == 'S' || kinds[i] == 'A' ? ARGS : 1 + below(2);
    return s->nr;
}

static unsigned choose(uint64_t *a)
{
    unsigned i = (unsigned)below(ARRAY_SIZE(shapes)), nr = shapes[i].nr;

    memset(a, 0, 6 * sizeof(a[0]));
    if (one_in(8)) {
        nr = shape_by_table(a);
    } else if (one_in(4)) {
        nr = (unsigned)below(NR_HYPERCALLS);
        no_shape(a);
        if (nr == __HYPERVISOR_sched_op || nr == __HYPERVISOR_iret || nr == __HYPERVISOR_sched_op_compat)
            nr = __HYPERVISOR_xen_version;
    } else {
        shapes[i].shape(a);
    }
    if (one_in(30))
        a[below(6)] = some_word();
    return nr;
}

/* A few requests in one; the words at ARGS are those of the last. */
static unsigned choose_multicall(uint64_t *a)
{
    unsigned n = 1 + (unsigned)below(4);

    for (unsigned i = 0; i < n; i++) {
        struct multicall_entry e = { .op = choose(a) };

        for (unsigned j = 0; j < 6; j++)
            e.args[j] = a[j];
        put(LISTS + 0x800 + i * sizeof(e), &e, sizeof(e));
    }
    memset(a, 0, 6 * sizeof(a[0]));
    a[0] = LISTS + 0x800;
    a[1] = n;
    return __HYPERVISOR_multicall;
}

/* --- Guests -----------------------------------------------------------------------------------------------
 */

static bool half_done(void)
{
    if (inside != 0)
        return true;
    for (mfn_t mfn = LOW_BASE; mfn < max_mfn; mfn++)
        if (mfn_to_frame(mfn)->owner != 0 && (mfn_to_frame(mfn)->type & TYPE_VALIDATING))
            return true;
    return false;
}

static void audit_now_and_then(void)
{
    if (!one_in(12) || half_done())
        return;
    audit();
    result.audits++;
    for (mfn_t mfn = LOW_BASE; mfn < max_mfn; mfn++)
        result.linear += (mfn_to_frame(mfn)->type & LINEAR_ENTRIES) != 0;
}

static void leave(struct vcpu *v)
{
    if (v->work != 0 || upcall_due(v))
        exit_to_guest_work();
}

static void enter_kernel(struct vcpu *v)
{
    struct cpu_user_regs *r = guest_regs(v);

    r->rip = CODE;
    r->rsp = one_in(200) ? some_va() : STACK_TOP;
    r->cs = FLAT_KERNEL_CS64;
    r->ss = FLAT_KERNEL_SS64;
    r->rflags = 0x202;
    if (v->kernel_mode)
        return;
    v->kernel_sp = STACK_TOP;
    v->callback[CB_SYSCALL] = one_in(10) ? 0 : CODE;
    if (one_in(4))
        handle_syscall32(v);
    else if (one_in(3))
        handle_sysenter(v);
    else if (one_in(3))
        handle_failsafe(v, 1, 2, 3, 4);
    else
        handle_user_syscall(v);
    leave(v);
}

static void guest_hypercall(struct vcpu *v)
{
    uint64_t a[6];
    unsigned nr;
    bool quiet;
    long rc;

    for (unsigned i = 0; i < 4; i++) {          /* what the TLB then holds */
        uint64_t va = PLAY + below(16) * PAGE_SIZE, word;

        if (host_guest_read(&word, va, 8) && one_in(2))
            put(va, &word, 8);
        (void)host_guest_read(&word, linear_va(), 8);
    }
    maps_asked = 0;
    nr = one_in(10) ? choose_multicall(a) : choose(a);
    quiet = nr == __HYPERVISOR_sched_op;
    inside += !quiet;
    if (tracing(TRACE_HYPERCALL))
        rc = hypercall_traced(nr, a);
    else
        rc = hypercall_table[nr](a[0], a[1], a[2], a[3], a[4], a[5]);
    inside -= !quiet;
    host_tlb_audit();
    guest_regs(v)->rax = (uint64_t)rc;
    if (nr == __HYPERVISOR_grant_table_op && rc == 0)
        remember_maps(v, maps_asked);
    result.hypercalls++;
    result.succeeded += rc >= 0;
    hypercalls_left -= hypercalls_left != 0;
    trace_check_now_and_then();
    trace_change_now_and_then();
    audit_now_and_then();
}

static void guest_trap(struct vcpu *v)
{
    static const char *const code[] = {
        "\x0f\x20\xc0", "\x0f\x22\xd8", "\x0f\x22\xe0", "\x0f\x20\xd8", "\x0f\x22\xc0", "\x0f\x06\x90",
        "\x0f\x32\x90", "\x0f\x30\x90", "\x0f\x21\xc0", "\x0f\x23\xf8", "\x0f\x23\xc3", "\xe4\x70\x90",
        "\xe6\x80\x90", "\xec\x90\x90", "\xef\x90\x90", "\xfa\x90\x90", "\xfb\x90\x90", "\x6c\x90\x90",
        "\xf3\x6e\x90", "\x0f\x01\xd1", "\x0f\x09\x90", "\xf4\x90\x90", "\xcd\x80\x90", "\x0f\x0b\x78",
        "\x48\x89\x07", "\x48\x87\x07", "\x0f\x01\xf8", "\x0f\x20\xe0", "\x0f\x20\xd0", "\x0f\x22\xd0",
        "\x0f\x31\x90", "\x0f\x01\xf9",
    };
    struct cpu_user_regs *r = guest_regs(v);
    unsigned vector =
        one_in(6) ? (unsigned)below(20) : (unsigned)(uint64_t[]){TRAP_GP, TRAP_PF, TRAP_UD}[below(3)];
    uint64_t cr2 = some_va();

    put(CODE, code[below(ARRAY_SIZE(code))], 3);
    if (one_in(4))
        put_words(CODE, 2);
    if (one_in(3))
        put(CODE, "\x0f\x0bxen\x0f\xa2", 7);
    r->rax = some_word();
    if (one_in(2))
        r->rax = (uint64_t[]){ 1, 3, 7, 0x80050033 }[below(4)];
    r->rbx = some_word();
    r->rcx = one_in(2) ? 0xc0000080 + below(0x200) : one_in(2) ? 0 : some_word();
    r->rdx = one_in(2) ? 0 : some_word();
    r->rdi = r->rsi = cr2;
    if (vector == TRAP_PF && one_in(2)) {       /* a store to a table */
        static const char *const stores[] = {
            "\x48\x89\x07\x90", "\x48\x87\x07\x90", "\x48\x0f\xb1\x07", "\x48\x0f\xc1\x07",
            "\x48\x01\x07\x90", "\x48\x21\x07\x90", "\x48\x31\x07\x90", "\x48\x83\x27\x01",
            "\x0f\xba\x37\x01", "\x0f\xab\x07\x90", "\x66\x89\x07\x90", "\x88\x07\x90\x90",
        };

        r->rdi = cr2 = TABLES_VA + below(512) * 8;
        r->rax = some_pte();
        r->error_code = 3;
        put(CODE, stores[below(ARRAY_SIZE(stores))], 4);
    } else if (vector == TRAP_PF && one_in(8)) {
        cr2 = 0xffff820000000000 + ((uint64_t)v->id << 17) + 0x10000 + below(0x10000);
        r->error_code = (uint32_t)below(4);
    } else if (vector == TRAP_PF) {
        r->error_code = (uint32_t)below(4) | (one_in(500) ? 8 : 0);
    } else {
        r->error_code = one_in(3) ? (uint32_t)below(2048) : 0;
    }
    if (vector == TRAP_NMI || vector == 8 || vector == 9 || vector == 15 || vector == 18)
        vector = TRAP_GP;                       /* the CPU's own business */
    if (one_in(3))
        r->rip = CODE + below(3);
    if (vector == TRAP_GP && one_in(10)) {
        put(CODE, "\xcd\x80", 2);
        r->error_code = 0x80 * 8 + 2;
    }
    handle_guest_trap(r, vector, cr2);
    result.traps++;
    audit_now_and_then();
}

static void grant_something_v2(struct domain *d, const struct grant_entry_v1 *like)
{
    union grant_entry_v2 e = { .full_page = { .hdr = { like->flags, like->domid }, .frame = like->frame } };

    if (one_in(3)) {
        e.hdr.flags |= GTF_sub_page;
        e.sub_page.page_off = (uint16_t)below(4200);
        e.sub_page.length = (uint16_t)below(4200);
    } else if (one_in(2)) {
        e.hdr.flags |= GTF_transitive;
        e.transitive.trans_domid = some_vcpu()->domain->id;
        e.transitive.gref = (grant_ref_t)below(14);
    }
    for (unsigned i = 0; i < 4; i++)
        *grant_entry_v2_of(d->grant, 1 + (grant_ref_t)below(11)) = e;
    if (one_in(4))
        *grant_status_of(d->grant, 1 + (grant_ref_t)below(11)) = (uint16_t)any();
}

/* Grant entries, wherever the guest maps its table. */
static void grant_something(struct domain *d)
{
    struct grant_entry_v1 e = {.flags = one_in(8) ? (uint16_t)any() : GTF_permit_access,
                               .domid = some_vcpu()->domain->id,
                               .frame = (uint32_t)some_mfn()};

    if (one_in(3))
        e.flags |= GTF_readonly;
    if (d->grant->version == 2) {
        grant_something_v2(d, &e);
        return;
    }
    for (mfn_t mfn = LOW_BASE; mfn < max_mfn; mfn++)
        if (frame_owner(mfn_to_frame(mfn)) == d && !(mfn_to_frame(mfn)->count & FRAME_COUNTED) &&
            mfn != d->shared_mfn)
            ((struct grant_entry_v1 *)mfn_to_virt(mfn))[1 + below(11)] = e;
}

/* What a guest may do to itself without asking. */
static void guest_scribble(struct vcpu *v)
{
    uint64_t w = some_word();

    switch (below(5)) {
    case 0:
        put(PLAY + below(16 * 512) * 8, &w, 8);
        break;
    case 1:
        ((uint64_t *)v->domain->shared)[below(512)] = w;
        v->callback[CB_EVENT] = CODE + 0x10;
        break;
    case 2:
        grant_something(v->domain);
        break;
    case 3:
        if (v->domain->console_ring != NULL)
            ((uint32_t *)(void *)v->domain->console_ring)[one_in(2) ? 768 + below(4) : below(1024)] =
                (uint32_t)w;
        break;
    default:
        v->info->evtchn_upcall_mask = (uint8_t)below(2);
    }
}

static void give_up(struct vcpu *v)
{
    domain_shutdown(v->domain, SHUTDOWN_poweroff);
    exit_to_guest_work();
}

static int new_user_root_of(struct vcpu *v, mfn_t mfn)
{
    int rc;

    spin_lock(&v->domain->mm_lock);
    rc = new_user_root(v, mfn);
    spin_unlock(&v->domain->mm_lock);
    return rc;
}

static void random_guest(struct vcpu *v)
{
    for (unsigned i = 0; i < 256; i++)
        v->traps[i] = (struct trap_info){.vector = (uint8_t)i,
                                         .flags = (uint8_t)(i % 3 ? 0 : 4),
                                         .cs = FLAT_KERNEL_CS64,
                                         .address = CODE + 0x40};
    v->callback[CB_EVENT] = v->callback[CB_FAILSAFE] = v->callback[CB_SYSCALL] = CODE + 0x10;
    if (walk_to_l1(v->root_kernel, PLAY) == NULL)
        give_up(v);             /* another vCPU gave it tables that know nothing of this */
    for (unsigned i = 0; i < 4; i++)            /* its tables, to look at and to store to */
        (void)do_update_va_mapping(TABLES_VA + i * PAGE_SIZE,
                                   (PTE_MFN(slot_maddr(PLAY)) << PAGE_SHIFT) | PTE_P, 0);
    for (unsigned i = 0; i < 8; i++)
        grant_something(v->domain);
    if (one_in(2))
        (void)do_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
    (void)new_user_root_of(v, v->root_kernel >> PAGE_SHIFT);
    leave(v);
    for (;;) {
        over |= hypercalls_left == 0 || source->dry(source->state);
        if (over || v->domain->state != DOM_RUNNING)
            give_up(v);
        host_advance(below(100000));
        enter_kernel(v);
        if (walk_to_l1(v->root_kernel, PLAY) == NULL || !(pte_at(STACK_TOP - 8) & PTE_RW))
            give_up(v);         /* it has cut off the branch it sat on */
        if (one_in(6))
            guest_scribble(v);
        if (one_in(5))
            guest_trap(v);
        else
            guest_hypercall(v);
        leave(v);
    }
}

static void make_domain(void)
{
    static const unsigned vcpus[2] = { 2, 1 };
    struct domain *d;
    domid_t id = 1;

    while (id < 6) {
        bool used = false;

        for_each_domain(d)
            used |= d->id == id;
        if (!used)
            break;
        id++;
    }
    d = guest_make(id, vcpus[id % 2]);
    if (d == NULL)
        return;
    for (unsigned i = 0; i < d->nr_vcpus; i++)
        host_vcpu(d->vcpu[i])->program = random_guest;
    for (unsigned i = 1; i < d->nr_vcpus && one_in(2); i++) {
        spin_lock(&d->mm_lock);
        if (new_guest_root(d->vcpu[i], d->vcpu[0]->root_kernel >> PAGE_SHIFT) == 0)
            d->vcpu[i]->initialised = d->vcpu[i]->up = true;
        spin_unlock(&d->mm_lock);
        vcpu_wake(d->vcpu[i]);
    }
    if (reads_one_in != 0)
        trace_domain(d, some_classes());
    result.domains++;
}

static unsigned running_domains(void)
{
    struct domain *d;
    unsigned n = 0;

    for_each_domain(d)
        n += d->state == DOM_RUNNING;
    return n;
}

/* Nobody sleeps for ever: whoever waits for an event that will not come is woken. */
static void prod(void)
{
    struct domain *d;
    struct vcpu *v;
    unsigned i;

    for_each_domain(d)
        for_each_vcpu(d, v, i)
            if (d->state == DOM_RUNNING && v->started)
                vcpu_wake(v);
}

static void check_all_free(uint64_t want)
{
    if (nr_free_frames() == want && list_empty(&domain_list))
        return;
    fprintf(stderr, "fuzz: %lu frames were free before, %lu after the last domain; %u domains are left\n",
            want, nr_free_frames(), domain_count());
    abort();
}

static int some_key(void)
{
    return one_in(3) ? (int)below(256) : -1;
}

struct fuzz_result fuzz_world(struct fuzz_source *s, uint64_t max_hypercalls)
{
    uint64_t free_at_start;

    source = s;
    result = (struct fuzz_result){ 0 };
    hypercalls_left = max_hypercalls;
    memset(mapped, 0, sizeof(mapped));
    inside = 0;
    over = false;
    host_start(LOW_BASE, 13, any());
    free_at_start = nr_free_frames();
    host.hostile_memory = one_in(2);
    host.getc = one_in(2) ? some_key : NULL;
    host.tsc_step = one_in(2) ? 7 : 1 + below(30000);
    trace_begin();
    while (!over) {
        if (running_domains() < 2 && nr_free_frames() > GUEST_FRAMES + 100)
            make_domain();
        if (running_domains() == 0)
            break;
        if (one_in(8))
            host_take_all_but(below(24));
        host.window_ticks = one_in(2) ? below(30000000) : 0;
        (void)host_run(3000000);
        host_give_back();
        prod();
    }
    host.hostile_memory = false;
    guests_end();
    trace_finish();
    check_all_free(free_at_start);
    host_stop();
    return result;
}
