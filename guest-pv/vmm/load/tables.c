/* The processor's state at a kernel's entry: paging on with identity tables, flat segments. Called
 * by load.c, which sets RIP and RSI. Selectors are those of the 64-bit boot protocol. */
#include <string.h>
#include "guest-pv/vmm/load/layout.h"

#define BOOT_CS 0x10u
#define BOOT_DS 0x18u
#define TABLE_ENTRY 0x3u                /* present, writable */
#define LARGE_PAGE 0x83u                /* present, writable, 2 MiB */
#define LARGE_SHIFT 21
_Static_assert(LOAD_END >> LARGE_SHIFT == 512, "one table of 2 MiB pages");

static void put_entry(struct cpu *c, uint64_t table, unsigned i, uint64_t entry)
{
    memcpy(c->ram.bytes + table + i * 8, &entry, 8);
}

static void write_tables(struct cpu *c)
{
    memset(c->ram.bytes + L4_AT, 0, 2 * GUEST_PAGE);
    put_entry(c, L4_AT, 0, L3_AT | TABLE_ENTRY);
    put_entry(c, L3_AT, 0, L2_AT | TABLE_ENTRY);
    for (unsigned i = 0; i < 512; i++)
        put_entry(c, L2_AT, i, (uint64_t)i << LARGE_SHIFT | LARGE_PAGE);
}

static void write_gdt(struct cpu *c)
{
    static const uint64_t gdt[] = {
        [BOOT_CS / 8] = 0x00af9b000000ffff,     /* 64-bit code, CPL 0 */
        [BOOT_DS / 8] = 0x00cf93000000ffff,     /* writable data */
    };

    memcpy(c->ram.bytes + GDT_AT, gdt, sizeof(gdt));
    c->gdtr = (struct table_register){ GDT_AT, sizeof(gdt) - 1 };
}

void enter_long_mode(struct cpu *c)
{
    const struct segment code = { .selector = BOOT_CS, .access = 0xa09b, .limit = ~0u },
                         data = { .selector = BOOT_DS, .access = 0xc093, .limit = ~0u };

    write_tables(c);
    write_gdt(c);
    c->seg[SEG_CS] = code;
    c->seg[SEG_DS] = c->seg[SEG_ES] = c->seg[SEG_SS] = data;
    c->cr3 = L4_AT;
    c->cr0 |= CR0_PE | CR0_PG;
    c->cr4 |= CR4_PAE;
    c->efer |= EFER_LME | EFER_LMA;
}
