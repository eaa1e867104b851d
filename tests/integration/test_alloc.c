/* Memory: none is taken on the warm path, and each single shortage is an error
 * that leaks nothing and leaves the pool usable (design.md, 4.1 and 5). */
#include "counted.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

enum {
    WARM_UP = 4,
    ROUNDS = 50
};

static const struct origin_step answers[] = {O_EXPECT, O_SEND(HELLO), O_AGAIN};
static const struct origin_step chunks[] = {
    O_EXPECT,
    O_SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "3\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n"),
    O_AGAIN};

static struct origin *origin;

static void start(bool tls, const struct origin_step *steps)
{
    origin =
        origin_start(&(struct origin_options){.certs = tls ? certs : NULL});
    assert_non_null(origin);
    origin_script(origin, 0, steps);
}

static void stop(void)
{
    origin_stop(origin);
    origin = NULL;
}

static int stop_anyway(void **state)
{
    (void)state;
    alloc_fail_at(0);
    stop();
    return 0;
}

/* --- the warm path ------------------------------------------------------- */

static void send_and_read(weir_pool *pool, weir_request *request)
{
    weir_response *response = NULL;
    size_t total = 0;
    size_t len;

    assert_int_equal(weir_send(pool, request, &response, NULL), WEIR_OK);
    do {
        char buf[64];

        assert_int_equal(
            weir_response_read(response, buf, sizeof buf, &len, NULL), WEIR_OK);
        total += len;
    } while (len > 0);
    assert_int_equal(total, 5);
    weir_response_free(response);
}

static void send_and_drop(weir_pool *pool, weir_request *request)
{
    weir_response *response = NULL;

    assert_int_equal(weir_send(pool, request, &response, NULL), WEIR_OK);
    weir_response_free(response);
}

static void fetch_and_free(weir_pool *pool, weir_request *request)
{
    weir_response *response = NULL;

    assert_int_equal(weir_fetch(pool, request, &response, NULL), WEIR_OK);
    assert_int_equal(weir_response_body(response).len, 5);
    weir_response_free(response);
}

/* Allocations of ROUNDS warm calls. */
static uint64_t count(bool tls, const struct origin_step *steps,
                      const char *method,
                      void (*call)(weir_pool *, weir_request *))
{
    const weir_pool_options options = tls ? trusting() : test_options();
    weir_pool *pool = must_open(&options);
    weir_request *request;
    uint64_t before;
    uint64_t taken;

    start(tls, steps);
    request = must_request(method, origin_url(origin, "/"));
    if (strcmp(method, "POST") == 0)
        weir_request_set_body(request, "hello", 5, NULL);
    for (unsigned i = 0; i < WARM_UP; i++)
        call(pool, request);
    before = alloc_calls();
    for (unsigned i = 0; i < ROUNDS; i++)
        call(pool, request);
    taken = alloc_calls() - before;
    assert_int_equal(origin_connections(origin), 1);
    weir_request_free(request);
    weir_pool_free(pool);
    stop();
    return taken;
}

static void test_a_warm_send_takes_no_memory(void **state)
{
    (void)state;
    assert_int_equal(count(false, answers, "GET", send_and_read), 0);
    assert_int_equal(count(false, chunks, "GET", send_and_read), 0);
    assert_int_equal(count(false, answers, "POST", send_and_read), 0);
    assert_int_equal(count(false, answers, "GET", send_and_drop), 0);
}

static void test_a_warm_send_over_tls_takes_no_memory(void **state)
{
    (void)state;
    assert_int_equal(count(true, answers, "GET", send_and_read), 0);
    assert_int_equal(count(true, chunks, "POST", send_and_read), 0);
}

static void test_a_warm_fetch_takes_memory_once_at_most(void **state)
{
    (void)state;
    assert_true(count(false, answers, "GET", fetch_and_free) <= ROUNDS);
    assert_true(count(false, chunks, "GET", fetch_and_free) <= ROUNDS);
    assert_true(count(true, answers, "GET", fetch_and_free) <= ROUNDS);
}

/* --- many calls ---------------------------------------------------------- */

enum {
    CALLS = 24,
    /* Of one call that waits for its response, its connection included; the
     * room to receive it in is more than 16 KiB. */
    WAITING_MAX = 6144
};

static const struct origin_step at_a_signal[] = {O_EXPECT, O_WAIT(0),
                                                 O_SEND(HELLO), O_AGAIN};

static weir_flow take_body(void *user, weir_call *call, const void *data,
                           size_t len)
{
    (void)user;
    (void)call;
    (void)data;
    (void)len;
    return WEIR_FLOW_ON;
}

static void tell(void *user, weir_call *call, weir_response *response,
                 const weir_error *error)
{
    (void)call;
    assert_null(error);
    assert_int_equal(weir_response_status(response), 200);
    assert_int_equal(weir_response_field_count(response), 1);
    ++*(atomic_uint *)user;
}

/* Gives the loop its turn, wherever it runs. */
static void take_turn(weir_pool *pool)
{
    struct pollfd waited = {weir_pool_fd(pool), POLLIN, 0};

    poll(&waited, 1, 1);
    if (waited.fd >= 0)
        weir_pool_dispatch(pool, NULL);
}

/* So many calls without handles at once, which are answered when all have come.
 * Returns what memory is held just before. */
static uint64_t answer_all(weir_pool *pool, weir_request *request,
                           unsigned count)
{
    static const weir_handlers handlers = {
        .size = sizeof handlers, .on_body = take_body, .on_done = tell};
    const unsigned before = origin_requests_in_all(origin);
    atomic_uint told = 0;
    uint64_t bytes;

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(
            weir_submit(pool, request, &handlers, &told, NULL, NULL), WEIR_OK);
    while (origin_requests_in_all(origin) < before + count)
        take_turn(pool);
    bytes = alloc_bytes();
    for (unsigned i = 0; i < count; i++)
        origin_post(origin, 0);
    while (told < count)
        take_turn(pool);
    return bytes;
}

static void test_calls_that_wait_hold_no_room_to_receive(void **state)
{
    weir_pool_options options = test_options();
    weir_pool *pool = must_open(&options);
    weir_request *request;
    uint64_t one;

    (void)state;
    start(false, at_a_signal);
    request = must_request("GET", origin_url(origin, "/"));
    answer_all(pool, request, 1);
    one = answer_all(pool, request, 1);
    for (unsigned round = 0; round < 2; round++)
        assert_true(answer_all(pool, request, CALLS) <=
                    one + (uint64_t)CALLS * WAITING_MAX);
    /* The room that is kept is of another size now. */
    options.max_header_fields *= 2;
    assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
    answer_all(pool, request, CALLS);
    weir_request_free(request);
    weir_pool_free(pool);
    stop();
}

/* --- shortages ----------------------------------------------------------- */

/* What a program does from the first call to the last; any of it may fail for
 * lack of memory, once. */
struct life {
    const char *url;
    const weir_pool_options *options;
    bool is_streamed;
    bool has_body;
};

static weir_status make_request(const struct life *life,
                                weir_request **ret_request, weir_error *err)
{
    weir_status status = weir_request_new(life->has_body ? "PUT" : "GET",
                                          life->url, ret_request, err);

    if (status == WEIR_OK)
        status = weir_request_add_field(*ret_request, "X-A", "b", err);
    if (status == WEIR_OK)
        status = weir_request_set_isolation(*ret_request, "tag", err);
    if (status == WEIR_OK && life->has_body)
        status = weir_request_set_body_copy(*ret_request, "hello", 5, err);
    return status;
}

static void assert_no_memory(weir_status status, const weir_error *err)
{
    if (status == WEIR_E_NO_MEMORY && err->code == status &&
        err->error_class == WEIR_CLASS_LOCAL)
        return;
    fail_msg("%s: %s", weir_status_name(status), err->message);
}

static void call_twice(const struct life *life, weir_pool *pool,
                       weir_request *request)
{
    struct outcome out;

    for (unsigned i = 0; i < 2; i++) {
        (life->is_streamed ? stream : fetch)(pool, request, &out);
        if (out.code != WEIR_OK) {
            assert_no_memory(out.code, &out.err);
            /* Only one call fails: the pool works on. */
            (life->is_streamed ? stream : fetch)(pool, request, &out);
        }
        assert_answer(&out, "hello");
    }
}

static void live(const struct life *life)
{
    weir_request *request = NULL;
    weir_pool *pool = NULL;
    weir_error err;
    weir_status status = weir_pool_open(life->options, &pool, &err);

    if (status == WEIR_OK)
        status = make_request(life, &request, &err);
    if (status == WEIR_OK) {
        call_twice(life, pool, request);
        assert_int_equal(figures_of(pool).leased, 0);
        if (life->options->hedge_delay <= 0) /* a hedge's dial may go on */
            assert_int_equal(figures_of(pool).dialing, 0);
        assert_int_equal(figures_of(pool).waiting, 0);
        assert_int_equal(weir_pool_close(pool, 1, NULL), WEIR_OK);
        assert_int_equal(figures_of(pool).open, 0);
    } else {
        assert_no_memory(status, &err);
    }
    weir_request_free(request);
    weir_pool_free(pool);
}

/* Fails each allocation in turn. */
static void check_shortages(const struct life *life)
{
    uint64_t held;

    live(life); /* what lives as long as the process is there now */
    held = alloc_held();
    for (uint64_t nth = 1;; nth++) {
        const uint64_t failures = alloc_failures();

        alloc_fail_at(nth);
        live(life);
        alloc_fail_at(0);
        if (alloc_held() != held)
            fail_msg("allocation %llu failed: %lld blocks are left",
                     (unsigned long long)nth, (long long)(alloc_held() - held));
        if (alloc_failures() == failures) {
            assert_true(nth > 10);
            return;
        }
    }
}

static void test_each_shortage_is_an_error_and_leaks_nothing(void **state)
{
    const weir_pool_options options = test_options();
    struct life life = {.options = &options};

    (void)state;
    start(false, answers);
    life.url = origin_url(origin, "/");
    check_shortages(&life);
    life.has_body = true;
    check_shortages(&life);
    stop();
}

static void test_each_shortage_while_streaming_chunks(void **state)
{
    const weir_pool_options options = test_options();
    struct life life = {.options = &options, .is_streamed = true};

    (void)state;
    start(false, chunks);
    life.url = origin_url(origin, "/");
    check_shortages(&life);
    stop();
}

static void test_each_shortage_with_a_name_to_resolve(void **state)
{
    const weir_pool_options options = test_options();
    struct life life = {.options = &options};

    (void)state;
    start(false, answers);
    life.url = origin_url_of(origin, "localhost", "/");
    check_shortages(&life);
    stop();
}

static void test_each_shortage_over_tls(void **state)
{
    const weir_pool_options options = trusting();
    struct life life = {.options = &options};

    (void)state;
    start(true, answers);
    life.url = origin_url(origin, "/");
    check_shortages(&life);
    stop();
}

/* The second request is on its way before the first can be answered. */
static void test_each_shortage_with_a_hedge(void **state)
{
    weir_pool_options options = test_options();
    struct life life = {.options = &options};

    (void)state;
    options.hedge_delay = 1e-9;
    start(false, answers);
    life.url = origin_url(origin, "/");
    check_shortages(&life);
    stop();
}

/* Everything that a test took is back in the end. */
static void test_nothing_is_held_without_a_pool(void **state)
{
    const uint64_t held = alloc_held();
    struct outcome out;
    weir_pool *pool = must_open(NULL);

    (void)state;
    assert_true(alloc_held() > held);
    start(false, answers);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "hello");
    weir_pool_free(pool);
    assert_int_equal(alloc_held(), held);
    stop();
}

#define TEST(name) cmocka_unit_test_teardown(name, stop_anyway)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_warm_send_takes_no_memory),
        TEST(test_a_warm_send_over_tls_takes_no_memory),
        TEST(test_a_warm_fetch_takes_memory_once_at_most),
        TEST(test_calls_that_wait_hold_no_room_to_receive),
        TEST(test_each_shortage_is_an_error_and_leaks_nothing),
        TEST(test_each_shortage_while_streaming_chunks),
        TEST(test_each_shortage_with_a_name_to_resolve),
        TEST(test_each_shortage_over_tls),
        TEST(test_each_shortage_with_a_hedge),
        TEST(test_nothing_is_held_without_a_pool),
    };

    return cmocka_run_group_tests(tests, begin_counted, drop_certs);
}
