/* Bodies of requests: where they come from, how they are framed, and what
 * happens when a response comes before they have been sent. */
#include "origin_pool.h"

#include <stdlib.h>
#include <unistd.h>

#include "certs.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

enum {
    BIG = 16 << 20 /* more than the sockets between can hold */
};

static char big[BIG];
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

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up_plain, tear_down)

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
    };

    return cmocka_run_group_tests(tests, fill_big, NULL);
}
