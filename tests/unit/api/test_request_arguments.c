/* What a request refuses, and how it says so: arguments that are missing, and
 * values out of range.  What is refused changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include <weir/weir.h>

static weir_request *request;
static weir_error err;

static long read_nothing(void *user, char *buf, size_t cap)
{
    (void)user;
    (void)buf;
    (void)cap;
    return 0;
}

#define assert_says(call, wanted, words)                                       \
    do {                                                                       \
        memset(&err, 0, sizeof err);                                           \
        assert_int_equal((call), (wanted));                                    \
        assert_int_equal(err.code, (wanted));                                  \
        if (!strstr(err.message, (words)))                                     \
            fail_msg("\"%s\" does not say \"%s\"", err.message, (words));      \
    } while (0)

#define assert_missing(call, name) assert_says(call, WEIR_E_INVALID, name)
#define assert_option(call, words) assert_says(call, WEIR_E_OPTION, words)

static void test_a_request_needs_method_url_and_a_place(void **state)
{
    weir_request *made = NULL;

    (void)state;
    assert_missing(weir_request_new(NULL, "http://a/", &made, &err), "method");
    assert_missing(weir_request_new("GET", NULL, &made, &err), "url");
    assert_missing(weir_request_new("GET", "http://a/", NULL, &err),
                   "ret_request");
    assert_null(made);
}

static void test_setters_need_a_request(void **state)
{
    weir_retry retry;

    (void)state;
    weir_retry_init(&retry);
    assert_missing(weir_request_add_field(NULL, "A", "b", &err), "request");
    assert_missing(weir_request_set_basic(NULL, "a", "b", &err), "request");
    assert_missing(weir_request_set_bearer(NULL, "a", &err), "request");
    assert_missing(weir_request_set_validators(NULL, "\"a\"", NULL, &err),
                   "request");
    assert_missing(weir_request_revalidate(NULL, NULL, &err), "request");
    assert_missing(weir_request_set_body(NULL, "", 0, &err), "request");
    assert_missing(weir_request_set_body_copy(NULL, "", 0, &err), "request");
    assert_missing(weir_request_set_body_file(NULL, "x", &err), "request");
    assert_missing(
        weir_request_set_body_reader(NULL, 0, read_nothing, NULL, NULL, &err),
        "request");
    assert_missing(weir_request_set_expect_continue(NULL, 1, &err), "request");
    assert_missing(weir_request_set_timeout(NULL, WEIR_TIMEOUT_TOTAL, 1, &err),
                   "request");
    assert_missing(weir_request_set_decompress(NULL, true, &err), "request");
    assert_missing(weir_request_set_redirects(NULL, 1, NULL, NULL, &err),
                   "request");
    assert_missing(weir_request_set_retry(NULL, &retry, &err), "request");
    assert_missing(weir_request_set_isolation(NULL, "a", &err), "request");
    assert_missing(weir_request_set_unix_socket(NULL, "/a", &err), "request");
    assert_missing(weir_request_set_address(NULL, "::1", &err), "request");
    assert_missing(weir_request_set_local_address(NULL, "::1", &err),
                   "request");
    assert_missing(weir_request_set_proxy(NULL, "http://a", &err), "request");
    weir_request_set_replayable(NULL, true);
    weir_request_free(NULL);
}

static void test_setters_name_the_argument_that_is_missing(void **state)
{
    (void)state;
    assert_missing(weir_request_add_field(request, NULL, "b", &err), "name");
    assert_missing(weir_request_add_field(request, "A", NULL, &err), "value");
    assert_missing(weir_request_set_basic(request, NULL, "b", &err), "user");
    assert_missing(weir_request_set_basic(request, "a", NULL, &err),
                   "password");
    assert_missing(weir_request_set_bearer(request, NULL, &err), "token");
    assert_missing(weir_request_revalidate(request, NULL, &err), "earlier");
    assert_missing(weir_request_set_body(request, NULL, 1, &err), "bytes");
    assert_missing(weir_request_set_body_copy(request, NULL, 1, &err), "bytes");
    assert_missing(weir_request_set_body_file(request, NULL, &err), "path");
    assert_missing(
        weir_request_set_body_reader(request, 0, NULL, NULL, NULL, &err),
        "read");
}

static void test_credentials_that_cannot_be_sent(void **state)
{
    (void)state;
    assert_says(weir_request_set_basic(request, "a\n", "b", &err), WEIR_E_FIELD,
                "user name at byte 1");
    assert_int_equal(err.offset, 1);
    assert_says(weir_request_set_basic(request, "a", "b\r", &err), WEIR_E_FIELD,
                "password at byte 1");
    assert_says(weir_request_set_basic(request, "a:b", "c", &err), WEIR_E_FIELD,
                "found ':'");
    assert_says(weir_request_set_bearer(request, "", &err), WEIR_E_FIELD,
                "at byte 0");
    assert_says(weir_request_set_bearer(request, "abc=d", &err), WEIR_E_FIELD,
                "at byte 4");
    assert_says(weir_request_set_bearer(request, "a b", &err), WEIR_E_FIELD,
                "at byte 1");
    assert_says(weir_request_add_field(request, "Host", "a b", &err),
                WEIR_E_FIELD, "at byte 1");
}

static void test_values_out_of_range(void **state)
{
    static char long_path[200];

    (void)state;
    memset(long_path, 'a', sizeof long_path - 1);
    assert_option(weir_request_set_timeout(request, (weir_timeout)99, 1, &err),
                  "time limit 99");
    assert_option(
        weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, NAN, &err),
        "expected seconds");
    assert_option(weir_request_set_redirects(request, 101, NULL, NULL, &err),
                  "101");
    assert_option(weir_request_set_redirects(request, -2, NULL, NULL, &err),
                  "-2");
    assert_option(weir_request_set_unix_socket(request, long_path, &err),
                  "199 bytes");
    assert_option(weir_request_set_unix_socket(request, "", &err), "0 bytes");
    assert_option(weir_request_set_address(request, "localhost", &err),
                  "localhost");
    assert_option(weir_request_set_local_address(request, "1.2.3", &err),
                  "1.2.3");
}

static void refuses_retry(const char *name, const weir_retry *retry)
{
    assert_option(weir_request_set_retry(request, retry, &err), name);
}

static void test_policies_out_of_range(void **state)
{
    weir_retry retry;

    (void)state;
#define REFUSED(member, value)                                                 \
    do {                                                                       \
        weir_retry_init(&retry);                                               \
        retry.member = (value);                                                \
        refuses_retry(#member, &retry);                                        \
    } while (0)
    REFUSED(attempts, 0);
    REFUSED(attempts, 101);
    REFUSED(delay, -1);
    REFUSED(delay, NAN);
    REFUSED(backoff, 0.5);
    REFUSED(backoff, 101);
    REFUSED(max_delay, -0.1);
    REFUSED(max_delay, NAN);
    REFUSED(delay, INFINITY);
    REFUSED(max_delay, INFINITY);
    REFUSED(max_delay, -INFINITY);
#undef REFUSED
    retry.max_delay = DBL_MAX;
    retry.delay = DBL_MAX;
    assert_int_equal(weir_request_set_retry(request, &retry, &err), WEIR_OK);
    weir_retry_init(&retry);
    retry.size = 1;
    assert_missing(weir_request_set_retry(request, &retry, &err), "size");
    weir_retry_init(&retry);
    assert_int_equal(weir_request_set_retry(request, &retry, &err), WEIR_OK);
    assert_int_equal(weir_request_set_retry(request, NULL, &err), WEIR_OK);
}

/* What the pool refuses of its retry_… and hedge_… options, a request does. */
static void test_policies_are_those_of_the_pool(void **state)
{
    static const double delays[] = {NAN, INFINITY, -INFINITY, -1,
                                    0,   DBL_MIN,  DBL_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        const weir_status wanted =
            i < 4 ? WEIR_E_OPTION : WEIR_OK; /* the first ones are none */
        weir_pool_options options;
        weir_pool *pool = NULL;
        weir_retry retry;
        weir_hedge hedge;

        weir_pool_options_init(&options);
        options.retry_delay = options.retry_max_delay = delays[i];
        options.hedge_delay = delays[i];
        assert_int_equal(weir_pool_open(&options, &pool, &err), wanted);
        weir_pool_free(pool);
        weir_retry_init(&retry);
        retry.delay = retry.max_delay = delays[i];
        assert_int_equal(weir_request_set_retry(request, &retry, &err), wanted);
        weir_hedge_init(&hedge);
        hedge.delay = delays[i];
        assert_int_equal(weir_request_set_hedge(request, &hedge, &err), wanted);
    }
}

static int make(void **state)
{
    (void)state;
    return weir_request_new("GET", "http://example.org/", &request, NULL) ==
                   WEIR_OK
               ? 0
               : -1;
}

static int drop(void **state)
{
    (void)state;
    weir_request_free(request);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_needs_method_url_and_a_place),
        cmocka_unit_test(test_setters_need_a_request),
        cmocka_unit_test(test_setters_name_the_argument_that_is_missing),
        cmocka_unit_test(test_credentials_that_cannot_be_sent),
        cmocka_unit_test(test_values_out_of_range),
        cmocka_unit_test(test_policies_out_of_range),
        cmocka_unit_test(test_policies_are_those_of_the_pool),
    };

    return cmocka_run_group_tests(tests, make, drop);
}
