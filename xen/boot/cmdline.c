/* The hypervisor's command line: a table of options, with the names and meanings that they have in
 * Xen, and a list of Xen's options that have no meaning here and are accepted without a warning.
 * Each handler stores its value where it is used. Called by main.c. Words of modules are
 * module_words.c's. */
#include "common/string.h"
#include "xen/boot/cmdline.h"
#include "xen/core/guest_log.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/sched.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_sink.h"

static bool is_word(const char *value, const char *const *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(value, list[i]) == 0)
            return true;
    return false;
}

/* A boolean as in Xen: without a value it is on; "no-" before the name inverts it (parse loop
 * below). */
static bool parse_bool(const char *value, bool *on)
{
    static const char *const yes[] = { "", "1", "yes", "on", "true", "enable" };
    static const char *const no[] = { "0", "no", "off", "false", "disable" };

    *on = is_word(value, yes, ARRAY_SIZE(yes));
    return *on || is_word(value, no, ARRAY_SIZE(no));
}

static bool parse_noreboot(const char *value)
{
    return parse_bool(value, &options.noreboot);
}

static bool parse_hypercall_counts(const char *value)
{
    return parse_bool(value, &options.hypercall_counts);
}

static bool parse_sync_console(const char *value)
{
    return parse_bool(value, &options.sync_console);
}

/* console= is a list; com1 is the only console here, and the others that Xen knows are skipped. */
static bool parse_console(const char *value)
{
    options.no_console = strncmp(value, "none", 4) == 0;
    return *value != '\0';
}

static bool parse_console_raw(const char *value)
{
    bool on;

    if (strcmp(value, "auto") == 0)
        options.console_raw = RAW_AUTO;
    else if (parse_bool(value, &on))
        options.console_raw = on ? RAW_ON : RAW_OFF;
    else
        return false;
    return true;
}

/* com1=<baud>[/<clock>][,DPS[,<port>]]; DPS is ignored, the format is always 8n1. */
static bool parse_com1(const char *value)
{
    const char *end, *comma;
    uint64_t baud = parse_number(value, &end), port;

    if (end == value && strncmp(value, "auto", 4) != 0)
        return false;
    if (baud > 115200 || (baud != 0 && 115200 % baud != 0))
        return false;
    comma = strchr(value, ',');
    comma = comma != NULL ? strchr(comma + 1, ',') : NULL;
    if (comma != NULL) {
        port = parse_number(comma + 1, &end);
        if (end == comma + 1 || port > 0xfff8)
            return false;
        options.com1_port = (uint16_t)port;
    }
    options.com1_baud = (uint32_t)baud;
    return true;
}

static const struct {
    const char *name;
    enum log_level level;
} levels[] = {
    { "none", LOG_NONE }, { "error", LOG_ERR }, { "warning", LOG_WARNING }, { "info", LOG_INFO },
    { "debug", LOG_DEBUG }, { "all", LOG_DEBUG },
};

/* <level>[/<rate-limited level>]: the last one counts. Lines that guests cause are rate limited in
 * any case. */
static bool parse_level(const char *value, enum log_level *level)
{
    const char *slash = strchr(value, '/');

    value = slash != NULL ? slash + 1 : value;
    for (unsigned i = 0; i < ARRAY_SIZE(levels); i++)
        if (strcmp(value, levels[i].name) == 0) {
            *level = levels[i].level;
            return true;
        }
    return false;
}

static bool parse_loglvl(const char *value)
{
    return parse_level(value, &log_threshold);
}

static bool parse_guest_loglvl(const char *value)
{
    return parse_level(value, &guest_log_threshold);
}

static bool parse_slice(const char *value)
{
    const char *end;
    uint64_t ms = parse_number(value, &end);

    if (end == value || *end != '\0' || ms < 1 || ms > 1000)
        return false;
    sched_slice_us = (unsigned)ms * 1000;
    return true;
}

static bool parse_trace(const char *value)
{
    trace_config.wanted = trace_parse(value, &trace_config.classes);
    return trace_config.wanted;
}

static bool parse_trace_size(const char *value)
{
    const char *end;
    uint64_t bytes = parse_size(value, &end);

    if (end == value || *end != '\0' || bytes < 64ul << 10 || bytes > 1ul << 30)
        return false;
    trace_config.size = bytes;
    return true;
}

static bool parse_trace_lines(const char *value)
{
    const char *end;
    uint64_t lines = parse_number(value, &end);

    if (end == value || *end != '\0' || lines > 100000)
        return false;
    trace_config.lines = (unsigned)lines;
    return true;
}

static bool parse_tsc(const char *value)
{
    static const char *const trusted[] = { "stable", "stable:socket" };
    static const char *const doubted[] = { "unstable", "skewed" };
    bool stable = is_word(value, trusted, ARRAY_SIZE(trusted));

    if (!stable && !is_word(value, doubted, ARRAY_SIZE(doubted)))
        return false;
    options.tsc = stable ? TSC_STABLE : TSC_UNSTABLE;
    return true;
}

static bool parse_wallclock(const char *value)
{
    static const char *const sources[] = { [WALLCLOCK_AUTO] = "auto", [WALLCLOCK_CMOS] = "cmos",
                                           [WALLCLOCK_EFI] = "efi" };

    for (unsigned i = 0; i < ARRAY_SIZE(sources); i++)
        if (strcmp(value, sources[i]) == 0) {
            options.wallclock = (enum wallclock)i;
            return true;
        }
    return false;
}

/* 0 is the same as 1. */
static bool parse_maxcpus(const char *value)
{
    const char *end;
    uint64_t n = parse_number(value, &end);

    if (end == value || *end != '\0')
        return false;
    options.max_cpus = (unsigned)MIN(MAX(n, 1u), UINT32_MAX);
    return true;
}

/* KIND:N; the architecture knows the kinds. */
static bool parse_cpu_fault(const char *value)
{
    const char *colon = strchr(value, ':'), *end;
    size_t len = colon != NULL ? (size_t)(colon - value) : 0;

    if (len == 0 || len >= sizeof(options.cpu_fault))
        return false;
    options.cpu_fault_at = (unsigned)parse_number(colon + 1, &end);
    memcpy(options.cpu_fault, value, len);
    options.cpu_fault[len] = '\0';
    return end != colon + 1 && *end == '\0';
}

static bool parse_nosmp(const char *value)
{
    return parse_bool(value, &options.nosmp);
}

static const struct {
    const char *name;
    bool (*parse)(const char *value);    /* false: not a value for it */
} table[] = {
    { "com1", parse_com1 },
    { "console", parse_console },
    { "console_raw", parse_console_raw },
    { "cpu_fault", parse_cpu_fault },
    { "guest_loglvl", parse_guest_loglvl },
    { "hypercall_counts", parse_hypercall_counts },
    { "loglvl", parse_loglvl },
    { "maxcpus", parse_maxcpus },
    { "noreboot", parse_noreboot },
    { "nosmp", parse_nosmp },
    { "sched_credit_tslice_ms", parse_slice },
    { "sync_console", parse_sync_console },
    { "trace", parse_trace },
    { "trace_lines", parse_trace_lines },
    { "trace_size", parse_trace_size },
    { "trace_to", trace_sink_parse },
    { "tsc", parse_tsc },
    { "wallclock", parse_wallclock },
};

/* Xen's options about what is not here: devices, domain 0, other kinds of guests, workarounds for
 * CPU bugs. */
static const char *const meaningless[] = {
    "acpi", "apic", "apic_verbosity", "asid", "bootscrub", "clocksource", "com2", "conring_size",
    "console_timestamps", "console_to_ring", "conswitch", "cpufreq", "cpuidle", "crashkernel",
    "dbgp", "dom0", "dom0_max_vcpus", "dom0_mem", "dom0_nodes", "dom0_vcpus_pin", "e820-verbose",
    "edd", "ept", "flask", "gdb", "gnttab_max_frames", "hap", "hpet", "invpcid", "iommu",
    "irqbalance", "max_cstate", "mce", "mem", "nmi", "no-real-mode", "numa",
    "pcid", "placeholder", "psr", "pv", "pv-l1tf", "pv-linear-pt", "reboot", "sched",
    "sched_ratelimit_us", "smap", "smep", "smt", "spec-ctrl", "tickle_one_idle", "timer_slop",
    "tsx", "ucode", "vga", "vpmu", "watchdog", "watchdog_timeout", "x2apic", "xpti", "xsave",
};

static bool try_option(const char *name, const char *value)
{
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        if (strcmp(name, table[i].name) == 0) {
            if (!table[i].parse(value))
                log_warning("option \"%s\": \"%s\" is not a value for it, ignored", name, value);
            return true;
        }
    if (!is_word(name, meaningless, ARRAY_SIZE(meaningless)))
        return false;
    log_info("option \"%s\" means nothing here", name);
    return true;
}

static void parse_option(char *word)
{
    char *equals = strchr(word, '=');

    if (equals != NULL)
        *equals = '\0';
    if (try_option(word, equals != NULL ? equals + 1 : ""))
        return;
    if (strncmp(word, "no-", 3) == 0 && equals == NULL && try_option(word + 3, "no"))
        return;
    log_warning("option \"%s\" is unknown, ignored", word);
}

/* The string has no file name in front (boot_string). The word "--" ends the hypervisor's
 * options. */
void options_parse(const char *cmdline)
{
    char word[128];

    for (const char *p = cmdline; *p != '\0';) {
        size_t n = 0;

        for (; *p != '\0' && *p != ' '; p++)
            if (n < sizeof(word) - 1)
                word[n++] = *p;
        word[n] = '\0';
        if (strcmp(word, "--") == 0)
            return;
        if (n == sizeof(word) - 1)
            log_warning("option \"%.40s...\" is too long, ignored", word);
        else if (n != 0)
            parse_option(word);
        while (*p == ' ')
            p++;
    }
}
