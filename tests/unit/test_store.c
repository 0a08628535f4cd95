/* The store's core as it is in the service domain, by messages of its wire protocol: values,
 * permissions, requests that are refused, watches. Not here: transactions
 * (test_store_transactions.c), quotas, memory and random requests (test_store_limits.c). */
#include "cmocka_main.h"
#include "store_fixture.h"

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
    OK(ask(one, XS_WRITE, 0, "data/b/c/d|"));                   /* and its missing parents */
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
    /* the node does not exist, which is what was asked for */
    OK(ask(one, XS_RM, 0, "data/b|"));
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
    FAILS("EACCES", ask(two, XS_READ, 0, "/local/domain/1/data/none|"));        /* nor this */
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
    /* of its creator, which is also charged */
    BODY("n2\0b2\0");
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
    OK(ask(one, XS_RM, 0, "data/x|"));                          /* each node that is removed */
    assert_non_null(strstr(events, "/local/domain/1/data/x|abs "));
    assert_non_null(strstr(events, "data/x/y|tok "));
    OK(ask(one, XS_UNWATCH, 0, "data|tok|"));
    FAILS("ENOENT", ask(one, XS_UNWATCH, 0, "data|tok|"));
    OK(ask(two, XS_WATCH, 0, "/local/domain/1|spy|"));
    /* a domain that may not read gets no event */
    OK(ask(one, XS_WRITE, 0, "data/s|1"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(values_are_kept),
        with_store(permissions_are_enforced),
        with_store(bad_requests_are_refused),
        with_store(watches_fire),
        with_store(events_wait_for_a_guest_that_does_not_read),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
