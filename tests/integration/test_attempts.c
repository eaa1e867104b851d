/* What a call tells of its attempts, also when it has brought no response. */
#include "witness.h"

#include "origin_pool.h"

static const struct origin_step dies[] = {O_EXPECT, O_RESET, O_END};
static const struct origin_step hangs[] = {O_EXPECT, O_POST(0), O_HANG, O_END};
static const struct origin_step echoes[] = {O_ECHO, O_END};

static void open_retrying(double delay)
{
    weir_pool_options options = test_options();

    options.max_redirects = 3;
    options.retry_attempts = 3;
    options.retry_delay = delay;
    options.retry_max_delay = 3600;
    open_pool(&options);
}

static weir_call *must_submit(const weir_handlers *handlers, void *user)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_call *call = NULL;
    weir_error err;

    if (weir_submit(pool, request, handlers, user, &call, &err) != WEIR_OK)
        fail_msg("weir_submit: %s", err.message);
    weir_request_free(request);
    return call;
}

static weir_attempt attempt_of(const weir_call *call, size_t index)
{
    weir_attempt attempt = {.size = sizeof attempt};

    assert_int_equal(weir_call_attempt(call, index, &attempt), WEIR_OK);
    return attempt;
}

static void ends_with(weir_call *call, weir_status code, size_t attempts)
{
    weir_attempt none = {.size = sizeof none};

    assert_int_equal(weir_call_wait(call, -1, NULL, NULL), code);
    assert_int_equal(weir_call_attempt_count(call), attempts);
    assert_int_equal(weir_call_attempt(call, attempts, &none), WEIR_E_INVALID);
}

static void test_a_call_that_has_failed_tells(void **state)
{
    weir_call *call;
    struct outcome out;

    (void)state;
    open_retrying(0.001);
    for (unsigned i = 0; i < 6; i++)
        origin_script(origin, i, dies);
    call = must_submit(NULL, NULL);
    ends_with(call, WEIR_E_RESET, 3);
    for (unsigned i = 0; i < 3; i++) {
        const weir_attempt attempt = attempt_of(call, i);

        assert_int_equal(attempt.kind,
                         i ? WEIR_ATTEMPT_RETRY : WEIR_ATTEMPT_FIRST);
        assert_string_equal(attempt.url, origin_url(origin, "/"));
        assert_int_equal(attempt.status, 0);
        assert_int_equal(attempt.outcome, WEIR_E_RESET);
        assert_int_equal(attempt.connection, i + 1);
        assert_true(attempt.took > 0);
    }
    weir_call_free(call);
    /* A blocking call has no handle: its error tells how many there were. */
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_RESET);
    assert_int_equal(out.err.attempts, 3);
}

static void test_so_does_one_whose_redirect_is_refused(void **state)
{
    static const struct origin_step down[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 302 Found\r\nLocation: ftp://h/\r\n"
               "Content-Length: 0\r\n\r\n"),
        O_END};
    weir_call *call;

    (void)state;
    open_retrying(0);
    origin_script(origin, 0, down);
    call = must_submit(NULL, NULL);
    ends_with(call, WEIR_E_REDIRECT, 1);
    assert_int_equal(attempt_of(call, 0).status, 302);
    assert_int_equal(attempt_of(call, 0).outcome, WEIR_OK);
    weir_call_free(call);
}

static void test_nothing_is_known_before_the_end(void **state)
{
    struct runner runner;
    weir_call *call;

    (void)state;
    open_retrying(0);
    origin_script(origin, 0, hangs);
    start_runner(&runner, pool);
    call = must_submit(NULL, NULL);
    assert_true(origin_wait(origin, 0));
    assert_int_equal(weir_call_attempt_count(call), 0);
    weir_call_cancel(call);
    ends_with(call, WEIR_E_CANCELLED, 1);
    assert_int_equal(attempt_of(call, 0).outcome, WEIR_E_CANCELLED);
    assert_int_equal(attempt_of(call, 0).connection, 1);
    weir_call_free(call);
    stop_runner(&runner);
}

static void on_retry(void *user, const weir_trace_event *event)
{
    if (event->kind == WEIR_TRACE_RETRY)
        open_gate(user);
}

/* The one that would have come next never began. */
static void test_cancelled_between_two_attempts(void **state)
{
    weir_pool_options options = test_options();
    struct gate is_told = {false, false};
    struct runner runner;
    weir_attempt last;
    weir_call *call;

    (void)state;
    options.retry_attempts = 3;
    options.retry_delay = options.retry_max_delay = 3600;
    options.total_timeout = 0;
    options.trace = on_retry;
    options.trace_user = &is_told;
    open_pool(&options);
    origin_script(origin, 0, dies);
    start_runner(&runner, pool);
    call = must_submit(NULL, NULL);
    stop_at(&is_told);
    weir_call_cancel(call);
    ends_with(call, WEIR_E_CANCELLED, 2);
    last = attempt_of(call, 1);
    assert_int_equal(attempt_of(call, 0).outcome, WEIR_E_RESET);
    assert_int_equal(last.kind, WEIR_ATTEMPT_RETRY);
    assert_int_equal(last.outcome, WEIR_E_CANCELLED);
    assert_int_equal(last.connection, 0);
    assert_true(last.begun < 3600);
    weir_call_free(call);
    stop_runner(&runner);
}

struct told {
    size_t count;
    weir_status last;
};

static void note_attempts(void *user, weir_call *call, weir_response *response,
                          const weir_error *error)
{
    struct told *told = user;

    (void)response;
    (void)error;
    told->count = weir_call_attempt_count(call);
    if (told->count)
        told->last = attempt_of(call, told->count - 1).outcome;
}

static const weir_handlers notes = {.size = sizeof notes,
                                    .on_done = note_attempts};

static void test_on_done_may_ask(void **state)
{
    struct told told = {0, WEIR_OK};
    weir_call *call;

    (void)state;
    open_retrying(0.001);
    for (unsigned i = 0; i < 3; i++)
        origin_script(origin, i, dies);
    call = must_submit(&notes, &told);
    ends_with(call, WEIR_E_RESET, 3);
    assert_int_equal(told.count, 3);
    assert_int_equal(told.last, WEIR_E_RESET);
    weir_call_free(call);
}

/* As long as the response is the call's. */
static void test_with_a_response_it_is_the_same(void **state)
{
    struct told told = {0, WEIR_E_RESET};
    weir_response *response = NULL;
    weir_attempt attempt = {.size = sizeof attempt};
    weir_call *call;

    (void)state;
    open_retrying(0.001);
    origin_script(origin, 0, dies);
    origin_script(origin, 1, echoes);
    call = must_submit(&notes, &told);
    ends_with(call, WEIR_OK, 2);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.last, WEIR_OK);
    assert_int_equal(attempt_of(call, 1).status, 200);
    assert_int_equal(weir_call_wait(call, -1, &response, NULL), WEIR_OK);
    assert_int_equal(weir_call_attempt_count(call), 0);
    assert_int_equal(weir_response_attempt(response, 1, &attempt), WEIR_OK);
    assert_int_equal(attempt.status, 200);
    weir_response_free(response);
    weir_call_free(call);
}

static void test_where_only_one_is_allowed_none_is_told(void **state)
{
    weir_call *call;

    (void)state;
    origin_script(origin, 0, dies);
    call = must_submit(NULL, NULL);
    ends_with(call, WEIR_E_RESET, 0);
    weir_call_free(call);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up_plain, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_call_that_has_failed_tells),
        TEST(test_so_does_one_whose_redirect_is_refused),
        TEST(test_nothing_is_known_before_the_end),
        TEST(test_cancelled_between_two_attempts),
        TEST(test_on_done_may_ask),
        TEST(test_with_a_response_it_is_the_same),
        TEST(test_where_only_one_is_allowed_none_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
