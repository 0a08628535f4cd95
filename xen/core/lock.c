/* The number of locks that this CPU holds, in debug builds (lock.h). */
#include "xen/core/lock.h"

#ifdef DEBUG
int locks_held;
#endif
