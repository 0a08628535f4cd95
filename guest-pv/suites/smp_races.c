/* Suite "smp": races between what one vCPU sets and what others do with it at the same time: masks
 * against sends, a page of an LDT against loads of its selectors, the rights of a page against
 * stores of user mode. */
#include "clock.h"
#include "event.h"
#include "gdt.h"
#include "hypercall.h"
#include "mm.h"
#include "smp.h"
#include "suite.h"
#include "user.h"
#include "worker.h"

#define PATIENCE (20 * NS_PER_S)

/* What the workers have counted. */
static uint64_t total(unsigned nr)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < nr; i++)
        n += __atomic_load_n(&workers[i].count, __ATOMIC_RELAXED);
    return n;
}

/* --- Masks against sends ---------------------------------------------------------------------- */

static struct {
    port_t port;
    volatile uint64_t seen;             /* deliveries */
} masked;

static void on_event(port_t port, void *arg)
{
    (void)port;
    (void)arg;
    masked.seen++;
}

/* Behind each send there is a delivery that began after it, whether it found the port masked or
 * not. */
static void send_and_wait(struct worker *w)
{
    while (!smp_stop) {
        uint64_t before = masked.seen, end = clock_ns_of(w->id) + PATIENCE;

        w->faults += event_send(masked.port) != 0;
        while (masked.seen == before && clock_ns_of(w->id) < end)
            xen_sched_op(SCHEDOP_yield, NULL);
        w->faults += masked.seen == before;
        w->count++;
    }
}

static void masks_against_sends(void)
{
    unsigned nr = smp_begin();
    int port = event_bind_ipi(on_event, NULL);

    ASSERT(port > 0);
    masked.port = port;
    ASSERT(workers_start(send_and_wait, NULL));
    for (unsigned i = 0; total(nr) < smp_rounds(3000) && smp_goes_on(i, 1000000); i++) {
        event_mask(masked.port);
        if (i % 4 == 0)
            xen_sched_op(SCHEDOP_yield, NULL);  /* with one CPU they send now */
        event_unmask(masked.port);
    }
    smp_stop = true;
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++)
        EXPECT_EQ(workers[i].faults, 0);
    EXPECT(total(nr) > nr);
    EXPECT_EQ(event_close(masked.port), 0);
}

/* --- A page of an LDT against loads ----------------------------------------------------------- */

#define LDT_ENTRIES 512u
#define LDT_SEL(n)  ((n) * 8 + 7)

/* Loads that are over; count has those that worked. */
static volatile uint64_t tries[MAX_WORKERS];

/* Loads selectors again and again, by an LDT of its own. */
static void load_selectors(struct worker *w)
{
    uint64_t state = 0xbf58476d1ce4e5b9 * w->id;

    w->faults += mmuext(MMUEXT_SET_LDT, (uint64_t)w->arg, LDT_ENTRIES) != 0;
    while (!smp_stop) {
        w->count += worker_set_fs(LDT_SEL(smp_random(&state) % LDT_ENTRIES));
        tries[w->id - 1]++;
    }
    worker_set_fs(0);
    w->faults += mmuext(MMUEXT_SET_LDT, 0, 0) != 0;
}

/* Waits until each worker has tried so many more loads. */
static void wait_for_tries(unsigned nr, unsigned n)
{
    uint64_t before[MAX_WORKERS], end = clock_ns() + PATIENCE;

    for (unsigned i = 0; i < nr; i++)
        before[i] = tries[i];
    for (unsigned i = 0; i < nr; i++) {
        while (tries[i] - before[i] < n && clock_ns() < end)
            xen_sched_op(SCHEDOP_yield, NULL);
        ASSERT(tries[i] - before[i] >= n);
    }
}

/* vCPU 0 unmaps the page, which others load selectors from, and makes it an ordinary one again. No
 * load finds the descriptors there any more, which nobody validates now. */
static void ldt_page_is_taken_away(void)
{
    unsigned nr = smp_begin(), found = 0;
    pfn_t page = frame_alloc();
    volatile uint64_t *va = va_alloc(1);
    uint64_t before, worked = 0;

    for (unsigned i = 0; i < LDT_ENTRIES; i++)
        ((volatile uint64_t *)p2v(page))[i] = D_DATA | D_LIMIT(0xffffful) | D_BIG;
    ASSERT(workers_start(load_selectors, (void *)va));
    for (unsigned i = 0; smp_goes_on(i, 500); i++) {
        ASSERT_EQ(frame_set_ro(page), 0);
        ASSERT_EQ(xen_update_va_mapping((uint64_t)va, make_pte(pfn_to_mfn(page), PTE_RO), 0), 0);
        before = total(nr);
        wait_for_tries(nr, 3);
        worked += total(nr) - before;
        ASSERT_EQ(xen_update_va_mapping((uint64_t)va, 0, 0), 0);
        ASSERT_EQ(frame_set_rw(page), 0);       /* no LDT has it: it can be writable */
        wait_for_tries(nr, 2);                  /* those that had begun are over */
        before = total(nr);
        wait_for_tries(nr, 10);
        found += total(nr) - before;
    }
    smp_stop = true;
    ASSERT(workers_join());
    EXPECT_EQ(found, 0);
    EXPECT(worked > 0);
    for (unsigned i = 0; i < nr; i++)
        EXPECT_EQ(workers[i].faults, 0);
    frame_free(page);
}

/* --- Rights of a page against stores of user mode --------------------------------------------- */

#define STORES 200ul
#define ROUNDS 1000000u

static struct {
    uint64_t *va;
    uint64_t writable, read_only;       /* entries */
    volatile uint64_t faults;
} opened;

/* Closed for as short as it can be, mostly. Only one does it: while a flush waits for the CPU whose
 * store has faulted, the page is closed. */
static void open_and_close(struct worker *w)
{
    uint64_t random = 1;

    while (!smp_stop && w == &workers[0]) {
        w->count++;
        for (uint64_t n = smp_random(&random) % 4096; n > 0 && !smp_stop; n--)
            __asm__ volatile("pause");
        w->faults += xen_update_va_mapping((uint64_t)opened.va, opened.read_only,
                                           UVMF_INVLPG | UVMF_ALL) != 0;
        if (w->count % 16 == 0)
            xen_sched_op(SCHEDOP_yield, NULL);          /* with one CPU the store is tried now */
        w->faults += xen_update_va_mapping((uint64_t)opened.va, opened.writable, 0) != 0;
    }
}

static bool store_again(struct regs *r)
{
    (void)r;
    opened.faults++;
    xen_sched_op(SCHEDOP_yield, NULL);
    return true;
}

/* rdx times; returns how often, with a bit more if a register was changed. */
USER_ASM void store_often(void)
{
    __asm__("xorl %eax, %eax\n\tmovl $8, %r8d\n\tmovl $9, %r9d\n\tmovl $10, %r10d\n\t"
            "movl $11, %r11d\n\tmovl $12, %ecx\n\tmovq %rsi, %rdi\n"
            "1:\tincq (%rsi)\n\tincq %rax\n\tcmpq %rdx, %rax\n\tjb 1b\n\t"
            "xorl $8, %r8d\n\txorl $9, %r9d\n\txorl $10, %r10d\n\txorl $11, %r11d\n\t"
            "xorl $12, %ecx\n\txorq %rsi, %rdi\n\torq %r9, %r8\n\torq %r10, %r8\n\t"
            "orq %r11, %r8\n\torq %rcx, %r8\n\torq %rdi, %r8\n\tjz 2f\n\tbtsq $63, %rax\n"
            "2:\tret");
}

/* A store that faults because the page was closed may find it open when the hypervisor looks: then
 * it is made again, and the guest is told nothing. */
static void rights_against_stores(void)
{
    trap_handler old;
    pfn_t page;
    uint64_t stored = 0;

    smp_begin();
    page = frame_alloc();
    *(uint64_t *)p2v(page) = 0;
    opened.va = (uint64_t *)0x900000;
    opened.writable = make_pte(pfn_to_mfn(page), PTE_USER);
    opened.read_only = opened.writable & ~PTE_RW;
    opened.faults = 0;
    ASSERT_EQ(map_user(opened.va, opened.writable), 0);
    ASSERT(workers_start(open_and_close, NULL));
    old = trap_set_handler(TRAP_PF, store_again);
    for (unsigned i = 0; smp_goes_on(i, ROUNDS); i++) {
        struct user_result end = user_run(store_often, 0, (uint64_t)opened.va, STORES);

        EXPECT(end.exited);
        EXPECT_EQ(end.code, STORES);
        stored += STORES;
    }
    trap_set_handler(TRAP_PF, old);
    smp_stop = true;
    ASSERT(workers_join());
    EXPECT(opened.faults > 0);
    EXPECT_EQ(*(uint64_t *)p2v(page), stored);
    EXPECT_EQ(unmap_page(opened.va), 0);
    frame_free(page);
}

SUITE_PART(smp, 57, 3, TEST(masks_against_sends), TEST(ldt_page_is_taken_away),
           TEST(rights_against_stores));
