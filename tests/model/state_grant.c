/* Grant tables as a part of a state: the entries that the guests write, the pins, and the
 * handles with their free list. Left out: the generation of a handle, which only grows, and the
 * old contents of free pins and handles. */
#include <string.h>
#include "model.h"
#include "support.h"
#include "xen/pv/grant.h"
#include "xen/pv/hypercalls.h"

#define STATUS (GTF_reading | GTF_writing)

grant_ref_t ref_of(unsigned number)
{
    return GNTTAB_NR_RESERVED_ENTRIES + number;
}

static struct maptrack *maptrack_of(unsigned d, unsigned handle)
{
    return &domains[d]->grant->maptrack[0][handle];
}

/* Makes a handle and ends it, so that there is a page of handles while there is memory for it. */
static void handles_make(unsigned mapper)
{
    unsigned granter = 1 - mapper;
    struct gnttab_map_grant_ref *map = argument();
    struct gnttab_unmap_grant_ref *unmap = argument();
    uint32_t handle;

    HOST_CHECK(grant_reserve(domains[granter], ref_of(0), domains[mapper]->id,
                             domains[granter]->frames) == 0,
               "no entry");
    switch_to(mapper);
    map = argument();
    *map = (struct gnttab_map_grant_ref){ .flags = GNTMAP_device_map | GNTMAP_readonly,
                                          .ref = ref_of(0),
                                          .dom = domains[granter]->id };
    HOST_CHECK(do_grant_table_op(GNTTABOP_map_grant_ref, SCRATCH, 1) == 0 && map->status == 0,
               "no mapping");
    handle = map->handle;
    unmap = argument();
    *unmap = (struct gnttab_unmap_grant_ref){ .dev_bus_addr = (uint64_t)domains[granter]->frames
                                                              << PAGE_SHIFT,
                                              .handle = handle };
    HOST_CHECK(do_grant_table_op(GNTTABOP_unmap_grant_ref, SCRATCH, 1) == 0 && unmap->status == 0,
               "no unmapping");
    memset(grant_entry_v1_of(domains[granter]->grant, ref_of(0)), 0, sizeof(struct grant_entry_v1));
}

void grants_make(void)
{
    for (unsigned d = 0; d < 2; d++) {
        if (scope->second.handles[d] != 0)
            handles_make(d);
    }
    for (unsigned d = 0; d < 2 && scope->second.version == 2; d++) {
        switch_to(d);
        *(struct gnttab_set_version *)argument() = (struct gnttab_set_version){ .version = 2 };
        HOST_CHECK(do_grant_table_op(GNTTABOP_set_version, SCRATCH, 1) == 0, "no version 2");
    }
    switch_to(0);
}

/* --- Saved ------------------------------------------------------------------------------------ */

static uint8_t *save_entry(uint8_t *put, const struct grant_table *gt, unsigned number)
{
    const struct grant_pins *p = grant_pins_of(gt, ref_of(number));
    bool v1 = gt->version == 1;
    uint16_t flags = v1 ? grant_entry_v1_of(gt, ref_of(number))->flags
                        : grant_entry_v2_of(gt, ref_of(number))->hdr.flags;
    uint64_t frame = v1 ? grant_entry_v1_of(gt, ref_of(number))->frame
                        : grant_entry_v2_of(gt, ref_of(number))->full_page.frame;

    *put++ = (uint8_t)(flags & ~STATUS);
    *put++ =
        (uint8_t)(code_of((uint32_t)frame) | (p->readers | p->writers ? code_of(p->mfn) << 4 : 0));
    *put++ = (uint8_t)(p->readers | p->writers << 4);
    return put;
}

static uint8_t *save_handles(uint8_t *put, unsigned d, const struct renaming *r)
{
    unsigned nr = scope->second.handles[d], shift = 0;
    bool renamed = nr_renamings != 0 && scope->second.handles[0] == 0 && nr == MAX_HANDLES;
    uint32_t next = domains[d]->grant->free_maptrack;

    for (unsigned h = 0; h < nr; h++) {
        const struct maptrack *t = maptrack_of(d, renamed ? r->handle_at[h] : h);

        *put++ = (uint8_t)(t->flags == 0 ? 0 : t->flags | (t->ref - ref_of(0)) << 5);
    }
    if (nr == 0)
        return put;
    *put = 0;
    for (; next < nr; next = maptrack_of(d, next)->ref, shift += 4)
        *put |= (uint8_t)((renamed ? r->handle[next] + 1u : next + 1u) << shift);
    return put + 1;
}

uint8_t *grants_save(uint8_t *put, const struct renaming *r)
{
    for (unsigned d = 0; d < 2; d++)
        for (unsigned i = 0; i < scope->second.refs[d]; i++)
            put = save_entry(put, domains[d]->grant, i);
    for (unsigned d = 0; d < 2; d++)
        put = save_handles(put, d, r);
    return put;
}

/* The bits that say that an entry is in use: if the guest has overwritten them, a refused call
 * may set them again. */
uint8_t *grants_save_tail(uint8_t *put)
{
    for (unsigned d = 0; d < 2; d++)
        for (unsigned i = 0; i < scope->second.refs[d]; i++)
            *put++ = (uint8_t)(*grant_status_of(domains[d]->grant, ref_of(i)) & STATUS);
    return put;
}

uint32_t handle_key(unsigned handle)
{
    const struct maptrack *t = maptrack_of(1, handle);

    return t->flags == 0 ? 0 : t->flags | (t->ref - ref_of(0)) << 5;
}

/* --- Loaded ----------------------------------------------------------------------------------- */

static const uint8_t *load_entry(const uint8_t *b, unsigned d, unsigned number)
{
    struct grant_table *gt = domains[d]->grant;
    grant_ref_t ref = ref_of(number);
    unsigned readers = b[2] & 15, writers = b[2] >> 4;
    bool empty = b[0] == 0 && (b[1] & 15) == 0;
    domid_t domid = domains[1 - d]->id;

    *grant_pins_of(gt, ref) = (struct grant_pins){ 0 };
    if (readers | writers)
        *grant_pins_of(gt, ref) = (struct grant_pins){ .mfn = mfn_of(b[1] >> 4),
                                                       .domid = domid,
                                                       .length = PAGE_SIZE,
                                                       .readers = (uint16_t)readers,
                                                       .writers = (uint16_t)writers };
    gt->nr_pins += readers + writers;
    if (gt->version == 1) {
        *grant_entry_v1_of(gt, ref) = (struct grant_entry_v1){ .flags = b[0],
                                                               .domid = empty ? 0 : domid,
                                                               .frame = mfn_of(b[1] & 15) };
    } else {
        *grant_entry_v2_of(gt, ref) = (union grant_entry_v2){
            .full_page = { .hdr = { .flags = b[0], .domid = empty ? 0 : domid },
                           .frame = mfn_of(b[1] & 15) }
        };
        *grant_status_of(gt, ref) = 0;
    }
    return b + 3;
}

static const uint8_t *load_handles(const uint8_t *b, unsigned d)
{
    unsigned nr = scope->second.handles[d];
    uint32_t *link = &domains[d]->grant->free_maptrack;

    for (unsigned h = 0; h < nr; h++, b++) {
        *maptrack_of(d, h) = (struct maptrack){ 0 };
        if (*b != 0)
            *maptrack_of(d, h) = (struct maptrack){ .granter = domains[1 - d],
                                                    .ref = ref_of(*b >> 5),
                                                    .flags = *b & 31 };
    }
    if (nr == 0)
        return b;
    for (unsigned codes = *b; codes != 0; codes >>= 4) {
        *link = (codes & 15) - 1;
        link = &maptrack_of(d, *link)->ref;
    }
    *link = nr;
    return b + 1;
}

const uint8_t *grants_load(const uint8_t *b)
{
    for (unsigned d = 0; d < 2; d++) {
        domains[d]->grant->nr_pins = 0;
        for (unsigned i = 0; i < scope->second.refs[d]; i++)
            b = load_entry(b, d, i);
    }
    for (unsigned d = 0; d < 2; d++)
        b = load_handles(b, d);
    return b;
}

const uint8_t *grants_load_tail(const uint8_t *b)
{
    for (unsigned d = 0; d < 2; d++)
        for (unsigned i = 0; i < scope->second.refs[d]; i++)
            *grant_status_of(domains[d]->grant, ref_of(i)) |= *b++;
    return b;
}
