/* From boot.S to xen/main.c: brings the CPU and the machine up, in the only order that works. */
#include "arch/x86_64/cpu.h"
#include "xen/build.h"
#include "xen/log.h"
#include "xen/main.h"

void idle_vcpu_init(void);

void arch_start(uint32_t magic, uint32_t mbi)
{
    boot_info.tsc = arch_tsc();
    idle_vcpu_init();                   /* current exists from here on */
    serial_init();                      /* and whatever fails can be said */
    if (!multiboot_parse(magic, mbi))
        panic("Not started by a multiboot loader (magic %08x)", magic);
    cpu_init();
    segments_init();                    /* faults of our own are reported from here on */
    paging_init();
    clock_init();
    hypervisor_main();
}
