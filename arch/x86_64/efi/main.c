/* xen.efi: the hypervisor as a UEFI application. This file calls the other parts in order: command
 * line, configuration file, modules; then handover.c starts the hypervisor. For an error before
 * that, one line is printed, all memory is freed, and the application returns to the firmware. */
#include "arch/x86_64/efi/stub.h"
#include "common/printf.h"
#include "common/string.h"

#define CHAIN_MAX 8                     /* chain= may form a loop: at most so many files are read */
/* Tenths of a second to read a message, before the firmware clears the screen. */
#define READ_TIME 50

static const char usage[] =
    "xen.efi [-cfg=FILE] [SECTION] [-- OPTIONS OF THE HYPERVISOR]\n"
    "FILE is xen.cfg, or this program's own name with .cfg, in its directory.\n";

/* Longer than the hypervisor's limit, which is checked later. */
static char load_options[4096];
static bool from_shell;

static bool ends_in_efi(const char *word, size_t len)
{
    static const char suffix[] = ".efi";

    for (size_t i = 0; len >= 4 && i < 4; i++)
        if ((word[len - 4 + i] | 0x20) != (suffix[i] | 0x20))
            return false;
    return len >= 4;
}

/* Adds text to the load options at *n. False: it is not text. */
static bool add_text(const CHAR16 *text, size_t len, size_t *n)
{
    for (size_t i = 0; i < len && text[i] != 0 && *n < sizeof(load_options) - 1; i++) {
        if ((text[i] < ' ' && text[i] != '\t') || text[i] > '~')
            return false;
        load_options[(*n)++] = (char)text[i];
    }
    load_options[*n] = '\0';
    return true;
}

/* The command line of xen.efi, without the program's name: the shell passes the name separately,
 * boot loaders and boot entries may put it in front. Load options that are not text are ignored;
 * some firmware passes other data there. */
static char *read_load_options(EFI_HANDLE image)
{
    static EFI_GUID loaded_image = EFI_LOADED_IMAGE_PROTOCOL_GUID,
                    shell_guid = EFI_SHELL_PARAMETERS_PROTOCOL_GUID;
    EFI_SHELL_PARAMETERS_PROTOCOL *shell;
    EFI_LOADED_IMAGE *self;
    size_t n = 0, name = 0;

    from_shell = BS->HandleProtocol(image, &shell_guid, (void **)&shell) == EFI_SUCCESS;
    for (UINTN i = 1; from_shell && i < shell->Argc; i++)
        if (!add_text(shell->Argv[i], SIZE_MAX, &n) || !add_text(L" ", 1, &n))
            load_options[n = 0] = '\0';
    if (from_shell || BS->HandleProtocol(image, &loaded_image, (void **)&self) != EFI_SUCCESS ||
        !self->LoadOptions)
        return load_options;
    if (!add_text(self->LoadOptions, self->LoadOptionsSize / sizeof(CHAR16), &n))
        load_options[0] = '\0';
    while (load_options[name] != '\0' && load_options[name] != ' ')
        name++;
    return ends_in_efi(load_options, name) ? load_options + name : load_options;
}

static EFI_STATUS find_config(const struct command *command, char *name, size_t size,
                              struct file *f)
{
    EFI_STATUS status = EFI_NOT_FOUND;

    if (command->file != NULL) {
        if (!copy_string(name, command->file, size))
            return fail(EFI_INVALID_PARAMETER, "the name behind -cfg= is too long: %.40s...",
                        command->file);
        return file_load(name, false, f);
    }
    for (unsigned i = 0;
         status == EFI_NOT_FOUND && config_default_name(files_program(), i, name, size); i++)
        status = file_load(name, true, f);
    if (status == EFI_NOT_FOUND)
        return fail(status, "no configuration: there is no xen.cfg in %s\\", files_directory());
    return status;
}

/* Follows chain= while the section is not in the file. */
static EFI_STATUS read_config(const struct command *command, struct plan *plan)
{
    char name[256];
    struct file f = { NULL, 0 };
    EFI_STATUS status = find_config(command, name, sizeof(name), &f);
    const char *section = NULL, *chain, *reason;
    struct config c;

    for (unsigned i = 0; status == EFI_SUCCESS; i++) {
        config_init(&c, f.data, f.size);
        section = config_section(&c, section != NULL ? section : command->section);
        chain = config_value(&c, "global", "chain");
        if (chain == NULL || i == CHAIN_MAX || (section != NULL && config_has_section(&c, section)))
            break;
        if (!copy_string(name, chain, sizeof(name)))
            return fail(EFI_INVALID_PARAMETER, "the name behind chain= is too long: %.40s...",
                        chain);
        status = file_load(name, false, &f);
    }
    if (status != EFI_SUCCESS)
        return status;
    if (section == NULL)
        return fail(EFI_NOT_FOUND, "%s names no kernel: it wants a section with kernel=", name);
    if (!config_has_section(&c, section))
        return fail(EFI_NOT_FOUND, "there is no section \"%s\" in %s", section, name);
    reason = config_plan(&c, section, plan);
    if (reason != NULL)
        return fail(EFI_LOAD_ERROR, "section \"%s\" of %s: %s", section, name, reason);
    return EFI_SUCCESS;
}

static EFI_STATUS load_module(struct boot_info *info, const char *value, bool is_kernel)
{
    struct boot_module *m = &info->modules[info->nr_modules];
    char name[256];
    const char *reason;
    struct file f;
    EFI_STATUS status;

    if (info->nr_modules == ARRAY_SIZE(info->modules))
        return fail(EFI_OUT_OF_RESOURCES, "more than %u files", BOOT_MODULES);
    if (!config_file_name(value, name, sizeof(name)) ||
        !copy_string(m->string, value, sizeof(m->string)))
        return fail(EFI_INVALID_PARAMETER, "a kernel= or ramdisk= line is too long: %.40s...",
                    value);
    status = file_load(name, false, &f);
    if (status != EFI_SUCCESS)
        return status;
    reason = is_kernel ? kernel_reason(f.data, f.size) : NULL;
    if (reason != NULL)
        return fail(EFI_LOAD_ERROR, "%s: %s", name, reason);
    m->start = (uint64_t)f.data;
    m->size = f.size;
    info->nr_modules++;
    return EFI_SUCCESS;
}

static EFI_STATUS load_modules(struct boot_info *info, const struct plan *plan)
{
    EFI_STATUS status = EFI_SUCCESS;

    for (unsigned i = 0; i < plan->nr_guests && status == EFI_SUCCESS; i++) {
        status = load_module(info, plan->guest[i].kernel, true);
        if (status == EFI_SUCCESS && plan->guest[i].ramdisk != NULL)
            status = load_module(info, plan->guest[i].ramdisk, false);
    }
    return status;
}

/* Refuses a configuration for which there is certainly not enough memory, while xen.efi can still
 * return to the firmware: the sum of the guests' mem=, the modules, and the M2P. */
static EFI_STATUS check_memory(struct boot_info *info, const struct plan *plan)
{
    uint64_t wanted = 0, there = 0;
    struct efi_map map;
    UINTN key;

    if (pages_map(&map, &key) != EFI_SUCCESS)
        return fail(EFI_OUT_OF_RESOURCES, "the firmware does not give its memory map");
    memory_parse(info, &map, 0, 0);
    for (unsigned i = 0; i < info->nr_ranges; i++)
        there += info->ranges[i].end - info->ranges[i].start;
    for (unsigned i = 0; i < plan->nr_guests; i++)
        wanted += config_memory(plan->guest[i].kernel);
    for (unsigned i = 0; i < info->nr_modules; i++)
        wanted += info->modules[i].size;
    wanted += info->nr_ranges != 0
                  ? info->ranges[info->nr_ranges - 1].end / EFI_PAGE * sizeof(uint64_t)
                  : 0;
    if (wanted <= there)
        return EFI_SUCCESS;
    return fail(EFI_OUT_OF_RESOURCES,
                "not enough memory: the guests and their files want %lu MiB, there are %lu",
                wanted >> 20, there >> 20);
}

static EFI_STATUS run(EFI_HANDLE image)
{
    static struct plan plan;
    struct boot_info *info = NULL;
    struct command command;
    const char *reason = command_parse(&command, read_load_options(image));
    EFI_STATUS status;

    print_use_serial(command.options);
    if (command.help) {
        print("%s", usage);
        return EFI_SUCCESS;
    }
    if (reason != NULL)
        return fail(EFI_INVALID_PARAMETER, "%s", reason);
    status = files_init(image);
    if (status == EFI_SUCCESS)
        status = read_config(&command, &plan);
    if (status != EFI_SUCCESS)
        return status;
    print_use_serial(plan.options);
    /* The last com1= counts, as in the hypervisor. */
    print_use_serial(command.options);
    for (unsigned i = 0; i < MIN(plan.nr_ignored, ARRAY_SIZE(plan.ignored)); i++)
        print("Paragon: this means nothing here: %.80s\n", plan.ignored[i]);
    if (plan.nr_ignored > ARRAY_SIZE(plan.ignored))
        print("Paragon: nor do %lu more lines\n", plan.nr_ignored - ARRAY_SIZE(plan.ignored));
    status = handover_prepare(&info);
    if (status != EFI_SUCCESS)
        return status;
    if (snprintf(info->cmdline, sizeof(info->cmdline), "%s %s %s", files_program(), plan.options,
                 command.options) >= (int)sizeof(info->cmdline))
        return fail(EFI_INVALID_PARAMETER, "the options are too long: %.40s...", plan.options);
    status = load_modules(info, &plan);
    if (status == EFI_SUCCESS)
        status = check_memory(info, &plan);
    return status == EFI_SUCCESS ? handover(image, info) : status;
}

/* Waits before returning to a boot manager, which clears the screen; the shell does not. */
static void let_it_be_read(void)
{
    EFI_INPUT_KEY key;

    for (unsigned i = 0; !from_shell && ST->ConIn != NULL && i < READ_TIME; i++) {
        if (ST->ConIn->ReadKeyStroke(ST->ConIn, &key) == EFI_SUCCESS)
            break;
        BS->Stall(100000);
    }
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table);
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
    EFI_STATUS status;

    InitializeLib(image, system_table);
    /* Reading large files from slow media may take longer. */
    BS->SetWatchdogTimer(0, 0, 0, NULL);
    print_init();
    status = run(image);
    files_close();
    pages_free_all();
    if (status != EFI_SUCCESS)
        let_it_be_read();
    return status;
}
