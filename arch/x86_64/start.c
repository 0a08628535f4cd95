/* Called by boot.S: initialises the CPU and the machine, in the order that dependencies require,
 * and calls xen/main.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/boot_magic.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/multiboot.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/start.h"
#include "xen/boot/boot_info.h"
#include "xen/core/bug.h"
#include "xen/hooks.h"
#include "xen/main.h"

/* xen.efi has filled a struct boot_info; it is copied, as its memory is free from now on. */
static bool efi_parse(uint32_t magic, uint64_t info)
{
    if (magic != EFI_LOADER_MAGIC)
        return false;
    memcpy(&boot_info, (const void *)(DIRECTMAP_START + info), sizeof(boot_info));
    return true;
}

void arch_start(uint32_t magic, uint64_t info)
{
    boot_info.tsc = arch_tsc();
    boot_vcpu_init();                   /* `current` is valid from here on */
    hooks_register();                   /* calls from lower rooms of xen/ to higher ones */
    serial_init();                      /* messages can be printed from here on */
    if (!multiboot_parse(magic, info) && !efi_parse(magic, info))
        panic("Not started by a known boot loader (magic %08x)", magic);
    for (unsigned i = 0; i < boot_info.nr_ranges; i++)
        boot_info.ram += boot_info.ranges[i].end - boot_info.ranges[i].start;
    cpu_init();
    segments_init();                    /* faults of the hypervisor are reported from here on */
    cpu_probe();
    paging_init();
    smp_find_cpus();
    lapic_choose();
    cpus[0]->arch->apic_id = lapic_id();
    clock_init(smp_madt_cpu(lapic_id()));
    hypervisor_main();
}
