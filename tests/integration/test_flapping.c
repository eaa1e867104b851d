/* A real service that comes and goes: nginx behind haproxy, which answers 503
 * while it is away. */
#include "certified.h"

#include "peer.h"

static struct peer *backend;
static struct peer *balancer;
static weir_pool *pool;

static int start_peers(void **state)
{
    if (make_certs(state) != 0)
        return -1;
    backend = peer_start_nginx(certs);
    balancer = backend ? peer_start_balancer(peer_port(backend)) : NULL;
    return 0;
}

static int stop_peers(void **state)
{
    peer_stop(balancer);
    peer_stop(backend);
    return drop_certs(state);
}

static int close_pool(void **state)
{
    (void)state;
    weir_pool_free(pool);
    pool = NULL;
    return 0;
}

/* Skips the test if they are not installed. */
static void begin(const weir_pool_options *options)
{
    if (!balancer)
        skip();
    pool = must_open(options);
}

static const char *balanced(const char *path)
{
    static char url[128];

    return peer_url(balancer, false, path, url, sizeof url);
}

static void assert_served(const struct outcome *out)
{
    assert_code(out, WEIR_OK);
    assert_int_equal(out->status, 200);
    assert_int_equal(out->len, 102);
}

static void test_retries_bridge_the_gap(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;
    struct call call;

    (void)state;
    options.retry_attempts = 100;
    options.retry_delay = 0.1;
    options.retry_backoff = 1;
    begin(&options);
    for (uint64_t flaps = 1; flaps <= 2; flaps++) {
        get(pool, balanced("/102"), &out);
        assert_served(&out);
        peer_kill(backend);
        start_call(&call, pool, balanced("/102"));
        while (figures_of(pool).retries < 3 * flaps)
            sched_yield();
        assert_true(peer_restart(backend));
        join_call(&call);
        assert_served(&call.out);
    }
    assert_int_equal(figures_of(pool).requests, 4);
    assert_int_equal(figures_of(pool).failures, 0);
}

static void test_the_last_answer_is_that_it_is_away(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;

    (void)state;
    options.retry_attempts = 3;
    options.retry_delay = 0.01;
    begin(&options);
    peer_kill(backend);
    get(pool, balanced("/102"), &out);
    assert_true(peer_restart(backend));
    assert_code(&out, WEIR_OK);
    assert_in_range(out.status, 502, 503);
    assert_int_equal(figures_of(pool).retries, 2);
}

/* It opens while the backend is away, lets one probe a period through, and
 * closes when it is back. */
static void test_a_breaker_follows(void **state)
{
    weir_pool_options options = test_options();
    struct outcome out;
    unsigned probes = 0;

    (void)state;
    options.breaker_failures = 3;
    options.breaker_open = 0.1;
    begin(&options);
    peer_kill(backend);
    for (int i = 0; i < 3; i++) {
        get(pool, balanced("/102"), &out);
        assert_in_range(out.status, 502, 503);
    }
    while (probes < 3) {
        get(pool, balanced("/102"), &out);
        probes += out.code == WEIR_OK;
        if (out.code == WEIR_OK)
            assert_in_range(out.status, 502, 503);
        else
            assert_code(&out, WEIR_E_BREAKER_OPEN);
    }
    assert_true(figures_of(pool).breaker_refusals > 0);
    assert_true(peer_restart(backend));
    do {
        get(pool, balanced("/102"), &out);
    } while (out.code == WEIR_E_BREAKER_OPEN);
    assert_served(&out);
    for (int i = 0; i < 3; i++) {
        get(pool, balanced("/102"), &out);
        assert_served(&out);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, close_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_retries_bridge_the_gap),
        TEST(test_the_last_answer_is_that_it_is_away),
        TEST(test_a_breaker_follows),
    };

    return cmocka_run_group_tests(tests, start_peers, stop_peers);
}
