/* Two CPUs, which run the two vCPUs of one domain on the same tables, or one of each of two
 * domains. There may be a third, for a vCPU of the second domain that makes no calls. Each has a
 * TLB and paging-structure caches of its own. A hypercall runs on one CPU from its beginning to its
 * end. At any point of it the guest on another may access memory, once in a call: by what its CPU
 * has cached, or by the tables as they are at that instant. Points are:
 *   - before each store of the hypervisor to a page table or to the frame table (stores.c)
 *   - where the fake machine lets other CPUs go on (host_step): before flushes, copies, windows
 *   - before a flush of several CPUs, and around the wait for another CPU
 * At each point it is checked that the other CPUs have cached nothing that the guest may not use.
 *
 * A CPU that is asked to flush does so while the other waits for it; or after the call, if the
 * other does not wait. */
#include "arch/arch.h"
#include "model.h"
#include "search.h"
#include "xen/core/flush.h"
#include "xen/core/request.h"

static bool calling;            /* a call is under way, and it is not the other CPU's turn */
static unsigned points, accessor;
static int wanted;
static unsigned access_op;
/* What an access would meet at each point, as a number; and before and after the call. */
static uint64_t met[MAX_POINTS + 2];
static bool flush_is_late;      /* the call did not wait for it */

void __wrap_host_step(void);
void __wrap_flush_since(struct domain *d, uint64_t stamp);
void __wrap_flush_foreign(const struct domain *d, uint64_t stamp);
void __wrap_wait_for_flush(struct cpu *c, uint32_t number);
void __real_host_step(void);
void __real_flush_since(struct domain *d, uint64_t stamp);
void __real_flush_foreign(const struct domain *d, uint64_t stamp);
void __real_wait_for_flush(struct cpu *c, uint32_t number);

/* --- The CPUs --------------------------------------------------------------------------------- */

static void never(struct vcpu *v)
{
    (void)v;
    MUST(false);
}

/* There is one stack: a CPU that does not run is not in the middle of anything. */
void cpus_make(void)
{
    MUST(stores_are_seen);
    host_add_cpus(nr_tlbs());
    host_set_current_of(0, actors[0]);
    for (unsigned cpu = 1; cpu < nr_tlbs(); cpu++) {
        fiber_free(actors[cpu]);
        host_cpu_program(cpu, actors[cpu], never);
        cpus[cpu]->work_left = INT64_MAX / 2;
    }
}

void cpus_end(void)
{
    cpu_go_to(0);
    for (unsigned cpu = 1; cpu < nr_tlbs(); cpu++)
        host_program_ended(cpu);
    host_remove_cpus();
}

void cpu_go_to(unsigned cpu)
{
    host_cpu = cpu;
    host_tlb_select(cpu);
    current = actors[cpu];
    host.cr3 = current->root_kernel;
}

const struct host_translation *translation(unsigned cpu, unsigned level, uint64_t va)
{
    const struct host_translation *t;

    if (!scope->two_cpus)
        return host_tlb_find(level, va);
    host_tlb_select(cpu);
    t = host_tlb_find(level, va);
    host_tlb_select(host_cpu);
    return t;
}

void cpu_take_interrupts(unsigned cpu)
{
    unsigned self = host_cpu;

    cpu_go_to(cpu);
    host_take_interrupts();
    cpu_go_to(self);
}

/* --- Points ----------------------------------------------------------------------------------- */

/* The entries, and how often any CPU has flushed: all that decides what an access does. */
static uint64_t what_is_met(void)
{
    uint64_t h = host.full_flushes + host.page_flushes + host.root_loads;

    for (unsigned i = 0; i < nr_places; i++)
        h = (h ^ (*places[i].slot & ~PTE_A)) * 0xff51afd7ed558ccd;
    for (unsigned i = 0; i < scope->nr_frames; i++)
        for (unsigned e = 0; e < scope->nr_entries; e++)
            h = (h ^ (((const uint64_t *)mfn_to_virt(model_mfn[i]))[e] & ~PTE_A)) *
                    0xff51afd7ed558ccd + 1;
    return h;
}

/* The guest is in user mode or its kernel's: it takes no interrupt before the access. */
static void access(void)
{
    unsigned self = host_cpu;

    host_held = true;
    (void)op_run(&ops[access_op], accessor);
    host_held = false;
    cpu_go_to(self);
}

static void point(void)
{
    const char *wrong;

    if (!calling)
        return;
    calling = false;
    HOST_CHECK(points < MAX_POINTS, "too many points");
    if (wanted == NO_POINT)
        met[points + 1] = what_is_met();
    else if ((int)points == wanted)
        access();
    points++;
    for (unsigned cpu = 0; cpu < nr_tlbs(); cpu++) {
        wrong = cpu != host_cpu ? check_caches(cpu) : NULL;
        if (wrong != NULL)
            violation(wrong);
    }
    calling = true;
}

void store_begins(const volatile void *p)
{
    const uint8_t *byte = (const uint8_t *)p;
    bool matters;

    if (!calling)
        return;
    matters = byte >= (const uint8_t *)frame_table && byte < (const uint8_t *)&frame_table[max_mfn];
    for (unsigned i = 0; i < scope->nr_frames && !matters; i++)
        matters = (size_t)(byte - (const uint8_t *)mfn_to_virt(model_mfn[i])) < PAGE_SIZE;
    for (unsigned i = 0; i < nr_places && !matters; i++)
        matters = byte == (const uint8_t *)places[i].slot;
    if (matters)
        point();
}

void __wrap_host_step(void)
{
    point();
    __real_host_step();
}

void __wrap_flush_since(struct domain *d, uint64_t stamp)
{
    point();
    __real_flush_since(d, stamp);
}

void __wrap_flush_foreign(const struct domain *d, uint64_t stamp)
{
    point();
    __real_flush_foreign(d, stamp);
}

void __wrap_wait_for_flush(struct cpu *c, uint32_t number)
{
    bool was_calling = calling;

    if (scope->two_cpus) {
        point();
        calling = false;
        cpu_take_interrupts(c->id);
        if ((int32_t)(c->flush.done - number) < 0)
            violation("a CPU waits for a flush that was not asked for");
        calling = was_calling;
        point();
    }
    __real_wait_for_flush(c, number);
}

/* --- A call ----------------------------------------------------------------------------------- */

unsigned accessor_of(unsigned outer)
{
    return scope->third_cpu ? 2 : 1u - ops[outer].actor;
}

void run_to_point(unsigned outer, int at_point, unsigned inner, bool *ok)
{
    unsigned self = ops[outer].actor;

    accessor = accessor_of(outer);
    wanted = at_point;
    access_op = inner;
    points = 0;
    switch_to(self);
    met[0] = what_is_met();
    calling = true;
    *ok = op_run(&ops[outer], self);
    calling = false;
    flush_is_late = cpus[accessor]->requests != 0;
    met[points + 1] = what_is_met();
    for (unsigned cpu = 0; cpu < nr_tlbs(); cpu++)
        cpu_take_interrupts(cpu);
}

unsigned nr_points(void)
{
    return points;
}

/* Left out are accesses that do what the same access does at another point, or before or after the
 * call. A write is made also at the last point before something changes, when the call may have
 * read the entry that it sets bits of. */
enum accesses accesses_at(unsigned at_point)
{
    const uint64_t *here = &met[at_point + 1], *end = &met[points + 1];
    bool is_first = here[0] != here[-1], is_last = here[0] != here[1];

    if (!is_first && !is_last)
        return ACCESS_NONE;
    for (const uint64_t *later = here; !flush_is_late && *later == *end; later++)
        if (later == end)
            return ACCESS_NONE;
    return is_first ? ACCESS_ALL : ACCESS_WRITES;
}
