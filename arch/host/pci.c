/* PCI of the fake machine: a test gives functions, as 256 bytes of configuration space each, and
 * the memory behind their BARs. Called by xen/ through arch/arch.h. */
#include "arch/arch.h"
#include "host.h"
#include "xen/core/pci.h"

static struct host_pci *find(uint16_t function)
{
    for (struct host_pci *p = host.pci; p != NULL; p = p->next)
        if (p->address == function)
            return p;
    return NULL;
}

uint32_t arch_pci_read(uint16_t function, unsigned reg)
{
    struct host_pci *p = find(function);

    return p == NULL ? ~0u : p->config[reg / 4];
}

/* Only the bits that the function lets be written. */
void arch_pci_write(uint16_t function, unsigned reg, uint32_t value)
{
    struct host_pci *p = find(function);

    if (p != NULL)
        p->config[reg / 4] = (p->config[reg / 4] & ~p->writable[reg / 4]) |
                             (value & p->writable[reg / 4]);
}

volatile void *arch_map_device(uint64_t maddr)
{
    for (struct host_pci *p = host.pci; p != NULL; p = p->next)
        if (maddr - p->memory_at < p->memory_bytes)
            return p->memory + (maddr - p->memory_at);
    return NULL;
}

uint64_t arch_msi_address(void)
{
    return 0xfee00000;
}
