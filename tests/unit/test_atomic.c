/* Tests of common/atomic.h: what each operation returns and leaves behind; and that of changes by
 * two threads none is lost. */
#include "cmocka_main.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/atomic.h"

#define ROUNDS 200000u

static void returns_what_was_there(void **state)
{
    uint8_t lock = 0;
    uint16_t half = 0x0f;
    uint32_t word = 5;
    uint64_t big = 1ull << 40, seen = 7;

    (void)state;
    assert_int_equal(xchg(&lock, 1), 0);
    assert_int_equal(xchg(&lock, 1), 1);
    assert_int_equal(fetch_or(&half, 0x11), 0x0f);
    assert_int_equal(fetch_and(&half, 0xf0), 0x1f);
    assert_int_equal(half, 0x10);
    assert_int_equal(xadd(&word, 3), 5);
    assert_int_equal(cmpxchg32(&word, 7, 1), 8);
    assert_int_equal(cmpxchg32(&word, 8, 1), 8);
    assert_int_equal(word, 1);
    assert_false(try_cmpxchg(&big, &seen, 2));
    assert_int_equal(seen, 1ull << 40);
    assert_true(try_cmpxchg(&big, &seen, 2));
    assert_int_equal(cmpxchg64(&big, 2, 3), 2);
    assert_int_equal(load_acquire(&big), 3);
    store_release(&big, 4);
    locked_or(&big, 1ull << 63);
    locked_and(&big, ~4ull);
    locked_add(&big, 9);
    assert_int_equal(READ_ONCE(big), 1ull << 63 | 9);
}

static uint64_t added, exchanged;
static uint32_t bits;
static uint8_t taken;
static unsigned inside, guarded;
static pthread_barrier_t start;

static void *changes(void *arg)
{
    uint32_t mine = *(const uint32_t *)arg;

    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t old = READ_ONCE(exchanged);

        locked_add(&added, 1);
        while (!try_cmpxchg(&exchanged, &old, old + 1))
            ;
        if (fetch_or(&bits, mine) & mine)
            return "the other thread set this bit";
        if (!(fetch_and(&bits, ~mine) & mine))
            return "the bit was lost";
        while (xchg(&taken, 1))
            cpu_relax();
        if (inside++ != 0)
            return "two hold the lock";
        guarded++;
        inside--;
        store_release(&taken, 0);
    }
    return NULL;
}

static void two_threads_lose_nothing(void **state)
{
    uint32_t mine = 1, other = 2;
    void *failure = NULL;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, changes, &other), 0);
    assert_null(changes(&mine));
    assert_int_equal(pthread_join(thread, &failure), 0);
    assert_null(failure);
    assert_int_equal(added, 2 * ROUNDS);
    assert_int_equal(exchanged, 2 * ROUNDS);
    assert_int_equal(guarded, 2 * ROUNDS);
    assert_int_equal(bits, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_what_was_there),
        cmocka_unit_test(two_threads_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
