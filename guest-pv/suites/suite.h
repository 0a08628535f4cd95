/*
 * The test framework: what every file of a suite includes; suite.c runs them. A suite is a file of
 * functions and one SUITE() at its end; the linker collects them, so no list names them.
 *
 *     static void one_plus_one(void)
 *     {
 *         EXPECT_EQ(1 + 1, 2);
 *     }
 *     SUITE(sums, 30, 0, TEST(one_plus_one));
 *
 * EXPECT_* reports a failure and continues, ASSERT_* also ends the test, SKIP() ends it with a
 * reason. A test that faults outside try_fault() fails with a description of the fault, and the
 * next test runs. Each test starts with events on and without preemption, which the framework
 * restores after each test; a test removes the handlers that it has installed.
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
    bool on_bare;               /* needs no hypervisor */
};

enum {
    SUITE_NAMED_ONLY = 1,               /* not in `all`: runs when its name is given */
    SUITE_NEEDS_DOMU = 2,               /* skipped in domain 0 */
    SUITE_NEEDS_PEER = 4,               /* skipped without peer=<domid> on the command line */
    SUITE_NEEDS_DOM0 = 8,               /* skipped in an ordinary domain */
    SUITE_NEEDS_STORE = 16,             /* skipped in a domain that has no xenstore */
    SUITE_NEEDS_BARE = 32,              /* only on a machine without a hypervisor */
    SUITE_ON_BARE = 64,                 /* there, too, those tests that are TEST_ON_BARE() */
};

/* The tests of one file of a suite. The flags are those of the suite's first file. */
struct suite {
    const char *name;
    unsigned flags;
    const struct test *tests;
    unsigned nr_tests;
};

#define TEST(fn) { #fn, fn, false }
#define TEST_ON_BARE(fn) { #fn, fn, true }
/* The linker sorts suites by order (two digits), then by name, then by part. */
#define SUITE(name_, order, flags_, ...) SUITE_IN_FILE(name_, order, 0, flags_, __VA_ARGS__)
/* The tests of a further file of the same suite, with the same order; part: one digit from 1. */
#define SUITE_PART(name_, order, part, ...) SUITE_IN_FILE(name_, order, part, 0, __VA_ARGS__)
#define SUITE_IN_FILE(name_, order, part, flags_, ...)                                          \
    static const struct test name_##_tests[] = { __VA_ARGS__ };                                 \
    static const struct suite name_##_suite = {                                                 \
        #name_, flags_, name_##_tests, sizeof(name_##_tests) / sizeof(name_##_tests[0])         \
    };                                                                                          \
    static const struct suite *const name_##_entry                                              \
        __attribute__((used, section(".suites." #order "." #name_ "." #part))) = &name_##_suite

/* --- Reporting: a diagnostic is one line of KTAP. "# " and the newline are added. ------------- */
void test_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Marks the running test as failed; returns false. */
bool test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void test_abort(void);
_Noreturn void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool test_eq(const char *file, int line, const char *what, uint64_t got, uint64_t expected);
bool test_fault(const char *file, int line, const char *what, const struct fault *got, int vector,
                int64_t error);

#define EXPECT_EQ(got, expected)    \
    test_eq(__FILE__, __LINE__, #got, (uint64_t)(got), (uint64_t)(expected))
#define EXPECT(cond)    \
    EXPECT_MSG(cond, "%s: expected true, got false", #cond)
/* With a message that is printed if it is false. */
#define EXPECT_MSG(cond, ...)   \
    ({ bool ok_ = (cond) || test_fail(__FILE__, __LINE__, __VA_ARGS__); ok_; })
/* struct fault: the vector, and the error code unless ANY_ERROR. */
#define ANY_ERROR (-1)
#define EXPECT_FAULT(f, vector, error)  \
    ({ struct fault f_ = (f); test_fault(__FILE__, __LINE__, #f, &f_, vector, error); })
#define EXPECT_NO_FAULT(f) EXPECT_FAULT(f, FAULT_NONE, ANY_ERROR)

#define ASSERT_EQ(got, expected)    do { if (!EXPECT_EQ(got, expected)) test_abort(); } while (0)
#define ASSERT(cond)                do { if (!EXPECT(cond)) test_abort(); } while (0)
#define ASSERT_MSG(cond, ...)       \
    do { if (!EXPECT_MSG(cond, __VA_ARGS__)) test_abort(); } while (0)
#define ASSERT_FAULT(f, vec, error) do { if (!EXPECT_FAULT(f, vec, error)) test_abort(); } while (0)
#define ASSERT_NO_FAULT(f)          do { if (!EXPECT_NO_FAULT(f)) test_abort(); } while (0)
#define SKIP(...)                   test_skip(__VA_ARGS__)

/* `quirks=a,b` on the command line names known faults of the emulator (not of the hypervisor);
 * tests that they break are skipped. qemu-int: INT n reports vector 2n. Paragon's own tests never
 * set it. */
bool test_quirk(const char *name);
/* peer=<domid>, or -1. */
int test_peer(void);
#endif
