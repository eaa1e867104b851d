/* Thousands of idle connections: what they cost, and what happens when the
 * server closes them all at once.  The peer is nginx. */
#include "nginx.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <weir/memory.h>

#include "alloc.h"

enum {
    DESCRIPTORS = PEER_CONNECTIONS + 200, /* of each of both sides */
    PER_HOST = 1000,
    PLAIN_BYTES_MAX = 512,
    TLS_CONNECTIONS = 2000,
    TLS_BYTES_MAX = 28000,
    PATIENCE_S = 60
};

/* Of CPU time in a second. */
#define STILL_S 0.0005

static weir_pool *pool;
static atomic_uint done;
static atomic_uint failed;

/* --- set-up -------------------------------------------------------------- */

static void *ssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return alloc_malloc(size);
}

static void *ssl_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size)
        return alloc_realloc(ptr, size);
    alloc_free(ptr);
    return NULL;
}

static void ssl_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    alloc_free(ptr);
}

static bool raise_limit(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < DESCRIPTORS) {
        print_message("skipped: at most %llu descriptors here, %d wanted\n",
                      (unsigned long long)limit.rlim_max, DESCRIPTORS);
        return false;
    }
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int begin(void **state)
{
    static const weir_allocator counting = {alloc_malloc, alloc_realloc,
                                            alloc_free};

    if (weir_set_allocator(&counting) != WEIR_OK)
        return -1;
    return raise_limit() ? start_nginx(state) : 0;
}

static int set_up(void **state)
{
    weir_pool_options options;

    (void)state;
    if (!nginx)
        return 0;
    weir_pool_options_init(&options);
    options.max_connections = PEER_CONNECTIONS;
    options.max_per_host = TLS_CONNECTIONS;
    options.max_waiting = PEER_CONNECTIONS;
    options.connect_timeout = PATIENCE_S;
    options.acquire_timeout = PATIENCE_S;
    options.total_timeout = PATIENCE_S;
    options.ca_file = cert_file("ca.pem");
    pool = must_open(&options);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    pool = NULL;
    return 0;
}

/* --- calls and waiting --------------------------------------------------- */

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    (void)user;
    (void)call;
    if (error && atomic_fetch_add(&failed, 1) == 0)
        print_error("%s\n", error->message);
    if (!error && weir_response_status(response) != 200)
        atomic_fetch_add(&failed, 1);
    atomic_fetch_add(&done, 1);
}

static void await_done(unsigned count)
{
    const double until = seconds_now() + PATIENCE_S;

    while (atomic_load(&done) < count) {
        assert_true(seconds_now() < until);
        usleep(1000);
    }
    assert_int_equal(atomic_load(&done), count);
    assert_int_equal(atomic_load(&failed), 0);
    atomic_store(&done, 0);
}

static void await_idle(uint64_t wanted)
{
    const double until = seconds_now() + PATIENCE_S / 2;

    while (figures_of(pool).idle != wanted) {
        if (seconds_now() > until)
            fail_msg("%llu are idle, %llu wanted",
                     (unsigned long long)figures_of(pool).idle,
                     (unsigned long long)wanted);
        usleep(1000);
    }
}

/* `count` GETs at once. */
static void get_many(const char *url, unsigned count)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_done = on_done};
    weir_request *request = must_request("GET", url);
    weir_error err;

    for (unsigned i = 0; i < count; i++) {
        if (weir_submit(pool, request, &handlers, NULL, NULL, &err) != WEIR_OK)
            fail_msg("%s", err.message);
    }
    weir_request_free(request);
    await_done(count);
}

/* Leaves `count` more connections idle, that have served. */
static void open_many(const char *url, unsigned count)
{
    const uint64_t wanted = figures_of(pool).idle + count;

    assert_int_equal(weir_pool_warm(pool, url, count, NULL), WEIR_OK);
    await_idle(wanted);
    assert_int_equal(weir_pool_warm(pool, url, 0, NULL), WEIR_OK);
    get_many(url, count);
    await_idle(wanted);
}

/* Does so with PER_HOST for each of some addresses. */
static void for_hosts(void (*act)(const char *url, unsigned count),
                      unsigned from, unsigned hosts)
{
    char url[64];

    for (unsigned host = from; host < from + hosts; host++)
        act(peer_url_at(nginx, host, "/102", url, sizeof url), PER_HOST);
}

static double cpu_seconds(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Until a second passes in which the process takes next to no time: the keeper
 * has put all to rest.  Never, if there is something that it always does. */
static void await_stillness(void)
{
    const double until = seconds_now() + PATIENCE_S;

    while (seconds_now() < until) {
        const double before = cpu_seconds();

        sleep(1);
        if (cpu_seconds() - before < STILL_S) {
            print_message("%.0f us of CPU time in a second\n",
                          (cpu_seconds() - before) * 1e6);
            return;
        }
    }
    fail_msg("it is never still");
}

/* What each of `count` connections takes, where `before` was taken without
 * them. */
static double cost_of(unsigned count, uint64_t before)
{
    const double each = (double)(int64_t)(alloc_bytes() - before) / count;

    print_message("%u idle connections: %.0f bytes each\n", count, each);
    return each;
}

/* --- the tests ----------------------------------------------------------- */

static void ten_thousand_plain_ones_are_small_and_still(void **state)
{
    const unsigned count = (PEER_ADDRESSES - 1) * PER_HOST;
    uint64_t before;

    (void)state;
    need_nginx();
    for_hosts(open_many, 1, 1); /* what they have in common */
    await_stillness();
    before = alloc_bytes();
    for_hosts(open_many, 2, PEER_ADDRESSES - 1);
    await_stillness();
    assert_true(cost_of(count, before) <= PLAIN_BYTES_MAX);
    /* They are alive, all of them. */
    for_hosts(get_many, 1, PEER_ADDRESSES);
    assert_int_equal(figures_of(pool).dialed, PEER_ADDRESSES * PER_HOST);
    assert_int_equal(figures_of(pool).stale_retries, 0);
}

static void two_thousand_tls_ones_are_small(void **state)
{
    char url[64];
    uint64_t before;

    (void)state;
    need_nginx();
    peer_url(nginx, true, "/102", url, sizeof url);
    before = alloc_bytes(); /* so with all that they have in common */
    open_many(url, TLS_CONNECTIONS);
    await_stillness();
    assert_true(cost_of(TLS_CONNECTIONS, before) <= TLS_BYTES_MAX);
}

static void five_thousand_closed_at_once_are_gone_at_once(void **state)
{
    const unsigned hosts = 5;
    double begun;

    (void)state;
    need_nginx();
    for_hosts(open_many, 1, hosts);
    begun = seconds_now();
    assert_true(peer_restart(nginx));
    await_idle(0);
    while (figures_of(pool).open > 0) /* the last one is being closed */
        sched_yield();
    print_message("%u connections gone %.3f s after the server was killed\n",
                  hosts * PER_HOST, seconds_now() - begun);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED],
                     hosts * PER_HOST);
    for_hosts(get_many, 1, hosts);
    assert_int_equal(figures_of(pool).stale_retries, 0);
    assert_int_equal(figures_of(pool).failures, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ten_thousand_plain_ones_are_small_and_still),
        TEST(two_thousand_tls_ones_are_small),
        TEST(five_thousand_closed_at_once_are_gone_at_once),
    };

    if (!CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free))
        return 1;
    return cmocka_run_group_tests(tests, begin, stop_nginx);
}
