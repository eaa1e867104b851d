/* A loop that waits in poll() must not keep a connection open that somebody
 * else closes: while poll() runs, the kernel holds on to all that it looks at,
 * so that a mere close() does not reach the peer. */
#include "witness.h"

#include "origin.h"

/* Signal 0: the peer has closed. */
static const struct origin_step serves_once[] = {
    O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    O_HANG, O_POST(0), O_END};

static struct origin *origin;
static weir_pool *pool;
static atomic_int loop_thread;

static void note_thread(struct witness *witness)
{
    (void)witness;
    atomic_store(&loop_thread, this_thread());
}

/* A call on a loop, whose connection rests there. */
static void rest_on_a_loop(const char *host)
{
    struct witness seen;

    begin_witness(&seen);
    seen.act[AT_DONE] = note_thread;
    watch_get(&seen, pool, origin_url_of(origin, host, "/"));
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello");
    await_asleep(&loop_thread);
}

/* Calls and dials take the loops in turn, so that one of these connections is
 * with a loop that is no keeper: nothing else wakes it. */
static void test_a_close_reaches_the_peer_while_a_loop_polls(void **state)
{
    weir_pool_options options;

    (void)state;
    weir_pool_options_init(&options);
    options.poller = WEIR_POLLER_POLL;
    options.loops = 3;
    options.max_connections = 2;
    origin = origin_start(NULL);
    assert_non_null(origin);
    origin_script(origin, 0, serves_once);
    pool = must_open(&options);
    rest_on_a_loop("127.0.0.1");
    rest_on_a_loop("localhost");
    options.enabled = false;
    assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
    assert_int_equal(figures_of(pool).open, 0);
    for (unsigned i = 0; i < 2; i++)
        assert_true(origin_wait(origin, 0));
    weir_pool_free(pool);
    origin_stop(origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_close_reaches_the_peer_while_a_loop_polls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
