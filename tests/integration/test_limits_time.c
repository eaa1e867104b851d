/* The time limits: each with an error code of its own and the stage in which it
 * ran out (design.md, section 5).  Nothing here depends on how long a thing
 * takes, but that a limit ends it long before the others would: where a machine
 * is so busy that a limit ran out before the stage that is meant had come, the
 * call is made again with a longer one. */
#include "client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "certs.h"
#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* In seconds: a limit that must run out, and one that never may. */
#define SHORT 0.05
#define LONG 15.0
/* Of a limit that is made longer. */
#define LONGEST 4.0

static const struct origin_step never_answers[] = {O_EXPECT, O_POST(0), O_HANG,
                                                   O_END};
static const struct origin_step answers[] = {O_EXPECT, O_SEND(HELLO), O_AGAIN};

static struct origin *origin;
static weir_pool *pool;
static atomic_int reached; /* a weir_stage, by the latest call */

static void note_stage(void *user, const weir_trace_event *event)
{
    (void)user;
    if (event->kind == WEIR_TRACE_LEASE)
        atomic_store(&reached, WEIR_STAGE_SEND);
    else if (event->kind == WEIR_TRACE_SENT)
        atomic_store(&reached, WEIR_STAGE_RESPONSE);
    else if (event->kind == WEIR_TRACE_RESPONSE)
        atomic_store(&reached, WEIR_STAGE_BODY);
}

static weir_pool_options watched_options(void)
{
    weir_pool_options options = test_options();

    options.trace = note_stage;
    return options;
}

static int set_up(void **state)
{
    weir_pool_options options = watched_options();

    (void)state;
    options.acquire_timeout = options.connect_timeout = LONG;
    options.total_timeout = LONG;
    options.max_per_host = 1;
    origin = origin_start(NULL);
    pool = must_open(&options);
    return origin ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    origin_stop(origin);
    return 0;
}

/* Sends with one limit of the request's own, which runs out. */
static void run_out_once(weir_request *request, weir_timeout which,
                         double seconds, weir_status code, struct outcome *out)
{
    const double begun = seconds_now();

    atomic_store(&reached, WEIR_STAGE_NONE);
    assert_int_equal(weir_request_set_timeout(request, which, seconds, NULL),
                     WEIR_OK);
    fetch(pool, request, out);
    assert_true(seconds_now() - begun < LONG / 2);
    assert_true(seconds_now() - begun >= seconds);
    assert_code(out, code);
    assert_int_equal(out->err.error_class, WEIR_CLASS_TIME);
}

/* Did it run out before the stage had come?  The pool, which tells of the
 * stages of an exchange, has told nothing of it. */
static bool is_too_early(const struct outcome *out, weir_stage stage)
{
    return out->err.stage < stage && atomic_load(&reached) < (int)stage;
}

static void run_out(weir_request *request, weir_timeout which, double seconds,
                    weir_status code, weir_stage stage)
{
    struct outcome out;

    run_out_once(request, which, seconds, code, &out);
    for (; is_too_early(&out, stage) && seconds < LONGEST / 2; seconds *= 2)
        run_out_once(request, which, 2 * seconds, code, &out);
    if (out.err.stage != stage)
        fail_msg("stage %s, wanted %s: %s", weir_stage_name(out.err.stage),
                 weir_stage_name(stage), out.err.message);
}

static void run_out_get(weir_timeout which, double seconds, weir_status code,
                        weir_stage stage)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    run_out(request, which, seconds, code, stage);
    weir_request_free(request);
}

/* The connection that a limit has cut is not used again, and nothing leaks. */
static void assert_recovers(void)
{
    const weir_pool_figures before = figures_of(pool);
    struct outcome out;

    assert_int_equal(before.leased, 0);
    /* A loop goes on with a dial that its caller has left. */
    assert_true(before.dialing == 0 || !is_driver("blocking"));
    assert_int_equal(before.waiting, 0);
    assert_int_equal(before.idle, 0);
    origin_script(origin, origin_connections(origin), answers);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "hello");
    assert_false(out.is_reused);
}

/* --- acquire ------------------------------------------------------------- */

/* The only connection that there may be. */
static weir_response *take_the_connection(void)
{
    weir_request *request = must_request("GET", origin_url(origin, "/held"));
    weir_response *held = NULL;

    origin_script(origin, 0, answers);
    assert_int_equal(weir_send(pool, request, &held, NULL), WEIR_OK);
    weir_request_free(request);
    return held;
}

/* A response whose body has not been taken holds its connection, however much
 * of it has come. */
static weir_response *hold_the_connection(void)
{
    static const struct origin_step holds[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh"),
        O_WAIT(1), O_SEND("ello"), O_AGAIN};
    weir_request *request = must_request("GET", origin_url(origin, "/held"));
    weir_response *held = NULL;

    origin_script(origin, 0, holds);
    assert_int_equal(weir_send(pool, request, &held, NULL), WEIR_OK);
    weir_request_free(request);
    assert_int_equal(figures_of(pool).leased, 1);
    return held;
}

static void test_acquire_in_the_line(void **state)
{
    weir_response *held = hold_the_connection();

    (void)state;
    run_out_get(WEIR_TIMEOUT_ACQUIRE, SHORT, WEIR_E_ACQUIRE_TIMEOUT,
                WEIR_STAGE_WAIT);
    assert_int_equal(figures_of(pool).acquire_timeouts, 1);
    assert_int_equal(figures_of(pool).waiting, 0);
    weir_response_free(held);
    assert_int_equal(origin_requests_in_all(origin), 1);
}

static void test_acquire_0_does_not_wait(void **state)
{
    weir_response *held = hold_the_connection();

    (void)state;
    run_out_get(WEIR_TIMEOUT_ACQUIRE, 0, WEIR_E_ACQUIRE_TIMEOUT,
                WEIR_STAGE_WAIT);
    weir_response_free(held);
}

/* 0 forbids the line, not a connection of one's own. */
static void test_acquire_0_may_dial(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    weir_request_set_timeout(request, WEIR_TIMEOUT_ACQUIRE, 0, NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "GET / 0");
    fetch(pool, request, &out);
    assert_true(out.is_reused);
    weir_request_free(request);
}

static void test_total_while_waiting_in_the_line(void **state)
{
    weir_response *held = hold_the_connection();

    (void)state;
    run_out_get(WEIR_TIMEOUT_TOTAL, SHORT, WEIR_E_TOTAL_TIMEOUT,
                WEIR_STAGE_WAIT);
    assert_int_equal(figures_of(pool).waiting, 0);
    weir_response_free(held);
}

static void test_the_line_is_no_error_of_the_peer(void **state)
{
    weir_response *held = take_the_connection();
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    /* "hello" has come with the head or comes soon: read to its end. */
    for (size_t len = 1; len > 0;) {
        char buf[16];

        assert_int_equal(weir_response_read(held, buf, sizeof buf, &len, NULL),
                         WEIR_OK);
    }
    /* The end of the body gives the connection back, not the free. */
    fetch(pool, request, &out);
    assert_answer(&out, "hello");
    assert_true(out.is_reused);
    weir_response_free(held);
    weir_request_free(request);
}

/* --- connect ------------------------------------------------------------- */

static void use_full_backlog(void)
{
    origin_stop(origin);
    origin = origin_start(&(struct origin_options){.never_accepts = true});
    assert_non_null(origin);
}

static void test_connect_to_a_full_backlog(void **state)
{
    (void)state;
    use_full_backlog();
    run_out_get(WEIR_TIMEOUT_CONNECT, SHORT, WEIR_E_CONNECT_TIMEOUT,
                WEIR_STAGE_CONNECT);
    assert_int_equal(figures_of(pool).open, 0);
    assert_int_equal(figures_of(pool).dial_failures, 1);
}

static void test_total_while_connecting(void **state)
{
    (void)state;
    use_full_backlog();
    run_out_get(WEIR_TIMEOUT_TOTAL, SHORT, WEIR_E_TOTAL_TIMEOUT,
                WEIR_STAGE_CONNECT);
    assert_int_equal(figures_of(pool).waiting, 0);
}

/* A plain server that says nothing to a ClientHello. */
static void test_connect_covers_the_tls_handshake(void **state)
{
    static const struct origin_step silent[] = {O_HANG, O_END};
    weir_request *request;
    char url[64];

    (void)state;
    origin_script(origin, 0, silent);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", origin_port(origin, 0));
    request = must_request("GET", url);
    run_out(request, WEIR_TIMEOUT_CONNECT, SHORT, WEIR_E_CONNECT_TIMEOUT,
            WEIR_STAGE_TLS);
    weir_request_set_timeout(request, WEIR_TIMEOUT_CONNECT, -1, NULL);
    run_out(request, WEIR_TIMEOUT_TOTAL, SHORT, WEIR_E_TOTAL_TIMEOUT,
            WEIR_STAGE_TLS);
    weir_request_free(request);
    assert_recovers();
}

/* --- first byte ---------------------------------------------------------- */

static void test_first_byte(void **state)
{
    (void)state;
    origin_script(origin, 0, never_answers);
    run_out_get(WEIR_TIMEOUT_FIRST_BYTE, SHORT, WEIR_E_FIRST_BYTE_TIMEOUT,
                WEIR_STAGE_RESPONSE);
    assert_true(origin_wait(origin, 0));
    assert_recovers();
}

static void test_first_byte_may_have_been_processed(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    origin_script(origin, 0, never_answers);
    weir_request_set_timeout(request, WEIR_TIMEOUT_FIRST_BYTE, SHORT, NULL);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_code(&out, WEIR_E_FIRST_BYTE_TIMEOUT);
    assert_true(out.err.may_have_been_processed);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_TIMEOUT], 1);
}

/* The limit of a reused connection is that of this request, not of the one
 * before, which set the socket's. */
static void test_first_byte_on_a_reused_connection(void **state)
{
    static const struct origin_step then_silent[] = {O_EXPECT, O_SEND(HELLO),
                                                     O_EXPECT, O_HANG, O_END};
    struct outcome out;

    (void)state;
    origin_script(origin, 0, then_silent);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "hello");
    run_out_get(WEIR_TIMEOUT_FIRST_BYTE, SHORT, WEIR_E_FIRST_BYTE_TIMEOUT,
                WEIR_STAGE_RESPONSE);
    /* No answer is no sign of a stale connection. */
    assert_int_equal(figures_of(pool).stale_retries, 0);
    assert_recovers();
}

/* --- idle read ----------------------------------------------------------- */

static void test_idle_read_within_the_head(void **state)
{
    static const struct origin_step half_head[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\n"), O_HANG, O_END};

    (void)state;
    origin_script(origin, 0, half_head);
    run_out_get(WEIR_TIMEOUT_IDLE_READ, SHORT, WEIR_E_READ_TIMEOUT,
                WEIR_STAGE_RESPONSE);
    assert_recovers();
}

static void test_idle_read_within_the_body(void **state)
{
    static const struct origin_step half_body[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"),
        O_HANG, O_END};

    (void)state;
    origin_script(origin, 0, half_body);
    run_out_get(WEIR_TIMEOUT_IDLE_READ, SHORT, WEIR_E_READ_TIMEOUT,
                WEIR_STAGE_BODY);
    assert_recovers();
}

/* A read that times out leaves the response failed for good. */
static void test_idle_read_while_streaming(void **state)
{
    static const struct origin_step half_body[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"),
        O_HANG, O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *response = NULL;
    char buf[16];
    size_t len = 0;
    weir_error err;

    (void)state;
    origin_script(origin, 0, half_body);
    weir_request_set_timeout(request, WEIR_TIMEOUT_IDLE_READ, SHORT, NULL);
    assert_int_equal(weir_send(pool, request, &response, &err), WEIR_OK);
    weir_request_free(request);
    assert_int_equal(weir_response_read(response, buf, sizeof buf, &len, &err),
                     WEIR_OK);
    assert_int_equal(len, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            weir_response_read(response, buf, sizeof buf, &len, &err),
            WEIR_E_READ_TIMEOUT);
        assert_int_equal(err.stage, WEIR_STAGE_BODY);
    }
    weir_response_free(response);
    assert_recovers();
}

/* Bytes that keep coming satisfy the idle limit; only the total ends them. */
static void test_total_while_reading_a_dripping_body(void **state)
{
    static const struct origin_step drips[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        O_DRIP("x", 5), O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    (void)state;
    origin_script(origin, 0, drips);
    weir_request_set_timeout(request, WEIR_TIMEOUT_IDLE_READ, LONG, NULL);
    run_out(request, WEIR_TIMEOUT_TOTAL, 2 * SHORT, WEIR_E_TOTAL_TIMEOUT,
            WEIR_STAGE_BODY);
    weir_request_free(request);
    assert_recovers();
}

static void test_total_while_a_head_drips(void **state)
{
    static const struct origin_step drips[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\n"), O_DRIP("A: b\r\n", 5), O_END};

    (void)state;
    origin_script(origin, 0, drips);
    run_out_get(WEIR_TIMEOUT_TOTAL, 2 * SHORT, WEIR_E_TOTAL_TIMEOUT,
                WEIR_STAGE_RESPONSE);
    assert_recovers();
}

static void test_total_while_waiting_for_a_response(void **state)
{
    (void)state;
    origin_script(origin, 0, never_answers);
    run_out_get(WEIR_TIMEOUT_TOTAL, SHORT, WEIR_E_TOTAL_TIMEOUT,
                WEIR_STAGE_RESPONSE);
    assert_recovers();
}

/* --- sending ------------------------------------------------------------- */

static void check_never_read(const struct origin_options *options)
{
    static const struct origin_step never_reads[] = {O_STALL, O_END};
    static char body[16 << 20];
    weir_request *request;

    origin_stop(origin);
    origin = origin_start(options);
    assert_non_null(origin);
    origin_script(origin, 0, never_reads);
    request = must_request("PUT", origin_url(origin, "/"));
    weir_request_set_body(request, body, sizeof body, NULL);
    run_out(request, WEIR_TIMEOUT_TOTAL, 2 * SHORT, WEIR_E_TOTAL_TIMEOUT,
            WEIR_STAGE_SEND);
    weir_request_free(request);
    assert_int_equal(figures_of(pool).open, 0);
}

static void test_total_while_sending_to_a_peer_that_never_reads(void **state)
{
    (void)state;
    check_never_read(NULL);
}

static void test_total_while_sending_over_tls(void **state)
{
    weir_pool_options options = watched_options();
    char *certs = certs_new();

    (void)state;
    options.verify = false;
    weir_pool_free(pool);
    pool = must_open(&options);
    check_never_read(&(struct origin_options){.certs = certs});
    certs_done(certs);
}

/* --- the pool's limits and the request's --------------------------------- */

static void test_a_request_without_a_limit_has_the_pool_s(void **state)
{
    weir_pool_options options = watched_options();

    (void)state;
    options.first_byte_timeout = SHORT;
    options.max_per_host = 1;
    assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
    origin_script(origin, 0, never_answers);
    run_out_get(WEIR_TIMEOUT_FIRST_BYTE, -1, WEIR_E_FIRST_BYTE_TIMEOUT,
                WEIR_STAGE_RESPONSE);
    options.first_byte_timeout = 0; /* the next answer may take its time */
    assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
    assert_recovers();
}

static void test_timings_of_a_call(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_timings timings = {.size = sizeof timings};
    weir_response *response = NULL;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(weir_fetch(pool, request, &response, NULL), WEIR_OK);
        weir_response_timings(response, &timings);
        assert_true(timings.total > 0);
        assert_true(timings.total < LONG);
        assert_true(timings.wait + timings.resolve + timings.connect +
                        timings.tls + timings.send + timings.first_byte +
                        timings.body <=
                    timings.total + 1e-6);
        assert_int_equal(timings.connect > 0, i == 0);
        assert_true(timings.tls == 0);
        weir_response_free(response);
    }
    weir_request_free(request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_acquire_in_the_line),
        TEST(test_acquire_0_does_not_wait),
        TEST(test_acquire_0_may_dial),
        TEST(test_total_while_waiting_in_the_line),
        TEST(test_the_line_is_no_error_of_the_peer),
        TEST(test_connect_to_a_full_backlog),
        TEST(test_total_while_connecting),
        TEST(test_connect_covers_the_tls_handshake),
        TEST(test_first_byte),
        TEST(test_first_byte_may_have_been_processed),
        TEST(test_first_byte_on_a_reused_connection),
        TEST(test_idle_read_within_the_head),
        TEST(test_idle_read_within_the_body),
        TEST(test_idle_read_while_streaming),
        TEST(test_total_while_reading_a_dripping_body),
        TEST(test_total_while_a_head_drips),
        TEST(test_total_while_waiting_for_a_response),
        TEST(test_total_while_sending_to_a_peer_that_never_reads),
        TEST(test_total_while_sending_over_tls),
        TEST(test_a_request_without_a_limit_has_the_pool_s),
        TEST(test_timings_of_a_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
