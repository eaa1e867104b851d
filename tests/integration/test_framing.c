/* protocol-rules.md, section 2, through a socket: what becomes of a response,
 * and whether its connection may be used again.  Every case is fetched whole
 * and streamed, and followed by a second request, which must get the answer
 * that is its own. */
#include "certs.h"
#include "client.h"
#include "origin.h"

#define NEXT "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"

enum after {
    STAYS, /* the server would serve another request */
    CLOSES,
    RESETS,
    CUTS, /* TLS: closes without close_notify */
};

struct trial {
    const char *method; /* NULL = GET */
    const char *response;
    size_t response_len; /* 0 = strlen */
    enum after after;
    bool tls;

    bool strict; /* options; 0 = the default */
    size_t status_line;
    size_t section;
    unsigned fields;

    weir_status code;
    int status;       /* 0 = 200 */
    const char *body; /* or, streamed, what came of it; NULL = "" */
    bool is_kept;     /* the next request uses the connection */
};

static char *certs;

static const struct origin_step answer_next[] = {O_EXPECT, O_SEND(NEXT),
                                                 O_AGAIN};

static int make_certs(void **state)
{
    (void)state;
    certs = certs_new();
    return certs ? 0 : -1;
}

static int drop_certs(void **state)
{
    (void)state;
    certs_done(certs);
    return 0;
}

static struct origin *serve(const struct trial *trial,
                            struct origin_step steps[5])
{
    static const enum origin_verb ends[] = {
        [CLOSES] = ORIGIN_CLOSE, [RESETS] = ORIGIN_RESET, [CUTS] = ORIGIN_CUT};
    const struct origin_step stays[] = {O_EXPECT, O_SEND(NEXT), O_END};
    struct origin *origin = origin_start(
        &(struct origin_options){.certs = trial->tls ? certs : NULL});

    assert_non_null(origin);
    steps[0] = stays[0];
    steps[1] = (struct origin_step){
        ORIGIN_SEND, trial->response,
        trial->response_len ? trial->response_len : strlen(trial->response), 0};
    if (trial->after == STAYS)
        memcpy(steps + 2, stays, sizeof stays);
    else
        steps[2] = (struct origin_step){.verb = ends[trial->after]};
    if (trial->after != STAYS)
        steps[3] = (struct origin_step){.verb = ORIGIN_END};
    origin_script(origin, 0, steps);
    origin_script(origin, 1, answer_next);
    return origin;
}

static weir_pool *open_for(const struct trial *trial)
{
    weir_pool_options options = test_options();
    char path[256];

    options.total_timeout = 10;
    options.strict = trial->strict;
    if (trial->status_line)
        options.max_status_line = trial->status_line;
    if (trial->section)
        options.max_header_bytes = trial->section;
    if (trial->fields)
        options.max_header_fields = trial->fields;
    if (trial->tls)
        options.ca_file = certs_path(certs, "ca.pem", path, sizeof path);
    return must_open(&options);
}

static void check_outcome(const struct trial *trial, const struct outcome *out,
                          bool is_streamed)
{
    assert_code(out, trial->code);
    if (trial->code == WEIR_OK)
        assert_int_equal(out->status, trial->status ? trial->status : 200);
    else
        assert_int_equal(out->err.connection, 1);
    if (trial->code == WEIR_OK || is_streamed)
        assert_string_equal(out->body, trial->body ? trial->body : "");
}

static void check_next(const struct trial *trial, struct origin *origin,
                       weir_pool *pool)
{
    struct outcome next;

    get(pool, origin_url(origin, "/next"), &next);
    assert_answer(&next, "next");
    assert_int_equal(next.is_reused, trial->is_kept);
    assert_int_equal(origin_connections(origin), trial->is_kept ? 1 : 2);
    assert_int_equal(figures_of(pool).stale_retries, 0);
}

static void run(const struct trial *trial, bool is_streamed)
{
    struct origin_step steps[5];
    struct origin *origin = serve(trial, steps);
    weir_pool *pool = open_for(trial);
    weir_request *request = must_request(trial->method ? trial->method : "GET",
                                         origin_url(origin, "/first"));
    struct outcome out;

    (is_streamed ? stream : fetch)(pool, request, &out);
    weir_request_free(request);
    check_outcome(trial, &out, is_streamed);
    check_next(trial, origin, pool);
    weir_pool_free(pool);
    origin_stop(origin);
}

static void check(const struct trial *trial)
{
    run(trial, false);
    run(trial, true);
}

#define CHECK(...) check(&(struct trial){__VA_ARGS__})
#define REFUSED(...) CHECK(.code = WEIR_E_PROTOCOL, .response = __VA_ARGS__)

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

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

/* --- 2.12 to 2.15: the connection ---------------------------------------- */

static void test_rule_2_12_connection_close_closes(void **state)
{
    (void)state;
    CHECK(.body = "hello", .response = OK "Connection: close\r\n"
                                          "Content-Length: 5\r\n\r\nhello");
    CHECK(.body = "hello", .response = OK "Connection: x, CLOSE\r\n"
                                          "Content-Length: 5\r\n\r\nhello");
}

static void test_rule_2_12_http_1_0_closes_without_keep_alive(void **state)
{
    (void)state;
    CHECK(.body = "hello",
          .response = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    CHECK(.body = "hello", .is_kept = true,
          .response = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
                      "Content-Length: 5\r\n\r\nhello");
}

static void
test_rule_2_12_keep_alive_timeout_shortens_the_idle_limit(void **state)
{
    (void)state;
    CHECK(.body = "hello", .is_kept = true,
          .response = OK "Keep-Alive: timeout=60\r\n"
                         "Content-Length: 5\r\n\r\nhello");
    /* Within the margin of 2 s nothing of it is left. */
    CHECK(.body = "hello", .response = OK "Keep-Alive: timeout=2\r\n"
                                          "Content-Length: 5\r\n\r\nhello");
    CHECK(.body = "hello", .response = OK "Keep-Alive: timeout=0\r\n"
                                          "Content-Length: 5\r\n\r\nhello");
}

static void test_rule_2_13_bytes_behind_a_response_are_no_response(void **state)
{
    (void)state;
    CHECK(.body = "hello", .response = OK "Content-Length: 5\r\n\r\nhello"
                                          "HTTP/1.1 200 OK\r\n"
                                          "Content-Length: 4\r\n\r\nevil");
    CHECK(.body = "hello", .response = CHUNKED "5\r\nhello\r\n0\r\n\r\n\r\n");
    CHECK(.status = 204, .response = "HTTP/1.1 204 No Content\r\n\r\nx");
    CHECK(.tls = true, .body = "hello",
          .response = OK "Content-Length: 5\r\n\r\nhello"
                         "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
}

static void check_late_bytes(bool tls)
{
    static const struct origin_step first[] = {
        O_EXPECT,  O_SEND(OK "Content-Length: 5\r\n\r\nhello"),
        O_WAIT(0), O_SEND(OK "Content-Length: 4\r\n\r\nevil"),
        O_POST(1), O_HANG,
        O_END};
    const struct trial trial = {.tls = tls};
    struct origin *origin =
        origin_start(&(struct origin_options){.certs = tls ? certs : NULL});
    weir_pool *pool = open_for(&trial);
    struct outcome out;

    origin_script(origin, 0, first);
    origin_script(origin, 1, answer_next);
    get(pool, origin_url(origin, "/first"), &out);
    assert_answer(&out, "hello");
    origin_post(origin, 0);
    assert_true(origin_wait(origin, 1));
    check_next(&trial, origin, pool);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_UNEXPECTED_DATA], 1);
    weir_pool_free(pool);
    origin_stop(origin);
}

static void test_rule_2_13_bytes_while_idle_are_no_response(void **state)
{
    (void)state;
    check_late_bytes(false);
    check_late_bytes(true);
}

/* The body is far larger than what the sockets between can hold, so it cannot
 * have been sent when the answer comes. */
static void
test_rule_2_14_a_final_response_before_the_body_is_sent(void **state)
{
    static const struct origin_step early[] = {
        O_EXPECT_HEAD, O_SEND(OK "Content-Length: 5\r\n\r\nhello"), O_STALL,
        O_END};
    static char body[16 << 20];
    const struct trial trial = {0};
    struct origin *origin = origin_start(NULL);
    weir_pool *pool = open_for(&trial);
    weir_request *request = must_request("PUT", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    origin_script(origin, 0, early);
    origin_script(origin, 1, answer_next);
    weir_request_set_body(request, body, sizeof body, NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "hello");
    weir_request_free(request);
    check_next(&trial, origin, pool);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_NOT_REUSABLE], 1);
    weir_pool_free(pool);
    origin_stop(origin);
}

static void test_rule_2_14_an_unsent_body_after_expect_continue(void **state)
{
    static const struct origin_step refuse[] = {
        O_EXPECT_HEAD,
        O_SEND("HTTP/1.1 417 Expectation Failed\r\n"
               "Content-Length: 0\r\n\r\n"),
        O_HANG, O_END};
    const struct trial trial = {0};
    struct origin *origin = origin_start(NULL);
    weir_pool *pool = open_for(&trial);
    weir_request *request = must_request("PUT", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    origin_script(origin, 0, refuse);
    origin_script(origin, 1, answer_next);
    weir_request_set_body(request, "hello", 5, NULL);
    weir_request_set_expect_continue(request, 10, NULL);
    fetch(pool, request, &out);
    assert_code(&out, WEIR_OK);
    assert_int_equal(out.status, 417);
    weir_request_free(request);
    check_next(&trial, origin, pool);
    assert_int_equal(origin_request(origin, 0, 0)->body_len, 0);
    weir_pool_free(pool);
    origin_stop(origin);
}

#define INTERIM "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
#define INTERIM_4 INTERIM INTERIM INTERIM INTERIM
#define INTERIM_16 INTERIM_4 INTERIM_4 INTERIM_4 INTERIM_4

static void test_rule_2_15_interim_responses_are_bounded(void **state)
{
    (void)state;
    CHECK(.body = "hello", .is_kept = true,
          .response = INTERIM_16 OK "Content-Length: 5\r\n\r\nhello");
    CHECK(.code = WEIR_E_LIMIT,
          .response = INTERIM_16 INTERIM OK "Content-Length: 5\r\n\r\nhello");
}

static void test_rule_2_15_an_upgrade_that_nobody_asked_for(void **state)
{
    (void)state;
    REFUSED("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
}

/* --- 2.16 to 2.18 -------------------------------------------------------- */

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

static void test_rule_2_17_no_pipelining(void **state)
{
    struct origin *origin = origin_start(NULL);
    weir_pool *pool = must_open(NULL);
    struct outcome out;

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        get(pool, origin_url(origin, "/x"), &out);
        assert_answer(&out, "GET /x 0");
    }
    assert_int_equal(origin_connections(origin), 1);
    assert_int_equal(origin_pipelined(origin), 0);
    weir_pool_free(pool);
    origin_stop(origin);
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
        cmocka_unit_test(test_rule_2_12_connection_close_closes),
        cmocka_unit_test(test_rule_2_12_http_1_0_closes_without_keep_alive),
        cmocka_unit_test(
            test_rule_2_12_keep_alive_timeout_shortens_the_idle_limit),
        cmocka_unit_test(
            test_rule_2_13_bytes_behind_a_response_are_no_response),
        cmocka_unit_test(test_rule_2_13_bytes_while_idle_are_no_response),
        cmocka_unit_test(
            test_rule_2_14_a_final_response_before_the_body_is_sent),
        cmocka_unit_test(test_rule_2_14_an_unsent_body_after_expect_continue),
        cmocka_unit_test(test_rule_2_15_interim_responses_are_bounded),
        cmocka_unit_test(test_rule_2_15_an_upgrade_that_nobody_asked_for),
        cmocka_unit_test(test_rule_2_16_limits),
        cmocka_unit_test(test_rule_2_17_no_pipelining),
        cmocka_unit_test(test_rule_2_18_the_status_line),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
