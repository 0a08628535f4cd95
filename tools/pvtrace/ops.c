/* Owns what the user may write as the name of a call, and what he may have meant. Asked by the filter. */
#include <string.h>
#include <strings.h>

#include "tools/pvtrace/ops.h"

bool operation_exists(const char *name)
{
    for (uint32_t nr = 0; nr < ABI_HYPERCALLS; nr++)
        for (uint32_t op = 0; op < NR_OPERATIONS; op++) {
            const char *known = abi_operation_name(nr, op);

            if (known != NULL && strcasecmp(known, name) == 0)
                return true;
        }
    return false;
}

/* Edit distance, with a bound on the length of both: names are short. */
#define MAX_NAME 47u
static unsigned distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned row[MAX_NAME + 1];

    if (la > MAX_NAME || lb > MAX_NAME)
        return MAX_NAME;
    for (unsigned j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned change = diagonal + (strncasecmp(a + i - 1, b + j - 1, 1) != 0), above = row[j];

            row[j] = above + 1 < row[j - 1] + 1 ? above + 1 : row[j - 1] + 1;
            if (change < row[j])
                row[j] = change;
            diagonal = above;
        }
    }
    return row[lb];
}

static void closer(const char *name, const char *candidate, const char **best, unsigned *least)
{
    unsigned d = candidate != NULL ? distance(name, candidate) : MAX_NAME;

    if (d < *least) {
        *least = d;
        *best = candidate;
    }
}

const char *closest_name(const char *name)
{
    unsigned least = (unsigned)strlen(name) / 3 + 1;
    const char *best = NULL;

    for (uint32_t nr = 0; nr < ABI_HYPERCALLS; nr++) {
        closer(name, abi_hypercall_name(nr), &best, &least);
        for (uint32_t op = 0; op < NR_OPERATIONS; op++)
            closer(name, abi_operation_name(nr, op), &best, &least);
    }
    return best;
}
