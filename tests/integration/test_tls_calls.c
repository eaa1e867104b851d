/* TLS as a caller sees it (protocol-rules.md, section 7): whom weir trusts,
 * what it says when it does not, and that sessions are resumed. */
#include "certified.h"
#include "origin_pool.h"

#include <openssl/ssl.h>

/* An origin with this certificate, and a pool that trusts its authority. */
static void start(const char *cert, int max_version, bool verify,
                  const char *min_version)
{
    weir_pool_options options = trusting();

    tear_down(NULL);
    origin = origin_start(&(struct origin_options){
        .certs = certs, .cert = cert, .tls_max_version = max_version});
    assert_non_null(origin);
    options.verify = verify;
    options.tls_min_version = min_version;
    pool = must_open(&options);
}

/* GET of https://HOST/, at the origin's address. */
static void get_of(const char *host, struct outcome *out)
{
    weir_request *request =
        must_request("GET", origin_url_of(origin, host, "/"));

    weir_request_set_address(request, "127.0.0.1", NULL);
    fetch(pool, request, out);
    weir_request_free(request);
}

static void test_names_and_addresses_of_the_certificate(void **state)
{
    static const char *const hosts[] = {"localhost", "example.test",
                                        "a.wild.test", "127.0.0.1", "[::1]"};
    struct outcome out;

    (void)state;
    start("server", 0, true, "1.2");
    for (unsigned i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        get_of(hosts[i], &out);
        assert_answer(&out, "GET / 0");
    }
    get_of("a.b.wild.test", &out);
    assert_code(&out, WEIR_E_TLS_VERIFY);
    get_of("127.0.0.2", &out);
    assert_code(&out, WEIR_E_TLS_VERIFY);
}

static void test_certificates_that_are_refused(void **state)
{
    static const struct {
        const char *cert;
        const char *says; /* a part of the message */
    } cases[] = {
        {"wrong-name", "mismatch"}, {"cn-only", "mismatch"},
        {"partial", "mismatch"},    {"expired", "expired"},
        {"future", "not yet"},      {"self-signed", "self"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome out;

        start(cases[i].cert, 0, true, "1.2");
        get_of("localhost", &out);
        assert_code(&out, WEIR_E_TLS_VERIFY);
        assert_int_equal(out.err.error_class, WEIR_CLASS_TLS);
        assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
        assert_int_not_equal(out.err.tls_code, 0);
        assert_false(out.err.may_have_been_processed);
        if (!strstr(out.err.message, cases[i].says))
            fail_msg("%s: %s", cases[i].cert, out.err.message);
        assert_int_equal(origin_requests_in_all(origin), 0);
        assert_int_equal(figures_of(pool).open, 0);
        assert_int_equal(figures_of(pool).dial_failures, 1);
        /* Whoever writes verify: false gets what was asked for. */
        start(cases[i].cert, 0, false, "1.2");
        get_of("localhost", &out);
        assert_answer(&out, "GET / 0");
    }
}

static void test_the_lowest_version(void **state)
{
    struct outcome out;

    (void)state;
    start("server", TLS1_2_VERSION, true, "1.3");
    get_of("localhost", &out);
    assert_code(&out, WEIR_E_TLS);
    assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
    start("server", TLS1_2_VERSION, true, "1.2");
    get_of("localhost", &out);
    assert_answer(&out, "GET / 0");
}

/* A new connection to the same origin resumes the session of the one before;
 * another pool key never does. */
static void test_sessions_are_resumed_under_the_same_key(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const struct origin_step closes[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 200 OK\r\nConnection: close\r\n"
               "Content-Length: 5\r\n\r\nhello"),
        O_CLOSE, O_END};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct outcome out;

        start("server", versions[i], true, "1.2");
        origin_script(origin, 0, closes);
        for (unsigned call = 0; call < 3; call++) {
            get_of("localhost", &out);
            assert_answer(&out, "hello");
            assert_false(out.is_reused);
            assert_int_equal(figures_of(pool).tls_resumed, call);
        }
        get_of("example.test", &out);
        assert_answer(&out, "hello");
        assert_int_equal(figures_of(pool).tls_resumed, 2);
    }
}

static void test_a_server_that_speaks_no_tls(void **state)
{
    static const struct origin_step plain[] = {
        O_SEND("HTTP/1.1 400 Bad Request\r\n\r\n"), O_HANG, O_END};
    struct outcome out;
    char url[64];

    (void)state;
    start("server", 0, true, "1.2");
    origin_stop(origin);
    origin = origin_start(NULL);
    assert_non_null(origin);
    origin_script(origin, 0, plain);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", origin_port(origin, 0));
    get(pool, url, &out);
    assert_code(&out, WEIR_E_TLS);
    assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
}

static void test_a_server_that_leaves_during_the_handshake(void **state)
{
    static const struct origin_step leaves[] = {O_RECEIVE, O_CLOSE, O_END};
    static const struct origin_step resets[] = {O_RECEIVE, O_RESET, O_END};
    struct outcome out;
    char url[64];

    (void)state;
    start("server", 0, true, "1.2");
    origin_stop(origin);
    origin = origin_start(NULL);
    assert_non_null(origin);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", origin_port(origin, 0));
    for (unsigned i = 0; i < 2; i++) {
        origin_script(origin, i, i == 0 ? leaves : resets);
        get(pool, url, &out);
        assert_code(&out, WEIR_E_RESET);
        assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
        assert_false(out.err.may_have_been_processed);
        assert_int_equal(figures_of(pool).open, 0);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_and_addresses_of_the_certificate),
        TEST(test_certificates_that_are_refused),
        TEST(test_the_lowest_version),
        TEST(test_sessions_are_resumed_under_the_same_key),
        TEST(test_a_server_that_speaks_no_tls),
        TEST(test_a_server_that_leaves_during_the_handshake),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
