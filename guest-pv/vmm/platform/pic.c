/* The 8259A pair: see pic.h. Level-triggered inputs and 8080 mode are not here; what asks for them
 * is swallowed. */
#include "guest-pv/vmm/platform/pic.h"

#define CASCADE 2
#define NONE 8

enum { ICW1_ICW4 = 0x01, ICW1_SINGLE = 0x02, ICW1 = 0x10 };
enum { ICW4_AUTO_EOI = 0x02, ICW4_NESTED = 0x10 };
enum { OCW3 = 0x08, OCW3_ISR = 0x01, OCW3_READ = 0x02, OCW3_POLL = 0x04, OCW3_SMM = 0x20,
       OCW3_SET_SMM = 0x40 };

/* Of the inputs in set the one of the highest priority, or NONE. The run loop asks often, and
 * nearly always there is none. */
static unsigned highest(const struct pic_chip *c, uint8_t set)
{
    unsigned first = (c->lowest + 1u) & 7, twice = set | (unsigned)set << 8;

    return set == 0 ? NONE : (first + (unsigned)__builtin_ctz(twice >> first)) & 7;
}

static unsigned rank(const struct pic_chip *c, unsigned input)
{
    return input == NONE ? 8 : (input - c->lowest - 1) & 7;
}

/* The input whose request goes to the CPU (or to the first chip) now, or NONE. A request waits for
 * the service of its own priority and of higher ones. Special fully nested mode lets the second
 * chip ask again while its last request is served. */
static unsigned request(const struct pic_chip *c, bool first)
{
    uint8_t serving = c->isr;
    unsigned input = highest(c, c->irr & ~c->imr);

    if (input == NONE)
        return NONE;
    if (c->special_mask)
        serving &= ~c->imr;
    if (first && c->special_nested && input == CASCADE)
        serving &= ~(1u << CASCADE);
    return rank(c, input) < rank(c, highest(c, serving)) ? input : NONE;
}

static void set_input(struct pic_chip *c, unsigned input, bool high)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (high && !(c->lines & bit))
        c->irr |= bit;
    c->lines = high ? c->lines | bit : c->lines & ~bit;
}

/* P2 */
static void update_cascade(struct pic *p)
{
    set_input(&p->chip[0], CASCADE, request(&p->chip[1], false) != NONE);
}

void pic_init(struct pic *p)
{
    *p = (struct pic){ .chip = { { .imr = 0xff, .lowest = 7 }, { .imr = 0xff, .lowest = 7 } } };
}

void pic_set_line(struct pic *p, unsigned irq, bool high)
{
    set_input(&p->chip[irq >> 3 & 1], irq & 7, high);
    update_cascade(p);
}

bool pic_output(const struct pic *p)
{
    return request(&p->chip[0], true) != NONE;
}

static void end_of_interrupt(struct pic_chip *c, unsigned input, bool rotate)
{
    if (input == NONE)
        return;
    c->isr &= ~(1u << input);
    if (rotate)
        c->lowest = (uint8_t)input;
}

/* The input that is being served from now on, or NONE. */
static unsigned serve(struct pic_chip *c, bool first)
{
    unsigned input = request(c, first);

    if (input == NONE)
        return NONE;
    c->irr &= ~(1u << input);
    c->isr |= 1u << input;
    if (c->auto_eoi)
        end_of_interrupt(c, input, c->auto_rotate);
    return input;
}

/* During the acknowledgement the second chip's output is low: a request that follows is an edge. */
static uint8_t acknowledge_second(struct pic *p)
{
    struct pic_chip *c = &p->chip[1];
    unsigned input = serve(c, false);

    set_input(&p->chip[0], CASCADE, false);
    update_cascade(p);
    return c->base + (input == NONE ? 7 : input);
}

uint8_t pic_acknowledge(struct pic *p)
{
    unsigned input = serve(&p->chip[0], true);

    if (input == CASCADE)
        return acknowledge_second(p);
    return p->chip[0].base + (input == NONE ? 7 : input);
}

static void write_icw1(struct pic_chip *c, uint8_t value)
{
    uint8_t lines = c->lines, base = c->base;

    *c = (struct pic_chip){
        .lines = lines, .base = base, .lowest = 7, .icw = 2,
        .icw3 = !(value & ICW1_SINGLE), .icw4 = value & ICW1_ICW4,
    };
}

/* ICW3 says what is wired where, which is known. */
static void write_icw(struct pic_chip *c, uint8_t value)
{
    if (c->icw == 2) {
        c->base = value & 0xf8;
        c->icw = c->icw3 ? 3 : c->icw4 ? 4 : 0;
    } else if (c->icw == 3) {
        c->icw = c->icw4 ? 4 : 0;
    } else {
        c->auto_eoi = value & ICW4_AUTO_EOI;
        c->special_nested = value & ICW4_NESTED;
        c->icw = 0;
    }
}

/* The operations of OCW2, by its bits 5 to 7: rotate, specific, EOI. */
static void write_ocw2(struct pic_chip *c, uint8_t value)
{
    unsigned input = value & 7;

    switch (value >> 5) {
    case 0:
    case 4:
        c->auto_rotate = value >> 7;
        break;
    case 1:
    case 5:
        end_of_interrupt(c, highest(c, c->special_mask ? c->isr & ~c->imr : c->isr), value >> 7);
        break;
    case 3:
    case 7:
        end_of_interrupt(c, input, value >> 7);
        break;
    case 6:
        c->lowest = (uint8_t)input;
        break;
    }
}

static void write_ocw3(struct pic_chip *c, uint8_t value)
{
    c->poll = value & OCW3_POLL;
    if (value & OCW3_READ)
        c->read_isr = value & OCW3_ISR;
    if (value & OCW3_SET_SMM)
        c->special_mask = value & OCW3_SMM;
}

void pic_write(struct pic *p, unsigned chip, unsigned reg, uint8_t value)
{
    struct pic_chip *c = &p->chip[chip];

    if (reg == 0 && value & ICW1)
        write_icw1(c, value);
    else if (reg == 0 && value & OCW3)
        write_ocw3(c, value);
    else if (reg == 0)
        write_ocw2(c, value);
    else if (c->icw)
        write_icw(c, value);
    else
        c->imr = value;
    update_cascade(p);
}

static uint8_t poll_chip(struct pic *p, unsigned chip)
{
    unsigned input = serve(&p->chip[chip], chip == 0);

    p->chip[chip].poll = false;
    update_cascade(p);
    return input == NONE ? 0 : 0x80 | input;
}

uint8_t pic_read(struct pic *p, unsigned chip, unsigned reg)
{
    struct pic_chip *c = &p->chip[chip];

    if (c->poll)
        return poll_chip(p, chip);
    if (reg == 1)
        return c->imr;
    return c->read_isr ? c->isr : c->irr;
}
