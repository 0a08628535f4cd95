/* What debug builds know of locks: how many this CPU holds. */
#include "xen/core/lock.h"

#ifdef DEBUG
int locks_held;
#endif
