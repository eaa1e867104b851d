/* Hedged requests while one is dialled, when a call is cancelled or its pool
 * closed; the delay of an origin's own, its budget and breaker; and many. */
#include "hedging.h"

/* --- while the hedge is being dialled ------------------------------------- */

/* The origin is the SOCKS proxy as well, so that a script can hold a dial up:
 * its greeting, its request, and then HTTP. */
#define SOCKS                                                                  \
    O_TAKE(3), O_SEND("\x05\x00"), O_TAKE(16),                                 \
        O_SEND("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")

static const struct origin_step dial_hangs[] = {
    O_TAKE(3), O_POST(SECOND_IS_THERE), O_HANG, O_END};

static void open_behind_socks(double total)
{
    weir_pool_options options = hedging(0.01);
    char proxy[64];

    snprintf(proxy, sizeof proxy, "socks5h://127.0.0.1:%u",
             origin_port(origin, 0));
    options.proxy = proxy;
    options.total_timeout = total;
    open_pool(&options);
}

static void test_the_dial_of_a_hedge_fails(void **state)
{
    static const struct origin_step answers[] = {
        SOCKS,  O_EXPECT, O_WAIT(GOES_ON), O_SEND(ANSWER("good")),
        O_HANG, O_END};
    static const struct origin_step refuses[] = {O_TAKE(3), O_SEND("\x05\xff"),
                                                 O_HANG, O_END};
    struct outcome out;

    (void)state;
    open_behind_socks(20);
    origin_script(origin, 0, answers);
    origin_script(origin, 1, refuses);
    get(pool, "http://some.test/", &out);
    assert_answer(&out, "good");
    check_hedges(0, 0);
    assert_int_equal(figures_of(pool).dial_failures, 1);
}

static void test_the_first_wins_while_the_hedge_is_dialled(void **state)
{
    static const struct origin_step answers[] = {
        SOCKS,  O_EXPECT, O_WAIT(SECOND_IS_THERE), O_SEND(ANSWER("good")),
        O_ECHO, O_END};
    weir_request *request = must_request("GET", "http://some.test/");
    weir_response *response = NULL;
    weir_error err;

    (void)state;
    open_behind_socks(20);
    origin_script(origin, 0, answers);
    origin_script(origin, 1, dial_hangs);
    assert_int_equal(fetch_by_driver(pool, request, &response, &err), WEIR_OK);
    assert_int_equal(weir_response_attempt_count(response), 1);
    weir_response_free(response);
    check_hedges(0, 0);
    fetch_by_driver(pool, request, &response, &err);
    weir_response_free(response);
    weir_request_free(request);
}

static void test_the_first_fails_while_the_hedge_is_dialled(void **state)
{
    static const struct origin_step dies[] = {
        SOCKS, O_EXPECT, O_WAIT(SECOND_IS_THERE), O_RESET, O_END};
    struct outcome out;

    (void)state;
    open_behind_socks(1);
    origin_script(origin, 0, dies);
    origin_script(origin, 1, dial_hangs);
    get(pool, "http://some.test/", &out);
    assert_code(&out, WEIR_E_TOTAL_TIMEOUT);
    assert_int_equal(out.err.stage, WEIR_STAGE_PROXY);
    assert_true(out.err.may_have_been_processed);
    check_hedges(0, 0);
}

/* --- what the program says is for both ------------------------------------ */

/* A body that waits for the program when it is sent a second time. */
struct producer {
    unsigned runs; /* begun anew */
    bool is_over;
    bool has_waited;
};

static long produce(void *user, char *buf, size_t cap)
{
    struct producer *producer = user;

    assert_true(cap >= 4);
    if (producer->runs == 1 && !producer->has_waited) {
        producer->has_waited = true;
        origin_post(origin, AT_LAST);
        return WEIR_BODY_LATER;
    }
    if (producer->is_over)
        return 0;
    producer->is_over = true;
    memcpy(buf, "late", 4);
    return 4;
}

static int rewind_producer(void *user)
{
    struct producer *producer = user;

    producer->runs++;
    producer->is_over = false;
    return 0;
}

static void test_a_resume_reaches_the_hedge(void **state)
{
    struct producer producer = {.runs = 0};
    weir_request *request = must_request("PUT", origin_url(origin, "/"));
    struct witness witness;
    struct runner runner;

    (void)state;
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, echoes);
    weir_request_set_body_reader(request, WEIR_LENGTH_UNKNOWN, produce,
                                 rewind_producer, &producer, NULL);
    begin_witness(&witness);
    start_runner(&runner, pool);
    watch(&witness, pool, request, &see_all);
    weir_request_free(request);
    assert_true(origin_wait(origin, AT_LAST));
    weir_call_resume(witness.call);
    end_watch(&witness);
    assert_answer(&witness.outcome, "PUT / 4");
    stop_runner(&runner);
    check_hedges(1, 1);
}

static void pause_it(struct witness *witness)
{
    weir_call_pause(witness->call);
}

/* Its body has come with its head, and waits. */
static void test_a_hedge_that_wins_may_pause(void **state)
{
    struct witness witness;
    struct runner runner;

    (void)state;
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, echoes);
    begin_witness(&witness);
    witness.act[AT_RESPONSE] = pause_it;
    start_runner(&runner, pool);
    watch_get(&witness, pool, origin_url(origin, "/"));
    assert_true(await_seen(&witness, AT_RESPONSE, 1));
    assert_int_equal(witness.seen[AT_BODY], 0);
    weir_call_resume(witness.call);
    end_watch(&witness);
    assert_answer(&witness.outcome, "GET / 0");
    stop_runner(&runner);
    check_hedges(1, 1);
}

/* --- cancelled, closed --------------------------------------------------- */

static void is_cancelled_when(unsigned signal, const char *url)
{
    struct witness witness;
    struct runner runner;

    begin_witness(&witness);
    start_runner(&runner, pool);
    watch_get(&witness, pool, url);
    assert_true(origin_wait(origin, signal));
    weir_call_cancel(witness.call);
    end_watch(&witness);
    assert_code(&witness.outcome, WEIR_E_CANCELLED);
    assert_true(witness.outcome.err.may_have_been_processed);
    stop_runner(&runner);
    assert_at_rest(pool);
}

static void test_cancelled_while_both_are_under_way(void **state)
{
    (void)state;
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, hangs_as_second);
    is_cancelled_when(SECOND_IS_THERE, origin_url(origin, "/"));
    check_hedges(1, 0);
    assert_int_equal(figures_of(pool).open, 0);
}

static void test_cancelled_while_the_second_is_left(void **state)
{
    (void)state;
    origin_script(origin, 0, dies_as_first);
    origin_script(origin, 1, hangs_as_second);
    is_cancelled_when(GOES_ON, origin_url(origin, "/"));
    check_hedges(1, 0);
    assert_int_equal(figures_of(pool).open, 0);
}

static void test_cancelled_while_the_hedge_is_dialled(void **state)
{
    static const struct origin_step first[] = {SOCKS, O_EXPECT, O_HANG, O_END};

    (void)state;
    open_behind_socks(20);
    origin_script(origin, 0, first);
    origin_script(origin, 1, dial_hangs);
    is_cancelled_when(SECOND_IS_THERE, "http://some.test/");
    check_hedges(0, 0);
}

static void is_closed_when(unsigned signal)
{
    struct call call;

    start_call(&call, pool, origin_url(origin, "/"));
    assert_true(origin_wait(origin, signal));
    assert_int_equal(weir_pool_close(pool, 0, NULL), WEIR_OK);
    join_call(&call);
    assert_code(&call.out, WEIR_E_CLOSED);
    assert_int_equal(figures_of(pool).open, 0);
}

static void test_a_close_ends_both(void **state)
{
    (void)state;
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, hangs_as_second);
    is_closed_when(SECOND_IS_THERE);
}

static void test_a_close_ends_the_second_that_is_left(void **state)
{
    (void)state;
    origin_script(origin, 0, dies_as_first);
    origin_script(origin, 1, hangs_as_second);
    is_closed_when(GOES_ON);
}

static void test_a_close_during_the_dial_of_a_hedge(void **state)
{
    static const struct origin_step first[] = {SOCKS, O_EXPECT, O_HANG, O_END};
    struct call call;

    (void)state;
    open_behind_socks(20);
    origin_script(origin, 0, first);
    origin_script(origin, 1, dial_hangs);
    start_call(&call, pool, "http://some.test/");
    assert_true(origin_wait(origin, SECOND_IS_THERE));
    assert_int_equal(weir_pool_close(pool, 0, NULL), WEIR_OK);
    join_call(&call);
    assert_code(&call.out, WEIR_E_CLOSED);
}

static void test_a_close_with_grace_lets_them_end(void **state)
{
    struct call call;
    struct runner runner;
    static const struct origin_step answers[] = {
        O_EXPECT, O_WAIT(AT_LAST), O_SEND(ANSWER("good")), O_HANG, O_END};

    (void)state;
    origin_script(origin, 0, answers);
    origin_script(origin, 1, hangs_as_second);
    start_runner(&runner, pool);
    start_call(&call, pool, origin_url(origin, "/"));
    assert_true(origin_wait(origin, SECOND_IS_THERE));
    origin_post(origin, AT_LAST);
    assert_int_equal(weir_pool_close(pool, 20, NULL), WEIR_OK);
    join_call(&call);
    stop_runner(&runner);
    assert_answer(&call.out, "good");
}

/* --- the origin's own delay ---------------------------------------------- */

enum {
    LEARNT = 20
};

/* LEARNT requests of a method are answered at once; then the origin hangs. */
static void learn_from(const char *method)
{
    static struct origin_step steps[2 * LEARNT + 3];
    weir_pool_options options = hedging(0);
    struct outcome out;

    options.hedge_p95 = true;
    open_pool(&options);
    for (int i = 0; i < LEARNT; i++) {
        steps[2 * i] = (struct origin_step)O_EXPECT;
        steps[2 * i + 1] = (struct origin_step)O_SEND(ANSWER("fast"));
    }
    steps[2 * LEARNT] = (struct origin_step)O_EXPECT;
    steps[2 * LEARNT + 1] = (struct origin_step)O_HANG;
    steps[2 * LEARNT + 2] = (struct origin_step)O_END;
    origin_script(origin, 0, steps);
    for (int i = 0; i < LEARNT; i++) {
        fetch_method(pool, method, origin_url(origin, "/"), &out);
        assert_answer(&out, "fast");
    }
    check_hedges(0, 0); /* nothing was known */
    origin_script(origin, 1, echoes);
}

static void test_the_delay_is_what_the_origin_takes(void **state)
{
    struct outcome out;

    (void)state;
    learn_from("GET");
    get(pool, origin_url(origin, "/slow"), &out);
    assert_answer(&out, "GET /slow 0");
    check_hedges(1, 1);
}

/* What is never hedged says nothing of what is. */
static void test_the_delay_is_not_learnt_from_posts(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/slow"));
    struct outcome out;

    (void)state;
    learn_from("POST");
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 0.3, NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_TOTAL_TIMEOUT);
    check_hedges(0, 0);
    weir_request_free(request);
}

/* Until enough is known hedge_delay holds. */
static void test_the_delay_until_enough_is_known(void **state)
{
    weir_pool_options options = hedging(0.01);
    struct outcome out;

    (void)state;
    options.hedge_p95 = true;
    open_pool(&options);
    race(hangs, echoes, &out);
    assert_answer(&out, "GET / 0");
    check_hedges(1, 1);
}

/* --- budget and breaker --------------------------------------------------- */

enum {
    CROWD = 6 /* of which 3 may be hedged at a time */
};

static void test_the_budget_of_an_origin(void **state)
{
    struct witness crowd[CROWD];
    struct runner runner;

    (void)state;
    origin_script(origin, 0, hangs);
    start_runner(&runner, pool);
    for (int i = 0; i < CROWD; i++) {
        begin_witness(&crowd[i]);
        watch_get(&crowd[i], pool, origin_url(origin, "/"));
    }
    while (figures_of(pool).hedges + figures_of(pool).hedges_denied < CROWD)
        sched_yield();
    assert_int_equal(figures_of(pool).hedges, 3);
    assert_int_equal(figures_of(pool).hedges_denied, CROWD - 3);
    for (int i = 0; i < CROWD; i++)
        weir_call_cancel(crowd[i].call);
    for (int i = 0; i < CROWD; i++) {
        end_watch(&crowd[i]);
        assert_code(&crowd[i].outcome, WEIR_E_CANCELLED);
    }
    stop_runner(&runner);
    check_hedges(3, 0);
}

static void test_a_probe_is_not_hedged(void **state)
{
    static const struct origin_step fails_then_slow[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
        O_EXPECT,
        O_WAIT(SKIPPED),
        O_SEND(ANSWER("good")),
        O_HANG,
        O_END};
    weir_pool_options options = hedging(0);
    struct outcome out;

    (void)state;
    options.breaker_failures = 1;
    options.breaker_open = 0.01;
    open_pool(&options);
    origin_script(origin, 0, fails_then_slow);
    get(pool, origin_url(origin, "/"), &out);
    assert_int_equal(out.status, 500);
    do {
        get_hedged(&out);
    } while (out.code == WEIR_E_BREAKER_OPEN);
    assert_answer(&out, "good");
    check_hedges(0, 0);
    assert_int_equal(figures_of(pool).hedges_denied, 1);
}

/* The loser of a race says nothing of its origin. */
static void test_a_loser_is_no_failure_to_the_breaker(void **state)
{
    weir_pool_options options = hedging(0.01);
    struct outcome out;

    (void)state;
    options.breaker_failures = 1;
    open_pool(&options);
    race(hangs, echoes, &out);
    assert_answer(&out, "GET / 0");
    get_plain("/", &out);
    assert_answer(&out, "GET / 0");
}

/* --- a policy of the request's own ---------------------------------------- */

static void test_a_policy_out_of_range_is_refused(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_hedge hedge;
    weir_error err;

    (void)state;
    weir_hedge_init(&hedge);
    assert_false(hedge.p95);
    hedge.delay = -1;
    assert_int_equal(weir_request_set_hedge(request, &hedge, &err),
                     WEIR_E_OPTION);
    assert_ptr_equal(strstr(err.message, "delay: found -1"), err.message);
    hedge.size = 1;
    assert_int_equal(weir_request_set_hedge(request, &hedge, &err),
                     WEIR_E_INVALID);
    assert_int_equal(weir_request_set_hedge(request, NULL, &err), WEIR_OK);
    weir_request_free(request);
}

/* --- many ---------------------------------------------------------------- */

enum {
    THREADS = 4,
    ROUNDS = 150
};

static void *run_rounds(void *user)
{
    const char *name = user;
    bool is_right = true;

    for (int i = 0; i < ROUNDS; i++) {
        char path[32];
        char wanted[64];
        struct outcome out;

        snprintf(path, sizeof path, "/%s/%d", name, i);
        snprintf(wanted, sizeof wanted, "GET %s 0", path);
        get(pool, origin_url(origin, path), &out);
        is_right = is_right && out.code == WEIR_OK && out.status == 200 &&
                   strcmp(out.body, wanted) == 0;
    }
    return is_right ? user : NULL;
}

/* Each gets its own answer, whoever wins, and nothing is lost. */
static void test_many_that_are_hedged_at_once(void **state)
{
    static const char *const names[THREADS] = {"a", "b", "c", "d"};
    weir_pool_options options = hedging(1e-9);
    pthread_t threads[THREADS];

    (void)state;
    options.trace = NULL;
    options.max_per_host = 6;
    options.loops = 3;
    open_pool(&options);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_rounds,
                                        (void *)(uintptr_t)names[i]),
                         0);
    for (int i = 0; i < THREADS; i++) {
        void *right;

        pthread_join(threads[i], &right);
        assert_ptr_equal(right, names[i]);
    }
    assert_true(figures_of(pool).hedges > 0);
    assert_int_equal(figures_of(pool).failures, 0);
    assert_int_equal(figures_of(pool).responses, THREADS * ROUNDS);
    assert_at_rest(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_dial_of_a_hedge_fails),
        TEST(test_the_first_wins_while_the_hedge_is_dialled),
        TEST(test_the_first_fails_while_the_hedge_is_dialled),
        TEST(test_a_resume_reaches_the_hedge),
        TEST(test_a_hedge_that_wins_may_pause),
        TEST(test_cancelled_while_both_are_under_way),
        TEST(test_cancelled_while_the_second_is_left),
        TEST(test_cancelled_while_the_hedge_is_dialled),
        TEST(test_a_close_ends_both),
        TEST(test_a_close_ends_the_second_that_is_left),
        TEST(test_a_close_during_the_dial_of_a_hedge),
        TEST(test_a_close_with_grace_lets_them_end),
        TEST(test_the_delay_is_what_the_origin_takes),
        TEST(test_the_delay_is_not_learnt_from_posts),
        TEST(test_the_delay_until_enough_is_known),
        TEST(test_the_budget_of_an_origin),
        TEST(test_a_probe_is_not_hedged),
        TEST(test_a_loser_is_no_failure_to_the_breaker),
        TEST(test_a_policy_out_of_range_is_refused),
        TEST(test_many_that_are_hedged_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
