/* What happens before each access to memory in files that gcc compiles with -fsanitize=thread
 * (tests/unit/tsan_calls.c): a store is a point at which another CPU may go on (cpus.c), and
 * a load is none. So a call with two CPUs is seen step by step. The order of stores is that of the
 * program; tests/interleave has stores that wait in a CPU's buffer. */
#include "model.h"
#include "tsan_calls.h"

bool stores_are_seen;

void tsan_started(void)
{
    stores_are_seen = true;
}

void before_read(const volatile void *p, unsigned long bytes)
{
    (void)p, (void)bytes;
}

void before_write(volatile void *p, unsigned long bytes)
{
    (void)bytes;
    store_begins(p);
}

void before_locked(volatile void *p)
{
    store_begins(p);
}

bool put_off(volatile void *p, unsigned bytes, uint64_t value, int order)
{
    (void)bytes, (void)value, (void)order;
    store_begins(p);
    return false;
}

void before_fence(int order)
{
    (void)order;
}
