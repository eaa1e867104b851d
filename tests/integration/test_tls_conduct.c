/* What a TLS server may do once the handshake is over: cut the connection
 * short, ask for another handshake, flood it with tickets, change its
 * certificate, resume (protocol-rules.md, sections 1.9, 2.6 and 7). */
#include "certified.h"
#include "origin_pool.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define FIRST OK "Content-Length: 5\r\n\r\nfirst"
#define NEXT OK "Content-Length: 4\r\n\r\nnext"

enum {
    PATIENCE_S = 10
};

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static const struct origin_step answers_next[] = {O_EXPECT, O_SEND(NEXT),
                                                  O_AGAIN};

static unsigned tried;

static int end(void **state)
{
    printf("# cases tls-conduct %u\n", tried);
    return drop_certs(state);
}

static weir_pool_options patient(void)
{
    weir_pool_options options = trusting();

    options.total_timeout = PATIENCE_S;
    return options;
}

/* A server whose first connection does `first`, and all later ones `rest`. */
static void start(int version, const struct origin_step *first,
                  const struct origin_step *rest)
{
    const weir_pool_options options = patient();

    tear_down(NULL);
    origin = origin_start(
        &(struct origin_options){.certs = certs, .tls_max_version = version});
    assert_non_null(origin);
    if (first)
        origin_script(origin, 0, first);
    if (rest)
        origin_script(origin, 1, rest);
    pool = must_open(&options);
    tried++;
}

static void get_path(const char *path, struct outcome *out)
{
    get(pool, origin_url(origin, path), out);
}

/* The answer is the request's own, on a connection that was made for it. */
static void check_next_is_fresh(void)
{
    struct outcome out;

    get_path("/next", &out);
    assert_answer(&out, "next");
    assert_false(out.is_reused);
    assert_int_equal(origin_connections(origin), 2);
}

/* Until the figures are so, though nobody calls. */
static bool await_closed(weir_close_reason reason)
{
    const double until = seconds_now() + PATIENCE_S;

    while (figures_of(pool).closed[reason] == 0) {
        if (seconds_now() > until)
            return false;
        if (is_driver("external"))
            weir_pool_dispatch(pool, NULL);
        usleep(1000);
    }
    return true;
}

/* --- truncation ---------------------------------------------------------- */

#define CUT(bytes)                                                             \
    {                                                                          \
        O_EXPECT, O_SEND(bytes), O_CUT, O_END                                  \
    }

/* Whoever can cut a TCP connection must not be able to end a body. */
static void test_truncation_is_an_error(void **state)
{
    static const struct {
        struct origin_step steps[4];
        weir_status code;
        weir_stage stage;
        const char *body;
    } cases[] = {
        {CUT("HTTP/1.1 2"), WEIR_E_TRUNCATED, WEIR_STAGE_RESPONSE, ""},
        {CUT(OK "Content-Length: 5\r\n"), WEIR_E_TRUNCATED, WEIR_STAGE_RESPONSE,
         ""},
        {CUT(OK "Content-Length: 5\r\n\r\nfirs"), WEIR_E_TRUNCATED,
         WEIR_STAGE_BODY, "firs"},
        {CUT(OK "\r\nfirst"), WEIR_E_TRUNCATED, WEIR_STAGE_BODY, "first"},
        {CUT(OK "Connection: close\r\n\r\n"), WEIR_E_TRUNCATED, WEIR_STAGE_BODY,
         ""},
        {CUT(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"),
         WEIR_E_TRUNCATED, WEIR_STAGE_BODY, "first"},
        {CUT(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n"),
         WEIR_E_TRUNCATED, WEIR_STAGE_BODY, "first"},
        {CUT("HTTP/1.1 100 Continue\r\n\r\n"), WEIR_E_TRUNCATED,
         WEIR_STAGE_RESPONSE, ""},
        {CUT(""), WEIR_E_RESET, WEIR_STAGE_RESPONSE, ""},
    };

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            weir_request *request;
            struct outcome out;

            start(versions[v], cases[i].steps, answers_next);
            request = must_request("GET", origin_url(origin, "/first"));
            stream(pool, request, &out);
            weir_request_free(request);
            assert_code(&out, cases[i].code);
            assert_int_equal(out.err.stage, cases[i].stage);
            assert_int_equal(out.err.error_class, WEIR_CLASS_PEER);
            assert_true(out.err.may_have_been_processed);
            assert_string_equal(out.body, cases[i].body);
            check_next_is_fresh();
        }
    }
}

/* Where the framing says that all has come, a cut takes nothing away. */
static void test_a_cut_behind_a_whole_response(void **state)
{
    static const struct origin_step cuts[] = {O_EXPECT, O_SEND(FIRST), O_CUT,
                                              O_POST(0), O_END};
    struct outcome out;

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        start(versions[v], cuts, answers_next);
        get_path("/first", &out);
        assert_answer(&out, "first");
        assert_true(origin_wait(origin, 0));
        check_next_is_fresh();
        /* RFC 8446 section 6.1, RFC 5246 section 7.2.1: the session is good. */
        assert_int_equal(origin_resumed(origin), 1);
    }
}

/* It is the connection that is lost, whatever lies over it. */
static void test_a_reset_is_no_failure_of_tls(void **state)
{
    static const struct {
        struct origin_step steps[4];
        weir_status code;
        weir_stage stage;
    } cases[] = {
        {{O_EXPECT, O_RESET, O_END}, WEIR_E_RESET, WEIR_STAGE_RESPONSE},
        {{O_EXPECT, O_SEND(OK "Content-Length: 5\r\n\r\nfirs"), O_RESET, O_END},
         WEIR_E_TRUNCATED,
         WEIR_STAGE_BODY},
    };

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct outcome out;

            start(versions[v], cases[i].steps, answers_next);
            get_path("/first", &out);
            assert_code(&out, cases[i].code);
            assert_int_equal(out.err.error_class, WEIR_CLASS_PEER);
            assert_int_equal(out.err.stage, cases[i].stage);
            assert_int_equal(out.err.system_code, ECONNRESET);
            assert_int_equal(out.err.tls_code, 0);
            check_next_is_fresh();
        }
    }
}

/* --- floods -------------------------------------------------------------- */

/* The keeper closes a connection that is flooded, and counts why; without a
 * keeper the next call does, which looks before it lends. */
static void check_flood(int version, const struct origin_step *floods,
                        bool keeper)
{
    weir_pool_options options = patient();
    struct outcome out;

    start(version, floods, answers_next);
    weir_pool_free(pool);
    options.keeper = keeper;
    pool = must_open(&options);
    get_path("/first", &out);
    assert_answer(&out, "first");
    origin_post(origin, 1);
    if (keeper)
        assert_true(await_closed(WEIR_CLOSE_PROTOCOL));
    else
        assert_true(origin_wait(origin, 0));
    check_next_is_fresh();
    assert_int_equal(figures_of(pool).stale_retries, 0);
}

/* --- renegotiation ------------------------------------------------------- */

/* weir says no; the answer that comes all the same is the request's. */
static void test_renegotiation_before_a_response(void **state)
{
    static const struct origin_step asks[] = {
        O_EXPECT, O_RENEGOTIATE(1), O_SEND(FIRST), O_HANG, O_POST(0), O_END};
    struct outcome out;

    (void)state;
    start(TLS1_2_VERSION, asks, answers_next);
    get_path("/first", &out);
    assert_answer(&out, "first");
    /* OpenSSL's server takes the no for an end. */
    assert_true(origin_wait(origin, 0));
    check_next_is_fresh();
}

static void test_renegotiation_within_a_body(void **state)
{
    static const struct origin_step asks[] = {
        O_EXPECT,
        O_SEND(OK "Content-Length: 5\r\n\r\nfi"),
        O_RENEGOTIATE(1),
        O_SEND("rst"),
        O_HANG,
        O_POST(0),
        O_END};
    struct outcome out;

    (void)state;
    start(TLS1_2_VERSION, asks, answers_next);
    get_path("/first", &out);
    assert_answer(&out, "first");
    assert_true(origin_wait(origin, 0));
    check_next_is_fresh();
}

static void test_renegotiation_of_an_idle_connection(void **state)
{
    static const struct origin_step asks[] = {
        O_EXPECT,  O_SEND(FIRST), O_WAIT(1), O_RENEGOTIATE(1),
        O_POST(2), O_HANG,        O_POST(0), O_END};
    struct outcome out;

    (void)state;
    start(TLS1_2_VERSION, asks, answers_next);
    get_path("/first", &out);
    assert_answer(&out, "first");
    origin_post(origin, 1);
    assert_true(origin_wait(origin, 2));
    get_path("/next", &out);
    assert_answer(&out, "next");
    assert_int_equal(origin_requests_in_all(origin), 2);
}

/* A server that insists gets a no and then sends an alert: said as it is, when
 * the connection was new; and when it had served before, once more elsewhere
 * (design.md, section 4.4). */
static void test_renegotiation_that_is_insisted_on(void **state)
{
    static const struct origin_step at_once[] = {O_EXPECT, O_RENEGOTIATE(1),
                                                 O_RECEIVE, O_END};
    static const struct origin_step later[] = {
        O_EXPECT, O_SEND(FIRST), O_EXPECT, O_RENEGOTIATE(1), O_RECEIVE, O_END};
    struct outcome out;

    (void)state;
    start(TLS1_2_VERSION, at_once, answers_next);
    get_path("/first", &out);
    assert_code(&out, WEIR_E_TLS);
    assert_non_null(strstr(out.err.message, "the peer says: "));
    assert_int_equal(out.err.stage, WEIR_STAGE_RESPONSE);
    assert_true(out.err.may_have_been_processed);
    check_next_is_fresh();

    start(TLS1_2_VERSION, later, answers_next);
    get_path("/first", &out);
    assert_answer(&out, "first");
    get_path("/next", &out);
    assert_answer(&out, "next");
    assert_false(out.is_reused);
    assert_int_equal(figures_of(pool).stale_retries, 1);
}

/* A POST that may have been processed is never sent again. */
static void test_an_alert_does_not_repeat_a_post(void **state)
{
    static const struct origin_step later[] = {
        O_EXPECT, O_SEND(FIRST), O_EXPECT, O_RENEGOTIATE(1), O_RECEIVE, O_END};
    struct outcome out;

    (void)state;
    start(TLS1_2_VERSION, later, answers_next);
    get_path("/first", &out);
    assert_answer(&out, "first");
    fetch_method(pool, "POST", origin_url(origin, "/next"), &out);
    assert_code(&out, WEIR_E_TLS);
    assert_true(out.err.reused);
    assert_true(out.err.may_have_been_processed);
    assert_int_equal(origin_requests_in_all(origin), 2);
}

static void test_a_renegotiation_flood_on_an_idle_connection(void **state)
{
    static const struct origin_step floods[] = {
        O_EXPECT,  O_SEND(FIRST), O_WAIT(1), O_RENEGOTIATE(200),
        O_POST(0), O_STALL,       O_END};

    (void)state;
    check_flood(TLS1_2_VERSION, floods, true);
    check_flood(TLS1_2_VERSION, floods, false);
}

/* Each is declined, and none of them is a part of the body. */
static void test_many_renegotiations_within_a_body(void **state)
{
    static const struct origin_step asks[] = {
        O_EXPECT,
        O_SEND(OK "Content-Length: 5\r\n\r\nfi"),
        O_RENEGOTIATE(200),
        O_SEND("rst"),
        O_HANG,
        O_POST(0),
        O_END};
    struct outcome out;

    (void)state;
    start(TLS1_2_VERSION, asks, answers_next);
    get_path("/first", &out);
    assert_answer(&out, "first");
    assert_true(origin_wait(origin, 0));
    check_next_is_fresh();
    assert_int_equal(origin_handshakes(origin), 2);
}

/* A flood without end is noticed as one, or ends with a time limit like any
 * other answer that does not come to its end. */
static void check_pestered(const struct origin_step *pesters,
                           weir_timeout limit, weir_status ran_out)
{
    const double begun = seconds_now();
    weir_request *request;
    struct outcome out;

    start(TLS1_2_VERSION, pesters, answers_next);
    request = must_request("GET", origin_url(origin, "/first"));
    weir_request_set_timeout(request, limit, 0.5, NULL);
    fetch(pool, request, &out);
    weir_request_free(request);
    if (out.code != WEIR_E_TLS)
        assert_code(&out, ran_out);
    else
        assert_non_null(strstr(out.err.message, "too many records"));
    assert_true(seconds_now() - begun < PATIENCE_S / 2.0);
    check_next_is_fresh();
    assert_int_equal(origin_handshakes(origin), 2);
}

static void test_a_renegotiation_flood_in_place_of_an_answer(void **state)
{
    static const struct origin_step before[] = {O_EXPECT, O_PESTER(20000),
                                                O_END};
    static const struct origin_step within[] = {
        O_EXPECT, O_SEND(OK "Content-Length: 5\r\n\r\nfi"), O_PESTER(20000),
        O_END};

    (void)state;
    check_pestered(before, WEIR_TIMEOUT_FIRST_BYTE, WEIR_E_FIRST_BYTE_TIMEOUT);
    check_pestered(within, WEIR_TIMEOUT_TOTAL, WEIR_E_TOTAL_TIMEOUT);
}

/* --- tickets ------------------------------------------------------------- */

static void test_a_few_tickets_disturb_nobody(void **state)
{
    static const struct origin_step tickets[] = {
        O_EXPECT, O_TICKETS(8), O_SEND(FIRST), O_TICKETS(4), O_POST(0),
        O_EXPECT, O_SEND(NEXT), O_HANG,        O_END};
    struct outcome out;

    (void)state;
    start(TLS1_3_VERSION, tickets, answers_next);
    get_path("/first", &out);
    assert_answer(&out, "first");
    assert_true(origin_wait(origin, 0));
    get_path("/next", &out);
    assert_answer(&out, "next");
    assert_true(out.is_reused);
}

/* Whenever they come: behind a response, while nobody uses the connection, or
 * as it is being lent. */
static void test_tickets_between_requests(void **state)
{
    static const struct origin_step tickets[] = {O_EXPECT, O_SEND(NEXT),
                                                 O_TICKETS(1), O_AGAIN};
    struct outcome out;

    (void)state;
    start(TLS1_3_VERSION, tickets, answers_next);
    for (unsigned i = 0; i < 500; i++) {
        get_path("/next", &out);
        assert_answer(&out, "next");
        assert_int_equal(out.is_reused, i > 0);
        tried++;
    }
    assert_int_equal(origin_connections(origin), 1);
}

static void test_a_ticket_flood_on_an_idle_connection(void **state)
{
    static const struct origin_step floods[] = {
        O_EXPECT, O_SEND(FIRST), O_WAIT(1), O_TICKETS(2000), O_POST(0), O_END};

    (void)state;
    check_flood(TLS1_3_VERSION, floods, true);
    check_flood(TLS1_3_VERSION, floods, false);
}

/* Tickets are no use of a connection: they do not keep it from its idle limit.
 */
static void test_tickets_do_not_prolong_idleness(void **state)
{
    static const struct origin_step drips[] = {
        O_EXPECT,     O_SEND(FIRST), O_WAIT(1),    O_TICKETS(1), O_WAIT(1),
        O_TICKETS(1), O_WAIT(1),     O_TICKETS(1), O_HANG,       O_END};
    weir_pool_options options = patient();
    struct outcome out;
    double begun;

    (void)state;
    start(TLS1_3_VERSION, drips, answers_next);
    weir_pool_free(pool);
    options.idle_timeout = 0.4;
    options.validate_after = 0.01;
    pool = must_open(&options);
    get_path("/first", &out);
    assert_answer(&out, "first");
    begun = seconds_now();
    for (unsigned sent = 0; figures_of(pool).open > 0;) {
        if (sent < 3 && seconds_now() - begun > 0.1 * (sent + 1)) {
            origin_post(origin, 1);
            sent++;
        }
        if (is_driver("external"))
            weir_pool_dispatch(pool, NULL);
        assert_true(seconds_now() - begun < PATIENCE_S);
        usleep(1000);
    }
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_IDLE], 1);
}

/* --- a certificate that changes ------------------------------------------ */

/* Two connections of one pool key: the first goes on, the second is judged by
 * what it is shown. */
static void check_change(int version, const char *cert, weir_status code)
{
    const weir_pool_options options = patient();
    weir_request *request;
    weir_response *held;
    struct outcome out;

    start(version, NULL, NULL);
    weir_pool_free(pool);
    pool = must_open(&options);
    request = must_request("GET", origin_url_of(origin, "localhost", "/1"));
    weir_request_set_address(request, "127.0.0.1", NULL);
    /* Held, so that the next call needs another connection. */
    assert_int_equal(weir_send(pool, request, &held, NULL), WEIR_OK);
    origin_use_cert(origin, cert);
    fetch(pool, request, &out);
    assert_code(&out, code);
    if (code != WEIR_OK) {
        assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
        assert_false(out.err.may_have_been_processed);
        assert_int_equal(origin_requests_in_all(origin), 1);
    }
    assert_int_equal(origin_resumed(origin), 0);
    weir_response_free(held);
    if (code != WEIR_OK) {
        fetch(pool, request, &out); /* the first, which is warm */
        assert_answer(&out, "GET /1 0");
        assert_true(out.is_reused);
    }
    weir_request_free(request);
}

static void test_a_certificate_that_changes(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        check_change(versions[v], "server", WEIR_OK);
        check_change(versions[v], "wrong-name", WEIR_E_TLS_VERIFY);
        check_change(versions[v], "expired", WEIR_E_TLS_VERIFY);
        check_change(versions[v], "self-signed", WEIR_E_TLS_VERIFY);
    }
}

/* --- resumption ---------------------------------------------------------- */

static const struct origin_step closes[] = {
    O_EXPECT, O_SEND(OK "Connection: close\r\nContent-Length: 4\r\n\r\nnext"),
    O_CLOSE, O_END};

/* What sets a request apart from the first; NULL = as that one. */
struct apart {
    const char *host;
    const char *tag;
    const char *local;
    const char *address;
    weir_pool *pool;
};

static void send_apart(const struct apart *apart)
{
    const char *host = apart->host ? apart->host : "localhost";
    weir_pool *of = apart->pool ? apart->pool : pool;
    weir_request *request =
        must_request("GET", origin_url_of(origin, host, "/"));
    struct outcome out;

    weir_request_set_address(
        request, apart->address ? apart->address : "127.0.0.1", NULL);
    if (apart->tag)
        weir_request_set_isolation(request, apart->tag, NULL);
    if (apart->local)
        weir_request_set_local_address(request, apart->local, NULL);
    fetch(of, request, &out);
    assert_answer(&out, "next");
    weir_request_free(request);
}

static void check_resumption(int version)
{
    weir_pool_options options = patient();
    weir_pool *others[4];
    unsigned handshakes = 0;

    start(version, closes, closes);
    others[0] = must_open(&options); /* the same settings, another pool */
    options.verify = false;
    others[1] = must_open(&options);
    options.verify = true;
    options.ca_file = NULL;
    options.ca_path = cert_file("hashed");
    others[2] = must_open(&options);
    options = patient();
    options.tls_min_version = version == TLS1_3_VERSION ? "1.3" : "1.2";
    options.cert_file = cert_file("client-chain.pem");
    others[3] = must_open(&options);
    const struct apart all[] = {
        {.host = "localhost"},   {.host = "example.test"},
        {.host = "a.wild.test"}, {.host = "b.wild.test"},
        {.host = "127.0.0.1"},   {.tag = "one"},
        {.tag = "two"},          {.local = "127.0.0.1"},
        {.local = "127.0.0.2"},  {.pool = others[0]},
        {.pool = others[1]},     {.pool = others[2]},
        {.pool = others[3]},
    };

    /* Each key for the first time: nothing to resume, whoever came before. */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        send_apart(&all[i]);
        handshakes++;
        assert_int_equal(origin_handshakes(origin), handshakes);
        assert_int_equal(origin_resumed(origin), 0);
    }
    /* And each again: its own. */
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        send_apart(&all[i]);
        assert_int_equal(origin_resumed(origin), i + 1);
        tried++;
    }
    for (size_t i = 0; i < 4; i++)
        weir_pool_free(others[i]);
}

static void test_resumption_never_crosses_a_key(void **state)
{
    (void)state;
    check_resumption(TLS1_2_VERSION);
    check_resumption(TLS1_3_VERSION);
}

/* A server that was refused leaves nothing to resume, and what it may have left
 * in a pool that verifies nothing is that pool's. */
static void test_nothing_is_kept_of_who_was_refused(void **state)
{
    struct outcome out;

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        start(versions[v], closes, closes);
        origin_use_cert(origin, "self-signed");
        for (unsigned i = 0; i < 3; i++) {
            get_path("/", &out);
            assert_code(&out, WEIR_E_TLS_VERIFY);
        }
        assert_int_equal(origin_resumed(origin), 0);
        assert_int_equal(origin_requests_in_all(origin), 0);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_truncation_is_an_error),
        TEST(test_a_cut_behind_a_whole_response),
        TEST(test_a_reset_is_no_failure_of_tls),
        TEST(test_renegotiation_before_a_response),
        TEST(test_renegotiation_within_a_body),
        TEST(test_renegotiation_of_an_idle_connection),
        TEST(test_a_renegotiation_flood_on_an_idle_connection),
        TEST(test_many_renegotiations_within_a_body),
        TEST(test_a_renegotiation_flood_in_place_of_an_answer),
        TEST(test_renegotiation_that_is_insisted_on),
        TEST(test_an_alert_does_not_repeat_a_post),
        TEST(test_a_few_tickets_disturb_nobody),
        TEST(test_tickets_between_requests),
        TEST(test_a_ticket_flood_on_an_idle_connection),
        TEST(test_tickets_do_not_prolong_idleness),
        TEST(test_a_certificate_that_changes),
        TEST(test_resumption_never_crosses_a_key),
        TEST(test_nothing_is_kept_of_who_was_refused),
    };

    return cmocka_run_group_tests(tests, make_certs, end);
}
