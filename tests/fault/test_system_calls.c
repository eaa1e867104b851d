/* Every system call of single calls and of batches fails once, and what that
 * has found. */
#include "sweep.h"

static void test_calls_one_by_one(void **state)
{
    (void)state;
    check(&(struct life){.name = "plain", .origin = over_tcp});
    check(&(struct life){.name = "chunks",
                         .origin = over_tcp,
                         .is_posting = true,
                         .way = HOSTILE_CHUNKED});
    check(&(struct life){
        .name = "closes", .origin = over_tcp, .way = HOSTILE_DROPS});
}

static void test_calls_over_tls(void **state)
{
    (void)state;
    check(&(struct life){.name = "TLS", .origin = over_tls});
}

static void test_a_batch(void **state)
{
    (void)state;
    check(
        &(struct life){.name = "batch", .origin = over_tcp, .is_batch = true});
    check(&(struct life){
        .name = "batch over TLS", .origin = over_tls, .is_batch = true});
}

/* --- what the sweeps have found ------------------------------------------ */

/* A stale TLS connection is replaced in its place; when that fails, there is
 * no stream left to ask for its version. */
static void test_a_stale_tls_connection_that_cannot_be_replaced(void **state)
{
    const struct life life = {.name = "first", .origin = over_tls};
    const struct life gone = {
        .name = "gone", .origin = over_tls, .way = HOSTILE_CLOSE_FIRST};
    char path[256];
    const weir_pool_options options = options_of(&life, path, sizeof path);
    weir_pool *pool = must_open(&options);
    weir_error err;

    (void)state;
    assert_int_equal(call_once(&life, pool, &err), WEIR_OK);
    faults_fail_at(FAULTS_connect, 1, ECONNREFUSED);
    assert_int_equal(call_once(&gone, pool, &err), WEIR_E_CONNECT);
    faults_end();
    assert_int_equal(err.system_code, ECONNREFUSED);
    assert_int_equal(call_once(&life, pool, &err), WEIR_OK);
    weir_pool_free(pool);
}

static void fail_a_dial_and_call(const struct life *life, weir_pool *pool)
{
    weir_error err;

    faults_fail_at(FAULTS_connect, 1, ECONNREFUSED);
    assert_int_equal(call_once(life, pool, &err), WEIR_E_CONNECT);
    faults_end();
    if (call_once(life, pool, &err) != WEIR_OK)
        fail_msg("the next dial did not come in time: %s", err.message);
}

/* A failed dial is tried again after a moment; the keeper, which has gone to
 * sleep for long, is told. */
static void test_a_retry_that_the_keeper_must_see_to(void **state)
{
    const struct life life = {
        .name = "dropped", .origin = over_tcp, .way = HOSTILE_DROPS};
    char path[256];
    weir_pool_options options = options_of(&life, path, sizeof path);
    weir_pool *pool;
    weir_error err;

    (void)state;
    options.acquire_timeout = 3;
    pool = must_open(&options);
    assert_int_equal(call_once(&life, pool, &err), WEIR_OK);
    while (figures_of(pool).open > 0)
        weir_pool_dispatch(pool, NULL); /* where there is no keeper */
    fail_a_dial_and_call(&life, pool);
    weir_pool_free(pool);
}

static void *wait_in_line(void *user)
{
    const struct life life = {.name = "line", .origin = over_tcp};
    weir_error err;

    if (call_once(&life, user, &err) != WEIR_OK)
        print_error("in line: %s\n", err.message);
    return NULL;
}

/* The same where a thread that waits for another origin keeps the time. */
static void test_a_retry_that_a_waiting_thread_must_see_to(void **state)
{
    const struct life held = {.name = "held", .origin = over_tcp};
    const struct life life = {.name = "other", .origin = over_tls};
    char path[256];
    weir_pool_options options = options_of(&life, path, sizeof path);
    char token[HOSTILE_TOKEN + 1];
    weir_request *request = ask(&held, token);
    weir_response *response = NULL;
    weir_pool *pool;
    pthread_t thread;

    (void)state;
    options.acquire_timeout = 3;
    options.max_per_host = 1;
    options.keeper = false;
    pool = must_open(&options);
    assert_int_equal(weir_send(pool, request, &response, NULL), WEIR_OK);
    pthread_create(&thread, NULL, wait_in_line, pool);
    await_waiting(pool, 1);
    fail_a_dial_and_call(&life, pool);
    weir_response_free(response);
    pthread_join(thread, NULL);
    weir_request_free(request);
    weir_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_stale_tls_connection_that_cannot_be_replaced),
        TEST(test_a_retry_that_the_keeper_must_see_to),
        TEST(test_a_retry_that_a_waiting_thread_must_see_to),
        TEST(test_calls_one_by_one),
        TEST(test_calls_over_tls),
        TEST(test_a_batch),
    };
    const int failed = cmocka_run_group_tests(tests, begin, end);

    printf("# cases failed-system-calls %llu\n", (unsigned long long)cases);
    return failed;
}
