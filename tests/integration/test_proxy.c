/* Calls through real proxies: squid, tinyproxy, dante, and haproxy that takes
 * TLS off; to nginx, and to an origin that shows what has reached it.  What a
 * proxy could do wrong is in test_proxy_script.c. */
#include "client.h"

#include "certs.h"
#include "origin.h"
#include "peer.h"

#define USER "user:secret"

static char *certs;
static struct peer *nginx;
static struct peer *squid;        /* lets anybody in */
static struct peer *guarded;      /* squid that wants USER */
static struct peer *tiny;         /* lets anybody in */
static struct peer *tiny_guarded; /* tinyproxy that wants USER */
static struct peer *dante;
static struct peer *haproxy;  /* TLS before squid */
static struct peer *misnamed; /* the same with a certificate of other.test */
static struct origin *origin; /* plain */
static struct origin *secure; /* TLS */

static int start_all(void **state)
{
    (void)state;
    certs = certs_new();
    if (!certs)
        return -1;
    nginx = peer_start_nginx(certs);
    squid = peer_start_squid(NULL);
    guarded = peer_start_squid(USER);
    tiny = peer_start_tinyproxy(NULL);
    tiny_guarded = peer_start_tinyproxy(USER);
    dante = peer_start_dante();
    haproxy =
        squid ? peer_start_haproxy(certs, "server", peer_port(squid)) : NULL;
    misnamed = squid ? peer_start_haproxy(certs, "wrong-name", peer_port(squid))
                     : NULL;
    return 0;
}

static int stop_all(void **state)
{
    struct peer *const peers[] = {misnamed, haproxy, dante, tiny_guarded,
                                  tiny,     guarded, squid, nginx};

    (void)state;
    for (unsigned i = 0; i < sizeof peers / sizeof *peers; i++)
        peer_stop(peers[i]);
    certs_done(certs);
    return 0;
}

static int start_origins(void **state)
{
    (void)state;
    origin = origin_start(NULL);
    secure = origin_start(&(struct origin_options){.certs = certs});
    return origin && secure ? 0 : -1;
}

/* The pool of a test, whose connections end before the origins. */
static weir_pool *pool;

static int stop_origins(void **state)
{
    (void)state;
    weir_pool_free(pool);
    pool = NULL;
    origin_stop(origin);
    origin_stop(secure);
    return 0;
}

static void need(const struct peer *peer)
{
    if (!peer || !nginx)
        skip();
}

/* --- asking -------------------------------------------------------------- */

static const char *proxy_url(const char *scheme, const struct peer *peer)
{
    static char url[4][96];
    static unsigned last;
    char *at = url[++last % 4];

    snprintf(at, sizeof url[0], "%s127.0.0.1:%u", scheme, peer_port(peer));
    return at;
}

static weir_pool_options trusting(const char *proxy)
{
    static char path[256];
    weir_pool_options options = test_options();

    options.ca_file = certs_path(certs, "ca.pem", path, sizeof path);
    options.proxy = proxy;
    return options;
}

static void open_through(const char *proxy)
{
    const weir_pool_options options = trusting(proxy);

    weir_pool_free(pool);
    pool = must_open(&options);
}

static const char *nginx_url(bool tls, const char *path)
{
    static char url[96];

    return peer_url(nginx, tls, path, url, sizeof url);
}

/* A GET with a proxy of its own. */
static void get_through(const char *proxy, const char *url, struct outcome *out)
{
    weir_request *request = must_request("GET", url);
    weir_error err;

    if (weir_request_set_proxy(request, proxy, &err) != WEIR_OK)
        fail_msg("%s: %s", proxy, err.message);
    fetch(pool, request, out);
    weir_request_free(request);
}

/* A file of nginx, whole. */
static void check_file(const struct outcome *out, size_t len)
{
    assert_code(out, WEIR_OK);
    assert_int_equal(out->status, 200);
    assert_int_equal(out->len, len);
    for (size_t i = 0; i < len && i < BODY_MAX - 1; i++)
        assert_int_equal(out->body[i], peer_byte(i));
}

/* Twice, the second time on the same connection. */
static void check_reuse(const char *proxy, bool tls)
{
    struct outcome first;
    struct outcome second;

    open_through(proxy);
    get(pool, nginx_url(tls, "/102"), &first);
    check_file(&first, 102);
    assert_false(first.is_reused);
    get(pool, nginx_url(tls, "/1m"), &second);
    check_file(&second, 1 << 20);
    assert_true(second.is_reused);
    assert_int_equal(second.connection, first.connection);
    assert_int_equal(figures_of(pool).dialed, 1);
    assert_int_equal(figures_of(pool).open, 1);
}

/* --- each kind ----------------------------------------------------------- */

static void test_squid_forwards_and_tunnels(void **state)
{
    (void)state;
    need(squid);
    check_reuse(proxy_url("http://", squid), false);
    check_reuse(proxy_url("http://", squid), true);
    check_reuse(proxy_url("", squid), true);
}

static void test_tinyproxy_forwards_and_tunnels(void **state)
{
    struct outcome out;

    (void)state;
    need(tiny);
    /* It closes the connection of a forwarded request. */
    open_through(proxy_url("http://", tiny));
    get(pool, nginx_url(false, "/1m"), &out);
    check_file(&out, 1 << 20);
    check_reuse(proxy_url("http://", tiny), true);
}

static void test_dante_tunnels_both(void **state)
{
    (void)state;
    need(dante);
    check_reuse(proxy_url("socks5://", dante), false);
    check_reuse(proxy_url("socks5://", dante), true);
    check_reuse(proxy_url("socks5h://", dante), false);
    check_reuse(proxy_url("socks5h://", dante), true);
}

/* By name: resolved here for socks5, there for socks5h. */
static void test_dante_takes_addresses_and_names(void **state)
{
    static const char *const schemes[] = {"socks5://", "socks5h://"};
    struct outcome out;
    char url[64];

    (void)state;
    need(dante);
    snprintf(url, sizeof url, "http://localhost:%u/102", peer_port(nginx));
    for (unsigned i = 0; i < 2; i++) {
        open_through(proxy_url(schemes[i], dante));
        get(pool, url, &out);
        check_file(&out, 102);
    }
    /* What only one side asks for. */
    open_through(proxy_url("socks5://", dante));
    get(pool, "http://no.such.name.invalid/", &out);
    assert_code(&out, WEIR_E_RESOLVE);
    assert_int_equal(out.err.stage, WEIR_STAGE_RESOLVE);
    open_through(proxy_url("socks5h://", dante));
    get(pool, "http://no.such.name.invalid/", &out);
    assert_code(&out, WEIR_E_PROXY);
    assert_int_equal(out.err.stage, WEIR_STAGE_PROXY);
}

static void test_tls_with_the_proxy_and_within_it(void **state)
{
    (void)state;
    need(haproxy);
    check_reuse(proxy_url("https://", haproxy), false);
    check_reuse(proxy_url("https://", haproxy), true);
}

/* To an origin that reads all of it: nginx would answer at once, and then squid
 * may close the connection before the answer. */
static void upload(struct origin *to)
{
    weir_request *request = must_request("POST", origin_url(to, "/"));
    static char much[1 << 20];
    struct outcome out;

    weir_request_set_body(request, much, sizeof much, NULL);
    for (unsigned i = 0; i < 2; i++) {
        fetch(pool, request, &out);
        assert_answer(&out, "POST / 1048576");
    }
    weir_request_free(request);
}

static void test_large_bodies_go_up_all_ways(void **state)
{
    (void)state;
    need(haproxy);
    need(dante);
    open_through(proxy_url("https://", haproxy));
    upload(origin);
    upload(secure);
    open_through(proxy_url("socks5h://", dante));
    upload(secure);
}

/* --- credentials --------------------------------------------------------- */

static void check_guarded(const struct peer *peer)
{
    char with[96];
    char wrong[96];
    char text[256];
    struct outcome out;

    snprintf(with, sizeof with, "http://" USER "@127.0.0.1:%u",
             peer_port(peer));
    snprintf(wrong, sizeof wrong, "http://user:wrong@127.0.0.1:%u",
             peer_port(peer));
    open_through(NULL);
    /* The answer of the proxy to a plain request is the response. */
    get_through(proxy_url("", peer), nginx_url(false, "/102"), &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.status, 407);
    get_through(proxy_url("", peer), nginx_url(true, "/102"), &out);
    assert_code(&out, WEIR_E_PROXY);
    assert_int_equal(out.err.error_class, WEIR_CLASS_CONNECT);
    assert_int_equal(out.err.stage, WEIR_STAGE_PROXY);
    assert_false(out.err.may_have_been_processed);
    snprintf(text, sizeof text,
             "proxy 127.0.0.1:%u: CONNECT %s: 407 Proxy Authentication "
             "Required",
             peer_port(peer), nginx_url(true, "") + sizeof "https://" - 1);
    assert_string_equal(out.err.message, text);
    get_through(wrong, nginx_url(true, "/102"), &out);
    assert_code(&out, WEIR_E_PROXY);
    get_through(with, nginx_url(false, "/102"), &out);
    check_file(&out, 102);
    get_through(with, nginx_url(true, "/102"), &out);
    check_file(&out, 102);
}

static void test_basic_to_squid(void **state)
{
    (void)state;
    need(guarded);
    check_guarded(guarded);
}

static void test_basic_to_tinyproxy(void **state)
{
    (void)state;
    need(tiny_guarded);
    check_guarded(tiny_guarded);
}

/* Neither a tunnel's end nor a forwarded request has them. */
static void test_credentials_reach_no_origin(void **state)
{
    const char *proxy;
    char with[96];
    struct outcome out;

    (void)state;
    need(guarded);
    snprintf(with, sizeof with, "http://" USER "@127.0.0.1:%u",
             peer_port(guarded));
    proxy = with;
    open_through(proxy);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    assert_null(strcasestr(origin_request(origin, 0, 0)->head, "proxy-auth"));
    get(pool, origin_url(secure, "/"), &out);
    assert_answer(&out, "GET / 0");
    assert_null(strcasestr(origin_request(secure, 0, 0)->head, "proxy"));
    assert_null(strcasestr(origin_request(secure, 0, 0)->head, "authoriz"));
    /* Nor does it see the proxy's form of the request. */
    assert_memory_equal(origin_request(secure, 0, 0)->head, "GET / HTTP", 10);
}

/* --- the pool key (protocol-rules 1.8) ----------------------------------- */

static void check_ways(const char *const *ways, unsigned count, const char *url)
{
    uint64_t connections[8];
    struct outcome out;

    assert_true(count <= 8);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < count; i++) {
            get_through(ways[i], url, &out);
            check_file(&out, 102);
            if (round == 0)
                connections[i] = out.connection;
            assert_int_equal(out.connection, connections[i]);
            for (unsigned j = 0; j < i; j++)
                assert_int_not_equal(connections[i], connections[j]);
        }
    }
    assert_int_equal(figures_of(pool).open, count);
    assert_int_equal(figures_of(pool).dialed, count);
}

/* Each way has its own connection, and finds it again. */
static void test_rule_1_08_ways_never_share_connections(void **state)
{
    char one[96];
    char other[96];
    char ours[96];
    const char *ways[8];

    (void)state;
    need(squid);
    need(haproxy);
    need(dante);
    need(tiny);
    open_through(NULL);
    snprintf(one, sizeof one, "http://one:x@127.0.0.1:%u", peer_port(squid));
    snprintf(other, sizeof other, "http://one:y@127.0.0.1:%u",
             peer_port(squid));
    snprintf(ours, sizeof ours, "http://127.0.0.1:%u", peer_port(squid));
    ways[0] = "";
    ways[1] = ours;
    ways[2] = one;
    ways[3] = other;
    ways[4] = proxy_url("https://", haproxy);
    ways[5] = proxy_url("socks5://", dante);
    ways[6] = proxy_url("socks5h://", dante);
    ways[7] = proxy_url("http://", tiny);
    check_ways(ways, 8, nginx_url(true, "/102"));
    /* tinyproxy keeps none of these. */
    open_through(NULL);
    check_ways(ways, 7, nginx_url(false, "/102"));
}

/* --- which requests ------------------------------------------------------ */

/* A port where nobody listens. */
static const char *dead_proxy(void)
{
    static char url[64];
    struct origin *gone = origin_start(NULL);

    snprintf(url, sizeof url, "http://127.0.0.1:%u", origin_port(gone, 0));
    origin_stop(gone);
    return url;
}

static void test_no_proxy_is_honoured(void **state)
{
    weir_pool_options options = trusting(dead_proxy());
    char list[64];
    struct outcome out;

    (void)state;
    snprintf(list, sizeof list, "[::1],127.0.0.1:%u", origin_port(origin, 0));
    options.no_proxy = list;
    pool = must_open(&options);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    get(pool, origin_url(secure, "/"), &out);
    assert_code(&out, WEIR_E_CONNECT);
    assert_non_null(strstr(out.err.message, options.proxy + 7));
    /* A proxy of the request's own is not held against the list. */
    get_through(options.proxy, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_CONNECT);
    get_through("", origin_url(secure, "/"), &out);
    assert_answer(&out, "GET / 0");
    get_through(NULL, origin_url(secure, "/"), &out);
    assert_code(&out, WEIR_E_CONNECT);
}

static void test_the_environment_is_read_only_when_asked_for(void **state)
{
    weir_pool_options options = trusting(NULL);
    struct outcome out;

    (void)state;
    setenv("http_proxy", dead_proxy(), 1);
    pool = must_open(&options);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    weir_pool_free(pool);
    options.proxy_environment = true;
    pool = must_open(&options);
    unsetenv("http_proxy"); /* it has been read */
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_CONNECT);
    get(pool, origin_url(secure, "/"), &out);
    assert_answer(&out, "GET / 0");
}

static void test_a_unix_socket_goes_direct(void **state)
{
    struct origin *local =
        origin_start(&(struct origin_options){.family = ORIGIN_UNIX});
    weir_request *request = must_request("GET", "http://localhost/");
    struct outcome out;

    (void)state;
    open_through(dead_proxy());
    weir_request_set_unix_socket(request, origin_path(local), NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "GET / 0");
    weir_request_free(request);
    weir_pool_close(pool, 0, NULL);
    origin_stop(local);
}

static void test_an_address_does_not_go_with_a_proxy(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    open_through(dead_proxy());
    weir_request_set_address(request, "127.0.0.1", NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_OPTION);
    assert_non_null(strstr(out.err.message, "address: found 127.0.0.1"));
    assert_int_equal(weir_request_set_proxy(request, "", NULL), WEIR_OK);
    fetch(pool, request, &out);
    assert_answer(&out, "GET / 0");
    weir_request_free(request);
}

static void test_urls_of_proxies_are_checked(void **state)
{
    weir_pool_options options = test_options();
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;
    weir_error err;

    (void)state;
    options.proxy = "http://user:secret@p.example:x";
    assert_int_equal(weir_pool_open(&options, &pool, &err), WEIR_E_OPTION);
    assert_memory_equal(err.message, "proxy: invalid proxy URL: port at", 33);
    assert_null(strstr(err.message, "secret"));
    open_through(NULL);
    assert_int_equal(weir_request_set_proxy(request, dead_proxy(), NULL),
                     WEIR_OK);
    assert_int_equal(weir_request_set_proxy(request, "p:0", &err), WEIR_E_URL);
    assert_int_equal(err.offset, 2);
    fetch(pool, request, &out); /* as it was before */
    assert_code(&out, WEIR_E_CONNECT);
    weir_request_free(request);
    assert_int_equal(weir_request_set_proxy(NULL, "p", &err), WEIR_E_INVALID);
}

/* --- TLS ----------------------------------------------------------------- */

static void test_the_certificate_of_the_proxy_is_verified(void **state)
{
    struct outcome out;

    (void)state;
    need(misnamed);
    open_through(proxy_url("https://", misnamed));
    get(pool, nginx_url(false, "/102"), &out);
    assert_code(&out, WEIR_E_TLS_VERIFY);
    assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
    get(pool, nginx_url(true, "/102"), &out);
    assert_code(&out, WEIR_E_TLS_VERIFY);
    assert_int_equal(figures_of(pool).open, 0);
}

/* Sessions with the proxy are resumed whatever the origin, and those with the
 * origin only under its own key. */
static void test_rule_7_sessions_with_proxy_and_origin_are_apart(void **state)
{
    weir_pool_options options;
    struct outcome out;

    (void)state;
    need(haproxy);
    options = trusting(proxy_url("https://", haproxy));
    options.enabled = false; /* a new connection each time */
    pool = must_open(&options);
    get(pool, nginx_url(false, "/102"), &out);
    check_file(&out, 102);
    assert_int_equal(figures_of(pool).tls_resumed, 0);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "GET / 0");
    assert_int_equal(figures_of(pool).tls_resumed, 1);
    get(pool, nginx_url(true, "/102"), &out);
    check_file(&out, 102);
    assert_int_equal(figures_of(pool).tls_resumed, 1);
    get(pool, nginx_url(true, "/102"), &out);
    check_file(&out, 102);
    assert_int_equal(figures_of(pool).tls_resumed, 2);
    /* The same origin on another way. */
    get_through("", nginx_url(true, "/102"), &out);
    check_file(&out, 102);
    assert_int_equal(figures_of(pool).tls_resumed, 2);
}

/* What TLS a response came over is said of the origin's alone. */
static void test_tls_with_the_proxy_is_not_that_of_the_response(void **state)
{
    weir_response *response = NULL;
    weir_error err;

    (void)state;
    need(haproxy);
    open_through(proxy_url("https://", haproxy));
    if (weir_get(pool, nginx_url(false, "/102"), &response, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    assert_string_equal(weir_response_tls(response), "");
    weir_response_free(response);
    if (weir_get(pool, nginx_url(true, "/102"), &response, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    assert_memory_equal(weir_response_tls(response), "TLSv1.", 6);
    weir_response_free(response);
}

/* An origin that closes an idle tunnel is noticed, through all of it. */
static void check_stale(const char *proxy)
{
    static const struct origin_step closes[] = {
        O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        O_WAIT(0), O_CLOSE, O_END};
    struct outcome out;
    uint64_t first;

    origin_script(secure, origin_connections(secure), closes);
    open_through(proxy);
    get(pool, origin_url(secure, "/"), &out);
    assert_answer(&out, "hello");
    first = out.connection;
    origin_post(secure, 0);
    while (figures_of(pool).open) {
        /* Without a keeper the next call sees it. */
        if (is_driver("external"))
            break;
        sched_yield();
    }
    origin_post(secure, 0);
    get(pool, origin_url(secure, "/"), &out);
    assert_answer(&out, "hello");
    assert_int_not_equal(out.connection, first);
    weir_pool_close(pool, 0, NULL);
}

static void test_an_idle_tunnel_that_ends_is_noticed(void **state)
{
    (void)state;
    need(haproxy);
    need(dante);
    check_stale(proxy_url("http://", squid));
    check_stale(proxy_url("https://", haproxy));
    check_stale(proxy_url("socks5h://", dante));
}

/* --- both drivers -------------------------------------------------------- */

/* A connection that one driver has dialled serves the other. */
static void test_drivers_share_the_tunnel(void **state)
{
    weir_request *request;
    weir_response *response;
    weir_error err;
    uint64_t first;

    (void)state;
    need(haproxy);
    if (is_driver("external"))
        skip();
    open_through(proxy_url("https://", haproxy));
    request = must_request("GET", nginx_url(true, "/1m"));
    for (unsigned i = 0; i < 6; i++) {
        const weir_status status =
            i % 2 ? weir_fetch(pool, request, &response, &err)
                  : submit_and_wait(pool, request, NULL, NULL, &response, &err);

        if (status != WEIR_OK)
            fail_msg("%s", err.message);
        assert_int_equal(weir_response_body(response).len, 1 << 20);
        if (i == 0)
            first = weir_response_connection(response);
        assert_int_equal(weir_response_connection(response), first);
        weir_response_free(response);
    }
    weir_request_free(request);
}

/* --- the trace ----------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    unsigned agreed;
    bool has_secret;
    char detail[64];
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void watch(void *user, const weir_trace_event *event)
{
    (void)user;
    pthread_mutex_lock(&seen.lock);
    if (event->kind == WEIR_TRACE_PROXY) {
        seen.agreed++;
        snprintf(seen.detail, sizeof seen.detail, "%s", event->detail);
    }
    if (strstr(event->detail, "secret") || strstr(event->origin, "secret"))
        seen.has_secret = true;
    pthread_mutex_unlock(&seen.lock);
}

static void test_the_trace_tells_of_the_tunnel_but_no_secret(void **state)
{
    weir_pool_options options;
    char with[96];
    struct outcome out;

    (void)state;
    need(guarded);
    snprintf(with, sizeof with, "http://" USER "@127.0.0.1:%u",
             peer_port(guarded));
    options = trusting(with);
    options.trace = watch;
    seen.agreed = 0;
    seen.has_secret = false;
    pool = must_open(&options);
    get(pool, nginx_url(false, "/102"), &out);
    check_file(&out, 102);
    assert_int_equal(seen.agreed, 0);
    get(pool, nginx_url(true, "/102"), &out);
    check_file(&out, 102);
    assert_int_equal(seen.agreed, 1);
    assert_string_equal(seen.detail, strchr(with, '@') + 1);
    assert_false(seen.has_secret);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, start_origins, stop_origins)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_squid_forwards_and_tunnels),
        TEST(test_tinyproxy_forwards_and_tunnels),
        TEST(test_dante_tunnels_both),
        TEST(test_dante_takes_addresses_and_names),
        TEST(test_tls_with_the_proxy_and_within_it),
        TEST(test_large_bodies_go_up_all_ways),
        TEST(test_basic_to_squid),
        TEST(test_basic_to_tinyproxy),
        TEST(test_credentials_reach_no_origin),
        TEST(test_rule_1_08_ways_never_share_connections),
        TEST(test_no_proxy_is_honoured),
        TEST(test_the_environment_is_read_only_when_asked_for),
        TEST(test_a_unix_socket_goes_direct),
        TEST(test_an_address_does_not_go_with_a_proxy),
        TEST(test_urls_of_proxies_are_checked),
        TEST(test_the_certificate_of_the_proxy_is_verified),
        TEST(test_rule_7_sessions_with_proxy_and_origin_are_apart),
        TEST(test_tls_with_the_proxy_is_not_that_of_the_response),
        TEST(test_an_idle_tunnel_that_ends_is_noticed),
        TEST(test_drivers_share_the_tunnel),
        TEST(test_the_trace_tells_of_the_tunnel_but_no_secret),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
