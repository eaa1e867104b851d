/* A long line: 10,000 calls for 100 connections, served in order of arrival,
 * also when half of them give up on the way.  The peer is nginx. */
#include "nginx.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "sanitized.h"

#include <weir/memory.h>

enum {
    CALLS = IS_SANITIZED ? 2000 : 10000,
    CONNECTIONS = 100,
    PATIENCE_S = 60
};

struct entry {
    unsigned index;
    weir_call *call;
    atomic_uint ends; /* on_done came so often */
    weir_status status;
};

static weir_pool *pool;
static struct entry entries[CALLS];
static unsigned first_pending; /* the loop's: all before it have ended */
static unsigned disorders;     /* the loop's */
static atomic_uint ended;

static int begin(void **state)
{
    static const weir_allocator counting = {alloc_malloc, alloc_realloc,
                                            alloc_free};

    return weir_set_allocator(&counting) == WEIR_OK ? start_nginx(state) : -1;
}

static int set_up(void **state)
{
    weir_pool_options options;

    (void)state;
    weir_pool_options_init(&options);
    options.max_connections = CONNECTIONS;
    options.max_per_host = CONNECTIONS;
    options.max_waiting = CALLS;
    options.acquire_timeout = PATIENCE_S;
    options.total_timeout = PATIENCE_S;
    pool = must_open(&options);
    memset(entries, 0, sizeof entries);
    first_pending = 0;
    disorders = 0;
    atomic_store(&ended, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    return 0;
}

/* --- calls --------------------------------------------------------------- */

/* Who is served has at most CONNECTIONS - 1 others, that came before, beside
 * him. */
static void check_order(const struct entry *entry)
{
    unsigned before = 0;

    for (unsigned i = first_pending; i < entry->index; i++)
        before += atomic_load(&entries[i].ends) == 0;
    disorders += before >= CONNECTIONS;
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    struct entry *entry = user;

    (void)call;
    (void)response;
    entry->status = error ? error->code : WEIR_OK;
    if (!error)
        check_order(entry);
    atomic_fetch_add(&entry->ends, 1);
    while (first_pending < CALLS && atomic_load(&entries[first_pending].ends))
        first_pending++;
    atomic_fetch_add(&ended, 1);
}

static void submit_all(void)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_done = on_done};
    char url[64];
    weir_request *request =
        must_request("GET", peer_url(nginx, false, "/102", url, sizeof url));
    weir_error err;

    for (unsigned i = 0; i < CALLS; i++) {
        entries[i].index = i;
        if (weir_submit(pool, request, &handlers, &entries[i], &entries[i].call,
                        &err) != WEIR_OK)
            fail_msg("call %u: %s", i, err.message);
    }
    weir_request_free(request);
}

static void free_all(void)
{
    for (unsigned i = 0; i < CALLS; i++) {
        const weir_status status =
            weir_call_wait(entries[i].call, PATIENCE_S, NULL, NULL);

        assert_int_equal(status, entries[i].status);
        assert_int_equal(atomic_load(&entries[i].ends), 1);
        weir_call_free(entries[i].call);
    }
    assert_int_equal(atomic_load(&ended), CALLS);
}

/* Everybody is gone, and the limits held. */
static void assert_settled(void)
{
    const weir_pool_figures figures = figures_of(pool);

    assert_int_equal(figures.waiting, 0);
    assert_int_equal(figures.leased, 0);
    assert_true(figures.open <= CONNECTIONS);
    assert_int_equal(figures.requests, CALLS);
}

/* --- the tests ----------------------------------------------------------- */

static void test_ten_thousand_are_served_in_order(void **state)
{
    (void)state;
    need_nginx();
    submit_all();
    free_all();
    for (unsigned i = 0; i < CALLS; i++)
        assert_int_equal(entries[i].status, WEIR_OK);
    assert_int_equal(disorders, 0);
    assert_settled();
    assert_int_equal(figures_of(pool).responses, CALLS);
    assert_true(figures_of(pool).dialed <= CONNECTIONS);
}

static void test_half_of_them_give_up(void **state)
{
    uint64_t random = 88172645463325252u;
    bool was_cancelled[CALLS] = {false};
    unsigned cancelled = 0;

    (void)state;
    need_nginx();
    submit_all();
    for (unsigned n = 0; n < CALLS / 2; n++) {
        unsigned i;

        do {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            i = (unsigned)(random >> 33) % CALLS;
        } while (was_cancelled[i]);
        was_cancelled[i] = true;
        weir_call_cancel(entries[i].call);
    }
    free_all();
    for (unsigned i = 0; i < CALLS; i++) {
        cancelled += entries[i].status == WEIR_E_CANCELLED;
        if (entries[i].status != WEIR_OK)
            assert_true(was_cancelled[i] &&
                        entries[i].status == WEIR_E_CANCELLED);
    }
    print_message("%u of %u were cancelled in time\n", cancelled, CALLS / 2);
    assert_true(cancelled > 0);
    assert_int_equal(disorders, 0);
    assert_settled();
}

static void test_nothing_is_left_of_them(void **state)
{
    uint64_t held;

    (void)state;
    need_nginx();
    weir_pool_free(pool);
    held = alloc_held();
    set_up(state);
    test_half_of_them_give_up(state);
    weir_pool_free(pool);
    assert_int_equal(alloc_held(), held);
    set_up(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ten_thousand_are_served_in_order),
        TEST(test_half_of_them_give_up),
        TEST(test_nothing_is_left_of_them),
    };

    return cmocka_run_group_tests(tests, begin, stop_nginx);
}
