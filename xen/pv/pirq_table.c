/* Interrupts of devices: which domain each one belongs to, how the device or the interrupt
 * controller is set for it, and what is done when one comes. A message of MSI-X has an own vector
 * and needs nothing after it. A pin's level stays until the device is satisfied, so the pin is
 * masked when it interrupts, until all domains that it was sent to have made PHYSDEVOP_eoi: a guest
 * that never satisfies its device costs one interrupt for each of its hypercalls. The calls
 * themselves are in pirq.c. */
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"
#include "xen/core/pci_msix.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/pirq_table.h"

struct pirq pirqs[NR_DEVICE_VECTORS];

static uint8_t vector_of(const struct pirq *p)
{
    return (uint8_t)(DEVICE_VECTORS + (unsigned)(p - pirqs));
}

struct pirq *pirq_find(const struct domain *d, unsigned number)
{
    for (unsigned i = 0; i < NR_DEVICE_VECTORS; i++)
        if (pirqs[i].owner == d && pirqs[i].number == number)
            return &pirqs[i];
    return NULL;
}

struct pirq *pirq_find_message(const struct pci_function *f, unsigned entry)
{
    for (unsigned i = 0; i < NR_DEVICE_VECTORS; i++)
        if (pirqs[i].owner != NULL && pirqs[i].function == f && pirqs[i].entry == entry)
            return &pirqs[i];
    return NULL;
}

struct pirq *pirq_find_free(void)
{
    for (unsigned i = 0; i < NR_DEVICE_VECTORS; i++)
        if (pirqs[i].owner == NULL)
            return &pirqs[i];
    return NULL;
}

struct pirq *pirq_next_on(const struct pirq *p, unsigned line)
{
    for (unsigned i = p == NULL ? 0 : (unsigned)(p - pirqs) + 1; i < NR_DEVICE_VECTORS; i++)
        if (pirqs[i].owner != NULL && pirqs[i].function == NULL && pirqs[i].line == line)
            return &pirqs[i];
    return NULL;
}

/* I3 */
static void update_pin(unsigned line)
{
    const struct pirq *first = pirq_next_on(NULL, line);
    bool bound = false, owed = false;

    for (const struct pirq *p = first; p != NULL; p = pirq_next_on(p, line)) {
        bound |= p->port != 0;
        owed |= p->owes;
    }
    arch_set_pin(line, first != NULL ? vector_of(first) : DEVICE_VECTORS, !bound || owed);
}

void pirq_update(const struct pirq *p)
{
    if (p->function != NULL)
        pci_msix_set(p->function, p->entry, vector_of(p), p->port == 0);    /* I2 */
    else
        update_pin(p->line);
}

void pirq_free(struct pirq *p)
{
    struct pci_function *f = p->function;
    unsigned entry = p->entry, line = p->line;

    memset(p, 0, sizeof(*p));
    if (f != NULL)
        pci_msix_set(f, entry, vector_of(p), true);
    else
        update_pin(line);
}

void pirqs_release(struct domain *d)
{
    spin_lock(&pci_lock);
    for (unsigned i = 0; i < NR_DEVICE_VECTORS; i++)
        if (pirqs[i].owner == d)
            pirq_free(&pirqs[i]);
    spin_unlock(&pci_lock);
}

/* --- An interrupt came ------------------------------------------------------------------------ */

/* No interrupt comes between finding the domain and the send, so it exists until then (domains are
 * freed after all CPUs have taken an interrupt). */
static void send(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e;

    if (d == NULL || port == 0 || d->evtchn == NULL)
        return;
    spin_lock(&d->evtchn->lock);
    e = evtchn_lookup(d, port);
    if (e != NULL && e->state == EVTCHNSTAT_pirq)
        evtchn_set_pending(d, e, port);
    spin_unlock(&d->evtchn->lock);
}

/* The pin's vector is that of one of them, and is for all. Masked before anybody is told: a guest
 * on another CPU may make its call at once. */
static void send_pin(unsigned line)
{
    struct pirq *p = NULL;

    spin_lock(&pci_lock);
    while ((p = pirq_next_on(p, line)) != NULL)
        p->owes = p->port != 0;
    update_pin(line);
    spin_unlock(&pci_lock);
    do {
        struct domain *d = NULL;
        evtchn_port_t port = 0;

        spin_lock(&pci_lock);
        p = pirq_next_on(p, line);
        if (p != NULL && p->owes) {
            d = p->owner;
            port = p->port;
        }
        spin_unlock(&pci_lock);
        send(d, port);
    } while (p != NULL);
}

void pirq_fired(unsigned vector)
{
    struct pirq *p = &pirqs[vector - DEVICE_VECTORS];
    struct domain *d;
    evtchn_port_t port;
    bool by_pin;
    unsigned line;

    if (vector < DEVICE_VECTORS || vector >= DEVICE_VECTORS_END)
        return;
    spin_lock(&pci_lock);
    d = p->owner;
    port = p->port;
    line = p->line;
    by_pin = d != NULL && p->function == NULL;
    spin_unlock(&pci_lock);
    if (by_pin)
        send_pin(line);
    else
        send(d, port);
}
