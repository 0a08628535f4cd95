/* Leaves the firmware: copies the hypervisor's image to where it can run, exits boot services,
 * makes the ranges of RAM from the last memory map, and jumps to the image at start_efi (boot.S).
 * Called by main.c. */
#include "arch/x86_64/efi/stub.h"
#include "common/string.h"

#define IMAGE_ALIGN (2ull << 20)
#define BELOW_4G ((4ull << 30) - 1)
#define TRIES 8

/* image.S: the flat image, its size in memory, and its entry as an offset. */
extern const char hypervisor_image[], hypervisor_image_end[];
extern const uint64_t hypervisor_bytes, hypervisor_entry;

EFI_STATUS handover_prepare(struct boot_info **info)
{
    uint64_t address = BELOW_4G;

    if (pages_allocate(AllocateMaxAddress, EfiLoaderData, sizeof(**info), &address) != EFI_SUCCESS)
        return fail(EFI_OUT_OF_RESOURCES, "not enough memory below 4 GiB: %lu KiB wanted",
                    sizeof(**info) >> 10);
    *info = (struct boot_info *)address;
    memset(*info, 0, sizeof(**info));
    return EFI_SUCCESS;
}

/* Allocates the image's place at 2 MiB, as with multiboot, or at the first 2 MiB boundary above
 * with room. Its memory type is loader code: firmware that does not execute data lets it run until
 * it has its own page tables. */
static EFI_STATUS place_image(uint64_t *image)
{
    struct efi_map map;
    UINTN key;

    if (pages_map(&map, &key) != EFI_SUCCESS)
        return fail(EFI_OUT_OF_RESOURCES, "the firmware does not give its memory map");
    for (*image = 0; (*image = memory_place(&map, hypervisor_bytes, IMAGE_ALIGN, *image)) != 0;
         *image += IMAGE_ALIGN)
        if (pages_allocate(AllocateAddress, EfiLoaderCode, hypervisor_bytes, image) == EFI_SUCCESS)
            return EFI_SUCCESS;
    return fail(EFI_OUT_OF_RESOURCES,
                "not enough memory: no %lu KiB in one piece at a 2 MiB boundary below 4 GiB",
                hypervisor_bytes >> 10);
}

static void copy_image(uint64_t image)
{
    size_t file_bytes = (size_t)(hypervisor_image_end - hypervisor_image);

    memcpy((void *)image, hypervisor_image, file_bytes);
    memset((char *)image + file_bytes, 0, hypervisor_bytes - file_bytes);
}

/* The map's key becomes invalid when memory is allocated or freed, which timers of the firmware may
 * do between the two calls; so it is tried again. */
static EFI_STATUS leave(EFI_HANDLE self, struct efi_map *map)
{
    EFI_STATUS status = EFI_ABORTED;
    UINTN key;

    for (unsigned i = 0; i < TRIES && status != EFI_SUCCESS; i++) {
        status = pages_map(map, &key);
        if (status == EFI_SUCCESS)
            status = BS->ExitBootServices(self, key);
    }
    return status;
}

static uint64_t tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (uint64_t)high << 32;
}

EFI_STATUS handover(EFI_HANDLE self, struct boot_info *info)
{
    struct efi_map map;
    uint64_t image;
    EFI_STATUS status = place_image(&image);

    if (status != EFI_SUCCESS)
        return status;
    copy_image(image);
    machine_describe(info);
    status = leave(self, &map);
    if (status != EFI_SUCCESS) {
        /* The firmware may be half shut down: do not call it. */
        print_without_firmware();
        fail(status, "the firmware does not let go of the machine");
        RT->ResetSystem(EfiResetCold, status, 0, NULL);
        return status;
    }
    info->tsc = tsc();
    memory_parse(info, &map, image, image + ALIGN_UP(hypervisor_bytes, EFI_PAGE));
    __asm__ volatile("cli\n\tjmp *%0" : : "r"(image + hypervisor_entry), "D"(info) : "memory");
    __builtin_unreachable();
}
