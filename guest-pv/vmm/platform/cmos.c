/* The CMOS clock: see cmos.h. */
#include "guest-pv/vmm/platform/cmos.h"

enum { REG_SECONDS = 0, REG_MINUTES = 2, REG_HOURS = 4, REG_WEEKDAY = 6, REG_DAY = 7, REG_MONTH = 8,
       REG_YEAR = 9, REG_A = 10, REG_B = 11, REG_C = 12, REG_D = 13, REG_RAM = 14,
       REG_CENTURY = 0x32 };
enum { A_RATE = 0x26, B_24_HOURS = 0x02, D_VALID = 0x80 };

struct date {
    unsigned year, month, day;          /* month and day from 1 */
};

/* The calendar repeats each 400 years, and a year that begins in March has its odd day at its end:
 * day d of such a year is in month (5 d + 2) / 153. */
static struct date date_of(uint64_t days_since_1970)
{
    uint64_t days = days_since_1970 + 719468, era = days / 146097;
    unsigned of_era = (unsigned)(days % 146097);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153;

    return (struct date){
        .year = (unsigned)(era * 400 + year + (month >= 10)),
        .month = month < 10 ? month + 3 : month - 9,
        .day = of_year - (153 * month + 2) / 5 + 1,
    };
}

static uint8_t bcd(unsigned n)
{
    return (uint8_t)(n / 10 % 10 << 4 | n % 10);
}

static uint8_t read_register(const struct cmos *c, unsigned index, uint64_t wall)
{
    unsigned second = (unsigned)(wall % 86400);
    struct date date = date_of(wall / 86400);

    switch (index) {
    case REG_SECONDS:
        return bcd(second % 60);
    case REG_MINUTES:
        return bcd(second / 60 % 60);
    case REG_HOURS:
        return bcd(second / 3600);
    case REG_WEEKDAY:                   /* 1 is Sunday; 1970 began on a Thursday */
        return (uint8_t)((wall / 86400 + 4) % 7 + 1);
    case REG_DAY:
        return bcd(date.day);
    case REG_MONTH:
        return bcd(date.month);
    case REG_YEAR:
        return bcd(date.year % 100);
    case REG_CENTURY:
        return bcd(date.year / 100);
    default:
        return c->ram[index];
    }
}

void cmos_init(struct cmos *c)
{
    *c = (struct cmos){ .ram = { [REG_A] = A_RATE, [REG_B] = B_24_HOURS, [REG_D] = D_VALID } };
}

/* Port 70h is write-only. */
uint8_t cmos_read(const struct cmos *c, unsigned reg, uint64_t wall_seconds)
{
    return reg == 0 ? 0xff : read_register(c, c->index, wall_seconds);
}

/* Bit 7 of the index masks NMI, which nothing here raises. */
void cmos_write(struct cmos *c, unsigned reg, uint8_t value)
{
    if (reg == 0)
        c->index = value & 0x7f;
    else if (c->index >= REG_RAM)
        c->ram[c->index] = value;
}
