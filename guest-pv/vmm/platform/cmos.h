/* A CMOS clock, MC146818A: time of day from the host, BCD, 24 hours, always valid and never
 * updating while it is read. It raises no interrupt. Of what is written only the index and the RAM
 * behind the clock's registers are kept. */
#ifndef VMM_PLATFORM_CMOS_H
#define VMM_PLATFORM_CMOS_H

#include <stdint.h>

struct cmos {
    uint8_t index;
    uint8_t ram[128];
};

void cmos_init(struct cmos *c);
uint8_t cmos_read(const struct cmos *c, unsigned reg, uint64_t wall_seconds);
void cmos_write(struct cmos *c, unsigned reg, uint8_t value); /* 0: port 70h, 1: port 71h */

#endif
