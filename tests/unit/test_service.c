/* The service domain as the hypervisor sees it: what a guest is given for it, which lines it gets
 * and when, and that no other domain depends on it. The driver domain's part is in
 * test_service_driver.c. The program in the service domain is tested by test_store.c. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <stdio.h>
#include <string.h>
#include "service_fixture.h"
#include "support.h"
#include "xen/boot/service.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/grant.h"
#include "xen/pv/input.h"
#include "xen/pv/store.h"

static struct domain *introduced(domid_t id, unsigned vcpus)
{
    struct domain *d = guest_make(id, vcpus);

    assert_non_null(d);
    store_introduce(d);
    return d;
}

static void guest_gets_page_port_and_grant(void **state)
{
    struct domain *d = introduced(1, 1);
    const struct start_info *si = guest_start_info(d);
    const struct grant_entry_v1 *e = d->grant->shared[0];

    (void)state;
    assert_int_equal(si->store_evtchn, 1);
    assert_int_equal(si->console.domU.evtchn, 2);
    assert_int_equal(evtchn_lookup(d, 1)->state, EVTCHNSTAT_unbound);
    assert_int_equal(evtchn_lookup(d, 1)->remote_domid, STORE_DOMID);
    assert_int_equal(e[GNTTAB_RESERVED_XENSTORE].flags, GTF_permit_access);
    assert_int_equal(e[GNTTAB_RESERVED_XENSTORE].domid, STORE_DOMID);
    assert_int_equal(e[GNTTAB_RESERVED_XENSTORE].frame, si->store_mfn);
    /* the service has no business there */
    assert_int_equal(e[GNTTAB_RESERVED_CONSOLE].flags, 0);
    assert_int_equal(guest_start_info(service)->store_evtchn, 0);
    assert_int_equal(guest_start_info(service)->flags, 0);
}

static void without_a_service_there_is_no_store(void **state)
{
    struct domain *d = guest_make(1, 1);

    (void)state;
    assert_false(store_present());
    assert_int_equal(guest_start_info(d)->store_evtchn, 0);
    assert_int_equal(guest_start_info(d)->console.domU.evtchn, 1);
    store_introduce(d);
    assert_false(store_shutdown(1));
    store_poll();
    store_idle_work();
    assert_int_equal(d->state, DOM_RUNNING);
}

static void guests_lives_are_reported(void **state)
{
    char line[64];

    (void)state;
    introduced(1, 2);
    snprintf(line, sizeof(line), "introduce 1 guest %u 2\n", GUEST_FRAMES * 4);
    assert_string_equal(told(), line);
    assert_true(evtchn_port_pending(service, service->console_port));
    assert_true(store_shutdown(1));
    assert_string_equal(told(), "shutdown 1 poweroff\n");
    assert_false(store_shutdown(2));
    assert_false(store_shutdown(STORE_DOMID));
    assert_false(store_shutdown(5000));
    guest_end(domain_by_id(1));
    assert_string_equal(told(), "release 1\n");
    assert_false(store_shutdown(1));
}

static void reports_wait_for_room(void **state)
{
    char expected[128];

    (void)state;
    while (console_has_room(service, 1))
        console_give(service, 'x');
    introduced(1, 1);
    introduced(2, 1);
    store_shutdown(2);
    assert_int_equal(strspn(told(), "x"), 1024);
    store_poll();
    snprintf(expected, sizeof(expected), "introduce 1 guest %u 1\nintroduce 2 guest %u 1\n",
             GUEST_FRAMES * 4, GUEST_FRAMES * 4);
    assert_string_equal(told(), strcat(expected, "shutdown 2 poweroff\n"));
    while (console_has_room(service, 20))
        console_give(service, 'x');
    store_shutdown(1);
    store_shutdown(1);                                  /* is the same request */
    assert_null(strchr(told(), 's'));
    console_drain(service);
    assert_string_equal(told(), "shutdown 1 poweroff\n");
    console_drain(service);
    assert_string_equal(told(), "");
}

/* A domain that was never introduced is not released. */
static void guest_that_was_not_introduced_is_not_released(void **state)
{
    (void)state;
    while (console_has_room(service, 1))
        console_give(service, 'x');
    introduced(1, 1);
    guest_end(domain_by_id(1));
    told();
    store_poll();
    assert_string_equal(told(), "");
}

/* A service that overwrites its indices receives nothing; nothing else happens. */
static void bad_ring_indices_get_nothing(void **state)
{
    (void)state;
    service->console_ring->in_cons = service->console_ring->in_prod + 5;
    introduced(1, 1);
    store_shutdown(1);
    service->console_ring->in_cons = service->console_ring->in_prod;
    store_poll();
    assert_non_null(strstr(told(), "shutdown 1 poweroff\n"));
}

static void service_may_die_before_guests(void **state)
{
    struct domain *d = introduced(1, 1);

    (void)state;
    store_shutdown(1);
    guest_end(service);
    assert_false(store_present());
    assert_int_equal(d->state, DOM_RUNNING);
    assert_false(store_shutdown(1));
    store_poll();
    store_idle_work();
    assert_int_equal(d->state, DOM_RUNNING);
}

static void service_is_started_again(void **state)
{
    struct domain *d = introduced(1, 1), *gone = introduced(2, 1);
    struct xenstore_domain_interface *page = mfn_to_virt(d->store_mfn);
    char line[64];

    (void)state;
    keep_store();
    for (unsigned i = 1; i <= 3; i++) {
        guest_end(service);
        assert_null(domain_by_id(STORE_DOMID));
        if (i == 1)
            guest_end(gone);                            /* while there is no service */
        store_idle_work();
        service = domain_by_id(STORE_DOMID);
        assert_non_null(service);
        assert_int_equal(service->state, DOM_RUNNING);
        snprintf(line, sizeof(line), "introduce 1 guest %u 1 again\n", GUEST_FRAMES * 4);
        assert_string_equal(told(), line);
        assert_string_equal(guest_start_info(service)->cmd_line,
                            i == 3 ? "mine store=refuse" : "mine");
        assert_true(store_shutdown(1));
        assert_false(store_shutdown(2));
        assert_string_equal(told(), "shutdown 1 poweroff\n");
    }
    guest_end(service);
    assert_int_equal(page->error, XENSTORE_ERROR_NONE);
    assert_false(evtchn_port_pending(d, d->store_port));
    store_idle_work();                                  /* that was one restart too many */
    assert_null(domain_by_id(STORE_DOMID));
    assert_int_equal(page->error, XENSTORE_ERROR_COMM);
    assert_true(evtchn_port_pending(d, d->store_port));
    assert_int_equal(d->state, DOM_RUNNING);
    store_idle_work();
    guest_end(d);
    service_forget(SERVICE_STORE);
}

static unsigned windows;
static void claims_of_domains_fit(void)
{
    windows++;
    assert_true(nr_free_frames() >= claimed_frames() - service_claim(~0u));
}

/* There is no more memory than is claimed: what building takes in passing is no other guest's. */
static void service_is_built_from_its_own_claim(void **state)
{
    (void)state;
    introduced(1, 1);
    keep_store();
    host_leave_free(claimed_frames());
    guest_end(service);
    assert_int_equal(unclaimed_frames(), 0);
    windows = 0;
    host.on_window = claims_of_domains_fit;
    store_idle_work();
    host.on_window = NULL;
    assert_non_null(domain_by_id(STORE_DOMID));
    assert_true(windows > 10);
    assert_true(nr_free_frames() >= claimed_frames());
}

/* A page that became a table, or was given back, is not written to. */
static void page_that_became_a_table_is_not_written(void **state)
{
    struct domain *d = introduced(1, 1);
    uint64_t before;

    (void)state;
    d->store_mfn = d->vcpu[0]->root_kernel >> PAGE_SHIFT;
    before = *(uint64_t *)((char *)mfn_to_virt(d->store_mfn) +
                           offsetof(struct xenstore_domain_interface, error));
    guest_end(service);
    store_idle_work();
    assert_int_equal(before, *(uint64_t *)((char *)mfn_to_virt(d->store_mfn) +
                                           offsetof(struct xenstore_domain_interface, error)));
}

static void service_ends_with_the_last_guest(void **state)
{
    (void)state;
    introduced(1, 1);
    store_idle_work();
    assert_int_equal(service->state, DOM_RUNNING);
    guest_end(domain_by_id(1));
    store_idle_work();
    assert_int_equal(service->state, DOM_SHUTDOWN);
}

static const char *typed;
static int type(void)
{
    return *typed != '\0' ? *typed++ : -1;
}

/* Typed input never reaches the service; 's' and a digit on the hypervisor's console have their
 * usual effect. */
static void keys_never_reach_the_service(void **state)
{
    (void)state;
    introduced(1, 1);
    told();
    host.getc = type;
    typed = "s1\1\1\1ss1s1s9\1\1\1s1";
    console_input();
    assert_string_equal(told(), "shutdown 1 poweroff\n");
    assert_true(console_has("d1 is asked"));
    assert_true(console_has("d9 cannot be asked"));
    assert_int_equal(domain_by_id(1)->console_ring->in_prod, 4);        /* s1 before, s1 after */
    /* a terminal's replies are not typed keys */
    typed = "\1\1\1\033[5;1R\033]lx1\033\\\033Ox1\033[?1;2c";
    console_input();
    assert_int_equal(domain_by_id(1)->state, DOM_RUNNING);
    typed = "1x7x1";
    console_input();
    assert_true(console_has("d7: no such domain"));
    assert_int_equal(domain_by_id(1)->state, DOM_SHUTDOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_service(guest_gets_page_port_and_grant),
        with_machine(without_a_service_there_is_no_store),
        with_service(guests_lives_are_reported),
        with_service(reports_wait_for_room),
        with_service(guest_that_was_not_introduced_is_not_released),
        with_service(bad_ring_indices_get_nothing),
        with_service(service_may_die_before_guests),
        with_service(service_is_started_again),
        with_service(service_is_built_from_its_own_claim),
        with_service(page_that_became_a_table_is_not_written),
        with_service(service_ends_with_the_last_guest),
        with_service(keys_never_reach_the_service),
    };

    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
