/* Bodies of responses: how they are handed over, what else is lent with them,
 * and what becomes of a response that is given up. */
#include "origin_pool.h"

#include <stdlib.h>

static const struct origin_step echoes[] = {O_ECHO, O_END};

/* --- responses ----------------------------------------------------------- */

static weir_response *send_get(void)
{
    weir_request *request = must_request("GET", origin_url(origin, "/x"));
    weir_response *response = NULL;
    weir_error err;

    if (weir_send(pool, request, &response, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    weir_request_free(request);
    return response;
}

/* Reads to the end in steps of `cap`; returns the bytes. */
static size_t read_all(weir_response *response, size_t cap)
{
    char *buf = malloc(cap);
    size_t total = 0;
    size_t len;
    weir_error err;

    assert_non_null(buf);
    do {
        if (weir_response_read(response, buf, cap, &len, &err) != WEIR_OK)
            fail_msg("%s", err.message);
        assert_true(len <= cap);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(buf[i], (char)('a' + (total + i) % 26));
        total += len;
    } while (len > 0);
    /* The end stays the end. */
    assert_int_equal(weir_response_read(response, buf, cap, &len, NULL),
                     WEIR_OK);
    assert_int_equal(len, 0);
    free(buf);
    return total;
}

#define ALPHABET "abcdefghijklmnopqrstuvwxyz"

static const struct origin_step sized[] = {
    O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 260000\r\n\r\n"),
    O_SEND_MANY(ALPHABET, 10000), O_AGAIN};
static const struct origin_step chunked[] = {
    O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    O_SEND_MANY("1a\r\n" ALPHABET "\r\n", 10000),
    O_SEND("0\r\nX-Sum: 7\r\nX-End: yes\r\n\r\n"), O_AGAIN};
static const struct origin_step singly[] = {
    O_EXPECT,
    O_SEND_SINGLY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                  "\r\n5\r\nabcde\r\n5;x=y\r\nfghij\r\n0\r\n"
                  "A: b\r\n\r\n"),
    O_AGAIN};

static void test_bodies_are_streamed_in_any_step(void **state)
{
    static const size_t steps[] = {1, 2, 1000, 4095, 4096, 5000, 1 << 20};
    static const struct origin_step *const scripts[] = {sized, chunked};

    for (unsigned i = 0; i < 2; i++) {
        if (i > 0) {
            tear_down(state);
            assert_int_equal(set_up_plain(state), 0);
        }
        origin_script(origin, 0, scripts[i]);
        for (unsigned j = 0; j < sizeof steps / sizeof *steps; j++) {
            weir_response *response = send_get();

            assert_int_equal(weir_response_length(response),
                             i == 0 ? 260000 : WEIR_LENGTH_UNKNOWN);
            assert_int_equal(read_all(response, steps[j]), 260000);
            weir_response_free(response);
        }
        assert_int_equal(origin_connections(origin), 1);
    }
}

static void test_a_response_that_comes_byte_by_byte(void **state)
{
    struct outcome out;

    (void)state;
    origin_script(origin, 0, singly);
    for (unsigned i = 0; i < 3; i++) {
        get(pool, origin_url(origin, "/"), &out);
        assert_answer(&out, "abcdefghij");
    }
    assert_int_equal(origin_connections(origin), 1);
}

static void assert_field(weir_field field, const char *name, const char *value)
{
    assert_int_equal(field.name.len, strlen(name));
    assert_memory_equal(field.name.data, name, field.name.len);
    assert_int_equal(field.value.len, strlen(value));
    assert_memory_equal(field.value.data, value, field.value.len);
}

static void test_trailers_are_known_after_the_body(void **state)
{
    weir_response *response;

    (void)state;
    origin_script(origin, 0, chunked);
    response = send_get();
    assert_int_equal(weir_response_trailer_count(response), 0);
    assert_int_equal(read_all(response, 5000), 260000);
    assert_int_equal(weir_response_trailer_count(response), 2);
    assert_field(weir_response_trailer(response, 0), "X-Sum", "7");
    assert_field(weir_response_trailer(response, 1), "X-End", "yes");
    assert_null(weir_response_trailer(response, 2).name.data);
    weir_response_free(response);
    assert_int_equal(weir_get(pool, origin_url(origin, "/"), &response, NULL),
                     WEIR_OK);
    assert_int_equal(weir_response_trailer_count(response), 2);
    assert_int_equal(weir_response_body(response).len, 260000);
    weir_response_free(response);
}

/* What is lent until weir_response_free() must stand still while the body is
 * read. */
static void test_what_is_lent_outlives_the_reading(void **state)
{
    weir_response *response;
    weir_slice reason;
    weir_slice value;

    (void)state;
    origin_script(origin, 0, chunked);
    response = send_get();
    reason = weir_response_reason(response);
    value = weir_response_find(response, "transfer-encoding");
    assert_int_equal(read_all(response, 1000), 260000);
    assert_ptr_equal(weir_response_reason(response).data, reason.data);
    assert_true(reason.len == 2 && memcmp(reason.data, "OK", 2) == 0);
    assert_true(value.len == 7 && memcmp(value.data, "chunked", 7) == 0);
    assert_int_equal(weir_response_field_count(response), 1);
    assert_int_equal(weir_response_version(response), 11);
    weir_response_free(response);
}

static void test_max_body_bounds_a_fetch_but_no_stream(void **state)
{
    static const struct origin_step *const scripts[] = {sized, chunked};

    for (unsigned i = 0; i < 2; i++) {
        weir_pool_options options = test_options();
        weir_response *response;
        struct outcome out;

        tear_down(state);
        options.max_body = 259999;
        origin = origin_start(NULL);
        pool = must_open(&options);
        origin_script(origin, 0, scripts[i]);
        get(pool, origin_url(origin, "/"), &out);
        assert_code(&out, WEIR_E_LIMIT);
        assert_int_equal(out.err.stage, WEIR_STAGE_BODY);
        assert_int_equal(figures_of(pool).open, 0);
        response = send_get();
        assert_int_equal(read_all(response, 5000), 260000);
        weir_response_free(response);
        options.max_body = 260000;
        assert_int_equal(weir_pool_reconfigure(pool, &options, NULL), WEIR_OK);
        get(pool, origin_url(origin, "/"), &out);
        assert_code(&out, WEIR_OK);
        assert_int_equal(out.len, 260000);
    }
}

/* A huge announced length is no reason to take as much memory. */
static void test_an_announced_length_takes_no_memory(void **state)
{
    static const struct origin_step boasts[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n"
               "\r\nhello"),
        O_CLOSE, O_END};
    struct outcome out;

    (void)state;
    origin_script(origin, 0, boasts);
    get(pool, origin_url(origin, "/"), &out);
    assert_code(&out, WEIR_E_LIMIT);
}

static void test_reading_is_for_sent_responses(void **state)
{
    weir_response *response = NULL;
    char buf[8];
    size_t len;

    (void)state;
    assert_int_equal(weir_get(pool, origin_url(origin, "/"), &response, NULL),
                     WEIR_OK);
    assert_int_equal(weir_response_read(response, buf, sizeof buf, &len, NULL),
                     WEIR_E_STATE);
    weir_response_free(response);
    response = send_get();
    assert_int_equal(weir_response_body(response).len, 0);
    assert_int_equal(weir_response_read(response, buf, 0, &len, NULL),
                     WEIR_E_INVALID);
    weir_response_free(response);
}

/* --- responses given up -------------------------------------------------- */

static void test_a_short_rest_is_dropped_and_the_connection_kept(void **state)
{
    weir_response *response = send_get();
    struct outcome out;

    (void)state;
    /* The echo sends head and body at once, so the rest has come. */
    weir_response_free(response);
    get(pool, origin_url(origin, "/y"), &out);
    assert_answer(&out, "GET /y 0");
    assert_true(out.is_reused);
}

static void test_a_long_rest_closes(void **state)
{
    static const struct origin_step endless[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"),
        O_SEND_MANY(ALPHABET, 1000000), O_END};
    weir_response *response;
    struct outcome out;

    (void)state;
    origin_script(origin, 0, endless);
    origin_script(origin, 1, echoes);
    response = send_get();
    weir_response_free(response);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_ABANDONED], 1);
    get(pool, origin_url(origin, "/y"), &out);
    assert_answer(&out, "GET /y 0");
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up_plain, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bodies_are_streamed_in_any_step),
        TEST(test_a_response_that_comes_byte_by_byte),
        TEST(test_trailers_are_known_after_the_body),
        TEST(test_what_is_lent_outlives_the_reading),
        TEST(test_max_body_bounds_a_fetch_but_no_stream),
        TEST(test_an_announced_length_takes_no_memory),
        TEST(test_reading_is_for_sent_responses),
        TEST(test_a_short_rest_is_dropped_and_the_connection_kept),
        TEST(test_a_long_rest_closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
