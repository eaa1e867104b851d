/* The bounds of a pool: how many connections, who waits and in which order,
 * and that the figures add up. */
#include "client.h"

#include "origin_pool.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const struct origin_step echoes[] = {O_ECHO, O_END};

static void open_with(unsigned max_connections, unsigned max_per_host,
                      unsigned max_waiting)
{
    weir_pool_options options = test_options();

    options.max_connections = max_connections;
    options.max_per_host = max_per_host;
    options.max_waiting = max_waiting;
    pool = must_open(&options);
}

static int set_up(void **state)
{
    (void)state;
    origin = origin_start(
        &(struct origin_options){.listeners = ORIGIN_LISTENERS_MAX});
    return origin ? 0 : -1;
}

static void url_at(char *buf, size_t cap, unsigned listener, const char *path)
{
    snprintf(buf, cap, "http://127.0.0.1:%u%s", origin_port(origin, listener),
             path);
}

/* The figures that must agree at rest. */
static void assert_sums(const weir_pool_figures *figures)
{
    uint64_t closed = 0;

    for (unsigned i = 0; i < WEIR_CLOSE_REASON_COUNT; i++)
        closed += figures->closed[i];
    assert_int_equal(figures->open,
                     figures->idle + figures->leased + figures->dialing);
    assert_int_equal(figures->dialed, figures->open + closed);
    assert_int_equal(figures->leased, 0);
    assert_int_equal(figures->waiting, 0);
    assert_int_equal(figures->requests, figures->responses + figures->failures);
}

/* Sends and holds the response, whose body does not come before signal 1. */
static weir_response *hold(void)
{
    static const struct origin_step holds[] = {
        O_EXPECT,  O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        O_WAIT(1), O_SEND("hello"),
        O_ECHO,    O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/held"));
    weir_response *held = NULL;

    origin_script(origin, 0, holds);
    assert_int_equal(weir_send(pool, request, &held, NULL), WEIR_OK);
    weir_request_free(request);
    return held;
}

/* Takes the rest of a held response, so that its connection is free. */
static void take_rest(weir_response *held)
{
    char buf[16];
    size_t len = 0;

    do {
        assert_int_equal(weir_response_read(held, buf, sizeof buf, &len, NULL),
                         WEIR_OK);
    } while (len > 0);
    weir_response_free(held);
}

static void let_go(weir_response *held)
{
    origin_post(origin, 1);
    take_rest(held);
}

/* --- limits -------------------------------------------------------------- */

enum {
    CALLERS = 24,
    ROUNDS = 20
};

struct caller {
    pthread_t thread;
    unsigned number;
    unsigned bad;
};

static void *call_often(void *user)
{
    struct caller *caller = user;
    struct outcome out;
    char url[64];

    for (unsigned i = 0; i < ROUNDS; i++) {
        url_at(url, sizeof url, (caller->number + i) % 4, "/x");
        get(pool, url, &out);
        caller->bad += out.code != WEIR_OK;
    }
    return NULL;
}

static void test_limits_are_never_exceeded(void **state)
{
    struct caller callers[CALLERS];
    weir_pool_figures figures;

    (void)state;
    open_with(6, 3, 1000);
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.number = i};
        pthread_create(&callers[i].thread, NULL, call_often, &callers[i]);
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].bad, 0);
    }
    assert_true(origin_most_open(origin) <= 6);
    assert_true(origin_most_open_at_one(origin) <= 3);
    figures = figures_of(pool);
    assert_int_equal(figures.requests, CALLERS * ROUNDS);
    assert_int_equal(figures.leases, CALLERS * ROUNDS);
    assert_sums(&figures);
}

/* Another origin's idle connection makes room. */
static void test_the_least_recently_used_makes_room(void **state)
{
    struct outcome out;
    char url[64];

    (void)state;
    open_with(2, 2, 10);
    for (unsigned i = 0; i < 3; i++) {
        url_at(url, sizeof url, i, "/");
        get(pool, url, &out);
        assert_answer(&out, "GET / 0");
        assert_int_equal(out.connection, i + 1);
    }
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_EVICTED], 1);
    url_at(url, sizeof url, 1, "/");
    get(pool, url, &out);
    assert_int_equal(out.connection, 2);
    assert_int_equal(origin_most_open(origin), 2);
}

static void test_the_most_recently_used_is_lent_first(void **state)
{
    static const struct origin_step by_request[] = {
        O_EXPECT,  O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        O_WAIT(1), O_SEND("hello"),
        O_ECHO,    O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *held[3];
    struct outcome out;

    (void)state;
    open_with(10, 10, 10);
    origin_script(origin, 0, by_request);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(weir_send(pool, request, &held[i], NULL), WEIR_OK);
    for (unsigned i = 0; i < 3; i++)
        origin_post(origin, 1);
    take_rest(held[0]);
    take_rest(held[2]);
    take_rest(held[1]);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_answer(&out, "GET / 0");
    assert_int_equal(out.connection, 2);
}

/* --- the line ------------------------------------------------------------ */

static void test_a_full_line_answers_at_once(void **state)
{
    weir_response *held;
    struct call waiting;
    struct outcome out;

    (void)state;
    open_with(10, 1, 1);
    held = hold();
    start_call(&waiting, pool, origin_url(origin, "/w"));
    await_waiting(pool, 1);
    get(pool, origin_url(origin, "/x"), &out);
    assert_code(&out, WEIR_E_QUEUE_FULL);
    assert_int_equal(out.err.error_class, WEIR_CLASS_LIMIT);
    assert_int_equal(out.err.stage, WEIR_STAGE_WAIT);
    assert_false(out.err.may_have_been_processed);
    let_go(held);
    join_call(&waiting);
    assert_answer(&waiting.out, "GET /w 0");
    assert_int_equal(figures_of(pool).queue_full, 1);
    /* The one refused has taken no place. */
    get(pool, origin_url(origin, "/x"), &out);
    assert_answer(&out, "GET /x 0");
}

static void test_no_line_at_all(void **state)
{
    weir_response *held;
    struct outcome out;

    (void)state;
    open_with(10, 1, 0);
    held = hold();
    get(pool, origin_url(origin, "/x"), &out);
    assert_code(&out, WEIR_E_QUEUE_FULL);
    let_go(held);
    get(pool, origin_url(origin, "/x"), &out);
    assert_answer(&out, "GET /x 0");
}

static void test_oldest_first_and_nobody_overtakes(void **state)
{
    enum {
        LINE = 5
    };
    struct call calls[LINE];
    weir_response *held;

    (void)state;
    open_with(10, 1, 100);
    held = hold();
    for (unsigned i = 0; i < LINE; i++) {
        char path[8];

        snprintf(path, sizeof path, "/%u", i);
        start_call(&calls[i], pool, origin_url(origin, path));
        await_waiting(pool, i + 1);
    }
    let_go(held);
    for (unsigned i = 0; i < LINE; i++) {
        const struct origin_request *request;
        char line[16];

        join_call(&calls[i]);
        assert_code(&calls[i].out, WEIR_OK);
        assert_true(calls[i].out.is_reused);
        request = origin_request(origin, 0, i + 1);
        snprintf(line, sizeof line, "GET /%u ", i);
        assert_non_null(request);
        assert_memory_equal(request->head, line, strlen(line));
    }
    assert_int_equal(origin_connections(origin), 1);
    assert_int_equal(figures_of(pool).queued, LINE + 1);
}

/* A caller that leaves the line frees its place at once. */
static void test_a_caller_that_gives_up_holds_nobody_back(void **state)
{
    weir_response *held;
    weir_request *hasty = must_request("GET", origin_url(origin, "/hasty"));
    struct call patient;
    struct outcome out;

    (void)state;
    open_with(10, 1, 2);
    held = hold();
    weir_request_set_timeout(hasty, WEIR_TIMEOUT_ACQUIRE, 0.02, NULL);
    fetch(pool, hasty, &out);
    assert_code(&out, WEIR_E_ACQUIRE_TIMEOUT);
    start_call(&patient, pool, origin_url(origin, "/patient"));
    await_waiting(pool, 1);
    fetch(pool, hasty, &out);
    assert_code(&out, WEIR_E_ACQUIRE_TIMEOUT);
    weir_request_free(hasty);
    let_go(held);
    join_call(&patient);
    assert_answer(&patient.out, "GET /patient 0");
    assert_int_equal(figures_of(pool).acquire_timeouts, 2);
}

/* A closed connection makes room for the one who waits. */
static void test_an_abandoned_response_serves_the_line(void **state)
{
    weir_response *held;
    struct call waiting;

    (void)state;
    open_with(10, 1, 10);
    held = hold();
    start_call(&waiting, pool, origin_url(origin, "/w"));
    origin_script(origin, 1, echoes);
    await_waiting(pool, 1);
    weir_response_free(held); /* its body has not come */
    join_call(&waiting);
    assert_answer(&waiting.out, "GET /w 0");
    assert_false(waiting.out.is_reused);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_ABANDONED], 1);
}

/* --- switches and changes ------------------------------------------------ */

static void test_switched_off_every_request_has_a_connection(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;

    (void)state;
    options.enabled = false;
    pool = must_open(&options);
    for (unsigned i = 0; i < 3; i++) {
        get(pool, origin_url(origin, "/"), &out);
        assert_answer(&out, "GET / 0");
        assert_false(out.is_reused);
        assert_int_equal(figures_of(pool).open, 0);
    }
    assert_int_equal(origin_connections(origin), 3);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_DISABLED], 3);
}

static void test_a_request_of_single_use_has_a_connection_of_its_own(void **s)
{
    struct outcome out;
    weir_request *request;

    (void)s;
    open_with(10, 10, 10);
    get(pool, origin_url(origin, "/warm"), &out);
    request = must_request("GET", origin_url(origin, "/single"));
    assert_int_equal(weir_request_set_single_use(request, true, NULL), WEIR_OK);
    for (unsigned i = 1; i <= 3; i++) {
        fetch(pool, request, &out);
        assert_answer(&out, "GET /single 0");
        assert_false(out.is_reused);
        assert_int_equal(origin_connections(origin), 1 + i);
        assert_int_equal(figures_of(pool).open, 1);
        assert_non_null(strstr(origin_request(origin, i, 0)->head,
                               "\r\nConnection: close\r\n"));
    }
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_DISABLED], 3);
    weir_request_free(request);
    get(pool, origin_url(origin, "/warm"), &out);
    assert_true(out.is_reused);
}

static void test_switched_off_and_on_again(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;

    (void)state;
    pool = must_open(&options);
    get(pool, origin_url(origin, "/"), &out);
    options.enabled = false;
    assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
    assert_int_equal(figures_of(pool).open, 0);
    get(pool, origin_url(origin, "/"), &out);
    assert_false(out.is_reused);
    options.enabled = true;
    assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
    get(pool, origin_url(origin, "/"), &out);
    get(pool, origin_url(origin, "/"), &out);
    assert_true(out.is_reused);
    assert_int_equal(origin_connections(origin), 3);
}

static void test_an_idle_limit_closes(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;

    (void)state;
    options.idle_timeout = 1e-9;
    pool = must_open(&options);
    get(pool, origin_url(origin, "/"), &out);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    assert_false(out.is_reused);
}

static void test_an_age_limit_closes(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;

    (void)state;
    options.max_age = 1e-9;
    pool = must_open(&options);
    get(pool, origin_url(origin, "/"), &out);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    assert_false(out.is_reused);
    assert_true(figures_of(pool).closed[WEIR_CLOSE_AGE] >= 1);
}

static void test_lower_limits_close_the_surplus(void **state)
{
    static const struct origin_step holds[] = {
        O_EXPECT,  O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        O_WAIT(1), O_SEND("hello"),
        O_HANG,    O_END};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_pool_options options = test_options();
    weir_response *held[4];
    weir_pool_figures figures;

    (void)state;
    pool = must_open(&options);
    origin_script(origin, 0, holds);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(weir_send(pool, request, &held[i], NULL), WEIR_OK);
    weir_request_free(request);
    for (unsigned i = 0; i < 4; i++)
        origin_post(origin, 1);
    take_rest(held[0]);
    take_rest(held[1]);
    assert_int_equal(figures_of(pool).idle, 2);
    options.max_per_host = 1;
    assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
    assert_int_equal(figures_of(pool).idle, 0);
    take_rest(held[2]);
    take_rest(held[3]);
    figures = figures_of(pool);
    assert_int_equal(figures.open, 1);
    assert_int_equal(figures.closed[WEIR_CLOSE_RECONFIGURED], 3);
    assert_sums(&figures);
}

static void test_a_higher_limit_serves_the_line(void **state)
{
    weir_pool_options options = test_options();
    weir_response *held;
    struct call waiting;

    (void)state;
    open_with(10, 1, 10);
    held = hold();
    origin_script(origin, 1, echoes);
    start_call(&waiting, pool, origin_url(origin, "/w"));
    await_waiting(pool, 1);
    options.max_per_host = 2;
    assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
    join_call(&waiting);
    assert_answer(&waiting.out, "GET /w 0");
    weir_response_free(held);
}

static void test_a_change_that_cannot_be_changes_nothing(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;
    weir_error err;

    (void)state;
    pool = must_open(&options);
    get(pool, origin_url(origin, "/"), &out);
    options.max_per_host = 1;
    options.verify = false;
    assert_int_equal(weir_pool_reconfigure(pool, &options, &err),
                     WEIR_E_OPTION);
    assert_non_null(strstr(err.message, "verify"));
    options.verify = true;
    options.max_connections = 0;
    assert_int_equal(weir_pool_reconfigure(pool, &options, &err),
                     WEIR_E_OPTION);
    get(pool, origin_url(origin, "/"), &out);
    assert_true(out.is_reused);
    weir_pool_close(pool, 0, NULL);
    options.max_connections = 5;
    assert_int_equal(weir_pool_reconfigure(pool, &options, &err),
                     WEIR_E_CLOSED);
}

/* --- figures and trace --------------------------------------------------- */

static void test_the_figures_add_up(void **state)
{
    static const struct origin_step mixed[] = {
        O_EXPECT, O_SEND(HELLO), O_EXPECT, O_SEND("nonsense\r\n\r\n"),
        O_HANG,   O_END};
    weir_pool_figures figures;
    struct outcome out;

    (void)state;
    open_with(10, 10, 10);
    origin_script(origin, 0, mixed);
    origin_script(origin, 1, echoes);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "hello");
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_PROTOCOL);
    get(pool, origin_url(origin, "/close"), &out);
    get(pool, "http://127.0.0.1:1/", &out);
    assert_code(&out, WEIR_E_CONNECT);
    figures = figures_of(pool);
    assert_int_equal(figures.requests, 4);
    assert_int_equal(figures.responses, 2);
    assert_int_equal(figures.failures, 2);
    assert_int_equal(figures.leases, 3);
    assert_int_equal(figures.reused, 1);
    assert_int_equal(figures.dialed, 2);
    assert_int_equal(figures.dial_failures, 1);
    assert_int_equal(figures.closed[WEIR_CLOSE_PROTOCOL], 1);
    assert_int_equal(figures.closed[WEIR_CLOSE_NOT_REUSABLE], 1);
    /* The dead origin, for as long as it backs off. */
    assert_true(figures.buckets <= 1);
    assert_true(figures.bytes_sent >=
                origin_request(origin, 0, 0)->head_len * 3);
    assert_sums(&figures);
}

struct seen {
    unsigned count;
    weir_trace_kind kinds[32];
};

static void note_event(void *user, const weir_trace_event *event)
{
    struct seen *seen = user;

    assert_true(event->size >= sizeof *event);
    assert_non_null(strstr(event->origin, "http://127.0.0.1:"));
    assert_non_null(event->detail);
    if (seen->count < 32)
        seen->kinds[seen->count++] = event->kind;
}

static void test_the_trace_sees_each_step(void **state)
{
    static const weir_trace_kind wanted[] = {
        WEIR_TRACE_DIAL,    WEIR_TRACE_CONNECTED, WEIR_TRACE_LEASE,
        WEIR_TRACE_SENT,    WEIR_TRACE_RESPONSE,  WEIR_TRACE_RELEASE,
        WEIR_TRACE_LEASE,   WEIR_TRACE_SENT,      WEIR_TRACE_RESPONSE,
        WEIR_TRACE_RELEASE, WEIR_TRACE_CLOSE,
    };
    weir_pool_options options = test_options();
    struct seen seen = {0};
    struct outcome out;

    (void)state;
    options.trace = note_event;
    options.trace_user = &seen;
    pool = must_open(&options);
    get(pool, origin_url(origin, "/"), &out);
    get(pool, origin_url(origin, "/"), &out);
    weir_pool_free(pool);
    pool = NULL;
    assert_int_equal(seen.count, sizeof wanted / sizeof *wanted);
    for (unsigned i = 0; i < seen.count; i++)
        assert_int_equal(seen.kinds[i], wanted[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_limits_are_never_exceeded),
        TEST(test_the_least_recently_used_makes_room),
        TEST(test_the_most_recently_used_is_lent_first),
        TEST(test_a_full_line_answers_at_once),
        TEST(test_no_line_at_all),
        TEST(test_oldest_first_and_nobody_overtakes),
        TEST(test_a_caller_that_gives_up_holds_nobody_back),
        TEST(test_an_abandoned_response_serves_the_line),
        TEST(test_switched_off_every_request_has_a_connection),
        TEST(test_switched_off_and_on_again),
        TEST(test_a_request_of_single_use_has_a_connection_of_its_own),
        TEST(test_an_idle_limit_closes),
        TEST(test_an_age_limit_closes),
        TEST(test_lower_limits_close_the_surplus),
        TEST(test_a_higher_limit_serves_the_line),
        TEST(test_a_change_that_cannot_be_changes_nothing),
        TEST(test_the_figures_add_up),
        TEST(test_the_trace_sees_each_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
