/* Owns the meaning of a kernel's Xen notes, in their two spellings. The ELF file itself is common/elf.c's,
 * memory the builder's. Called by modules.c to tell kernels from ramdisks, and by build.c. */
#include "common/string.h"
#include "xen/image.h"

#define NUMBER 0u
#define ITEM(note, key, field, size) { XEN_ELFNOTE_##note, key, offsetof(struct kernel_image, field), size }

/* Each note that matters here: its number, its key in the __xen_guest string, and where its value goes. */
static const struct item {
    uint32_t note;
    const char *key;
    size_t field;
    size_t string_size;                 /* NUMBER: a 64-bit field */
} items[] = {
    ITEM(ENTRY, "VIRT_ENTRY", entry, NUMBER),
    ITEM(HYPERCALL_PAGE, "HYPERCALL_PAGE", hypercall_page, NUMBER),
    ITEM(VIRT_BASE, "VIRT_BASE", virt_base, NUMBER),
    ITEM(PADDR_OFFSET, "ELF_PADDR_OFFSET", paddr_offset, NUMBER),
    ITEM(INIT_P2M, "INIT_P2M", init_p2m, NUMBER),
    ITEM(MOD_START_PFN, "MOD_START_PFN", mod_start_pfn, NUMBER),
    ITEM(XEN_VERSION, "XEN_VER", xen_version, NOTE_STRING_MAX),
    ITEM(LOADER, "LOADER", loader, NOTE_STRING_MAX),
    ITEM(GUEST_OS, "GUEST_OS", guest_os, NOTE_STRING_MAX),
    ITEM(GUEST_VERSION, "GUEST_VER", guest_version, NOTE_STRING_MAX),
};

static void *field_of(struct kernel_image *k, const struct item *item)
{
    return (char *)k + item->field;
}

static void take_string(struct kernel_image *k, const struct item *item, const char *text, size_t len)
{
    char *field = field_of(k, item);

    len = MIN(len, item->string_size - 1);
    memcpy(field, text, len);
    field[len] = '\0';
}

static void take_note(void *ctx, const struct elf_note *n)
{
    struct kernel_image *k = ctx;
    uint64_t value = 0;

    if (strcmp(n->owner, "Xen") != 0 || n->type >= 32)
        return;
    k->given |= 1u << n->type;
    for (unsigned i = 0; i < ARRAY_SIZE(items); i++) {
        if (items[i].note != n->type)
            continue;
        if (items[i].string_size != NUMBER) {
            if (n->desc_len == 0 || n->desc[n->desc_len - 1] != '\0')
                k->bad_note = "a text among its Xen notes is not terminated";
            else
                take_string(k, &items[i], (const char *)n->desc, strlen((const char *)n->desc));
        } else if (n->desc_len != 1 && n->desc_len != 2 && n->desc_len != 4 && n->desc_len != 8) {
            k->bad_note = "a number among its Xen notes is not 1, 2, 4 or 8 bytes long";
        } else {
            memcpy(&value, n->desc, n->desc_len);
            memcpy(field_of(k, &items[i]), &value, sizeof(value));
        }
    }
}

/* One "KEY=value" of the string, already NUL-terminated. */
static void take_pair(struct kernel_image *k, const char *pair)
{
    const char *equals = strchr(pair, '='), *end;

    for (unsigned i = 0; equals != NULL && i < ARRAY_SIZE(items); i++) {
        size_t len = strlen(items[i].key);
        uint64_t value;

        if ((size_t)(equals - pair) != len || strncmp(pair, items[i].key, len) != 0)
            continue;
        k->given |= 1u << items[i].note;
        if (items[i].string_size != NUMBER) {
            take_string(k, &items[i], equals + 1, strlen(equals + 1));
            continue;
        }
        value = parse_number(equals + 1, &end);
        if (end == equals + 1 || *end != '\0')
            k->bad_note = "a number in its __xen_guest string makes no sense";
        memcpy(field_of(k, &items[i]), &value, sizeof(value));
    }
}

static void take_guest_string(struct kernel_image *k, const char *text, uint64_t len)
{
    char pair[80];
    size_t n = 0;

    for (uint64_t i = 0; i <= len; i++) {
        char c = i < len ? text[i] : '\0';

        if (c != ',' && c != '\0') {
            if (n < sizeof(pair) - 1)
                pair[n++] = c;
            continue;
        }
        pair[n] = '\0';
        n = 0;
        take_pair(k, pair);
        if (c == '\0')
            break;
    }
    /* The older spelling counts pages from the base, and took physical addresses for virtual ones. */
    if (IMAGE_GAVE(k, XEN_ELFNOTE_HYPERCALL_PAGE))
        k->hypercall_page = (k->hypercall_page << PAGE_SHIFT) + k->virt_base;
    if (!IMAGE_GAVE(k, XEN_ELFNOTE_PADDR_OFFSET))
        k->paddr_offset = k->virt_base;
    if (!IMAGE_GAVE(k, XEN_ELFNOTE_ENTRY))
        k->entry = k->elf.entry;
    k->given |= 1u << XEN_ELFNOTE_ENTRY;
}

static const char *check_notes(const struct kernel_image *k)
{
    if (k->bad_note != NULL)
        return k->bad_note;
    if (k->given == 0)
        return "not a PV kernel: an ELF file without Xen notes";
    if (!IMAGE_GAVE(k, XEN_ELFNOTE_ENTRY))
        return IMAGE_GAVE(k, XEN_ELFNOTE_PHYS32_ENTRY) ? "not a PV kernel: its Xen notes name a PVH entry only"
                                                       : "not a PV kernel: no entry point among its Xen notes";
    if (strncmp(k->xen_version, "xen-3.0", 7) != 0)
        return "not made for this interface: its Xen notes do not say xen-3.0";
    if (strncmp(k->loader, "generic", 7) != 0 && strncmp(k->guest_os, "linux", 5) != 0)
        return "not made for the generic loader, say its Xen notes";
    return NULL;
}

static const char *check_addresses(struct kernel_image *k)
{
    uint64_t len = k->elf.paddr_end - k->elf.paddr_start;

    if (k->virt_base & ~PAGE_MASK || !is_canonical(k->virt_base))
        return "its virtual base is no page address";
    if (k->elf.paddr_start < k->paddr_offset)
        return "a segment lies outside its address range, before the virtual base";
    k->virt_start = k->virt_base + (k->elf.paddr_start - k->paddr_offset);
    k->virt_end = k->virt_start + len;
    if (k->virt_start < k->virt_base || k->virt_end < k->virt_start || !guest_range_ok(k->virt_start, len))
        return "too large for its address: the range wraps around or lies in the hypervisor's";
    if (k->entry < k->virt_start || k->entry >= k->virt_end)
        return "its entry point lies outside the image";
    if (IMAGE_GAVE(k, XEN_ELFNOTE_HYPERCALL_PAGE) &&
        (k->hypercall_page & ~PAGE_MASK || k->hypercall_page < k->virt_base ||
         k->hypercall_page >= k->virt_end || k->virt_end - k->hypercall_page < PAGE_SIZE))
        return "its hypercall page lies outside the image";
    return NULL;
}

const char *image_parse(struct kernel_image *k, const void *data, uint64_t size)
{
    const char *reason, *text;
    uint64_t len;

    *k = (struct kernel_image){ .given = 0 };
    reason = elf_parse(&k->elf, data, size);
    if (reason != NULL)
        return reason;
    elf_for_each_note(&k->elf, take_note, k);
    if (k->given == 0) {
        text = elf_section(&k->elf, "__xen_guest", &len);
        if (text != NULL)
            take_guest_string(k, text, len);
    }
    reason = check_notes(k);
    return reason != NULL ? reason : check_addresses(k);
}
