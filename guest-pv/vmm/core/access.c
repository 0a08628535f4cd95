/* Accesses of guest-linear memory: see access.h. Most are found in the TLB; the rest walk the
 * tables by paging.c and fill it. */
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/paging.h"
#include "guest-pv/vmm/core/unaligned.h"

/* The CPU's own accesses have the supervisor's rights at any CPL. */
static struct tlb *tlb_of(struct cpu *c, unsigned how)
{
    return how & ACCESS_SYSTEM ? &c->tlbs[0] : c->tlb;
}

static unsigned left_in_page(uint64_t linear)
{
    return GUEST_PAGE - (unsigned)(linear % GUEST_PAGE);
}

static struct flagged_page *flagged_page(struct cpu *c, uint64_t linear)
{
    return &c->flagged[linear / GUEST_PAGE % FLAGGED_PAGES];
}

bool is_flagged_page(struct cpu *c, uint64_t linear)
{
    const struct flagged_page *p = flagged_page(c, linear);

    return p->linear == linear - linear % GUEST_PAGE && p->mapping == c->mapping &&
           frame_flags(&c->ram, p->frame) != 0;
}

/* The walk for a write, if it may not have been done. */
static bool walk_to_write(struct cpu *c, uint64_t linear, unsigned how, struct translation *t)
{
    const struct flagged_page *p = flagged_page(c, linear);

    if (!is_flagged_page(c, linear))
        return walk(c, linear, how, t);
    *t = (struct translation){ .frame = p->frame, .large = p->large };
    return true;
}

/* T2: a frame with flags is asked for again at each write. Absent memory is, too: what reads
 * through a write entry must not see what was written. */
static uint8_t *page_to_write(struct cpu *c, uint64_t linear, unsigned bytes, unsigned how,
                              const struct translation *t)
{
    uint8_t *page = frame_to_write(&c->ram, t->frame);

    if (frame_flags(&c->ram, t->frame) != 0) {
        if (!(how & ACCESS_SYSTEM))
            *flagged_page(c, linear) = (struct flagged_page){
                linear - linear % GUEST_PAGE, c->mapping, t->frame, t->large,
            };
        c->frame_written(c, t->frame * GUEST_PAGE + linear % GUEST_PAGE, bytes);
    }
    if (frame_is_ram(&c->ram, t->frame) && frame_flags(&c->ram, t->frame) == 0)
        tlb_fill(tlb_of(c, how), true, linear, page, t->large);
    return page;
}

/* After a miss. Fetches are not kept: the TLB does not know NX. */
static uint8_t *map_by_walk(struct cpu *c, uint64_t linear, unsigned bytes, unsigned how)
{
    struct translation t;
    uint8_t *page;

    if (!(how & ACCESS_WRITE ? walk_to_write : walk)(c, linear, how, &t))
        return NULL;
    c->counters.tlb_fills++;
    if (how & ACCESS_WRITE) {
        page = page_to_write(c, linear, bytes, how, &t);
    } else {
        page = frame_to_read(&c->ram, t.frame);
        if (!(how & ACCESS_FETCH))
            tlb_fill(tlb_of(c, how), false, linear, page, t.large);
    }
    return page + linear % GUEST_PAGE;
}

static inline uint8_t *map(struct cpu *c, uint64_t linear, unsigned bytes, unsigned how)
{
    struct tlb *tlb = tlb_of(c, how);
    uint8_t *at = NULL;

    if (!(how & ACCESS_FETCH))
        at = tlb_look_up(how & ACCESS_WRITE ? tlb->write : tlb->read, linear, bytes);
    return likely(at != NULL) ? at : map_by_walk(c, linear, bytes, how);
}

uint8_t *map_linear(struct cpu *c, uint64_t linear, unsigned bytes, unsigned how)
{
    return map(c, linear, MIN(bytes, left_in_page(linear)), how);
}

/* Numbers, descriptors and frames of exceptions: nearly all that is copied. */
static inline void copy(void *to, const void *from, unsigned bytes)
{
    if (bytes == 8)
        __builtin_memcpy(to, from, 8);
    else if (bytes == 16)
        __builtin_memcpy(to, from, 16);
    else if (bytes == 40)
        __builtin_memcpy(to, from, 40);
    else if (bytes == 48)
        __builtin_memcpy(to, from, 48);
    else
        memcpy(to, from, bytes);
}

/* Page by page; what is read before a fault has no effect but in the caller's buffer. */
static __attribute__((noinline)) bool read_by_pages(struct cpu *c, uint64_t linear, void *to,
                                                    unsigned bytes, unsigned how)
{
    while (bytes > 0) {
        unsigned n = MIN(bytes, left_in_page(linear));
        const uint8_t *from = map(c, linear, n, how);

        if (from == NULL)
            return false;
        memcpy(to, from, n);
        to = (uint8_t *)to + n;
        linear += n;
        bytes -= n;
    }
    return true;
}

bool read_linear(struct cpu *c, uint64_t linear, void *to, unsigned bytes, unsigned how)
{
    const uint8_t *at = NULL;

    if (!(how & ACCESS_FETCH) && bytes <= GUEST_PAGE)
        at = tlb_look_up(tlb_of(c, how)->read, linear, bytes);
    if (unlikely(at == NULL))
        return read_by_pages(c, linear, to, bytes, how);
    copy(to, at, bytes);
    return true;
}

/* Both pages are asked for before the first byte is written: what is written may be the tables that
 * lead to the second. */
static __attribute__((noinline)) bool write_by_pages(struct cpu *c, uint64_t linear,
                                                     const void *from, unsigned bytes, unsigned how)
{
    unsigned n = MIN(bytes, left_in_page(linear));
    uint8_t *first = map(c, linear, n, how | ACCESS_WRITE), *second = NULL;

    if (first == NULL)
        return false;
    if (unlikely(n < bytes)) {
        second = map(c, linear + n, bytes - n, how | ACCESS_WRITE);
        if (second == NULL)
            return false;
        memcpy(second, (const uint8_t *)from + n, bytes - n);
    }
    copy(first, from, n);
    return true;
}

bool write_linear(struct cpu *c, uint64_t linear, const void *from, unsigned bytes, unsigned how)
{
    uint8_t *at = bytes <= GUEST_PAGE ? tlb_look_up(tlb_of(c, how)->write, linear, bytes) : NULL;

    if (unlikely(at == NULL))
        return write_by_pages(c, linear, from, bytes, how);
    copy(at, from, bytes);
    return true;
}

bool read_number(struct cpu *c, uint64_t linear, unsigned bytes, uint64_t *value)
{
    const uint8_t *at = tlb_look_up(c->tlb->read, linear, bytes);
    uint64_t number = 0;

    if (likely(at != NULL)) {
        switch (bytes) {
        case 1:
            *value = *at;
            return true;
        case 2:
            *value = *(const u16_unaligned *)at;
            return true;
        case 4:
            *value = *(const u32_unaligned *)at;
            return true;
        default:
            *value = *(const u64_unaligned *)at;
            return true;
        }
    }
    if (!read_linear(c, linear, &number, bytes, ACCESS_READ))
        return false;
    *value = number;
    return true;
}

bool write_number(struct cpu *c, uint64_t linear, unsigned bytes, uint64_t value)
{
    uint8_t *at = tlb_look_up(c->tlb->write, linear, bytes);

    if (unlikely(at == NULL))
        return write_linear(c, linear, &value, bytes, ACCESS_WRITE);
    switch (bytes) {
    case 1:
        *at = (uint8_t)value;
        break;
    case 2:
        *(u16_unaligned *)at = (uint16_t)value;
        break;
    case 4:
        *(u32_unaligned *)at = (uint32_t)value;
        break;
    default:
        *(u64_unaligned *)at = value;
        break;
    }
    return true;
}

unsigned fetch_bytes(struct cpu *c, uint64_t rip, uint8_t *bytes)
{
    unsigned n = MIN(MAX_INSN, left_in_page(rip));
    struct cpu_fault kept = c->fault;

    if (!read_linear(c, rip, bytes, n, ACCESS_FETCH))
        return 0;
    if (n < MAX_INSN && read_linear(c, rip + n, bytes + n, MAX_INSN - n, ACCESS_FETCH))
        return MAX_INSN;
    c->fault = kept;
    return n;
}
