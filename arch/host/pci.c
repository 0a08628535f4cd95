/* PCI of the fake machine: a test gives functions, as 256 bytes of configuration space each, and
 * the memory behind their BARs. It ends the test if a BAR is changed while the function decodes its
 * address, or if a function that may be bus master is asked whether it has been reset. Called by
 * xen/ through arch/arch.h. */
#include "arch/arch.h"
#include "host.h"
#include "xen/core/pci_regs.h"

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

static bool is_on(const struct host_pci *p, uint32_t command)
{
    return p->config[PCI_COMMAND / 4] & command;
}

/* Only the bits that the function lets be written. */
void arch_pci_write(uint16_t function, unsigned reg, uint32_t value)
{
    struct host_pci *p = find(function);

    if (p == NULL)
        return;
    HOST_CHECK(reg < PCI_BAR0 || reg >= PCI_BAR0 + 24 || !is_on(p, PCI_MEMORY | PCI_IO),
               "register %x of %x", reg, function);
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

/* Only virtio's status is read in this way. */
uint8_t arch_device_read(const volatile uint8_t *at)
{
    for (struct host_pci *p = host.pci; p != NULL; p = p->next) {
        if ((uint64_t)(at - p->memory) >= p->memory_bytes)
            continue;
        HOST_CHECK(!is_on(p, PCI_MASTER), "function %x", p->address);
        if (p->busy == 0)
            return *at;
        p->busy -= p->busy != ~0u;
        return 1;
    }
    HOST_CHECK(false, "no device has registers there");
    return 0;
}

uint64_t arch_msi_address(void)
{
    return 0xfee00000;
}

bool arch_has_pin(unsigned line)
{
    return line < HOST_PINS && !host.no_pins;
}

void arch_set_pin(unsigned line, uint8_t vector, bool masked)
{
    HOST_CHECK(arch_has_pin(line), "line %u", line);
    host.pin[line] = (struct host_pin){ vector, masked };
}
