/* A GDT of one frame. Called by the tests of suites "segments" and "compat". */
#include "gdt.h"
#include "hypercall.h"
#include "suite.h"

static pfn_t gdt;

long gdt_load(pfn_t pfn, unsigned entries)
{
    unsigned long frame = pfn_to_mfn(pfn);

    return xen_set_gdt(&frame, entries);
}

void gdt_begin(void)
{
    gdt = table_alloc();
    ASSERT_EQ(gdt_load(gdt, 512), 0);
}

void gdt_end(void)
{
    EXPECT_EQ(xen_set_gdt(NULL, 0), 0);
    table_free(gdt);
}

pfn_t gdt_frame(void)
{
    return gdt;
}

long gdt_set(unsigned n, uint64_t desc)
{
    return xen_update_descriptor(v2maddr((uint64_t *)p2v(gdt) + n), desc);
}

uint64_t gdt_get(unsigned n)
{
    return ((volatile uint64_t *)p2v(gdt))[n];
}
