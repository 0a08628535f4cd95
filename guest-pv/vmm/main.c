/* The vmm: hosts an unmodified 64-bit kernel in this domain's memory. Words of its command line:
 *
 *     way=emulate|trap|translate      how the guest's instructions run (emulate)
 *     compare=N                       hashes of the guest's state: compare.c
 *
 * The machine is made by machine.c, what it has of the world outside is host.c's, and report.c says
 * how it went. A guest that resets its machine, or halts it for good, ends the domain by poweroff;
 * one that is lost ends it as a crash. */
#include <string.h>
#include "clock.h"
#include "console.h"
#include "guest-pv/vmm/emulate/block.h"
#include "guest-pv/vmm/emulate/run.h"
#include "guest-pv/vmm/translate/translate.h"
#include "guest-pv/vmm/trap/run.h"
#include "guest-pv/vmm/vmm.h"
#include "mm.h"
#include "start.h"
#include <public/sched.h>

#define MAX_BLOCKS (32ull << 20)        /* bytes of decoded blocks: Linux has two thirds */
#define MIN_BLOCKS (1ull << 20)
#define TABLES_BYTES (1ull << 20)       /* that lead to them, besides 8 bytes for each frame */
#define CODE_PAGES 3072u                /* of translated code */
#define SHADOWS 2048u                   /* shadow tables */
#define SHADOW_BYTES (13ull << 10)      /* memory that each takes, besides 8 bytes for each frame */

static uint64_t blocks_bytes(void)
{
    return MAX(MIN(mem_pages() * PAGE_SIZE / 8, MAX_BLOCKS), MIN_BLOCKS);
}
static uint64_t own_for_blocks(void)
{
    return blocks_bytes() + TABLES_BYTES + mem_pages() * 8;
}
static bool prepare_blocks(struct cpu *c)
{
    if (blocks_init(c, blocks_bytes()))
        return true;
    kprintf("vmm: no memory for decoded blocks\n");
    return false;
}

static uint64_t own_for_shadows(void)
{
    return SHADOWS * SHADOW_BYTES + mem_pages() * 8;
}
static bool prepare_shadows(struct cpu *c)
{
    return make_shadows(c, SHADOWS);
}

static uint64_t own_for_code(void)
{
    return own_for_shadows() + translate_memory(CODE_PAGES * PAGE_SIZE) + mem_pages() * 4;
}
static bool prepare_code(struct cpu *c)
{
    return prepare_shadows(c) && make_translator(c, CODE_PAGES);
}

static const struct way {
    const char *name;
    unsigned region_pages;              /* in a row */
    uint64_t (*own_bytes)(void);        /* what else it prepares takes */
    bool (*prepare)(struct cpu *c);     /* a line and false: it cannot */
    void (*run)(struct cpu *c);
} ways[] = {
    { "emulate", 0, own_for_blocks, prepare_blocks, run_emulated },
    { "trap", 0, own_for_shadows, prepare_shadows, run_trapped },
    { "translate", CODE_PAGES, own_for_code, prepare_code, run_translated },
};

static struct cpu cpu;

/* NULL: there is none, and a line has said so. */
static const struct way *chosen_way(void)
{
    char name[16] = "emulate";

    cmdline_get("way", name, sizeof(name));
    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
        if (strcmp(name, ways[i].name) == 0)
            return &ways[i];
    }
    kprintf("vmm: way=%s: the ways are", name);
    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++)
        kprintf(" %s", ways[i].name);
    kprintf("\n");
    return NULL;
}

int guest_main(void)
{
    const struct way *way = chosen_way();
    uint64_t start;

    host_init();
    compare_init(&cpu);
    if (way != NULL)
        reserve_region(way->region_pages);
    if (way == NULL || !make_machine(&cpu, way->own_bytes()) || !way->prepare(&cpu))
        shutdown(SHUTDOWN_crash);
    start = clock_ns();
    kprintf("vmm: the guest begins at TSC %lu\n", clock_tsc());
    way->run(&cpu);
    print_report(&cpu, clock_ns() - start);
    shutdown(cpu.stop == STOP_RESET || cpu.stop == STOP_HALTED ? SHUTDOWN_poweroff
                                                               : SHUTDOWN_crash);
}
