/* Two 8259A interrupt controllers as a PC has them: the second's output is input 2 of the first.
 * Requests are edges. Power-on leaves every input masked, so that nothing arrives before the guest
 * has said where its vectors are. Names of words and bits: Intel's 8259A data sheet.
 *
 * P1: a bit of irr is an edge that has not been acknowledged; a line's fall does not take it back.
 * P2: line 2 of chip 0 is chip 1's output, after each function here. */
#ifndef VMM_PLATFORM_PIC_H
#define VMM_PLATFORM_PIC_H

#include <stdbool.h>
#include <stdint.h>

struct pic_chip {
    uint8_t irr, isr, imr;
    uint8_t lines;              /* as they are now, to see edges */
    uint8_t base;               /* the vector of input 0 */
    uint8_t lowest;             /* the input of the lowest priority; the next one has the highest */
    uint8_t icw;                /* the initialization word that comes next, 0: none */
    bool icw3, icw4;            /* ICW1 says that these come */
    bool auto_eoi, auto_rotate, special_mask, special_nested;
    bool read_isr, poll;        /* what the next read of the command port gives */
};
struct pic {
    struct pic_chip chip[2];
};

void pic_init(struct pic *p);
void pic_set_line(struct pic *p, unsigned irq, bool high); /* 0 to 15, without 2 */

/* reg 0: the command port (20h, A0h), 1: the data port. */
uint8_t pic_read(struct pic *p, unsigned chip, unsigned reg);
void pic_write(struct pic *p, unsigned chip, unsigned reg, uint8_t value);

bool pic_output(const struct pic *p);
/* Quick, for those who only have to know when it is surely not: then there is no output. */
static inline bool pic_is_asking(const struct pic *p)
{
    return (p->chip[0].irr & ~p->chip[0].imr) != 0;
}
/* The vector; a spurious one (input 7) when there is no request. */
uint8_t pic_acknowledge(struct pic *p);

#endif
