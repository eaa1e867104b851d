/* Credentials and validators of a request: which fields they become, what is
 * refused, and conditional requests to a real server. */
#include "nginx.h"
#include "origin_pool.h"

#define ANSWER(fields)                                                         \
    "HTTP/1.1 200 OK\r\n" fields "Content-Length: 4\r\n\r\nbody"

/* How often a line stands in the last request that was sent. */
static unsigned times_sent(weir_request *request, const char *line)
{
    static unsigned sent; /* on the one connection of a test */
    const struct origin_request *seen;
    unsigned times = 0;
    struct outcome out;

    if (origin_requests_in_all(origin) == 0)
        sent = 0;
    fetch(pool, request, &out);
    assert_code(&out, WEIR_OK);
    seen = origin_request(origin, 0, sent++);
    assert_non_null(seen);
    for (const char *at = seen->head; (at = strstr(at, line)) != NULL; at++)
        times++;
    return times;
}

/* --- credentials --------------------------------------------------------- */

static void test_credentials_take_the_place_of_each_other(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    (void)state;
    weir_request_set_basic(request, "Aladdin", "open sesame", NULL);
    assert_int_equal(times_sent(request, "Authorization: Basic "
                                         "QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"),
                     1);
    weir_request_set_basic(request, "u", "", NULL);
    assert_int_equal(times_sent(request, "Authorization: Basic dTo=\r\n"), 1);
    weir_request_set_bearer(request, "mF_9.B5f-4.1JqM==", NULL);
    assert_int_equal(
        times_sent(request, "Authorization: Bearer mF_9.B5f-4.1JqM==\r\n"), 1);
    assert_int_equal(times_sent(request, "Authorization"), 1);
    weir_request_add_field(request, "authorization", "Own x", NULL);
    assert_int_equal(times_sent(request, "authorization: Own x\r\n"), 1);
    assert_int_equal(times_sent(request, "Authorization"), 0);
    weir_request_free(request);
}

static void test_what_is_no_credential(void **state)
{
    static const char *const users[] = {"a:b", "a\nb", "\x7f"};
    static const char *const tokens[] = {"", "=", "a b", "a=b", "a\r\nX: y"};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_error err;

    (void)state;
    weir_request_set_bearer(request, "before", NULL);
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        assert_int_equal(weir_request_set_basic(request, users[i], "p", &err),
                         WEIR_E_FIELD);
    assert_int_equal(weir_request_set_basic(request, "u", "p\r\nX: y", &err),
                     WEIR_E_FIELD);
    assert_int_equal(err.offset, 1);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        assert_int_equal(weir_request_set_bearer(request, tokens[i], &err),
                         WEIR_E_FIELD);
    assert_int_equal(times_sent(request, "Authorization: Bearer before\r\n"),
                     1); /* nothing has changed */
    weir_request_free(request);
}

/* --- validators ---------------------------------------------------------- */

static void test_validators_are_replaced(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    (void)state;
    weir_request_set_validators(request, "\"one\"", "yesterday", NULL);
    assert_int_equal(times_sent(request, "If-None-Match: \"one\"\r\n"), 1);
    assert_int_equal(times_sent(request, "If-Modified-Since: yesterday\r\n"),
                     1);
    weir_request_set_validators(request, "W/\"two\"", NULL, NULL);
    assert_int_equal(times_sent(request, "If-None-Match: W/\"two\"\r\n"), 1);
    assert_int_equal(times_sent(request, "If-"), 1);
    weir_request_set_validators(request, NULL, NULL, NULL);
    assert_int_equal(times_sent(request, "If-"), 0);
    assert_int_equal(
        weir_request_set_validators(request, "a\r\nX: y", NULL, NULL),
        WEIR_E_FIELD);
    weir_request_free(request);
}

/* What the second request says after a first answer with these fields. */
static void revalidates(const char *answer, const char *etag,
                        const char *modified)
{
    static struct origin_step steps[3];
    weir_request *request;
    weir_response *response = NULL;
    const char *head;

    set_up_plain(NULL);
    steps[0] = (struct origin_step)O_EXPECT;
    steps[1] = (struct origin_step){ORIGIN_SEND, answer, strlen(answer), 0};
    steps[2] = (struct origin_step)O_AGAIN;
    origin_script(origin, 0, steps);
    request = must_request("GET", origin_url(origin, "/"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fetch_by_driver(pool, request, &response, NULL),
                         WEIR_OK);
        assert_false(weir_response_is_not_modified(response));
        assert_int_equal(weir_request_revalidate(request, response, NULL),
                         WEIR_OK);
        weir_response_free(response);
    }
    head = origin_request(origin, 0, 1)->head;
    assert_int_equal(strstr(head, "If-None-Match: ") != NULL, etag != NULL);
    assert_int_equal(strstr(head, "If-Modified-Since: ") != NULL,
                     modified != NULL);
    if (etag)
        assert_non_null(strstr(head, etag));
    if (modified)
        assert_non_null(strstr(head, modified));
    weir_request_free(request);
    tear_down(NULL);
}

static void test_what_an_earlier_response_says(void **state)
{
    (void)state;
    revalidates(ANSWER("ETag: \"x\"\r\n"), "If-None-Match: \"x\"\r\n", NULL);
    revalidates(ANSWER("last-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
                NULL, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    revalidates(ANSWER("etag: W/\"y\"\r\nLast-Modified: now\r\n"),
                "If-None-Match: W/\"y\"\r\n", "If-Modified-Since: now\r\n");
    revalidates(ANSWER(""), NULL, NULL);
}

/* --- a real server ------------------------------------------------------- */

static void test_nginx_says_what_has_not_changed(void **state)
{
    weir_request *request;
    weir_response *response = NULL;
    char url[128];

    (void)state;
    need_nginx();
    request =
        must_request("GET", peer_url(nginx, false, "/102", url, sizeof url));
    assert_int_equal(fetch_by_driver(pool, request, &response, NULL), WEIR_OK);
    assert_int_equal(weir_response_body(response).len, 102);
    assert_false(weir_response_is_not_modified(response));
    assert_int_equal(weir_request_revalidate(request, response, NULL), WEIR_OK);
    weir_response_free(response);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fetch_by_driver(pool, request, &response, NULL),
                         WEIR_OK);
        assert_true(weir_response_is_not_modified(response));
        assert_int_equal(weir_response_status(response), 304);
        assert_int_equal(weir_response_body(response).len, 0);
        assert_true(weir_response_is_reused(response));
        weir_response_free(response);
    }
    weir_request_set_validators(request, "\"another\"", NULL, NULL);
    assert_int_equal(fetch_by_driver(pool, request, &response, NULL), WEIR_OK);
    assert_int_equal(weir_response_status(response), 200);
    weir_response_free(response);
    weir_request_free(request);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up_plain, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_credentials_take_the_place_of_each_other),
        TEST(test_what_is_no_credential),
        TEST(test_validators_are_replaced),
        cmocka_unit_test(test_what_an_earlier_response_says),
        TEST(test_nginx_says_what_has_not_changed),
    };

    return cmocka_run_group_tests(tests, start_nginx, stop_nginx);
}
