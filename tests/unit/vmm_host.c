/* The machine for tests of the vmm: see vmm_host.h. */
#include <stdlib.h>
#include <string.h>
#include "tests/unit/vmm_host.h"

uint64_t vmm_tsc, vmm_wall;
char vmm_console[65536];
const char *vmm_input = "";

static uint64_t get_tsc(void)
{
    return vmm_tsc;
}
static uint64_t get_wall(void)
{
    return vmm_wall;
}
static void console_write(const char *bytes, unsigned len)
{
    size_t used = strlen(vmm_console);

    for (unsigned i = 0; i < len && used < sizeof(vmm_console) - 1; i++)
        vmm_console[used++] = bytes[i];
    vmm_console[used] = '\0';
}
static unsigned console_read(char *bytes, unsigned len)
{
    unsigned n = (unsigned)strnlen(vmm_input, len);

    memcpy(bytes, vmm_input, n);
    vmm_input += n;
    return n;
}
static void wait_until(uint64_t tsc)
{
    vmm_tsc = MAX(vmm_tsc, tsc);
}

const struct host vmm_host = {
    .tsc = get_tsc, .tsc_hz = 1000000000, .wall_seconds = get_wall,
    .console_write = console_write, .console_read = console_read, .wait = wait_until,
};

#define PTE_FLAGS 0x67ull               /* P, RW, US, A, D */
#define PTE_LARGE 0x80ull
#define GDT_AT 0x500u

static void set_tables(struct cpu *c)
{
    uint64_t *l4 = (uint64_t *)(c->ram.bytes + 0x1000), *l3 = l4 + 512, *l2 = l3 + 512;

    l4[0] = l4[511] = 0x2000 | PTE_FLAGS;
    l3[0] = l3[510] = 0x3000 | PTE_FLAGS;
    for (uint64_t i = 0; i < 512; i++)
        l2[i] = i << 21 | PTE_LARGE | PTE_FLAGS;
}

static void set_segments(struct cpu *c)
{
    static const uint64_t gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff };
    struct segment code = { .selector = 8, .access = 0xa09b, .limit = 0xffffffff },
                   data = { .selector = 16, .access = 0xc093, .limit = 0xffffffff };

    memcpy(c->ram.bytes + GDT_AT, gdt, sizeof(gdt));
    c->gdtr = (struct table_register){ GDT_AT, sizeof(gdt) - 1 };
    for (unsigned i = 0; i < 6; i++)
        c->seg[i] = i == SEG_CS ? code : data;
}

struct cpu *vmm_cpu_new(uint64_t nr_frames)
{
    struct cpu *c = aligned_alloc(64, ALIGN_UP(sizeof(*c), 64));

    memset(c, 0, sizeof(*c));
    c->ram = (struct ram){
        .bytes = aligned_alloc(4096, nr_frames * 4096), .nr_frames = nr_frames,
        .flags = calloc(1, nr_frames), .zeroes = aligned_alloc(4096, 4096),
        .sink = aligned_alloc(4096, 4096),
    };
    memset(c->ram.bytes, 0, nr_frames * 4096);
    memset(c->ram.zeroes, 0, 4096);
    c->platform = calloc(1, sizeof(*c->platform));
    platform_init(c->platform, &vmm_host);
    cpu_reset(c);
    c->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET | CR0_NE;
    c->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    c->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    c->cr3 = 0x1000;
    set_tables(c);
    set_segments(c);
    return c;
}

void vmm_cpu_free(struct cpu *c)
{
    free(c->ram.bytes);
    free(c->ram.flags);
    free(c->ram.zeroes);
    free(c->ram.sink);
    free(c->platform);
    free(c);
}
