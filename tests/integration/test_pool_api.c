/* The life of a pool: the shared one, closing, and what is held over it. */
#include "client.h"

#include <stdlib.h>

#include "origin_pool.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* Says 0 when the request is there, answers on 1. */
static const struct origin_step answers_on_1[] = {
    O_EXPECT, O_POST(0), O_WAIT(1), O_SEND(HELLO), O_AGAIN};

static int set_up(void **state)
{
    weir_pool_options options = test_options();

    (void)state;
    options.max_per_host = 1;
    return start_both(NULL, &options);
}

static int clean_up(void **state)
{
    weir_shared_close(0, NULL);
    return tear_down(state);
}

/* --- the shared pool ----------------------------------------------------- */

enum {
    RACERS = 16
};

struct racer {
    pthread_t thread;
    pthread_barrier_t *line;
    weir_pool *pool;
};

static void *race(void *user)
{
    struct racer *racer = user;

    pthread_barrier_wait(racer->line);
    racer->pool = weir_shared();
    return NULL;
}

static void test_16_threads_that_race_make_one_shared_pool(void **state)
{
    pthread_barrier_t line;
    struct racer racers[RACERS];

    (void)state;
    pthread_barrier_init(&line, NULL, RACERS);
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i].line = &line;
        pthread_create(&racers[i].thread, NULL, race, &racers[i]);
    }
    for (unsigned i = 0; i < RACERS; i++)
        pthread_join(racers[i].thread, NULL);
    pthread_barrier_destroy(&line);
    assert_non_null(racers[0].pool);
    for (unsigned i = 1; i < RACERS; i++)
        assert_ptr_equal(racers[i].pool, racers[0].pool);
    assert_ptr_equal(weir_shared(), racers[0].pool);
}

static void test_after_a_close_the_next_shared_pool_is_new(void **state)
{
    weir_pool *first = weir_shared();
    weir_pool *second;
    weir_close_report report = {.size = sizeof report};
    struct outcome out;

    (void)state;
    get(first, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    assert_int_equal(weir_shared_close(1, &report), WEIR_OK);
    assert_int_equal(report.idle, 1);
    second = weir_shared();
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    get(second, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    assert_false(out.is_reused);
    get(first, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_CLOSED);
}

static void test_closing_no_shared_pool_does_nothing(void **state)
{
    weir_close_report report = {.size = sizeof report, .idle = 7};

    (void)state;
    assert_int_equal(weir_shared_close(0, &report), WEIR_OK);
    assert_int_equal(report.idle, 0);
}

static void test_other_options_for_the_shared_pool_are_a_conflict(void **state)
{
    weir_pool_options options = test_options();
    weir_pool *shared = NULL;
    weir_pool *again = NULL;
    weir_error err;

    (void)state;
    options.max_connections = 7;
    assert_int_equal(weir_shared_open(&options, &shared, &err), WEIR_OK);
    assert_int_equal(weir_shared_open(&options, &again, &err), WEIR_OK);
    assert_ptr_equal(shared, again);
    assert_int_equal(weir_shared_open(NULL, &again, &err), WEIR_OK);
    assert_ptr_equal(shared, again);
    options.max_connections = 8;
    again = NULL;
    assert_int_equal(weir_shared_open(&options, &again, &err), WEIR_E_CONFLICT);
    assert_null(again);
    assert_non_null(strstr(err.message, "max_connections"));
}

/* design.md, section 6: the environment counts, and its mistakes are told. */
static void test_the_shared_pool_reads_the_environment(void **state)
{
    static const char name[] = "WEIR_HTTP_CONNECTION_POOL__MAX_CONNECTIONS";
    weir_pool *shared = NULL;
    struct outcome out;
    weir_error err;

    (void)state;
    setenv(name, "many", 1);
    assert_int_equal(weir_shared_open(NULL, &shared, &err), WEIR_E_SETTINGS);
    assert_non_null(strstr(err.message, "many"));
    assert_null(weir_shared());
    get(weir_shared(), origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_SETTINGS);
    setenv(name, "12", 1);
    shared = weir_shared();
    unsetenv(name);
    assert_non_null(shared);
    get(shared, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
}

/* Once a shared pool could be made, an earlier failure explains nothing. */
static void test_no_pool_is_no_failure_of_long_ago(void **state)
{
    static const char name[] = "WEIR_HTTP_CONNECTION_POOL__MAX_CONNECTIONS";
    struct outcome out;

    (void)state;
    setenv(name, "many", 1);
    assert_null(weir_shared());
    unsetenv(name);
    assert_non_null(weir_shared());
    assert_int_equal(weir_shared_close(0, NULL), WEIR_OK);
    get(NULL, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_INVALID);
}

/* --- closing ------------------------------------------------------------- */

static void test_a_closed_pool_refuses_calls(void **state)
{
    struct outcome out;

    (void)state;
    assert_int_equal(weir_pool_close(pool, 0, NULL), WEIR_OK);
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_CLOSED);
    assert_int_equal(out.err.error_class, WEIR_CLASS_CLOSED);
    assert_false(out.err.may_have_been_processed);
    assert_int_equal(origin_connections(origin), 0);
}

static void test_a_second_close_does_nothing(void **state)
{
    weir_close_report report = {.size = sizeof report};
    struct outcome out;

    (void)state;
    get(pool, origin_url(origin, "/"), &out);
    assert_int_equal(weir_pool_close(pool, 0, &report), WEIR_OK);
    assert_int_equal(report.idle, 1);
    assert_int_equal(figures_of(pool).open, 0);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_SHUTDOWN], 1);
    assert_int_equal(weir_pool_close(pool, 0, &report), WEIR_OK);
    assert_int_equal(report.idle, 0);
}

struct closing {
    pthread_t thread;
    double grace;
    weir_close_report report;
};

static void *run_close(void *user)
{
    struct closing *closing = user;

    weir_pool_close(pool, closing->grace, &closing->report);
    return NULL;
}

/* Closes on another thread and returns once new calls are refused. */
static void start_close(struct closing *closing, double grace)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    closing->grace = grace;
    closing->report.size = sizeof closing->report;
    weir_request_set_timeout(request, WEIR_TIMEOUT_ACQUIRE, 0, NULL);
    pthread_create(&closing->thread, NULL, run_close, closing);
    do {
        fetch(pool, request, &out);
    } while (out.code == WEIR_E_ACQUIRE_TIMEOUT);
    weir_request_free(request);
    assert_code(&out, WEIR_E_CLOSED);
}

static void join_close(struct closing *closing)
{
    pthread_join(closing->thread, NULL);
}

static void
test_the_grace_lets_an_exchange_finish_and_fails_the_line(void **state)
{
    struct closing closing;
    struct call running;
    struct call waiting;

    (void)state;
    origin_script(origin, 0, answers_on_1);
    start_call(&running, pool, origin_url(origin, "/"));
    assert_true(origin_wait(origin, 0));
    start_call(&waiting, pool, origin_url(origin, "/"));
    await_waiting(pool, 1);
    start_close(&closing, 15);
    join_call(&waiting);
    assert_code(&waiting.out, WEIR_E_CLOSED);
    assert_int_equal(waiting.out.err.stage, WEIR_STAGE_WAIT);
    assert_false(waiting.out.err.may_have_been_processed);
    origin_post(origin, 1);
    join_call(&running);
    assert_answer(&running.out, "hello");
    join_close(&closing);
    assert_int_equal(closing.report.finished, 1);
    assert_int_equal(closing.report.cut, 0);
    assert_int_equal(closing.report.refused, 1);
    assert_int_equal(figures_of(pool).open, 0);
}

static void test_without_grace_an_exchange_is_cut(void **state)
{
    weir_close_report report = {.size = sizeof report};
    struct call running;

    (void)state;
    origin_script(origin, 0, answers_on_1);
    start_call(&running, pool, origin_url(origin, "/"));
    assert_true(origin_wait(origin, 0));
    assert_int_equal(weir_pool_close(pool, 0, &report), WEIR_OK);
    join_call(&running);
    assert_code(&running.out, WEIR_E_CLOSED);
    assert_int_equal(running.out.err.stage, WEIR_STAGE_RESPONSE);
    assert_true(running.out.err.may_have_been_processed);
    assert_int_equal(report.cut, 1);
    assert_int_equal(report.finished, 0);
    assert_int_equal(figures_of(pool).open, 0);
}

/* The thread sends while its socket is shut down. */
static void *upload(void *user)
{
    static char body[16 << 20];
    weir_request *request = must_request("PUT", origin_url(origin, "/"));

    weir_request_set_body(request, body, sizeof body, NULL);
    fetch(pool, request, user);
    weir_request_free(request);
    return NULL;
}

static void test_without_grace_an_upload_is_cut(void **state)
{
    static const struct origin_step never_reads[] = {O_EXPECT_HEAD, O_POST(0),
                                                     O_STALL, O_END};
    weir_close_report report = {.size = sizeof report};
    struct outcome out;
    pthread_t thread;

    (void)state;
    origin_script(origin, 0, never_reads);
    pthread_create(&thread, NULL, upload, &out);
    assert_true(origin_wait(origin, 0));
    assert_int_equal(weir_pool_close(pool, 0, &report), WEIR_OK);
    pthread_join(thread, NULL);
    assert_code(&out, WEIR_E_CLOSED);
    assert_int_equal(report.cut, 1);
    assert_int_equal(figures_of(pool).open, 0);
}

static void test_without_grace_a_dial_is_cut(void **state)
{
    struct origin *full =
        origin_start(&(struct origin_options){.never_accepts = true});
    weir_close_report report = {.size = sizeof report};
    struct call dialing;

    (void)state;
    assert_non_null(full);
    start_call(&dialing, pool, origin_url(full, "/"));
    while (figures_of(pool).dialing != 1)
        sched_yield();
    assert_int_equal(weir_pool_close(pool, 0, &report), WEIR_OK);
    join_call(&dialing);
    assert_code(&dialing.out, WEIR_E_CLOSED);
    assert_int_equal(figures_of(pool).open, 0);
    origin_stop(full);
}

/* --- what is held over a close ------------------------------------------- */

static void assert_reads_hello(weir_response *response)
{
    char buf[16];
    size_t len = 0;

    assert_int_equal(weir_response_read(response, buf, sizeof buf, &len, NULL),
                     WEIR_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(buf, "hello", 5);
}

static void test_a_complete_response_outlives_its_pool(void **state)
{
    weir_response *response = NULL;

    (void)state;
    assert_int_equal(weir_get(pool, origin_url(origin, "/"), &response, NULL),
                     WEIR_OK);
    weir_pool_free(pool);
    pool = NULL;
    assert_int_equal(weir_response_status(response), 200);
    assert_int_equal(weir_response_body(response).len, 7);
    assert_memory_equal(weir_response_body(response).data, "GET / 0", 7);
    assert_non_null(strstr(weir_response_peer(response), "127.0.0.1:"));
    weir_response_free(response);
}

static void
test_a_cut_response_stays_readable_to_the_extent_received(void **state)
{
    static const struct origin_step half[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
        O_HANG, O_POST(0), O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_close_report report = {.size = sizeof report};
    weir_response *response = NULL;
    weir_error err;
    size_t len = 9;
    char buf[16];

    (void)state;
    origin_script(origin, 0, half);
    assert_int_equal(weir_send(pool, request, &response, NULL), WEIR_OK);
    assert_int_equal(weir_pool_close(pool, 0, &report), WEIR_OK);
    assert_int_equal(report.cut, 1);
    /* The server sees the end at once, not when the response is freed. */
    assert_true(origin_wait(origin, 0));
    weir_pool_free(pool);
    pool = NULL;
    weir_request_free(request);
    assert_reads_hello(response);
    assert_int_equal(weir_response_read(response, buf, sizeof buf, &len, &err),
                     WEIR_E_CLOSED);
    assert_int_equal(err.stage, WEIR_STAGE_BODY);
    weir_response_free(response);
}

static void test_a_response_freed_after_its_pool_is_closed(void **state)
{
    static const struct origin_step half[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
        O_HANG, O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *response = NULL;

    (void)state;
    origin_script(origin, 0, half);
    assert_int_equal(weir_send(pool, request, &response, NULL), WEIR_OK);
    assert_int_equal(weir_pool_close(pool, 0, NULL), WEIR_OK);
    assert_int_equal(figures_of(pool).open, 1);
    weir_response_free(response);
    assert_int_equal(figures_of(pool).open, 0);
    weir_request_free(request);
}

/* --- arguments ----------------------------------------------------------- */

static void test_arguments_are_checked(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_pool_options options = test_options();
    weir_response *response = NULL;
    weir_pool *other = NULL;
    weir_error err;

    (void)state;
    assert_int_equal(weir_send(pool, NULL, &response, &err), WEIR_E_INVALID);
    assert_int_equal(weir_send(pool, request, NULL, &err), WEIR_E_INVALID);
    assert_int_equal(weir_pool_open(&options, NULL, &err), WEIR_E_INVALID);
    assert_int_equal(weir_pool_close(NULL, 0, NULL), WEIR_E_INVALID);
    assert_int_equal(weir_pool_close(pool, -1, NULL), WEIR_E_INVALID);
    options.max_connections = 0;
    assert_int_equal(weir_pool_open(&options, &other, &err), WEIR_E_OPTION);
    assert_non_null(strstr(err.message, "max_connections"));
    options = test_options();
    options.ca_file = "/nonexistent/ca.pem";
    assert_int_equal(weir_pool_open(&options, &other, &err), WEIR_E_TLS);
    assert_non_null(strstr(err.message, "/nonexistent/ca.pem"));
    assert_null(other);
    assert_null(response);
    weir_response_free(NULL);
    weir_request_free(NULL);
    weir_pool_free(NULL);
    weir_request_free(request);
}

static void test_bad_requests_say_where(void **state)
{
    weir_request *request = NULL;
    weir_error err;

    (void)state;
    assert_int_equal(
        weir_request_new("GET", "http://localhost: 11434", &request, &err),
        WEIR_E_URL);
    assert_int_equal(err.offset, 17);
    assert_int_equal(weir_request_new("GET", "ftp://a/", &request, &err),
                     WEIR_E_URL);
    assert_int_equal(weir_request_new("G ET", "http://a/", &request, &err),
                     WEIR_E_FIELD);
    assert_int_equal(weir_request_new("", "http://a/", &request, &err),
                     WEIR_E_FIELD);
    assert_null(request);
    request = must_request("GET", "http://a/");
    assert_int_equal(weir_request_add_field(request, "A", "b\r\nEvil: c", &err),
                     WEIR_E_FIELD);
    assert_int_equal(weir_request_add_field(request, "A B", "c", &err),
                     WEIR_E_FIELD);
    assert_int_equal(
        weir_request_add_field(request, "Content-Length", "5", &err),
        WEIR_E_FIELD);
    assert_int_equal(
        weir_request_add_field(request, "transfer-encoding", "x", &err),
        WEIR_E_FIELD);
    assert_int_equal(weir_request_add_field(request, "Connection", "x", &err),
                     WEIR_E_FIELD);
    weir_request_free(request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_16_threads_that_race_make_one_shared_pool),
        TEST(test_after_a_close_the_next_shared_pool_is_new),
        TEST(test_closing_no_shared_pool_does_nothing),
        TEST(test_other_options_for_the_shared_pool_are_a_conflict),
        TEST(test_the_shared_pool_reads_the_environment),
        TEST(test_no_pool_is_no_failure_of_long_ago),
        TEST(test_a_closed_pool_refuses_calls),
        TEST(test_a_second_close_does_nothing),
        TEST(test_the_grace_lets_an_exchange_finish_and_fails_the_line),
        TEST(test_without_grace_an_exchange_is_cut),
        TEST(test_without_grace_an_upload_is_cut),
        TEST(test_without_grace_a_dial_is_cut),
        TEST(test_a_complete_response_outlives_its_pool),
        TEST(test_a_cut_response_stays_readable_to_the_extent_received),
        TEST(test_a_response_freed_after_its_pool_is_closed),
        TEST(test_arguments_are_checked),
        TEST(test_bad_requests_say_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
