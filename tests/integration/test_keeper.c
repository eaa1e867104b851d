/* Connections that nobody uses: design.md 4.3.  Whoever runs the loop, what
 * happens to them is noticed without a call; without a keeper, at the next. */
#include "client.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "origin_pool.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

enum {
    PATIENCE_S = 20
};

static const struct origin_step closes_when_told[] = {
    O_EXPECT, O_SEND(HELLO), O_WAIT(0), O_CLOSE, O_POST(1), O_END};
static const struct origin_step chats_when_told[] = {
    O_EXPECT,  O_SEND(HELLO), O_WAIT(0), O_SEND("HTTP/1.1 408 Bye\r\n\r\n"),
    O_POST(1), O_HANG,        O_END};
static const struct origin_step keeps_three_seconds[] = {
    O_EXPECT,
    O_SEND("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\n"
           "Content-Length: 5\r\n\r\nhello"),
    O_HANG, O_END};
static const struct origin_step echoes[] = {O_ECHO, O_END};

static int set_up(void **state)
{
    (void)state;
    origin = origin_start(NULL);
    return origin ? 0 : -1;
}

/* --- waiting ------------------------------------------------------------- */

typedef bool (*condition)(const weir_pool_figures *figures);

/* Until the figures are so, though nobody calls. */
static void await(condition is_met)
{
    const double until = seconds_now() + PATIENCE_S;

    for (;;) {
        const weir_pool_figures figures = figures_of(pool);

        if (is_met(&figures))
            return;
        if (seconds_now() > until)
            fail_msg("open %llu, idle %llu, dialed %llu",
                     (unsigned long long)figures.open,
                     (unsigned long long)figures.idle,
                     (unsigned long long)figures.dialed);
        if (is_driver("external"))
            weir_pool_dispatch(pool, NULL);
        usleep(1000);
    }
}

static bool nothing_is_open(const weir_pool_figures *figures)
{
    return figures->open == 0;
}

static bool three_are_idle(const weir_pool_figures *figures)
{
    return figures->idle == 3;
}

/* --- what the peer does -------------------------------------------------- */

/* One idle connection, which the origin has then done something to. */
static void disturb(const struct origin_step *steps,
                    const weir_pool_options *options)
{
    struct outcome out;

    pool = must_open(options);
    origin_script(origin, 0, steps);
    origin_script(origin, 1, echoes);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "hello");
    origin_post(origin, 0);
    assert_true(origin_wait(origin, 1));
}

static void test_a_close_is_noticed_without_a_call(void **state)
{
    const weir_pool_options options = test_options();

    (void)state;
    disturb(closes_when_told, &options);
    await(nothing_is_open);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED], 1);
}

static void test_bytes_are_noticed_without_a_call(void **state)
{
    const weir_pool_options options = test_options();

    (void)state;
    disturb(chats_when_told, &options);
    await(nothing_is_open);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_UNEXPECTED_DATA], 1);
}

/* No thread watches; the next call looks first. */
static void test_without_a_keeper_the_next_call_notices(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;

    (void)state;
    if (!is_driver("blocking"))
        skip(); /* a loop watches its own */
    options.keeper = false;
    disturb(closes_when_told, &options);
    assert_int_equal(figures_of(pool).open, 1);
    get(pool, origin_url(origin, "/x"), &out);
    assert_answer(&out, "GET /x 0");
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED], 1);
    assert_int_equal(figures_of(pool).stale_retries, 0);
}

/* --- time ---------------------------------------------------------------- */

/* An idle connection closes by itself, for that reason, not before
 * `earliest`. */
static void assert_expires(const weir_pool_options *options,
                           weir_close_reason reason, double earliest)
{
    const double begun = seconds_now();
    struct outcome out;

    pool = must_open(options);
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_OK);
    await(nothing_is_open);
    assert_int_equal(figures_of(pool).closed[reason], 1);
    assert_true(seconds_now() - begun >= earliest);
}

static void test_the_idle_limit(void **state)
{
    weir_pool_options options = test_options();

    (void)state;
    options.idle_timeout = 0.3;
    assert_expires(&options, WEIR_CLOSE_IDLE, 0.3);
}

static void test_the_age_limit(void **state)
{
    weir_pool_options options = test_options();

    (void)state;
    options.max_age = 0.3;
    assert_expires(&options, WEIR_CLOSE_AGE, 0.26); /* up to a tenth early */
}

/* Rule 2.13: before the peer does. */
static void test_what_the_peer_keeps(void **state)
{
    const weir_pool_options options = test_options();
    const double begun = seconds_now();

    (void)state;
    origin_script(origin, 0, keeps_three_seconds);
    assert_expires(&options, WEIR_CLOSE_IDLE, 0.5);
    assert_true(seconds_now() - begun < 3);
}

/* --- warmth -------------------------------------------------------------- */

static void warm(unsigned count)
{
    weir_error err;

    if (weir_pool_warm(pool, origin_url(origin, "/"), count, &err) != WEIR_OK)
        fail_msg("%s", err.message);
}

static void test_warm_connections_are_there_before_the_first_call(void **state)
{
    const weir_pool_options options = test_options();
    struct outcome out;

    (void)state;
    pool = must_open(&options);
    warm(3);
    await(three_are_idle);
    get(pool, origin_url(origin, "/x"), &out);
    assert_answer(&out, "GET /x 0");
    assert_int_equal(figures_of(pool).dialed, 3);
}

static bool a_fourth_is_idle(const weir_pool_figures *figures)
{
    return figures->dialed == 4 && figures->idle == 3;
}

static void test_a_warm_connection_that_is_lost_is_replaced(void **state)
{
    static const struct origin_step closes[] = {O_WAIT(0), O_CLOSE, O_END};
    const weir_pool_options options = test_options();

    (void)state;
    origin_script(origin, 0, closes);
    origin_script(origin, 1, echoes);
    pool = must_open(&options);
    warm(3);
    await(three_are_idle);
    origin_post(origin, 0);
    await(a_fourth_is_idle);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED], 1);
}

static void test_warmth_outlasts_the_idle_limit_until_it_ends(void **state)
{
    weir_pool_options options = test_options();
    double until;

    (void)state;
    options.idle_timeout = 0.1;
    pool = must_open(&options);
    warm(3);
    await(three_are_idle);
    until = seconds_now() + 0.5;
    while (seconds_now() < until) {
        if (is_driver("external"))
            weir_pool_dispatch(pool, NULL);
        assert_int_equal(figures_of(pool).idle, 3);
        usleep(1000);
    }
    assert_int_equal(figures_of(pool).dialed, 3);
    warm(0);
    await(nothing_is_open);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_IDLE], 3);
}

static void test_warmth_stays_within_the_limits(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;

    (void)state;
    options.max_per_host = 3;
    pool = must_open(&options);
    warm(1000);
    await(three_are_idle);
    get(pool, origin_url(origin, "/x"), &out);
    assert_answer(&out, "GET /x 0");
    assert_int_equal(figures_of(pool).dialed, 3);
    assert_int_equal(origin_connections(origin), 3);
}

static void test_what_warmth_wants_is_checked(void **state)
{
    weir_error err;

    (void)state;
    pool = must_open(NULL);
    assert_int_equal(weir_pool_warm(pool, "http://:80/", 1, &err), WEIR_E_URL);
    assert_int_equal(weir_pool_warm(NULL, origin_url(origin, "/"), 1, &err),
                     WEIR_E_INVALID);
    assert_int_equal(weir_pool_close(pool, 0, NULL), WEIR_OK);
    assert_int_equal(weir_pool_warm(pool, origin_url(origin, "/"), 1, &err),
                     WEIR_E_CLOSED);
}

/* --- a server that is dead ----------------------------------------------- */

static bool some_dials_have_failed(const weir_pool_figures *figures)
{
    return figures->dial_failures >= 4;
}

/* 20, 40, 80 and 160 ms lie between the first five dials. */
static void test_warmth_does_not_hammer_a_dead_server(void **state)
{
    const weir_pool_options options = test_options();
    const double begun = seconds_now();
    weir_error err;

    (void)state;
    pool = must_open(&options);
    assert_int_equal(weir_pool_warm(pool, "http://127.0.0.1:1/", 1, &err),
                     WEIR_OK);
    await(some_dials_have_failed);
    assert_true(seconds_now() - begun >= 0.14);
}

/* All who wait get the cause, and few dials are made for them. */
static void test_the_line_of_a_dead_server_fails_with_the_cause(void **state)
{
    enum {
        CALLERS = 20
    };
    weir_pool_options options = test_options();
    struct call calls[CALLERS];

    (void)state;
    options.max_per_host = 1;
    pool = must_open(&options);
    for (unsigned i = 0; i < CALLERS; i++)
        start_call(&calls[i], pool, "http://127.0.0.1:1/");
    for (unsigned i = 0; i < CALLERS; i++) {
        join_call(&calls[i]);
        assert_code(&calls[i].out, WEIR_E_CONNECT);
        assert_non_null(strstr(calls[i].out.err.message, "refused"));
        assert_int_equal(calls[i].out.err.stage, WEIR_STAGE_CONNECT);
    }
    assert_true(figures_of(pool).dial_failures <= CALLERS);
    assert_int_equal(figures_of(pool).failures, CALLERS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_close_is_noticed_without_a_call),
        TEST(test_bytes_are_noticed_without_a_call),
        TEST(test_without_a_keeper_the_next_call_notices),
        TEST(test_the_idle_limit),
        TEST(test_the_age_limit),
        TEST(test_what_the_peer_keeps),
        TEST(test_warm_connections_are_there_before_the_first_call),
        TEST(test_a_warm_connection_that_is_lost_is_replaced),
        TEST(test_warmth_outlasts_the_idle_limit_until_it_ends),
        TEST(test_warmth_stays_within_the_limits),
        TEST(test_what_warmth_wants_is_checked),
        TEST(test_warmth_does_not_hammer_a_dead_server),
        TEST(test_the_line_of_a_dead_server_fails_with_the_cause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
