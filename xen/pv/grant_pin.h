/* Pins of grant entries (grant_pin.c): while an entry is pinned, it stands for the same bytes of
 * the same frame, whatever the guest writes there (G2 in grant.h). Called by grant_map.c for
 * mappings and by grant_copy.c for copies. */
#ifndef XEN_GRANT_PIN_H
#define XEN_GRANT_PIN_H

#include "xen/core/domain.h"

/* Pins rd's entry for a mapping by domid; *mfn: the frame that it grants. Returns GNTST_*. */
int grant_pin(struct domain *rd, grant_ref_t ref, domid_t domid, bool readonly, mfn_t *mfn);
void grant_unpin(struct domain *rd, grant_ref_t ref, bool readonly);

/* What a copy may access while it has the grant pinned: bytes [start, start + length) of a frame
 * of owner. */
struct grant_area {
    /* The granter; of a transitive grant, the domain whose grant it names. */
    struct domain *owner;
    grant_ref_t owner_ref;
    mfn_t mfn;
    uint16_t start, length;
};
/* The same for a copy. For a transitive grant both entries are pinned; the second one may not be
 * transitive. */
int grant_pin_for_copy(struct domain *rd, grant_ref_t ref, domid_t domid, bool readonly,
                       struct grant_area *area);
void grant_unpin_copy(struct domain *rd, grant_ref_t ref, bool readonly,
                      const struct grant_area *area);

#endif
