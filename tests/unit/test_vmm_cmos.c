/* The vmm's CMOS clock, against the C library's calendar. */
#include "cmocka_main.h"
#include <time.h>
#include "guest-pv/vmm/platform/cmos.h"

static struct cmos cmos;

static int fresh(void **state)
{
    (void)state;
    cmos_init(&cmos);
    return 0;
}

static uint8_t get(unsigned index, uint64_t wall)
{
    cmos_write(&cmos, 0, (uint8_t)index);
    return cmos_read(&cmos, 1, wall);
}
static void put(unsigned index, uint8_t value)
{
    cmos_write(&cmos, 0, (uint8_t)index);
    cmos_write(&cmos, 1, value);
}
static int from_bcd(uint8_t value)
{
    assert_in_range(value & 15, 0, 9);
    assert_in_range(value >> 4, 0, 9);
    return (value >> 4) * 10 + (value & 15);
}

static void compare(uint64_t wall)
{
    time_t t = (time_t)wall;
    struct tm tm;

    gmtime_r(&t, &tm);
    assert_int_equal(from_bcd(get(0, wall)), tm.tm_sec);
    assert_int_equal(from_bcd(get(2, wall)), tm.tm_min);
    assert_int_equal(from_bcd(get(4, wall)), tm.tm_hour);
    assert_int_equal(get(6, wall), tm.tm_wday + 1);
    assert_int_equal(from_bcd(get(7, wall)), tm.tm_mday);
    assert_int_equal(from_bcd(get(8, wall)), tm.tm_mon + 1);
    assert_int_equal(from_bcd(get(9, wall)), tm.tm_year % 100);
    assert_int_equal(from_bcd(get(0x32, wall)), 19 + tm.tm_year / 100);
}

/* Each day until 2400, at changing times of the day. */
static void calendar(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 430ull * 366; day++)
        compare(day * 86400 + day * 7919 % 86400);
    compare(86399);
    compare(951782399);                 /* the ends of 28 and 29 February 2000 */
    compare(951868799);
    compare(946684799);                 /* and of 1999 */
}

static void the_rest(void **state)
{
    (void)state;
    assert_int_equal(get(10, 0), 0x26);
    assert_int_equal(get(11, 0), 0x02);
    assert_int_equal(get(12, 0), 0);
    assert_int_equal(get(13, 0), 0x80);
    assert_int_equal(cmos_read(&cmos, 0, 0), 0xff);
    for (unsigned index = 0; index < 128; index++)
        put(index, 0x55);
    assert_int_equal(get(0, 0), 0);
    assert_int_equal(get(11, 0), 0x02);
    assert_int_equal(get(13, 0), 0x80);
    assert_int_equal(get(14, 0), 0x55);
    assert_int_equal(get(0x32, 0), 0x19);
    assert_int_equal(get(0xff, 0), 0x55);           /* bit 7 is not of the index */
}

#define test(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = { test(calendar), test(the_rest) };

    return cmocka_run_group_tests_name("vmm_cmos", tests, NULL, NULL);
}
