/* Reads a kernel's Xen notes, in their two forms: ELF notes, and the older string in section
 * __xen_guest. The ELF file itself is read by common/elf.c. Called by modules.c to tell kernels
 * from ramdisks, by build.c, and by xen.efi. */
#include "common/string.h"
#include "common/elf.h"
#include "common/elf_symbols.h"
#include "xen/boot/image.h"

#define NUMBER 0u
#define BZIMAGE_MAGIC_AT 0x202u
#define ITEM(note, key, field, size) \
    { XEN_ELFNOTE_##note, key, offsetof(struct kernel_image, field), size }

/* Each note that is used: its number, its key in the __xen_guest string, and where its value is
 * stored. BSD_SYMTAB and FEATURES are read by functions of their own. The other notes of
 * <public/elfnote.h> do not matter to a builder of 64-bit PV guests: PAE_MODE and HV_START_LOW are
 * for 32-bit guests, L1_MFN_VALID and SUSPEND_CANCEL for migration, PHYS32_ENTRY for PVH guests,
 * SUPPORTED_FEATURES lists what the kernel does not require, INFO is a text for people. */
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

static void set_string(struct kernel_image *k, const struct item *item, const char *text,
                       size_t len)
{
    char *field = field_of(k, item);

    len = MIN(len, item->string_size - 1);
    memcpy(field, text, len);
    field[len] = '\0';
}

/* A number of another size than 1, 2, 4 or 8 bytes is 0, as on Xen. */
static void set_number(struct kernel_image *k, const struct item *item, const struct elf_note *n)
{
    uint64_t value = 0;

    if (n->desc_len == 1 || n->desc_len == 2 || n->desc_len == 4 || n->desc_len == 8)
        memcpy(&value, n->desc, n->desc_len);
    memcpy(field_of(k, item), &value, sizeof(value));
}

static bool is_name(const char *text, size_t len, const char *name)
{
    return strlen(name) == len && strncmp(text, name, len) == 0;
}

/* Names separated by '|'; a '!' before a name: the kernel requires the feature. As Xen does for all
 * but domain 0, a kernel is started if it requires only features that have a name, even if PV
 * guests do not get them (Linux 6.1 requires writable_page_tables, and runs without it). */
static const char *check_features(const char *text)
{
    static const char *const known[] = {
        "writable_page_tables",   "writable_descriptor_tables", "auto_translated_physmap",
        "supervisor_mode_kernel", "pae_pgdir_above_4gb",        "hvm_callback_vector",
    };

    while (*text != '\0') {
        const char *end = strchr(text, '|') ?: text + strlen(text);
        size_t len = (size_t)(end - text), i = 0;

        if (*text == '!') {
            if (is_name(text + 1, len - 1, "dom0"))
                return "its FEATURES note says that it runs as domain 0 only";
            while (i < ARRAY_SIZE(known) && !is_name(text + 1, len - 1, known[i]))
                i++;
            if (i == ARRAY_SIZE(known))
                return "its FEATURES note requires a feature that is not known here";
        }
        text = end + (*end == '|');
    }
    return NULL;
}

static void set_text_note(struct kernel_image *k, uint32_t note, const struct item *item,
                          const char *text)
{
    const char *reason = NULL;

    if (text == NULL)
        reason = "a text among its Xen notes is not terminated";
    else if (note == XEN_ELFNOTE_BSD_SYMTAB)
        k->wants_symbols |= strcmp(text, "yes") == 0;
    else if (note == XEN_ELFNOTE_FEATURES)
        reason = check_features(text);
    else
        set_string(k, item, text, strlen(text));
    k->bad_note = k->bad_note ?: reason;
}

/* A text ends at its NUL, which may be beyond the note's length, as in Xen. */
static void set_note(void *ctx, const struct elf_note *n)
{
    struct kernel_image *k = ctx;
    unsigned i = 0;

    if (n->type >= 32)
        return;
    k->given |= 1u << n->type;
    while (i < ARRAY_SIZE(items) && items[i].note != n->type)
        i++;
    if (n->type == XEN_ELFNOTE_BSD_SYMTAB || n->type == XEN_ELFNOTE_FEATURES)
        set_text_note(k, n->type, NULL, elf_text(&k->elf, n->desc));
    else if (i < ARRAY_SIZE(items) && items[i].string_size == NUMBER)
        set_number(k, &items[i], n);
    else if (i < ARRAY_SIZE(items))
        set_text_note(k, n->type, &items[i], elf_text(&k->elf, n->desc));
}

/* Characters behind the digits are ignored, as in Xen. */
static uint64_t pair_number(struct kernel_image *k, const char *text, size_t len)
{
    char digits[32];
    const char *end;

    if (len >= sizeof(digits)) {
        k->bad_note = "a number in its __xen_guest string is too long";
        return 0;
    }
    memcpy(digits, text, len);
    digits[len] = '\0';
    return parse_number(digits, &end);
}

/* One "KEY=value" of the string, or a key alone. */
static void set_pair(struct kernel_image *k, const char *pair, size_t len)
{
    size_t key_len = 0;

    while (key_len < len && pair[key_len] != '=')
        key_len++;
    k->wants_symbols |= is_name(pair, key_len, "BSD_SYMTAB");
    for (unsigned i = 0; key_len < len && i < ARRAY_SIZE(items); i++) {
        const char *value = pair + key_len + 1;
        size_t value_len = len - key_len - 1;
        uint64_t number;

        if (!is_name(pair, key_len, items[i].key))
            continue;
        k->given |= 1u << items[i].note;
        if (items[i].string_size != NUMBER) {
            set_string(k, &items[i], value, value_len);
            continue;
        }
        number = pair_number(k, value, value_len);
        memcpy(field_of(k, &items[i]), &number, sizeof(number));
    }
}

/* In the older form the hypercall page is a page number, counted from virt_base, and paddr_offset
 * defaults to virt_base. */
static void set_guest_string(struct kernel_image *k, const char *text, uint64_t len)
{
    uint64_t start = 0;

    for (uint64_t i = 0; i <= len; i++) {
        if (i < len && text[i] != ',' && text[i] != '\0')
            continue;
        set_pair(k, text + start, i - start);
        start = i + 1;
        if (i < len && text[i] == '\0')
            break;
    }
    if (IMAGE_GAVE(k, XEN_ELFNOTE_HYPERCALL_PAGE))
        k->hypercall_page = (k->hypercall_page << PAGE_SHIFT) + k->virt_base;
    if (!IMAGE_GAVE(k, XEN_ELFNOTE_PADDR_OFFSET))
        k->paddr_offset = k->virt_base;
}

static const char *check_notes(const struct kernel_image *k)
{
    if (k->bad_note != NULL)
        return k->bad_note;
    if (IMAGE_GAVE(k, XEN_ELFNOTE_PHYS32_ENTRY) && !IMAGE_GAVE(k, XEN_ELFNOTE_XEN_VERSION))
        return "not a PV kernel: its Xen notes name a PVH entry only";
    if (strncmp(k->xen_version, "xen-3.0", 7) != 0)
        return "not made for this interface: its Xen notes do not say xen-3.0";
    if (strncmp(k->loader, "generic", 7) != 0 && strncmp(k->guest_os, "linux", 5) != 0)
        return "not made for the generic loader, say its Xen notes";
    if (IMAGE_GAVE(k, XEN_ELFNOTE_PADDR_OFFSET) && !IMAGE_GAVE(k, XEN_ELFNOTE_VIRT_BASE))
        return "its Xen notes name a PADDR_OFFSET but no VIRT_BASE";
    return NULL;
}

/* Defaults for missing notes: virt_base 0, paddr_offset 0, the entry of the ELF header. Symbols are
 * placed behind the kernel, as a part of it. */
static const char *place_image(struct kernel_image *k)
{
    uint64_t end = k->elf.paddr_end;
    const char *reason = k->wants_symbols ? elf_symbols_find(&k->elf, &k->symbols) : NULL;

    if (reason != NULL)
        return reason;
    if (!IMAGE_GAVE(k, XEN_ELFNOTE_ENTRY))
        k->entry = k->elf.entry;
    if (k->symbols.bytes != 0) {
        k->symbols_paddr = ALIGN_UP(end, 8ull);
        end = k->symbols_paddr + k->symbols.bytes;
        if (end < k->elf.paddr_end)
            return "its address range wraps around where its symbols would be";
    }
    if (k->virt_base & ~PAGE_MASK || !is_canonical(k->virt_base))
        return "its virtual base is no page address";
    if (k->elf.paddr_start < k->paddr_offset)
        return "a segment lies outside its address range, before the virtual base";
    k->virt_start = k->virt_base + (k->elf.paddr_start - k->paddr_offset);
    k->virt_end = k->virt_start + (end - k->elf.paddr_start);
    return NULL;
}

/* As in Xen, the entry may be exactly at the image's end, and the hypercall page need only overlap
 * the image. */
static const char *check_addresses(const struct kernel_image *k)
{
    if (k->virt_start < k->virt_base || k->virt_end < k->virt_start ||
        !guest_range_ok(k->virt_start, k->virt_end - k->virt_start))
        return "too large for its address: the range wraps around or lies in the hypervisor's";
    if (k->entry < k->virt_start || k->entry > k->virt_end)
        return "its entry point lies outside the image";
    if (IMAGE_GAVE(k, XEN_ELFNOTE_HYPERCALL_PAGE) &&
        (k->hypercall_page < k->virt_base || k->hypercall_page >= ALIGN_UP(k->virt_end, PAGE_SIZE)))
        return "its hypercall page lies outside the image";
    if (IMAGE_GAVE(k, XEN_ELFNOTE_INIT_P2M) && k->init_p2m >= k->virt_start &&
        k->init_p2m < k->virt_end)
        return "the address of its INIT_P2M note lies in the image";
    return NULL;
}

static bool is_bzimage(const void *data, uint64_t size)
{
    return size >= BZIMAGE_MAGIC_AT + 4 &&
           memcmp((const char *)data + BZIMAGE_MAGIC_AT, "HdrS", 4) == 0;
}

bool image_is_kernel(const void *data, uint64_t size)
{
    return elf_magic(data, size) || is_bzimage(data, size);
}

/* Recognises packed kernels (bzImage, gzip ...) for a clear message; they are not unpacked here. */
static const char *check_packing(const void *data, uint64_t size)
{
    if (is_bzimage(data, size))
        return "a bzImage: tools/unpack-kernel makes an ELF file of it, and so does make run "
               "KERNEL=";
    if (size >= 2 && memcmp(data, "\x1f\x8b", 2) == 0)
        return "not an ELF file but one packed by gzip: tools/unpack-kernel unpacks a kernel, and "
               "so does make run KERNEL=";
    return NULL;
}

const char *image_parse(struct kernel_image *k, const void *data, uint64_t size)
{
    const char *reason = check_packing(data, size), *text;
    uint64_t len;

    *k = (struct kernel_image){ .given = 0 };
    if (reason == NULL)
        reason = elf_parse(&k->elf, data, size);
    if (reason != NULL)
        return reason;
    if (elf_for_each_note(&k->elf, "Xen", set_note, k) == 0) {
        text = elf_section(&k->elf, "__xen_guest", &len);
        if (text == NULL)
            return "not a PV kernel: an ELF file without Xen notes";
        set_guest_string(k, text, len);
    }
    reason = check_notes(k);
    if (reason == NULL)
        reason = place_image(k);
    return reason != NULL ? reason : check_addresses(k);
}
