/* The 8254: see pit.h. */
#include "common/compiler.h"
#include "guest-pv/vmm/platform/pit.h"

#define NEVER UINT64_MAX
#define REFRESH_TICKS 18                /* of memory, each 15 us: bit 4 of port 61h */

enum { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };
enum { PORT61_GATE = 0x01, PORT61_KEPT = 0x0f, PORT61_REFRESH = 0x10, PORT61_OUTPUT = 0x20 };
enum { READ_BACK_NO_COUNT = 0x20, READ_BACK_NO_STATUS = 0x10 };
enum { STATUS_OUTPUT = 0x80, STATUS_NULL_COUNT = 0x40 };

/* Whole seconds apart from the rest, so that no product is too large. */
static uint64_t ticks_of(const struct pit *p, uint64_t tsc)
{
    return tsc / p->tsc_hz * PIT_HZ + tsc % p->tsc_hz * PIT_HZ / p->tsc_hz;
}
/* The first TSC at which that many ticks have gone by. */
static uint64_t tsc_of(const struct pit *p, uint64_t ticks)
{
    return ticks / PIT_HZ * p->tsc_hz + (ticks % PIT_HZ * p->tsc_hz + PIT_HZ - 1) / PIT_HZ;
}

static uint64_t elapsed(const struct pit *p, const struct pit_channel *c, uint64_t now)
{
    return c->running ? ticks_of(p, now - c->start) : c->elapsed;
}

static bool periodic(const struct pit_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}
static bool by_gate(const struct pit_channel *c)
{
    return c->mode == 1 || c->mode == 5;
}

static uint16_t counter(const struct pit_channel *c, uint64_t e)
{
    if (c->mode == 2)
        return (uint16_t)(c->count - e % c->count);
    if (c->mode == 3)
        return (uint16_t)(c->count - 2 * e % c->count);
    return (uint16_t)(c->count - e);
}

static bool output(const struct pit_channel *c, uint64_t e)
{
    bool begun = c->loaded && (c->running || e > 0);

    switch (c->mode) {
    case 0:
        return begun && e >= c->count;
    case 1:
        return !begun || e >= c->count;
    case 2:
        return !begun || e % c->count != c->count - 1;
    case 3:
        return !begun || e % c->count < (c->count + 1) / 2;
    default:
        return !begun || e != c->count;
    }
}

/* The tick of the output's first rise; a periodic one has more, at its multiples. */
static uint64_t first_rise(const struct pit_channel *c)
{
    return c->mode >= 4 ? c->count + 1ull : c->count;
}
static uint64_t rises(const struct pit_channel *c, uint64_t e)
{
    if (periodic(c))
        return e / c->count;
    return e >= first_rise(c);
}

static void begin(struct pit_channel *c, bool run, uint64_t now)
{
    c->running = run;
    c->start = now;
    c->elapsed = c->edges = 0;
}

static void set_gate(struct pit *p, struct pit_channel *c, bool gate, uint64_t now)
{
    uint64_t e = elapsed(p, c, now);

    if (gate == c->gate)
        return;
    c->gate = gate;
    if (!c->loaded)
        return;
    if (periodic(c)) {
        begin(c, gate, now);
    } else if (by_gate(c)) {
        if (gate)
            begin(c, true, now);
    } else {
        c->running = gate;
        c->elapsed = e;
        c->start = now - tsc_of(p, e);
    }
}

static void set_count(struct pit_channel *c, uint16_t value, uint64_t now)
{
    c->count = value ? value : 0x10000;
    c->loaded = true;
    begin(c, c->gate && !by_gate(c), now);
}

/* In mode 0 the first of two bytes stops the counter. */
static void write_count(struct pit_channel *c, uint8_t value, uint64_t now)
{
    if (c->access != ACCESS_BOTH) {
        set_count(c, c->access == ACCESS_HIGH ? (uint16_t)(value << 8) : value, now);
    } else if (c->high_next_write) {
        c->high_next_write = false;
        set_count(c, (uint16_t)(value << 8 | c->low), now);
    } else {
        c->low = value;
        c->high_next_write = true;
        if (c->mode == 0) {
            c->loaded = false;
            begin(c, false, now);
        }
    }
}

static void latch_count(const struct pit *p, struct pit_channel *c, uint64_t now)
{
    if (c->count_latched)
        return;
    c->latch = counter(c, elapsed(p, c, now));
    c->count_latched = true;
}
static void latch_status(const struct pit *p, struct pit_channel *c, uint64_t now)
{
    if (c->status_latched)
        return;
    c->status = (uint8_t)(c->access << 4 | c->mode << 1 | (c->loaded ? 0 : STATUS_NULL_COUNT) |
                          (output(c, elapsed(p, c, now)) ? STATUS_OUTPUT : 0));
    c->status_latched = true;
}

static void read_back(struct pit *p, uint8_t value, uint64_t now)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!(value >> (i + 1) & 1))
            continue;
        if (!(value & READ_BACK_NO_COUNT))
            latch_count(p, &p->channel[i], now);
        if (!(value & READ_BACK_NO_STATUS))
            latch_status(p, &p->channel[i], now);
    }
}

/* Modes 6 and 7 are 2 and 3. */
static void write_control(struct pit *p, uint8_t value, uint64_t now)
{
    unsigned mode = value >> 1 & 7, number = value >> 6;
    struct pit_channel *c = &p->channel[number % 3];

    if (number == 3) {
        read_back(p, value, now);
    } else if ((value >> 4 & 3) == ACCESS_LATCH) {
        latch_count(p, c, now);
    } else {
        *c = (struct pit_channel){
            .mode = (uint8_t)(mode > 5 ? mode & 3 : mode), .access = value >> 4 & 3,
            .gate = c->gate, .count = c->count, .start = now,
        };
    }
}

void pit_init(struct pit *p, uint64_t tsc_hz)
{
    *p = (struct pit){ .tsc_hz = tsc_hz };
    for (unsigned i = 0; i < 3; i++)
        p->channel[i] = (struct pit_channel){
            .mode = 3, .access = ACCESS_BOTH, .count = 0x10000, .gate = i != 2,
        };
}

void pit_write(struct pit *p, unsigned reg, uint8_t value, uint64_t now)
{
    if (reg == 3)
        write_control(p, value, now);
    else
        write_count(&p->channel[reg], value, now);
}

/* With both bytes selected, the low one and the high one in turn. */
static uint8_t read_count(struct pit_channel *c, uint16_t value)
{
    bool high = c->access == ACCESS_HIGH || c->high_next_read;

    if (c->access == ACCESS_BOTH)
        c->high_next_read = !c->high_next_read;
    if (!c->high_next_read)
        c->count_latched = false;
    return (uint8_t)(high ? value >> 8 : value);
}

uint8_t pit_read(struct pit *p, unsigned reg, uint64_t now)
{
    struct pit_channel *c;

    if (reg == 3)
        return 0xff;
    c = &p->channel[reg];
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    return read_count(c, c->count_latched ? c->latch : counter(c, elapsed(p, c, now)));
}

uint8_t pit_read61(struct pit *p, uint64_t now)
{
    return (uint8_t)(p->port61 | (ticks_of(p, now) / REFRESH_TICKS % 2 ? PORT61_REFRESH : 0) |
                     (pit_output(p, 2, now) ? PORT61_OUTPUT : 0));
}
void pit_write61(struct pit *p, uint8_t value, uint64_t now)
{
    p->port61 = value & PORT61_KEPT;
    set_gate(p, &p->channel[2], value & PORT61_GATE, now);
}

bool pit_output(const struct pit *p, unsigned channel, uint64_t now)
{
    return output(&p->channel[channel], elapsed(p, &p->channel[channel], now));
}

bool pit_edge(struct pit *p, uint64_t now)
{
    struct pit_channel *c = &p->channel[0];
    uint64_t n = c->running ? rises(c, elapsed(p, c, now)) : 0;
    bool risen = n > c->edges;

    if (risen)
        c->edges = n;
    return risen;
}

uint64_t pit_deadline(const struct pit *p)
{
    const struct pit_channel *c = &p->channel[0];

    if (!c->running || (c->edges && !periodic(c)))
        return NEVER;
    return c->start + tsc_of(p, (c->edges + 1) * first_rise(c));
}
