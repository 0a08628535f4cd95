/* From boot.S to xen/main.c: brings the CPU and the machine up, in the only order that works. */
#include "arch/arch.h"
#include "common/string.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/boot_magic.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/multiboot.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/start.h"
#include "xen/boot/boot_info.h"
#include "xen/core/bug.h"
#include "xen/hooks.h"
#include "xen/main.h"

void idle_vcpu_init(void);

/* xen.efi's stub has filled in a whole boot_info, in memory that is free from now on. */
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
    idle_vcpu_init();                   /* current exists from here on */
    hooks_register();                   /* what lower rooms of xen/ call in higher ones */
    serial_init();                      /* and whatever fails can be said */
    if (!multiboot_parse(magic, info) && !efi_parse(magic, info))
        panic("Not started by a loader that we know (magic %08x)", magic);
    for (unsigned i = 0; i < boot_info.nr_ranges; i++)
        boot_info.ram += boot_info.ranges[i].end - boot_info.ranges[i].start;
    cpu_init();
    segments_init();                    /* faults of our own are reported from here on */
    cpu_probe();
    paging_init();
    clock_init();
    hypervisor_main();
}
