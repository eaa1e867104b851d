/* Framing decisions, and the decoder's calls (RFC 9112 sections 6 and 7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "http/body.h"

static struct wr_body body;
static struct wr_slice data;
static size_t used;
static weir_error err;

static void begin(int status, struct wr_head_facts facts, bool head_request)
{
    const struct wr_head head = {.status = (uint16_t)status, .facts = facts};

    wr_body_init(&body, &head, head_request);
}

static enum wr_parse_result decode(const char *in, size_t len)
{
    return wr_body_decode(&body, in, len, &used, &data, &err);
}

static const struct wr_head_facts no_facts = {0};
static const struct wr_head_facts length_5 = {.has_length = true,
                                              .content_length = 5};
static const struct wr_head_facts length_0 = {.has_length = true};
static const struct wr_head_facts chunked = {.has_transfer_encoding = true,
                                             .chunked_last = true};
static const struct wr_head_facts gzip = {.has_transfer_encoding = true};

/* Rule 2.1 */
static void test_some_responses_have_no_body(void **state)
{
    static const int statuses[] = {100, 101, 102, 103, 199, 204, 304};

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        begin(statuses[i], length_5, false);
        assert_int_equal(body.framing, WR_FRAMING_NONE);
        begin(statuses[i], chunked, false);
        assert_int_equal(body.framing, WR_FRAMING_NONE);
        assert_true(body.done);
    }
    begin(200, chunked, true);
    assert_int_equal(body.framing, WR_FRAMING_NONE);
    begin(200, no_facts, true);
    assert_int_equal(body.framing, WR_FRAMING_NONE);
    assert_true(body.done);
}

/* Rules 2.4 and 2.6 */
static void test_framing_follows_the_fields(void **state)
{
    (void)state;
    begin(200, length_5, false);
    assert_int_equal(body.framing, WR_FRAMING_LENGTH);
    assert_int_equal(body.left, 5);
    begin(200, length_0, false);
    assert_int_equal(body.framing, WR_FRAMING_NONE);
    assert_true(body.done);
    begin(404, chunked, false);
    assert_int_equal(body.framing, WR_FRAMING_CHUNKED);
    begin(200, gzip, false);
    assert_int_equal(body.framing, WR_FRAMING_CLOSE);
    begin(200, no_facts, false);
    assert_int_equal(body.framing, WR_FRAMING_CLOSE);
    assert_false(body.done);
}

/* Rule 2.13: no byte behind the end is taken. */
static void test_a_length_takes_no_more(void **state)
{
    const char in[] = "helloHTTP/1.1";

    (void)state;
    begin(200, length_5, false);
    assert_int_equal(decode(in, sizeof in - 1), WR_PARSE_DONE);
    assert_int_equal(used, 5);
    assert_ptr_equal(data.data, in);
    assert_int_equal(data.len, 5);
    assert_int_equal(decode(in + 5, 8), WR_PARSE_DONE);
    assert_int_equal(used, 0);
    assert_int_equal(data.len, 0);
}

static void test_no_body_takes_nothing(void **state)
{
    (void)state;
    begin(204, length_5, false);
    assert_int_equal(decode("hello", 5), WR_PARSE_DONE);
    assert_int_equal(used, 0);
    assert_int_equal(data.len, 0);
}

static void test_until_the_close_takes_all(void **state)
{
    (void)state;
    begin(200, no_facts, false);
    assert_int_equal(decode("hello", 5), WR_PARSE_MORE);
    assert_int_equal(used, 5);
    assert_int_equal(data.len, 5);
    assert_int_equal(wr_body_direct(&body), SIZE_MAX);
    wr_body_took(&body, 1000);
    assert_int_equal(decode("more", 4), WR_PARSE_MORE);
    assert_int_equal(data.len, 4);
}

static void test_nothing_comes_of_nothing(void **state)
{
    (void)state;
    begin(200, chunked, false);
    assert_int_equal(decode("", 0), WR_PARSE_MORE);
    assert_int_equal(used, 0);
    assert_int_equal(data.len, 0);
}

/* Each call ends behind a stretch of data; framing before it is passed over. */
static void test_chunks_come_one_by_one(void **state)
{
    const char in[] = "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer";
    const char *at = in;

    (void)state;
    begin(200, chunked, false);
    assert_int_equal(decode(at, sizeof in - 1), WR_PARSE_MORE);
    assert_int_equal(used, 10);
    assert_memory_equal(data.data, "abc", 3);
    assert_int_equal(data.len, 3);
    at += used;
    assert_int_equal(decode(at, (size_t)(in + sizeof in - 1 - at)),
                     WR_PARSE_MORE);
    assert_int_equal(used, 7);
    assert_memory_equal(data.data, "de", 2);
    assert_int_equal(data.len, 2);
    at += used;
    assert_int_equal(decode(at, (size_t)(in + sizeof in - 1 - at)),
                     WR_PARSE_DONE);
    assert_int_equal(used, 5);
    assert_int_equal(data.len, 0);
    assert_true(body.done);
    assert_string_equal(at + used, "Trailer");
}

static void test_large_reads_go_straight_to_the_caller(void **state)
{
    (void)state;
    begin(200, length_5, false);
    assert_int_equal(wr_body_direct(&body), 5);
    wr_body_took(&body, 3);
    assert_int_equal(wr_body_direct(&body), 2);
    assert_false(body.done);
    wr_body_took(&body, 2);
    assert_true(body.done);
    assert_int_equal(wr_body_direct(&body), 0);
}

static void test_large_reads_within_a_chunk(void **state)
{
    (void)state;
    begin(200, chunked, false);
    assert_int_equal(wr_body_direct(&body), 0);
    assert_int_equal(decode("ff\r\n", 4), WR_PARSE_MORE);
    assert_int_equal(used, 4);
    assert_int_equal(wr_body_direct(&body), 255);
    wr_body_took(&body, 200);
    assert_int_equal(decode("01234", 5), WR_PARSE_MORE);
    assert_int_equal(data.len, 5);
    assert_int_equal(wr_body_direct(&body), 50);
    wr_body_took(&body, 50);
    assert_int_equal(wr_body_direct(&body), 0);
    assert_int_equal(decode("\r\n0\r\n\r\n", 7), WR_PARSE_DONE);
    assert_int_equal(used, 5);
    assert_int_equal(wr_body_direct(&body), 0);
}

/* Rules 2.6 and 2.7 */
static void test_what_a_close_means(void **state)
{
    (void)state;
    begin(200, no_facts, false);
    assert_true(wr_body_ends_at_close(&body, true));
    assert_false(wr_body_ends_at_close(&body, false));
    begin(200, length_5, false);
    assert_false(wr_body_ends_at_close(&body, true));
    wr_body_took(&body, 5);
    assert_true(wr_body_ends_at_close(&body, false));
    begin(204, no_facts, false);
    assert_true(wr_body_ends_at_close(&body, false));
    begin(200, chunked, false);
    assert_false(wr_body_ends_at_close(&body, true));
    assert_int_equal(decode("0\r\n", 3), WR_PARSE_DONE);
    assert_false(wr_body_ends_at_close(&body, true));
}

/* Rule 2.8: the offset counts from the bytes of this call. */
static void test_a_bad_chunk_is_shown(void **state)
{
    (void)state;
    begin(200, chunked, false);
    assert_int_equal(decode("5\r\nhello", 8), WR_PARSE_MORE);
    assert_int_equal(decode("\r\nxyz", 5), WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_PROTOCOL);
    assert_int_equal(err.offset, 2);
    assert_string_equal(err.message,
                        "invalid response: chunk at byte 2: found 'x', "
                        "expected a hex digit of a chunk size");
}

static void check_chunk_line(uint64_t size, const char *expected)
{
    char out[18];
    const size_t len = wr_chunk_line(out, size);

    assert_int_equal(len, strlen(expected));
    assert_memory_equal(out, expected, len);
}

static void test_chunk_lines_are_written(void **state)
{
    (void)state;
    check_chunk_line(0, "0\r\n");
    check_chunk_line(9, "9\r\n");
    check_chunk_line(15, "f\r\n");
    check_chunk_line(16, "10\r\n");
    check_chunk_line(0x1f, "1f\r\n");
    check_chunk_line(65536, "10000\r\n");
    check_chunk_line(UINT64_MAX, "ffffffffffffffff\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_some_responses_have_no_body),
        cmocka_unit_test(test_framing_follows_the_fields),
        cmocka_unit_test(test_a_length_takes_no_more),
        cmocka_unit_test(test_no_body_takes_nothing),
        cmocka_unit_test(test_until_the_close_takes_all),
        cmocka_unit_test(test_nothing_comes_of_nothing),
        cmocka_unit_test(test_chunks_come_one_by_one),
        cmocka_unit_test(test_large_reads_go_straight_to_the_caller),
        cmocka_unit_test(test_large_reads_within_a_chunk),
        cmocka_unit_test(test_what_a_close_means),
        cmocka_unit_test(test_a_bad_chunk_is_shown),
        cmocka_unit_test(test_chunk_lines_are_written),
    };

    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
