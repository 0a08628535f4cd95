/* physdev_op's calls about interrupts, for domains that own PCI functions (core/pci.c): map_pirq
 * gives a message of a function's MSI-X table a number in the domain and a vector of the machine;
 * EVTCHNOP_bind_pirq gives it a port, and only then is the table's entry unmasked. Domains without
 * functions get the answers that Xen gives them. Called by the generated dispatch (common/abi.def),
 * by evtchn_op.c, and for each interrupt of a device.
 *
 *   I1  a vector belongs to one struct pirq, that to one domain, under one number, with one port at
 *       most; its MSI-X entry is unmasked exactly while it has a port
 *   I2  `port` changes under the domain's evtchn lock and pci_lock; the handler has pci_lock only
 *       to find the domain, and looks again under the evtchn lock */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/pci.h"
#include "xen/core/pci_msix.h"
#include "xen/pv/domid.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pirq.h"

struct pirq {
    struct domain *owner;               /* NULL: this vector is free */
    struct pci_function *function;
    unsigned entry;                     /* of its MSI-X table */
    unsigned number;
    evtchn_port_t port;                 /* 0: not bound */
};
static struct pirq pirqs[DEVICE_VECTORS_END - DEVICE_VECTORS];

static uint8_t vector_of(const struct pirq *p)
{
    return (uint8_t)(DEVICE_VECTORS + (unsigned)(p - pirqs));
}

static struct pirq *find(const struct domain *d, unsigned number)
{
    for (unsigned i = 0; i < ARRAY_SIZE(pirqs); i++)
        if (pirqs[i].owner == d && pirqs[i].number == number)
            return &pirqs[i];
    return NULL;
}

static struct pirq *find_entry(const struct pci_function *f, unsigned entry)
{
    for (unsigned i = 0; i < ARRAY_SIZE(pirqs); i++)
        if (pirqs[i].owner != NULL && pirqs[i].function == f && pirqs[i].entry == entry)
            return &pirqs[i];
    return NULL;
}

static struct pirq *find_free_vector(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(pirqs); i++)
        if (pirqs[i].owner == NULL)
            return &pirqs[i];
    return NULL;
}

static bool has_other_entries(const struct pci_function *f)
{
    for (unsigned i = 0; i < f->nr_entries; i++)
        if (find_entry(f, i) != NULL)
            return true;
    return false;
}

/* The number that the caller wants, or the first free one; -ENOSPC: none. */
static int choose_number(const struct domain *d, int wanted)
{
    if (wanted >= 0)
        return (unsigned)wanted >= NR_PIRQS         ? -EINVAL
               : find(d, (unsigned)wanted) != NULL  ? -EEXIST
                                                    : wanted;
    for (unsigned n = FIRST_MSI_PIRQ; n < NR_PIRQS; n++)
        if (find(d, n) == NULL)
            return (int)n;
    return -ENOSPC;
}

static long map_message(struct domain *d, struct pci_function *f, unsigned entry, int *number)
{
    struct pirq *p = find_entry(f, entry);
    int n;

    if (p != NULL)
        return -EEXIST;
    n = choose_number(d, *number);
    if (n < 0)
        return n;
    p = find_free_vector();
    if (p == NULL)
        return -ENOSPC;
    *p = (struct pirq){ .owner = d, .function = f, .entry = entry, .number = (unsigned)n };
    pci_msix_set(f, entry, vector_of(p), true);
    *number = n;
    return 0;
}

/* Only a domain with privileges over another may give it interrupts. */
static long check_caller(domid_t domid)
{
    int rc = check_domid(domid, NAMES_SELF | NAMES_OWN_NUMBER);

    return rc != 0 ? rc : pci_owns(current->domain) ? 0 : -EPERM;
}

/* Messages only (MAP_PIRQ_TYPE_MSI_SEG, whose upper half of bus is the segment). */
long physdev_map_pirq(struct physdev_map_pirq *op)
{
    struct domain *d = current->domain;
    struct pci_function *f;
    long rc = check_caller(op->domid);

    if (rc != 0)
        return rc;
    if (op->type != MAP_PIRQ_TYPE_MSI_SEG)
        return -EINVAL;
    f = (unsigned)op->bus > 0xff || (unsigned)op->devfn > 0xff
            ? NULL : pci_find(d, (unsigned)op->bus, (unsigned)op->devfn);
    if (f == NULL)
        return -EPERM;
    if (op->entry_nr < 0 || (unsigned)op->entry_nr >= f->nr_entries ||
        (op->table_base != 0 && op->table_base != f->table))
        return -EINVAL;
    spin_lock(&pci_lock);
    if (!has_other_entries(f))
        pci_msix_enable(f, true);
    rc = map_message(d, f, (unsigned)op->entry_nr, &op->pirq);
    spin_unlock(&pci_lock);
    return rc;
}

/* The port, if it has one, stays, and is silent. */
long physdev_unmap_pirq(const struct physdev_unmap_pirq *op)
{
    long rc = check_caller(op->domid);
    struct pirq *p;

    if (rc != 0)
        return rc;
    spin_lock(&pci_lock);
    p = op->pirq < 0 ? NULL : find(current->domain, (unsigned)op->pirq);
    if (p != NULL) {
        pci_msix_set(p->function, p->entry, vector_of(p), true);
        memset(p, 0, sizeof(*p));
    }
    spin_unlock(&pci_lock);
    return p != NULL ? 0 : -EINVAL;
}

long physdev_irq_status_query(struct physdev_irq_status_query *op)
{
    if (op->irq >= NR_PIRQS)
        return -EINVAL;
    op->flags = XENIRQSTAT_needs_eoi;
    return 0;
}

/* A message needs none. */
long physdev_eoi(const struct physdev_eoi *op)
{
    struct pirq *p;

    spin_lock(&pci_lock);
    p = op->irq < NR_PIRQS ? find(current->domain, op->irq) : NULL;
    spin_unlock(&pci_lock);
    return p != NULL ? 0 : -EINVAL;
}

/* --- Ports ------------------------------------------------------------------------------------ */

int pirq_may_bind(struct domain *d, unsigned pirq)
{
    const struct pirq *p;
    int rc;

    if (pirq >= NR_PIRQS)
        return -EINVAL;
    spin_lock(&pci_lock);
    p = find(d, pirq);
    rc = p == NULL ? -EPERM : p->port != 0 ? -EEXIST : 0;
    spin_unlock(&pci_lock);
    return rc;
}

int pirq_bind(struct domain *d, unsigned pirq, evtchn_port_t port)
{
    struct pirq *p;

    spin_lock(&pci_lock);
    p = find(d, pirq);
    if (p != NULL && p->port == 0) {
        p->port = port;
        pci_msix_set(p->function, p->entry, vector_of(p), false);
    } else {
        p = NULL;
    }
    spin_unlock(&pci_lock);
    return p != NULL ? 0 : -EEXIST;
}

void pirq_unbind(struct domain *d, unsigned pirq, evtchn_port_t port)
{
    struct pirq *p;

    spin_lock(&pci_lock);
    p = find(d, pirq);
    if (p != NULL && p->port == port) {
        p->port = 0;
        pci_msix_set(p->function, p->entry, vector_of(p), true);
    }
    spin_unlock(&pci_lock);
}

void pirqs_release(struct domain *d)
{
    spin_lock(&pci_lock);
    for (unsigned i = 0; i < ARRAY_SIZE(pirqs); i++)
        if (pirqs[i].owner == d) {
            pci_msix_set(pirqs[i].function, pirqs[i].entry, vector_of(&pirqs[i]), true);
            memset(&pirqs[i], 0, sizeof(pirqs[i]));
        }
    spin_unlock(&pci_lock);
}

/* No interrupt comes between finding the domain and the send, so it exists until then (domains are
 * freed after all CPUs have taken an interrupt). */
void pirq_fired(unsigned vector)
{
    struct pirq *p = &pirqs[vector - DEVICE_VECTORS];
    struct domain *d;
    evtchn_port_t port;
    struct evtchn *e;

    if (vector < DEVICE_VECTORS || vector >= DEVICE_VECTORS_END)
        return;
    spin_lock(&pci_lock);
    d = p->owner;
    port = p->port;
    spin_unlock(&pci_lock);
    if (d == NULL || port == 0 || d->evtchn == NULL)
        return;
    spin_lock(&d->evtchn->lock);
    e = evtchn_lookup(d, port);
    if (e != NULL && e->state == EVTCHNSTAT_pirq)
        evtchn_set_pending(d, e, port);
    spin_unlock(&d->evtchn->lock);
}
