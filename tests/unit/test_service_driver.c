/* The driver domain as the service domain is told of it: started again, given up, and told to
 * end. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <stdio.h>
#include "service_fixture.h"
#include "support.h"
#include "xen/boot/service.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/pv/store.h"

static void introduce_driver(struct domain *driver)
{
    driver->serves = true;
    store_driver(driver);
    store_introduce(driver);
}

static void introduce_with_disk(struct domain *d)
{
    snprintf(d->devices, sizeof(d->devices), "disk=vd0,xvda,w");
    store_introduce(d);
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
    introduce_driver(driver);
    introduce_with_disk(d);
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

/* Front ends may still wait for the back ends of a driver domain that is gone for good: a store
 * that is started after that closes them. */
static void a_new_store_is_told_of_a_driver_given_up(void **state)
{
    struct domain *driver = guest_make(1, 1), *d = guest_make(2, 1);
    char line[128];

    (void)state;
    introduce_driver(driver);
    introduce_with_disk(d);
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
    introduce_driver(driver);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_service(driver_is_started_again),
        with_service(a_new_store_is_told_of_a_driver_given_up),
        with_service(driver_in_quarantine_is_given_up),
        with_service(driver_may_die_now_and_then),
    };

    return cmocka_run_group_tests_name("service_driver", tests, NULL, NULL);
}
