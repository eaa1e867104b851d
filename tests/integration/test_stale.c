/* design.md 4.4: a reused connection that turns out to be dead.  A request that
 * may be sent twice is sent once more, on a fresh connection, at most once; any
 * other is reported, and the report says whether it can have been processed. */
#include "origin_pool.h"

#include <openssl/ssl.h>
#include <unistd.h>

#include "certs.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* Serves one request, takes a second one and answers it with an end. */
static const struct origin_step dies_on_second[] = {O_EXPECT, O_SEND(HELLO),
                                                    O_EXPECT, O_CLOSE, O_END};
static const struct origin_step resets_on_second[] = {O_EXPECT, O_SEND(HELLO),
                                                      O_EXPECT, O_RESET, O_END};
/* Closes after the first; signal 0 asks for it, 1 says that it has. */
static const struct origin_step closes_while_idle[] = {
    O_EXPECT, O_SEND(HELLO), O_WAIT(0), O_CLOSE, O_POST(1), O_END};
static const struct origin_step resets_while_idle[] = {
    O_EXPECT, O_SEND(HELLO), O_WAIT(0), O_RESET, O_POST(1), O_END};
static const struct origin_step dies_on_first[] = {O_EXPECT, O_CLOSE, O_END};
static const struct origin_step echoes[] = {O_ECHO, O_END};

/* A pool that trusts every connection, as one within the bypass window. */
static int set_up(void **state)
{
    weir_pool_options options = test_options();

    (void)state;
    options.validate_after = 3600;
    if (start_both(NULL, &options) != 0)
        return -1;
    origin_script(origin, 1, echoes);
    return 0;
}

/* Leaves a connection in the pool that runs `steps`. */
static void warm_up(const struct origin_step *steps)
{
    struct outcome out;

    origin_script(origin, 0, steps);
    get(pool, origin_url(origin, "/"), &out);
    assert_answer(&out, "hello");
}

static void kill_idle(void)
{
    origin_post(origin, 0);
    assert_true(origin_wait(origin, 1));
}

/* A loop may notice the close before it lends the connection again. */
static void assert_stale_once(const weir_pool_figures *figures)
{
    assert_in_range(figures->stale_retries, is_driver("blocking"), 1);
}

static void assert_replayed(const struct outcome *out, const char *answer)
{
    const weir_pool_figures figures = figures_of(pool);

    assert_answer(out, answer);
    assert_false(out->is_reused);
    assert_int_equal(out->connection, 2);
    assert_int_equal(origin_connections(origin), 2);
    assert_stale_once(&figures);
    assert_int_equal(figures.failures, 0);
    assert_int_equal(figures.requests, 2);
    assert_int_equal(figures.open, 1);
    assert_int_equal(figures.closed[WEIR_CLOSE_PEER_CLOSED], 1);
}

static void assert_reported(const struct outcome *out)
{
    const weir_pool_figures figures = figures_of(pool);

    assert_code(out, WEIR_E_RESET);
    assert_true(out->err.reused);
    assert_true(out->err.may_have_been_processed);
    assert_int_equal(out->err.connection, 1);
    assert_int_equal(out->err.stage, WEIR_STAGE_RESPONSE);
    assert_int_equal(origin_connections(origin), 1);
    assert_int_equal(figures.stale_retries, 0);
    assert_int_equal(figures.failures, 1);
    assert_int_equal(figures.open, 0);
}

/* --- requests that may be sent twice ------------------------------------- */

static void
test_idempotent_methods_are_replayed_on_a_fresh_connection(void **state)
{
    static const char *const methods[] = {"GET",     "HEAD",  "PUT",
                                          "OPTIONS", "TRACE", "DELETE"};

    for (unsigned i = 0; i < sizeof methods / sizeof *methods; i++) {
        char answer[64];
        struct outcome out;

        if (i > 0) {
            tear_down(state);
            assert_int_equal(set_up(state), 0);
        }
        warm_up(dies_on_second);
        fetch_method(pool, methods[i], origin_url(origin, "/x"), &out);
        snprintf(answer, sizeof answer, "%s /x 0", methods[i]);
        assert_replayed(&out, i == 1 ? "" : answer);
    }
}

static void test_a_reset_is_as_good_as_a_close(void **state)
{
    struct outcome out;

    (void)state;
    warm_up(resets_on_second);
    get(pool, origin_url(origin, "/x"), &out);
    assert_replayed(&out, "GET /x 0");
}

static void test_closed_while_idle_within_the_bypass_window(void **state)
{
    struct outcome out;

    (void)state;
    warm_up(closes_while_idle);
    kill_idle();
    get(pool, origin_url(origin, "/x"), &out);
    assert_replayed(&out, "GET /x 0");
}

static void test_replayed_at_most_once(void **state)
{
    struct outcome out;

    (void)state;
    warm_up(dies_on_second);
    origin_script(origin, 1, dies_on_first);
    get(pool, origin_url(origin, "/x"), &out);
    assert_code(&out, WEIR_E_RESET);
    assert_false(out.err.reused);
    assert_true(out.err.may_have_been_processed);
    assert_int_equal(out.err.connection, 2);
    assert_int_equal(origin_connections(origin), 2);
    assert_int_equal(figures_of(pool).stale_retries, 1);
    assert_int_equal(figures_of(pool).failures, 1);
    assert_int_equal(figures_of(pool).open, 0);
}

static void test_a_fresh_connection_that_dies_is_not_stale(void **state)
{
    struct outcome out;

    (void)state;
    origin_script(origin, 0, dies_on_first);
    get(pool, origin_url(origin, "/x"), &out);
    assert_code(&out, WEIR_E_RESET);
    assert_false(out.err.reused);
    assert_int_equal(origin_connections(origin), 1);
    assert_int_equal(figures_of(pool).stale_retries, 0);
}

/* One byte of a response, and it is no stale connection any more. */
static void test_a_response_that_has_begun_is_never_replayed(void **state)
{
    static const struct origin_step half[] = {
        O_EXPECT, O_SEND(HELLO), O_EXPECT, O_SEND("H"), O_CLOSE, O_END};
    struct outcome out;

    (void)state;
    warm_up(half);
    get(pool, origin_url(origin, "/x"), &out);
    assert_code(&out, WEIR_E_TRUNCATED);
    assert_true(out.err.may_have_been_processed);
    assert_int_equal(origin_connections(origin), 1);
    assert_int_equal(figures_of(pool).stale_retries, 0);
}

/* The server is gone for good: the report is that of the second try, but the
 * first may have been processed. */
static void test_a_replay_that_cannot_connect(void **state)
{
    weir_request *request;
    struct outcome out;

    (void)state;
    origin_stop(origin);
    origin = origin_start(&(struct origin_options){.family = ORIGIN_UNIX});
    assert_non_null(origin);
    origin_script(origin, 0, dies_on_second);
    request = must_request("GET", origin_url(origin, "/"));
    weir_request_set_unix_socket(request, origin_path(origin), NULL);
    fetch(pool, request, &out);
    assert_answer(&out, "hello");
    assert_int_equal(unlink(origin_path(origin)), 0);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_code(&out, WEIR_E_CONNECT);
    assert_int_equal(out.err.stage, WEIR_STAGE_CONNECT);
    assert_int_equal(figures_of(pool).open, 0);
    assert_true(out.err.may_have_been_processed);
}

/* --- requests that may not ----------------------------------------------- */

static void test_a_post_is_reported(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/x"));
    struct outcome out;

    (void)state;
    warm_up(dies_on_second);
    weir_request_set_body(request, "hello", 5, NULL);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_reported(&out);
    assert_int_equal(origin_requests(origin, 0), 2);
}

static void test_a_post_marked_replayable_is_replayed(void **state)
{
    weir_request *request = must_request("POST", origin_url(origin, "/x"));
    struct outcome out;

    (void)state;
    warm_up(dies_on_second);
    weir_request_set_body(request, "hello", 5, NULL);
    weir_request_set_replayable(request, true);
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_replayed(&out, "POST /x 5");
    assert_string_equal(origin_request(origin, 1, 0)->body, "hello");
}

/* The reset has come before the first byte is written, so that none of it can
 * have reached the server: replayed, whatever the method. */
static void test_a_post_of_which_no_byte_was_written_is_replayed(void **state)
{
    struct outcome out;

    (void)state;
    warm_up(resets_while_idle);
    kill_idle();
    fetch_method(pool, "POST", origin_url(origin, "/x"), &out);
    assert_replayed(&out, "POST /x 0");
}

/* --- bodies -------------------------------------------------------------- */

struct source {
    const char *text;
    size_t at;
    unsigned rewinds;
    int rewind_result;
};

static long read_source(void *user, char *buf, size_t cap)
{
    struct source *source = user;
    const size_t left = strlen(source->text) - source->at;
    const size_t len = left < cap ? left : cap;

    memcpy(buf, source->text + source->at, len);
    source->at += len;
    return (long)len;
}

static int rewind_source(void *user)
{
    struct source *source = user;

    source->rewinds++;
    source->at = 0;
    return source->rewind_result;
}

static void put_source(struct source *source, weir_body_rewind_fn rewind_fn,
                       struct outcome *out)
{
    weir_request *request = must_request("PUT", origin_url(origin, "/x"));

    weir_request_set_body_reader(request, 5, read_source, rewind_fn, source,
                                 NULL);
    fetch(pool, request, out);
    weir_request_free(request);
}

static void test_a_body_that_can_rewind_is_sent_again(void **state)
{
    struct source source = {.text = "hello"};
    struct outcome out;

    (void)state;
    warm_up(dies_on_second);
    put_source(&source, rewind_source, &out);
    assert_replayed(&out, "PUT /x 5");
    assert_int_equal(source.rewinds, 1);
    assert_string_equal(origin_request(origin, 1, 0)->body, "hello");
}

static void test_a_body_that_cannot_rewind_is_reported(void **state)
{
    struct source source = {.text = "hello"};
    struct outcome out;

    (void)state;
    warm_up(dies_on_second);
    put_source(&source, NULL, &out);
    assert_reported(&out);
}

static void test_a_rewind_that_fails_ends_the_call(void **state)
{
    struct source source = {.text = "hello", .rewind_result = -1};
    struct outcome out;

    (void)state;
    warm_up(dies_on_second);
    put_source(&source, rewind_source, &out);
    assert_code(&out, WEIR_E_BODY);
    assert_int_equal(out.err.error_class, WEIR_CLASS_LOCAL);
    assert_int_equal(origin_requests_in_all(origin), 2);
    /* The first try has reached a server. */
    assert_true(out.err.may_have_been_processed);
    assert_int_equal(figures_of(pool).leased, 0);
}

/* --- found before it is lent --------------------------------------------- */

static void check_found_by_the_peek(const struct origin_step *steps)
{
    const weir_pool_options careful = test_options();
    weir_pool_figures figures;
    struct outcome out;
    weir_error err;

    assert_int_equal(weir_pool_reconfigure(pool, &careful, &err), WEIR_OK);
    warm_up(steps);
    kill_idle();
    fetch_method(pool, "POST", origin_url(origin, "/x"), &out);
    assert_answer(&out, "POST /x 0");
    assert_false(out.is_reused);
    figures = figures_of(pool);
    assert_int_equal(figures.stale_retries, 0);
    assert_int_equal(figures.failures, 0);
    assert_int_equal(figures.open, 1);
    assert_int_equal(figures.closed[WEIR_CLOSE_PEER_CLOSED], 1);
    assert_int_equal(origin_requests(origin, 0), 1);
}

static void test_a_close_while_idle_is_found_by_the_peek(void **state)
{
    (void)state;
    check_found_by_the_peek(closes_while_idle);
}

static void test_a_reset_while_idle_is_found_by_the_peek(void **state)
{
    (void)state;
    check_found_by_the_peek(resets_while_idle);
}

/* --- over TLS ------------------------------------------------------------ */

static const struct origin_step cuts_while_idle[] = {
    O_EXPECT, O_SEND(HELLO), O_WAIT(0), O_CUT, O_POST(1), O_END};

/* The idle connection ends with close_notify, without, and with a reset. */
static void check_over_tls(void **state, bool is_careful)
{
    static const struct origin_step *const scripts[] = {
        closes_while_idle, cuts_while_idle, resets_while_idle};
    char *certs = certs_new();

    assert_non_null(certs);
    for (unsigned i = 0; i < 6; i++) {
        const struct origin_options server = {
            .certs = certs, .tls_max_version = i < 3 ? 0 : TLS1_2_VERSION};
        weir_pool_options options = test_options();
        weir_pool_figures figures;
        struct outcome out;

        tear_down(state);
        origin = origin_start(&server);
        assert_non_null(origin);
        options.verify = false;
        options.validate_after = is_careful ? 0 : 3600;
        pool = must_open(&options);
        origin_script(origin, 1, echoes);
        warm_up(scripts[i % 3]);
        kill_idle();
        get(pool, origin_url(origin, "/x"), &out);
        assert_answer(&out, "GET /x 0");
        assert_false(out.is_reused);
        figures = figures_of(pool);
        if (is_careful)
            assert_int_equal(figures.stale_retries, 0);
        else
            assert_stale_once(&figures);
        assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED], 1);
        assert_int_equal(figures_of(pool).open, 1);
    }
    certs_done(certs);
}

static void test_stale_over_tls_is_replayed(void **state)
{
    check_over_tls(state, false);
}

static void test_stale_over_tls_is_found_by_the_peek(void **state)
{
    check_over_tls(state, true);
}

/* Many dead connections are one look each, not one failed request each. */
static void test_the_peek_passes_over_all_dead_connections(void **state)
{
    enum {
        DEAD = 8
    };
    static const struct origin_step dies[] = {
        O_EXPECT, O_SEND(HELLO), O_WAIT(0), O_CLOSE, O_POST(1), O_END};
    const weir_pool_options careful = test_options();
    weir_response *held[DEAD];
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    struct outcome out;

    (void)state;
    assert_int_equal(weir_pool_reconfigure(pool, &careful, NULL), WEIR_OK);
    for (unsigned i = 0; i < DEAD; i++)
        origin_script(origin, i, dies);
    origin_script(origin, DEAD, echoes);
    for (unsigned i = 0; i < DEAD; i++)
        assert_int_equal(weir_send(pool, request, &held[i], NULL), WEIR_OK);
    for (unsigned i = 0; i < DEAD; i++)
        weir_response_free(held[i]);
    assert_int_equal(figures_of(pool).idle, DEAD);
    for (unsigned i = 0; i < DEAD; i++)
        kill_idle();
    fetch(pool, request, &out);
    weir_request_free(request);
    assert_answer(&out, "GET / 0");
    assert_int_equal(origin_connections(origin), DEAD + 1);
    assert_int_equal(figures_of(pool).open, 1);
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED], DEAD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_idempotent_methods_are_replayed_on_a_fresh_connection),
        TEST(test_a_reset_is_as_good_as_a_close),
        TEST(test_closed_while_idle_within_the_bypass_window),
        TEST(test_replayed_at_most_once),
        TEST(test_a_fresh_connection_that_dies_is_not_stale),
        TEST(test_a_response_that_has_begun_is_never_replayed),
        TEST(test_a_replay_that_cannot_connect),
        TEST(test_a_post_is_reported),
        TEST(test_a_post_marked_replayable_is_replayed),
        TEST(test_a_post_of_which_no_byte_was_written_is_replayed),
        TEST(test_a_body_that_can_rewind_is_sent_again),
        TEST(test_a_body_that_cannot_rewind_is_reported),
        TEST(test_a_rewind_that_fails_ends_the_call),
        TEST(test_a_close_while_idle_is_found_by_the_peek),
        TEST(test_a_reset_while_idle_is_found_by_the_peek),
        TEST(test_stale_over_tls_is_replayed),
        TEST(test_stale_over_tls_is_found_by_the_peek),
        TEST(test_the_peek_passes_over_all_dead_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
