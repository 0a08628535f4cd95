/* Parses xen.cfg, which has the form of Xen's: [sections] of key=value lines, where [global] has
 * the defaults of all others. Beyond Xen's, a section may have several kernel= lines: each begins a
 * domain, and a ramdisk= belongs to the kernel= above it (or to the first, if it is before it).
 * Called by main.c; it calls no firmware, so that the host tests can use it. */
#include "common/string.h"
#include "arch/x86_64/efi/config.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_blanks(const char *s)
{
    while (is_blank(*s))
        s++;
    return s;
}

/* The UEFI shell's editor writes UTF-16 with a byte order mark. It is converted to ASCII; names in
 * the file can have no other characters. */
static size_t from_utf16(char *text, size_t size)
{
    size_t n = 0;

    if (size < 2 || memcmp(text, "\xff\xfe", 2) != 0)
        return size;
    for (size_t i = 2; i + 1 < size; i += 2)
        text[n++] = text[i + 1] == 0 ? text[i] : '?';
    return n;
}

void config_init(struct config *c, char *text, size_t size)
{
    const char *p = text, *end;
    char *to = text;

    size = from_utf16(text, size);
    end = text + size;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        p += 3;                             /* byte order mark of UTF-8 */
    while (p < end) {
        const char *line_end = p, *next;

        while (line_end < end && *line_end != '\n' && *line_end != '\0')
            line_end++;
        next = line_end + 1;
        while (p < line_end && is_blank(*p))
            p++;
        while (line_end > p && is_blank(line_end[-1]))
            line_end--;
        if (p < line_end && *p != '#' && *p != ';') {
            memmove(to, p, (size_t)(line_end - p));
            to += line_end - p;
            *to++ = '\0';
        }
        p = next;
    }
    c->text = text;
    c->end = to;
}

/* The line is the header "[name]". */
static bool header_is(const char *line, const char *section)
{
    size_t len = strlen(section);

    line = skip_blanks(line + 1);
    if (strncmp(line, section, len) != 0)
        return false;
    line = skip_blanks(line + len);
    return *line == ']' || *line == '\0';
}

/* The value of a "key = value" line of that key; NULL: it is none. */
static const char *value_of(const char *line, const char *key)
{
    size_t len = strlen(key);

    if (strncmp(line, key, len) != 0)
        return NULL;
    line = skip_blanks(line + len);
    return *line == '=' ? skip_blanks(line + 1) : NULL;
}

static bool is_header(const char *line)
{
    return line[0] == '[';
}

static const char *line_after(const struct config *c, const char *line)
{
    line += strlen(line) + 1;
    return line < c->end ? line : NULL;
}

static const char *first_line(const struct config *c)
{
    return c->text < c->end ? c->text : NULL;
}

/* The first line inside of a section; section "" is what comes before any header. */
static const char *section_start(const struct config *c, const char *section, bool *found)
{
    const char *line = first_line(c);

    *found = section[0] == '\0';
    while (!*found && line != NULL) {
        *found = is_header(line) && header_is(line, section);
        line = line_after(c, line);
    }
    return line != NULL && !is_header(line) ? line : NULL;
}

static const char *line_inside(const struct config *c, const char *line)
{
    line = line_after(c, line);
    return line != NULL && !is_header(line) ? line : NULL;
}

bool config_has_section(const struct config *c, const char *section)
{
    bool found;

    section_start(c, section, &found);
    return found;
}

const char *config_value(const struct config *c, const char *section, const char *key)
{
    bool found;

    for (const char *line = section_start(c, section, &found); line != NULL;
         line = line_inside(c, line)) {
        const char *value = value_of(line, key);

        if (value != NULL)
            return value;
    }
    return NULL;
}

/* The section to use in a file without default=: "" for the lines before any header, if there is a
 * kernel, or the header line of the first section with a kernel; NULL: neither. */
static const char *first_section(const struct config *c)
{
    const char *header = "";

    for (const char *line = first_line(c); line != NULL; line = line_after(c, line)) {
        if (is_header(line))
            header = line;
        else if (value_of(line, "kernel") != NULL &&
                 (*header == '\0' || !header_is(header, "global")))
            return header;
    }
    return NULL;
}

const char *config_section(const struct config *c, const char *wanted)
{
    static char name[64];
    const char *header;
    size_t n = 0;

    if (wanted == NULL)
        wanted = config_value(c, "global", "default");
    if (wanted != NULL && *wanted != '\0')
        return wanted;
    header = first_section(c);
    if (header == NULL || *header == '\0')
        return header;
    for (header = skip_blanks(header + 1);
         *header != '\0' && *header != ']' && n < sizeof(name) - 1; header++)
        name[n++] = *header;
    while (n > 0 && is_blank(name[n - 1]))
        n--;
    name[n] = '\0';
    return name;
}

static const char *add_guest(struct plan *plan, const char *kernel)
{
    if (plan->nr_guests == ARRAY_SIZE(plan->guest))
        return "too many kernel= lines";
    if (*kernel == '\0')
        return "a kernel= without a file name";
    plan->guest[plan->nr_guests++].kernel = kernel;
    return NULL;
}

/* A ramdisk= before the first kernel= belongs to the first kernel, whose entry is filled in
 * already. */
static const char *add_ramdisk(struct plan *plan, const char *ramdisk)
{
    unsigned i = plan->nr_guests != 0 ? plan->nr_guests - 1 : 0;

    if (*ramdisk == '\0')
        return NULL;
    if (plan->guest[i].ramdisk != NULL)
        return "two ramdisk= lines for one kernel";
    plan->guest[i].ramdisk = ramdisk;
    return NULL;
}

static const char *parse_guests(const struct config *c, const char *section, struct plan *plan)
{
    const char *reason = NULL;
    bool found;

    for (const char *line = section_start(c, section, &found); line && !reason;
         line = line_inside(c, line)) {
        const char *value;

        if ((value = value_of(line, "kernel")) != NULL)
            reason = add_guest(plan, value);
        else if ((value = value_of(line, "ramdisk")) != NULL)
            reason = add_ramdisk(plan, value);
        else if (value_of(line, "options") == NULL && value_of(line, "default") == NULL &&
                 value_of(line, "chain") == NULL && plan->nr_ignored++ < ARRAY_SIZE(plan->ignored))
            plan->ignored[plan->nr_ignored - 1] = line;
    }
    return reason;
}

const char *config_plan(const struct config *c, const char *section, struct plan *plan)
{
    const char *reason;

    memset(plan, 0, sizeof(*plan));
    reason = parse_guests(c, section, plan);
    if (reason == NULL && plan->nr_guests == 0)
        reason = parse_guests(c, "global", plan);
    if (reason == NULL && plan->nr_guests == 0)
        reason = "no kernel= in it";
    plan->options = config_value(c, section, "options");
    if (plan->options == NULL)
        plan->options = config_value(c, "global", "options");
    if (plan->options == NULL)
        plan->options = "";
    return reason;
}

bool config_file_name(const char *value, char *name, size_t size)
{
    size_t n = 0;

    while (value[n] != '\0' && !is_blank(value[n]))
        n++;
    if (n >= size)
        return false;
    memcpy(name, value, n);
    name[n] = '\0';
    return true;
}

uint64_t config_memory(const char *value)
{
    uint64_t bytes = 0;
    bool ours = false;

    for (const char *p = value; *p != '\0';) {
        const char *end;

        while (*p != '\0' && !is_blank(*p))
            p++;
        p = skip_blanks(p);
        if (strncmp(p, "mem=", 4) == 0)
            bytes = parse_size(p + 4, &end);
        ours = strncmp(p, "--", 2) == 0 && (p[2] == '\0' || is_blank(p[2]));
        if (ours)
            break;
    }
    /* Without "--" all words are the guest's command line. */
    return ours ? bytes : 0;
}

bool config_default_name(const char *program, unsigned i, char *name, size_t size)
{
    size_t len = strlen(program);
    bool dot_seen = false;

    for (size_t at = len; at > 0; at--) {
        if (program[at - 1] != '.' && (program[at - 1] != '-' || !dot_seen))
            continue;
        dot_seen = true;
        if (i-- != 0)
            continue;
        if (at + 4 > size)
            return false;
        memcpy(name, program, at - 1);
        memcpy(name + at - 1, ".cfg", 5);
        return true;
    }
    return i == 0 && copy_string(name, "xen.cfg", size);
}
