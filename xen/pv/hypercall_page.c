/* The hypercall page: 32 bytes of code for each hypercall. A kernel asks for it by an ELF note
 * (boot/ calls this) or by an MSR (cpu/emulate.c calls it by a hook). */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/pv/hypercall_page.h"
#include "xen/pv/pagetype.h"

/* Slots of 32 bytes: push rcx; push r11; mov number, eax; syscall; pop r11; pop rcx; ret. The
 * slot of iret never comes back, so it pushes rax too and ends there. The rest is int3. */
void write_hypercall_page(void *page)
{
    uint8_t call[] = { 0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3 };
    uint8_t iret[] = { 0x51, 0x41, 0x53, 0x50, 0xb8, __HYPERVISOR_iret, 0, 0, 0, 0x0f, 0x05 };

    memset(page, 0xcc, PAGE_SIZE);
    for (unsigned nr = 0; nr < PAGE_SIZE / 32; nr++) {
        uint8_t *slot = (uint8_t *)page + nr * 32;

        call[4] = (uint8_t)nr;
        if (nr == __HYPERVISOR_iret)
            memcpy(slot, iret, sizeof(iret));
        else
            memcpy(slot, call, sizeof(call));
    }
}

/* value: the page's machine address, and in its low bits the index of the hypercall page; only 0
 * exists. */
bool install_hypercall_page(struct vcpu *v, uint64_t value)
{
    struct domain *d = v->domain;
    struct frame *f;
    int rc;

    if (value & ~PAGE_MASK)
        return false;
    spin_lock(&d->mm_lock);
    rc = get_page_and_type(value >> PAGE_SHIFT, d, TYPE_WRITABLE, &f);
    if (rc == 0) {
        write_hypercall_page(mfn_to_virt(value >> PAGE_SHIFT));
        put_page_and_type(f);
    }
    spin_unlock(&d->mm_lock);
    return rc == 0;
}
