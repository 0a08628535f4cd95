/* What a store that takes our place needs of a guest's connected devices: the values that the front
 * end has written, as ring-ref and event-channel, which it will not write again. They are kept in
 * the page of the guest's ring, where a guest can change them as well as its nodes. While the
 * driver domain lives it does not need them; if it dies later, or has died with us, its successor
 * does. Called by device_states.c, and by ring.c for a guest that another store served. */
#include <string.h>
#include "devices.h"
#include "store.h"

/* For each device its directory and then names and values, each with a NUL behind it, and an empty
 * name:  vbd/51712 ring-ref 8 event-channel 5 ... */
struct text {
    size_t len;
    char bytes[SAVED_BYTES];
};

/* Those are ours, and are written anew. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {
        "backend", "backend-id", "trusted", "virtual-device", "device-type", "handle", "mac",
        "state",
    };

    for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (!strcmp(name, ours[i]))
            return true;
    return false;
}

static bool add(struct text *t, const char *bytes, size_t len)
{
    if (memchr(bytes, 0, len) || len >= sizeof(t->bytes) - t->len)
        return false;
    memcpy(t->bytes + t->len, bytes, len);
    t->bytes[t->len + len] = '\0';
    t->len += len + 1;
    return true;
}

/* The directory's name is that of the type and of the number in it. */
static const char *short_name(const struct device *d)
{
    const char *name = strrchr(d->front, '/') - 1;

    while (*name != '/')
        name--;
    return name + 1;
}

static bool add_values(struct text *t, const struct device *d)
{
    const struct node *front = tree_find(d->front);

    if (!add(t, short_name(d), strlen(short_name(d))))
        return false;
    for (const struct node *n = front ? front->children : NULL; n; n = n->next)
        if (!is_ours(n->name) && (n->children || !add(t, n->name, strlen(n->name)) ||
                                  !add(t, n->data->bytes, n->data->len_bytes)))
            return false;
    return add(t, "", 0);
}

/* A device that does not fit is left out: it is closed if it comes to that. */
void devices_save(uint16_t domid)
{
    static struct text t;
    size_t before;

    t.len = 0;
    for (const struct device *d = devices; d; d = d->next) {
        before = t.len;
        if (d->domid == domid && d->connected && !add_values(&t, d))
            t.len = before;
    }
    ring_save(domid, t.bytes, t.len);
}

/* --- From a store before us ------------------------------------------------------------------- */

/* The next string, or NULL: there is none. The text ends with a NUL. */
static const char *next(const char **at, const char *end)
{
    const char *s = *at;

    if (s >= end)
        return NULL;
    *at += strlen(s) + 1;
    return s;
}

static struct device *find_device(uint16_t domid, const char *name)
{
    struct device *d = devices;

    while (d && (d->domid != domid || !d->unsettled || strcmp(short_name(d), name)))
        d = d->next;
    return d;
}

/* As the guest would write it: with its rights, and out of its account. */
static bool write_value(const struct device *d, const char *name, const char *value)
{
    const struct ctx guest = { d->domid, NULL };
    char path[XENSTORE_ABS_PATH_MAX + 1];

    if (strlen(d->front) + strlen(name) + 1 > XENSTORE_ABS_PATH_MAX || strchr(name, '/'))
        return false;
    strcpy(path, d->front);
    strcat(path, "/");
    strcat(path, name);
    return path_valid(path) && !is_ours(name) &&
           op_write(&guest, path, value, strlen(value)) == XS_OK;
}

void devices_restore(uint16_t domid, const char *text, size_t len)
{
    const char *at = text, *end = text + len, *name, *value;
    struct device *d;
    bool good;

    while ((name = next(&at, end))) {
        d = find_device(domid, name);
        good = d;
        while ((name = next(&at, end)) && *name && (value = next(&at, end)))
            good = good && write_value(d, name, value);
        if (!good)
            continue;
        node_set(d->front, "state", "%d", XenbusStateConnected);
        node_set(d->back, "state", "%d", XenbusStateConnected);
    }
}
