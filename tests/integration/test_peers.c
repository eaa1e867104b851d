/* Real servers: nginx over TCP, TLS and a Unix socket, and httpbin. */
#include "certified.h"

#include <stdlib.h>

#include "peer.h"

static struct peer *nginx;
static struct peer *httpbin;
static weir_pool *pool;

static int start_peers(void **state)
{
    if (make_certs(state) != 0)
        return -1;
    nginx = peer_start_nginx(certs);
    httpbin = peer_start_httpbin();
    return 0;
}

static int stop_peers(void **state)
{
    peer_stop(nginx);
    peer_stop(httpbin);
    return drop_certs(state);
}

static int set_up(void **state)
{
    weir_pool_options options;

    (void)state;
    weir_pool_options_init(&options);
    options.ca_file = cert_file("ca.pem");
    pool = must_open(&options);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    return 0;
}

static void need(const struct peer *peer)
{
    if (!peer)
        skip();
}

/* --- nginx --------------------------------------------------------------- */

static const struct {
    const char *path;
    size_t len;
} files[] = {
    {"/102", 102}, {"/10k", 10240}, {"/60k.json", 60000}, {"/1m", 1 << 20}};

enum {
    FILES = sizeof files / sizeof *files
};

static void assert_pattern(const char *path, const char *bytes, size_t len)
{
    const size_t lead = strstr(path, ".json") ? 2 : 0; /* [" */

    for (size_t i = lead; i < len - lead; i++) {
        if (bytes[i] != peer_byte(i - lead))
            fail_msg("%s: byte %zu differs", path, i);
    }
}

static void check_fetch(weir_request *request, unsigned file)
{
    weir_response *response = NULL;
    weir_error err;

    if (weir_fetch(pool, request, &response, &err) != WEIR_OK)
        fail_msg("%s: %s", files[file].path, err.message);
    assert_int_equal(weir_response_status(response), 200);
    assert_int_equal(weir_response_body(response).len, files[file].len);
    assert_int_equal(weir_response_length(response), files[file].len);
    assert_pattern(files[file].path, weir_response_body(response).data,
                   files[file].len);
    weir_response_free(response);
}

static void check_stream(weir_request *request, unsigned file)
{
    static char whole[(1 << 20) + 1];
    weir_response *response = NULL;
    size_t total = 0;
    size_t len = 0;
    weir_error err;

    if (weir_send(pool, request, &response, &err) != WEIR_OK)
        fail_msg("%s: %s", files[file].path, err.message);
    do {
        assert_int_equal(weir_response_read(response, whole + total,
                                            sizeof whole - total, &len, &err),
                         WEIR_OK);
        total += len;
    } while (len > 0);
    assert_int_equal(total, files[file].len);
    assert_pattern(files[file].path, whole, total);
    weir_response_free(response);
}

/* All files, several times, on one connection. */
static void check_files(bool tls, bool is_unix)
{
    for (unsigned i = 0; i < 5 * FILES; i++) {
        char url[128];
        weir_request *request =
            must_request("GET", peer_url(nginx, tls, files[i % FILES].path, url,
                                         sizeof url));

        if (is_unix)
            weir_request_set_unix_socket(request, peer_path(nginx), NULL);
        check_fetch(request, i % FILES);
        check_stream(request, i % FILES);
        weir_request_free(request);
    }
    assert_int_equal(figures_of(pool).dialed, 1);
    assert_int_equal(figures_of(pool).idle, 1);
}

static void test_nginx_plain(void **state)
{
    (void)state;
    need(nginx);
    check_files(false, false);
}

static void test_nginx_tls(void **state)
{
    (void)state;
    need(nginx);
    check_files(true, false);
}

static void test_nginx_unix_socket(void **state)
{
    (void)state;
    need(nginx);
    check_files(false, true);
}

static void test_nginx_tells_of_tls_and_peer(void **state)
{
    weir_response *response = NULL;
    char url[128];

    (void)state;
    need(nginx);
    assert_int_equal(weir_get(pool,
                              peer_url(nginx, true, "/102", url, sizeof url),
                              &response, NULL),
                     WEIR_OK);
    assert_non_null(strstr(weir_response_tls(response), "TLSv1.3 TLS_"));
    assert_non_null(strstr(url, weir_response_peer(response)));
    weir_response_free(response);
}

static void test_nginx_that_closes_after_each(void **state)
{
    weir_pool_figures figures;
    struct outcome out;
    char url[128];

    (void)state;
    need(nginx);
    for (unsigned tls = 0; tls < 2; tls++) {
        for (unsigned i = 0; i < 3; i++) {
            get(pool, peer_url(nginx, tls, "/close/102", url, sizeof url),
                &out);
            assert_code(&out, WEIR_OK);
            assert_int_equal(out.len, 102);
            assert_false(out.is_reused);
        }
    }
    assert_int_equal(figures_of(pool).open, 0);
    figures = figures_of(pool);
    assert_int_equal(figures.dialed, 6);
    assert_true(figures.closed[WEIR_CLOSE_NOT_REUSABLE] >= 3);
    /* A TLS session is resumed where there is no connection to be reused. */
    assert_int_equal(figures.tls_resumed, 2);
}

static void test_nginx_errors_and_methods(void **state)
{
    struct outcome out;
    char url[128];

    (void)state;
    need(nginx);
    get(pool, peer_url(nginx, false, "/missing", url, sizeof url), &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.status, 404);
    fetch_method(pool, "HEAD", peer_url(nginx, false, "/1m", url, sizeof url),
                 &out);
    assert_int_equal(out.status, 200);
    assert_int_equal(out.len, 0);
    fetch_method(pool, "DELETE",
                 peer_url(nginx, false, "/102", url, sizeof url), &out);
    assert_int_equal(out.status, 405);
    get(pool, peer_url(nginx, false, "/102", url, sizeof url), &out);
    assert_int_equal(out.len, 102);
    assert_true(out.is_reused);
    assert_int_equal(figures_of(pool).dialed, 1);
}

/* nginx answers before it has read the body, and reads on in silence. */
static void test_nginx_takes_uploads(void **state)
{
    static char body[8 << 20];
    char url[128];

    (void)state;
    need(nginx);
    for (unsigned tls = 0; tls < 2; tls++) {
        weir_request *request = must_request(
            "POST", peer_url(nginx, tls, "/upload", url, sizeof url));
        struct outcome out;

        weir_request_set_body(request, body, sizeof body, NULL);
        for (unsigned i = 0; i < 3; i++) {
            fetch(pool, request, &out);
            assert_code(&out, WEIR_OK);
            assert_int_equal(out.status, 204);
        }
        weir_request_free(request);
        get(pool, peer_url(nginx, tls, "/102", url, sizeof url), &out);
        assert_code(&out, WEIR_OK);
        assert_int_equal(out.len, 102);
    }
}

static void test_nginx_verified_by_name_and_authority(void **state)
{
    weir_request *request;
    struct outcome out;
    char url[128];

    (void)state;
    need(nginx);
    request =
        must_request("GET", peer_url(nginx, true, "/102", url, sizeof url));
    weir_pool_free(pool);
    pool = must_open(NULL); /* the system's authorities do not know it */
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_TLS_VERIFY);
    assert_int_equal(out.err.error_class, WEIR_CLASS_TLS);
    assert_int_not_equal(out.err.tls_code, 0);
    assert_false(out.err.may_have_been_processed);
    weir_request_free(request);
}

/* --- httpbin ------------------------------------------------------------- */

static void bin(const char *method, const char *path, struct outcome *out)
{
    char url[128];

    fetch_method(pool, method, peer_url(httpbin, false, path, url, sizeof url),
                 out);
}

/* JSON with or without a space behind the colon; `value` begins it. */
static void assert_pair(const struct outcome *out, const char *name,
                        const char *value)
{
    char narrow[128];
    char wide[128];

    snprintf(narrow, sizeof narrow, "\"%s\":\"%s", name, value);
    snprintf(wide, sizeof wide, "\"%s\": \"%s", name, value);
    if (!strstr(out->body, narrow) && !strstr(out->body, wide))
        fail_msg("no %s in %s", narrow, out->body);
}

static void test_httpbin_get(void **state)
{
    weir_request *request;
    struct outcome out;
    char url[128];

    (void)state;
    need(httpbin);
    request = must_request(
        "GET", peer_url(httpbin, false, "/get?a=b", url, sizeof url));
    weir_request_add_field(request, "X-Test", "weir works", NULL);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.status, 200);
    assert_pair(&out, "a", "b\"");
    assert_pair(&out, "X-Test", "weir works\"");
    assert_pair(&out, "User-Agent", "weir/" WEIR_VERSION "\"");
}

static void test_httpbin_post_and_put(void **state)
{
    static const char *const methods[] = {"POST", "PUT"};

    (void)state;
    need(httpbin);
    for (unsigned i = 0; i < 2; i++) {
        char url[128];
        char path[8] = "/post";
        weir_request *request;
        struct outcome out;

        if (i == 1)
            strcpy(path, "/put");
        request = must_request(methods[i],
                               peer_url(httpbin, false, path, url, sizeof url));
        weir_request_add_field(request, "Content-Type", "text/plain", NULL);
        weir_request_set_body_copy(request, "hello, bin", 10, NULL);
        fetch(pool, request, &out);
        weir_request_free(request);
        assert_code(&out, WEIR_OK);
        assert_int_equal(out.status, 200);
        assert_pair(&out, "data", "hello, bin\"");
    }
}

/* A pool that follows, decodes and tries again. */
static void open_able_pool(void)
{
    weir_pool_options options = test_options();

    options.max_redirects = 10;
    options.decompress = true;
    options.retry_attempts = 3;
    options.retry_delay = 0.01;
    weir_pool_free(pool);
    pool = must_open(&options);
}

static void test_httpbin_redirects(void **state)
{
    static const char *const paths[] = {
        "/redirect/5", "/relative-redirect/5", "/absolute-redirect/5",
        "/redirect-to?url=%2Fget&status_code=308"};

    (void)state;
    need(httpbin);
    open_able_pool();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct outcome out;

        bin("GET", paths[i], &out);
        assert_code(&out, WEIR_OK);
        assert_int_equal(out.status, 200);
        assert_non_null(strstr(out.body, "/get"));
    }
    assert_int_equal(figures_of(pool).redirects, 16);
}

static void test_httpbin_codings(void **state)
{
    static const char *const paths[][2] = {{"/gzip", "\"gzipped\""},
                                           {"/deflate", "\"deflated\""},
                                           {"/brotli", "\"brotli\""}};

    (void)state;
    need(httpbin);
    open_able_pool();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct outcome out;

        bin("GET", paths[i][0], &out);
        assert_code(&out, WEIR_OK);
        assert_non_null(strstr(out.body, paths[i][1]));
    }
}

static void test_httpbin_retries(void **state)
{
    struct outcome out;

    (void)state;
    need(httpbin);
    open_able_pool();
    bin("GET", "/status/503", &out);
    assert_int_equal(out.status, 503);
    assert_int_equal(figures_of(pool).retries, 2);
    bin("POST", "/status/503", &out);
    assert_int_equal(figures_of(pool).retries, 2);
}

static int status_with(weir_status (*set)(weir_request *), const char *path)
{
    char url[128];
    weir_request *request =
        must_request("GET", peer_url(httpbin, false, path, url, sizeof url));
    struct outcome out;

    if (set)
        assert_int_equal(set(request), WEIR_OK);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_code(&out, WEIR_OK);
    return out.status;
}

static weir_status set_me(weir_request *request)
{
    return weir_request_set_basic(request, "me", "secret", NULL);
}

static weir_status set_token(weir_request *request)
{
    return weir_request_set_bearer(request, "token", NULL);
}

static weir_status set_etag(weir_request *request)
{
    return weir_request_set_validators(request, "\"tag\"", NULL, NULL);
}

static void test_httpbin_credentials_and_validators(void **state)
{
    (void)state;
    need(httpbin);
    assert_int_equal(status_with(NULL, "/basic-auth/me/secret"), 401);
    assert_int_equal(status_with(set_me, "/basic-auth/me/secret"), 200);
    assert_int_equal(status_with(NULL, "/bearer"), 401);
    assert_int_equal(status_with(set_token, "/bearer"), 200);
    assert_int_equal(status_with(NULL, "/etag/tag"), 200);
    assert_int_equal(status_with(set_etag, "/etag/tag"), 304);
}

static void test_httpbin_statuses(void **state)
{
    static const int statuses[] = {204, 304, 418};

    (void)state;
    need(httpbin);
    for (unsigned i = 0; i < 3; i++) {
        struct outcome out;
        char path[16];

        snprintf(path, sizeof path, "/status/%d", statuses[i]);
        bin("GET", path, &out);
        assert_code(&out, WEIR_OK);
        assert_int_equal(out.status, statuses[i]);
        assert_int_equal(out.len > 0, statuses[i] == 418);
    }
}

static void test_httpbin_chunked_stream(void **state)
{
    struct outcome out;
    unsigned lines = 0;

    (void)state;
    need(httpbin);
    bin("GET", "/stream/5", &out);
    assert_code(&out, WEIR_OK);
    for (const char *at = out.body; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 5);
}

static void test_httpbin_bytes(void **state)
{
    struct outcome out;

    (void)state;
    need(httpbin);
    bin("GET", "/stream-bytes/30000?chunk_size=777", &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.len, 30000);
    bin("GET", "/drip?numbytes=5&duration=0.1&delay=0", &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.len, 5);
}

static void test_httpbin_delay_meets_the_first_byte_limit(void **state)
{
    weir_request *request;
    struct outcome out;
    char url[128];

    (void)state;
    need(httpbin);
    request = must_request(
        "GET", peer_url(httpbin, false, "/delay/1", url, sizeof url));
    weir_request_set_timeout(request, WEIR_TIMEOUT_FIRST_BYTE, 0.1, NULL);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_code(&out, WEIR_E_FIRST_BYTE_TIMEOUT);
}

static void test_httpbin_keeps_one_connection(void **state)
{
    struct outcome out;

    (void)state;
    need(httpbin);
    for (unsigned i = 0; i < 5; i++) {
        bin("GET", "/get", &out);
        assert_code(&out, WEIR_OK);
        assert_int_equal(out.is_reused, i > 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nginx_plain),
        TEST(test_nginx_tls),
        TEST(test_nginx_unix_socket),
        TEST(test_nginx_tells_of_tls_and_peer),
        TEST(test_nginx_that_closes_after_each),
        TEST(test_nginx_errors_and_methods),
        TEST(test_nginx_takes_uploads),
        TEST(test_nginx_verified_by_name_and_authority),
        TEST(test_httpbin_get),
        TEST(test_httpbin_post_and_put),
        TEST(test_httpbin_redirects),
        TEST(test_httpbin_codings),
        TEST(test_httpbin_retries),
        TEST(test_httpbin_credentials_and_validators),
        TEST(test_httpbin_statuses),
        TEST(test_httpbin_chunked_stream),
        TEST(test_httpbin_bytes),
        TEST(test_httpbin_delay_meets_the_first_byte_limit),
        TEST(test_httpbin_keeps_one_connection),
    };

    return cmocka_run_group_tests(tests, start_peers, stop_peers);
}
