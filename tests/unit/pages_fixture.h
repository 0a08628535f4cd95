/* Two guests whose page tables the test changes by hypercalls. Included by test_pages.c,
 * test_pages_flush.c and test_pages_global.c. */
#ifndef PAGES_FIXTURE_H
#define PAGES_FIXTURE_H

#include <string.h>
#include "support.h"
#include "xen/core/domain.h"
#include "xen/core/walk.h"

#define RW_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A)
#define RO_FLAGS (PTE_P | PTE_US | PTE_A)

static struct domain *d, *other;
static struct vcpu *v;

static inline int make_two_guests(void)
{
    d = guest_make(1, 2);
    other = guest_make(2, 1);
    assert_true(d != NULL && other != NULL);
    v = d->vcpu[0];
    host_become(v);
    return 0;
}

static inline int two_guests(void **state)
{
    machine_up(state);
    return make_two_guests();
}

/* Where audits are quick, for a test that makes hundreds of them. */
static inline int two_low_guests(void **state)
{
    low_machine_up(state);
    return make_two_guests();
}

#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)
#define with_low_guests(test) cmocka_unit_test_setup_teardown(test, two_low_guests, machine_down)

#endif
