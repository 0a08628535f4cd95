/* Memory that xen.efi allocates from the firmware, recorded so that all of it is freed when xen.efi
 * returns. Called by the other files of this folder. */
#include "arch/x86_64/efi/stub.h"

/* Room for more descriptors: allocating splits some. */
#define MAP_SLACK 32

static struct {
    uint64_t address, nr_pages;
} taken[BOOT_MODULES + 16];

EFI_STATUS pages_allocate(EFI_ALLOCATE_TYPE type, EFI_MEMORY_TYPE kind, uint64_t bytes,
                      uint64_t *address)
{
    uint64_t nr_pages = (bytes + EFI_PAGE - 1) / EFI_PAGE;
    EFI_STATUS status;
    unsigned i = 0;

    while (i < ARRAY_SIZE(taken) && taken[i].nr_pages != 0)
        i++;
    if (i == ARRAY_SIZE(taken) || nr_pages == 0)
        return EFI_OUT_OF_RESOURCES;
    status = BS->AllocatePages(type, kind, nr_pages, address);
    if (status == EFI_SUCCESS) {
        taken[i].address = *address;
        taken[i].nr_pages = nr_pages;
    }
    return status;
}

void pages_free(uint64_t address)
{
    for (unsigned i = 0; i < ARRAY_SIZE(taken); i++)
        if (taken[i].nr_pages != 0 && taken[i].address == address) {
            BS->FreePages(taken[i].address, taken[i].nr_pages);
            taken[i].nr_pages = 0;
        }
}

void pages_free_all(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(taken); i++)
        if (taken[i].nr_pages != 0)
            pages_free(taken[i].address);
}

EFI_STATUS pages_map(struct efi_map *map, UINTN *key)
{
    static uint64_t buffer, buffer_bytes;
    UINTN bytes = 0, descriptor_bytes = 0;
    UINT32 version;
    EFI_STATUS status = EFI_BUFFER_TOO_SMALL;

    if (buffer_bytes == 0) {
        BS->GetMemoryMap(&bytes, NULL, key, &descriptor_bytes, &version);
        buffer_bytes = bytes + MAP_SLACK * descriptor_bytes;
        status = pages_allocate(AllocateAnyPages, EfiLoaderData, buffer_bytes, &buffer);
        if (status != EFI_SUCCESS) {
            buffer_bytes = 0;
            return status;
        }
    }
    bytes = buffer_bytes;
    status = BS->GetMemoryMap(&bytes, (void *)buffer, key, &descriptor_bytes, &version);
    map->data = (const void *)buffer;
    map->bytes = bytes;
    map->descriptor_bytes = descriptor_bytes;
    return status;
}
