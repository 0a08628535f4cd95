/* The names of calls that a user may write. */
#ifndef PVTRACE_OPS_H
#define PVTRACE_OPS_H

#include "common/abi_names.h"
#include "tools/pvtrace/pvtrace.h"

#define NR_OPERATIONS 128u          /* more than any hypercall has */

bool operation_exists(const char *name);
/* The known name, of a hypercall or a sub-operation, that looks most like this one; NULL: nothing close. */
const char *closest_name(const char *name);

#endif
