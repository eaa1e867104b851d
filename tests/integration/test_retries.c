/* Retries with a budget, and breakers (protocol-rules section 5): what is tried
 * again, when, how often, and what is not. */
#include "witness.h"

#include "origin_pool.h"

#define FAILS(status, fields)                                                  \
    "HTTP/1.1 " status " F\r\n" fields "Content-Length: 0\r\n\r\n"
#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"

static weir_pool_options retrying(unsigned attempts)
{
    weir_pool_options options = test_options();

    options.retry_attempts = attempts;
    options.retry_delay = 0.001;
    options.retry_max_delay = 5;
    return options;
}

static int set_up(void **state)
{
    const weir_pool_options options = retrying(3);

    (void)state;
    return start_both(NULL, &options);
}

/* --- what is tried again ------------------------------------------------- */

/* Fails twice, then succeeds. */
static void recovers(const char *failure)
{
    static struct origin_step steps[8];
    const struct origin_step fail = {ORIGIN_SEND, failure, strlen(failure), 0};
    const struct origin_step good = O_SEND(GOOD);
    struct outcome out;

    set_up(NULL);
    for (int i = 0; i < 6; i += 2)
        steps[i] = (struct origin_step)O_EXPECT;
    steps[1] = fail;
    steps[3] = fail;
    steps[5] = good;
    steps[6] = (struct origin_step)O_END;
    origin_script(origin, 0, steps);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "good");
    assert_int_equal(origin_requests_in_all(origin), 3);
    assert_int_equal(origin_connections(origin), 1);
    assert_int_equal(figures_of(pool).retries, 2);
    assert_int_equal(figures_of(pool).requests, 1);
    assert_int_equal(figures_of(pool).failures, 0);
    tear_down(NULL);
}

static void test_statuses_that_pass(void **state)
{
    (void)state;
    recovers(FAILS("408", ""));
    recovers(FAILS("425", ""));
    recovers(FAILS("429", "Retry-After: 0\r\n"));
    recovers(FAILS("500", ""));
    recovers(FAILS("502", ""));
    recovers(FAILS("503", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"));
    recovers(FAILS("504", "Retry-After: soon\r\n"));
}

static void is_final(const char *failure, int status)
{
    static struct origin_step steps[4];
    struct outcome out;

    set_up(NULL);
    steps[0] = (struct origin_step)O_EXPECT;
    steps[1] = (struct origin_step){ORIGIN_SEND, failure, strlen(failure), 0};
    steps[2] = (struct origin_step)O_AGAIN;
    origin_script(origin, 0, steps);
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.status, status);
    assert_int_equal(origin_requests_in_all(origin), 1);
    tear_down(NULL);
}

static void test_statuses_that_stay(void **state)
{
    (void)state;
    is_final(FAILS("400", ""), 400);
    is_final(FAILS("404", ""), 404);
    is_final(FAILS("501", ""), 501);
    is_final(FAILS("505", ""), 505);
    is_final(FAILS("503", "Retry-After: 6\r\n"), 503); /* beyond max_delay */
    is_final(FAILS("503", "Retry-After: 99999999999999999999\r\n"), 503);
}

static void test_the_last_failure_is_the_response(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT, O_SEND(FAILS("503", "")), O_AGAIN};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *response = NULL;
    weir_attempt attempt = {.size = sizeof attempt};
    weir_error err;

    (void)state;
    origin_script(origin, 0, steps);
    assert_int_equal(fetch_by_driver(pool, request, &response, &err), WEIR_OK);
    assert_int_equal(weir_response_status(response), 503);
    assert_int_equal(weir_response_attempt_count(response), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(weir_response_attempt(response, i, &attempt), WEIR_OK);
        assert_int_equal(attempt.kind,
                         i ? WEIR_ATTEMPT_RETRY : WEIR_ATTEMPT_FIRST);
        assert_int_equal(attempt.status, 503);
        assert_true(attempt.delay <= (i == 2 ? 0.002 : i == 1 ? 0.001 : 0));
        assert_string_equal(attempt.url, origin_url(origin, "/"));
    }
    weir_response_free(response);
    weir_request_free(request);
}

static void test_a_connection_that_is_lost(void **state)
{
    static const struct origin_step dies[] = {O_EXPECT, O_RESET, O_END};
    static const struct origin_step echoes[] = {O_ECHO, O_END};
    struct outcome out;

    (void)state;
    origin_script(origin, 0, dies);
    origin_script(origin, 2, echoes);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    assert_int_equal(origin_connections(origin), 3);
}

static void test_a_server_that_is_down(void **state)
{
    char url[64];
    struct outcome out;

    (void)state;
    snprintf(url, sizeof url, "%s", origin_url(origin, "/"));
    origin_stop(origin);
    origin = NULL;
    get(pool, url, &out);
    assert_code(&out, WEIR_E_CONNECT);
    assert_int_equal(out.err.attempts, 3);
    assert_int_equal(figures_of(pool).failures, 1);
    assert_int_equal(figures_of(pool).dial_failures, 3);
}

static void test_a_first_byte_that_does_not_come(void **state)
{
    static const struct origin_step hangs[] = {O_EXPECT, O_HANG, O_END};
    static const struct origin_step echoes[] = {O_ECHO, O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, echoes);
    weir_request_set_timeout(request, WEIR_TIMEOUT_FIRST_BYTE, 0.1, NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "GET / 0");
    weir_request_free(request);
}

/* --- what may be sent twice ---------------------------------------------- */

static void posts(bool is_replayable, unsigned times)
{
    static const struct origin_step steps[] = {
        O_EXPECT, O_SEND(FAILS("503", "")), O_AGAIN};
    weir_request *request;
    struct outcome out;

    set_up(NULL);
    request = must_request("POST", origin_url(origin, "/"));
    weir_request_set_body(request, "body", 4, NULL);
    weir_request_set_replayable(request, is_replayable);
    origin_script(origin, 0, steps);
    fetch(pool, request, &out);
    assert_int_equal(out.status, 503);
    assert_int_equal(origin_requests_in_all(origin), times);
    weir_request_free(request);
    tear_down(NULL);
}

static void test_a_post_is_tried_again_only_if_it_may(void **state)
{
    (void)state;
    posts(false, 1);
    posts(true, 3);
}

/* Nothing was sent, so nothing can have been done twice. */
static void test_a_post_that_was_never_sent(void **state)
{
    char url[64];
    weir_request *request;
    struct outcome out;

    (void)state;
    snprintf(url, sizeof url, "%s", origin_url(origin, "/"));
    origin_stop(origin);
    origin = NULL;
    request = must_request("POST", url);
    weir_request_set_body(request, "body", 4, NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_CONNECT);
    assert_int_equal(out.err.attempts, 3);
    assert_false(out.err.may_have_been_processed);
    weir_request_free(request);
}

/* --- time ---------------------------------------------------------------- */

/* What could not begin in time is not waited for. */
static void test_never_past_the_total_time_limit(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT, O_SEND(FAILS("503", "Retry-After: 5\r\n")), O_AGAIN};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    const double begun = seconds_now();
    struct outcome out;

    (void)state;
    origin_script(origin, 0, steps);
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 4.5, NULL);
    fetch(pool, request, &out);
    assert_int_equal(out.status, 503);
    assert_int_equal(origin_requests_in_all(origin), 1);
    assert_true(seconds_now() - begun < 4);
    weir_request_free(request);
}

static void test_a_delay_is_waited_for(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT, O_SEND(FAILS("503", "Retry-After: 1\r\n")), O_ECHO, O_END};
    const double begun = seconds_now();
    struct outcome out;

    (void)state;
    origin_script(origin, 0, steps);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    assert_true(seconds_now() - begun >= 1);
}

/* --- the end of the pool, and of the call -------------------------------- */

static const struct origin_step comes_back_late[] = {
    O_EXPECT, O_SEND(FAILS("503", "Retry-After: 20\r\n")), O_POST(0), O_ECHO,
    O_END};

static void open_patient_pool(void)
{
    weir_pool_options options = retrying(3);

    options.retry_max_delay = 25;
    open_pool(&options);
    origin_script(origin, 0, comes_back_late);
}

/* Until the first attempt is over: its connection rests. */
static void await_delay(void)
{
    assert_true(origin_wait(origin, 0));
    while (figures_of(pool).retries == 0)
        sched_yield();
}

static void test_a_close_ends_the_delay(void **state)
{
    struct call call;
    const double begun = seconds_now();

    (void)state;
    open_patient_pool();
    start_call(&call, pool, origin_url(origin, "/"));
    await_delay();
    assert_int_equal(weir_pool_close(pool, 15, NULL), WEIR_OK);
    join_call(&call);
    assert_code(&call.out, WEIR_E_CLOSED);
    assert_true(seconds_now() - begun < 14);
}

static void test_a_cancel_ends_the_delay(void **state)
{
    struct runner runner;
    struct witness witness;

    (void)state;
    open_patient_pool();
    begin_witness(&witness);
    start_runner(&runner, pool);
    watch_get(&witness, pool, origin_url(origin, "/"));
    await_delay();
    weir_call_cancel(witness.call);
    end_watch(&witness);
    assert_code(&witness.outcome, WEIR_E_CANCELLED);
    assert_at_rest(pool);
    stop_runner(&runner);
}

/* --- the budget ---------------------------------------------------------- */

enum {
    CROWD = 12 /* of which 20 % are 2, and 3 may be tried again at a time */
};

static void test_the_budget_of_an_origin(void **state)
{
    static const struct origin_step fails[] = {
        O_EXPECT, O_SEND(FAILS("503", "Retry-After: 20\r\n")), O_AGAIN};
    struct witness crowd[CROWD];
    struct runner runner;
    unsigned failed = 0;

    (void)state;
    open_patient_pool();
    origin_script(origin, 0, fails);
    start_runner(&runner, pool);
    for (int i = 0; i < CROWD; i++) {
        begin_witness(&crowd[i]);
        watch_get(&crowd[i], pool, origin_url(origin, "/"));
    }
    while (figures_of(pool).retries + figures_of(pool).retries_denied < CROWD)
        sched_yield();
    assert_int_equal(figures_of(pool).retries, 3);
    assert_int_equal(figures_of(pool).retries_denied, CROWD - 3);
    for (int i = 0; i < CROWD; i++)
        weir_call_cancel(crowd[i].call);
    for (int i = 0; i < CROWD; i++) {
        end_watch(&crowd[i]);
        failed += crowd[i].outcome.status == 503;
    }
    assert_int_equal(failed, CROWD - 3);
    stop_runner(&runner);
}

/* --- breakers ------------------------------------------------------------ */

static const struct origin_step fails_for_ever[] = {
    O_EXPECT, O_SEND(FAILS("500", "")), O_AGAIN};

static void open_with_breaker(unsigned failures, double open)
{
    weir_pool_options options = test_options();

    options.breaker_failures = failures;
    options.breaker_open = open;
    open_pool(&options);
}

static void test_a_breaker_opens_and_refuses_at_once(void **state)
{
    struct origin *healthy = origin_start(NULL);
    struct outcome out;

    (void)state;
    open_with_breaker(3, 60);
    origin_script(origin, 0, fails_for_ever);
    for (int i = 0; i < 3; i++) {
        get(pool, origin_url(origin, "/"), &out);
        assert_int_equal(out.status, 500);
    }
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_BREAKER_OPEN);
    assert_true(out.err.retry_in > 0 && out.err.retry_in <= 60);
    assert_false(out.err.may_have_been_processed);
    assert_non_null(strstr(out.err.message, "127.0.0.1"));
    assert_int_equal(origin_requests_in_all(origin), 3);
    assert_int_equal(figures_of(pool).breaker_refusals, 1);
    get(pool, origin_url(healthy, "/"), &out); /* beside it */
    assert_answer(&out, "GET / 0");
    origin_stop(healthy);
}

/* Half-open: one probe, which closes it. */
static void test_a_probe_closes_it(void **state)
{
    static const struct origin_step recovers_late[] = {
        O_EXPECT, O_SEND(FAILS("500", "")),
        O_EXPECT, O_SEND(FAILS("500", "")),
        O_ECHO,   O_END};
    struct outcome out;

    (void)state;
    open_with_breaker(2, 0.05);
    origin_script(origin, 0, recovers_late);
    get(pool, origin_url(origin, "/"), &out);
    get(pool, origin_url(origin, "/"), &out);
    do {
        get(pool, origin_url(origin, "/probe"), &out);
    } while (out.code == WEIR_E_BREAKER_OPEN);
    assert_answer(&out, "GET /probe 0");
    get(pool, origin_url(origin, "/after"), &out);
    assert_answer(&out, "GET /after 0");
    assert_int_equal(origin_requests_in_all(origin), 4);
}

static void test_what_the_client_does_wrong_counts_not(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT, O_SEND(FAILS("404", "")), O_AGAIN};
    struct outcome out;

    (void)state;
    open_with_breaker(2, 60);
    origin_script(origin, 0, steps);
    for (int i = 0; i < 6; i++) {
        get(pool, origin_url(origin, "/"), &out);
        assert_int_equal(out.status, 404);
    }
}

/* A place that is not free, a full line, a cancel: not the origin's fault. */
static void test_local_faults_count_not(void **state)
{
    static const struct origin_step hangs[] = {
        O_EXPECT, O_POST(0), O_WAIT(1), O_SEND(GOOD), O_ECHO, O_END};
    weir_pool_options options = test_options();
    struct call holder;
    struct runner runner;
    struct outcome out;

    (void)state;
    options.breaker_failures = 2;
    options.breaker_open = 60;
    options.max_connections = 1;
    options.acquire_timeout = 0;
    open_pool(&options);
    origin_script(origin, 0, hangs);
    start_runner(&runner, pool);
    start_call(&holder, pool, origin_url(origin, "/held"));
    assert_true(origin_wait(origin, 0));
    for (int i = 0; i < 5; i++) {
        get(pool, origin_url(origin, "/"), &out);
        assert_code(&out, WEIR_E_ACQUIRE_TIMEOUT);
    }
    origin_post(origin, 1);
    join_call(&holder);
    assert_answer(&holder.out, "good");
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    stop_runner(&runner);
}

/* An open breaker ends the retries that wait. */
static void test_a_breaker_ends_retries(void **state)
{
    weir_pool_options options = retrying(10);
    struct outcome out;

    (void)state;
    options.breaker_failures = 2;
    options.breaker_open = 60;
    open_pool(&options);
    origin_script(origin, 0, fails_for_ever);
    get(pool, origin_url(origin, "/"), &out);
    assert_int_equal(out.status, 500);
    assert_int_equal(origin_requests_in_all(origin), 2);
}

/* --- a policy of the request's own --------------------------------------- */

static void test_a_request_has_a_policy_of_its_own(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_retry retry;
    struct outcome out;

    (void)state;
    weir_retry_init(&retry);
    assert_int_equal(retry.attempts, 1);
    assert_int_equal(weir_request_set_retry(request, &retry, NULL), WEIR_OK);
    origin_script(origin, 0, fails_for_ever);
    fetch(pool, request, &out);
    assert_int_equal(origin_requests_in_all(origin), 1);
    retry.attempts = 2;
    retry.delay = 0;
    assert_int_equal(weir_request_set_retry(request, &retry, NULL), WEIR_OK);
    fetch(pool, request, &out);
    assert_int_equal(origin_requests_in_all(origin), 3);
    assert_int_equal(weir_request_set_retry(request, NULL, NULL), WEIR_OK);
    fetch(pool, request, &out);
    assert_int_equal(origin_requests_in_all(origin), 6);
    weir_request_free(request);
}

static void refuses(const weir_retry *retry, const char *member)
{
    weir_request *request = must_request("GET", "http://h/");
    weir_error err;

    assert_int_equal(weir_request_set_retry(request, retry, &err),
                     WEIR_E_OPTION);
    assert_ptr_equal(strstr(err.message, member), err.message);
    weir_request_free(request);
}

static void test_a_policy_out_of_range_is_refused(void **state)
{
    weir_retry good;
    weir_retry bad;

    (void)state;
    weir_retry_init(&good);
    bad = good;
    bad.attempts = 0;
    refuses(&bad, "attempts: found 0");
    bad.attempts = 101;
    refuses(&bad, "attempts: found 101");
    bad = good;
    bad.delay = -1;
    refuses(&bad, "delay: found -1");
    bad = good;
    bad.backoff = 0.5;
    refuses(&bad, "backoff: found 0.5");
    bad = good;
    bad.max_delay = -1;
    refuses(&bad, "max_delay: found -1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses_that_pass),
        cmocka_unit_test(test_statuses_that_stay),
        TEST(test_the_last_failure_is_the_response),
        TEST(test_a_connection_that_is_lost),
        TEST(test_a_server_that_is_down),
        TEST(test_a_first_byte_that_does_not_come),
        cmocka_unit_test(test_a_post_is_tried_again_only_if_it_may),
        TEST(test_a_post_that_was_never_sent),
        TEST(test_never_past_the_total_time_limit),
        TEST(test_a_delay_is_waited_for),
        TEST(test_a_close_ends_the_delay),
        TEST(test_a_cancel_ends_the_delay),
        TEST(test_the_budget_of_an_origin),
        TEST(test_a_breaker_opens_and_refuses_at_once),
        TEST(test_a_probe_closes_it),
        TEST(test_what_the_client_does_wrong_counts_not),
        TEST(test_local_faults_count_not),
        TEST(test_a_breaker_ends_retries),
        TEST(test_a_request_has_a_policy_of_its_own),
        cmocka_unit_test(test_a_policy_out_of_range_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
