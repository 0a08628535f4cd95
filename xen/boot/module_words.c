/* Parses the words for the hypervisor in a module's string, before "--": name, memory, vCPUs and
 * others. The words behind "--" are the guest's command line. Called by modules.c. */
#include "common/string.h"
#include "xen/boot/module_words.h"
#include "xen/core/log.h"
#include "xen/core/trace_control.h"

#define DEFAULT_MAX_PORT 1023u          /* the default of Xen's toolstack */
#define GUEST_WEIGHT 256u               /* without weight= */
/* The store and the driver domain wait behind no guest: many guests wait for each of them. */
#define SERVICE_WEIGHT 8192u
#define WORD_MAX 160u                   /* longer than every valid word */
#define MAX_DISK_NAME 16u               /* with the NUL: the driver domain's and the guest's */

static bool word_number(const char *value, uint64_t min, uint64_t max, unsigned *out)
{
    const char *end;
    uint64_t n = parse_number(value, &end);

    *out = (unsigned)n;
    return end != value && *end == '\0' && n >= min && n <= max;
}

static bool word_name(struct domain_config *c, const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return *value != '\0' && copy_string(c->name, value, sizeof(c->name));
}

static bool word_mem(struct domain_config *c, const char *value)
{
    const char *end;

    c->mem_bytes = parse_size(value, &end);
    return end != value && *end == '\0' && c->mem_bytes >= PAGE_SIZE;
}

static bool word_vcpus(struct domain_config *c, const char *value)
{
    return word_number(value, 1, MAX_VCPUS, &c->vcpus);
}

static bool word_weight(struct domain_config *c, const char *value)
{
    return word_number(value, 1, 65535, &c->weight);
}

/* As in Xen: 100 is one CPU, 400 are four. */
static bool word_cap(struct domain_config *c, const char *value)
{
    return word_number(value, 0, 100 * MAX_CPU_NUMBERS, &c->cap);
}

/* "all", or numbers and ranges: "0-3,8". */
static bool parse_cpus(struct cpu_set *set, const char *value)
{
    const char *end;
    uint64_t first, last;

    if (strcmp(value, "all") == 0)
        return memset(set, 0xff, sizeof(*set));
    memset(set, 0, sizeof(*set));
    for (;; value = end + 1) {
        first = last = parse_number(value, &end);
        if (end == value)
            return false;
        if (*end == '-') {
            value = end + 1;
            last = parse_number(value, &end);
            if (end == value)
                return false;
        }
        if (last < first || last >= MAX_CPU_NUMBERS)
            return false;
        for (; first <= last; first++)
            set->bits[first / 64] |= 1ull << first % 64;
        if (*end != ',')
            return *end == '\0';
    }
}

static bool word_cpus(struct domain_config *c, const char *value)
{
    return parse_cpus(&c->cpus, value);
}

static bool word_cpus_soft(struct domain_config *c, const char *value)
{
    return parse_cpus(&c->cpus_soft, value);
}

static bool word_max_ports(struct domain_config *c, const char *value)
{
    return word_number(value, 63, EVTCHN_FIFO_NR_CHANNELS - 1, &c->max_port);
}

static bool word_trace(struct domain_config *c, const char *value)
{
    return trace_parse(value, &c->trace);
}

/* SPEC,NAME,MODE: which disk of the driver domain, the guest's name for it, r or w. That there is
 * such a disk is the driver domain's to say. */
static bool disk_is_valid(const char *value)
{
    unsigned part = 0, len[3] = { 0 };
    const char *at[3] = { value };

    for (const char *p = value; *p != '\0'; p++) {
        if (*p != ',')
            len[part]++;
        else if (++part < 3)
            at[part] = p + 1;
        else
            return false;
    }
    return part == 2 && len[0] != 0 && len[0] < MAX_DISK_NAME && len[1] > 3 &&
           len[1] < MAX_DISK_NAME && strncmp(at[1], "xvd", 3) == 0 && len[2] == 1 &&
           (*at[2] == 'r' || *at[2] == 'w');
}

/* Empty, or an address of six bytes, and `strict` if the guest may send from no other. */
static bool vif_is_valid(const char *value)
{
    static const char form[] = "xx:xx:xx:xx:xx:xx";
    unsigned i = 0;

    if (strcmp(value, "") == 0 || strcmp(value, "strict") == 0)
        return true;
    for (; form[i] != '\0'; i++) {
        char c = value[i];
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

        if (form[i] == 'x' ? !digit : c != ':')
            return false;
    }
    return value[i] == '\0' || strcmp(value + i, ",strict") == 0;
}

/* One more byte stays: a NUL without a word ends the list. */
static bool add_device(struct domain_config *c, const char *kind, const char *value)
{
    size_t used = 0, len = strlen(kind);

    while (c->devices[used] != '\0')
        used += strlen(c->devices + used) + 1;
    if (used + len + strlen(value) + 2 > sizeof(c->devices))
        return false;
    memcpy(c->devices + used, kind, len);
    return copy_string(c->devices + used + len, value, sizeof(c->devices) - used - len);
}

static bool word_disk(struct domain_config *c, const char *value)
{
    return disk_is_valid(value) && add_device(c, "disk=", value);
}

static bool word_vif(struct domain_config *c, const char *value)
{
    return vif_is_valid(value) && add_device(c, "vif=", value);
}

/* A hexadecimal number of so many digits, and what stands behind it. */
static bool parse_hex(const char **p, unsigned digits, char behind, unsigned *out)
{
    *out = 0;
    for (; digits != 0; digits--, ++*p) {
        char c = **p;

        if (c >= '0' && c <= '9')
            *out = *out << 4 | (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            *out = *out << 4 | (unsigned)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    return behind == '\0' || *(*p)++ == behind;
}

/* BUS:DEVICE.FUNCTION, as lspci names them: "00:04.0,01:00.0". */
static bool word_pci(struct domain_config *c, const char *value)
{
    unsigned bus, device, function;

    for (;; value++) {
        if (c->pci.nr == PCI_FUNCTIONS || !parse_hex(&value, 2, ':', &bus) ||
            !parse_hex(&value, 2, '.', &device) || !parse_hex(&value, 1, '\0', &function) ||
            device > 31 || function > 7)
            return false;
        c->pci.address[c->pci.nr++] = (uint16_t)(bus << 8 | device << 3 | function);
        if (*value != ',')
            return *value == '\0';
    }
}

static const struct {
    const char *key;
    bool (*parse)(struct domain_config *c, const char *value);
} words[] = {
    { "name=", word_name }, { "mem=", word_mem }, { "vcpus=", word_vcpus },
    { "weight=", word_weight }, { "cap=", word_cap },
    { "cpus=", word_cpus }, { "cpus_soft=", word_cpus_soft },
    { "trace=", word_trace }, { "max_ports=", word_max_ports }, { "disk=", word_disk },
    { "vif=", word_vif }, { "pci=", word_pci },
};

static int parse_word(struct domain_config *c, const char *word)
{
    bool service = strcmp(word, "service") == 0, driver = strcmp(word, "driver") == 0;

    if (service || driver) {
        c->service |= service;
        c->driver |= driver;
        c->max_port = EVTCHN_FIFO_NR_CHANNELS - 1;      /* it needs a port for each guest */
        return 0;
    }
    if (strcmp(word, "vif") == 0)
        return word_vif(c, "") ? 0 : -EINVAL;
    if (strcmp(word, "vmm") == 0) {
        c->vmm = true;
        return 0;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        size_t len = strlen(words[i].key);

        if (strncmp(word, words[i].key, len) != 0)
            continue;
        if (words[i].parse(c, word + len))
            return 0;
        log_error("module word \"%s\": not a value for it", word);
        return -EINVAL;
    }
    log_warning("module word \"%s\" is unknown, ignored (a guest's own words stand behind --)",
                word);
    return 0;
}

/* The "--" that is a word of its own; NULL: none. */
static const char *find_separator(const char *s)
{
    for (const char *p = s; *p != '\0'; p++)
        if (strncmp(p, "--", 2) == 0 && (p == s || p[-1] == ' ') && (p[2] == ' ' || p[2] == '\0'))
            return p;
    return NULL;
}

int domain_config_parse(const char *string, struct domain_config *c)
{
    const char *p = string, *separator = find_separator(string);
    const char *rest = separator != NULL ? separator + 2 : string;
    char word[WORD_MAX];
    int rc = 0;

    *c = (struct domain_config){ .vcpus = 1, .max_port = DEFAULT_MAX_PORT,
                                .trace = TRACE_DEFAULT };
    (void)parse_cpus(&c->cpus, "all");
    (void)parse_cpus(&c->cpus_soft, "all");
    while (separator != NULL && p < separator) {
        size_t n = 0;

        for (; p < separator && *p != ' '; p++)
            if (n < sizeof(word) - 1)
                word[n++] = *p;
        word[n] = '\0';
        if (n == sizeof(word) - 1) {
            log_error("module word \"%.40s...\" is too long", word);
            rc = -EINVAL;
        } else if (n != 0 && parse_word(c, word) != 0) {
            rc = -EINVAL;
        }
        while (*p == ' ')
            p++;
    }
    if (c->weight == 0)
        c->weight = c->service || c->driver ? SERVICE_WEIGHT : GUEST_WEIGHT;
    while (*rest == ' ')
        rest++;
    c->cmdline = rest;
    return rc;
}
