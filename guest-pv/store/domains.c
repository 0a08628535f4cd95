/* The nodes that a new guest finds in the store: those that a Xen toolstack writes, with the same
 * permissions; and their removal when the guest ends. Called by main.c when the hypervisor
 * announces a domain. What a guest may do with nodes is in ops.c. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "console.h"
#include "ring.h"
#include "store.h"

#define NAME_MAX_BYTES 96

static const struct ctx ours = { 0, NULL };

enum whose { OURS, THEIRS };            /* ours: the guest may read it */

static void own(uint16_t domid, const char *path, enum whose whose)
{
    const struct perm ours_to_read[2] = { { 0, 0 }, { domid, PERM_READ } };
    const struct perm theirs_alone = { domid, 0 };
    enum xs_err err = whose == OURS ? op_set_perms(&ours, path, ours_to_read, 2)
                                    : op_set_perms(&ours, path, &theirs_alone, 1);

    if (err)
        kprintf("store: %s: error %d\n", path, err);
}

/* The value of the node `name` below `top`, whose permissions it gets if it is new. */
static void set(const char *top, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void set(const char *top, const char *name, const char *fmt, ...)
{
    char path[NAME_MAX_BYTES], value[128];
    enum xs_err err;
    va_list ap;
    int len;

    snprintf(path, sizeof(path), "%s/%s", top, name);
    va_start(ap, fmt);
    len = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    err = op_write(&ours, path, value, len);
    if (err)
        kprintf("store: %s: error %d\n", path, err);
}

/* Made for the guest to write to. */
static const char *const theirs[] = {
    "control/shutdown", "control/feature-poweroff", "control/feature-reboot",
    "control/feature-suspend", "control/sysrq", "device/suspend/event-channel", "data",
    "drivers", "feature", "attr", "error",
};

static void vm_path(char *buf, uint16_t domid)
{
    snprintf(buf, NAME_MAX_BYTES, "/vm/00000000-0000-0000-0000-%012x", domid);
}

static void top_path(char *buf, uint16_t domid)
{
    snprintf(buf, NAME_MAX_BYTES, "/local/domain/%u", domid);
}

void domain_introduce(uint16_t domid, const char *name, unsigned long kib, unsigned vcpus)
{
    char top[NAME_MAX_BYTES], vm[NAME_MAX_BYTES], path[NAME_MAX_BYTES + 32];

    top_path(top, domid);
    vm_path(vm, domid);
    op_mkdir(&ours, top);
    own(domid, top, OURS);
    op_mkdir(&ours, vm);
    own(domid, vm, OURS);
    set(vm, "uuid", "%s", vm + strlen("/vm/"));
    set(vm, "name", "%s", name);
    set(top, "vm", "%s", vm);
    set(top, "name", "%s", name);
    set(top, "domid", "%u", domid);
    set(top, "memory/static-max", "%lu", kib);
    set(top, "memory/target", "%lu", kib);
    for (unsigned i = 0; i < vcpus; i++) {
        snprintf(path, sizeof(path), "cpu/%u/availability", i);
        set(top, path, "online");
    }
    set(top, "store/port", "1");
    set(top, "control/platform-feature-multiprocessor-suspend", "1");
    set(top, "control/platform-feature-xs_reset_watches", "1");
    for (unsigned i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", top, theirs[i]);
        op_mkdir(&ours, path);
        own(domid, path, THEIRS);
    }
    if (ring_connect(domid))
        watch_fire_special("@introduceDomain");
}

void domain_release(uint16_t domid)
{
    char path[NAME_MAX_BYTES];

    ring_disconnect(domid);
    top_path(path, domid);
    op_rm(&ours, path);
    vm_path(path, domid);
    op_rm(&ours, path);
    op_forget_domain(domid);
    watch_fire_special("@releaseDomain");
}

void domain_shutdown(uint16_t domid, const char *how)
{
    char top[NAME_MAX_BYTES];

    top_path(top, domid);
    if (tree_find(top))
        set(top, "control/shutdown", "%s", how);
}
