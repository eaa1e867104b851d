/* protocol-rules.md, section 1: which two requests may share a connection.
 *
 * Not here: proxies (8), which are in test_proxy.c; socket options (7) and HTTP
 * versions (10), which the interface does not offer yet; the TLS options (9)
 * and the IP-version policy (6) are those of a pool, and no two pools share
 * anything. */
#include "certified.h"
#include "origin_pool.h"

/* A request but for what the rule at hand is about. */
struct ask {
    const char *url;
    const char *address;
    const char *local;
    const char *unix_path;
    const char *isolation;
};

static int set_up(void **state)
{
    const weir_pool_options options = test_options();

    (void)state;
    return start_both(&(struct origin_options){.listeners = 2}, &options);
}

static uint64_t connection_of(const struct ask *ask)
{
    weir_request *request = must_request("GET", ask->url);
    struct outcome out;

    weir_request_set_address(request, ask->address, NULL);
    weir_request_set_local_address(request, ask->local, NULL);
    weir_request_set_unix_socket(request, ask->unix_path, NULL);
    weir_request_set_isolation(request, ask->isolation, NULL);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_code(&out, WEIR_OK);
    return out.connection;
}

static void check(const struct ask *first, const struct ask *second,
                  bool is_shared)
{
    const uint64_t one = connection_of(first);
    const uint64_t other = connection_of(second);

    if (is_shared)
        assert_int_equal(one, other);
    else
        assert_int_not_equal(one, other);
    /* Both rest in the pool and are found again. */
    assert_int_equal(connection_of(first), one);
    assert_int_equal(connection_of(second), other);
}

#define ASK(...) (&(struct ask){.url = __VA_ARGS__})

static const char *named(const char *host)
{
    return origin_url_of(origin, host, "/");
}

/* The address is given, so that no name needs to be resolved. */
static void check_hosts(const char *one, const char *other, bool is_shared)
{
    check(ASK(named(one), .address = "127.0.0.1"),
          ASK(named(other), .address = "127.0.0.1"), is_shared);
}

/* --- 1.1 to 1.3: the origin ---------------------------------------------- */

static void test_rule_1_01_scheme(void **state)
{
    static const struct origin_step no_tls[] = {
        O_SEND("HTTP/1.1 400 Bad Request\r\n\r\n"), O_HANG, O_END};
    struct outcome out;
    char url[64];

    (void)state;
    origin_script(origin, 1, no_tls);
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_OK);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", origin_port(origin, 0));
    get(pool, url, &out);
    assert_int_equal(out.err.error_class, WEIR_CLASS_TLS);
    assert_int_equal(origin_connections(origin), 2);
    assert_int_equal(origin_requests_in_all(origin), 1);
}

static void test_rule_1_02_host_case_does_not_matter(void **state)
{
    (void)state;
    check_hosts("example.test", "EXAMPLE.Test", true);
}

static void test_rule_1_02_two_names_of_one_address_are_two(void **state)
{
    (void)state;
    check_hosts("example.test", "example2.test", false);
    check_hosts("example.test", "127.0.0.1", false);
}

/* One rule for the dot: weir drops it everywhere. */
static void test_rule_1_02_a_trailing_dot_makes_no_difference(void **state)
{
    (void)state;
    check_hosts("example.test", "example.test.", true);
}

static void test_rule_1_02_ip_addresses_in_canonical_form(void **state)
{
    struct origin *other =
        origin_start(&(struct origin_options){.family = ORIGIN_IPV6});

    (void)state;
    assert_non_null(other);
    check(ASK(origin_url(other, "/")),
          ASK(origin_url_of(other, "[0:0::0:0001]", "/")), true);
    assert_int_equal(origin_connections(other), 1);
    /* The pool's connections end before the origin that they lead to. */
    weir_pool_close(pool, 0, NULL);
    origin_stop(other);
}

static void test_rule_1_03_port(void **state)
{
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", origin_port(origin, 1));
    check(ASK(origin_url(origin, "/")), ASK(url), false);
}

static void
test_rule_1_03_the_default_port_written_out_is_the_same(void **state)
{
    struct origin *local =
        origin_start(&(struct origin_options){.family = ORIGIN_UNIX});

    (void)state;
    assert_non_null(local);
    check(ASK("http://localhost/", .unix_path = origin_path(local)),
          ASK("http://localhost:80/", .unix_path = origin_path(local)), true);
    check(ASK("http://localhost/", .unix_path = origin_path(local)),
          ASK("http://localhost:81/", .unix_path = origin_path(local)), false);
    weir_pool_close(pool, 0, NULL);
    origin_stop(local);
}

static void test_path_query_and_fragment_do_not_matter(void **state)
{
    (void)state;
    check(ASK(origin_url(origin, "/a?b=c")), ASK(origin_url(origin, "/d#e")),
          true);
}

/* --- 1.4 to 1.6: the way there ------------------------------------------- */

static void test_rule_1_04_unix_socket_and_its_path(void **state)
{
    struct origin *one =
        origin_start(&(struct origin_options){.family = ORIGIN_UNIX});
    struct origin *other =
        origin_start(&(struct origin_options){.family = ORIGIN_UNIX});
    const char *url = origin_url(origin, "/");

    (void)state;
    check(ASK(url, .unix_path = origin_path(one)),
          ASK(url, .unix_path = origin_path(other)), false);
    check(ASK(url), ASK(url, .unix_path = origin_path(one)), false);
    check(ASK(url, .unix_path = origin_path(one)),
          ASK(url, .unix_path = origin_path(one)), true);
    assert_int_equal(origin_connections(one), 1);
    assert_int_equal(origin_connections(other), 1);
    assert_int_equal(origin_connections(origin), 1);
    weir_pool_close(pool, 0, NULL);
    origin_stop(one);
    origin_stop(other);
}

static void test_rule_1_05_connect_to_override(void **state)
{
    (void)state;
    check(ASK(named("localhost")),
          ASK(named("localhost"), .address = "127.0.0.1"), false);
    check(ASK(named("localhost"), .address = "127.0.0.1"),
          ASK(named("localhost"), .address = "127.0.0.1"), true);
}

static void test_rule_1_06_local_address(void **state)
{
    const char *url = origin_url(origin, "/");

    (void)state;
    check(ASK(url), ASK(url, .local = "127.0.0.1"), false);
    check(ASK(url, .local = "127.0.0.1"), ASK(url, .local = "127.0.0.2"),
          false);
    check(ASK(url, .local = "127.0.0.2"), ASK(url, .local = "127.0.0.2"), true);
    assert_int_equal(origin_connections(origin), 3);
}

/* --- 1.9: TLS ------------------------------------------------------------ */

static struct origin *secure;
static weir_pool *careless;

static void open_secure(void)
{
    weir_pool_options options = trusting();

    secure = origin_start(&(struct origin_options){.certs = certs});
    assert_non_null(secure);
    weir_pool_free(pool);
    pool = must_open(&options);
    options.ca_file = NULL;
    options.verify = false;
    careless = must_open(&options);
}

static void close_secure(void)
{
    weir_pool_close(pool, 0, NULL);
    weir_pool_free(careless);
    origin_stop(secure);
}

static void test_rule_1_09_the_name_verified(void **state)
{
    (void)state;
    open_secure();
    check(
        ASK(origin_url_of(secure, "example.test", "/"), .address = "127.0.0.1"),
        ASK(origin_url_of(secure, "localhost", "/"), .address = "127.0.0.1"),
        false);
    check(ASK(origin_url(secure, "/")), ASK(origin_url(secure, "/")), true);
    close_secure();
}

/* What a pool that does not verify has opened must not help one that does. */
static void test_rule_1_09_no_pool_uses_the_connection_of_another(void **state)
{
    weir_request *request;
    struct outcome out;

    (void)state;
    open_secure();
    request = must_request("GET", origin_url_of(secure, "wrong.test", "/"));
    weir_request_set_address(request, "127.0.0.1", NULL);
    fetch(careless, request, &out);
    assert_code(&out, WEIR_OK);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_TLS_VERIFY);
    assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
    /* The other way round, on one request that has been prepared before. */
    fetch(careless, request, &out);
    assert_code(&out, WEIR_OK);
    assert_true(out.is_reused);
    weir_request_free(request);
    assert_int_equal(origin_requests_in_all(secure), 2);
    close_secure();
}

/* --- 1.11 and what is not in the key ------------------------------------- */

static void test_rule_1_11_isolation_tag(void **state)
{
    const char *url = origin_url(origin, "/");

    (void)state;
    check(ASK(url), ASK(url, .isolation = "a"), false);
    check(ASK(url, .isolation = "a"), ASK(url, .isolation = "b"), false);
    check(ASK(url), ASK(url, .isolation = ""), false);
    check(ASK(url, .isolation = "a"), ASK(url, .isolation = "a"), true);
    assert_int_equal(origin_connections(origin), 4);
}

static void test_method_fields_and_time_limits_do_not_matter(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/"));
    const uint64_t first = connection_of(ASK(origin_url(origin, "/")));
    struct outcome out;

    (void)state;
    weir_request_add_field(request, "Authorization", "Bearer x", NULL);
    weir_request_add_field(request, "Host", "other.test", NULL);
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 5, NULL);
    weir_request_set_timeout(request, WEIR_TIMEOUT_CONNECT, 5, NULL);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.connection, first);
}

/* Nothing of a request survives its lease. */
static void test_credentials_stay_with_their_request(void **state)
{
    char url[128];

    (void)state;
    snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%u/",
             origin_port(origin, 0));
    check(ASK(url), ASK(origin_url(origin, "/")), true);
    assert_non_null(strstr(origin_request(origin, 0, 0)->head,
                           "\r\nAuthorization: Basic "
                           "dXNlcjpzZWNyZXQ=\r\n"));
    assert_null(strstr(origin_request(origin, 0, 1)->head, "Authorization"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rule_1_01_scheme),
        TEST(test_rule_1_02_host_case_does_not_matter),
        TEST(test_rule_1_02_two_names_of_one_address_are_two),
        TEST(test_rule_1_02_a_trailing_dot_makes_no_difference),
        TEST(test_rule_1_02_ip_addresses_in_canonical_form),
        TEST(test_rule_1_03_port),
        TEST(test_rule_1_03_the_default_port_written_out_is_the_same),
        TEST(test_path_query_and_fragment_do_not_matter),
        TEST(test_rule_1_04_unix_socket_and_its_path),
        TEST(test_rule_1_05_connect_to_override),
        TEST(test_rule_1_06_local_address),
        TEST(test_rule_1_09_the_name_verified),
        TEST(test_rule_1_09_no_pool_uses_the_connection_of_another),
        TEST(test_rule_1_11_isolation_tag),
        TEST(test_method_fields_and_time_limits_do_not_matter),
        TEST(test_credentials_stay_with_their_request),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
