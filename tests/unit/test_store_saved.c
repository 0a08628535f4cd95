/* What the store keeps of a guest's devices and watches for its successor, in a page that the guest
 * can write: the successor finds them again, and nonsense makes no node outside of the guest's
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
static struct conn *conn;
static char saved[SAVED_BYTES];
static size_t saved_len;
static unsigned left_out;
static char events[4096];               /* "path|token " of each */

XenbusState device_state(const char *path)
{
    const struct node *n = tree_find(path);

    return n != NULL && n->data->len_bytes == 1 ? (XenbusState)(n->data->bytes[0] - '0')
                                                : XenbusStateUnknown;
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
                          .unsettled = true, .next = devices };
    snprintf(d->front, sizeof(d->front), "/local/domain/5/device/%s/%u", type, handle);
    snprintf(d->back, sizeof(d->back), "/local/domain/1/backend/%s/5/%u", type, handle);
    snprintf(d->front_state, sizeof(d->front_state), "%s/state", d->front);
    snprintf(d->back_state, sizeof(d->back_state), "%s/state", d->back);
    assert_int_equal(op_mkdir(&ours, d->front), XS_OK);
    assert_int_equal(op_set_perms(&ours, d->front, perms, 2), XS_OK);
    node_set(d->front, "backend", "%s", d->back);
    devices = d;
}

static int begin_store(void **state)
{
    (void)state;
    assert_true(tree_init());
    conn = conn_new(GUEST);
    devices = NULL;
    make_device(&disk, "vbd", 51712);
    make_device(&net, "vif", 0);
    return 0;
}

static int end_store(void **state)
{
    (void)state;
    conn_free(conn);
    tree_destroy();
    return 0;
}

static void save(void)
{
    saved_len = saved_text(conn, saved, &left_out);
    assert_true(saved_len <= sizeof(saved));
    assert_true(saved_len == 0 || saved[saved_len - 1] == '\0');
}

static void set_states(struct device *d, unsigned front, unsigned back)
{
    d->unsettled = false;
    node_set(d->front, "state", "%u", front);
    node_set(d->back, "state", "%u", back);
}

/* Each event that is owed or waits. */
static void receive_events(void)
{
    struct xsd_sockmsg h;

    events[0] = '\0';
    if (conn->out_len == 0)
        watch_pay(conn);
    while (conn->out_len != 0) {
        const char *path = (char *)conn->out + sizeof(h);

        memcpy(&h, conn->out, sizeof(h));
        assert_int_equal(h.type, XS_WATCH_EVENT);
        sprintf(events + strlen(events), "%s|%s ", path, path + strlen(path) + 1);
        conn_sent(conn, sizeof(h) + h.len);
    }
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
    guest_writes(&net, "tx-ring-ref", "9");
    guest_writes(&net, "empty", "");
    set_states(&disk, 4, 4);
    set_states(&net, 4, 4);
    save();
    a_successor();
    saved_restore(conn, saved, saved_len);
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
    assert_int_equal(left_out, 0);
}

/* Wherever in the handshake the two ends were. The guest is served when its back end has told the
 * next store its nodes, if it may read them. */
static void states_are_found_again(void **state)
{
    char text[3];

    (void)state;
    for (unsigned front = 1; front <= 6; front++)
        for (unsigned back = 1; back <= 6; back++) {
            guest_writes(&disk, "ring-ref", "8");
            set_states(&disk, front, back);
            save();
            a_successor();
            saved_restore(conn, saved, saved_len);
            snprintf(text, sizeof(text), "%u", front);
            expect(disk.front, "state", text);
            snprintf(text, sizeof(text), "%u", back);
            expect(disk.back, "state", text);
            expect(disk.front, "ring-ref", front == 6 ? NULL : "8");
            assert_false(disk.unsettled);
            assert_int_equal(disk.awaited, back == 2 || back == 4);
            assert_true(net.unsettled);
            a_successor();
        }
}

/* One that has more than there is room for, or whose state is not known, is left out as a whole. */
static void devices_are_whole_or_left_out(void **state)
{
    char name[24];

    (void)state;
    set_states(&disk, 4, 4);
    save();
    assert_true(saved_len != 0);
    set_states(&net, 4, 4);
    for (unsigned i = 0; i < 80; i++) {
        snprintf(name, sizeof(name), "a-node-of-mine-%u", i);
        guest_writes(&net, name, "some");
    }
    guest_writes(&disk, "ring-ref", "8");
    save();
    assert_int_equal(left_out, 1);
    a_successor();
    saved_restore(conn, saved, saved_len);
    expect(net.front, "a-node-of-mine-0", NULL);
    expect(net.front, "state", NULL);
    expect(disk.front, "ring-ref", "8");
    disk.unsettled = net.unsettled = true;
    save();
    assert_int_equal(saved_len, 0);
}

/* They fire once, as relative or absolute as they were, and then as before. */
static void watches_are_found_again(void **state)
{
    (void)state;
    assert_true(conn_watch_again(conn, "device", "t1"));
    assert_true(conn_watch_again(conn, "/local/domain/1/backend/vbd/5/51712/state", ""));
    assert_true(conn_watch_again(conn, "@introduceDomain", "t 3"));
    save();
    a_successor();
    saved_restore(conn, saved, saved_len);
    receive_events();
    assert_string_equal(events, "device|t1 /local/domain/1/backend/vbd/5/51712/state| "
                                "@introduceDomain|t 3 ");
    guest_writes(&disk, "x", "1");
    receive_events();
    assert_string_equal(events, "device/vbd/51712/x|t1 ");
}

/* While the guest is not served it gets none, and then one. */
static void events_are_held_back(void **state)
{
    (void)state;
    conn->held = true;
    assert_true(conn_watch_again(conn, "device", "t1"));
    guest_writes(&disk, "x", "1");
    guest_writes(&disk, "x", "2");
    assert_int_equal(conn->out_len, 0);
    conn->held = false;
    receive_events();
    assert_string_equal(events, "device|t1 ");
}

/* Any number of watches: those that fit are kept, and the text has its end. */
static void watches_find_room_or_not(void **state)
{
    char token[40];
    unsigned n;

    (void)state;
    set_states(&disk, 4, 4);
    for (n = 0; n < MAX_WATCHES; n++) {
        snprintf(token, sizeof(token), "%0*u", 1 + (int)n % 30, n);
        assert_true(conn_watch_again(conn, "data/x", token));
        save();
        assert_true(saved_len + left_out * 50 >= 5 * n);
    }
    assert_true(left_out != 0 && saved_len > SAVED_BYTES - 50);
    n -= left_out;
    a_successor();
    saved_restore(conn, saved, saved_len);
    assert_int_equal(accounts[GUEST].watches, n);
    expect(disk.front, "state", "4");
}

/* A store that refuses every request tells no guest to make one. */
static void a_store_that_refuses_has_no_watches(void **state)
{
    (void)state;
    assert_true(conn_watch_again(conn, "device", "t1"));
    save();
    a_successor();
    refuse_all = true;
    saved_restore(conn, saved, saved_len);
    refuse_all = false;
    assert_null(conn->watches);
}

/* Itself it makes them again. */
static void a_driver_domain_has_no_watches(void **state)
{
    (void)state;
    accounts[GUEST].is_driver = true;
    assert_true(conn_watch_again(conn, "device", "t1"));
    save();
    accounts[GUEST].is_driver = false;
    assert_int_equal(saved_len, 0);
}

/* What a guest can make of its page: nothing is written but below its devices, nothing of ours is
 * changed. */
static void nonsense_does_no_harm(void **state)
{
    static const char *const parts[] = { "vbd/51712", "vif/0", "vif/1", "ring-ref", "state",
                                         "backend", "../x", "a/b", "@x", "", "\x01", "mac", "8",
                                         "34", "99", "watches", "@releaseDomain", "data" };
    static char text[SAVED_BYTES];

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        size_t len = 0;

        while (len < 900 && rand() % 30 != 0)
            len += (size_t)sprintf(text + len, "%s", parts[rand() % 18]) + 1;
        for (unsigned i = rand() % 3; i != 0 && len != 0; i--)
            text[(size_t)rand() % len] = (char)rand();
        text[len++] = '\0';
        saved_restore(conn, text, len);
        receive_events();
        save();
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
    set_states(&disk, 4, 4);
    save();
    a_successor();
    disk.unsettled = false;
    saved_restore(conn, saved, saved_len);
    expect(disk.front, "ring-ref", NULL);
    expect(disk.back, "state", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_are_found_again, begin_store, end_store),
        cmocka_unit_test_setup_teardown(states_are_found_again, begin_store, end_store),
        cmocka_unit_test_setup_teardown(devices_are_whole_or_left_out, begin_store, end_store),
        cmocka_unit_test_setup_teardown(watches_are_found_again, begin_store, end_store),
        cmocka_unit_test_setup_teardown(events_are_held_back, begin_store, end_store),
        cmocka_unit_test_setup_teardown(watches_find_room_or_not, begin_store, end_store),
        cmocka_unit_test_setup_teardown(a_store_that_refuses_has_no_watches, begin_store,
                                        end_store),
        cmocka_unit_test_setup_teardown(a_driver_domain_has_no_watches, begin_store, end_store),
        cmocka_unit_test_setup_teardown(nonsense_does_no_harm, begin_store, end_store),
        cmocka_unit_test_setup_teardown(what_is_known_stays, begin_store, end_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
