/* Leases that the program forgets (leak_after): each is told once, by name,
 * with its age and the place where it was made; and nothing else is. */
#undef NDEBUG /* so that weir_send() says where it stands */
#include "client.h"

#include <stdatomic.h>

#include "origin.h"

enum {
    STUCK_S = 20
};

static const struct origin_step answers[] = {
    O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
    O_WAIT(0), O_SEND("lo"), O_AGAIN};

static struct origin *origin;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned told;
static char last[256]; /* detail */
static double last_span;
static uint64_t last_connection;

static void on_trace(void *user, const weir_trace_event *event)
{
    (void)user;
    if (event->kind != WEIR_TRACE_LEAK)
        return;
    pthread_mutex_lock(&lock);
    told++;
    snprintf(last, sizeof last, "%s", event->detail);
    last_span = event->elapsed;
    last_connection = event->connection;
    pthread_mutex_unlock(&lock);
}

static unsigned times_told(void)
{
    unsigned count;

    pthread_mutex_lock(&lock);
    count = told;
    pthread_mutex_unlock(&lock);
    return count;
}

static void await_told(unsigned wanted)
{
    const double deadline = seconds_now() + STUCK_S;

    while (times_told() < wanted && seconds_now() < deadline)
        sched_yield();
    assert_int_equal(times_told(), wanted);
}

static void pass(double seconds)
{
    const double until = seconds_now() + seconds;

    while (seconds_now() < until)
        sched_yield();
}

static weir_pool_options watching(double leak_after)
{
    weir_pool_options options = test_options();

    options.leak_after = leak_after;
    options.trace = on_trace;
    return options;
}

static weir_response *must_send(weir_pool *pool, const char *path,
                                unsigned *ret_line)
{
    weir_request *request = must_request("GET", origin_url(origin, path));
    weir_response *response = NULL;
    weir_error err;
    weir_status status;

    *ret_line = __LINE__ + 1;
    status = weir_send(pool, request, &response, &err);
    if (status != WEIR_OK)
        fail_msg("%s", err.message);
    weir_request_free(request);
    return response;
}

static int set_up(void **state)
{
    (void)state;
    told = 0;
    origin = origin_start(NULL);
    origin_script(origin, 0, answers);
    return origin ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    origin_stop(origin);
    return 0;
}

/* --- blocking ------------------------------------------------------------ */

static void test_one_that_is_forgotten_is_told_once(void **state)
{
    const weir_pool_options options = watching(0.02);
    weir_pool *pool = must_open(&options);
    char place[128];
    unsigned line;
    weir_response *response = must_send(pool, "/a/b?secret", &line);

    (void)state;
    /* The keeper looks, but for a program that has a loop of its own. */
    if (is_driver("external")) {
        pass(0.03);
        assert_in_range(weir_pool_timeout(pool), 0, 20);
        weir_pool_dispatch(pool, NULL);
    }
    await_told(1);
    snprintf(place, sizeof place, ", made at %s:%u", __FILE__, line);
    assert_non_null(strstr(last, "GET /a/b: "));
    assert_null(strstr(last, "secret"));
    assert_non_null(strstr(last, place));
    assert_true(last_span >= 0.02 && last_span < STUCK_S);
    assert_int_equal(figures_of(pool).leaks, 1);
    origin_post(origin, 0);
    weir_response_free(response);
    weir_pool_free(pool);
    assert_int_equal(times_told(), 1);
}

/* Nobody looked; its end says so. */
static void test_one_that_is_freed_late_is_told(void **state)
{
    weir_pool_options options = watching(0.001);
    weir_response *response;
    weir_pool *pool;
    unsigned line;

    (void)state;
    options.keeper = false;
    pool = must_open(&options);
    response = must_send(pool, "/", &line);
    pass(0.002);
    assert_int_equal(times_told(), 0);
    weir_response_free(response);
    assert_int_equal(times_told(), 1);
    assert_int_equal(figures_of(pool).leaks, 1);
    weir_pool_free(pool);
}

static void *wait_for_a_connection(void *user)
{
    struct call *call = user;

    get(call->pool, call->url, &call->out);
    return NULL;
}

/* Who waits because of it says so, even without a keeper. */
static void test_who_waits_in_line_looks(void **state)
{
    weir_pool_options options = watching(0.02);
    weir_response *response;
    weir_pool *pool;
    struct call call;
    unsigned line;

    (void)state;
    options.keeper = false;
    options.max_connections = 1;
    pool = must_open(&options);
    response = must_send(pool, "/", &line);
    call = (struct call){.pool = pool, .url = origin_url(origin, "/")};
    pthread_create(&call.thread, NULL, wait_for_a_connection, &call);
    await_told(1);
    origin_post(origin, 0);
    origin_post(origin, 0);
    weir_response_free(response);
    pthread_join(call.thread, NULL);
    assert_answer(&call.out, "hello");
    weir_pool_free(pool);
}

static void *read_slowly(void *user)
{
    weir_response *response = user;
    char buf[64];
    size_t len = 1;

    while (len > 0 &&
           weir_response_read(response, buf, sizeof buf, &len, NULL) == WEIR_OK)
        continue;
    return NULL;
}

/* A thread that waits for a silent peer has not forgotten anything. */
static void test_one_that_is_being_read_is_not_told(void **state)
{
    const weir_pool_options options = watching(0.05);
    weir_pool *pool = must_open(&options);
    unsigned line;
    weir_response *busy = must_send(pool, "/busy", &line);
    weir_response *forgotten;
    pthread_t reader;

    (void)state;
    pthread_create(&reader, NULL, read_slowly, busy);
    forgotten = must_send(pool, "/forgotten", &line);
    pass(0.06);
    weir_pool_dispatch(pool, NULL); /* where there is no keeper */
    await_told(1);
    assert_non_null(strstr(last, "GET /forgotten: "));
    weir_response_free(forgotten);
    origin_post(origin, 0);
    origin_post(origin, 0);
    pthread_join(reader, NULL);
    weir_response_free(busy);
    assert_int_equal(figures_of(pool).leaks, 1);
    weir_pool_free(pool);
}

static void test_off_nothing_is_told(void **state)
{
    weir_pool_options options = watching(0);
    weir_pool *pool = must_open(&options);
    unsigned line;
    weir_response *response = must_send(pool, "/", &line);

    (void)state;
    pass(0.01);
    weir_response_free(response);
    origin_post(origin, 0);
    options.leak_after = 0.001;
    assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
    assert_int_equal(times_told(), 0);
    response = must_send(pool, "/", &line);
    pass(0.002);
    weir_response_free(response);
    await_told(1);
    weir_pool_free(pool);
}

/* What is fetched holds nothing. */
static void test_a_fetch_holds_nothing(void **state)
{
    const weir_pool_options options = watching(0.001);
    weir_pool *pool = must_open(&options);
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *response = NULL;

    (void)state;
    origin_post(origin, 0);
    assert_int_equal(fetch_by_driver(pool, request, &response, NULL), WEIR_OK);
    pass(0.01);
    weir_response_free(response);
    weir_request_free(request);
    assert_int_equal(figures_of(pool).leaks, 0);
    weir_pool_free(pool);
    assert_int_equal(times_told(), 0);
}

/* --- asynchronous -------------------------------------------------------- */

static weir_flow pause_on_body(void *user, weir_call *call, const void *data,
                               size_t len)
{
    (void)user;
    (void)call;
    (void)data;
    (void)len;
    return WEIR_FLOW_PAUSE;
}

static void test_one_that_stays_paused_is_told(void **state)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_body = pause_on_body};
    const weir_pool_options options = watching(0.02);
    weir_pool *pool = must_open(&options);
    weir_request *request = must_request("GET", origin_url(origin, "/paused"));
    const double deadline = seconds_now() + STUCK_S;
    char place[128];
    weir_call *call;
    unsigned line;

    (void)state;
    line = __LINE__ + 1;
    assert_int_equal(weir_submit(pool, request, &handlers, NULL, &call, NULL),
                     WEIR_OK);
    while (times_told() == 0 && seconds_now() < deadline) {
        assert_int_equal(weir_call_wait(call, 0.01, NULL, NULL),
                         WEIR_E_PENDING);
    }
    snprintf(place, sizeof place, ", made at %s:%u", __FILE__, line);
    assert_non_null(strstr(last, "GET /paused: "));
    assert_non_null(strstr(last, place));
    origin_post(origin, 0);
    while (weir_call_wait(call, 0.01, NULL, NULL) == WEIR_E_PENDING)
        weir_call_resume(call);
    assert_int_equal(figures_of(pool).leaks, 1);
    weir_call_free(call);
    weir_request_free(request);
    weir_pool_free(pool);
}

/* --- hedged -------------------------------------------------------------- */

enum {
    SECOND_IS_THERE = 1 /* signal of scripts */
};

static const struct origin_step hangs[] = {O_EXPECT, O_HANG, O_END};
static const struct origin_step hangs_as_second[] = {
    O_EXPECT, O_POST(SECOND_IS_THERE), O_HANG, O_END};
static const struct origin_step answers_as_first[] = {
    O_EXPECT,
    O_WAIT(SECOND_IS_THERE),
    O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
    O_WAIT(0),
    O_SEND("lo"),
    O_END};

static void script_both(bool is_second_good)
{
    origin_script(origin, 0, is_second_good ? hangs : answers_as_first);
    origin_script(origin, 1, is_second_good ? answers : hangs_as_second);
}

static weir_request *hedged_request(void)
{
    weir_request *request =
        must_request("GET", origin_url(origin, "/hedged?secret"));
    weir_hedge hedge;

    weir_hedge_init(&hedge);
    hedge.delay = 0.001;
    assert_int_equal(weir_request_set_hedge(request, &hedge, NULL), WEIR_OK);
    return request;
}

/* Told once, though two requests were sent; with the connection that it
 * holds. */
static void check_told_of_hedged(weir_pool *pool, unsigned line,
                                 uint64_t connection, bool has_second_won)
{
    char place[128];

    snprintf(place, sizeof place, ", made at %s:%u", __FILE__, line);
    assert_int_equal(times_told(), 1);
    assert_non_null(strstr(last, "GET /hedged: "));
    assert_non_null(strstr(last, place));
    assert_true(last_connection == connection);
    assert_int_equal(figures_of(pool).leaks, 1);
    assert_int_equal(figures_of(pool).hedges, 1);
    assert_int_equal(figures_of(pool).hedges_won, has_second_won);
}

static void forget_hedged(bool is_second_good)
{
    const weir_pool_options options = watching(0.02);
    weir_pool *pool = must_open(&options);
    weir_request *request = hedged_request();
    weir_response *response = NULL;
    weir_error err;
    weir_status status;
    unsigned line;

    script_both(is_second_good);
    line = __LINE__ + 1;
    status = weir_send(pool, request, &response, &err);
    if (status != WEIR_OK)
        fail_msg("%s", err.message);
    if (is_driver("external")) {
        pass(0.03);
        weir_pool_dispatch(pool, NULL);
    }
    await_told(1);
    check_told_of_hedged(pool, line, weir_response_connection(response),
                         is_second_good);
    weir_response_free(response);
    weir_request_free(request);
    weir_pool_free(pool);
    assert_int_equal(times_told(), 1);
}

static void test_a_hedged_one_is_told_once(void **state)
{
    (void)state;
    forget_hedged(true);
}

static void test_one_that_beat_its_hedge_is_told_once(void **state)
{
    (void)state;
    forget_hedged(false);
}

static void note_connection(void *user, weir_call *call,
                            weir_response *response)
{
    (void)call;
    *(uint64_t *)user = weir_response_connection(response);
}

static void stay_paused(bool is_second_good)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_response = note_connection,
                                           .on_body = pause_on_body};
    const weir_pool_options options = watching(0.02);
    const double deadline = seconds_now() + STUCK_S;
    weir_pool *pool = must_open(&options);
    weir_request *request = hedged_request();
    uint64_t connection = 0;
    weir_status status;
    weir_call *call;
    unsigned line;

    script_both(is_second_good);
    line = __LINE__ + 1;
    status = weir_submit(pool, request, &handlers, &connection, &call, NULL);
    assert_int_equal(status, WEIR_OK);
    while (times_told() == 0 && seconds_now() < deadline) {
        assert_int_equal(weir_call_wait(call, 0.01, NULL, NULL),
                         WEIR_E_PENDING);
    }
    check_told_of_hedged(pool, line, connection, is_second_good);
    origin_post(origin, 0);
    while (weir_call_wait(call, 0.01, NULL, NULL) == WEIR_E_PENDING)
        weir_call_resume(call);
    assert_int_equal(figures_of(pool).leaks, 1);
    weir_call_free(call);
    weir_request_free(request);
    weir_pool_free(pool);
    assert_int_equal(times_told(), 1);
}

static void test_a_hedged_one_that_stays_paused_is_told_once(void **state)
{
    (void)state;
    stay_paused(true);
}

static void test_one_that_beat_its_hedge_and_stays_paused(void **state)
{
    (void)state;
    stay_paused(false);
}

static void *fetch_hedged(void *user)
{
    struct call *call = user;
    weir_request *request = hedged_request();

    fetch(call->pool, request, &call->out);
    weir_request_free(request);
    return NULL;
}

/* It is the origin that takes its time, with both. */
static void test_a_hedged_one_that_is_waited_for_is_not_told(void **state)
{
    static const struct origin_step answers_late[] = {
        O_EXPECT, O_POST(SECOND_IS_THERE), O_WAIT(0),
        O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), O_END};
    const weir_pool_options options = watching(0.02);
    weir_pool *pool = must_open(&options);
    struct call call = {.pool = pool};

    (void)state;
    origin_script(origin, 0, hangs);
    origin_script(origin, 1, answers_late);
    pthread_create(&call.thread, NULL, fetch_hedged, &call);
    assert_true(origin_wait(origin, SECOND_IS_THERE));
    pass(0.06);
    origin_post(origin, 0);
    pthread_join(call.thread, NULL);
    assert_answer(&call.out, "hello");
    assert_int_equal(figures_of(pool).hedges_won, 1);
    assert_int_equal(figures_of(pool).leaks, 0);
    weir_pool_free(pool);
    assert_int_equal(times_told(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_that_is_forgotten_is_told_once),
        TEST(test_one_that_is_freed_late_is_told),
        TEST(test_who_waits_in_line_looks),
        TEST(test_one_that_is_being_read_is_not_told),
        TEST(test_off_nothing_is_told),
        TEST(test_a_fetch_holds_nothing),
        TEST(test_one_that_stays_paused_is_told),
        TEST(test_a_hedged_one_is_told_once),
        TEST(test_one_that_beat_its_hedge_is_told_once),
        TEST(test_a_hedged_one_that_stays_paused_is_told_once),
        TEST(test_one_that_beat_its_hedge_and_stays_paused),
        TEST(test_a_hedged_one_that_is_waited_for_is_not_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
