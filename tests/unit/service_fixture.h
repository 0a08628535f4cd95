/* A machine with a service domain, and what that is sent. Included by test_service.c and
 * test_service_driver.c. */
#ifndef SERVICE_FIXTURE_H
#define SERVICE_FIXTURE_H

#include <string.h>
#include "cmocka_main.h"
#include "support.h"
#include "xen/boot/module_words.h"
#include "xen/boot/service.h"
#include "xen/core/domain.h"
#include "xen/pv/store.h"

static struct domain *service;

static inline int with_service_up(void **state)
{
    machine_up(state);
    service = guest_make(STORE_DOMID, 1);
    store_serve(service);
    return 0;
}

/* Everything that the service was sent since the last call. */
static inline const char *told(void)
{
    static char text[4096];
    struct xencons_interface *ring = service->console_ring;
    unsigned n = 0;

    while (ring->in_cons != ring->in_prod)
        text[n++] = ring->in[ring->in_cons++ % sizeof(ring->in)];
    text[n] = '\0';
    return text;
}

static const struct domain_config config = {
    .name = "store", .vcpus = 1, .weight = 256, .mem_bytes = GUEST_FRAMES * PAGE_SIZE,
    .trace = TRACE_DEFAULT, .service = true, .max_port = 1023, .cmdline = "mine",
};

/* The service domain can be started again. Its kernel is copied, and here it is gone then. */
static inline void keep_store(void)
{
    static struct tiny_elf kernel;

    elf_make(&kernel);
    service_keep(SERVICE_STORE, STORE_DOMID, &config, &kernel, sizeof(kernel));
    memset(&kernel, 0, sizeof(kernel));
}

#define with_service(test) cmocka_unit_test_setup_teardown(test, with_service_up, machine_down)

#endif
