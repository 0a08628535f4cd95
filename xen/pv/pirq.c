/* physdev_op's calls about interrupts, for domains that own PCI functions (core/pci.c): map_pirq
 * gives a message of a function's MSI-X table, or the pin to which its interrupt line leads, a
 * number in the domain; EVTCHNOP_bind_pirq gives it a port, and only then is it unmasked
 * (pirq_table.c). Domains without functions get the answers that Xen gives them. Called by the
 * generated dispatch (common/abi.def) and by evtchn_op.c. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/lock.h"
#include "xen/core/pci.h"
#include "xen/core/pci_msix.h"
#include "xen/pv/domid.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pirq.h"
#include "xen/pv/pirq_table.h"

static bool has_other_entries(const struct pci_function *f)
{
    for (unsigned i = 0; i < f->nr_entries; i++)
        if (pirq_find_message(f, i) != NULL)
            return true;
    return false;
}

/* The number that the caller wants, or the first free one; -ENOSPC: none. */
static int choose_number(const struct domain *d, int wanted)
{
    if (wanted >= 0)
        return (unsigned)wanted >= NR_PIRQS             ? -EINVAL
               : pirq_find(d, (unsigned)wanted) != NULL ? -EEXIST
                                                        : wanted;
    for (unsigned n = FIRST_MSI_PIRQ; n < NR_PIRQS; n++)
        if (pirq_find(d, n) == NULL)
            return (int)n;
    return -ENOSPC;
}

/* A new one, without a port: masked. pci_lock is held. */
static long add(const struct pirq *new, int *number)
{
    int n = choose_number(new->owner, *number);
    struct pirq *p = pirq_find_free();

    if (n < 0)
        return n;
    if (p == NULL)
        return -ENOSPC;
    *p = *new;
    p->number = (unsigned)n;
    pirq_update(p);
    *number = n;
    return 0;
}

/* Only a domain with privileges over another may give it interrupts. */
static long check_caller(domid_t domid)
{
    int rc = check_domid(domid, NAMES_SELF | NAMES_OWN_NUMBER);

    return rc != 0 ? rc : pci_owns(current->domain) ? 0 : -EPERM;
}

/* MAP_PIRQ_TYPE_MSI_SEG, whose upper half of bus is the segment. */
static long map_message(struct domain *d, struct physdev_map_pirq *op)
{
    struct pci_function *f = (unsigned)op->bus > 0xff || (unsigned)op->devfn > 0xff
                                 ? NULL : pci_find(d, (unsigned)op->bus, (unsigned)op->devfn);
    struct pirq new = { .owner = d, .function = f, .entry = (unsigned)op->entry_nr };

    if (f == NULL)
        return -EPERM;
    if (op->entry_nr < 0 || new.entry >= f->nr_entries ||
        (op->table_base != 0 && op->table_base != f->table))
        return -EINVAL;
    if (pirq_find_message(f, new.entry) != NULL)
        return -EEXIST;
    if (!has_other_entries(f))
        pci_msix_enable(f, true);
    return add(&new, &op->pirq);
}

/* MAP_PIRQ_TYPE_GSI: what a function's line register names. Its number is the same, unless the
 * caller wants another one. */
static long map_line(struct domain *d, struct physdev_map_pirq *op)
{
    struct pirq new = { .owner = d, .line = (unsigned)op->index };

    if (op->index < 0 || !pci_owns_line(d, new.line) || !arch_has_pin(new.line))
        return -EPERM;
    for (const struct pirq *p = NULL; (p = pirq_next_on(p, new.line)) != NULL;)
        if (p->owner == d)
            return -EEXIST;
    if (op->pirq < 0)
        op->pirq = op->index;
    return add(&new, &op->pirq);
}

long physdev_map_pirq(struct physdev_map_pirq *op)
{
    long rc = check_caller(op->domid);

    if (rc != 0)
        return rc;
    spin_lock(&pci_lock);
    rc = op->type == MAP_PIRQ_TYPE_MSI_SEG ? map_message(current->domain, op)
         : op->type == MAP_PIRQ_TYPE_GSI   ? map_line(current->domain, op)
                                           : -EINVAL;
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
    p = op->pirq < 0 ? NULL : pirq_find(current->domain, (unsigned)op->pirq);
    if (p != NULL)
        pirq_free(p);
    spin_unlock(&pci_lock);
    return p != NULL ? 0 : -EINVAL;
}

static bool is_shared(const struct pirq *p)
{
    return p != NULL && p->function == NULL &&
           pirq_next_on(pirq_next_on(NULL, p->line), p->line) != NULL;
}

/* Every one needs its end, as on Xen; of a message it has no effect. */
long physdev_irq_status_query(struct physdev_irq_status_query *op)
{
    if (op->irq >= NR_PIRQS)
        return -EINVAL;
    spin_lock(&pci_lock);
    op->flags = XENIRQSTAT_needs_eoi |
                (is_shared(pirq_find(current->domain, op->irq)) ? XENIRQSTAT_shared : 0);
    spin_unlock(&pci_lock);
    return 0;
}

long physdev_eoi(const struct physdev_eoi *op)
{
    struct pirq *p;

    spin_lock(&pci_lock);
    p = op->irq < NR_PIRQS ? pirq_find(current->domain, op->irq) : NULL;
    if (p != NULL && p->owes) {
        p->owes = false;
        pirq_update(p);
    }
    spin_unlock(&pci_lock);
    return p != NULL ? 0 : -EINVAL;
}

/* --- Ports ------------------------------------------------------------------------------------ */

/* Two domains may have a pin bound if both have said that they share it. */
static bool is_busy(const struct pirq *p, bool shares)
{
    if (p->function != NULL)
        return false;
    for (const struct pirq *q = NULL; (q = pirq_next_on(q, p->line)) != NULL;)
        if (q != p && q->port != 0 && !(q->shares && shares))
            return true;
    return false;
}

int pirq_may_bind(struct domain *d, unsigned pirq)
{
    const struct pirq *p;
    int rc;

    if (pirq >= NR_PIRQS)
        return -EINVAL;
    spin_lock(&pci_lock);
    p = pirq_find(d, pirq);
    rc = p == NULL ? -EPERM : p->port != 0 ? -EEXIST : 0;
    spin_unlock(&pci_lock);
    return rc;
}

int pirq_bind(struct domain *d, unsigned pirq, evtchn_port_t port, bool shares)
{
    struct pirq *p;
    int rc = -EEXIST;

    spin_lock(&pci_lock);
    p = pirq_find(d, pirq);
    if (p != NULL && p->port == 0) {
        rc = is_busy(p, shares) ? -EBUSY : 0;
        if (rc == 0) {
            p->port = port;
            p->shares = shares;
            pirq_update(p);
        }
    }
    spin_unlock(&pci_lock);
    return rc;
}

/* What it owed cannot come any more. */
void pirq_unbind(struct domain *d, unsigned pirq, evtchn_port_t port)
{
    struct pirq *p;

    spin_lock(&pci_lock);
    p = pirq_find(d, pirq);
    if (p != NULL && p->port == port) {
        p->port = 0;
        p->owes = false;
        pirq_update(p);
    }
    spin_unlock(&pci_lock);
}
