/* Connections that were dialled and never lent: they rest in the pool like any
 * other, and are watched. */
#include "witness.h"

#include "origin_pool.h"

static const struct origin_step closes_when_told[] = {O_WAIT(1), O_CLOSE,
                                                      O_END};

static struct witness seen;
static struct gate gate;

static void stop_at_dial(void *user, const weir_trace_event *event)
{
    (void)user;
    if (event->kind == WEIR_TRACE_DIAL)
        stop_at(&gate);
}

static int set_up(void **state)
{
    weir_pool_options options;

    (void)state;
    weir_pool_options_init(&options);
    options.trace = stop_at_dial;
    begin_witness(&seen);
    gate = (struct gate){false, false};
    if (start_both(NULL, &options) != 0)
        return -1;
    origin_script(origin, 0, closes_when_told);
    return 0;
}

/* The peer closes: it is noticed long before the idle limit. */
static void assert_watched(void)
{
    const struct timespec until = patience();
    struct timespec now;

    while (figures_of(pool).idle == 0)
        sched_yield();
    origin_post(origin, 1);
    do {
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED] == 0 &&
             now.tv_sec < until.tv_sec);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED], 1);
}

static void test_what_a_cancelled_call_leaves(void **state)
{
    (void)state;
    watch_get(&seen, pool, origin_url(origin, "/"));
    await_gate(&gate);
    weir_call_cancel(seen.call);
    open_gate(&gate);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CANCELLED);
    assert_watched();
}

static void test_what_was_dialled_for_warmth(void **state)
{
    (void)state;
    open_gate(&gate);
    assert_int_equal(weir_pool_warm(pool, origin_url(origin, "/"), 1, NULL),
                     WEIR_OK);
    assert_watched();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_cancelled_call_leaves),
        TEST(test_what_was_dialled_for_warmth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
