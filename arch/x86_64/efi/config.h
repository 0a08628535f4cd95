/* xen.efi's two inputs: its command line and its configuration file. */
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

/* A parsed configuration file: its lines without blanks at the ends, each with a NUL, without
 * comments and empty lines. */
struct config {
    const char *text, *end;
};

/* The values of a section. Texts point into the file. */
struct plan {
    const char *options;            /* never NULL */
    unsigned nr_guests;
    struct {
        const char *kernel, *ramdisk;       /* file name, then words; ramdisk may be NULL */
    } guest[BOOT_MODULES];
    unsigned nr_ignored;
    /* Lines whose key means nothing here, the first of nr_ignored. */
    const char *ignored[8];
};

/* Both write NULs into the text. command_parse returns NULL, or what is wrong with the text.
 * config_init may write the byte behind the text. */
const char *command_parse(struct command *c, char *text);
void config_init(struct config *c, char *text, size_t size);

/* The first value of that key in that section; NULL: none. Section NULL: before any header. */
const char *config_value(const struct config *c, const char *section, const char *key);
/* The section to use: the wanted one, else that of default=, else the first with a kernel (or, in a
 * file without headers, ""). NULL: there is none. */
const char *config_section(const struct config *c, const char *wanted);
bool config_has_section(const struct config *c, const char *section);
/* Returns NULL, or what is wrong with the section. Values that it lacks are taken from [global]. */
const char *config_plan(const struct config *c, const char *section, struct plan *plan);

/* The first word of a kernel= or ramdisk= value; false: it does not fit. */
bool config_file_name(const char *value, char *name, size_t size);
/* The bytes of mem= among the words of a kernel= value; 0: there is no mem=. */
uint64_t config_memory(const char *value);
/* The name of the i-th configuration file to look for, as in Xen: the program's name with .cfg,
 * then the name cut at its last '-' or '.', and so on, then xen.cfg. False: there are no more. */
bool config_default_name(const char *program, unsigned i, char *name, size_t size);

#endif
