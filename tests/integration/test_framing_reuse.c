/* protocol-rules.md, section 2, through a socket: rules 2.12 to 2.15 and 2.17,
 * what an exchange leaves behind for the next one. */
#include "trial.h"

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

/* Posts signal 0 of an origin once the head is in. */
static void post_on_response(void *user, weir_call *call,
                             weir_response *response)
{
    (void)call;
    (void)response;
    origin_post((struct origin *)user, 0);
}

static weir_flow pass_body(void *user, weir_call *call, const void *data,
                           size_t len)
{
    (void)user;
    (void)call;
    (void)data;
    (void)len;
    return WEIR_FLOW_ON;
}

/* The head first, then a body that is read where the caller wants it. */
static void read_in_two(weir_pool *pool, struct origin *origin)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_response = post_on_response,
                                           .on_body = pass_body};
    static char buf[65536];
    weir_request *request = must_request("GET", origin_url(origin, "/first"));
    weir_response *response = NULL;
    weir_error err;
    size_t len = 0;

    if (is_driver("blocking")) {
        assert_int_equal(weir_send(pool, request, &response, &err), WEIR_OK);
        origin_post(origin, 0);
        do
            assert_int_equal(
                weir_response_read(response, buf, sizeof buf, &len, &err),
                WEIR_OK);
        while (len > 0);
    } else {
        assert_int_equal(
            submit_and_wait(pool, request, &handlers, origin, &response, &err),
            WEIR_OK);
    }
    weir_response_free(response);
    weir_request_free(request);
}

/* Even a connection that is used again at once, and so is not looked at before
 * it is lent: what came with the end of the response shows when that is read.
 */
static void check_bytes_behind_a_tail(bool tls)
{
    static const struct origin_step first[] = {
        O_EXPECT,  O_SEND(OK "Content-Length: 5\r\n\r\n"),
        O_WAIT(0), O_SEND("hello" OK "Content-Length: 4\r\n\r\nevil"),
        O_ECHO,    O_END};
    struct origin *origin =
        origin_start(&(struct origin_options){.certs = tls ? certs : NULL});
    weir_pool_options options = test_options();
    weir_pool *pool;
    struct outcome out;

    if (tls)
        options.ca_file = cert_file("ca.pem");
    options.validate_after = 3600;
    pool = must_open(&options);
    origin_script(origin, 0, first);
    origin_script(origin, 1, answer_next);
    read_in_two(pool, origin);
    get(pool, origin_url(origin, "/next"), &out);
    assert_answer(&out, "next");
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_UNEXPECTED_DATA], 1);
    weir_pool_free(pool);
    origin_stop(origin);
}

static void test_rule_2_13_bytes_behind_a_tail_are_no_response(void **state)
{
    (void)state;
    check_bytes_behind_a_tail(false);
    check_bytes_behind_a_tail(true);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_2_12_connection_close_closes),
        cmocka_unit_test(test_rule_2_12_http_1_0_closes_without_keep_alive),
        cmocka_unit_test(
            test_rule_2_12_keep_alive_timeout_shortens_the_idle_limit),
        cmocka_unit_test(
            test_rule_2_13_bytes_behind_a_response_are_no_response),
        cmocka_unit_test(test_rule_2_13_bytes_behind_a_tail_are_no_response),
        cmocka_unit_test(test_rule_2_13_bytes_while_idle_are_no_response),
        cmocka_unit_test(
            test_rule_2_14_a_final_response_before_the_body_is_sent),
        cmocka_unit_test(test_rule_2_14_an_unsent_body_after_expect_continue),
        cmocka_unit_test(test_rule_2_15_interim_responses_are_bounded),
        cmocka_unit_test(test_rule_2_15_an_upgrade_that_nobody_asked_for),
        cmocka_unit_test(test_rule_2_17_no_pipelining),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
