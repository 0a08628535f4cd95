/* What keeps one guest of the store from harming others: quotas, replies in parts, requests without
 * memory, and random requests, after each of which the accounts are recounted. */
#include "cmocka_main.h"
#include "store_fixture.h"

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
    OK(ask(two, XS_WRITE, 0, "data/n|"));                       /* only its own */
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
    /* reading many nodes in a transaction is limited, too */
    memset(text, 'a', sizeof(text));
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
    if (type == XS_RM)                  /* without its own node a domain can do nothing */
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
        /* it is freed, and another is made */
        if (pick(500) == 0) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(quotas_limit_each_guest),
        with_store(long_lists_come_in_parts),
        with_store(without_memory_all_or_nothing_happens),
        with_store(random_requests_keep_the_invariants),
    };

    return cmocka_run_group_tests_name("store limits", tests, NULL, NULL);
}
