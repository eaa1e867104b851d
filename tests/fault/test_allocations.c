/* Every allocation of larger undertakings fails once: a batch of asynchronous
 * calls, redirects, retries, warming and changing a pool.  Each shortage is an
 * error of its own kind, leaks nothing, and leaves the pool usable (design.md,
 * 5).  Single calls are in test_alloc.c. */
#include "counted.h"

#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

enum {
    BATCH = 6
};

static struct origin *origin;
static uint64_t cases;

/* What a program does with a pool, twice; any of it may fail once. */
struct undertaking {
    const struct origin_step *steps;
    bool is_tls;
    weir_status (*once)(weir_pool *pool, weir_error *err);
};

/* --- what is undertaken -------------------------------------------------- */

static weir_status check_hello(weir_response *response)
{
    const weir_slice body = weir_response_body(response);

    assert_int_equal(weir_response_status(response), 200);
    assert_int_equal(body.len, 5);
    assert_memory_equal(body.data, "hello", 5);
    weir_response_free(response);
    return WEIR_OK;
}

static weir_status get_once(weir_pool *pool, weir_error *err)
{
    weir_request *request = NULL;
    weir_response *response = NULL;
    weir_status status =
        weir_request_new("GET", origin_url(origin, "/"), &request, err);

    if (status == WEIR_OK)
        status = fetch_by_driver(pool, request, &response, err);
    weir_request_free(request);
    return status == WEIR_OK ? check_hello(response) : status;
}

static weir_status finish(weir_call *call, weir_error *err)
{
    weir_response *response = NULL;
    const weir_status status = weir_call_wait(call, -1, &response, err);

    weir_call_free(call);
    return status == WEIR_OK ? check_hello(response) : status;
}

static weir_status batch_once(weir_pool *pool, weir_error *err)
{
    weir_call *calls[BATCH] = {NULL};
    weir_request *request = NULL;
    weir_status outcome =
        weir_request_new("GET", origin_url(origin, "/"), &request, err);
    unsigned count = 0;

    while (count < BATCH && outcome == WEIR_OK) {
        outcome = weir_submit(pool, request, NULL, NULL, &calls[count], err);
        count += outcome == WEIR_OK;
    }
    weir_request_free(request);
    if (count > 0)
        assert_int_equal(weir_calls_wait(calls, count, WEIR_WAIT_ALL, -1, NULL),
                         WEIR_OK);
    for (unsigned i = 0; i < count; i++) {
        weir_error failure;
        const weir_status status = finish(calls[i], &failure);

        if (status != WEIR_OK) {
            outcome = status;
            *err = failure;
        }
    }
    return outcome;
}

static weir_status warm_and_change_once(weir_pool *pool, weir_error *err)
{
    weir_pool_options options = test_options();
    weir_status status = weir_pool_warm(pool, origin_url(origin, "/"), 1, err);

    options.max_redirects = 5;
    options.retry_attempts = 3;
    options.retry_delay = 0.001;
    options.max_per_host = 3;
    if (status == WEIR_OK)
        status = weir_pool_reconfigure(pool, &options, err);
    if (status == WEIR_OK)
        status = get_once(pool, err);
    return status == WEIR_OK
               ? weir_pool_warm(pool, origin_url(origin, "/"), 0, err)
               : status;
}

/* --- each shortage ------------------------------------------------------- */

static void assert_no_memory(weir_status status, const weir_error *err)
{
    if (status == WEIR_E_NO_MEMORY && err->code == status &&
        err->error_class == WEIR_CLASS_LOCAL)
        return;
    fail_msg("%s: %s", weir_status_name(status), err->message);
}

static void live(const struct undertaking *what)
{
    weir_pool_options options = what->is_tls ? trusting() : test_options();
    weir_pool *pool = NULL;
    weir_error err;
    weir_status status;

    options.max_redirects = 5;
    options.retry_attempts = 3;
    options.retry_delay = 0.001;
    status = weir_pool_open(&options, &pool, &err);
    if (status != WEIR_OK) {
        assert_no_memory(status, &err);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        status = what->once(pool, &err);
        if (status != WEIR_OK) {
            assert_no_memory(status, &err);
            /* Only one allocation fails: the pool works on. */
            assert_int_equal(what->once(pool, &err), WEIR_OK);
        }
    }
    assert_int_equal(figures_of(pool).leased, 0);
    assert_int_equal(figures_of(pool).waiting, 0);
    assert_int_equal(weir_pool_close(pool, 1, NULL), WEIR_OK);
    assert_int_equal(figures_of(pool).open, 0);
    weir_pool_free(pool);
}

static void check(const struct undertaking *what)
{
    uint64_t held;

    origin = origin_start(
        &(struct origin_options){.certs = what->is_tls ? certs : NULL});
    assert_non_null(origin);
    origin_script(origin, 0, what->steps);
    live(what); /* what lives as long as the process is there now */
    held = alloc_held();
    for (uint64_t nth = 1;; nth++) {
        const uint64_t failures = alloc_failures();

        alloc_fail_at(nth);
        live(what);
        alloc_fail_at(0);
        if (alloc_held() != held)
            fail_msg("allocation %llu failed: %lld blocks are left",
                     (unsigned long long)nth, (long long)(alloc_held() - held));
        if (alloc_failures() == failures) {
            assert_true(nth > 10);
            break;
        }
        cases++;
    }
    origin_stop(origin);
    origin = NULL;
}

static const struct origin_step answers[] = {O_EXPECT, O_SEND(HELLO), O_AGAIN};

static void test_a_batch(void **state)
{
    (void)state;
    check(&(struct undertaking){.steps = answers, .once = batch_once});
}

static void test_a_batch_over_tls(void **state)
{
    (void)state;
    check(&(struct undertaking){
        .steps = answers, .is_tls = true, .once = batch_once});
}

static void test_a_redirect(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 302 Found\r\nLocation: /next\r\n"
               "Content-Length: 4\r\n\r\nmove"),
        O_EXPECT, O_SEND(HELLO), O_AGAIN};

    (void)state;
    check(&(struct undertaking){.steps = steps, .once = get_once});
}

static void test_a_retry(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 503 Service Unavailable\r\n"
               "Content-Length: 4\r\n\r\nbusy"),
        O_EXPECT, O_SEND(HELLO), O_AGAIN};

    (void)state;
    check(&(struct undertaking){.steps = steps, .once = get_once});
}

static void test_warmth_and_change(void **state)
{
    (void)state;
    check(
        &(struct undertaking){.steps = answers, .once = warm_and_change_once});
}

static int stop_anyway(void **state)
{
    (void)state;
    alloc_fail_at(0);
    origin_stop(origin);
    origin = NULL;
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, stop_anyway)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_batch), TEST(test_a_batch_over_tls),  TEST(test_a_redirect),
        TEST(test_a_retry), TEST(test_warmth_and_change),
    };
    const int failed = cmocka_run_group_tests(tests, begin_counted, drop_certs);

    printf("# cases failed-allocations %llu\n", (unsigned long long)cases);
    return failed;
}
