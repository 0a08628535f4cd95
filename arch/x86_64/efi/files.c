/* Reads files through the firmware's file protocol: from the directory of xen.efi, or by a name
 * that begins with a backslash or slash, from elsewhere on the same volume. The directory is found
 * by the device and path from which xen.efi was started. Called by main.c. */
#include "arch/x86_64/efi/stub.h"
#include "common/string.h"

#define NAME_MAX 256
#define CHUNK (1u << 20)                /* bytes read at once: some old firmware fails on more */
#define LARGE (4u << 20)                /* files of at least this size: progress is shown */
#define DOTS 20

static EFI_FILE_HANDLE volume;
/* "", or begins with a backslash and does not end with one */
static CHAR16 directory[NAME_MAX];
static char program[NAME_MAX], directory_text[NAME_MAX];

/* The path of xen.efi: the file nodes of its device path, joined. */
static void path_of(const EFI_LOADED_IMAGE *self, CHAR16 *path, UINTN size)
{
    UINTN n = 0;

    for (EFI_DEVICE_PATH *node = self->FilePath; node != NULL && !IsDevicePathEnd(node);
         node = NextDevicePathNode(node)) {
        const CHAR16 *part = ((FILEPATH_DEVICE_PATH *)node)->PathName;
        UINTN len = (DevicePathNodeLength(node) - 4u) / sizeof(CHAR16);

        if (DevicePathType(node) != MEDIA_DEVICE_PATH ||
            DevicePathSubType(node) != MEDIA_FILEPATH_DP)
            continue;
        if (n > 0 && path[n - 1] != '\\' && n < size - 1)
            path[n++] = '\\';
        for (UINTN i = 0; i < len && part[i] != 0 && n < size - 1; i++)
            if (part[i] != '\\' || n == 0 || path[n - 1] != '\\')
                path[n++] = part[i];
    }
    path[n] = 0;
}

static void narrow(char *to, const CHAR16 *from)
{
    while (*from != 0)
        *to++ = *from < 0x80 ? (char)*from++ : (from++, '?');
    *to = '\0';
}

static EFI_GUID file_system = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;

/* The device path begins with all nodes of the other one. */
static bool lies_on(EFI_DEVICE_PATH *path, EFI_DEVICE_PATH *whole)
{
    UINTN size = DevicePathSize(whole) - sizeof(EFI_DEVICE_PATH);

    return DevicePathSize(path) > size && memcmp(path, whole, size) == 0;
}

/* The file system of the device from which xen.efi was loaded. GRUB names the whole CD as the
 * device when it loads from one, but the file system is on a part of it (its El Torito image); so
 * the first file system on the device is used. */
static EFI_FILE_IO_INTERFACE *find_file_system(EFI_HANDLE device)
{
    EFI_DEVICE_PATH *whole = DevicePathFromHandle(device), *path;
    EFI_FILE_IO_INTERFACE *fs = NULL;
    EFI_HANDLE *handles;
    UINTN count;

    if (BS->HandleProtocol(device, &file_system, (void **)&fs) == EFI_SUCCESS)
        return fs;
    if (whole == NULL ||
        LibLocateHandle(ByProtocol, &file_system, NULL, &count, &handles) != EFI_SUCCESS)
        return NULL;
    fs = NULL;
    for (UINTN i = 0; i < count && fs == NULL; i++) {
        path = DevicePathFromHandle(handles[i]);
        if (path != NULL && lies_on(path, whole) &&
            BS->HandleProtocol(handles[i], &file_system, (void **)&fs) != EFI_SUCCESS)
            fs = NULL;
    }
    FreePool(handles);
    return fs;
}

EFI_STATUS files_init(EFI_HANDLE image)
{
    EFI_GUID loaded_image = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_FILE_IO_INTERFACE *fs;
    EFI_LOADED_IMAGE *self;
    UINTN cut = 0, n;

    if (BS->HandleProtocol(image, &loaded_image, (void **)&self) != EFI_SUCCESS)
        return fail(EFI_UNSUPPORTED, "the firmware does not say where it loaded us from");
    fs = self->DeviceHandle != NULL ? find_file_system(self->DeviceHandle) : NULL;
    if (fs == NULL)
        return fail(EFI_UNSUPPORTED, "not started from a file system that the firmware can read");
    if (fs->OpenVolume(fs, &volume) != EFI_SUCCESS)
        return fail(EFI_DEVICE_ERROR, "the file system that we were started from cannot be opened");
    path_of(self, directory, ARRAY_SIZE(directory));
    for (n = 0; directory[n] != 0; n++)
        if (directory[n] == '\\')
            cut = n + 1;
    narrow(program, directory + cut);
    directory[cut != 0 ? cut - 1 : 0] = 0;
    narrow(directory_text, directory);
    return EFI_SUCCESS;
}

void files_close(void)
{
    if (volume != NULL)
        volume->Close(volume);
    volume = NULL;
}

const char *files_program(void)
{
    return program;
}

const char *files_directory(void)
{
    return directory_text;
}

static EFI_STATUS open(const char *name, EFI_FILE_HANDLE *handle)
{
    CHAR16 path[2 * NAME_MAX];
    UINTN n = 0;

    if (name[0] != '\\' && name[0] != '/') {
        for (; directory[n] != 0; n++)
            path[n] = directory[n];
        path[n++] = '\\';
    }
    for (; *name != '\0' && n < ARRAY_SIZE(path) - 1; name++)
        path[n++] = *name == '/' ? '\\' : (uint8_t)*name;
    path[n] = 0;
    return volume->Open(volume, handle, path, EFI_FILE_MODE_READ, 0);
}

static EFI_STATUS size_of(EFI_FILE_HANDLE handle, uint64_t *size, bool *is_directory)
{
    static union {
        EFI_FILE_INFO info;
        char room[sizeof(EFI_FILE_INFO) + 2 * NAME_MAX];
    } u;
    EFI_GUID file_info = EFI_FILE_INFO_ID;
    UINTN bytes = sizeof(u);
    EFI_STATUS status = handle->GetInfo(handle, &file_info, &bytes, &u);

    *size = u.info.FileSize;
    *is_directory = u.info.Attribute & EFI_FILE_DIRECTORY;
    return status;
}

static EFI_STATUS read_all(EFI_FILE_HANDLE handle, const char *name, struct file *f)
{
    uint64_t at = 0, shown = 0;
    EFI_STATUS status = EFI_SUCCESS;

    if (f->size >= LARGE)
        print("Loading %s, %lu MiB ", name, f->size >> 20);
    while (at < f->size) {
        UINTN bytes = MIN(f->size - at, CHUNK);

        status = handle->Read(handle, &bytes, f->data + at);
        if (status != EFI_SUCCESS || bytes == 0)
            break;
        at += bytes;
        for (; f->size >= LARGE && shown < at * DOTS / f->size; shown++)
            print(".");
    }
    if (f->size >= LARGE)
        print("\n");
    f->data[f->size] = '\0';
    if (at == f->size)
        return EFI_SUCCESS;
    return fail(status != EFI_SUCCESS ? status : EFI_END_OF_FILE,
                "%s cannot be read: only %lu bytes of %lu came", name, at, f->size);
}

static EFI_STATUS load(EFI_FILE_HANDLE handle, const char *name, struct file *f)
{
    bool is_directory;
    uint64_t address = BOOT_ADDRESS_END - 1;
    EFI_STATUS status;

    if (size_of(handle, &f->size, &is_directory) != EFI_SUCCESS)
        return fail(EFI_DEVICE_ERROR, "%s: the firmware does not say how long it is", name);
    if (is_directory)
        return fail(EFI_NOT_FOUND, "%s is a directory", name);
    if (f->size == 0)
        return fail(EFI_LOAD_ERROR, "%s is empty", name);
    if (pages_allocate(AllocateMaxAddress, EfiLoaderData, f->size + 1, &address) != EFI_SUCCESS)
        return fail(EFI_OUT_OF_RESOURCES, "not enough memory for %s: %lu KiB wanted", name,
                    f->size >> 10);
    f->data = (char *)address;
    status = read_all(handle, name, f);
    if (status != EFI_SUCCESS)
        pages_free(address);
    return status;
}

EFI_STATUS file_load(const char *name, bool may_be_missing, struct file *f)
{
    EFI_FILE_HANDLE handle;
    EFI_STATUS status = open(name, &handle);

    if (status == EFI_NOT_FOUND && may_be_missing)
        return status;
    if (status == EFI_NOT_FOUND)
        return fail(status, "there is no file %s%s%s",
                    name[0] == '\\' || name[0] == '/' ? "" : directory_text,
                    name[0] == '\\' || name[0] == '/' ? "" : "\\", name);
    if (status != EFI_SUCCESS)
        return fail(status, "%s cannot be opened", name);
    status = load(handle, name, f);
    handle->Close(handle);
    return status;
}
