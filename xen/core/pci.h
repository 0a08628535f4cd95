/* PCI functions that a domain may own: the machine's virtio disks and network cards. */
#ifndef XEN_PCI_H
#define XEN_PCI_H

#include "common/compiler.h"
#include "xen/core/types.h"

struct domain;

#define PCI_FUNCTIONS 16u               /* that can be given to domains */
#define PCI_BARS 6u
#define PCI_MSIX_ENTRIES 64u            /* of a function; more are not used */

/* Invariants
 *   P1  a function has one owner, or none; it changes only while no other CPU can use it: when
 *       domains are built, and when the owner, whose vCPUs have ended, has released its page tables
 *   P2  a frame of its registers is mapped in L1 tables of the owner only, uncached; such an entry
 *       has PTE_PCD, which no other entry of a guest has, and holds no references
 *   P3  the pages of the MSI-X table and its pending bits are mapped by no guest
 *   P4  bus mastering is on only between a reset that was confirmed and the owner's end */
struct pci_function {
    uint16_t address;                   /* bus, device and function, as in bits 23:8 of 0xcf8 */
    uint16_t vendor, device;
    uint8_t class;
    struct domain *owner;               /* P1; NULL: none */
    bool named;                         /* by a domain's word */
    struct {
        mfn_t first, end;               /* frames; equal: no memory BAR */
        bool wide;                      /* the next register is the upper half of its address */
    } bar[PCI_BARS];
    uint64_t reset_at;                  /* machine address of virtio's device_status; 0: none */
    volatile uint8_t *status;           /* the same, mapped */
    bool may_master;                    /* P4 */
    uint8_t sized;                      /* bit per BAR register that shows its size: pci_config.c */
    uint64_t reset_since;               /* ns; its owner has ended, and waits for it; 0: no */
    bool given_up;                      /* it was waited for long enough, and a line has said so */

    uint8_t line;                       /* where the firmware has routed its interrupt pin */
    bool has_line;

    uint8_t msix;                       /* its capability in configuration space; 0: none */
    unsigned nr_entries;
    uint64_t table;                     /* machine address of the MSI-X table */
    mfn_t hidden[2];                    /* P3: the frame of the table, and of the pending bits */
    volatile uint32_t *entries;         /* the table, mapped */
};

void pci_init(void);                    /* finds the functions, and turns their bus mastering off */
/* The functions that a domain's word pci= names; none: all that no word names. */
struct pci_choice {
    uint16_t address[PCI_FUNCTIONS];
    unsigned nr;
};
/* No domain gets these without naming them. */
void pci_name(const struct pci_choice *c);
/* Gives d those of its choice that are free and can be reset; what it cannot get has a line.
 * Returns how many it gets. */
unsigned pci_give(struct domain *d, const struct pci_choice *c);
/* Resets d's functions, whose vCPUs have ended: true when none of them accesses memory any more.
 * False: not yet. */
bool pci_may_end(struct domain *d);
void pci_take_back(struct domain *d);

bool pci_owns(const struct domain *d);
bool pci_owns_line(const struct domain *d, unsigned line);

/* d's L1 entry as it has to be for a frame of a function's registers (P2), or 0: it may not be. For
 * an entry that is so already, the entry itself. */
uint64_t pci_l1e(const struct domain *d, uint64_t l1e);

/* The function that d owns at this address; NULL: none. */
struct pci_function *pci_find(const struct domain *d, unsigned bus, unsigned devfn);

/* Called for each interrupt of a device; set once, to pv/pirq.c's. */
extern void (*device_interrupt)(unsigned vector);

#endif
