/* Runs the suites and prints KTAP version 1: the plan, one line per suite, each suite's tests as a
 * nested block two spaces in, and the final line. The state of the running test is here. Called by
 * start() as guest_main(). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "console.h"
#include "event.h"
#include "jump.h"
#include "start.h"
#include "suite.h"
#include "thread.h"

enum verdict { PASS, FAIL, SKIPPED, NR_VERDICTS };

extern const struct suite *const suites_start[], *const suites_end[];

static jmp_buf abort_jb;
static enum verdict verdict;
static char skip_reason[128];
static unsigned totals[NR_VERDICTS];

void test_diag(const char *fmt, ...)
{
    char line[384];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    fflush(stdout);
    kprintf("  # %s\n", line);
}

bool test_fail(const char *file, int line, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    test_diag("%s:%d: %s", file, line, text);
    verdict = FAIL;
    return false;
}

_Noreturn void test_abort(void)
{
    longjmp(abort_jb, 1);
}

_Noreturn void test_skip(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(skip_reason, sizeof(skip_reason), fmt, ap);
    va_end(ap);
    if (verdict == PASS)                /* what failed before stays failed */
        verdict = SKIPPED;
    test_abort();
}

bool test_eq(const char *file, int line, const char *what, uint64_t got, uint64_t expected)
{
    if (got == expected)
        return true;
    test_fail(file, line, "%s: expected %#lx (%ld), got %#lx (%ld)", what, expected,
              (long)expected, got, (long)got);
    return false;
}

static const char *fault_text(char *buf, size_t len, const struct fault *f)
{
    if (f->vector == FAULT_NONE)
        snprintf(buf, len, "no fault");
    else
        snprintf(buf, len, "vector %d error %#x rip %#lx cr2 %#lx from %s", f->vector, f->error,
                 f->rip, f->cr2, f->user ? "user" : "kernel");
    return buf;
}

bool test_fault(const char *file, int line, const char *what, const struct fault *got, int vector,
                int64_t error)
{
    char text[128];

    if (got->vector == vector && (error == ANY_ERROR || got->error == error))
        return true;
    test_fail(file, line, "%s: expected vector %d error %#lx, got %s", what, vector, (long)error,
              fault_text(text, sizeof(text), got));
    return false;
}

bool test_quirk(const char *name)
{
    return cmdline_has("quirks", name);
}

int test_peer(void)
{
    char buf[16];

    return cmdline_get("peer", buf, sizeof(buf)) ? atoi(buf) : -1;
}

/* In one stack frame with the setjmp, so that test_abort() never returns into a frame that is
 * gone. */
static void run_protected(void *arg)
{
    const struct test *t = arg;

    if (!setjmp(abort_jb))
        t->fn();
}

static void run_test(const struct test *t, unsigned nr)
{
    static const char *const words[] = { [PASS] = "ok", [FAIL] = "not ok", [SKIPPED] = "ok" };
    struct fault f;
    char text[128];

    verdict = PASS;
    f = try_fault(run_protected, (void *)t);
    if (f.vector != FAULT_NONE)
        test_fail(__FILE__, __LINE__, "%s: unexpected fault: %s", t->name,
                  fault_text(text, sizeof(text), &f));
    thread_preempt(0);
    events_on();
    fflush(stdout);
    totals[verdict]++;
    kprintf("  %s %u %s%s%s\n", words[verdict], nr, t->name, verdict == SKIPPED ? " # SKIP " : "",
            verdict == SKIPPED ? skip_reason : "");
}

static bool out_of_place(const struct suite *s)
{
    if (is_bare())
        return !(s->flags & (SUITE_NEEDS_BARE | SUITE_ON_BARE));
    return s->flags & SUITE_NEEDS_BARE;
}

/* Why a test of this suite does not run here, though others do, or NULL. */
static const char *obstacle_of_test(const struct suite *s, const struct test *t)
{
    char buf[4];

    if (cmdline_get("tests", buf, sizeof(buf)) && !cmdline_has("tests", t->name))
        return "not among tests=";
    if (is_bare() && !(s->flags & SUITE_NEEDS_BARE) && !t->on_bare)
        return "needs a hypervisor";
    return NULL;
}

/* Why this suite cannot run here, or NULL. */
static const char *obstacle(const struct suite *s)
{
    if (out_of_place(s))
        return is_bare() ? "needs a hypervisor" : "needs a machine without a hypervisor";
    if ((s->flags & SUITE_NEEDS_DOMU) && is_dom0())
        return "needs an ordinary domain";
    if ((s->flags & SUITE_NEEDS_DOM0) && !is_dom0())
        return "needs domain 0";
    if ((s->flags & SUITE_NEEDS_PEER) && test_peer() < 0)
        return "needs a second domain (peer=)";
    if ((s->flags & SUITE_NEEDS_STORE) && !start_info->store_evtchn)
        return "needs a store";
    return NULL;
}

/* A suite is all entries of one name, which follow each other: one for each of its files. Returns
 * the entry behind the last. */
static const struct suite *const *suite_end(const struct suite *const *s)
{
    const char *name = (*s)->name;

    while (s < suites_end && !strcmp((*s)->name, name))
        s++;
    return s;
}

static void run_suite(const struct suite *const *first, unsigned nr)
{
    const struct suite *const *end = suite_end(first);
    const char *name = (*first)->name, *why = obstacle(*first);
    unsigned failed = totals[FAIL], skipped = totals[SKIPPED], nr_tests = 0, nr_test = 0;

    for (const struct suite *const *s = first; s < end; s++)
        nr_tests += (*s)->nr_tests;
    kprintf("  KTAP version 1\n  # Subtest: %s\n  1..%u\n", name, nr_tests);
    for (const struct suite *const *s = first; s < end; s++)
        for (unsigned i = 0; i < (*s)->nr_tests; i++) {
            const struct test *t = &(*s)->tests[i];
            const char *why_not = why ? why : obstacle_of_test(*first, t);

            nr_test++;
            if (!why_not) {
                run_test(t, nr_test);
                continue;
            }
            totals[SKIPPED]++;
            kprintf("  ok %u %s # SKIP %s\n", nr_test, t->name, why_not);
        }
    kprintf("%s %u %s%s%s\n", totals[FAIL] > failed ? "not ok" : "ok", nr, name,
            totals[SKIPPED] - skipped == nr_tests ? " # SKIP " : "",
            totals[SKIPPED] - skipped == nr_tests ? (why ? why : "every test was skipped") : "");
}

/* True if the command line names the suite of this first entry. */
static bool wanted(const struct suite *s)
{
    char buf[4];

    if (cmdline_has("suites", s->name))
        return true;
    if (cmdline_get("suites", buf, sizeof(buf)) && !cmdline_has("suites", "all"))
        return false;
    return !(s->flags & SUITE_NAMED_ONLY) && !out_of_place(s);
}

/* Runs the suites that the command line names; the number of failed tests. */
static unsigned suites_run(void)
{
    unsigned n = 0, nr = 0;
    char name[32];

    for (const struct suite *const *s = suites_start; s < suites_end; s = suite_end(s))
        n += wanted(*s);
    kprintf("KTAP version 1\n1..%u\n", n);
    kprintf("# name: %s\n",
            cmdline_get("name", name, sizeof(name)) ? name : is_dom0() ? "dom0" : "guest");
    for (const struct suite *const *s = suites_start; s < suites_end; s = suite_end(s))
        if (wanted(*s))
            run_suite(s, ++nr);
    if (!n) {                           /* a misspelt name must not look like success */
        kprintf("# no such suite: %s\n", (const char *)start_info->cmd_line);
        totals[FAIL]++;
    }
    kprintf("guest-pv: %u passed, %u failed, %u skipped\n", totals[PASS], totals[FAIL],
            totals[SKIPPED]);
    return totals[FAIL];
}

int guest_main(void)
{
    return suites_run() ? 1 : 0;
}
