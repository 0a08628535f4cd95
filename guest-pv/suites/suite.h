/*
 * The test framework: what a suite file includes. A suite is a file of functions and one SUITE() at its end;
 * the linker collects them, so nothing else has to be edited.
 *
 *     static void one_plus_one(void)
 *     {
 *         EXPECT_EQ(1 + 1, 2);
 *     }
 *     SUITE(sums, 30, 0, TEST(one_plus_one));
 *
 * EXPECT_* reports and goes on, ASSERT_* ends the test, SKIP() ends it with a reason. A test that faults
 * outside its own try_fault() fails with the fault's description, and the next one runs. Each test starts and
 * should end with events on, no preemption, no handler left behind; the framework puts the interrupt flag and
 * preemption back.
 */
#ifndef GUEST_SUITE_H
#define GUEST_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "trap.h"

struct test {
    const char *name;
    void (*fn)(void);
};

enum {
    SUITE_NAMED_ONLY = 1,               /* not in `all`: runs when its name is given */
    SUITE_NEEDS_DOMU = 2,               /* skipped in domain 0 */
    SUITE_NEEDS_PEER = 4,               /* skipped without peer=<domid> on the command line */
    SUITE_NEEDS_DOM0 = 8,               /* skipped in an ordinary domain */
    SUITE_NEEDS_STORE = 16,             /* skipped where nobody serves xenstore */
};

struct suite {
    const char *name;
    unsigned flags;
    const struct test *tests;
    unsigned nr_tests;
};

#define TEST(fn) { #fn, fn }
/* order: two digits, by which the suites run. */
#define SUITE(name_, order, flags_, ...)                                                                \
    static const struct test name_##_tests[] = { __VA_ARGS__ };                                         \
    static const struct suite name_##_suite = { #name_, flags_, name_##_tests,                          \
                                                sizeof(name_##_tests) / sizeof(name_##_tests[0]) };     \
    static const struct suite *const name_##_entry                                                      \
        __attribute__((used, section(".suites." #order))) = &name_##_suite

/* --- reporting: a diagnostic is one KTAP line, "# " and the newline are added; test_fail() is false --- */
void test_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool test_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void test_abort(void);
_Noreturn void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool test_eq(const char *file, int line, const char *what, uint64_t got, uint64_t expected);
bool test_fault(const char *file, int line, const char *what, const struct fault *got, int vector,
                int64_t error);

#define EXPECT_EQ(got, expected)    \
    test_eq(__FILE__, __LINE__, #got, (uint64_t)(got), (uint64_t)(expected))
#define EXPECT(cond)    \
    ({ bool ok_ = (cond) || test_fail(__FILE__, __LINE__, "%s: expected true, got false", #cond); ok_; })
/* With a message that is printed if it is false. */
#define EXPECT_MSG(cond, ...)   \
    ({ bool ok_ = (cond) || test_fail(__FILE__, __LINE__, __VA_ARGS__); ok_; })
/* struct fault: the vector, and the error code unless ANY_ERROR. */
#define ANY_ERROR (-1)
#define EXPECT_FAULT(f, vector, error)  \
    ({ struct fault f_ = (f); test_fault(__FILE__, __LINE__, #f, &f_, vector, error); })
#define EXPECT_NO_FAULT(f) EXPECT_FAULT(f, FAULT_NONE, ANY_ERROR)

#define ASSERT_EQ(got, expected)      do { if (!EXPECT_EQ(got, expected)) test_abort(); } while (0)
#define ASSERT(cond)                  do { if (!EXPECT(cond)) test_abort(); } while (0)
#define ASSERT_MSG(cond, ...)         do { if (!EXPECT_MSG(cond, __VA_ARGS__)) test_abort(); } while (0)
#define ASSERT_FAULT(f, vec, error)   do { if (!EXPECT_FAULT(f, vec, error)) test_abort(); } while (0)
#define ASSERT_NO_FAULT(f)            do { if (!EXPECT_NO_FAULT(f)) test_abort(); } while (0)
#define SKIP(...)                     test_skip(__VA_ARGS__)

/* `quirks=a,b` on the command line names known faults of the emulator (not of the hypervisor);
 * tests that they break are skipped. qemu-int: INT n reports vector 2n. Paragon's own tests never
 * set it. */
bool test_quirk(const char *name);
/* peer=<domid>, or -1. */
int test_peer(void);
#endif
