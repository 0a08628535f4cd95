/* What the store keeps of connected devices for its successor, in a page that the guest can write:
 * the successor finds the values again, and nonsense makes no node outside of the guest's
 * devices. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmocka_main.h"
#include "guest-pv/store/devices.h"
#include "guest-pv/store/store.h"

#define GUEST 5u
#define DRIVER 1u

static const struct ctx ours = { 0, NULL };
static const struct ctx guest = { GUEST, NULL };
static struct device disk, net;
struct device *devices;
static char saved[SAVED_BYTES];
static size_t saved_len;

void ring_save(uint16_t domid, const char *text, size_t len)
{
    assert_int_equal(domid, GUEST);
    assert_true(len <= sizeof(saved));
    memcpy(saved, text, len);
    saved_len = len;
}

void node_set(const char *top, const char *name, const char *fmt, ...)
{
    char path[256], value[64];
    va_list ap;

    snprintf(path, sizeof(path), "%s/%s", top, name);
    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    assert_int_equal(op_write(&ours, path, value, strlen(value)), XS_OK);
}

static void make_device(struct device *d, const char *type, unsigned handle)
{
    const struct perm perms[2] = { { GUEST, 0 }, { DRIVER, PERM_READ } };

    *d = (struct device){ .domid = GUEST, .driver = DRIVER, .type = type, .handle = handle,
                          .unsettled = true, .connected = true, .next = devices };
    snprintf(d->front, sizeof(d->front), "/local/domain/5/device/%s/%u", type, handle);
    snprintf(d->back, sizeof(d->back), "/local/domain/1/backend/%s/5/%u", type, handle);
    assert_int_equal(op_mkdir(&ours, d->front), XS_OK);
    assert_int_equal(op_set_perms(&ours, d->front, perms, 2), XS_OK);
    node_set(d->front, "backend", "%s", d->back);
    devices = d;
}

static int begin_store(void **state)
{
    (void)state;
    assert_true(tree_init());
    devices = NULL;
    make_device(&disk, "vbd", 51712);
    make_device(&net, "vif", 0);
    return 0;
}

static int end_store(void **state)
{
    (void)state;
    tree_destroy();
    return 0;
}

static void guest_writes(const struct device *d, const char *name, const char *value)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", d->front, name);
    assert_int_equal(op_write(&guest, path, value, strlen(value)), XS_OK);
}

static void expect(const char *top, const char *name, const char *value)
{
    char path[256];
    const struct node *n;

    snprintf(path, sizeof(path), "%s/%s", top, name);
    n = tree_find(path);
    if (value == NULL) {
        assert_null(n);
        return;
    }
    assert_non_null(n);
    assert_int_equal(n->data->len_bytes, strlen(value));
    assert_memory_equal(n->data->bytes, value, strlen(value));
}

static void a_successor(void)
{
    end_store(NULL);
    begin_store(NULL);
}

static void values_are_found_again(void **state)
{
    (void)state;
    guest_writes(&disk, "ring-ref", "8");
    guest_writes(&disk, "protocol", "x86_64-abi");
    guest_writes(&disk, "state", "4");
    guest_writes(&net, "tx-ring-ref", "9");
    guest_writes(&net, "empty", "");
    devices_save(GUEST);
    a_successor();
    devices_restore(GUEST, saved, saved_len);
    expect(disk.front, "ring-ref", "8");
    expect(disk.front, "protocol", "x86_64-abi");
    expect(disk.front, "state", "4");
    expect(disk.front, "backend", disk.back);
    expect(disk.back, "state", "4");
    expect(net.front, "tx-ring-ref", "9");
    expect(net.front, "empty", "");
    expect(net.front, "state", "4");
    assert_int_equal(tree_find("/local/domain/5/device/vbd/51712/ring-ref")->data->perms[0].domid,
                     GUEST);
}

/* One that is not connected, or that has more than there is room for, is left out as a whole. */
static void devices_are_whole_or_left_out(void **state)
{
    char name[24];

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "a-node-of-mine-%u", i);
        guest_writes(&net, name, "some");
    }
    guest_writes(&disk, "ring-ref", "8");
    devices_save(GUEST);
    a_successor();
    devices_restore(GUEST, saved, saved_len);
    expect(net.front, "a-node-of-mine-0", NULL);
    expect(net.front, "state", NULL);
    expect(disk.front, "ring-ref", "8");
    disk.connected = net.connected = false;
    devices_save(GUEST);
    assert_int_equal(saved_len, 0);
}

/* What a guest can make of its page: nothing is written but below its devices, nothing of ours is
 * changed. */
static void nonsense_does_no_harm(void **state)
{
    static const char *const parts[] = { "vbd/51712", "vif/0", "vif/1", "ring-ref", "state",
                                         "backend", "../x", "a/b", "@x", "", "\x01", "mac", "8" };
    static char text[SAVED_BYTES];

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        size_t len = 0;

        while (len < 900 && rand() % 30 != 0)
            len += (size_t)sprintf(text + len, "%s", parts[rand() % 13]) + 1;
        for (unsigned i = rand() % 3; i != 0 && len != 0; i--)
            text[(size_t)rand() % len] = (char)rand();
        text[len++] = '\0';
        devices_restore(GUEST, text, len);
        expect(disk.front, "backend", disk.back);
        expect(net.front, "mac", NULL);
        expect("/local/domain/5/device", "x", NULL);
        assert_null(tree_find("/local/domain/5/device/vif/1"));
        a_successor();
    }
}

/* Devices that the driver domain has told of are settled, and stay as they are. */
static void what_is_known_stays(void **state)
{
    (void)state;
    guest_writes(&disk, "ring-ref", "8");
    devices_save(GUEST);
    a_successor();
    disk.unsettled = false;
    devices_restore(GUEST, saved, saved_len);
    expect(disk.front, "ring-ref", NULL);
    expect(disk.back, "state", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_are_found_again, begin_store, end_store),
        cmocka_unit_test_setup_teardown(devices_are_whole_or_left_out, begin_store, end_store),
        cmocka_unit_test_setup_teardown(nonsense_does_no_harm, begin_store, end_store),
        cmocka_unit_test_setup_teardown(what_is_known_stays, begin_store, end_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
