/* Makes the guest's machine: its RAM out of the frames that the domain has left, the CPU, the
 * platform, and in it the kernel and ramdisk that the domain was given as modules behind the vmm's
 * own (module word vmm; the list is that of <public/xen.h>). Called by main.c, once. */
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "console.h"
#include "guest-pv/vmm/load/load.h"
#include "guest-pv/vmm/platform/platform.h"
#include "guest-pv/vmm/vmm.h"
#include "mm.h"
#include "start.h"

#define UNIT_FRAMES 256u                /* RAM is a number of MiB */
#define SPARE_FRAMES 256u

static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Another one at each start, by the clock. It is no secret: whoever runs the vmm sees all of the
 * guest anyway. */
static void make_seed(uint8_t *seed, unsigned bytes)
{
    uint64_t state = comparing() ? 0 : clock_tsc() ^ clock_wall_ns() << 20;

    for (unsigned i = 0; i < bytes; i++)
        seed[i] = (uint8_t)mix(&state);
}

static uint64_t module_frames(void)
{
    return (start_info->mod_len + GUEST_PAGE - 1) / GUEST_PAGE;
}

/* All that is left after the vmm's own: its heap, for which the modules' frames will do when they
 * are loaded, a byte for each frame, and some tables and pages. */
static bool make_ram(struct ram *r, uint64_t own_bytes)
{
    uint64_t heap = own_bytes / GUEST_PAGE, own = heap - MIN(heap, module_frames()) + SPARE_FRAMES,
             row = frames_in_a_row(), left = row - MIN(row, own);

    r->nr_frames = compared_frames((left - left / GUEST_PAGE) / UNIT_FRAMES * UNIT_FRAMES);
    if (r->nr_frames == 0) {
        kprintf("vmm: no memory for a guest: of %lu KiB the vmm takes %lu KiB (mem=)\n",
                row * 4, own * 4);
        return false;
    }
    r->bytes = p2v(frames_reserve(r->nr_frames));
    r->flags = p2v(frames_reserve(r->nr_frames / GUEST_PAGE + 1));
    r->zeroes = p2v(frame_alloc());
    r->sink = p2v(frame_alloc());
    for (uint64_t i = 0; i < r->nr_frames; i++)
        r->flags[i] = 0;
    if (comparing())                    /* what was there before is another by each way */
        memset(r->bytes, 0, r->nr_frames * GUEST_PAGE);
    return true;
}

static const struct xen_multiboot_mod_list *modules(void)
{
    bool given = start_info->mod_len != 0 && start_info->flags & SIF_MULTIBOOT_MOD;

    return given ? (const struct xen_multiboot_mod_list *)start_info->mod_start : NULL;
}

/* A guest that measures the TSC by the PIT gets it wrong when the hypervisor runs another domain
 * meanwhile. Linux can be told instead, and is if its command line has this word. */
static const char *guest_cmdline(const char *given)
{
    static const char word[] = "tsc_early_khz=host";
    static char line[8192];             /* a module's string has 4 KiB at most */
    const char *at = strstr(given, word);

    if (at == NULL)
        return given;
    snprintf(line, sizeof(line), "%.*stsc_early_khz=%lu%s", (int)(at - given), given,
             host.tsc_hz / 1000, at + strlen(word));
    return line;
}

static const void *module_address(uint32_t place)
{
    return (const char *)start_info->mod_start + place;
}

static void free_modules(void)
{
    pfn_t first = v2p((const void *)start_info->mod_start);

    for (uint64_t i = 0; i < module_frames(); i++)
        frame_free(first + i);
}

bool make_machine(struct cpu *c, uint64_t own_bytes)
{
    static struct platform platform;
    const struct xen_multiboot_mod_list *m = modules();
    struct load_request request = { 0 };
    const char *reason;

    if (m == NULL) {
        kprintf("vmm: no kernel: the module word vmm gives it the module behind its own\n");
        return false;
    }
    if (!make_ram(&c->ram, own_bytes))
        return false;
    request.kernel = module_address(m[0].mod_start);
    request.kernel_bytes = m[0].mod_end - m[0].mod_start + 1u;
    request.cmdline = guest_cmdline(module_address(m[0].cmdline));
    if (m[1].mod_start != 0) {
        request.ramdisk = module_address(m[1].mod_start);
        request.ramdisk_bytes = m[1].mod_end - m[1].mod_start + 1u;
    }
    make_seed(request.seed, sizeof(request.seed));
    platform_init(&platform, &host);
    c->platform = &platform;
    reason = load_kernel(c, &request);
    if (reason != NULL) {
        kprintf("vmm: %s\n", reason);
        return false;
    }
    free_modules();
    kprintf("vmm: a guest of %lu MiB; the domain has %lu MiB, %lu MiB of it kernel and ramdisk\n",
            c->ram.nr_frames >> 8, start_info->nr_pages >> 8, start_info->mod_len >> 20);
    return true;
}
