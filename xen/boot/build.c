/* The domain builder: from a kernel's file to a domain whose vCPU 0 is at its first instruction, in
 * the state that the ABI requires (<public/xen.h>, above struct start_info). The steps in order are
 * load() and build_complete(). Addresses are chosen by build_plan.c, page tables written by
 * build_tables.c, the kernel's notes read by image.c. A step that fails logs the reason; then the
 * caller ends the domain, which frees everything. Called by modules.c and service.c. */
#include <stdarg.h>

#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "common/elf.h"
#include "common/elf_symbols.h"
#include "common/x86/flags.h"
#include "xen/boot/build.h"
#include "xen/boot/build_plan.h"
#include "xen/boot/build_tables.h"
#include "xen/boot/builder.h"
#include "xen/boot/image.h"
#include "xen/boot/mod_list.h"
#include "xen/boot/module_words.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/grant.h"
#include "xen/pv/hypercall_page.h"
#include "xen/pv/mmuext.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/store.h"

_Static_assert(sizeof(struct build) <= PAGE_SIZE, "one page");
#define WORK_PER_PAGE 1500u             /* units of work to copy a page */

int build_fail(const struct build *b, int rc, const char *fmt, ...)
{
    char text[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_error("module %u (%s): %s", b->config->module, b->config->name, text);
    return rc;
}

/* Writes bytes at pseudo-physical address paddr: copied from src, or zeros if src is NULL. */
static void store(struct build *b, uint64_t paddr, const uint8_t *src, uint64_t len)
{
    while (len != 0) {
        uint64_t offset = paddr & ~PAGE_MASK, n = MIN(len, PAGE_SIZE - offset);
        uint8_t *dst = (uint8_t *)mfn_to_virt(build_mfn(b, paddr >> PAGE_SHIFT)) + offset;

        if (src != NULL) {
            memcpy(dst, src, n);
            src += n;
        } else {
            memset(dst, 0, n);
        }
        paddr += n;
        len -= n;
        preempt_after(WORK_PER_PAGE);
    }
}

/* Loads the segments in the order of their headers: where two overlap, the later one remains. */
static void load_segments(struct build *b)
{
    const struct kernel_image *k = &b->image;

    for (unsigned i = 0; i < k->elf.phnum; i++) {
        struct elf_segment s;

        if (!elf_segment(&k->elf, i, &s))
            continue;
        store(b, s.paddr - k->paddr_offset, k->elf.data + s.offset, s.filesz);
        store(b, s.paddr - k->paddr_offset + s.filesz, NULL, s.memsz - s.filesz);
    }
}

/* Loads the kernel's symbols, with zeros in the gaps between head, table and strings. */
static void load_symbols(struct build *b)
{
    const struct elf_symbols *s = &b->image.symbols;
    uint64_t paddr = b->image.symbols_paddr - b->image.paddr_offset;
    uint8_t head[ELF_SYMBOLS_HEAD];

    if (s->bytes == 0)
        return;
    elf_symbols_head(&b->image.elf, s, head);
    store(b, paddr, NULL, s->bytes);
    store(b, paddr, head, sizeof(head));
    store(b, paddr + elf_symbols_table_at(), b->image.elf.data + s->table.offset, s->table.size);
    store(b, paddr + elf_symbols_strings_at(s), b->image.elf.data + s->strings.offset,
          s->strings.size);
}

/* Between the list of files and the first of them are zeros. */
static void load_files(struct build *b)
{
    struct xen_multiboot_mod_list descriptors[MOD_LIST_FILES + 1];
    const struct mod_list *l = b->config->list;
    uint64_t at = b->ramdisk_pfn << PAGE_SHIFT;

    mod_list_plan(l, descriptors);
    store(b, at, NULL, descriptors[0].mod_start);
    store(b, at, (const uint8_t *)descriptors, sizeof(descriptors));
    for (unsigned i = 0; i < l->nr_files; i++) {
        const char *string = l->file[i].string;

        store(b, at + descriptors[i].cmdline, (const uint8_t *)string, strlen(string) + 1);
        store(b, at + descriptors[i].mod_start, l->file[i].data, l->file[i].size_bytes);
    }
}

static void load_image(struct build *b)
{
    const struct kernel_image *k = &b->image;

    load_segments(b);
    load_symbols(b);
    if (b->config->list != NULL)
        load_files(b);
    else
        store(b, b->ramdisk_pfn << PAGE_SHIFT, b->ramdisk, b->ramdisk_size);
    if (IMAGE_GAVE(k, XEN_ELFNOTE_HYPERCALL_PAGE))
        write_hypercall_page(
            mfn_to_virt(build_mfn(b, (k->hypercall_page - k->virt_base) >> PAGE_SHIFT)));
    /* start_info, store, console */
    store(b, b->start_info_pfn << PAGE_SHIFT, NULL, 3 * PAGE_SIZE);
    store(b, b->stack_pfn << PAGE_SHIFT, NULL, PAGE_SIZE);
}

/* The xenstore page. With a service domain: an event channel that the service domain may bind, the
 * guest's first port (guest-pv/store/ring.c relies on that), and a grant of the page. Without one
 * the page exists, but there is no store, and the port is 0. */
static int attach_store(struct build *b)
{
    int port;

    if (!store_present())
        return 0;
    port = evtchn_open_unbound(b->d, STORE_DOMID);
    if (port < 0)
        return build_fail(b, port, "no event channel for its store: error %d", port);
    b->d->store_port = (evtchn_port_t)port;
    b->d->store_mfn = build_mfn(b, b->store_pfn);
    if (grant_reserve(b->d, GNTTAB_RESERVED_XENSTORE, STORE_DOMID, build_mfn(b, b->store_pfn)) != 0)
        return build_fail(b, -ENOMEM, "no grant of its store page");
    return 0;
}

/* The console page. Guests expect a grant of it to domain 0; if a service domain is domain 0 the
 * grant is omitted, because the service domain serves only the store. */
static int attach_console(struct build *b)
{
    mfn_t mfn = build_mfn(b, b->console_pfn);
    int port = console_attach(b->d, mfn);

    if (port < 0)
        return build_fail(b, port, "no console: error %d", port);
    if (!store_present() && grant_reserve(b->d, GNTTAB_RESERVED_CONSOLE, 0, mfn) != 0)
        return build_fail(b, -ENOMEM, "no grant of its console page");
    return 0;
}

static void write_start_info(struct build *b)
{
    struct start_info *si = mfn_to_virt(build_mfn(b, b->start_info_pfn));

    copy_string(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
    si->nr_pages = b->nr_pages;
    si->shared_info = b->d->shared_mfn << PAGE_SHIFT;
    si->store_mfn = build_mfn(b, b->store_pfn);
    si->store_evtchn = b->d->store_port;
    si->console.domU.mfn = b->d->console_mfn;
    si->console.domU.evtchn = b->d->console_port;
    si->pt_base = boot_va(b, b->l4_pfn);
    si->nr_pt_frames = b->nr_boot_tables;
    si->mfn_list = b->p2m.end != 0 ? b->p2m.start : boot_va(b, b->p2m_pfn);
    /* mod_len is the ramdisk's length in bytes, and the ramdisk is not unpacked, as <public/xen.h>
     * says and Xen does for domain 0. For other domains Xen's tools unpack a gzipped ramdisk and
     * round its length up to pages; a decompressor does not belong into ring 0, and a kernel may
     * look for something at the ramdisk's very end. */
    if (b->ramdisk_size != 0) {
        bool by_pfn = b->image.mod_start_pfn != 0;

        si->flags |= by_pfn ? SIF_MOD_START_PFN : 0;
        si->flags |= b->config->list != NULL ? SIF_MULTIBOOT_MOD : 0;
        si->mod_start = by_pfn ? b->ramdisk_pfn : boot_va(b, b->ramdisk_pfn);
        si->mod_len = b->ramdisk_size;
    }
    if (b->config->cmdline != NULL)
        copy_string((char *)si->cmd_line, b->config->cmdline, MAX_GUEST_CMDLINE);
    if (b->p2m.end != 0) {
        si->first_p2m_pfn = b->p2m_pfn;
        si->nr_p2m_frames = b->nr_p2m_frames;
    }
}

/* The same as MMUEXT_PIN_L4_TABLE and MMUEXT_NEW_BASEPTR: every entry is validated and
 * referenced. */
static int adopt_tables(struct build *b)
{
    struct domain *d = b->d;
    mfn_t l4 = build_mfn(b, b->l4_pfn);
    struct frame *f;
    int rc;

    spin_lock(&d->mm_lock);
    rc = get_page_and_type(l4, d, TYPE_L4, &f);
    if (rc == 0) {
        locked_or(&f->word, TYPE_PINNED);
        rc = new_guest_root(d->vcpu[0], l4);
    }
    spin_unlock(&d->mm_lock);
    return rc != 0 ? build_fail(b, rc, "its first page tables were refused, error %d", rc) : 0;
}

static void enter_state(struct build *b)
{
    struct vcpu *v = b->d->vcpu[0];
    struct cpu_user_regs *regs = guest_regs(v);

    memset(regs, 0, sizeof(*regs));
    regs->rip = b->image.entry;
    regs->rsp = boot_va(b, b->stack_pfn + 1);
    regs->rsi = boot_va(b, b->start_info_pfn);
    regs->rflags = FLAG_IF | FLAG_MBS;
    regs->cs = FLAT_KERNEL_CS64;
    regs->ss = FLAT_KERNEL_SS64;
    set_kernel_stack(v, regs->rsp);
    v->kernel_mode = true;
    v->debugreg[6] = 0xffff0ff0;
    v->debugreg[7] = 0x400;
    time_update_vcpu(v);
}

static void print_built(const struct build *b)
{
    const struct kernel_image *k = &b->image;

    log_info("d%u (%s): %lu pages (%lu MiB), %u vCPU%s, weight %u, %s%s%s kernel %lx -> %lx, entry "
             "%lx, ramdisk %lu KiB",
             b->d->id, b->d->name, b->nr_pages, b->nr_pages >> 8, b->d->nr_vcpus,
             b->d->nr_vcpus == 1 ? "" : "s", b->d->weight, k->guest_os,
             k->guest_version[0] != '\0' ? " " : "", k->guest_version, k->virt_start, k->virt_end,
             k->entry, b->ramdisk_size >> 10);
}

static void build_free(struct build *b)
{
    free_pages(b->p2m_page, b->p2m_page_order);
    free_page(b);
}

/* The p2m list is accessed through an array of its pages. */
static int alloc_p2m_pages(struct build *b)
{
    while ((PAGE_SIZE << b->p2m_page_order) / sizeof(uint64_t *) < b->nr_p2m_pages)
        b->p2m_page_order++;
    b->p2m_page = alloc_pages(b->p2m_page_order);
    return b->p2m_page != NULL ? 0 : build_fail(b, -ENOMEM, "out of memory");
}

static int load(struct build *b, const void *kernel, uint64_t kernel_size)
{
    const char *reason = image_parse(&b->image, kernel, kernel_size);
    int rc;

    if (reason != NULL)
        return build_fail(b, -EINVAL, "%s", reason);
    rc = plan_memory(b);
    if (rc == 0)
        rc = alloc_p2m_pages(b);
    if (rc == 0)
        rc = populate_loaded(b);
    if (rc != 0)
        return rc;
    load_image(b);
    rc = attach_store(b);
    if (rc == 0)
        rc = attach_console(b);
    if (rc != 0)
        return rc;
    write_start_info(b);
    build_tables(b);
    rc = adopt_tables(b);
    if (rc == 0)
        enter_state(b);
    return rc;
}

int build_load(struct domain *d, const struct domain_config *c, const void *kernel,
               uint64_t kernel_size, const void *ramdisk, uint64_t ramdisk_size, struct build **out)
{
    struct build *b = alloc_page();
    int rc;

    *out = NULL;
    if (b == NULL) {
        log_error("module %u (%s): out of memory", c->module, c->name);
        return -ENOMEM;
    }
    *b = (struct build){
        .d = d,
        .config = c,
        .ramdisk = ramdisk,
        .ramdisk_size = ramdisk_size,
        .nr_pages = d->max_frames,
    };
    rc = load(b, kernel, kernel_size);
    if (rc != 0)
        build_free(b);
    else
        *out = b;
    return rc;
}

int build_complete(struct build *b)
{
    int rc = populate_rest(b);

    if (rc == 0)
        print_built(b);
    build_free(b);
    return rc;
}

int build_domain(struct domain *d, const struct domain_config *c, const void *kernel,
                 uint64_t kernel_size, const void *ramdisk, uint64_t ramdisk_size)
{
    struct build *b;
    int rc = build_load(d, c, kernel, kernel_size, ramdisk, ramdisk_size, &b);

    return rc == 0 ? build_complete(b) : rc;
}
