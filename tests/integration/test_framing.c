/* protocol-rules.md, section 2, through a socket: rules 2.1 to 2.11, 2.16 and
 * 2.18, what a response is and where it ends. */
#include "trial.h"

/* --- 2.1 to 2.8: where a body ends --------------------------------------- */

static void test_rule_2_01_head_has_no_body(void **state)
{
    (void)state;
    CHECK(.method = "HEAD", .is_kept = true,
          .response = OK "Content-Length: 5\r\n\r\n");
    CHECK(.method = "HEAD", .is_kept = true,
          .response = OK "Transfer-Encoding: chunked\r\n\r\n");
    CHECK(.method = "HEAD", .is_kept = true, .response = OK "\r\n");
}

static void test_rule_2_01_204_and_304_have_no_body(void **state)
{
    (void)state;
    CHECK(.status = 204, .is_kept = true,
          .response = "HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(.status = 304, .is_kept = true,
          .response = "HTTP/1.1 304 Not Modified\r\n"
                      "Content-Length: 1000\r\n\r\n");
}

static void test_rule_2_01_a_body_where_none_may_be_ends_the_reuse(void **state)
{
    (void)state;
    CHECK(.method = "HEAD", .response = OK "Content-Length: 5\r\n\r\nhello");
    CHECK(.status = 304, .response = "HTTP/1.1 304 Not Modified\r\n"
                                     "Content-Length: 5\r\n\r\nhello");
}

static void
test_rule_2_02_transfer_encoding_with_length_is_refused(void **state)
{
    (void)state;
    REFUSED(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
               "5\r\nhello\r\n0\r\n\r\n");
    REFUSED(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
               "5\r\nhello\r\n0\r\n\r\n");
}

static void test_rule_2_03_transfer_encoding_in_http_1_0_closes(void **state)
{
    struct trial trial = {.response = "HTTP/1.0 200 OK\r\n"
                                      "Connection: keep-alive\r\n"
                                      "Transfer-Encoding: chunked\r\n\r\n"
                                      "5\r\nhello\r\n0\r\n\r\n",
                          .body = "hello"};

    (void)state;
    check(&trial);
}

static void
test_rule_2_04_a_last_coding_that_is_not_chunked_reads_to_close(void **state)
{
    (void)state;
    CHECK(.after = CLOSES, .body = "hello",
          .response = OK "Transfer-Encoding: gzip\r\n\r\nhello");
    CHECK(.after = CLOSES, .body = "5\r\nhello\r\n0\r\n\r\n",
          .response = OK "Transfer-Encoding: identity\r\n\r\n"
                         "5\r\nhello\r\n0\r\n\r\n");
}

static void
test_rule_2_04_chunked_twice_or_with_parameters_is_refused(void **state)
{
    (void)state;
    REFUSED(OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n");
    REFUSED(OK "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n");
}

static void test_rule_2_05_an_invalid_length_is_refused(void **state)
{
    (void)state;
    REFUSED(OK "Content-Length: +5\r\n\r\nhello");
    REFUSED(OK "Content-Length: -5\r\n\r\nhello");
    REFUSED(OK "Content-Length: 5 5\r\n\r\nhello");
    REFUSED(OK "Content-Length: 0x5\r\n\r\nhello");
    REFUSED(OK "Content-Length: \r\n\r\n");
    REFUSED(OK "Content-Length: 5, 6\r\n\r\nhello");
    REFUSED(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello");
    REFUSED(OK "Content-Length: 18446744073709551616\r\n\r\nhello");
}

static void test_rule_2_05_a_list_of_identical_lengths_is_one(void **state)
{
    (void)state;
    CHECK(.is_kept = true, .body = "hello",
          .response = OK "Content-Length: 5, 5\r\n\r\nhello");
    CHECK(.is_kept = true, .body = "hello",
          .response = OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
}

static void
test_rule_2_06_a_body_without_framing_ends_with_the_connection(void **state)
{
    (void)state;
    CHECK(.after = CLOSES, .body = "hello", .response = OK "\r\nhello");
    CHECK(.after = CLOSES, .response = OK "\r\n");
    CHECK(.after = CLOSES, .tls = true, .body = "hello",
          .response = OK "\r\nhello");
}

static void test_rule_2_06_tls_without_close_notify_is_truncated(void **state)
{
    (void)state;
    CHECK(.after = CUTS, .tls = true, .code = WEIR_E_TRUNCATED, .body = "hello",
          .response = OK "\r\nhello");
}

static void
test_rule_2_06_a_body_with_framing_needs_no_close_notify(void **state)
{
    (void)state;
    CHECK(.after = CUTS, .tls = true, .body = "hello",
          .response = OK "Content-Length: 5\r\n\r\nhello");
    CHECK(.after = CUTS, .tls = true, .body = "hello",
          .response = CHUNKED "5\r\nhello\r\n0\r\n\r\n");
}

static void test_rule_2_07_short_body_is_truncated_and_closed(void **state)
{
    (void)state;
    CHECK(.after = CLOSES, .code = WEIR_E_TRUNCATED, .body = "hell",
          .response = OK "Content-Length: 5\r\n\r\nhell");
    CHECK(.after = CLOSES, .code = WEIR_E_TRUNCATED, .body = "hello",
          .response = CHUNKED "5\r\nhello\r\n");
    CHECK(.after = CLOSES, .code = WEIR_E_TRUNCATED, .body = "hello",
          .response = CHUNKED "5\r\nhello\r\n0\r\n");
    CHECK(.after = CLOSES, .tls = true, .code = WEIR_E_TRUNCATED,
          .body = "hell", .response = OK "Content-Length: 5\r\n\r\nhell");
}

static void test_rule_2_07_a_short_head_is_truncated(void **state)
{
    (void)state;
    CHECK(.after = CLOSES, .code = WEIR_E_TRUNCATED,
          .response = OK "Content-Length: 5\r\n");
    CHECK(.after = CLOSES, .code = WEIR_E_TRUNCATED, .response = "H");
}

static void test_rule_2_08_chunks(void **state)
{
    (void)state;
    CHECK(.is_kept = true, .body = "hello, world",
          .response = CHUNKED "5\r\nhello\r\n007;a=b\r\n, world\r\n0\r\n\r\n");
    CHECK(.is_kept = true, .body = "hello",
          .response = CHUNKED "5\r\nhello\r\n0\r\nDigest: x\r\n\r\n");
}

static void test_rule_2_08_chunk_framing_is_exact(void **state)
{
    (void)state;
    REFUSED(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n");
    REFUSED(CHUNKED " 5\r\nhello\r\n0\r\n\r\n");
    REFUSED(CHUNKED "-5\r\nhello\r\n0\r\n\r\n");
    REFUSED(CHUNKED "\r\nhello\r\n0\r\n\r\n");
    REFUSED(CHUNKED "11111111111111111\r\nhello\r\n0\r\n\r\n");
    REFUSED(CHUNKED "5\r\nhello!\r\n0\r\n\r\n", .body = "hello");
    REFUSED(CHUNKED "5\r\nhello0\r\n\r\n", .body = "hello");
}

static void test_rule_2_08_a_chunk_extension_is_bounded(void **state)
{
    static char response[200000];
    const size_t begin = strlen(CHUNKED) + 2;

    (void)state;
    memset(response, 'x', sizeof response - 1);
    memcpy(response, CHUNKED "5;", begin);
    REFUSED(response);
}

/* --- 2.9 to 2.11: lines -------------------------------------------------- */

static void test_rule_2_09_bare_cr_is_invalid(void **state)
{
    (void)state;
    REFUSED(OK "A: b\rc\r\nContent-Length: 0\r\n\r\n");
    REFUSED(CHUNKED "5\rhello\r\n0\r\n\r\n");
}

static void test_rule_2_09_bare_lf_in_chunk_framing_is_refused(void **state)
{
    (void)state;
    REFUSED(CHUNKED "5\nhello\r\n0\r\n\r\n");
    REFUSED(CHUNKED "5\r\nhello\n0\r\n\r\n", .body = "hello");
    REFUSED(CHUNKED "5\r\nhello\r\n0\n\r\n", .body = "hello");
}

static void test_rule_2_09_bare_lf_in_a_head_is_taken_and_closes(void **state)
{
    struct trial trial = {.response = "HTTP/1.1 200 OK\nContent-Length: 5\n\n"
                                      "hello",
                          .body = "hello"};

    (void)state;
    check(&trial);
    trial.strict = true;
    trial.code = WEIR_E_PROTOCOL;
    trial.body = NULL;
    check(&trial);
}

static void test_rule_2_10_a_folded_line_is_taken_and_closes(void **state)
{
    struct trial trial = {.response = OK "A: b\r\n c\r\n"
                                         "Content-Length: 5\r\n\r\nhello",
                          .body = "hello"};

    (void)state;
    check(&trial);
    trial.strict = true;
    trial.code = WEIR_E_PROTOCOL;
    trial.body = NULL;
    check(&trial);
}

static void test_rule_2_11_bad_fields_are_refused(void **state)
{
    static const char nul[] = OK "A: b\0c\r\nContent-Length: 0\r\n\r\n";

    (void)state;
    REFUSED(OK "Content-Length : 0\r\n\r\n");
    REFUSED(OK " A: b\r\nContent-Length: 0\r\n\r\n");
    REFUSED(OK "A: b\x01\r\nContent-Length: 0\r\n\r\n");
    REFUSED(nul, .response_len = sizeof nul - 1);
}

/* --- 2.16 and 2.18 -------------------------------------------------------- */

static void test_rule_2_16_limits(void **state)
{
    (void)state;
    CHECK(.code = WEIR_E_LIMIT, .status_line = 64,
          .response = "HTTP/1.1 200 this reason phrase is very much longer than"
                      " a line of sixty-four bytes\r\n"
                      "Content-Length: 0\r\n\r\n");
    CHECK(.code = WEIR_E_LIMIT, .section = 64,
          .response = OK "A: 0123456789012345678901234567890123456789\r\n"
                         "Content-Length: 0\r\n\r\n");
    CHECK(.code = WEIR_E_LIMIT, .fields = 2,
          .response = OK "A: b\r\nA: b\r\nContent-Length: 0\r\n\r\n");
    CHECK(.is_kept = true, .fields = 2,
          .response = OK "A: b\r\nContent-Length: 0\r\n\r\n");
    CHECK(.code = WEIR_E_LIMIT, .fields = 1, .body = "hello",
          .response = CHUNKED "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n");
}

static void test_rule_2_18_the_status_line(void **state)
{
    (void)state;
    CHECK(.is_kept = true, .response = "HTTP/1.1 200 \r\n"
                                       "Content-Length: 0\r\n\r\n");
    CHECK(.is_kept = true, .status = 999,
          .response = "HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n");
    REFUSED("HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n");
    REFUSED("HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n");
    REFUSED("HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n");
    REFUSED("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    REFUSED("HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n");
    REFUSED("http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    REFUSED("SSH-2.0-OpenSSH_9.2\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_2_01_head_has_no_body),
        cmocka_unit_test(test_rule_2_01_204_and_304_have_no_body),
        cmocka_unit_test(
            test_rule_2_01_a_body_where_none_may_be_ends_the_reuse),
        cmocka_unit_test(
            test_rule_2_02_transfer_encoding_with_length_is_refused),
        cmocka_unit_test(test_rule_2_03_transfer_encoding_in_http_1_0_closes),
        cmocka_unit_test(
            test_rule_2_04_a_last_coding_that_is_not_chunked_reads_to_close),
        cmocka_unit_test(
            test_rule_2_04_chunked_twice_or_with_parameters_is_refused),
        cmocka_unit_test(test_rule_2_05_an_invalid_length_is_refused),
        cmocka_unit_test(test_rule_2_05_a_list_of_identical_lengths_is_one),
        cmocka_unit_test(
            test_rule_2_06_a_body_without_framing_ends_with_the_connection),
        cmocka_unit_test(test_rule_2_06_tls_without_close_notify_is_truncated),
        cmocka_unit_test(
            test_rule_2_06_a_body_with_framing_needs_no_close_notify),
        cmocka_unit_test(test_rule_2_07_short_body_is_truncated_and_closed),
        cmocka_unit_test(test_rule_2_07_a_short_head_is_truncated),
        cmocka_unit_test(test_rule_2_08_chunks),
        cmocka_unit_test(test_rule_2_08_chunk_framing_is_exact),
        cmocka_unit_test(test_rule_2_08_a_chunk_extension_is_bounded),
        cmocka_unit_test(test_rule_2_09_bare_cr_is_invalid),
        cmocka_unit_test(test_rule_2_09_bare_lf_in_chunk_framing_is_refused),
        cmocka_unit_test(test_rule_2_09_bare_lf_in_a_head_is_taken_and_closes),
        cmocka_unit_test(test_rule_2_10_a_folded_line_is_taken_and_closes),
        cmocka_unit_test(test_rule_2_11_bad_fields_are_refused),
        cmocka_unit_test(test_rule_2_16_limits),
        cmocka_unit_test(test_rule_2_18_the_status_line),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
