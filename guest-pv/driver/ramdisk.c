/* RAM disks: finding them in the module, and their requests, which are copies between the disk's
 * memory and granted pages: nothing is mapped. Called by main.c and, through struct disk, by
 * blk_ring.c and vbd.c. */
#include <stdio.h>
#include <string.h>
#include "ramdisk.h"

#define PAGE 4096u
#define MAX_COPIES (2 * MAX_SEGMENTS)   /* a part may lie in two pages of the disk */
#define CLEAR_SECTORS 2048u             /* of a discard in one turn: 1 MiB */

/* --- Requests --------------------------------------------------------------------------------- */

/* One copy of at most `bytes` from or to the place `at` of the disk, up to the end of its page. */
static unsigned add_copy(struct gnttab_copy *op, const struct disk_request *r, const uint8_t *at,
                         const struct disk_part *part, unsigned done)
{
    unsigned offset = (uintptr_t)at % PAGE, n = part->bytes - done;
    struct gnttab_copy_ptr disk = {
        .u.gmfn = driver_host->frame(at), .domid = DOMID_SELF, .offset = offset,
    };
    struct gnttab_copy_ptr guest = {
        .u.ref = part->ref, .domid = r->domid, .offset = part->offset + done,
    };
    bool read = r->op == DISK_READ;

    if (n > PAGE - offset)
        n = PAGE - offset;
    *op = (struct gnttab_copy){
        .source = read ? disk : guest,
        .dest = read ? guest : disk,
        .len = n,
        .flags = read ? GNTCOPY_dest_gref : GNTCOPY_source_gref,
        .status = GNTST_general_error,
    };
    return n;
}

static uint8_t *place_of(const struct disk *d, const struct disk_request *r)
{
    return (uint8_t *)d->bytes + r->sector * SECTOR_BYTES;
}

/* What is discarded becomes zeroes, a part in each turn. */
static bool ramdisk_serve(struct disk *d)
{
    struct disk_request *r = d->discards;
    uint64_t n;

    if (r == NULL)
        return false;
    n = r->nr_sectors < CLEAR_SECTORS ? r->nr_sectors : CLEAR_SECTORS;
    memset(place_of(d, r), 0, n * SECTOR_BYTES);
    r->sector += n;
    r->nr_sectors -= n;
    if (r->nr_sectors == 0) {
        d->discards = r->next;
        r->done(r, true);
    }
    return d->discards != NULL;
}

/* Discards that were started since then are to be served as soon as the rings have been. */
static bool ramdisk_wait(struct disk *d)
{
    return d->discards == NULL;
}

static void transfer(const struct disk *d, struct disk_request *r)
{
    struct gnttab_copy ops[MAX_COPIES];
    uint8_t *at = place_of(d, r);
    unsigned n = 0;
    bool good = true;

    for (unsigned i = 0; i < r->nr_parts; i++)
        for (unsigned done = 0; done < r->part[i].bytes;) {
            unsigned bytes = add_copy(&ops[n++], r, at, &r->part[i], done);

            done += bytes;
            at += bytes;
        }
    if (n != 0)
        driver_host->copy(ops, n);
    for (unsigned i = 0; i < n; i++)
        good &= ops[i].status == GNTST_okay;
    r->done(r, good);
}

static void ramdisk_start(struct disk *d, struct disk_request *r)
{
    if (r->op != DISK_DISCARD) {
        transfer(d, r);
        return;
    }
    r->next = d->discards;
    d->discards = r;
}

/* --- Finding ---------------------------------------------------------------------------------- */

static void make_disk(struct disk *d, unsigned number, void *bytes, size_t len)
{
    memset(d, 0, sizeof(*d));
    snprintf(d->name, sizeof(d->name), "ram%u", number);
    d->nr_sectors = len / SECTOR_BYTES;
    d->can_flush = true;                /* at once */
    d->can_discard = true;
    d->discard_granularity = PAGE;
    d->max_parts = MAX_SEGMENTS;
    d->start = ramdisk_start;
    d->serve = ramdisk_serve;
    d->wait = ramdisk_wait;
    d->bytes = bytes;
}

/* cpio's "new" format: a header of 110 characters, of which eight are a number in hexadecimal each;
 * the name, the data; both padded to multiples of 4 from the archive's start. */
#define NEWC_HEADER 110u
#define NEWC_SIZE 54u
#define NEWC_NAME 94u

static bool hex8(const char *at, size_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < 8; i++) {
        char c = at[i];
        unsigned digit = c >= '0' && c <= '9' ? c - '0'
                         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;

        if (digit == 16)
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

static bool is_newc(const char *at, size_t bytes)
{
    return bytes >= NEWC_HEADER && memcmp(at, "070701", 6) == 0;
}

static size_t align4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* The place and length of the data of the file whose header is at `at`; false: damaged, or the last
 * one. */
static bool newc_file(const char *module, size_t bytes, size_t at, size_t *data, size_t *len)
{
    static const char last[] = "TRAILER!!!";
    size_t name;

    if (at > bytes || !is_newc(module + at, bytes - at) || !hex8(module + at + NEWC_SIZE, len) ||
        !hex8(module + at + NEWC_NAME, &name))
        return false;
    *data = align4(at + NEWC_HEADER + name);
    if (*data > bytes || *len > bytes - *data)
        return false;
    return name != sizeof(last) || memcmp(module + at + NEWC_HEADER, last, sizeof(last)) != 0;
}

unsigned ramdisk_find(struct disk *disks, unsigned max, void *module, size_t bytes)
{
    size_t at = 0, data, len;
    unsigned n = 0;

    if (!is_newc(module, bytes)) {
        if (bytes < SECTOR_BYTES || max == 0)
            return 0;
        make_disk(&disks[0], 0, module, bytes);
        return 1;
    }
    while (n < max && newc_file(module, bytes, at, &data, &len)) {
        if (len >= SECTOR_BYTES) {              /* directories and such have no data */
            make_disk(&disks[n], n, (char *)module + data, len);
            n++;
        }
        at = align4(data + len);
    }
    return n;
}
