/* The PCI functions that domains may own: gives them to a domain and takes them back. They are
 * found by pci_scan.c; configuration space as the owner sees it is in pci_config.c, MSI-X in
 * pci_msix.c; which frames the owner may map is decided here, by the list of BARs alone. Called by
 * boot/, when a domain ends, and by pv/ for page tables.
 *
 * A function can write to all memory once its bus mastering is on. So it is off for all disks and
 * network cards until the function has been reset, as the firmware may have left a queue in use in
 * memory that is now a guest's; and when the owner ends, its frames are not used again before a
 * reset is confirmed. If it never is, they are not used again at all. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/pci.h"
#include "xen/core/pci_msix.h"
#include "xen/core/pci_regs.h"
#include "xen/core/pci_scan.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/walk.h"

#define RESET_NS 1000000000ull
#define ASK_AGAIN_NS 1000000ull

void (*device_interrupt)(unsigned vector);

/* The idle vCPU has to look again whether a reset is confirmed. */
static void wake_idle(void *arg)
{
    (void)arg;
    sched_wake_idle();
}

static struct timer ask_again;
static struct pci_function functions[PCI_FUNCTIONS];
static unsigned nr_functions;

void pci_init(void)
{
    timer_init(&ask_again, wake_idle, NULL);
    nr_functions = pci_scan(functions);
}

/* --- Owners ----------------------------------------------------------------------------------- */

static void forbid_master(struct pci_function *f)
{
    uint32_t command;

    spin_lock(&pci_lock);
    f->may_master = false;
    command = arch_pci_read(f->address, PCI_COMMAND) & 0xffff;
    arch_pci_write(f->address, PCI_COMMAND, command & ~PCI_MASTER);
    spin_unlock(&pci_lock);
}

/* Asks for it; a device that still has requests under way reads as not zero until they have ended
 * (virtio 1.1, 4.1.4.3.2). */
static bool reset(struct pci_function *f)
{
    forbid_master(f);
    *f->status = 0;
    return arch_device_read(f->status) == 0;
}

static bool reset_and_wait(struct pci_function *f)
{
    uint64_t start = now_ns();

    while (!reset(f))
        if (now_ns() - start > RESET_NS)
            return false;
    return true;
}

static bool map_registers(struct pci_function *f)
{
    if (f->status == NULL)
        f->status = arch_map_device(f->reset_at);
    if (f->msix != 0 && f->entries == NULL)
        f->entries = arch_map_device(f->table);
    return f->status != NULL && (f->msix == 0 || f->entries != NULL);
}

static bool give(struct domain *d, struct pci_function *f)
{
    if (!map_registers(f) || !reset_and_wait(f)) {
        log_warning("PCI " PCI_FORMAT " cannot be reset: it is not given to d%u",
                    PCI_PARTS(f->address), d->id);
        return false;
    }
    f->may_master = true;
    f->owner = d;
    return true;
}

static struct pci_function *find_address(uint16_t address)
{
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].address == address)
            return &functions[i];
    return NULL;
}

void pci_name(const struct pci_choice *c)
{
    for (unsigned i = 0; i < c->nr; i++) {
        struct pci_function *f = find_address(c->address[i]);

        if (f != NULL)
            f->named = true;
    }
}

static bool give_named(struct domain *d, uint16_t address)
{
    struct pci_function *f = find_address(address);

    if (f == NULL)
        log_warning("d%u (%s): pci=" PCI_FORMAT ": there is no such virtio disk or network card",
                    d->id, d->name, PCI_PARTS(address));
    else if (f->owner != NULL)
        log_warning("d%u (%s): pci=" PCI_FORMAT ": d%u has it already", d->id, d->name,
                    PCI_PARTS(address), f->owner->id);
    else
        return give(d, f);
    return false;
}

unsigned pci_give(struct domain *d, const struct pci_choice *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->nr; i++)
        n += give_named(d, c->address[i]);
    for (unsigned i = 0; c->nr == 0 && i < nr_functions; i++)
        if (functions[i].owner == NULL && !functions[i].named)
            n += give(d, &functions[i]);
    return n;
}

bool pci_owns(const struct domain *d)
{
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].owner == d)
            return true;
    return false;
}

bool pci_owns_line(const struct domain *d, unsigned line)
{
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].owner == d && functions[i].has_line && functions[i].line == line)
            return true;
    return false;
}

struct pci_function *pci_find(const struct domain *d, unsigned bus, unsigned devfn)
{
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].owner == d && functions[i].address == (bus << 8 | devfn))
            return &functions[i];
    return NULL;
}

static void give_up(struct pci_function *f)
{
    f->given_up = true;
    log_error("PCI " PCI_FORMAT " does not stop: the memory of d%u is not used any more",
              PCI_PARTS(f->address), f->owner->id);
}

/* Until the device has confirmed it, the idle vCPU asks again and again; after a time no more. Then
 * the domain stays as it is, with its frames, into which the device may write at any time. */
bool pci_may_end(struct domain *d)
{
    bool quiet = true;

    d->quarantined = false;
    for (unsigned i = 0; i < nr_functions; i++) {
        struct pci_function *f = &functions[i];

        if (f->owner != d || reset(f))
            continue;
        quiet = false;
        if (f->reset_since == 0)
            f->reset_since = now_ns();
        if (now_ns() - f->reset_since < RESET_NS)
            timer_set(&ask_again, now_ns() + ASK_AGAIN_NS);
        else if (!f->given_up)
            give_up(f);
        d->quarantined |= f->given_up;
    }
    return quiet;
}

void pci_take_back(struct domain *d)
{
    spin_lock(&pci_lock);
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].owner == d) {
            pci_msix_enable(&functions[i], false);
            functions[i].owner = NULL;
            functions[i].reset_since = 0;
            functions[i].given_up = false;
            functions[i].sized = 0;
        }
    spin_unlock(&pci_lock);
}

/* --- Frames of registers ---------------------------------------------------------------------- */

static bool may_map(const struct pci_function *f, mfn_t mfn)
{
    if (f->msix != 0 && (mfn == f->hidden[0] || mfn == f->hidden[1]))
        return false;
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (mfn >= f->bar[i].first && mfn < f->bar[i].end)
            return true;
    return false;
}

uint64_t pci_l1e(const struct domain *d, uint64_t l1e)
{
    /* Bit 7 of an L1 entry is PAT: another memory type. */
    if ((l1e & PTE_PS) || ((l1e & PTE_NX) && !arch_has_nx()))
        return 0;
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].owner == d && may_map(&functions[i], PTE_MFN(l1e)))
            return l1e | PTE_PCD | PTE_PWT | (arch_has_nx() ? PTE_NX : 0);
    return 0;
}
