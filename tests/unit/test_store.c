/* The store's core as it is in the service domain, by messages of its wire protocol: what guests
 * may ask, what they are told, who is charged; transactions against each other; and guests that
 * send random bytes. */
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest-pv/store/store.h"
#include "xen/core/domain.h"

#define HEADER sizeof(struct xsd_sockmsg)

static struct conn *one, *two;
static struct xsd_sockmsg head;         /* of the last reply */
static char body[XENSTORE_PAYLOAD_MAX + 1];
static char events[65536];              /* "path|token " each, since the last request */

static void init_node(const char *path, const char *value, struct perm owner)
{
    static const struct ctx ours = { 0, NULL };
    struct perm perms[2] = { { 0, 0 }, owner };

    assert_int_equal(op_write(&ours, path, value, strlen(value)), XS_OK);
    if (owner.bits == PERM_OWNER)
        perms[0] = (struct perm){ owner.domid, 0 };
    assert_int_equal(op_set_perms(&ours, path, perms, owner.bits == PERM_OWNER ? 1 : 2), XS_OK);
}

static int up(void **state)
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

static int down(void **state)
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

/* Takes one message out of the connection's output, as far as it is there. */
static bool next_message(struct conn *c)
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

static void drain(struct conn *c)
{
    while (next_message(c))
        ;
}

static void put(struct conn *c, const void *bytes, size_t len)
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
static const char *ask_raw(struct conn *c, uint32_t type, uint32_t tx, const void *payload,
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

/* The same with strings as payload; '|' stands for the NUL of each. */
static const char *ask(struct conn *c, uint32_t type, uint32_t tx, const char *text)
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

static uint32_t start(struct conn *c)
{
    OK(ask(c, XS_TRANSACTION_START, 0, "|"));
    return strtoul(body, NULL, 10);
}

static void values_are_kept(void **state)
{
    (void)state;
    OK(ask(one, XS_WRITE, 0, "data/a|hello"));
    BODY("OK\0");
    OK(ask(one, XS_READ, 0, "data/a|"));
    BODY("hello");
    OK(ask(one, XS_READ, 0, "/local/domain/1/data/a|"));
    BODY("hello");
    OK(ask_raw(one, XS_WRITE, 0, "data/a\0x\0y", 10));          /* any bytes */
    OK(ask(one, XS_READ, 0, "data/a|"));
    BODY("x\0y");
    OK(ask(one, XS_WRITE, 0, "data/b/c/d|"));                   /* and what is above it */
    OK(ask(one, XS_MKDIR, 0, "data/e|"));
    OK(ask(one, XS_MKDIR, 0, "data/a|"));
    OK(ask(one, XS_READ, 0, "data/a|"));
    BODY("x\0y");
    OK(ask(one, XS_DIRECTORY, 0, "data|"));
    BODY("a\0b\0e\0");
    OK(ask(one, XS_DIRECTORY, 0, "data/e|"));
    BODY("");
    OK(ask(one, XS_RM, 0, "data/b|"));
    FAILS("ENOENT", ask(one, XS_READ, 0, "data/b/c|"));
    OK(ask(one, XS_RM, 0, "data/b|"));                          /* not there is what was wanted */
    FAILS("ENOENT", ask(one, XS_RM, 0, "data/nowhere/b|"));
    FAILS("ENOENT", ask(one, XS_DIRECTORY, 0, "data/b|"));
    OK(ask(one, XS_GET_DOMAIN_PATH, 0, "7|"));
    BODY("/local/domain/7\0");
    OK(ask(one, XS_IS_DOMAIN_INTRODUCED, 0, "2|"));
    BODY("T\0");
    OK(ask(one, XS_IS_DOMAIN_INTRODUCED, 0, "3|"));
    BODY("F\0");
}

static void permissions_are_enforced(void **state)
{
    (void)state;
    OK(ask(one, XS_WRITE, 0, "data/a|secret"));
    OK(ask(one, XS_GET_PERMS, 0, "data/a|"));
    BODY("n1\0");
    FAILS("EACCES", ask(two, XS_READ, 0, "/local/domain/1/data/a|"));
    FAILS("EACCES", ask(two, XS_READ, 0, "/local/domain/1/data/none|"));        /* not even that */
    FAILS("EACCES", ask(two, XS_WRITE, 0, "/local/domain/1/data/a|x"));
    FAILS("EACCES", ask(two, XS_RM, 0, "/local/domain/1/data/a|"));
    FAILS("EACCES", ask(one, XS_WRITE, 0, "mine|x"));           /* may be read only */
    FAILS("EACCES", ask(one, XS_RM, 0, "/local/domain/1|"));
    FAILS("ENOENT", ask(one, XS_READ, 0, "none|"));
    OK(ask(one, XS_SET_PERMS, 0, "data/a|n1|r2|"));
    OK(ask(two, XS_READ, 0, "/local/domain/1/data/a|"));
    BODY("secret");
    FAILS("EACCES", ask(two, XS_WRITE, 0, "/local/domain/1/data/a|x"));
    FAILS("EACCES", ask(two, XS_SET_PERMS, 0, "/local/domain/1/data/a|n2|"));
    OK(ask(one, XS_SET_PERMS, 0, "data|n1|b2|"));
    OK(ask(two, XS_WRITE, 0, "/local/domain/1/data/theirs|x"));
    OK(ask(two, XS_GET_PERMS, 0, "/local/domain/1/data/theirs|"));
    BODY("n2\0b2\0");                                           /* the creator's, who also pays */
    assert_int_equal(accounts[2].nodes, 2);
    FAILS("EPERM", ask(one, XS_SET_PERMS, 0, "data/a|n0|"));
    FAILS("EINVAL", ask(one, XS_SET_PERMS, 0, "data/a|x1|"));
    FAILS("EINVAL", ask(one, XS_SET_PERMS, 0, "data/a|n|"));
    FAILS("EINVAL", ask(one, XS_SET_PERMS, 0, "data/a|n99999|"));
    FAILS("EINVAL", ask(one, XS_SET_PERMS, 0, "data/a|"));
    FAILS("ENOSPC", ask(one, XS_SET_PERMS, 0, "data/a|n1|r2|r3|r4|r5|r6|r7|r8|r9|"));
    op_forget_domain(2);
    FAILS("ENOENT", ask(one, XS_READ, 0, "data/theirs|"));
    assert_int_equal(accounts[2].nodes, 0);
}

static void bad_requests_are_refused(void **state)
{
    static const char *const paths[] = {
        "", "data//a|", "data/|", "/local/domain/1/|", "da ta|", "a|b", "a", "a|b|",
    };
    char huge[XENSTORE_PAYLOAD_MAX];

    (void)state;
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        FAILS("EINVAL", ask(one, XS_READ, 0, paths[i]));
        FAILS("EINVAL", ask(one, XS_RM, 0, paths[i]));
    }
    FAILS("EINVAL", ask(one, XS_RM, 0, "/|"));
    FAILS("EINVAL", ask(one, XS_WATCH, 0, "data|"));
    FAILS("EINVAL", ask(one, XS_WATCH, 0, "@other|t|"));
    FAILS("EINVAL", ask(one, XS_TRANSACTION_END, 0, "X|"));
    FAILS("ENOENT", ask(one, XS_TRANSACTION_END, 0, "T|"));
    FAILS("ENOENT", ask(one, XS_READ, 77, "data|"));
    FAILS("EPERM", ask(one, XS_CONTROL, 0, "help|"));
    FAILS("EACCES", ask(one, XS_INTRODUCE, 0, "3|1|1|"));
    FAILS("EACCES", ask(one, XS_RELEASE, 0, "2|"));
    FAILS("EACCES", ask(one, XS_RESUME, 0, "2|"));
    FAILS("EACCES", ask(one, XS_SET_TARGET, 0, "1|2|"));
    FAILS("ENOSYS", ask(one, 20, 0, "|"));
    FAILS("ENOSYS", ask(one, XS_WATCH_EVENT, 0, "|"));
    FAILS("ENOSYS", ask(one, 0xffffffff, 0, "|"));
    memset(huge, 'a', sizeof(huge));
    FAILS("EINVAL", ask_raw(one, XS_READ, 0, huge, sizeof(huge)));
    huge[2048] = 0;
    OK(ask_raw(one, XS_WRITE, 0, "data/v\0", 7));
    memcpy(huge, "data/v", 7);
    OK(ask_raw(one, XS_WRITE, 0, huge, 7 + MAX_VALUE));
    FAILS("ENOSPC", ask_raw(one, XS_WRITE, 0, huge, 7 + MAX_VALUE + 1));
    assert_false(one->broken);
    put(one, &(struct xsd_sockmsg){ .type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1 }, HEADER);
    assert_true(one->broken);
    assert_int_equal(conn_wants(one), 0);
    OK(ask(two, XS_READ, 0, "data|"));
}

static void watches_fire(void **state)
{
    (void)state;
    OK(ask(one, XS_WATCH, 0, "data|tok|"));
    assert_string_equal(events, "data|tok ");                   /* at once, and behind the reply */
    FAILS("EEXIST", ask(one, XS_WATCH, 0, "data|tok|"));
    OK(ask(one, XS_WATCH, 0, "/local/domain/1/data/x|abs|"));
    assert_string_equal(events, "/local/domain/1/data/x|abs ");
    OK(ask(one, XS_WRITE, 0, "data/x/y|1"));
    assert_string_equal(events, "data/x/y|tok /local/domain/1/data/x/y|abs ");
    OK(ask(one, XS_WRITE, 0, "data/xx|1"));                     /* no part of data/x */
    assert_string_equal(events, "data/xx|tok ");
    OK(ask(one, XS_RM, 0, "data/x|"));                          /* each node that goes */
    assert_non_null(strstr(events, "/local/domain/1/data/x|abs "));
    assert_non_null(strstr(events, "data/x/y|tok "));
    OK(ask(one, XS_UNWATCH, 0, "data|tok|"));
    FAILS("ENOENT", ask(one, XS_UNWATCH, 0, "data|tok|"));
    OK(ask(two, XS_WATCH, 0, "/local/domain/1|spy|"));
    OK(ask(one, XS_WRITE, 0, "data/s|1"));                      /* who may not read is not told */
    events[0] = 0;
    drain(two);
    assert_string_equal(events, "");
    OK(ask(one, XS_SET_PERMS, 0, "data/s|r1|"));
    events[0] = 0;
    drain(two);
    assert_string_equal(events, "/local/domain/1/data/s|spy ");
    OK(ask(two, XS_WATCH, 0, "@releaseDomain|gone|"));
    events[0] = 0;
    watch_fire_special("@releaseDomain");
    drain(two);
    assert_string_equal(events, "@releaseDomain|gone ");
    OK(ask(one, XS_RESET_WATCHES, 0, "|"));
    OK(ask(two, XS_RESET_WATCHES, 0, "|"));
    assert_int_equal(accounts[1].watches + accounts[2].watches, 0);
}

/* A guest that does not read costs no more memory, and is told that it missed an event. */
static void events_wait_for_a_guest_that_does_not_read(void **state)
{
    (void)state;
    OK(ask(one, XS_SET_PERMS, 0, "data|r1|"));
    OK(ask(two, XS_WATCH, 0, "/local/domain/1/data|t|"));
    OK(ask(two, XS_WATCH, 0, "/local/domain/1/data/late|u|"));
    for (unsigned i = 0; i < 1000; i++)
        OK(ask(one, XS_WRITE, 0, "data/x|1"));
    OK(ask(one, XS_WRITE, 0, "data/late|1"));
    assert_in_range(two->out_len, 1, EVENT_ROOM);
    assert_int_equal(conn_wants(two), 0);
    events[0] = 0;
    drain(two);
    assert_non_null(strstr(events, "/local/domain/1/data|t "));
    assert_non_null(strstr(events, "/local/domain/1/data/late|u "));
    assert_true(conn_wants(two) > 0);
}

static void transaction_is_seen_whole_or_not(void **state)
{
    uint32_t t, u;

    (void)state;
    OK(ask(one, XS_WRITE, 0, "data/a|1"));
    t = start(one);
    FAILS("EBUSY", ask(one, XS_TRANSACTION_START, t, "|"));
    OK(ask(one, XS_WRITE, t, "data/a|2"));
    OK(ask(one, XS_WRITE, t, "data/n/m|3"));
    OK(ask(one, XS_READ, 0, "data/a|"));
    BODY("1");
    FAILS("ENOENT", ask(one, XS_READ, 0, "data/n|"));
    OK(ask(one, XS_READ, t, "data/a|"));
    BODY("2");
    OK(ask(one, XS_DIRECTORY, t, "data|"));
    BODY("a\0n\0");
    OK(ask(one, XS_WATCH, 0, "data|w|"));
    OK(ask(one, XS_TRANSACTION_END, t, "T|"));
    assert_non_null(strstr(events, "data/a|w "));
    assert_non_null(strstr(events, "data/n/m|w "));
    OK(ask(one, XS_READ, 0, "data/n/m|"));
    BODY("3");
    FAILS("ENOENT", ask(one, XS_READ, t, "data/a|"));
    t = start(one);                                             /* given up */
    OK(ask(one, XS_RM, t, "data/n|"));
    FAILS("ENOENT", ask(one, XS_READ, t, "data/n/m|"));
    OK(ask(one, XS_DIRECTORY, t, "data|"));
    BODY("a\0");
    OK(ask(one, XS_TRANSACTION_END, t, "F|"));
    OK(ask(one, XS_READ, 0, "data/n/m|"));
    t = start(one);                                             /* removed, and made anew */
    OK(ask(one, XS_RM, t, "data/n|"));
    OK(ask(one, XS_WRITE, t, "data/n/k|4"));
    OK(ask(one, XS_DIRECTORY, t, "data/n|"));
    BODY("k\0");
    OK(ask(one, XS_TRANSACTION_END, t, "T|"));
    OK(ask(one, XS_DIRECTORY, 0, "data/n|"));
    BODY("k\0");
    t = start(one);
    u = start(one);
    assert_int_not_equal(t, u);
    FAILS("ENOENT", ask(two, XS_READ, t, "data|"));             /* not theirs */
    OK(ask(one, XS_RESET_WATCHES, 0, "|"));
    FAILS("ENOENT", ask(one, XS_READ, t, "data/a|"));
}

static void conflicting_transaction_must_retry(void **state)
{
    uint32_t t;

    (void)state;
    OK(ask(one, XS_WRITE, 0, "data/a|1"));
    t = start(one);                                             /* what was read changed */
    OK(ask(one, XS_READ, t, "data/a|"));
    OK(ask(one, XS_WRITE, t, "data/b|1"));
    OK(ask(one, XS_WRITE, 0, "data/a|2"));
    OK(ask(one, XS_READ, t, "data/a|"));
    BODY("1");                                                  /* not for it */
    FAILS("EAGAIN", ask(one, XS_TRANSACTION_END, t, "T|"));
    FAILS("ENOENT", ask(one, XS_READ, 0, "data/b|"));
    t = start(one);                                             /* what was not there came */
    FAILS("ENOENT", ask(one, XS_READ, t, "data/c|"));
    OK(ask(one, XS_WRITE, 0, "data/c|2"));
    FAILS("EAGAIN", ask(one, XS_TRANSACTION_END, t, "T|"));
    t = start(one);                                             /* the list that was read changed */
    OK(ask(one, XS_DIRECTORY, t, "data|"));
    OK(ask(one, XS_WRITE, 0, "data/d|2"));
    FAILS("EAGAIN", ask(one, XS_TRANSACTION_END, t, "T|"));
    /* and all of these are no conflict */
    t = start(one);
    OK(ask(one, XS_WRITE, t, "data/e/mine|1"));
    OK(ask(one, XS_READ, t, "data/a|"));
    OK(ask(one, XS_WRITE, 0, "data/f|1"));
    OK(ask(one, XS_WRITE, 0, "data/c|3"));
    OK(ask(two, XS_WRITE, 0, "data/a|3"));
    OK(ask(one, XS_TRANSACTION_END, t, "T|"));
    t = start(one);
    OK(ask(one, XS_RM, t, "data/f|"));
    OK(ask(one, XS_WRITE, 0, "data/f/new|1"));                  /* would be lost */
    FAILS("EAGAIN", ask(one, XS_TRANSACTION_END, t, "T|"));
    OK(ask(one, XS_READ, 0, "data/f/new|"));
}

static void quotas_limit_each_guest(void **state)
{
    char text[3200];
    const char *err = NULL;
    unsigned n;

    (void)state;
    for (n = 0; !err && n < 2000; n++) {
        sprintf(text, "data/n%u|", n);
        err = ask(one, XS_WRITE, 0, text);
    }
    assert_string_equal(err, "ENOSPC");
    assert_in_range(n, 500, MAX_NODES);
    assert_true(accounts[1].bytes <= MAX_BYTES && accounts[1].nodes <= MAX_NODES);
    FAILS("E2BIG", ask(one, XS_DIRECTORY, 0, "data|"));
    OK(ask(two, XS_WRITE, 0, "data/n|"));                       /* nobody else's */
    OK(ask(one, XS_RM, 0, "data|"));
    for (n = 0; !(err = (sprintf(text, "/w%u|t|", n), ask(one, XS_WATCH, 0, text))); n++)
        ;
    assert_string_equal(err, "E2BIG");
    assert_int_equal(n, MAX_WATCHES);
    OK(ask(one, XS_RESET_WATCHES, 0, "|"));
    for (n = 0; !(err = ask(one, XS_TRANSACTION_START, 0, "|")); n++)
        ;
    assert_string_equal(err, "ENOSPC");
    assert_int_equal(n, MAX_TRANSACTIONS);
    OK(ask(one, XS_RESET_WATCHES, 0, "|"));
    memset(text, 'a', sizeof(text));            /* to look at much in a transaction costs, too */
    text[0] = '/';
    strcpy(text + 2900, "|");
    n = start(one);
    do
        text[1 + rand() % 2000] = 'b' + rand() % 20;
    while (!strcmp(err = ask(one, XS_READ, n, text), "ENOENT") || !strcmp(err, "EACCES"));
    assert_string_equal(err, "ENOSPC");
    FAILS("ENOSPC", ask(one, XS_TRANSACTION_END, n, "T|"));
}

/* Reads a list that does not fit into one message. */
static void long_lists_come_in_parts(void **state)
{
    unsigned got = 0, parts = 0, at = 0;
    char text[64], first[24];

    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        sprintf(text, "data/name-%05u|", i);
        OK(ask(one, XS_WRITE, 0, text));
    }
    FAILS("E2BIG", ask(one, XS_DIRECTORY, 0, "data|"));
    for (bool end = false; !end; parts++) {
        sprintf(text, "data|%u|", at);
        OK(ask(one, XS_DIRECTORY_PART, 0, text));
        if (at == 0)
            strcpy(first, body);
        assert_string_equal(body, first);
        for (unsigned i = strlen(body) + 1; i < head.len && !end; i += strlen(body + i) + 1) {
            end = !body[i];
            if (!end) {
                sprintf(text, "name-%05u", got++);
                assert_string_equal(body + i, text);
                at += strlen(text) + 1;
            }
        }
    }
    assert_int_equal(got, 600);
    assert_true(parts > 1);
    OK(ask(one, XS_DIRECTORY_PART, 0, "data|99999|"));
    assert_int_equal(head.len, strlen(body) + 2);
    OK(ask(one, XS_WRITE, 0, "data/new|"));
    OK(ask(one, XS_DIRECTORY_PART, 0, "data|0|"));
    assert_string_not_equal(body, first);
}

static long mallocs_left;
static void *failing_malloc(size_t n)
{
    return mallocs_left-- > 0 ? malloc(n) : NULL;
}

/* Whichever allocation fails, there is an answer, and the request is done whole or not at all. */
static void without_memory_all_or_nothing_happens(void **state)
{
    const char *err = "";

    (void)state;
    for (long n = 0; err; n++) {
        uint32_t t = start(one);

        mallocs_left = n;
        store_malloc = failing_malloc;
        err = ask(one, XS_WRITE, t, "data/x/y/z|1");
        if (!err)
            err = ask(one, XS_TRANSACTION_END, t, "T|");
        store_malloc = malloc;
        OK(ask(one, XS_RESET_WATCHES, 0, "|"));
        assert_true(!err == !ask(one, XS_READ, 0, "data/x/y/z|"));
        assert_true(!err == !ask(one, XS_READ, 0, "data/x|"));
        err = ask(one, XS_READ, 0, "data/x|");
    }
    OK(ask(one, XS_RM, 0, "data/x|"));
    err = "";
    for (long n = 0; err; n++) {
        mallocs_left = n;
        store_malloc = failing_malloc;
        err = ask(one, XS_WRITE, 0, "data/x/y/z|1");
        store_malloc = malloc;
        assert_true(!err == !ask(one, XS_READ, 0, "data/x|"));
        err = ask(one, XS_READ, 0, "data/x|");
    }
}

static uint64_t seed;
static unsigned pick(unsigned n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (seed >> 33) % n;
}

/* Two guests increment one node in transactions that overlap at random: no increment is lost. */
static void overlapping_counters_lose_nothing(void **state)
{
    struct conn *who[2];
    uint32_t tx[2] = { 0 };
    unsigned value[2] = { 0 }, done = 0, again = 0;
    char text[64];

    (void)state;
    who[0] = one, who[1] = two;
    seed = 7;
    OK(ask(one, XS_WRITE, 0, "data/n|0"));
    OK(ask(one, XS_SET_PERMS, 0, "data/n|b1|"));
    while (done < 500) {
        unsigned i = pick(2);

        if (!tx[i]) {
            tx[i] = start(who[i]);
            OK(ask(who[i], XS_READ, tx[i], "/local/domain/1/data/n|"));
            value[i] = atoi(body) + 1;
            continue;
        }
        sprintf(text, "/local/domain/1/data/n|%u", value[i]);
        OK(ask(who[i], XS_WRITE, tx[i], text));
        if (!ask(who[i], XS_TRANSACTION_END, tx[i], "T|"))
            done++;
        else
            again += !strcmp(body, "EAGAIN");
        tx[i] = 0;
    }
    OK(ask(one, XS_READ, 0, "data/n|"));
    assert_int_equal(atoi(body), 500);
    assert_true(again > 50);
}

/* --- anything at all -------------------------------------------------------------------------- */

static size_t random_path(char *to)
{
    static const char *const tops[] = {
        "data", "/local/domain/1/data", "/local/domain/2/data", "/local/domain/1", "/",
    };
    static const char *const parts[] = { "a", "b", "c", "d/e", "@x", "" };
    size_t len = sprintf(to, "%s", tops[pick(40) ? pick(3) : pick(5)]);

    for (unsigned n = pick(4); n; n--)
        len += sprintf(to + len, "/%s", parts[pick(40) ? pick(4) : pick(6)]);
    return len + 1;
}

static void check_accounts(void)
{
    for (unsigned d = 1; d < 4; d++)
        assert_true(accounts[d].bytes <= MAX_BYTES && accounts[d].nodes <= MAX_NODES &&
                    accounts[d].watches <= MAX_WATCHES &&
                    accounts[d].transactions <= MAX_TRANSACTIONS);
}

/* What follows the path in a valid request: nothing, or up to three of these. */
static const char *const perm_words[] = { "n1", "n2", "r1", "b1", "b2", "r2", "n0" };

static size_t sensible(uint32_t type, char *payload)
{
    size_t len = 0;

    if (type == XS_TRANSACTION_START || type == XS_RESET_WATCHES)
        return sprintf(payload, "%s", "") + 1;
    if (type == XS_TRANSACTION_END)
        return sprintf(payload, "%s", pick(4) ? "T" : "F") + 1;
    if (type == XS_GET_DOMAIN_PATH || type == XS_IS_DOMAIN_INTRODUCED)
        return sprintf(payload, "%u", pick(5)) + 1;
    len = random_path(payload);
    if (type == XS_RM)                  /* without its own node a domain can do nothing any more */
        len += sprintf(payload + len - 1, "/%c", 'a' + pick(3));
    if (type == XS_WATCH || type == XS_UNWATCH || type == XS_DIRECTORY_PART)
        len += sprintf(payload + len, "%u", pick(3)) + 1;
    for (unsigned n = type == XS_SET_PERMS ? 1 + pick(3) : 0; n; n--)
        len += sprintf(payload + len, "%s", perm_words[pick(7)]) + 1;
    for (unsigned n = type == XS_WRITE ? pick(pick(20) ? 8 : 2100) : 0; n; n--)
        payload[len++] = pick(256);
    return len;
}

static unsigned answered;

static void random_request(struct conn *c)
{
    static uint32_t open[3][3];         /* of each domain, some that it may have open */
    static const uint32_t often[] = { XS_WRITE, XS_RM, XS_DIRECTORY, XS_READ, XS_MKDIR };
    char payload[XENSTORE_PAYLOAD_MAX];
    uint32_t type = pick(50) ? pick(XS_TYPE_COUNT + 1) : pick(1u << 31), tx = 0;
    size_t len;

    if (pick(2) || (type == XS_RESET_WATCHES && pick(10)) ||
        (type == XS_TRANSACTION_END && pick(12)))
        type = often[pick(5)];
    if (type == XS_TRANSACTION_END || (type != XS_TRANSACTION_START && pick(2)))
        tx = open[c->domid][pick(3)];
    len = sensible(type, payload);
    for (unsigned n = pick(20) ? 0 : pick(100); n; n--)
        payload[len++] = pick(256);
    for (unsigned n = pick(20) ? 0 : pick(4); n; n--)
        payload[pick(len)] = pick(256);
    if (ask_raw(c, type, tx, payload, len))
        return;
    answered++;
    if (type == XS_TRANSACTION_START)
        open[c->domid][pick(3)] = strtoul(body, NULL, 10);
}

static void random_requests_keep_the_invariants(void **state)
{
    const char *text = getenv("FUZZ_SEED"), *count = getenv("FUZZ_ITERATIONS");

    (void)state;
    seed = text ? strtoull(text, NULL, 0) : 1;
    for (unsigned n = count ? strtoul(count, NULL, 0) : 60000; n; n--) {
        struct conn *c = pick(2) ? one : two;

        mallocs_left = pick(40) ? 1000000 : pick(6);
        store_malloc = failing_malloc;
        random_request(c);
        store_malloc = malloc;
        check_accounts();
        if (pick(500) == 0) {                                   /* it goes, and another comes */
            uint16_t domid = c->domid;

            conn_free(c);
            op_forget_domain(domid);
            *(domid == 1 ? &one : &two) = conn_new(domid);
            init_node(domid == 1 ? "/local/domain/1/data" : "/local/domain/2/data", "",
                      (struct perm){ domid, PERM_OWNER });
        }
        if (pick(100) == 0) {                                   /* a stream that makes no sense */
            uint8_t junk[32];

            for (unsigned i = 0; i < sizeof(junk); i++)
                junk[i] = pick(3) ? 0 : pick(256);
            c = conn_new(3);
            for (unsigned i = 0; i < sizeof(junk) && conn_wants(c); i++)
                conn_put(c, junk + i, 1);
            conn_free(c);
        }
    }
    assert_true(count || answered > 15000);
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(values_are_kept),
        with_store(permissions_are_enforced),
        with_store(bad_requests_are_refused),
        with_store(watches_fire),
        with_store(events_wait_for_a_guest_that_does_not_read),
        with_store(transaction_is_seen_whole_or_not),
        with_store(conflicting_transaction_must_retry),
        with_store(quotas_limit_each_guest),
        with_store(long_lists_come_in_parts),
        with_store(without_memory_all_or_nothing_happens),
        with_store(overlapping_counters_lose_nothing),
        with_store(random_requests_keep_the_invariants),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
