/* Names that move: which address a connection goes to, and what becomes of it
 * when its address leaves the name's answer.  nginx listens on several
 * addresses; the DNS server is the tests' own. */
#include "nginx.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "dns.h"

#define NAME "moving.test"

enum {
    PATIENCE_S = 20
};

static struct dns_server *dns;
static weir_pool *pool;
static char url[128];

/* Every dial asks anew. */
static weir_pool_options asking(void)
{
    weir_pool_options options = test_options();

    options.dns_servers = dns_address(dns);
    options.dns_max_ttl = 0;
    return options;
}

static int set_up(void **state)
{
    char local[64];

    (void)state;
    if (!nginx)
        return 0;
    dns = dns_start();
    dns_answer(dns, NAME, "127.0.0.1", 60);
    peer_url(nginx, false, "/102", local, sizeof local);
    snprintf(url, sizeof url, "http://" NAME "%s", strrchr(local, ':'));
    return dns ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    pool = NULL;
    dns_stop(dns);
    dns = NULL;
    return 0;
}

/* A response whose connection stays lent, and where that goes to. */
static weir_response *hold(const char *tag, const char *wanted_peer)
{
    weir_request *request = must_request("GET", url);
    weir_response *response = NULL;
    weir_error err;

    if (tag)
        weir_request_set_isolation(request, tag, NULL);
    if (weir_send(pool, request, &response, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    weir_request_free(request);
    if (strncmp(weir_response_peer(response), wanted_peer,
                strlen(wanted_peer)) != 0)
        fail_msg("%s, wanted %s", weir_response_peer(response), wanted_peer);
    return response;
}

/* Reads it to its end, so that the connection could be used again. */
static void let_go(weir_response *response)
{
    char buf[4096];
    size_t len;

    do
        assert_int_equal(
            weir_response_read(response, buf, sizeof buf, &len, NULL), WEIR_OK);
    while (len > 0);
    weir_response_free(response);
}

static uint64_t moved(void)
{
    return figures_of(pool).closed[WEIR_CLOSE_MOVED];
}

static void test_one_that_left_finishes_and_is_closed(void **state)
{
    const weir_pool_options options = asking();
    weir_response *first;
    weir_response *second;

    (void)state;
    need_nginx();
    pool = must_open(&options);
    first = hold(NULL, "127.0.0.1:");
    dns_answer(dns, NAME, "127.0.0.2", 60);
    second = hold(NULL, "127.0.0.2:");
    assert_int_equal(moved(), 0);
    let_go(first);
    assert_int_equal(moved(), 1);
    let_go(second);
    assert_int_equal(moved(), 1);
    assert_int_equal(figures_of(pool).idle, 1);
    let_go(hold(NULL, "127.0.0.2:"));
    assert_int_equal(figures_of(pool).dialed, 2);
}

/* Another pool key asks for the same name. */
static void test_an_idle_one_that_left_is_not_lent(void **state)
{
    weir_pool_options options = asking();

    (void)state;
    need_nginx();
    options.keeper = false;
    pool = must_open(&options);
    let_go(hold(NULL, "127.0.0.1:"));
    dns_answer(dns, NAME, "127.0.0.2,127.0.0.3", 60);
    let_go(hold("another", "127.0.0."));
    assert_int_equal(moved(), 0);
    let_go(hold(NULL, "127.0.0."));
    assert_int_equal(moved(), 1);
}

static void test_the_keeper_closes_idle_ones_that_left(void **state)
{
    const weir_pool_options options = asking();

    (void)state;
    need_nginx();
    pool = must_open(&options);
    let_go(hold(NULL, "127.0.0.1:"));
    dns_answer(dns, NAME, "127.0.0.2", 60);
    let_go(hold("another", "127.0.0.2:"));
    /* It is counted when that is decided, and open until that is done. */
    for (unsigned ms = 0; moved() == 0 || figures_of(pool).open > 1; ms++) {
        assert_true(ms < PATIENCE_S * 1000);
        if (is_driver("external"))
            weir_pool_dispatch(pool, NULL);
        usleep(1000);
    }
    assert_int_equal(moved(), 1);
    assert_int_equal(figures_of(pool).open, 1);
}

static void test_one_of_several_that_stayed_is_kept(void **state)
{
    const weir_pool_options options = asking();

    (void)state;
    need_nginx();
    pool = must_open(&options);
    let_go(hold(NULL, "127.0.0.1:"));
    dns_answer(dns, NAME, "127.0.0.2,127.0.0.1", 60);
    let_go(hold("another", "127.0.0."));
    let_go(hold(NULL, "127.0.0.1:"));
    assert_int_equal(figures_of(pool).dialed, 2);
    assert_int_equal(moved(), 0);
}

static void test_switched_off_it_is_kept(void **state)
{
    weir_pool_options options = asking();

    (void)state;
    need_nginx();
    options.follow_dns = false;
    pool = must_open(&options);
    let_go(hold(NULL, "127.0.0.1:"));
    dns_answer(dns, NAME, "127.0.0.2", 60);
    let_go(hold("another", "127.0.0.2:"));
    let_go(hold(NULL, "127.0.0.1:"));
    assert_int_equal(moved(), 0);
    assert_int_equal(figures_of(pool).dialed, 2);
}

/* A name that answers no more tells nothing of its addresses. */
static void test_a_failed_look_up_moves_nobody(void **state)
{
    const weir_pool_options options = asking();
    weir_response *held;
    weir_request *request;
    weir_response *response;

    (void)state;
    need_nginx();
    pool = must_open(&options);
    held = hold(NULL, "127.0.0.1:");
    dns_fail(dns, NAME, DNS_SERVFAIL);
    request = must_request("GET", url);
    weir_request_set_isolation(request, "another", NULL);
    assert_int_equal(weir_send(pool, request, &response, NULL), WEIR_E_RESOLVE);
    weir_request_free(request);
    let_go(held);
    let_go(hold(NULL, "127.0.0.1:"));
    assert_int_equal(figures_of(pool).dialed, 1);
    assert_int_equal(moved(), 0);
}

/* Round robin, from one answer that is kept. */
static void test_several_addresses_take_turns(void **state)
{
    weir_pool_options options = asking();
    weir_response *held[4];
    unsigned seen[5] = {0};

    (void)state;
    need_nginx();
    options.dns_max_ttl = 300;
    pool = must_open(&options);
    dns_answer(dns, NAME, "127.0.0.1,127.0.0.2,127.0.0.3,127.0.0.4", 60);
    for (unsigned i = 0; i < 4; i++) {
        held[i] = hold(NULL, "127.0.0.");
        seen[weir_response_peer(held[i])[8] - '0']++;
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(seen[i + 1], 1);
        let_go(held[i]);
    }
    assert_true(dns_queries(dns) <= 2); /* A and AAAA */
}

static void test_servers_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",       "nonsense",   "127.0.0.1:x",     "1.2.3",     "127.0.0.1,",
        "[::1",   "[::1]x",     "127.0.0.1:0",     ",",         "a.example",
        "[::1]:", "127.0.0.1:", "127.0.0.1:65536", "::1,::1::", "[]:53"};
    static const char *const right[] = {"127.0.0.1", "127.0.0.1:5353", "::1",
                                        "[::1]", "[::1]:53,127.0.0.2"};
    weir_pool_options options = test_options();
    weir_error err;

    (void)state;
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.dns_servers = wrong[i];
        assert_int_equal(weir_pool_open(&options, &pool, &err), WEIR_E_OPTION);
        assert_non_null(strstr(err.message, "dns_servers: "));
    }
    for (unsigned i = 0; i < sizeof right / sizeof *right; i++) {
        options.dns_servers = right[i];
        weir_pool_free(must_open(&options));
    }
    pool = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_that_left_finishes_and_is_closed),
        TEST(test_an_idle_one_that_left_is_not_lent),
        TEST(test_the_keeper_closes_idle_ones_that_left),
        TEST(test_one_of_several_that_stayed_is_kept),
        TEST(test_switched_off_it_is_kept),
        TEST(test_a_failed_look_up_moves_nobody),
        TEST(test_several_addresses_take_turns),
        TEST(test_servers_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, start_nginx, stop_nginx);
}
