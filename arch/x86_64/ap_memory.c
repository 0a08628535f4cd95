/* What a CPU needs before it starts: the trampoline's two pages, which all use at the same time,
 * and for each one its struct ap, descriptor tables and stacks. Called by smp.c. None of it is ever
 * used for anything else, as a CPU may start after CPU 0 has given it up. */
#include "common/string.h"
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/smp.h"
#include "xen/boot/boot_info.h"
#include "xen/core/alloc.h"
#include "xen/core/walk.h"

extern const char trampoline[], trampoline_end[], trampoline_gdtr[], trampoline_to_32[],
    trampoline_to_64[], trampoline_needs[], trampoline_efer[];
extern uint64_t boot_l3[512];

/* Machine address of the trampoline's two pages, or 0: there is no such memory. */
static uint64_t trampoline_page(void)
{
    uint64_t page = boot_info.low_pages, end = page + 2 * PAGE_SIZE;

    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        if (boot_info.modules[i].start < end &&
            boot_info.modules[i].start + boot_info.modules[i].size > page)
            return 0;
    return page;
}

static void patch(uint64_t page, const char *word, uint32_t value)
{
    memcpy(maddr_to_virt(page + (uint64_t)(word - trampoline)), &value, sizeof(value));
}

static uint32_t word_of(const char *word)
{
    uint32_t value;

    memcpy(&value, word, sizeof(value));
    return value;
}

/* The L4 maps the first 4 GiB 1:1, for the trampoline's last steps, and what root_l4 maps. */
uint64_t trampoline_prepare(void)
{
    uint64_t page = trampoline_page(), *l4 = maddr_to_virt(page + PAGE_SIZE);
    const char *gdt_base = trampoline_gdtr + 2;

    if (page == 0)
        return 0;
    memcpy(maddr_to_virt(page), trampoline, (size_t)(trampoline_end - trampoline));
    patch(page, gdt_base, (uint32_t)page + word_of(gdt_base));
    patch(page, trampoline_to_32, (uint32_t)page + word_of(trampoline_to_32));
    patch(page, trampoline_to_64, (uint32_t)page + word_of(trampoline_to_64));
    patch(page, trampoline_needs, 1u << 29 | (cpu_features.nx ? 1u << 20 : 0));
    patch(page, trampoline_efer, EFER_LME | EFER_SCE | (cpu_features.nx ? EFER_NXE : 0));
    memcpy(l4, root_l4, PAGE_SIZE);
    l4[0] = image_phys(boot_l3) | PTE_P | PTE_RW;
    return page;
}

static unsigned order_of(size_t bytes)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < bytes)
        order++;
    return order;
}

/* What was allocated is not freed when there is no more: that is the end of starting CPUs. */
struct ap *ap_alloc(const struct madt_cpu *m, unsigned candidate)
{
    struct ap *ap = alloc_pages(order_of(sizeof(*ap)));

    if (ap == NULL)
        return NULL;
    ap->madt = m;
    ap->candidate = candidate;
    ap->arch.apic_id = m->apic_id;
    ap->arch.gdt = alloc_page();
    ap->arch.ist = alloc_pages(STACK_ORDER);
    ap->arch.stack = alloc_pages(STACK_ORDER);
    if (ap->arch.gdt == NULL || ap->arch.ist == NULL || ap->arch.stack == NULL)
        return NULL;
    ap->cpu.arch = &ap->arch;
    ap->idle_arch.stack = ap->arch.stack;
    idle_vcpu_init(&ap->idle, &ap->idle_arch, &ap->idle_info, &ap->cpu);
    return ap;
}
