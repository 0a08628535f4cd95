/* The store's transactions: each is seen as a whole or not at all, and one that conflicts with
 * another has to be made again. */
#include "cmocka_main.h"
#include "store_fixture.h"

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
    t = start(one);                                             /* aborted */
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
    /* a node that did not exist was made */
    t = start(one);
    FAILS("ENOENT", ask(one, XS_READ, t, "data/c|"));
    OK(ask(one, XS_WRITE, 0, "data/c|2"));
    FAILS("EAGAIN", ask(one, XS_TRANSACTION_END, t, "T|"));
    t = start(one);                                             /* the list that was read changed */
    OK(ask(one, XS_DIRECTORY, t, "data|"));
    OK(ask(one, XS_WRITE, 0, "data/d|2"));
    FAILS("EAGAIN", ask(one, XS_TRANSACTION_END, t, "T|"));
    /* and none of these is a conflict */
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

/* For a guest that another store served: what was under way there. */
static void another_store_carries_on(void **state)
{
    uint32_t t;

    (void)state;
    FAILS("ENOENT", ask(one, XS_WRITE, 77, "data/x|1"));
    one->resumed = true;
    OK(ask(one, XS_WRITE, 77, "data/x|1"));
    OK(ask(one, XS_READ, 77, "data/x|"));
    FAILS("ENOENT", ask(one, XS_READ, 0, "data/x|"));
    FAILS("EAGAIN", ask(one, XS_TRANSACTION_END, 77, "T|"));
    FAILS("EAGAIN", ask(one, XS_TRANSACTION_END, 78, "T|"));
    FAILS("ENOENT", ask(one, XS_READ, 0, "data/x|"));
    FAILS("ENOENT", ask(one, XS_TRANSACTION_START, 79, "|"));
    for (t = 80; t < 80 + MAX_TRANSACTIONS; t++)
        OK(ask(one, XS_WRITE, t, "data/x|1"));
    FAILS("ENOENT", ask(one, XS_WRITE, t, "data/x|1"));
    OK(ask(one, XS_RESET_WATCHES, 0, "|"));

    OK(ask(one, XS_WATCH, 0, "data|t|"));
    one->repeats = true;
    OK(ask(one, XS_WATCH, 0, "data|t|"));
    assert_string_equal(events, "");
    OK(ask(one, XS_UNWATCH, 0, "data|other|"));
    one->repeats = false;
    FAILS("EEXIST", ask(one, XS_WATCH, 0, "data|t|"));
    FAILS("ENOENT", ask(one, XS_UNWATCH, 0, "data|other|"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(transaction_is_seen_whole_or_not),
        with_store(conflicting_transaction_must_retry),
        with_store(overlapping_counters_lose_nothing),
        with_store(another_store_carries_on),
    };

    return cmocka_run_group_tests_name("store transactions", tests, NULL, NULL);
}
