/* Compares each formula with the code that it models, on random values of many shapes, and counts
 * which changed formulas would have been noticed. Lines for laws.py:
 *   tied NAME VALUES NOTICED    left NAME NUMBER...    sample NAME ARGUMENT... RESULT
 * and whatever is wrong. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "hooks.h"
#include "tie.h"
#include "xen/core/sched.h"

#define VALUES_FOR_MUTANTS 300000u
#define SAMPLES 40u
#define MAX_MUTANTS 4096u

static uint64_t state = 88172645463325252ull;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n)
{
    return (unsigned)((next_random() >> 32) * n >> 32);
}

/* Values at which a formula may change: single bits, rows of bits, and the formula's own
 * constants. */
static uint64_t edge(const struct model *m)
{
    uint64_t bit = 1ull << below(64), c = m->constants[below(m->nr_constants)];

    switch (below(10)) {
    case 0:
        return below(4);
    case 1:
        return bit;
    case 2:
        return bit - 1;
    case 3:
        return -bit;
    case 4:
        return ~bit;
    case 5:
        return c;
    case 6:
        return c + below(17) - 8;
    case 7:
        return c ^ bit;
    case 8:
        return ~c;
    default:
        return c | (next_random() & next_random());
    }
}

static uint64_t value(const struct model *m, const uint64_t *before, unsigned i)
{
    switch (below(i > 0 ? 10 : 7)) {
    case 0:
        return next_random();
    case 1:
        return next_random() & next_random() & next_random();
    case 2:
        return next_random() >> below(64);
    case 3:
        return edge(m) | edge(m);
    case 4:
        return edge(m) + edge(m);
    case 7:
        return before[below(i)] ^ 1ull << below(64);
    case 8:
        return before[below(i)] + below(17) - 8;
    case 9:
        return below(2) ? before[below(i)] : ~before[below(i)] + 1 + below(3);
    default:
        return edge(m);
    }
}

/* False: outside the formula's domain. */
static bool choose(const struct model *m, const struct real *r, uint64_t *a)
{
    for (unsigned i = 0; i < m->nr_args; i++)
        a[i] = value(m, a, i) & (m->width[i] == 64 ? ~0ull : (1ull << m->width[i]) - 1);
    if (r != NULL && r->shape != NULL)
        r->shape(a);
    return m->domain == NULL || m->domain(a);
}

static void print_values(const char *what, const struct model *m, const uint64_t *a,
                         uint64_t result)
{
    printf("%s %s", what, m->name);
    for (unsigned i = 0; i < m->nr_args; i++)
        printf(" %lu", a[i]);
    printf(" %lu\n", result);
}

static unsigned alive[MAX_MUTANTS], nr_alive;

static void try_mutants(const struct model *m, const uint64_t *a, uint64_t result)
{
    for (unsigned i = 0; i < nr_alive;) {
        mutant = alive[i];
        if (m->changed(a) != result)
            alive[i] = alive[--nr_alive];
        else
            i++;
    }
}

static bool differs(const struct model *m, const uint64_t *a, uint64_t result)
{
    if (m->call(a) == result)
        return false;
    print_values("WRONG: the C differs:", m, a, result);
    printf("WRONG: the formula says %lu\n", m->call(a));
    return true;
}

static bool tie(const struct model *m, const struct real *r)
{
    unsigned values = r->values ? r->values : VALUES, accepted = 0;
    uint64_t a[MAX_ARGS];

    nr_alive = m->nr_mutants;
    for (unsigned i = 0; i < nr_alive; i++)
        alive[i] = i + 1;
    for (unsigned i = 0; i < values; i++) {
        uint64_t result;

        if (!choose(m, r, a))
            continue;
        result = r->call(a);
        if (differs(m, a, result))
            return false;
        if (accepted < SAMPLES)
            print_values("sample", m, a, result);
        if (++accepted < VALUES_FOR_MUTANTS)
            try_mutants(m, a, result);
    }
    printf("tied %s %u %u\nleft %s", m->name, accepted, m->nr_mutants - nr_alive, m->name);
    for (unsigned i = 0; i < nr_alive; i++)
        printf(" %u", alive[i]);
    printf("\n");
    if (accepted < values / 2)
        printf("WRONG: %s: only %u of %u values are in its domain\n", m->name, accepted, values);
    return accepted >= values / 2;
}

static const struct real *real_of(const char *name)
{
    const struct real *const all[] = { reals_pages, reals_frames, reals_cpu, reals_segments,
                                       reals_lists, reals_times };

    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        for (const struct real *r = all[i]; r->name != NULL; r++)
            if (strcmp(r->name, name) == 0)
                return r;
    return NULL;
}

/* A sample of the translation to C, which laws.py compares with z3. */
static void sample(const struct model *m)
{
    uint64_t a[MAX_ARGS];

    for (unsigned i = 0; i < 4 * SAMPLES; i++) {
        choose(m, NULL, a);
        print_values("sample", m, a, m->call(a));
    }
}

int main(int argc, char **argv)
{
    bool ok = true;

    machine_up_at(LOW_BASE);
    guest = guest_make(1, 1);
    host_become(guest->vcpu[0]);
    cpus[0]->work_left = INT64_MAX;     /* so that no preemption point is reached */
    pages_up();
    cpu_up();
    segments_up();
    lists_up();
    for (const struct model *m = models; m->name != NULL; m++) {
        const struct real *r = real_of(m->name);

        if (argc > 1 && strcmp(argv[1], m->name) != 0)
            continue;
        if (strncmp(m->name, "op-", 3) == 0)
            sample(m);
        else if (m->nr_mutants > MAX_MUTANTS || r == NULL || !tie(m, r))
            ok = false;
        fflush(stdout);
    }
    _exit(!ok);                 /* the machine cannot be taken down in this state */
}
