/* xen.efi's two inputs as text: its command line and its configuration file. Knows nothing of
 * EFI. */
#ifndef EFI_CONFIG_H
#define EFI_CONFIG_H

#include "xen/boot/boot_info.h"
#include "common/compiler.h"

/* xen.efi [-cfg=FILE] [SECTION] [-- OPTIONS OF THE HYPERVISOR] */
struct command {
    const char *file;               /* NULL: not said */
    const char *section;            /* the same */
    const char *options;            /* never NULL */
    bool help;
};

/* A configuration file made ready: its lines trimmed, each with its NUL, without comments and empty
 * ones. */
struct config {
    const char *text, *end;
};

/* What a section asks for. Texts point into the file. */
struct plan {
    const char *options;            /* never NULL */
    unsigned nr_guests;
    struct {
        const char *kernel, *ramdisk;       /* file name, then words; ramdisk may be NULL */
    } guest[BOOT_MODULES];
    unsigned nr_ignored;
    /* lines whose key means nothing here, the first of nr_ignored */
    const char *ignored[8];
};

/* Both cut the text into pieces where it stands. command_parse: NULL, or what is wrong with it.
 * config_init: the byte behind the text is ours too. */
const char *command_parse(struct command *c, char *text);
void config_init(struct config *c, char *text, size_t size);

/* The first value of that key in that section; NULL: none. Section NULL: before any header. */
const char *config_value(const struct config *c, const char *section, const char *key);
/* The section to take: the wanted one, else what default= says, else the first with a kernel (or,
 * without any header, the file itself: ""). NULL: there is none. */
const char *config_section(const struct config *c, const char *wanted);
bool config_has_section(const struct config *c, const char *section);
/* NULL, or what is wrong with the section. What it does not say, [global] may. */
const char *config_plan(const struct config *c, const char *section, struct plan *plan);

/* The first word of a kernel= or ramdisk= value; false: it does not fit. */
bool config_file_name(const char *value, char *name, size_t size);
/* Bytes that the words of a kernel= value ask for (mem=); 0: they do not say. */
uint64_t config_memory(const char *value);
/* The name of the i-th configuration file to look for, for a program of this name: as Xen does, its
 * own name with .cfg, then shortened at '-' and '.' from behind, then xen.cfg. False: that was
 * all. */
bool config_default_name(const char *program, unsigned i, char *name, size_t size);

#endif
