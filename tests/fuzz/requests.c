/* The next hypercall of a guest: one of a known shape (shapes.c), one whose structure has fields
 * of the kinds in the table of the ABI, one of random words, or several in a multicall. Called
 * by guest.c. */
#include <string.h>
#include "arch/arch.h"
#include "common/abi_names.h"
#include "gen/abi_fuzz.h"
#include "tests/fuzz/choice.h"
#include "tests/fuzz/requests.h"
#include "tests/fuzz/shapes.h"
#include "tests/fuzz/words.h"
#include "tests/fuzz/world.h"
#include "xen/core/time.h"
#include "xen/pv/hypercalls.h"

static void no_shape(uint64_t *a)
{
    for (unsigned i = 0; i < 6; i++)
        a[i] = one_in(2) ? ARGS : some_word();
    if (one_in(2))
        a[0] = below(16);
    poke_words(ARGS, 8);
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

/* A sub-operation with one or two of its structures, each field with a value of its kind. */
static unsigned shape_by_table(uint64_t *a)
{
    const struct abi_shape *s;
    const char *kinds;

    do
        s = &abi_shapes[below(ARRAY_SIZE(abi_shapes))];
    /* most of these would end the domain or block the vCPU */
    while (s->nr == __HYPERVISOR_sched_op);
    kinds = abi_argument_kinds(s->nr);
    poke_words(LISTS, 8);
    for (unsigned element = 0; element < 2; element++)
        for (unsigned i = 0; i < s->nr_fields; i++) {
            uint64_t value = some_field(s->fields[i].what);

            poke(ARGS + element * s->size + s->fields[i].offset, &value,
                 MIN(s->fields[i].size, sizeof(value)));
        }
    for (unsigned i = 0; kinds[i] != '\0'; i++)
        a[i] = kinds[i] == 'o' ? s->op : kinds[i] == 'S' || kinds[i] == 'A' ? ARGS : 1 + below(2);
    return s->nr;
}

static unsigned choose_one(uint64_t *a)
{
    const struct shape *s = some_shape();
    unsigned nr = s->nr;

    memset(a, 0, 6 * sizeof(a[0]));
    if (one_in(8)) {
        nr = shape_by_table(a);
    } else if (one_in(4)) {
        nr = (unsigned)below(NR_HYPERCALLS);
        no_shape(a);
        if (nr == __HYPERVISOR_sched_op || nr == __HYPERVISOR_iret ||
            nr == __HYPERVISOR_sched_op_compat)
            nr = __HYPERVISOR_xen_version;
    } else {
        s->shape(a);
    }
    if (one_in(30))
        a[below(6)] = some_word();
    if (nr == __HYPERVISOR_console_io && world.nr_cpus > 1)
        a[1] %= 1024;           /* the CPU may change many times at each byte */
    return nr;
}

/* A multicall of a few requests; only the last one has its words at ARGS. */
static unsigned choose_multicall(uint64_t *a)
{
    unsigned n = 1 + (unsigned)below(4);

    for (unsigned i = 0; i < n; i++) {
        struct multicall_entry e = { .op = choose_one(a) };

        for (unsigned j = 0; j < 6; j++)
            e.args[j] = a[j];
        poke(LISTS + 0x800 + i * sizeof(e), &e, sizeof(e));
    }
    memset(a, 0, 6 * sizeof(a[0]));
    a[0] = LISTS + 0x800;
    a[1] = n;
    return __HYPERVISOR_multicall;
}

unsigned choose_request(uint64_t *a)
{
    return one_in(10) ? choose_multicall(a) : choose_one(a);
}
