/* The head parser where the corpus (test_corpus.c) does not look: offsets,
 * facts, messages, default limits, and what the parser leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "http/head.h"

static const struct wr_head_limits usual = {8192, 262144, 256, false};

static struct wr_field_ref refs[WR_FIELDS_MAX];
static struct wr_head head;
static weir_error err;
static char block[1 << 19];
static size_t head_len;

static enum wr_parse_result parse_under(const struct wr_head_limits *limits,
                                        const char *text, size_t len)
{
    memcpy(block, text, len);
    memset(&err, 0xff, sizeof err);
    head_len = 0;
    wr_head_init(&head, limits, refs);
    return wr_head_parse(&head, block, len, &head_len, &err);
}

static enum wr_parse_result parse(const char *text)
{
    return parse_under(&usual, text, strlen(text));
}

static void assert_text(struct wr_slice slice, const char *text)
{
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.data, text, slice.len);
}

static void test_offsets_lead_to_names_values_and_reason(void **state)
{
    const char text[] = "HTTP/1.1 200 All right\r\n"
                        "Server:  x \r\n"
                        "Content-Length: 3\r\n"
                        "\r\nabc";

    (void)state;
    assert_int_equal(parse(text), WR_PARSE_DONE);
    assert_int_equal(head_len, sizeof text - 1 - 3);
    assert_int_equal(head.status, 200);
    assert_int_equal(head.version, 11);
    assert_text((struct wr_slice){block + head.reason, head.reason_len},
                "All right");
    assert_int_equal(head.field_count, 2);
    assert_text(wr_field_name(&refs[0], block), "Server");
    assert_text(wr_field_value(&refs[0], block), "x");
    assert_text(wr_field_name(&refs[1], block), "Content-Length");
    assert_text(wr_field_value(&refs[1], block), "3");
}

static void test_facts_begin_empty(void **state)
{
    (void)state;
    assert_int_equal(parse("HTTP/1.1 200 OK\r\nA: b\r\n\r\n"), WR_PARSE_DONE);
    assert_false(head.facts.has_length);
    assert_false(head.facts.has_transfer_encoding);
    assert_false(head.facts.chunked_last);
    assert_false(head.facts.connection_close);
    assert_false(head.facts.connection_keep_alive);
    assert_false(head.facts.lenient);
    assert_int_equal(head.facts.keep_alive_s, UINT32_MAX);
}

static void test_facts_are_gathered(void **state)
{
    (void)state;
    assert_int_equal(parse("HTTP/1.1 200 OK\r\n"
                           "Content-Length: 1234567890123\r\n"
                           "Keep-Alive: timeout=15, max=7\r\n"
                           "Connection: keep-alive, close\r\n\r\n"),
                     WR_PARSE_DONE);
    assert_true(head.facts.has_length);
    assert_int_equal(head.facts.content_length, 1234567890123);
    assert_int_equal(head.facts.keep_alive_s, 15);
    assert_true(head.facts.connection_close);
    assert_true(head.facts.connection_keep_alive);
}

/* Rule 2.3: the facts alone keep the connection from being used again. */
static void test_transfer_encoding_in_http_1_0_closes(void **state)
{
    (void)state;
    assert_int_equal(parse("HTTP/1.0 200 OK\r\n"
                           "Connection: keep-alive\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n"),
                     WR_PARSE_DONE);
    assert_true(head.facts.has_transfer_encoding);
    assert_true(head.facts.chunked_last);
    assert_true(head.facts.connection_close);
}

static void test_a_huge_keep_alive_is_not_none(void **state)
{
    (void)state;
    assert_int_equal(parse("HTTP/1.1 200 OK\r\n"
                           "Keep-Alive: timeout=99999999999999999999\r\n\r\n"),
                     WR_PARSE_DONE);
    assert_true(head.facts.keep_alive_s < UINT32_MAX);
    assert_true(head.facts.keep_alive_s > 86400);
}

/* Rule 2.10: the fold is overwritten in the block, and nothing else is. */
static void test_a_fold_becomes_spaces_in_the_block(void **state)
{
    const char text[] = "HTTP/1.1 204 x\r\nA: b\r\n \t c\r\nD: e\r\n\r\nbody";
    const char after[] = "HTTP/1.1 204 x\r\nA: b     c\r\nD: e\r\n\r\nbody";

    (void)state;
    assert_int_equal(parse(text), WR_PARSE_DONE);
    assert_memory_equal(block, after, sizeof after - 1);
    assert_text(wr_field_value(&refs[0], block), "b     c");
    assert_true(head.facts.lenient);
}

static void test_the_block_may_move_between_calls(void **state)
{
    const char text[] = "HTTP/1.1 204 x\r\nA: b\r\n c\r\n\r\n";
    const size_t len = sizeof text - 1;
    char *place = NULL;

    (void)state;
    wr_head_init(&head, &usual, refs);
    for (size_t n = 1; n <= len; n++) {
        char *next = malloc(n);
        enum wr_parse_result result;

        assert_non_null(next);
        if (place)
            memcpy(next, place, n - 1);
        next[n - 1] = text[n - 1];
        free(place);
        place = next;
        result = wr_head_parse(&head, place, n, &head_len, &err);
        assert_int_equal(result, n < len ? WR_PARSE_MORE : WR_PARSE_DONE);
    }
    assert_text(wr_field_value(&refs[0], place), "b   c");
    free(place);
}

/* What has been parsed is not looked at again: spoil it behind the parser's
 * back, and nothing changes. */
static void test_work_is_not_repeated(void **state)
{
    const char text[] = "HTTP/1.1 204 x\r\nA: b\r\nC: dddddddddddddddd\r\n\r\n";
    const size_t len = sizeof text - 1;
    const size_t line_len = sizeof "HTTP/1.1 204 x\r\nA: b\r\nC" - 1;

    (void)state;
    memcpy(block, text, len);
    wr_head_init(&head, &usual, refs);
    assert_int_equal(wr_head_parse(&head, block, len - 8, &head_len, &err),
                     WR_PARSE_MORE);
    memset(block, '\0', line_len - 1);
    memset(block + line_len + 2, '\0', 4);
    assert_int_equal(wr_head_parse(&head, block, len, &head_len, &err),
                     WR_PARSE_DONE);
    assert_int_equal(head.field_count, 2);
}

static void test_errors_say_what_where_and_what_was_expected(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Type : x\r\n\r\n",
         "invalid response: header field name at byte 29: found 0x20 behind "
         "\"Content-Type\", expected no white space before ':'"},
        {"HTTP/1.1 200 OK\r\nA: b\x01"
         "c\r\n\r\n",
         "invalid response: header field at byte 21: found 0x01, expected a "
         "visible character"},
        {"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
         "invalid response: header field at byte 21: found 0x0d, expected LF "
         "behind it"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 12a\r\nA: b\r\n\r\n",
         "invalid response: Content-Length at byte 35: found 'a' in \"12a\", "
         "expected a digit or ','"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n",
         "invalid response: header field at byte 36: found both Content-Length "
         "and Transfer-Encoding, expected one of them"},
        {"HTTP/3.0 200 OK\r\n",
         "invalid response: status line at byte 5: found '3' in \"HTTP/3\", "
         "expected HTTP/1.0 or HTTP/1.1 and a space"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(cases[i].text), WR_PARSE_ERROR);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.code, WEIR_E_PROTOCOL);
        assert_int_equal(err.error_class, WEIR_CLASS_PEER);
    }
}

static void test_a_specimen_is_short_and_printable(void **state)
{
    char text[512] = "HTTP/1.1 200 OK\r\nContent-Length: 1\xff";
    const size_t used = strlen(text);

    (void)state;
    memset(text + used, '9', 300);
    strcpy(text + used + 300, "\r\n\r\n");
    assert_int_equal(parse(text), WR_PARSE_ERROR);
    assert_non_null(strstr(err.message, "\"1\\xff9999999999999999999999...\""));
}

/* Rule 2.16 */
static void test_limits_are_named(void **state)
{
    static const struct wr_head_limits tight = {20, 30, 2, false};

    (void)state;
    assert_int_equal(parse_under(&tight, "HTTP/1.1 200 OK much too long", 29),
                     WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_LIMIT);
    assert_int_equal(err.offset, 20);
    assert_non_null(strstr(err.message, "status line"));
    assert_int_equal(parse_under(&tight,
                                 "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n"
                                 "\r\n",
                                 37),
                     WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_LIMIT);
    assert_int_equal(err.offset, 29);
    assert_non_null(strstr(err.message, "number of fields"));
    assert_int_equal(
        parse_under(&tight, "HTTP/1.1 200 OK\r\nA: 45678901234567890123456789",
                    46),
        WR_PARSE_MORE);
    assert_int_equal(
        parse_under(&tight,
                    "HTTP/1.1 200 OK\r\nA: 456789012345678901234567890x", 48),
        WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_LIMIT);
    assert_int_equal(err.offset, 47);
    assert_non_null(strstr(err.message, "header section"));
}

/* Rule 2.16 with the default limits, to the byte. */
static void test_the_default_section_limit(void **state)
{
    enum {
        START = sizeof "HTTP/1.1 200 OK\r\n" - 1,
        LIMIT = 262144
    };
    char *text = malloc(START + LIMIT + 8);

    (void)state;
    assert_non_null(text);
    memcpy(text, "HTTP/1.1 200 OK\r\nA:", START + 2);
    memset(text + START + 2, 'x', LIMIT);
    memcpy(text + START + LIMIT - 4, "\r\n\r\n", 4);
    assert_int_equal(parse_under(&usual, text, START + LIMIT), WR_PARSE_DONE);
    assert_int_equal(head_len, START + LIMIT);
    memcpy(text + START + LIMIT - 4, "x\r\n\r\n", 5);
    assert_int_equal(parse_under(&usual, text, START + LIMIT), WR_PARSE_MORE);
    assert_int_equal(parse_under(&usual, text, START + LIMIT + 1),
                     WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_LIMIT);
    assert_int_equal(err.offset, START + LIMIT);
    free(text);
}

static void test_the_most_fields(void **state)
{
    static const struct wr_head_limits most = {8192, 262144, WR_FIELDS_MAX,
                                               false};
    const size_t start = sizeof "HTTP/1.1 200 OK\r\n" - 1;
    size_t len = start;

    (void)state;
    memcpy(block, "HTTP/1.1 200 OK\r\n", start);
    for (int i = 0; i < WR_FIELDS_MAX; i++, len += 6)
        memcpy(block + len, "A: b\r\n", 6);
    memcpy(block + len, "\r\n", 2);
    wr_head_init(&head, &most, refs);
    assert_int_equal(wr_head_parse(&head, block, len + 2, &head_len, &err),
                     WR_PARSE_DONE);
    assert_int_equal(head.field_count, WR_FIELDS_MAX);
    memcpy(block + len, "A: b\r\n\r\n", 8);
    wr_head_init(&head, &most, refs);
    assert_int_equal(wr_head_parse(&head, block, len + 8, &head_len, &err),
                     WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_LIMIT);
    assert_int_equal(err.offset, len);
}

static void test_no_error_is_wanted(void **state)
{
    char text[] = "HTTP/1.1 200 OK\r\n A: b\r\n\r\n";

    (void)state;
    wr_head_init(&head, &usual, refs);
    assert_int_equal(
        wr_head_parse(&head, text, sizeof text - 1, &head_len, NULL),
        WR_PARSE_ERROR);
}

/* Rule 2.8: framing fields in a trailer section change no facts. */
static void test_trailers_have_no_facts(void **state)
{
    char text[] = "Content-Length: 5\r\nConnection: close\r\n\r\n";

    (void)state;
    wr_trailers_init(&head, &usual, refs);
    assert_int_equal(
        wr_head_parse(&head, text, sizeof text - 1, &head_len, &err),
        WR_PARSE_DONE);
    assert_int_equal(head_len, sizeof text - 1);
    assert_int_equal(head.field_count, 2);
    assert_false(head.facts.has_length);
    assert_false(head.facts.connection_close);
}

static void test_an_empty_trailer_section(void **state)
{
    char text[] = "\r\n";

    (void)state;
    wr_trailers_init(&head, &usual, refs);
    assert_int_equal(wr_head_parse(&head, text, 1, &head_len, &err),
                     WR_PARSE_MORE);
    assert_int_equal(wr_head_parse(&head, text, 2, &head_len, &err),
                     WR_PARSE_DONE);
    assert_int_equal(head_len, 2);
    assert_int_equal(head.field_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_lead_to_names_values_and_reason),
        cmocka_unit_test(test_facts_begin_empty),
        cmocka_unit_test(test_facts_are_gathered),
        cmocka_unit_test(test_transfer_encoding_in_http_1_0_closes),
        cmocka_unit_test(test_a_huge_keep_alive_is_not_none),
        cmocka_unit_test(test_a_fold_becomes_spaces_in_the_block),
        cmocka_unit_test(test_the_block_may_move_between_calls),
        cmocka_unit_test(test_work_is_not_repeated),
        cmocka_unit_test(test_errors_say_what_where_and_what_was_expected),
        cmocka_unit_test(test_a_specimen_is_short_and_printable),
        cmocka_unit_test(test_limits_are_named),
        cmocka_unit_test(test_the_default_section_limit),
        cmocka_unit_test(test_the_most_fields),
        cmocka_unit_test(test_no_error_is_wanted),
        cmocka_unit_test(test_trailers_have_no_facts),
        cmocka_unit_test(test_an_empty_trailer_section),
    };

    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
