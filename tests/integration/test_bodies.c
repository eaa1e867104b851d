/* Bodies in both directions: where a request's comes from and how it is framed,
 * how a response's is handed over, and what happens when both are under way. */
#include "client.h"

#include <stdlib.h>
#include <unistd.h>

#include "certs.h"
#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

enum {
    BIG = 16 << 20 /* more than the sockets between can hold */
};

static const struct origin_step echoes[] = {O_ECHO, O_END};

static char big[BIG];
static struct origin *origin;
static weir_pool *pool;

static int set_up(void **state)
{
    const weir_pool_options options = test_options();

    (void)state;
    origin = origin_start(NULL);
    pool = must_open(&options);
    return origin ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    origin_stop(origin);
    return 0;
}

static int fill_big(void **state)
{
    (void)state;
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)('a' + (i >> 4) % 26);
    return 0;
}

/* --- requests ------------------------------------------------------------ */

struct reader {
    const char *bytes;
    size_t len;
    size_t at;
    size_t step; /* most bytes a call */
    size_t fail_at;
};

static long read_some(void *user, char *buf, size_t cap)
{
    struct reader *reader = user;
    size_t len = reader->len - reader->at;

    if (reader->fail_at && reader->at >= reader->fail_at)
        return -1;
    len = len < cap ? len : cap;
    len = len < reader->step ? len : reader->step;
    memcpy(buf, reader->bytes + reader->at, len);
    reader->at += len;
    return (long)len;
}

static int rewind_reader(void *user)
{
    ((struct reader *)user)->at = 0;
    return 0;
}

static const struct origin_request *last_request(void)
{
    return origin_request(origin, 0, origin_requests(origin, 0) - 1);
}

/* Sends twice, so that the second time begins where a used body begins. */
static void check_sent(weir_request *request, size_t len, const char *framing)
{
    char answer[64];
    struct outcome out;

    snprintf(answer, sizeof answer, "POST /x %zu", len);
    for (unsigned i = 0; i < 2; i++) {
        fetch(pool, request, &out);
        assert_answer(&out, answer);
        assert_non_null(strstr(last_request()->head, framing));
        assert_int_equal(last_request()->body_len, len);
        assert_memory_equal(last_request()->body, big, len);
    }
    assert_int_equal(origin_connections(origin), 1);
    assert_int_equal(origin_pipelined(origin), 0);
}

static const size_t sizes[] = {0, 1, 5, 65535, 65536, 65537, 1 << 20, BIG};

enum {
    SIZES = sizeof sizes / sizeof *sizes
};

static const char *length_field(size_t len, char *buf, size_t cap)
{
    snprintf(buf, cap, "\r\nContent-Length: %zu\r\n", len);
    return buf;
}

static void test_body_from_memory(void **state)
{
    char field[64];

    (void)state;
    for (unsigned i = 0; i < SIZES; i++) {
        weir_request *request = must_request("POST", origin_url(origin, "/x"));

        weir_request_set_body(request, big, sizes[i], NULL);
        check_sent(request, sizes[i],
                   length_field(sizes[i], field, sizeof field));
        weir_request_free(request);
    }
}

static void test_body_copied(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/x"));
    char field[64];
    char *bytes = malloc(1000);

    (void)state;
    assert_non_null(bytes);
    memcpy(bytes, big, 1000);
    assert_int_equal(weir_request_set_body_copy(request, bytes, 1000, NULL),
                     WEIR_OK);
    memset(bytes, 'x', 1000);
    free(bytes);
    check_sent(request, 1000, length_field(1000, field, sizeof field));
    weir_request_free(request);
}

static void test_body_from_a_file(void **state)
{
    char path[] = "/tmp/weir-body-XXXXXX";
    const int fd = mkstemp(path);
    weir_request *request = must_request("POST", origin_url(origin, "/x"));
    char field[64];

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, big, 200000), 200000);
    close(fd);
    assert_int_equal(weir_request_set_body_file(request, path, NULL), WEIR_OK);
    unlink(path);
    check_sent(request, 200000, length_field(200000, field, sizeof field));
    weir_request_free(request);
}

static void test_body_from_an_empty_or_missing_file(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/x"));
    struct outcome out;
    weir_error err;

    (void)state;
    assert_int_equal(
        weir_request_set_body_file(request, "/nonexistent/file", &err),
        WEIR_E_FILE);
    assert_int_not_equal(err.system_code, 0);
    /* No regular file: chunked, and only once. */
    assert_int_equal(weir_request_set_body_file(request, "/dev/null", NULL),
                     WEIR_OK);
    fetch(pool, request, &out);
    assert_answer(&out, "POST /x 0");
    assert_non_null(
        strstr(last_request()->head, "\r\nTransfer-Encoding: chunked\r\n"));
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_BODY);
    weir_request_free(request);
}

static void test_body_from_a_reader_of_known_length(void **state)
{
    char field[64];

    (void)state;
    for (unsigned i = 0; i < SIZES; i++) {
        weir_request *request = must_request("POST", origin_url(origin, "/x"));
        struct reader reader = {big, sizes[i], 0, 60000, 0};

        weir_request_set_body_reader(request, sizes[i], read_some,
                                     rewind_reader, &reader, NULL);
        check_sent(request, sizes[i],
                   length_field(sizes[i], field, sizeof field));
        weir_request_free(request);
    }
}

static void test_body_of_unknown_length_is_chunked(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SIZES; i++) {
        weir_request *request = must_request("POST", origin_url(origin, "/x"));
        struct reader reader = {big, sizes[i], 0, i == 3 ? 7 : 100000, 0};

        weir_request_set_body_reader(request, WEIR_LENGTH_UNKNOWN, read_some,
                                     rewind_reader, &reader, NULL);
        check_sent(request, sizes[i], "\r\nTransfer-Encoding: chunked\r\n");
        assert_null(strstr(last_request()->head, "Content-Length"));
        weir_request_free(request);
    }
}

static void test_a_reader_without_rewind_is_sent_once(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/x"));
    struct reader reader = {big, 5, 0, 5, 0};
    struct outcome out;

    (void)state;
    weir_request_set_body_reader(request, 5, read_some, NULL, &reader, NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "POST /x 5");
    fetch(pool, request, &out);
    assert_code(&out, WEIR_E_BODY);
    assert_false(out.err.may_have_been_processed);
    weir_request_free(request);
    /* Nothing of it was sent: the connection is as good as before. */
    get(pool, origin_url(origin, "/y"), &out);
    assert_answer(&out, "GET /y 0");
}

/* A reader that fails or ends early: what was sent is no whole request, so its
 * connection must not be used again. */
static void check_broken_reader(struct reader *reader, uint64_t length)
{
    weir_request *request = must_request("POST", origin_url(origin, "/x"));
    struct outcome out;

    weir_request_set_body_reader(request, length, read_some, NULL, reader,
                                 NULL);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_code(&out, WEIR_E_BODY);
    assert_int_equal(out.err.error_class, WEIR_CLASS_LOCAL);
    assert_int_equal(out.err.stage, WEIR_STAGE_SEND);
    assert_int_equal(figures_of(pool).open, 0);
    get(pool, origin_url(origin, "/y"), &out);
    assert_answer(&out, "GET /y 0");
    weir_pool_free(pool);
    pool = must_open(NULL);
}

static void test_a_reader_that_fails(void **state)
{
    struct reader at_once = {big, 0, 0, 5, 0};
    struct reader later = {big, 1 << 20, 0, 1000, 500000};
    struct reader chunked = {big, 1 << 20, 0, 1000, 500000};

    (void)state;
    check_broken_reader(&later, 1 << 20);
    check_broken_reader(&chunked, WEIR_LENGTH_UNKNOWN);
    check_broken_reader(&at_once, 5); /* 0 of 5 bytes */
}

static void test_fields_that_belong_to_weir_are_written_once(void **state)
{
    static const char *const names[] = {
        "\r\nHost: ", "\r\nContent-Length: ", "\r\nUser-Agent: "};
    weir_request *request = must_request("POST", origin_url(origin, "/x"));
    struct outcome out;

    (void)state;
    weir_request_set_body(request, big, 5, NULL);
    weir_request_add_field(request, "X-A", "1", NULL);
    weir_request_add_field(request, "X-A", "2", NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "POST /x 5");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        const char *found = strstr(last_request()->head, names[i]);

        assert_non_null(found);
        assert_null(strstr(found + 2, names[i]));
    }
    assert_non_null(strstr(last_request()->head, "\r\nX-A: 1\r\nX-A: 2\r\n"));
    weir_request_free(request);
}

/* --- expect: 100-continue ------------------------------------------------ */

static weir_request *expecting(double wait)
{
    weir_request *request = must_request("PUT", origin_url(origin, "/x"));

    weir_request_set_body(request, "hello", 5, NULL);
    weir_request_set_expect_continue(request, wait, NULL);
    return request;
}

static void test_the_body_waits_for_100_continue(void **state)
{
    static const struct origin_step agrees[] = {
        O_EXPECT_HEAD, O_SEND("HTTP/1.1 100 Continue\r\n\r\n"),
        O_EXPECT_BODY, O_SEND(HELLO),
        O_ECHO,        O_END};
    weir_request *request = expecting(15);
    struct outcome out;

    (void)state;
    origin_script(origin, 0, agrees);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_answer(&out, "hello");
    assert_non_null(
        strstr(last_request()->head, "\r\nExpect: 100-continue\r\n"));
    assert_string_equal(last_request()->body, "hello");
    get(pool, origin_url(origin, "/y"), &out);
    assert_true(out.is_reused);
}

/* Other interim responses do not release it; the end of the wait does. */
static void test_the_body_is_sent_after_the_wait(void **state)
{
    static const struct origin_step silent[] = {
        O_EXPECT_HEAD, O_SEND("HTTP/1.1 103 Early Hints\r\n\r\n"),
        O_EXPECT_BODY, O_SEND(HELLO),
        O_ECHO,        O_END};
    weir_request *request = expecting(0.05);
    struct outcome out;

    (void)state;
    origin_script(origin, 0, silent);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_answer(&out, "hello");
    assert_string_equal(last_request()->body, "hello");
    get(pool, origin_url(origin, "/y"), &out);
    assert_true(out.is_reused);
}

/* --- both ways at once --------------------------------------------------- */

static void upload_big(struct outcome *out)
{
    weir_request *request = must_request("PUT", origin_url(origin, "/x"));

    weir_request_set_body(request, big, BIG, NULL);
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 10, NULL);
    fetch(pool, request, out);
    weir_request_free(request);
}

static void test_interim_responses_during_an_upload(void **state)
{
    static const struct origin_step interim[] = {
        O_EXPECT_HEAD,
        O_SEND("HTTP/1.1 102 Processing\r\n\r\n"),
        O_SEND("HTTP/1.1 103 Early Hints\r\n\r\n"),
        O_EXPECT_BODY,
        O_SEND(HELLO),
        O_ECHO,
        O_END};
    struct outcome out;

    (void)state;
    origin_script(origin, 0, interim);
    upload_big(&out);
    assert_answer(&out, "hello");
    assert_int_equal(last_request()->body_len, BIG);
    get(pool, origin_url(origin, "/y"), &out);
    assert_true(out.is_reused);
}

/* Half a head during the upload is no reason to stop it. */
static void test_a_head_that_begins_during_an_upload(void **state)
{
    static const struct origin_step begins[] = {
        O_EXPECT_HEAD, O_SEND("HTTP/1.1 200 OK\r\nContent-"),
        O_EXPECT_BODY, O_SEND("Length: 5\r\n\r\nhello"),
        O_ECHO,        O_END};
    struct outcome out;

    (void)state;
    origin_script(origin, 0, begins);
    upload_big(&out);
    assert_answer(&out, "hello");
    assert_int_equal(last_request()->body_len, BIG);
}

/* RFC 9112 section 9.6: a server that answers and closes while we still send.
 */
static void test_an_answer_and_a_close_during_an_upload(void **state)
{
    static const struct origin_step refuses[] = {
        O_EXPECT_HEAD,
        O_SEND("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
               "Content-Length: 5\r\n\r\nhello"),
        O_HALF_CLOSE, O_HANG, O_END};
    struct outcome out;

    (void)state;
    origin_script(origin, 0, refuses);
    upload_big(&out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.status, 413);
    assert_string_equal(out.body, "hello");
    assert_int_equal(figures_of(pool).open, 0);
}

/* TLS 1.3 tickets lie in the socket while the first body is sent: readable, but
 * nothing of a response. */
static void test_session_tickets_do_not_stop_an_upload(void **state)
{
    static const struct origin_step slow[] = {
        O_EXPECT_HEAD, O_WAIT(0), O_EXPECT_BODY, O_SEND(HELLO), O_ECHO, O_END};
    weir_pool_options options = test_options();
    char *certs = certs_new();
    struct outcome out;

    (void)state;
    tear_down(state);
    options.verify = false;
    pool = must_open(&options);
    origin = origin_start(&(struct origin_options){.certs = certs});
    origin_script(origin, 0, slow);
    origin_post(origin, 0);
    upload_big(&out);
    assert_answer(&out, "hello");
    assert_int_equal(last_request()->body_len, BIG);
    assert_memory_equal(last_request()->body, big, BIG);
    certs_done(certs);
}

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
            assert_int_equal(set_up(state), 0);
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
    assert_int_equal(reason.len, 2);
    assert_memory_equal(reason.data, "OK", 2);
    assert_int_equal(value.len, 7);
    assert_memory_equal(value.data, "chunked", 7);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_body_from_memory),
        TEST(test_body_copied),
        TEST(test_body_from_a_file),
        TEST(test_body_from_an_empty_or_missing_file),
        TEST(test_body_from_a_reader_of_known_length),
        TEST(test_body_of_unknown_length_is_chunked),
        TEST(test_a_reader_without_rewind_is_sent_once),
        TEST(test_a_reader_that_fails),
        TEST(test_fields_that_belong_to_weir_are_written_once),
        TEST(test_the_body_waits_for_100_continue),
        TEST(test_the_body_is_sent_after_the_wait),
        TEST(test_interim_responses_during_an_upload),
        TEST(test_a_head_that_begins_during_an_upload),
        TEST(test_an_answer_and_a_close_during_an_upload),
        TEST(test_session_tickets_do_not_stop_an_upload),
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

    return cmocka_run_group_tests(tests, fill_big, NULL);
}
