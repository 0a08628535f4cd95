/* PCI configuration space by its two ports (PCI 3.0, 3.2.2.3.2), and the registers of devices in
 * memory, which lie outside of the directmap. Called by xen/core/pci*.c. */
#include "arch/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/memlayout.h"
#include "arch/x86_64/percpu.h"
#include "xen/core/cpu.h"
#include "xen/core/walk.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define MSI_BASE 0xfee00000u
#define MSI_ID_SHIFT 12

static void address(uint16_t function, unsigned reg)
{
    outl(PORT_ADDRESS, 0x80000000u | (uint32_t)function << 8 | (reg & 0xfc));
}

uint32_t arch_pci_read(uint16_t function, unsigned reg)
{
    address(function, reg);
    return inl(PORT_DATA);
}

void arch_pci_write(uint16_t function, unsigned reg, uint32_t value)
{
    address(function, reg);
    outl(PORT_DATA, value);
}

volatile void *arch_map_device(uint64_t maddr)
{
    volatile char *page = map_registers(maddr & PTE_ADDR_MASK);

    return page != NULL ? page + (maddr & ~PAGE_MASK) : NULL;
}

uint8_t arch_device_read(const volatile uint8_t *at)
{
    return *at;
}

/* The destination has 8 bits; the CPU that boots has a number below 255, as the firmware is in
 * xAPIC mode on every machine that this hypervisor runs on. */
uint64_t arch_msi_address(void)
{
    return MSI_BASE | (uint64_t)(cpus[0]->arch->apic_id & 0xff) << MSI_ID_SHIFT;
}
