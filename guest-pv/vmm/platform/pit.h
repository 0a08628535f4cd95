/* An 8254 timer: channel 0 is interrupt 0, channel 1 nothing, channel 2 the speaker's, with gate
 * and output in port 61h. Nothing counts: what a counter holds is computed from the TSC when
 * somebody asks. Counting is binary, whatever the guest says. A count written while the last one
 * still runs starts at once in each mode. Names: Intel's 8254 data sheet.
 *
 * T1: while `running`, a channel began to count at TSC `start`; else `elapsed` ticks have gone by.
 * T2: `edges` rising edges of the output since then have been reported. */
#ifndef VMM_PLATFORM_PIT_H
#define VMM_PLATFORM_PIT_H

#include <stdbool.h>
#include <stdint.h>

#define PIT_HZ 1193182u

struct pit_channel {
    uint8_t mode;               /* 0 to 5 */
    uint8_t access;             /* of the control word: 1 low byte, 2 high byte, 3 both */
    uint8_t low;                /* the first of two bytes that were written */
    bool high_next_write, high_next_read;
    bool loaded;                /* a count was written since the control word */
    bool gate, running;
    uint32_t count;             /* 1 to 65536 */
    uint64_t start, elapsed, edges;
    bool count_latched, status_latched;
    uint16_t latch;
    uint8_t status;
};
struct pit {
    uint64_t tsc_hz;
    struct pit_channel channel[3];
    uint8_t port61;             /* bits 0 to 3, as written */
};

void pit_init(struct pit *p, uint64_t tsc_hz);
/* reg: 0 to 2 the channels, 3 the control word; now: the TSC. */
uint8_t pit_read(struct pit *p, unsigned reg, uint64_t now);
void pit_write(struct pit *p, unsigned reg, uint8_t value, uint64_t now);
uint8_t pit_read61(struct pit *p, uint64_t now);
void pit_write61(struct pit *p, uint8_t value, uint64_t now);

bool pit_output(const struct pit *p, unsigned channel, uint64_t now);
/* Has channel 0's output risen since the last call? However often it has, the answer is one. */
bool pit_edge(struct pit *p, uint64_t now);
uint64_t pit_deadline(const struct pit *p); /* the TSC of the next such edge; UINT64_MAX: none */

#endif
