/* The firmware's runtime services after ExitBootServices; only ResetSystem is used, when power off
 * or reset by other means did not work. Called by acpi.c. The services run at their physical
 * addresses, on an L4 of their own, which maps the firmware's ranges 1:1 in the lower half, and the
 * hypervisor as every L4 does. A fault in a service is a panic, after which the services are not
 * called again. */
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/efi_runtime.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/segments.h"
#include "xen/boot/boot_info.h"
#include "xen/core/alloc.h"
#include "xen/core/log.h"
#include "xen/core/walk.h"
#include "arch/x86_64/efi_runtime.h"

/* UEFI 2.10, 4.5.1: the header, then one pointer per service. */
struct runtime_table {
    char header[24];
    void *services[14];
};

enum { RESET_SYSTEM = 10 };
enum { RESET_COLD, RESET_WARM, RESET_SHUTDOWN };

typedef void (__attribute__((ms_abi)) *reset_system)(uint32_t type, uint64_t status,
                                                     uint64_t size, void *data);

/* 0: there are no runtime services, or they must not be called */
static uint64_t runtime_root;
bool efi_runtime_entered;

static bool map_page(uint64_t *table, uint64_t pa, uint64_t flags)
{
    for (unsigned level = 4; level > 1; level--) {
        uint64_t *entry = &table[table_index(pa, level)];

        if (*entry == 0) {
            void *page = alloc_page();

            if (page == NULL)
                return false;
            *entry = virt_to_mfn(page) << PAGE_SHIFT | PTE_P | PTE_RW;
        }
        table = mfn_to_virt(PTE_MFN(*entry));
    }
    table[table_index(pa, 1)] = pa | flags;
    return true;
}

/* Called by paging_init, when frames can be allocated. */
void efi_runtime_init(void)
{
    const struct boot_runtime *r = &boot_info.runtime;
    uint64_t *l4;

    if (r->table == 0 || r->nr_ranges == 0)
        return;
    l4 = alloc_page();
    if (l4 == NULL)
        return;
    for (unsigned i = HOLE_FIRST_SLOT; i <= HOLE_LAST_SLOT; i++)
        l4[i] = root_l4[i];
    for (unsigned i = 0; i < r->nr_ranges; i++)
        for (uint64_t pa = r->range[i].start; pa < r->range[i].end; pa += PAGE_SIZE)
            if (pa >> 47 != 0 ||
                !map_page(l4, pa, PTE_P | PTE_RW | (r->range[i].uncached ? PTE_PCD | PTE_PWT : 0)))
                return;
    runtime_root = virt_to_mfn(l4) << PAGE_SHIFT;
}

/* Returns only if the firmware's ResetSystem returns. */
void efi_reset(bool off)
{
    const struct runtime_table *table = (const void *)boot_info.runtime.table;
    const uint32_t mxcsr = 0x1f80;
    uint64_t root = runtime_root, before = read_cr3();

    if (root == 0)
        return;
    runtime_root = 0;
    log_info("%s by the firmware's ResetSystem", off ? "Powering off" : "Rebooting");
    segments_leave_vcpu(this_arch_cpu());
    arch_set_ts(false);                 /* it may use the FPU */
    __asm__ volatile("cli\n\tfninit\n\tldmxcsr %0" : : "m"(mxcsr));
    efi_runtime_entered = true;
    load_cr3_and_flush(root);           /* the services lie where a guest has its user pages */
    ((reset_system)table->services[RESET_SYSTEM])(off ? RESET_SHUTDOWN : RESET_COLD, 0, 0, NULL);
    load_cr3_and_flush(before);
    efi_runtime_entered = false;
}
