/* Hedged requests: who wins, what becomes of the other one, and when there is
 * none. */
#include "hedging.h"

#include "certs.h"

/* --- who wins ------------------------------------------------------------ */

static void test_the_first_wins(void **state)
{
    struct outcome out;

    (void)state;
    race(wins_as_first, hangs_as_second, &out);
    assert_answer(&out, "good");
    assert_int_equal(out.connection, 1);
    check_hedges(1, 0);
    assert_int_equal(abandoned(), 1);
    get_plain("/next", &out);
    assert_answer(&out, "GET /next 0");
    assert_int_equal(out.connection, 1);
    assert_int_equal(origin_connections(origin), 2);
}

static void test_the_second_wins(void **state)
{
    struct outcome out;

    (void)state;
    race(hangs, echoes, &out);
    assert_answer(&out, "GET / 0");
    assert_int_equal(out.connection, 2);
    check_hedges(1, 1);
    assert_int_equal(figures_of(pool).requests, 1);
    assert_int_equal(figures_of(pool).responses, 1);
    assert_int_equal(figures_of(pool).failures, 0);
    assert_int_equal(abandoned(), 1);
}

/* The loser answers after all, to nobody. */
static void test_what_the_loser_says_is_never_heard(void **state)
{
    static const struct origin_step too_late[] = {
        O_EXPECT,        O_WAIT(DECIDED), O_SEND(ANSWER("late")),
        O_POST(AT_LAST), O_HANG,          O_END};
    struct outcome out;

    (void)state;
    origin_script(origin, 0, too_late);
    origin_script(origin, 1, echoes);
    get(pool, origin_url(origin, "/1"), &out);
    assert_answer(&out, "GET /1 0");
    assert_true(origin_wait(origin, AT_LAST));
    for (int i = 0; i < 3; i++) {
        get_plain("/2", &out);
        assert_answer(&out, "GET /2 0");
        assert_int_equal(out.connection, 2);
    }
    assert_int_equal(figures_of(pool).open, 1);
}

static void test_a_body_comes_from_the_winner_alone(void **state)
{
    static const struct origin_step large[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
        O_SEND_MANY("0123456789", 100000),
        O_ECHO,
        O_END,
    };
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, large);
    stream(pool, request, &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.len, 1000000);
    check_hedges(1, 1);
    get_plain("/", &out);
    assert_answer(&out, "GET / 0");
    assert_true(out.is_reused);
    weir_request_free(request);
}

static void test_the_attempts_tell(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_attempt first = {.size = sizeof first};
    weir_attempt second = {.size = sizeof second};
    weir_response *response = NULL;
    weir_error err;

    (void)state;
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, echoes);
    assert_int_equal(fetch_by_driver(pool, request, &response, &err), WEIR_OK);
    assert_int_equal(weir_response_attempt_count(response), 2);
    assert_int_equal(weir_response_attempt(response, 0, &first), WEIR_OK);
    assert_int_equal(weir_response_attempt(response, 1, &second), WEIR_OK);
    assert_int_equal(first.kind, WEIR_ATTEMPT_FIRST);
    assert_int_equal(first.outcome, WEIR_E_CANCELLED);
    assert_int_equal(first.connection, 1);
    assert_int_equal(second.kind, WEIR_ATTEMPT_HEDGE);
    assert_int_equal(second.outcome, WEIR_OK);
    assert_int_equal(second.status, 200);
    assert_int_equal(second.connection, 2);
    assert_true(second.delay >= 0.01);
    assert_true(second.begun >= second.delay);
    assert_string_equal(second.url, first.url);
    weir_response_free(response);
    weir_request_free(request);
}

static void test_over_tls(void **state)
{
    char *certs = certs_new();
    weir_pool_options options = hedging(0.01);
    char ca[256];
    struct outcome out;

    (void)state;
    origin_stop(origin);
    origin = origin_start(&(struct origin_options){.certs = certs});
    options.ca_file = certs_path(certs, "ca.pem", ca, sizeof ca);
    open_pool(&options);
    race(wins_as_first, hangs_as_second, &out);
    assert_answer(&out, "good");
    check_hedges(1, 0);
    origin_stop(origin);
    origin = origin_start(&(struct origin_options){.certs = certs});
    race(hangs, echoes, &out);
    assert_answer(&out, "GET / 0");
    check_hedges(2, 1);
    certs_done(certs);
}

/* --- one of the two fails ------------------------------------------------ */

static void test_both_fail(void **state)
{
    struct outcome out;

    (void)state;
    race(dies_as_first, dies_as_second, &out);
    assert_code(&out, WEIR_E_RESET);
    assert_int_equal(out.err.attempts, 2);
    assert_true(out.err.may_have_been_processed);
    check_hedges(1, 0);
    assert_int_equal(figures_of(pool).failures, 1);
    assert_int_equal(figures_of(pool).open, 0);
}

static void test_the_first_fails_and_the_second_answers(void **state)
{
    static const struct origin_step answers[] = {
        O_EXPECT,        O_POST(SECOND_IS_THERE),
        O_WAIT(GOES_ON), O_SEND(ANSWER("good")),
        O_HANG,          O_END};
    struct outcome out;

    (void)state;
    race(dies_as_first, answers, &out);
    assert_answer(&out, "good");
    assert_int_equal(out.connection, 2);
    check_hedges(1, 1);
    assert_int_equal(figures_of(pool).failures, 0);
}

static void test_the_second_fails_and_the_first_answers(void **state)
{
    static const struct origin_step answers[] = {
        O_EXPECT, O_WAIT(GOES_ON), O_SEND(ANSWER("good")), O_HANG, O_END};
    struct outcome out;

    (void)state;
    race(answers, dies_as_second, &out);
    assert_answer(&out, "good");
    assert_int_equal(out.connection, 1);
    check_hedges(1, 0);
}

static void test_both_fail_and_it_is_tried_again(void **state)
{
    weir_pool_options options = hedging(0.01);
    struct outcome out;

    (void)state;
    options.retry_attempts = 2;
    options.retry_delay = 0.01;
    open_pool(&options);
    origin_script(origin, 2, echoes);
    race(dies_as_first, dies_as_second, &out);
    assert_answer(&out, "GET / 0");
    assert_int_equal(figures_of(pool).retries, 1);
    assert_int_equal(figures_of(pool).failures, 0);
}

/* An answer is an answer; whether it is good enough is for others to say. */
static void test_what_wins_may_be_tried_again(void **state)
{
    static const struct origin_step fails_once[] = {
        O_EXPECT, O_SEND("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
        O_ECHO, O_END};
    weir_pool_options options = hedging(0.01);
    struct outcome out;

    (void)state;
    options.retry_attempts = 2;
    options.retry_delay = 0;
    open_pool(&options);
    origin_script(origin, 2, echoes);
    race(hangs, fails_once, &out);
    assert_answer(&out, "GET / 0");
    assert_int_equal(figures_of(pool).retries, 1);
    assert_true(figures_of(pool).hedges_won >= 1);
}

static void test_what_wins_may_be_a_redirect(void **state)
{
    static const struct origin_step redirects[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 302 Found\r\nLocation: /there\r\n"
               "Content-Length: 0\r\n\r\n"),
        O_ECHO, O_END};
    weir_pool_options options = hedging(0.01);
    struct outcome out;

    (void)state;
    options.max_redirects = 3;
    open_pool(&options);
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, redirects);
    origin_script(origin, 2, echoes);
    get(pool, origin_url(origin, "/here"), &out);
    assert_answer(&out, "GET /there 0");
    assert_true(figures_of(pool).hedges_won >= 1);
}

/* --- time ---------------------------------------------------------------- */

static void runs_out(weir_timeout which, weir_status code)
{
    weir_request *request;
    struct outcome out;

    set_up(NULL);
    request = must_request("GET", origin_url(origin, "/"));
    origin_script(origin, 0, hangs);
    weir_request_set_timeout(request, which, 1, NULL);
    fetch(pool, request, &out);
    assert_code(&out, code);
    assert_int_equal(out.err.stage, WEIR_STAGE_RESPONSE);
    assert_true(out.err.may_have_been_processed);
    check_hedges(1, 0);
    assert_int_equal(figures_of(pool).open, 0);
    weir_request_free(request);
    tear_down(NULL);
}

static void test_time_limits_hold_for_both(void **state)
{
    (void)state;
    runs_out(WEIR_TIMEOUT_TOTAL, WEIR_E_TOTAL_TIMEOUT);
    runs_out(WEIR_TIMEOUT_FIRST_BYTE, WEIR_E_FIRST_BYTE_TIMEOUT);
}

/* --- what is not hedged --------------------------------------------------- */

/* Once the trace has told that no second request will come. */
static const struct origin_step answers_unhedged[] = {
    O_EXPECT, O_WAIT(SKIPPED), O_SEND(ANSWER("good")), O_HANG, O_END};

static void test_a_post_is_not_hedged(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    weir_request_set_body(request, "body", 4, NULL);
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 0.3, NULL);
    origin_script(origin, 0, hangs);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_TOTAL_TIMEOUT);
    assert_int_equal(figures_of(pool).dialed, 1);
    assert_int_equal(figures_of(pool).hedges_skipped, 0);
    check_hedges(0, 0);
    weir_request_free(request);
}

static void test_but_one_that_may_be_repeated(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    weir_request_set_body(request, "body", 4, NULL);
    weir_request_set_replayable(request, true);
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, echoes);
    fetch(pool, request, &out);
    assert_answer(&out, "POST / 4");
    check_hedges(1, 1);
    weir_request_free(request);
}

struct producer {
    unsigned given;
    unsigned rewinds;
};

static long produce(void *user, char *buf, size_t cap)
{
    struct producer *producer = user;

    assert_true(cap >= 4);
    if (producer->given == 3)
        return 0;
    memcpy(buf, "part", 4);
    producer->given++;
    return 4;
}

static int rewind_producer(void *user)
{
    struct producer *producer = user;

    producer->given = 0;
    producer->rewinds++;
    return 0;
}

static void test_a_body_that_can_be_sent_once(void **state)
{
    struct producer producer = {0, 0};
    weir_request *request = must_request("PUT", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    origin_script(origin, 0, answers_unhedged);
    weir_request_set_body_reader(request, WEIR_LENGTH_UNKNOWN, produce, NULL,
                                 &producer, NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "good");
    check_hedges(0, 0);
    assert_int_equal(origin_connections(origin), 1);
    weir_request_free(request);
}

static void test_a_body_that_can_be_set_back(void **state)
{
    static const struct origin_step takes_it[] = {O_EXPECT, O_POST(AT_LAST),
                                                  O_HANG, O_END};
    struct producer producer = {0, 0};
    weir_request *request = must_request("PUT", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    origin_script(origin, 0, takes_it);
    origin_script(origin, 1, echoes);
    weir_request_set_body_reader(request, WEIR_LENGTH_UNKNOWN, produce,
                                 rewind_producer, &producer, NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "PUT / 12");
    assert_int_equal(producer.rewinds, 1);
    check_hedges(1, 1);
    assert_true(origin_wait(origin, AT_LAST));
    assert_string_equal(origin_request(origin, 0, 0)->body, "partpartpart");
    weir_request_free(request);
}

static void test_a_body_from_memory(void **state)
{
    static char body[1000000];
    weir_request *request = must_request("PUT", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    memset(body, 'x', sizeof body);
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, echoes);
    weir_request_set_body(request, body, sizeof body, NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "PUT / 1000000");
    check_hedges(1, 1);
    weir_request_free(request);
}

/* --- an idle connection, or a free place ---------------------------------- */

static void is_skipped(const weir_pool_options *options)
{
    struct outcome out;

    open_pool(options);
    origin_script(origin, 0, answers_unhedged);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "good");
    check_hedges(0, 0);
    assert_int_equal(figures_of(pool).hedges_skipped, 1);
    assert_int_equal(figures_of(pool).queued, 1); /* for the first */
    assert_int_equal(origin_connections(origin), 1);
}

static void test_no_hedge_without_a_place(void **state)
{
    weir_pool_options options = hedging(0.01);

    (void)state;
    options.max_per_host = 1;
    is_skipped(&options);
    origin_stop(origin);
    origin = origin_start(NULL);
    options = hedging(0.01);
    options.max_connections = 1;
    is_skipped(&options);
}

static void test_no_hedge_at_the_expense_of_another_origin(void **state)
{
    struct origin *beside = origin_start(NULL);
    weir_pool_options options = hedging(0.01);
    weir_request *request = must_request("GET", origin_url(beside, "/"));
    weir_hedge none;
    struct outcome out;

    (void)state;
    options.max_connections = 2;
    open_pool(&options);
    weir_hedge_init(&none);
    weir_request_set_hedge(request, &none, NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "GET / 0");
    origin_script(origin, 0, answers_unhedged);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "good");
    assert_int_equal(figures_of(pool).hedges_skipped, 1);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_EVICTED], 0);
    assert_int_equal(figures_of(pool).idle, 2);
    weir_request_free(request);
    origin_stop(beside);
}

#define WARM O_EXPECT, O_SEND(ANSWER("warm"))
#define WARM_LATER                                                             \
    O_EXPECT, O_POST(AT_LAST), O_WAIT(AT_LAST + 1), O_SEND(ANSWER("warm"))

/* Two connections rest, that of `later` (which begins with WARM_LATER) as the
 * last one, so that it is lent first. */
static void open_warm(const struct origin_step *later,
                      const struct origin_step *sooner)
{
    weir_pool_options options = hedging(0);
    struct call call;
    struct outcome out;

    options.validate_after = 60; /* nothing that rests is looked at */
    open_pool(&options);
    origin_script(origin, 0, later);
    origin_script(origin, 1, sooner);
    start_call(&call, pool, origin_url(origin, "/"));
    assert_true(origin_wait(origin, AT_LAST));
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "warm");
    origin_post(origin, AT_LAST + 1);
    join_call(&call);
    assert_answer(&call.out, "warm");
    assert_int_equal(figures_of(pool).idle, 2);
}

static void test_an_idle_connection_is_taken(void **state)
{
    static const struct origin_step later[] = {WARM_LATER, O_EXPECT, O_HANG,
                                               O_END};
    static const struct origin_step sooner[] = {WARM, O_ECHO, O_END};
    struct outcome out;

    (void)state;
    open_warm(later, sooner);
    get_hedged(&out);
    assert_answer(&out, "GET /hedged 0");
    assert_true(out.is_reused);
    check_hedges(1, 1);
    assert_int_equal(origin_connections(origin), 2);
}

/* A stale connection is not renewed while the other request goes on. */
static void test_a_stale_hedge_is_dropped(void **state)
{
    static const struct origin_step later[] = {
        WARM_LATER, O_EXPECT, O_WAIT(GOES_ON), O_SEND(ANSWER("good")),
        O_HANG,     O_END};
    static const struct origin_step sooner[] = {WARM, O_EXPECT, O_RESET, O_END};
    struct outcome out;

    (void)state;
    open_warm(later, sooner);
    get_hedged(&out);
    assert_answer(&out, "good");
    check_hedges(1, 0);
    assert_int_equal(figures_of(pool).stale_retries, 0);
    assert_int_equal(origin_connections(origin), 2);
}

/* But it is when there is no other request any more. */
static void test_a_stale_hedge_that_is_left_is_renewed(void **state)
{
    static const struct origin_step later[] = {
        WARM_LATER, O_EXPECT, O_WAIT(SECOND_IS_THERE), O_RESET, O_END};
    static const struct origin_step sooner[] = {
        WARM,    O_EXPECT, O_POST(SECOND_IS_THERE), O_WAIT(GOES_ON),
        O_RESET, O_END};
    struct outcome out;

    (void)state;
    open_warm(later, sooner);
    origin_script(origin, 2, echoes);
    get_hedged(&out);
    assert_answer(&out, "GET /hedged 0");
    check_hedges(1, 1);
    assert_int_equal(figures_of(pool).stale_retries, 1);
    assert_int_equal(origin_connections(origin), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_wins),
        TEST(test_the_second_wins),
        TEST(test_what_the_loser_says_is_never_heard),
        TEST(test_a_body_comes_from_the_winner_alone),
        TEST(test_the_attempts_tell),
        TEST(test_over_tls),
        TEST(test_both_fail),
        TEST(test_the_first_fails_and_the_second_answers),
        TEST(test_the_second_fails_and_the_first_answers),
        TEST(test_both_fail_and_it_is_tried_again),
        TEST(test_what_wins_may_be_tried_again),
        TEST(test_what_wins_may_be_a_redirect),
        cmocka_unit_test(test_time_limits_hold_for_both),
        TEST(test_a_post_is_not_hedged),
        TEST(test_but_one_that_may_be_repeated),
        TEST(test_a_body_that_can_be_sent_once),
        TEST(test_a_body_that_can_be_set_back),
        TEST(test_a_body_from_memory),
        TEST(test_no_hedge_without_a_place),
        TEST(test_no_hedge_at_the_expense_of_another_origin),
        TEST(test_an_idle_connection_is_taken),
        TEST(test_a_stale_hedge_is_dropped),
        TEST(test_a_stale_hedge_that_is_left_is_renewed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
