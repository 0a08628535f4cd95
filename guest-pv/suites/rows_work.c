/* Suite "rowswork" (only by name): rows that are the same code with and without a hypervisor; see
 * rows.h. */
#include <stdlib.h>
#include <string.h>
#include "bare/bare.h"
#include "rows.h"
#include "start.h"
#include "suite.h"
#include "user.h"

__attribute__((naked, used)) static void empty_function(void)
{
    __asm__("ret");
}
LOOP(loop_call, "call empty_function")

static void calls(void)
{
    row("call/ret", loop_call, 1);
}

/* --- computing -------------------------------------------------------------------------------- */

#define COMPUTE_TURNS 10000ul
#define COMPUTE_LENGTH 10               /* instructions in a turn */
/* Arithmetic, a load, a store, a branch that is taken every other time. */
#define COMPUTE                                                                         \
    "1:\tmovq (%%rcx), %%rax\n\taddq %0, %%rax\n\tleaq 3(%%rax, %%rax, 2), %%rdx\n\t"   \
    "shrq $3, %%rdx\n\txorq %%rdx, %%rax\n\tmovq %%rax, (%%rcx)\n\ttestq $1, %0\n\t"    \
    "jz 2f\n2:\tdecq %0\n\tjnz 1b"

static uint64_t kernel_word;
static USER_DATA uint64_t user_word = 1;

static uint64_t compute_kernel(void)
{
    uint64_t n = COMPUTE_TURNS, start = rdtsc();

    __asm__ volatile(COMPUTE : "+r"(n) : "c"(&kernel_word) : "rax", "rdx", "memory", "cc");
    return rdtsc() - start;
}

USER_CODE static uint64_t compute_user(uint64_t n)
{
    uint64_t start, end;

    __asm__ volatile("rdtsc\n\tshlq $32, %%rdx\n\torq %%rdx, %%rax" : "=a"(start) : : "rdx");
    __asm__ volatile(COMPUTE : "+r"(n) : "c"(&user_word) : "rax", "rdx", "memory", "cc");
    __asm__ volatile("rdtsc\n\tshlq $32, %%rdx\n\torq %%rdx, %%rax" : "=a"(end) : : "rdx");
    return end - start;
}

static void computing(void)
{
    struct user_result res;

    kernel_word = 1;
    compute_kernel();
    kernel_word = 1;
    print_row("compute, kernel", compute_kernel(), COMPUTE_TURNS * COMPUTE_LENGTH);
    *USER_PTR(user_word) = 1;
    user_run(compute_user, COMPUTE_TURNS, 0, 0);
    *USER_PTR(user_word) = 1;
    res = user_run(compute_user, COMPUTE_TURNS, 0, 0);
    EXPECT(res.exited);
    print_row("compute, user", res.code, COMPUTE_TURNS * COMPUTE_LENGTH);
    EXPECT_EQ(kernel_word, *USER_PTR(user_word));
}

/* --- copies ----------------------------------------------------------------------------------- */

static void copy_by_movsq(void *to, const void *from, uint64_t bytes)
{
    uint64_t n = bytes / 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}
static void copy_by_sse(void *to, const void *from, uint64_t bytes)
{
    __asm__ volatile("1:\tmovups (%1), %%xmm0\n\tmovups 16(%1), %%xmm1\n\tmovups %%xmm0, (%0)\n\t"
                     "movups %%xmm1, 16(%0)\n\taddq $32, %0\n\taddq $32, %1\n\t"
                     "subq $32, %2\n\tjnz 1b"
                     : "+r"(to), "+r"(from), "+r"(bytes) : : "memory", "cc", "xmm0", "xmm1");
}

/* One copy is short: the least of some is without what a host did in between, such as a timer's
 * interrupt. */
#define COPY_TURNS 3

static void copies(void)
{
    static const struct {
        const char *name;
        void (*copy)(void *to, const void *from, uint64_t bytes);
        uint64_t bytes;
    } rows[] = {
        { "copy of 4 KiB, rep movsq", copy_by_movsq, 4096 },
        { "copy of 4 KiB, sse", copy_by_sse, 4096 },
        { "copy of 4 MiB, rep movsq", copy_by_movsq, 4 << 20 },
        { "copy of 4 MiB, sse", copy_by_sse, 4 << 20 },
    };
    uint8_t *from = malloc(4 << 20), *to = malloc(4 << 20);

    ASSERT(from && to);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t least = UINT64_MAX;

        memset(from, 0x40 + (int)i, rows[i].bytes);
        rows[i].copy(to, from, rows[i].bytes);
        for (unsigned turn = 0; turn < COPY_TURNS; turn++) {
            uint64_t start = rdtsc(), ticks;

            rows[i].copy(to, from, rows[i].bytes);
            ticks = rdtsc() - start;
            least = ticks < least ? ticks : least;
        }
        print_row(rows[i].name, least, 1);
        EXPECT(memcmp(to, from, rows[i].bytes) == 0);
    }
    free(from);
    free(to);
}

/* --- the start -------------------------------------------------------------------------------- */

static void start_row(void)
{
    test_diag("entered at TSC %lu", entry_tsc);
    ASSERT(entry_tsc != 0 && ready_tsc - entry_tsc > waited_ticks);
    print_row("start of the test guest", ready_tsc - entry_tsc - waited_ticks, 1);
}

SUITE(rowswork, 97, SUITE_NAMED_ONLY | SUITE_ON_BARE, TEST_ON_BARE(calls), TEST_ON_BARE(computing),
      TEST_ON_BARE(copies), TEST_ON_BARE(start_row));
