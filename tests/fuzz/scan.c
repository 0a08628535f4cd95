/* Searches of the frame table. Guests make several for each hypercall, and audits make them too.
 * Called by words.c, grants.c and world.c. Not instrumented by the sanitizers, whose checks here
 * took a third of the fuzzer's time: only the table from LOW_BASE to max_mfn is read. */
#include "host.h"
#include "tests/fuzz/scan.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"

#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

UNCHECKED mfn_t next_owned(mfn_t mfn, const struct domain *d)
{
    while (mfn < max_mfn && frame_table[mfn].owner != d->mfn)
        mfn++;
    return mfn;
}

UNCHECKED unsigned count_frames(uint64_t word_bits, uint32_t linear_bits)
{
    unsigned n = 0;

    for (mfn_t mfn = LOW_BASE; mfn < max_mfn; mfn++)
        n += frame_table[mfn].owner != 0 && ((frame_table[mfn].word & word_bits) != 0 ||
                                             (frame_table[mfn].linear & linear_bits) != 0);
    return n;
}
