/* What happens before each access of the hypervisor to memory: gcc calls a function there when it
 * compiles with -fsanitize=thread (tsan_calls.c). Each access is a point at which another CPU may
 * go on (host_step), and stores may wait in a buffer of their CPU as on an x86 CPU: they reach
 * memory later, in order; the CPU itself sees them, others do not. The buffer is emptied by a
 * locked instruction, by a fence, and where the CPU calls the fake machine (enter_host). Stores to
 * the CPU's own stack do not wait in it: their function could return first, and the late store
 * would overwrite a return address of this program.
 *
 * gcc calls before a store and does not tell the value. So the old value is kept, and at the next
 * call, when the store is done, the new one is taken out of memory and the old one put back. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "tests/interleave/interleave.h"
#include "tsan_calls.h"

#define MAX_WAITING 4u

struct store {
    uint8_t *p;
    unsigned bytes;
    uint64_t value;
};

static struct buffer {
    struct store waiting[MAX_WAITING];
    unsigned nr;
} buffers[HOST_CPUS];
static void enter_host(void);
static void drain_of(unsigned cpu);
static struct store begun;      /* its value: the old one; p NULL: none */
static bool interleaving, stores_wait;
static uint64_t random_state = 1;

static bool one_in(unsigned n)
{
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (random_state >> 33) % n == 0;
}

void accesses_begin(uint64_t seed, bool wait)
{
    random_state = seed;
    interleaving = true;
    stores_wait = wait;
    begun.p = NULL;
}

void accesses_end(void)
{
    enter_host();
    for (unsigned cpu = 0; cpu < HOST_CPUS; cpu++)
        drain_of(cpu);
    interleaving = stores_wait = false;
}

static uint64_t value_at(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        ((uint8_t *)&value)[i] = p[i];
    return value;
}

static void put(const struct store *s)
{
    switch (s->bytes) {
    case 8:
        *(volatile uint64_t *)s->p = s->value;
        break;
    case 4:
        *(volatile uint32_t *)s->p = (uint32_t)s->value;
        break;
    case 2:
        *(volatile uint16_t *)s->p = (uint16_t)s->value;
        break;
    default:
        *s->p = (uint8_t)s->value;
    }
}

static void drain_one(struct buffer *b)
{
    put(&b->waiting[0]);
    b->nr--;
    for (unsigned i = 0; i < b->nr; i++)
        b->waiting[i] = b->waiting[i + 1];
}

static void drain_of(unsigned cpu)
{
    struct buffer *b = &buffers[cpu];

    while (b->nr > 0)
        drain_one(b);
}

static void drain(void)
{
    drain_of(host_cpu);
}

/* s is the CPU's newest store: it waits, and in memory there is the old value. */
static void wait_in_buffer(struct store s)
{
    struct buffer *b = &buffers[host_cpu];

    if (b->nr == MAX_WAITING)
        drain_one(b);
    b->waiting[b->nr++] = s;
}

static bool may_wait(void)
{
    return stores_wait && (buffers[host_cpu].nr > 0 || one_in(4));
}

static void finish_begun(void)
{
    struct store s = begun;

    if (s.p == NULL)
        return;
    begun.p = NULL;
    s.value = value_at(s.p, s.bytes);
    if (!may_wait())
        return;
    put(&(struct store){ s.p, s.bytes, begun.value });
    wait_in_buffer(s);
}

static void point(void)
{
    if (!interleaving)
        return;
    finish_begun();
    if (buffers[host_cpu].nr > 0 && one_in(16))
        drain_one(&buffers[host_cpu]);
    host_step();
}

void before_read(const volatile void *p, unsigned long bytes)
{
    const struct buffer *b = &buffers[host_cpu];

    point();
    for (unsigned i = 0; i < b->nr; i++)
        if ((uintptr_t)b->waiting[i].p < (uintptr_t)p + bytes &&
            (uintptr_t)p < (uintptr_t)b->waiting[i].p + b->waiting[i].bytes) {
            drain();
            return;
        }
}

void before_write(volatile void *p, unsigned long bytes)
{
    uint8_t *at = (uint8_t *)(uintptr_t)p;

    point();
    if (bytes > 8) {
        drain();
        return;
    }
    if (stores_wait && !host_on_stack(at))
        begun = (struct store){ at, (unsigned)bytes, value_at(at, (unsigned)bytes) };
}

void before_locked(volatile void *p)
{
    (void)p;
    point();
    drain();
}

bool put_off(volatile void *p, unsigned bytes, uint64_t value, int order)
{
    point();
    if (order == __ATOMIC_SEQ_CST)
        drain();
    else if (may_wait() && !host_on_stack((uint8_t *)(uintptr_t)p)) {
        wait_in_buffer((struct store){ (uint8_t *)(uintptr_t)p, bytes, value });
        return true;
    }
    return false;
}

void before_fence(int order)
{
    if (order == __ATOMIC_SEQ_CST)
        before_locked(NULL);
}

void tsan_started(void)
{
}

static void enter_host(void)
{
    finish_begun();
    drain();
}

/* Called at the entry of each function of the fake machine and of the tests. */
void __cyg_profile_func_enter(void *function, void *caller)
    __attribute__((no_instrument_function));
void __cyg_profile_func_enter(void *function, void *caller)
{
    (void)function, (void)caller;
    if (stores_wait)
        enter_host();
}

void __cyg_profile_func_exit(void *function, void *caller) __attribute__((no_instrument_function));
void __cyg_profile_func_exit(void *function, void *caller)
{
    (void)function, (void)caller;
}

/* libc's functions read and write memory of the hypervisor. */
#define WRAP(type, name, parameters, arguments)                                                    \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        enter_host();                                                                              \
        return __real_##name arguments;                                                            \
    }
WRAP(void *, memcpy, (void *a, const void *b, size_t n), (a, b, n))
WRAP(void *, memmove, (void *a, const void *b, size_t n), (a, b, n))
WRAP(void *, memset, (void *a, int b, size_t n), (a, b, n))
WRAP(int, memcmp, (const void *a, const void *b, size_t n), (a, b, n))
WRAP(size_t, strlen, (const char *a), (a))
WRAP(int, strcmp, (const char *a, const char *b), (a, b))
WRAP(int, strncmp, (const char *a, const char *b, size_t n), (a, b, n))
WRAP(char *, strchr, (const char *a, int b), (a, b))
WRAP(int, vsnprintf, (char *a, size_t n, const char *f, va_list l), (a, n, f, l))

int __wrap_snprintf(char *a, size_t n, const char *f, ...);
int __wrap_snprintf(char *a, size_t n, const char *f, ...)
{
    va_list l;
    int rc;

    va_start(l, f);
    rc = __wrap_vsnprintf(a, n, f, l);
    va_end(l);
    return rc;
}
