/* The nodes that a new guest finds in the store: those that a Xen toolstack writes, with the same
 * permissions; and their removal when the guest ends. Its devices' nodes are devices.c's. Called
 * by main.c when the hypervisor announces a domain. What a guest may do with nodes is in ops.c. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "console.h"
#include "ring.h"
#include "store.h"

static const struct ctx ours = { 0, NULL };

void node_make(const char *path, uint16_t owner, uint16_t reader)
{
    const struct perm perms[2] = { { owner, 0 }, { reader, PERM_READ } };
    enum xs_err err = op_mkdir(&ours, path);

    if (!err)
        err = op_set_perms(&ours, path, perms, owner == reader ? 1 : 2);
    if (err)
        kprintf("store: %s: error %d\n", path, err);
}

void node_set(const char *top, const char *name, const char *fmt, ...)
{
    char path[2 * NODE_PATH], value[128];
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

static void vm_path(char buf[NODE_PATH], uint16_t domid)
{
    snprintf(buf, NODE_PATH, "/vm/00000000-0000-0000-0000-%012x", domid);
}

static void top_path(char buf[NODE_PATH], uint16_t domid)
{
    snprintf(buf, NODE_PATH, "/local/domain/%u", domid);
}

void domain_introduce(uint16_t domid, const char *name, unsigned long kib, unsigned vcpus,
                      bool again)
{
    char top[NODE_PATH], vm[NODE_PATH], path[NODE_PATH + 32];
    bool any;

    top_path(top, domid);
    vm_path(vm, domid);
    node_make(top, 0, domid);
    node_make(vm, 0, domid);
    node_set(vm, "uuid", "%s", vm + strlen("/vm/"));
    node_set(vm, "name", "%s", name);
    node_set(top, "vm", "%s", vm);
    node_set(top, "name", "%s", name);
    node_set(top, "domid", "%u", domid);
    node_set(top, "memory/static-max", "%lu", kib);
    node_set(top, "memory/target", "%lu", kib);
    for (unsigned i = 0; i < vcpus; i++) {
        snprintf(path, sizeof(path), "cpu/%u/availability", i);
        node_set(top, path, "online");
    }
    node_set(top, "store/port", "1");
    node_set(top, "control/platform-feature-multiprocessor-suspend", "1");
    node_set(top, "control/platform-feature-xs_reset_watches", "1");
    for (unsigned i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", top, theirs[i]);
        node_make(path, domid, domid);
    }
    any = devices_write(domid, again);
    if (again && !ring_connect(domid))
        return;
    if (any)
        device_hold(domid);
    else
        domain_connect(domid);
}

void domain_connect(uint16_t domid)
{
    if (ring_begin(domid))
        watch_fire_special("@introduceDomain");
}

void domain_release(uint16_t domid)
{
    char path[NODE_PATH];

    device_hold_forget(domid);
    devices_forget(domid);
    accounts[domid].is_driver = false;
    ring_disconnect(domid);
    top_path(path, domid);
    op_rm(&ours, path);
    vm_path(path, domid);
    op_rm(&ours, path);
    op_forget_domain(domid);
    watch_fire_special("@releaseDomain");
}

/* A driver domain that was told to end; 0: none. It ends last, so of the other guests nothing is
 * left when it has done what it had to. */
static uint16_t ending;

static void print_what_is_left(void)
{
    unsigned nodes = 0, watches = 0, transactions = 0;

    for (unsigned i = 0; i < MAX_DOMAINS; i++) {
        nodes += accounts[i].nodes;
        watches += accounts[i].watches;
        transactions += accounts[i].transactions;
    }
    kprintf("store: %u nodes, %u watches, %u transactions, %u connections are left\n", nodes,
            watches, transactions, rings_count());
}

void domain_shutdown(uint16_t domid, const char *how)
{
    char top[NODE_PATH];

    top_path(top, domid);
    if (!tree_find(top))
        return;
    node_set(top, "control/shutdown", "%s", how);
    if (accounts[domid].is_driver)
        ending = domid;
}

/* It says so, as Xen's guests do, by an empty value in the node that told it. */
void domains_serve(void)
{
    char path[2 * NODE_PATH];
    const struct node *n;

    if (ending == 0)
        return;
    top_path(path, ending);
    strcat(path, "/control/shutdown");
    n = tree_find(path);
    if (n && n->data->len_bytes != 0)
        return;
    ending = 0;
    print_what_is_left();
}
