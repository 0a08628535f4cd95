/* The store's core with two connections, messages of its wire protocol and their replies.
 * Included by test_store.c, test_store_transactions.c and test_store_limits.c, which unit.mk
 * links with guest-pv/store, without the hypervisor. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest-pv/store/store.h"
#include "xen/core/domain.h"

#define HEADER sizeof(struct xsd_sockmsg)

static struct conn *one, *two;
static struct xsd_sockmsg head;         /* of the last reply */
static char body[XENSTORE_PAYLOAD_MAX + 1];
static char events[65536];              /* "path|token " of each event since the last request */

static inline void init_node(const char *path, const char *value, struct perm owner)
{
    static const struct ctx ours = { 0, NULL };
    struct perm perms[2] = { { 0, 0 }, owner };

    assert_int_equal(op_write(&ours, path, value, strlen(value)), XS_OK);
    if (owner.bits == PERM_OWNER)
        perms[0] = (struct perm){ owner.domid, 0 };
    assert_int_equal(op_set_perms(&ours, path, perms, owner.bits == PERM_OWNER ? 1 : 2), XS_OK);
}

static inline int up(void **state)
{
    (void)state;
    assert_true(tree_init());
    one = conn_new(1);
    two = conn_new(2);
    init_node("/local/domain/1", "", (struct perm){ 1, PERM_READ });
    init_node("/local/domain/2", "", (struct perm){ 2, PERM_READ });
    init_node("/local/domain/1/data", "", (struct perm){ 1, PERM_OWNER });
    init_node("/local/domain/2/data", "", (struct perm){ 2, PERM_OWNER });
    return 0;
}

static inline int down(void **state)
{
    (void)state;
    store_malloc = malloc;
    while (conn_list)
        conn_free(conn_list);
    tree_destroy();
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        assert_memory_equal(&accounts[i], &(struct account){ 0 }, sizeof(struct account));
    return 0;
}

/* Reads one message of the connection's output, if there is one. */
static inline bool next_message(struct conn *c)
{
    struct xsd_sockmsg h;

    if (c->out_len == 0)
        return false;
    memcpy(&h, c->out, HEADER);
    assert_in_range(h.len, 0, XENSTORE_PAYLOAD_MAX);
    assert_true(c->out_len >= HEADER + h.len);
    if (h.type == XS_WATCH_EVENT) {
        const char *path = (char *)c->out + HEADER, *token = path + strlen(path) + 1;

        assert_int_equal(strlen(path) + strlen(token) + 2, h.len);
        if (strlen(events) + h.len + 2 < sizeof(events))
            sprintf(events + strlen(events), "%s|%s ", path, token);
    } else {
        head = h;
        memcpy(body, c->out + HEADER, h.len);
        body[h.len] = 0;
    }
    conn_sent(c, HEADER + h.len);
    return true;
}

static inline void drain(struct conn *c)
{
    while (next_message(c))
        ;
}

static inline void put(struct conn *c, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len) {
        size_t n = conn_wants(c) < len ? conn_wants(c) : len;

        assert_true(n);
        conn_put(c, p, n);
        p += n, len -= n;
    }
}

/* Makes a request and reads its reply: the error's name, or NULL with the reply in body. */
static inline const char *ask_raw(struct conn *c, uint32_t type, uint32_t tx, const void *payload,
                                  size_t len)
{
    static uint32_t req_id;
    struct xsd_sockmsg h = { .type = type, .req_id = ++req_id, .tx_id = tx, .len = len };

    drain(c);
    events[0] = 0;
    head.type = ~0u;
    put(c, &h, HEADER);
    put(c, payload, len);
    drain(c);
    assert_int_equal(head.req_id, req_id);
    assert_int_equal(head.tx_id, tx);
    assert_true(head.type == type || head.type == XS_ERROR);
    return head.type == XS_ERROR ? body : NULL;
}

/* The same with strings as payload; '|' stands for the NUL of each string. */
static inline const char *ask(struct conn *c, uint32_t type, uint32_t tx, const char *text)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        payload[i] = text[i] == '|' ? 0 : text[i];
    return ask_raw(c, type, tx, payload, len);
}
#define OK(expr) assert_null(expr)
#define FAILS(err, expr) assert_string_equal((expr), err)
#define BODY(text) \
    assert_int_equal(head.len, sizeof(text) - 1), assert_memory_equal(body, text, head.len)

static inline uint32_t start(struct conn *c)
{
    OK(ask(c, XS_TRANSACTION_START, 0, "|"));
    return strtoul(body, NULL, 10);
}

static uint64_t seed;

static inline unsigned pick(unsigned n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (seed >> 33) % n;
}
#define with_store(test) cmocka_unit_test_setup_teardown(test, up, down)

#endif
