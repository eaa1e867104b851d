/* Resolvers that are slow, gone, wrong or lying, and names whose addresses go
 * away: a real dnsmasq at the far end of the wire, and a scripted one for what
 * no honest server does. */
#include "net.h"

#include <errno.h>

#include "dns.h"
#include "peer.h"

#define NAME "www.test"

static struct origin *origin; /* at all far addresses */
static struct peer *dnsmasq;
static struct dns_server *upstream; /* that dnsmasq asks */
static struct dns_server *liar;     /* at the near end's loopback */
static weir_pool *pool;
static char servers[64]; /* dnsmasq, as the option has it */
static unsigned tried;

static int start_all(void **state)
{
    if (net_begin(state) != 0)
        return -1;
    origin = far_origin(&(struct origin_options){.address = "0.0.0.0"});
    be_at(net_far);
    upstream = dns_start();
    dnsmasq = upstream ? peer_start_dnsmasq(FAR, dns_port(upstream)) : NULL;
    be_at(net_near);
    if (!dnsmasq)
        return -1;
    snprintf(servers, sizeof servers, FAR ":%u", peer_port(dnsmasq));
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    origin_stop(origin);
    peer_stop(dnsmasq);
    dns_stop(upstream);
    printf("# cases resolvers %u\n", tried);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    wire_clear();
    liar = dns_start();
    return liar && peer_set_hosts(dnsmasq, FAR " " NAME "\n") ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    wire_clear();
    weir_pool_free(pool);
    pool = NULL;
    dns_stop(liar);
    return 0;
}

/* Every dial asks anew. */
static weir_pool_options asking(const char *of)
{
    weir_pool_options options = test_options();

    options.dns_servers = of;
    options.dns_max_ttl = 0;
    options.connect_timeout = LONG;
    options.total_timeout = LONG;
    return options;
}

static void get_name(const char *name, const char *tag, struct outcome *out)
{
    weir_request *request =
        must_request("GET", origin_url_of(origin, name, "/"));

    weir_request_set_isolation(request, tag, NULL);
    fetch(pool, request, out);
    weir_request_free(request);
    tried++;
}

/* dnsmasq reads its names soon after it was told to.  A pool for each look, so
 * that no connection spares it. */
static void await_hosts(const char *lines, const char *name, weir_status wanted)
{
    const double until = seconds_now() + LONG;
    const weir_pool_options options = asking(servers);
    weir_pool *const kept = pool;
    struct outcome out;

    assert_true(peer_set_hosts(dnsmasq, lines));
    do {
        assert_true(seconds_now() < until);
        usleep(5000);
        pool = must_open(&options);
        get_name(name, NULL, &out);
        weir_pool_free(pool);
    } while (out.code != wanted);
    pool = kept;
}

static void check_resolve_failed(const struct outcome *out, const char *name)
{
    assert_code(out, WEIR_E_RESOLVE);
    assert_int_equal(out->err.error_class, WEIR_CLASS_RESOLVE);
    assert_int_equal(out->err.stage, WEIR_STAGE_RESOLVE);
    assert_false(out->err.may_have_been_processed);
    if (!strstr(out->err.message, name))
        fail_msg("\"%s\" does not name %s", out->err.message, name);
}

static void check_limit_ran_out(const struct outcome *out, double begun)
{
    assert_code(out, WEIR_E_CONNECT_TIMEOUT);
    assert_int_equal(out->err.stage, WEIR_STAGE_RESOLVE);
    assert_non_null(strstr(out->err.message, NAME));
    assert_true(seconds_now() - begun >= SHORT * 0.9);
    assert_true(seconds_now() - begun < LONG / 2);
}

/* --- a real one ---------------------------------------------------------- */

static void test_a_resolver_that_works_then_does_not_know(void **state)
{
    const weir_pool_options options = asking(servers);
    struct outcome out;

    (void)state;
    await_hosts(FAR " " NAME "\n", NAME, WEIR_OK);
    pool = must_open(&options);
    get_name(NAME, NULL, &out);
    assert_answer(&out, "GET / 0");
    get_name("nobody.test", NULL, &out);
    check_resolve_failed(&out, "nobody.test");
}

/* What dnsmasq hands on from the server that it asks itself. */
static void test_a_resolver_whose_upstream_fails(void **state)
{
    static const int codes[] = {DNS_SERVFAIL, DNS_REFUSED, DNS_NXDOMAIN};
    const weir_pool_options options = asking(servers);
    struct outcome out;

    (void)state;
    pool = must_open(&options);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        dns_fail(upstream, "www.else.test", codes[i]);
        get_name("www.else.test", NULL, &out);
        check_resolve_failed(&out, "www.else.test");
    }
    dns_answer(upstream, "www.else.test", FAR, 60);
    get_name("www.else.test", NULL, &out);
    assert_answer(&out, "GET / 0");
}

static void test_a_slow_resolver(void **state)
{
    weir_pool_options options = asking(servers);
    double begun = seconds_now();
    struct outcome out;

    (void)state;
    wire_set("delay-ms", "100");
    pool = must_open(&options);
    get_name(NAME, NULL, &out);
    assert_answer(&out, "GET / 0");
    assert_true(seconds_now() - begun >= 0.6); /* ask, connect, send */
    weir_pool_free(pool);
    wire_set("delay-ms", "1000");
    options.connect_timeout = SHORT;
    pool = must_open(&options);
    begun = seconds_now();
    get_name(NAME, NULL, &out);
    check_limit_ran_out(&out, begun);
}

static void test_a_resolver_in_a_black_hole(void **state)
{
    weir_pool_options options = asking(servers);
    double begun = seconds_now();
    struct outcome out;

    (void)state;
    wire_set("hole", "both");
    options.connect_timeout = SHORT;
    pool = must_open(&options);
    get_name(NAME, NULL, &out);
    check_limit_ran_out(&out, begun);
    wire_clear();
    get_name(NAME, NULL, &out);
    assert_answer(&out, "GET / 0");
}

/* A question that was lost is asked again in good time. */
static void test_a_lost_question_is_asked_again(void **state)
{
    const weir_pool_options options = asking(servers);
    const unsigned long before = wire_count("swallowed");
    const double begun = seconds_now();
    struct call call;

    (void)state;
    wire_set("hole", "near");
    pool = must_open(&options);
    start_call(&call, pool, origin_url_of(origin, NAME, "/"));
    while (wire_count("swallowed") < before + 2) { /* A and AAAA */
        assert_true(seconds_now() - begun < LONG);
        usleep(1000);
    }
    wire_set("hole", "none");
    join_call(&call);
    assert_answer(&call.out, "GET / 0");
    assert_true(seconds_now() - begun < 4);
}

static void test_a_resolver_that_cannot_be_reached(void **state)
{
    const weir_pool_options options = asking(servers);
    double begun = seconds_now();
    struct outcome out;

    (void)state;
    wire_set("unreachable", "port");
    pool = must_open(&options);
    get_name(NAME, NULL, &out);
    check_resolve_failed(&out, NAME);
    assert_true(seconds_now() - begun < LONG / 2);
}

/* The first of two is in a black hole. */
static void test_another_resolver_takes_over(void **state)
{
    weir_pool_options options;
    char both[160];
    struct outcome out;

    (void)state;
    snprintf(both, sizeof both, FAR_ALSO ":53,%s", servers);
    wire_set("only", FAR_ALSO);
    wire_set("hole", "both");
    options = asking(both);
    pool = must_open(&options);
    get_name(NAME, NULL, &out);
    assert_answer(&out, "GET / 0");
}

/* The name leaves one address for another: what is there finishes, what is idle
 * is closed and counted, what is new goes to the new one. */
static void test_an_address_that_vanishes(void **state)
{
    const weir_pool_options options = asking(servers);
    const double until = seconds_now() + LONG;
    weir_request *request;
    weir_response *held;
    struct outcome out;
    weir_error err;
    char rest[64];
    size_t len;

    (void)state;
    await_hosts(FAR_ALSO " " NAME "\n", NAME, WEIR_OK);
    pool = must_open(&options);
    request = must_request("GET", origin_url_of(origin, NAME, "/held"));
    do { /* until it is the new file that answers */
        assert_true(seconds_now() < until);
        if (weir_send(pool, request, &held, &err) != WEIR_OK)
            fail_msg("%s", err.message);
        if (strncmp(weir_response_peer(held), FAR_ALSO, strlen(FAR_ALSO)) == 0)
            break;
        weir_response_free(held);
        weir_pool_free(pool);
        pool = must_open(&options);
    } while (true);
    await_hosts(FAR " elsewhere.test\n" FAR " " NAME "\n", "elsewhere.test",
                WEIR_OK);
    get_name(NAME, "another", &out);
    assert_answer(&out, "GET / 0");
    assert_int_equal(weir_response_read(held, rest, sizeof rest, &len, &err),
                     WEIR_OK);
    assert_int_equal(len, strlen("GET /held 0"));
    weir_response_free(held);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_MOVED], 1);
    weir_request_free(request);
}

/* A name that is gone altogether: nothing new, and the idle one goes on. */
static void test_a_name_that_vanishes(void **state)
{
    const weir_pool_options options = asking(servers);
    struct outcome out;

    (void)state;
    await_hosts(FAR " " NAME "\n", NAME, WEIR_OK);
    pool = must_open(&options);
    get_name(NAME, NULL, &out);
    assert_answer(&out, "GET / 0");
    await_hosts("", NAME, WEIR_E_RESOLVE);
    get_name(NAME, "another", &out);
    check_resolve_failed(&out, NAME);
    get_name(NAME, NULL, &out);
    assert_answer(&out, "GET / 0");
    assert_true(out.is_reused);
}

/* --- two addresses ------------------------------------------------------- */

/* One of a name's addresses leads nowhere, whatever way: the other is taken
 * long before the time limit (RFC 8305). */
static void test_one_address_of_two_leads_nowhere(void **state)
{
    static const struct {
        const char *addresses;
        const char *bad;
        const char *rule;
        const char *value;
    } cases[] = {
        {FAR_6 "," FAR, FAR_6, "hole", "both"},
        {FAR_6 "," FAR, FAR_6, "unreachable", "host"},
        {FAR_ALSO "," FAR, FAR_ALSO, "hole", "far"},
        {FAR_ALSO "," FAR, FAR_ALSO, "unreachable", "port"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_pool_options options = asking(dns_address(liar));
        const double begun = seconds_now();
        struct outcome out;

        wire_clear();
        dns_answer(liar, NAME, cases[i].addresses, 60);
        wire_set("only", cases[i].bad);
        wire_set(cases[i].rule, cases[i].value);
        weir_pool_free(pool);
        pool = must_open(&options);
        get_name(NAME, NULL, &out);
        assert_answer(&out, "GET / 0");
        assert_true(seconds_now() - begun < 3);
    }
}

/* --- lies ---------------------------------------------------------------- */

static void test_servfail(void **state)
{
    const weir_pool_options options = asking(dns_address(liar));
    struct outcome out;

    (void)state;
    pool = must_open(&options);
    dns_answer(liar, NAME, FAR, 60);
    dns_fail(liar, NAME, DNS_SERVFAIL);
    get_name(NAME, NULL, &out);
    check_resolve_failed(&out, NAME);
    dns_fail(liar, NAME, DNS_NOERROR);
    get_name(NAME, NULL, &out); /* a failure is not kept */
    assert_answer(&out, "GET / 0");
}

/* Answers to what was not asked are no answers: with nothing else the limit
 * ends it, and a true one that comes behind them is taken. */
static void test_forged_answers(void **state)
{
    weir_pool_options options = asking(dns_address(liar));
    double begun = seconds_now();
    struct outcome out;

    (void)state;
    dns_answer(liar, NAME, FAR, 60);
    dns_fail(liar, NAME, DNS_FORGED);
    options.connect_timeout = SHORT;
    pool = must_open(&options);
    get_name(NAME, NULL, &out);
    check_limit_ran_out(&out, begun);
    weir_pool_free(pool);
    options.connect_timeout = LONG;
    pool = must_open(&options);
    dns_fail(liar, NAME, DNS_OUTRUN);
    get_name(NAME, NULL, &out);
    assert_answer(&out, "GET / 0");
}

static void test_malformed_answers(void **state)
{
    static const int kinds[] = {DNS_LOOP, DNS_OVERLONG, DNS_GARBAGE};
    const weir_pool_options options = asking(dns_address(liar));
    struct outcome out;

    (void)state;
    pool = must_open(&options);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        dns_fail(liar, NAME, kinds[i]);
        get_name(NAME, NULL, &out);
        check_resolve_failed(&out, NAME);
    }
}

/* An alias of itself, and one of nobody. */
static void test_aliases_that_lead_nowhere(void **state)
{
    const weir_pool_options options = asking(dns_address(liar));
    struct outcome out;

    (void)state;
    pool = must_open(&options);
    dns_alias(liar, NAME, "nobody.test", 60);
    get_name(NAME, NULL, &out);
    check_resolve_failed(&out, NAME);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_resolver_that_works_then_does_not_know),
        TEST(test_a_resolver_whose_upstream_fails),
        TEST(test_a_slow_resolver),
        TEST(test_a_resolver_in_a_black_hole),
        TEST(test_a_lost_question_is_asked_again),
        TEST(test_a_resolver_that_cannot_be_reached),
        TEST(test_another_resolver_takes_over),
        TEST(test_an_address_that_vanishes),
        TEST(test_a_name_that_vanishes),
        TEST(test_one_address_of_two_leads_nowhere),
        TEST(test_servfail),
        TEST(test_forged_answers),
        TEST(test_malformed_answers),
        TEST(test_aliases_that_lead_nowhere),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
