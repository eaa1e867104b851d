/* Proxies that do as a script tells them: RFC 1929, what a forward proxy gets
 * to read, and what proxies can do wrong. */
#include "client.h"

#include "certs.h"
#include "origin.h"

#define HELLO O_TAKE(3), O_SEND("\x05\x00")
#define HELLO_USER O_TAKE(4), O_SEND("\x05\x02")
#define GRANTED O_SEND("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")

static struct origin *proxy;
static weir_pool *pool;

static int set_up(void **state)
{
    (void)state;
    proxy = origin_start(NULL);
    return proxy ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    pool = NULL;
    origin_stop(proxy);
    return 0;
}

/* A pool whose proxy is the script. */
static void open_through(const char *scheme, double connect_timeout)
{
    weir_pool_options options = test_options();
    char url[96];

    snprintf(url, sizeof url, "%s127.0.0.1:%u", scheme, origin_port(proxy, 0));
    options.proxy = url;
    if (connect_timeout > 0)
        options.connect_timeout = connect_timeout;
    pool = must_open(&options);
}

static void get_scripted(const char *scheme, const struct origin_step *steps,
                         const char *url, struct outcome *out)
{
    origin_script(proxy, 0, steps);
    open_through(scheme, 0);
    get(pool, url, out);
}

/* --- SOCKS5 -------------------------------------------------------------- */

/* Nobody here knows the name. */
static void test_socks_with_user_and_password(void **state)
{
    static const struct origin_step steps[] = {
        HELLO_USER, O_TAKE(9), O_SEND("\x01\x00"), O_TAKE(7 + 20), GRANTED,
        O_ECHO,     O_END};
    struct outcome out;

    (void)state;
    get_scripted("socks5h://me:pass@", steps, "http://no.such.name.invalid/a",
                 &out);
    assert_answer(&out, "GET /a 0");
    get(pool, "http://no.such.name.invalid/b", &out);
    assert_answer(&out, "GET /b 0");
    assert_true(out.is_reused);
    assert_memory_equal(origin_request(proxy, 0, 0)->head, "GET /a HTTP", 11);
    assert_null(strcasestr(origin_request(proxy, 0, 0)->head, "authoriz"));
}

static void test_socks_refuses_user_and_password(void **state)
{
    static const struct origin_step steps[] = {
        HELLO_USER, O_RECEIVE, O_SEND("\x01\x01"), O_HANG, O_END};
    struct outcome out;

    (void)state;
    get_scripted("socks5h://me:secret@", steps, "http://a.invalid/", &out);
    assert_code(&out, WEIR_E_PROXY);
    assert_int_equal(out.err.stage, WEIR_STAGE_PROXY);
    assert_non_null(strstr(out.err.message, "user or password refused"));
    assert_null(strstr(out.err.message, "secret"));
}

static void test_answers_may_come_byte_by_byte(void **state)
{
    static const struct origin_step socks[] = {
        O_TAKE(3),     O_SEND_SINGLY("\x05\x00"),
        O_TAKE(7 + 9), O_SEND_SINGLY("\x05\x00\x00\x03\x04name\x12\x34"),
        O_ECHO,        O_END};
    struct outcome out;

    (void)state;
    get_scripted("socks5h://", socks, "http://a.invalid/", &out);
    assert_answer(&out, "GET / 0");
}

/* --- forward ------------------------------------------------------------- */

static void test_a_forward_proxy_reads_the_whole_url(void **state)
{
    struct outcome out;
    const char *head;

    (void)state;
    open_through("http://me:pass@", 0);
    get(pool, "http://user:secret@a.invalid:8080/p?q#f", &out);
    assert_answer(&out, "GET http://a.invalid:8080/p?q 0");
    head = origin_request(proxy, 0, 0)->head;
    assert_non_null(strstr(head, "\r\nHost: a.invalid:8080\r\n"));
    assert_non_null(
        strstr(head, "\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n"));
    assert_non_null(
        strstr(head, "\r\nProxy-Authorization: Basic bWU6cGFzcw==\r\n"));
    /* On the same connection, but for the same origin alone. */
    get(pool, "http://a.invalid:8080/", &out);
    assert_true(out.is_reused);
    get(pool, "http://b.invalid:8080/", &out);
    assert_false(out.is_reused);
}

static void
test_a_field_of_the_callers_goes_to_a_forward_proxy_alone(void **state)
{
    weir_request *request = must_request("GET", "http://a.invalid/");
    struct outcome out;
    const char *head;

    (void)state;
    open_through("http://me:pass@", 0);
    assert_int_equal(weir_request_add_field(request, "proxy-authorization",
                                            "Bearer t", NULL),
                     WEIR_OK);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_OK);
    head = origin_request(proxy, 0, 0)->head;
    assert_non_null(strstr(head, "\r\nproxy-authorization: Bearer t\r\n"));
    assert_null(strstr(head, "Proxy-Authorization"));
    /* Neither through a tunnel nor direct. */
    weir_request_set_proxy(request, "socks5h://127.0.0.1:1", NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_FIELD);
    weir_request_set_proxy(request, "", NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_FIELD);
    weir_request_free(request);
    request = must_request("GET", "https://a.invalid/");
    weir_request_add_field(request, "Proxy-Authorization", "Bearer t", NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_FIELD);
    weir_request_free(request);
    assert_int_equal(origin_connections(proxy), 1);
}

/* --- what goes wrong ----------------------------------------------------- */

static void check_failure(const char *scheme, const struct origin_step *steps,
                          weir_status wanted, const char *says)
{
    struct outcome out;

    tear_down(NULL);
    set_up(NULL);
    get_scripted(scheme, steps, "https://a.invalid/", &out);
    assert_code(&out, wanted);
    assert_int_equal(out.err.stage, WEIR_STAGE_PROXY);
    assert_false(out.err.may_have_been_processed);
    if (!strstr(out.err.message, says))
        fail_msg("%s", out.err.message);
    assert_int_equal(figures_of(pool).open, 0);
    assert_int_equal(figures_of(pool).dial_failures, 1);
}

#define FAILS(scheme, wanted, says, ...)                                       \
    do {                                                                       \
        static const struct origin_step steps[] = {__VA_ARGS__, O_END};        \
        check_failure((scheme), steps, (wanted), (says));                      \
    } while (0)

static void test_connect_goes_wrong(void **state)
{
    (void)state;
    FAILS("http://", WEIR_E_PROXY, ": CONNECT a.invalid:443: 502 Bad Gateway",
          O_EXPECT_HEAD,
          O_SEND("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nsite"));
    FAILS("http://", WEIR_E_RESET, "connection closed before the answer",
          O_EXPECT_HEAD, O_CLOSE);
    FAILS("http://", WEIR_E_RESET, "connection closed before the answer",
          O_EXPECT_HEAD, O_SEND("HTTP/1.1 200 OK\r\n"), O_CLOSE);
    FAILS("http://", WEIR_E_RESET, "connection reset by peer", O_EXPECT_HEAD,
          O_RESET);
    FAILS("http://", WEIR_E_PROTOCOL, "3 bytes behind the answer",
          O_EXPECT_HEAD, O_SEND("HTTP/1.1 200 OK\r\n\r\nxyz"));
    FAILS("http://", WEIR_E_PROTOCOL, "invalid response", O_EXPECT_HEAD,
          O_SEND("\x05\x00"), O_HANG);
    FAILS("http://", WEIR_E_LIMIT, "number of fields", O_EXPECT_HEAD,
          O_SEND("HTTP/1.1 200 OK\r\n"), O_SEND_MANY("A: b\r\n", 100000),
          O_HANG);
}

static void test_socks_goes_wrong(void **state)
{
    (void)state;
    FAILS("socks5h://", WEIR_E_PROXY, "authentication is required", O_RECEIVE,
          O_SEND("\x05\xff"), O_CLOSE);
    FAILS("socks5h://", WEIR_E_PROXY, "connection refused (reply 5)", HELLO,
          O_RECEIVE, O_SEND("\x05\x05"), O_CLOSE);
    FAILS("socks5h://", WEIR_E_RESET, "connection closed before the answer",
          HELLO, O_RECEIVE, O_CLOSE);
    FAILS("socks5h://", WEIR_E_PROTOCOL, "invalid answer: version 72",
          O_RECEIVE, O_SEND("HTTP/1.1 400 Bad Request\r\n\r\n"));
}

/* The tunnel leads to somebody who speaks no TLS. */
static void test_a_tunnel_to_nothing(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT_HEAD, O_SEND("HTTP/1.1 200 OK\r\n\r\n"),
        O_RECEIVE,     O_SEND("HTTP/1.1 400 Bad Request\r\n\r\n"),
        O_HANG,        O_END};
    struct outcome out;

    (void)state;
    get_scripted("http://", steps, "https://a.invalid/", &out);
    assert_code(&out, WEIR_E_TLS);
    assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
    assert_non_null(strstr(out.err.message, "TLS with a.invalid"));
}

static void test_a_proxy_that_never_answers_runs_out_of_time(void **state)
{
    static const struct origin_step steps[] = {O_HANG, O_END};
    struct outcome out;

    (void)state;
    origin_script(proxy, 0, steps);
    open_through("http://", 0.2);
    get(pool, "https://a.invalid/", &out);
    assert_code(&out, WEIR_E_CONNECT_TIMEOUT);
    assert_int_equal(out.err.stage, WEIR_STAGE_PROXY);
    assert_non_null(strstr(out.err.message, "stage proxy"));
}

static void test_an_unverified_proxy_sees_no_password(void **state)
{
    struct origin *tls;
    struct outcome out;
    char *certs = certs_new();
    char path[256];
    char url[64];
    weir_pool_options options = test_options();

    (void)state;
    /* An https proxy is verified before it gets to see a password. */
    tls = origin_start(
        &(struct origin_options){.certs = certs, .cert = "self-signed"});
    options.ca_file = certs_path(certs, "ca.pem", path, sizeof path);
    snprintf(url, sizeof url, "https://me:pass@127.0.0.1:%u",
             origin_port(tls, 0));
    options.proxy = url;
    pool = must_open(&options);
    get(pool, "http://a.invalid/", &out);
    assert_code(&out, WEIR_E_TLS_VERIFY);
    get(pool, "https://a.invalid/", &out);
    assert_code(&out, WEIR_E_TLS_VERIFY);
    assert_int_equal(origin_requests_in_all(tls), 0);
    weir_pool_close(pool, 0, NULL);
    origin_stop(tls);
    certs_done(certs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_socks_with_user_and_password),
        TEST(test_socks_refuses_user_and_password),
        TEST(test_answers_may_come_byte_by_byte),
        TEST(test_a_forward_proxy_reads_the_whole_url),
        TEST(test_a_field_of_the_callers_goes_to_a_forward_proxy_alone),
        TEST(test_connect_goes_wrong),
        TEST(test_socks_goes_wrong),
        TEST(test_a_tunnel_to_nothing),
        TEST(test_a_proxy_that_never_answers_runs_out_of_time),
        TEST(test_an_unverified_proxy_sees_no_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
