/* common/string.c and common/printf.c against the C library. In this program they carry the prefix
 * hv_. */
#include "cmocka_main.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *hv_memcpy(void *dst, const void *src, size_t n);
void *hv_memmove(void *dst, const void *src, size_t n);
void *hv_memset(void *dst, int c, size_t n);
int hv_memcmp(const void *a, const void *b, size_t n);
size_t hv_strlen(const char *s);
int hv_strcmp(const char *a, const char *b);
int hv_strncmp(const char *a, const char *b, size_t n);
char *hv_strchr(const char *s, int c);
int hv_snprintf(char *buf, size_t size, const char *fmt, ...);
bool copy_string(char *dst, const char *src, size_t size);
uint64_t parse_number(const char *s, const char **end);
uint64_t parse_size(const char *s, const char **end);

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void moves_bytes(void **state)
{
    uint8_t a[96], b[96], src[96];

    (void)state;
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned from = (unsigned)rand() % 40, to = (unsigned)rand() % 40,
            n = (unsigned)rand() % 56;

        for (unsigned i = 0; i < sizeof(a); i++)
            a[i] = b[i] = src[i] = (uint8_t)rand();
        switch (round % 3) {
        case 0:
            hv_memmove(a + to, a + from, n), memmove(b + to, b + from, n);
            break;
        case 1:
            hv_memcpy(a + to, src + from, n), memcpy(b + to, src + from, n);
            break;
        default:
            hv_memset(a + to, (int)from + 0x700, n), memset(b + to, (int)from + 0x700, n);
        }
        assert_memory_equal(a, b, sizeof(a));
        b[to] = (uint8_t)(b[to] + round % 3);
        assert_int_equal(sign(hv_memcmp(a, b, 60)), sign(memcmp(a, b, 60)));
    }
}

static void compares_strings(void **state)
{
    static const char *const s[] = { "", "a", "ab", "abc", "abd", "b", "\xff", "abc\x80" };

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(hv_strlen(s[i]), strlen(s[i]));
        assert_ptr_equal(hv_strchr(s[i], 'b'), strchr(s[i], 'b'));
        assert_ptr_equal(hv_strchr(s[i], 0), strchr(s[i], 0));
        for (unsigned j = 0; j < 8; j++) {
            assert_int_equal(sign(hv_strcmp(s[i], s[j])), sign(strcmp(s[i], s[j])));
            for (size_t n = 0; n < 5; n++)
                assert_int_equal(sign(hv_strncmp(s[i], s[j], n)), sign(strncmp(s[i], s[j], n)));
        }
    }
}

static void copies_within_bounds(void **state)
{
    char *buf = malloc(4);

    (void)state;
    assert_true(copy_string(buf, "abc", 4));
    assert_string_equal(buf, "abc");
    assert_false(copy_string(buf, "abcd", 4));
    assert_string_equal(buf, "abc");
    assert_false(copy_string(buf, "x", 1));
    assert_string_equal(buf, "");
    free(buf);
}

static void parses_numbers(void **state)
{
    static const struct { const char *text; uint64_t value; int used; bool size; } table[] = {
        { "0", 0, 1, false },
        { "42x", 42, 2, false },
        { "0x1F", 31, 4, false },
        { "x", 0, 0, false },
        { "", 0, 0, false },
        { "18446744073709551615", UINT64_MAX, 20, false },
        { "18446744073709551616", 0, 0, false },
        { "0xffffffffffffffff", UINT64_MAX, 18, false },
        { "0x10000000000000000", 0, 0, false },
        { "64M", 64ull << 20, 3, true },
        { "1g", 1ull << 30, 2, true },
        { "7k", 7 << 10, 2, true },
        { "9B", 9, 2, true },
        { "2T", 2ull << 40, 2, true },
        { "5", 5 << 10, 1, true },
        { "99999999999999999G", 0, 0, true },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *end;
        uint64_t v = table[i].size ? parse_size(table[i].text, &end)
            : parse_number(table[i].text, &end);

        if (end - table[i].text != table[i].used || (table[i].used && v != table[i].value))
            fail_msg("\"%s\" gave %lu, %td characters", table[i].text, v, end - table[i].text);
    }
}

/* Both functions get the same variable arguments. */
#define SAME(size, ...)                                                         \
    do {                                                                        \
        char *mine = malloc(size), *theirs = malloc(size);                      \
        int n = hv_snprintf(mine, size, __VA_ARGS__), m = snprintf(theirs, size, __VA_ARGS__);  \
        assert_int_equal(n, m);                                                 \
        if ((size) > 0)                                                         \
            assert_string_equal(mine, theirs);                                  \
        free(mine), free(theirs);                                               \
    } while (0)

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-truncation"
static void formats_like_libc(void **state)
{
    static const long values[] = { 0, 1, -1, 9, 10, 255, 0x7fffffff, LONG_MIN, LONG_MAX, -4096 };

    (void)state;
    for (size_t size = 1; size < 40; size += 6) {
        for (unsigned i = 0; i < 10; i++) {
            long v = values[i];

            SAME(size, "%ld|%5ld|%-7ld|%07ld|%+ld|% ld", v, v, v, v, v, v);
            SAME(size, "%lx|%#lx|%016lx|%lX|%lo|%lu", v, v, v, v, v, v);
            SAME(size, "%d %i %u %x", (int)v, (int)v, (int)v, (int)v);
            SAME(size, "%hhd %hu %hhx %zu %zd %td", (int)v, (int)v, (int)v, v, v, v);
            SAME(size, "%.3ld|%8.4lx|%-8.4ld|%*ld|%-*ld", v, v, v, 9, v, 9, v);
        }
        SAME(size, "%s|%10s|%-10s|%.2s|%.*s|%c%%", "hello", "abc", "abc", "truncate", 3, "abcdef",
             'z');
    }
    SAME(64, "%p", (void *)0x1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_bytes), cmocka_unit_test(compares_strings),
        cmocka_unit_test(copies_within_bounds), cmocka_unit_test(parses_numbers),
        cmocka_unit_test(formats_like_libc),
    };

    return cmocka_run_group_tests_name("common", tests, NULL, NULL);
}
