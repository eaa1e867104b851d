/* The exchange machine: what goes out, what comes in, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conn/exchange.h"

enum {
    FIELDS = 16
};

struct fixture {
    struct wr_exchange ex;
    struct weir_request request;
    struct wr_field_ref fields[2 * FIELDS];
    weir_error err;
};

static const struct wr_head_limits limits = {
    .status_line = 1024, .section = 4096, .fields = FIELDS};

static int setup(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    fixture.request.is_idempotent = true;
    wr_buf_append_text(&fixture.request.head, "GET / HTTP/1.1\r\n\r\n");
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    wr_exchange_done(&f->ex);
    wr_source_done(&f->request.body);
    wr_buf_done(&f->request.head);
    return 0;
}

static void begin(struct fixture *f)
{
    assert_int_equal(
        wr_exchange_begin(&f->ex, &f->request, &limits, f->fields, &f->err),
        WEIR_OK);
}

/* Takes all output, at most `step` bytes at a time, into `out`. */
static size_t drain_output(struct fixture *f, size_t step, char *out)
{
    size_t len = 0;

    for (;;) {
        struct iovec iov[2];
        const int count = wr_exchange_output(&f->ex, iov, &f->err);
        size_t n = 0;

        assert_true(count >= 0);
        if (count == 0)
            return len;
        for (int i = 0; i < count && n < step; i++) {
            size_t part = iov[i].iov_len;

            if (part > step - n)
                part = step - n;
            memcpy(out + len + n, iov[i].iov_base, part);
            n += part;
        }
        wr_exchange_sent(&f->ex, n);
        len += n;
    }
}

static void send_all(struct fixture *f)
{
    char out[8192];

    drain_output(f, sizeof out, out);
    assert_true(f->ex.is_sent);
}

static void put(struct fixture *f, const char *bytes, size_t len)
{
    char *at;
    size_t cap;

    assert_true(wr_exchange_room(&f->ex, len, &at, &cap));
    assert_true(cap >= len);
    memcpy(at, bytes, len);
    wr_exchange_received(&f->ex, len);
}

static enum wr_step feed_head(struct fixture *f, const char *text)
{
    put(f, text, strlen(text));
    return wr_exchange_parse_head(&f->ex, &f->err);
}

/* Feeds a whole response `step` bytes at a time and collects its body. */
static enum wr_step feed(struct fixture *f, const char *text, size_t step)
{
    const size_t len = strlen(text);
    size_t left;
    enum wr_step done = WR_STEP_WAIT;

    for (size_t at = 0; at < len && done == WR_STEP_WAIT; at += step) {
        put(f, text + at, at + step < len ? step : len - at);
        if (f->ex.state == WR_EXCHANGE_HEAD) {
            done = wr_exchange_parse_head(&f->ex, &f->err);
            if (done != WR_STEP_DONE)
                continue;
        }
        done = wr_exchange_collect(&f->ex, 1000, &left, &f->err);
    }
    return done;
}

static void assert_body(const struct fixture *f, const char *expected)
{
    const struct wr_slice body = wr_exchange_collected(&f->ex);

    assert_int_equal(body.len, strlen(expected));
    assert_memory_equal(body.data, expected, body.len);
}

static void request_from_memory_goes_out_in_any_pieces(void **state)
{
    struct fixture *f = *state;
    char out[256];

    wr_source_memory(&f->request.body, "hello", 5);
    for (size_t step = 1; step < 30; step++) {
        begin(f);
        const size_t len = drain_output(f, step, out);
        assert_true(f->ex.is_sent);
        assert_int_equal(len, 18 + 5);
        assert_memory_equal(out, "GET / HTTP/1.1\r\n\r\nhello", len);
    }
}

static long read_ab(void *user, char *buf, size_t cap)
{
    int *calls = user;

    assert_true(cap >= 2);
    if (++*calls > 2)
        return 0;
    memcpy(buf, "ab", 2);
    return 2;
}

static void unknown_length_goes_out_chunked(void **state)
{
    static const char expected[] = "GET / HTTP/1.1\r\n\r\n"
                                   "2\r\nab\r\n2\r\nab\r\n0\r\n\r\n";
    struct fixture *f = *state;
    char out[256];
    int calls = 0;

    wr_source_reader(&f->request.body, WEIR_LENGTH_UNKNOWN, read_ab, NULL,
                     &calls);
    begin(f);
    const size_t len = drain_output(f, 7, out);
    assert_int_equal(len, sizeof expected - 1);
    assert_memory_equal(out, expected, len);
}

static void reader_that_ends_early_fails_the_body(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[2];
    int calls = 0;
    int count;

    wr_source_reader(&f->request.body, 100, read_ab, NULL, &calls);
    begin(f);
    while ((count = wr_exchange_output(&f->ex, iov, &f->err)) > 0)
        wr_exchange_sent(&f->ex,
                         iov[0].iov_len + (count == 2 ? iov[1].iov_len : 0));
    assert_int_equal(count, -1);
    assert_int_equal(f->err.code, WEIR_E_BODY);
}

static void held_body_waits_for_100_continue(void **state)
{
    struct fixture *f = *state;
    char out[256];

    wr_source_memory(&f->request.body, "hello", 5);
    f->request.expect_ns = 1;
    begin(f);
    assert_int_equal(drain_output(f, 100, out), 18);
    assert_false(f->ex.is_sent);
    assert_int_equal(feed_head(f, "HTTP/1.1 100 Continue\r\n\r\n"),
                     WR_STEP_WAIT);
    assert_int_equal(drain_output(f, 100, out), 5);
    assert_true(f->ex.is_sent);
}

static void rule_2_14_final_response_ends_sending(void **state)
{
    struct fixture *f = *state;
    char out[256];

    wr_source_memory(&f->request.body, "hello", 5);
    f->request.expect_ns = 1;
    begin(f);
    drain_output(f, 100, out);
    assert_int_equal(
        feed_head(f, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"),
        WR_STEP_DONE);
    assert_int_equal(drain_output(f, 100, out), 0);
    assert_false(f->ex.is_sent);
}

static void responses_collect_the_same_at_every_split(void **state)
{
    static const struct {
        const char *response;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n",
         "hello"},
        {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "ok"},
        {"HTTP/1.1 204 No Content\r\n\r\n", ""},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step <= strlen(cases[i].response); step++) {
            begin(f);
            send_all(f);
            assert_int_equal(feed(f, cases[i].response, step), WR_STEP_DONE);
            assert_body(f, cases[i].body);
            assert_false(f->ex.is_past_end);
        }
    }
}

static void trailers_are_kept(void **state)
{
    struct fixture *f = *state;
    const struct wr_field_ref *trailer;

    begin(f);
    send_all(f);
    assert_int_equal(
        feed(f,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             "1\r\nx\r\n0\r\nSum: 42\r\n\r\n",
             1000),
        WR_STEP_DONE);
    assert_int_equal(f->ex.trailers.field_count, 1);
    trailer = &f->ex.trailers.fields[0];
    assert_memory_equal(wr_exchange_trailer_block(&f->ex) + trailer->value,
                        "42", 2);
}

static void rule_2_13_bytes_behind_the_end_are_noticed(void **state)
{
    struct fixture *f = *state;

    begin(f);
    send_all(f);
    assert_int_equal(
        feed(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP", 1000),
        WR_STEP_DONE);
    assert_body(f, "ok");
    assert_true(f->ex.is_past_end);
}

static void rule_2_15_seventeenth_interim_is_refused(void **state)
{
    struct fixture *f = *state;

    begin(f);
    send_all(f);
    for (int i = 0; i < 16; i++)
        assert_int_equal(feed_head(f, "HTTP/1.1 102 Wait\r\n\r\n"),
                         WR_STEP_WAIT);
    assert_int_equal(feed_head(f, "HTTP/1.1 102 Wait\r\n\r\n"), WR_STEP_ERROR);
    assert_int_equal(f->err.code, WEIR_E_LIMIT);
}

static void rule_2_15_unasked_101_is_refused(void **state)
{
    struct fixture *f = *state;

    begin(f);
    send_all(f);
    assert_int_equal(feed_head(f, "HTTP/1.1 101 Switching\r\n\r\n"),
                     WR_STEP_ERROR);
    assert_int_equal(f->err.code, WEIR_E_PROTOCOL);
}

static void end_of_the_peer_is_judged_by_what_came(void **state)
{
    struct fixture *f = *state;

    begin(f);
    assert_int_equal(wr_exchange_ended(&f->ex, true, &f->err), WR_STEP_ERROR);
    assert_int_equal(f->err.code, WEIR_E_RESET);

    begin(f);
    feed_head(f, "HTTP/1.1 2");
    assert_int_equal(wr_exchange_ended(&f->ex, true, &f->err), WR_STEP_ERROR);
    assert_int_equal(f->err.code, WEIR_E_TRUNCATED);

    /* Rule 2.7 */
    begin(f);
    feed_head(f, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal");
    assert_int_equal(wr_exchange_ended(&f->ex, true, &f->err), WR_STEP_ERROR);
    assert_int_equal(f->err.code, WEIR_E_TRUNCATED);

    /* Rule 2.6 */
    begin(f);
    feed_head(f, "HTTP/1.1 200 OK\r\n\r\nall");
    assert_int_equal(wr_exchange_ended(&f->ex, true, &f->err), WR_STEP_DONE);
    begin(f);
    feed_head(f, "HTTP/1.1 200 OK\r\n\r\nall");
    assert_int_equal(wr_exchange_ended(&f->ex, false, &f->err), WR_STEP_ERROR);
    assert_int_equal(f->err.code, WEIR_E_TRUNCATED);
}

static void collecting_stops_at_max_body(void **state)
{
    struct fixture *f = *state;
    size_t left;

    begin(f);
    send_all(f);
    feed_head(f, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n");
    assert_int_equal(wr_exchange_collect(&f->ex, 10, &left, &f->err),
                     WR_STEP_ERROR);
    assert_int_equal(f->err.code, WEIR_E_LIMIT);

    begin(f);
    send_all(f);
    feed_head(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "b\r\nhello world");
    assert_int_equal(wr_exchange_collect(&f->ex, 10, &left, &f->err),
                     WR_STEP_ERROR);
    assert_int_equal(f->err.code, WEIR_E_LIMIT);
}

static void direct_reads_are_counted(void **state)
{
    struct fixture *f = *state;
    struct wr_slice data;

    begin(f);
    send_all(f);
    feed_head(f, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    assert_int_equal(wr_exchange_direct(&f->ex), 10);
    wr_exchange_took(&f->ex, 10);
    assert_int_equal(wr_exchange_next(&f->ex, &data, &f->err), WR_STEP_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            request_from_memory_goes_out_in_any_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_length_goes_out_chunked, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reader_that_ends_early_fails_the_body,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(held_body_waits_for_100_continue, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rule_2_14_final_response_ends_sending,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            responses_collect_the_same_at_every_split, setup, teardown),
        cmocka_unit_test_setup_teardown(trailers_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(
            rule_2_13_bytes_behind_the_end_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(
            rule_2_15_seventeenth_interim_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(rule_2_15_unasked_101_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(end_of_the_peer_is_judged_by_what_came,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(collecting_stops_at_max_body, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(direct_reads_are_counted, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
