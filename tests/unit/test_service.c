/* The service domain as the hypervisor sees it: what a guest is given for it, which lines it gets
 * and when, and that no other domain depends on it. The program in it is tested by test_store.c. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <stdio.h>
#include <string.h>
#include "support.h"
#include "xen/boot/module_words.h"
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

static struct domain *service;

static int with_service_up(void **state)
{
    machine_up(state);
    service = guest_make(STORE_DOMID, 1);
    store_serve(service);
    return 0;
}

static struct domain *introduced(domid_t id, unsigned vcpus)
{
    struct domain *d = guest_make(id, vcpus);

    assert_non_null(d);
    store_introduce(d);
    return d;
}

/* Everything that the service was sent since the last call. */
static const char *told(void)
{
    static char text[4096];
    struct xencons_interface *ring = service->console_ring;
    unsigned n = 0;

    while (ring->in_cons != ring->in_prod)
        text[n++] = ring->in[ring->in_cons++ % sizeof(ring->in)];
    text[n] = '\0';
    return text;
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

static const struct domain_config config = {
    .name = "store", .vcpus = 1, .weight = 256, .mem_bytes = GUEST_FRAMES * PAGE_SIZE,
    .trace = TRACE_DEFAULT, .service = true, .max_port = 1023, .cmdline = "mine",
};

/* Builds a service domain from a kernel that stays in memory; may fail. */
static void service_is_started_again(void **state)
{
    struct domain *d = introduced(1, 1), *gone = introduced(2, 1);
    struct xenstore_domain_interface *page = mfn_to_virt(d->store_mfn);
    char line[64];
    struct tiny_elf kernel;

    (void)state;
    elf_make(&kernel);
    service_keep(SERVICE_STORE, STORE_DOMID, &config, &kernel, sizeof(kernel));
    memset(&kernel, 0, sizeof(kernel));                 /* it was copied */
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
    struct tiny_elf kernel;

    (void)state;
    introduced(1, 1);
    elf_make(&kernel);
    service_keep(SERVICE_STORE, STORE_DOMID, &config, &kernel, sizeof(kernel));
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

static void keep_driver(domid_t id)
{
    struct domain_config c = config;
    struct tiny_elf kernel;

    c.service = false;
    c.driver = true;
    elf_make(&kernel);
    service_keep(SERVICE_DRIVER, id, &c, &kernel, sizeof(kernel));
}

/* Its guest is told nothing: for the store it is the same domain, with another ring. The third
 * death within a minute is the last. */
static void driver_is_started_again(void **state)
{
    struct domain *driver = guest_make(1, 1), *d = guest_make(2, 1);
    char line[128];

    (void)state;
    driver->serves = true;
    snprintf(d->devices, sizeof(d->devices), "disk=vd0,xvda,w");
    store_driver(driver);
    store_introduce(driver);
    store_introduce(d);
    snprintf(line, sizeof(line), "driver 1\nintroduce 1 guest %u 1\n"
             "device 2 1 disk=vd0,xvda,w\nintroduce 2 guest %u 1\n",
             GUEST_FRAMES * 4, GUEST_FRAMES * 4);
    assert_string_equal(told(), line);
    keep_driver(1);
    for (unsigned i = 1; i <= 2; i++) {
        guest_end(driver);
        assert_string_equal(told(), "lost 1\n");
        store_idle_work();
        driver = domain_by_id(1);
        assert_non_null(driver);
        assert_int_equal(driver->state, DOM_RUNNING);
        assert_true(driver->serves);
        snprintf(line, sizeof(line), "driver 1\nintroduce 1 store %u 1\n", GUEST_FRAMES * 4);
        assert_string_equal(told(), line);
    }
    guest_end(driver);
    store_idle_work();
    assert_null(domain_by_id(1));
    assert_string_equal(told(), "lost 1\nabandon 1\n");
    store_idle_work();
    assert_string_equal(told(), "");
    assert_int_equal(d->state, DOM_RUNNING);
    guest_end(d);
    store_idle_work();
    assert_int_equal(service->state, DOM_SHUTDOWN);
}

static void keep_store(void)
{
    struct tiny_elf kernel;

    elf_make(&kernel);
    service_keep(SERVICE_STORE, STORE_DOMID, &config, &kernel, sizeof(kernel));
}

/* Front ends may still wait for the back ends of a driver domain that is gone for good: a store
 * that is started after that closes them. */
static void a_new_store_is_told_of_a_driver_given_up(void **state)
{
    struct domain *driver = guest_make(1, 1), *d = guest_make(2, 1);
    char line[128];

    (void)state;
    driver->serves = true;
    snprintf(d->devices, sizeof(d->devices), "disk=vd0,xvda,w");
    store_driver(driver);
    store_introduce(driver);
    store_introduce(d);
    guest_end(driver);
    store_idle_work();                                  /* its kernel was not kept */
    told();
    keep_store();
    guest_end(service);
    store_idle_work();
    service = domain_by_id(STORE_DOMID);
    assert_non_null(service);
    snprintf(line, sizeof(line), "device 2 1 disk=vd0,xvda,w\nintroduce 2 guest %u 1 again\n"
             "abandon 1\n", GUEST_FRAMES * 4);
    assert_string_equal(told(), line);
    guest_end(d);
    store_idle_work();
    assert_int_equal(service->state, DOM_SHUTDOWN);
}

static void begin_with(struct domain *driver)
{
    driver->serves = true;
    store_driver(driver);
    store_introduce(driver);
    keep_driver(1);
}

/* Its number stays taken, so there is no other one; and nothing waits for its end. */
static void driver_in_quarantine_is_given_up(void **state)
{
    struct domain *driver = guest_make(1, 1), *d = guest_make(2, 1);

    (void)state;
    begin_with(driver);
    told();
    driver->quarantined = true;
    store_idle_work();
    assert_string_equal(told(), "abandon 1\n");
    store_idle_work();
    assert_string_equal(told(), "");
    assert_true(domains_left());
    guest_end(d);
    store_idle_work();
    assert_int_equal(service->state, DOM_SHUTDOWN);
    assert_true(domains_left());
    guest_end(service);
    assert_false(domains_left());
    driver->quarantined = false;
    assert_true(domains_left());
}

/* Two deaths, and after more than a minute two others, are no reason to give up. It is not started
 * again when it was told to end. */
static void driver_may_die_now_and_then(void **state)
{
    struct domain *driver = guest_make(1, 1), *d = guest_make(2, 1);

    (void)state;
    begin_with(driver);
    for (unsigned i = 1; i <= 7; i++) {
        guest_end(domain_by_id(1));
        store_idle_work();
        assert_non_null(domain_by_id(1));
        host.tsc += 40 * arch_tsc_hz();
    }
    guest_end(d);
    told();
    store_idle_work();
    assert_string_equal(told(), "shutdown 1 poweroff\n");
    guest_end(domain_by_id(1));
    assert_string_equal(told(), "release 1\n");
    store_idle_work();
    assert_null(domain_by_id(1));
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

#define with_service(test) cmocka_unit_test_setup_teardown(test, with_service_up, machine_down)

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
        with_service(driver_is_started_again),
        with_service(a_new_store_is_told_of_a_driver_given_up),
        with_service(driver_in_quarantine_is_given_up),
        with_service(driver_may_die_now_and_then),
        with_service(page_that_became_a_table_is_not_written),
        with_service(service_ends_with_the_last_guest),
        with_service(keys_never_reach_the_service),
    };

    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
