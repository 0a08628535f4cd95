/* A program for the boot tests that fragments low memory: `fragment.efi PAGES WORDS` allocates
 * single pages, the first at 2 MiB, the others 1 MiB apart, of types that the hypervisor must
 * not use, and then starts \xen.efi with WORDS. Afterwards taken_pages() of esp.py checks that
 * the pages are unchanged. */
#include <efi.h>
#include <efilib.h>

#define FIRST 0x200000ull
#define STEP 0x100000ull

static const EFI_MEMORY_TYPE kinds[] = {
    EfiReservedMemoryType, EfiRuntimeServicesData, EfiACPIMemoryNVS, EfiUnusableMemory,
};

static UINTN allocate_pages(UINTN count)
{
    UINTN taken = 0;

    for (UINTN i = 0; i < count; i++) {
        EFI_PHYSICAL_ADDRESS at = FIRST + i * STEP;

        if (BS->AllocatePages(AllocateAddress, kinds[i % 4], 1, &at) != EFI_SUCCESS)
            continue;
        SetMem((void *)at, 4096, 0xa5);
        taken++;
        if (at == FIRST)
            Print(L"fragment: the page at 2 MiB is taken\n");
    }
    return taken;
}

/* The words behind the first one. */
static CHAR16 *behind_word(CHAR16 *p)
{
    while (*p != 0 && *p != ' ')
        p++;
    while (*p == ' ')
        p++;
    return p;
}

static EFI_STATUS start(EFI_HANDLE self, EFI_LOADED_IMAGE *loaded, CHAR16 *words)
{
    EFI_DEVICE_PATH *path = FileDevicePath(loaded->DeviceHandle, L"\\xen.efi");
    EFI_LOADED_IMAGE *next;
    EFI_HANDLE image;
    EFI_STATUS status = BS->LoadImage(FALSE, self, path, NULL, 0, &image);

    if (status != EFI_SUCCESS ||
        BS->HandleProtocol(image, &LoadedImageProtocol, (void **)&next) != EFI_SUCCESS)
        return EFI_NOT_FOUND;
    next->LoadOptions = words;
    next->LoadOptionsSize = (UINT32)StrSize(words);
    return BS->StartImage(image, NULL, NULL);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table);
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
    EFI_LOADED_IMAGE *loaded;
    CHAR16 *words;
    EFI_STATUS status;
    UINTN count;

    InitializeLib(image, system_table);
    status = BS->HandleProtocol(image, &LoadedImageProtocol, (void **)&loaded);
    if (status != EFI_SUCCESS || loaded->LoadOptions == NULL)
        return EFI_INVALID_PARAMETER;
    words = behind_word(loaded->LoadOptions);
    count = Atoi(words);
    Print(L"fragment: %d pages taken of %d\n", allocate_pages(count), count);
    return start(image, loaded, behind_word(words));
}
