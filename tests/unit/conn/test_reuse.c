/* The verdict on reuse, as a table: response in, verdict out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "conn/reuse.h"

enum {
    FIELDS = 16
};

static const struct verdict_case {
    const char *rule;
    const char *response;
    bool is_reusable;
    weir_close_reason reason;
} cases[] = {
    {"2.12 HTTP/1.1 keeps alive",
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true, 0},
    {"2.12 Connection: close",
     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
     false, WEIR_CLOSE_NOT_REUSABLE},
    {"2.12 close in a list",
     "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
     false, WEIR_CLOSE_NOT_REUSABLE},
    {"2.12 HTTP/1.0 closes", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
     false, WEIR_CLOSE_NOT_REUSABLE},
    {"2.12 HTTP/1.0 with keep-alive",
     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
     true, 0},
    {"2.3 Transfer-Encoding in HTTP/1.0",
     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     false, WEIR_CLOSE_NOT_REUSABLE},
    {"2.9 a bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", false,
     WEIR_CLOSE_NOT_REUSABLE},
    {"2.10 obs-fold",
     "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok", false,
     WEIR_CLOSE_NOT_REUSABLE},
    {"2.12 a timeout within the margin",
     "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok",
     false, WEIR_CLOSE_NOT_REUSABLE},
    {"2.13 bytes behind the end",
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", false,
     WEIR_CLOSE_UNEXPECTED_DATA},
    {"2.13 bytes behind a 204", "HTTP/1.1 204 OK\r\n\r\nHTTP", false,
     WEIR_CLOSE_UNEXPECTED_DATA},
    {"2.7 not read to its end",
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", false,
     WEIR_CLOSE_ABANDONED},
    {"chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true, 0},
};

struct fixture {
    struct wr_exchange ex;
    struct weir_request request;
    struct wr_conn conn;
    struct wr_target target;
    struct wr_field_ref fields[2 * FIELDS];
};

static struct wr_verdict judge(struct fixture *f, const char *response)
{
    static const struct wr_head_limits limits = {
        .status_line = 1024, .section = 4096, .fields = FIELDS};
    struct iovec iov[2];
    size_t left;
    size_t cap;
    char *at;

    f->conn.target = &f->target;
    wr_exchange_begin(&f->ex, &f->request, &limits, f->fields, NULL);
    assert_int_equal(wr_exchange_output(&f->ex, iov, NULL), 1);
    wr_exchange_sent(&f->ex, iov[0].iov_len);
    assert_true(wr_exchange_room(&f->ex, strlen(response), &at, &cap));
    memcpy(at, response, strlen(response));
    wr_exchange_received(&f->ex, strlen(response));
    assert_int_equal(wr_exchange_parse_head(&f->ex, NULL), WR_STEP_DONE);
    wr_exchange_collect(&f->ex, 1000, &left, NULL);
    return wr_judge(&f->ex, &f->conn);
}

static void each_rule_has_its_verdict(void **state)
{
    struct fixture f = {.conn.io.fd = -1};

    (void)state;
    wr_buf_append_text(&f.request.head, "GET / HTTP/1.1\r\n\r\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct wr_verdict verdict = judge(&f, cases[i].response);

        print_message("rule %s\n", cases[i].rule);
        assert_int_equal(verdict.is_reusable, cases[i].is_reusable);
        if (!verdict.is_reusable)
            assert_int_equal(verdict.reason, cases[i].reason);
    }
    wr_exchange_done(&f.ex);
    wr_buf_done(&f.request.head);
}

static void keep_alive_timeout_is_shortened_by_the_margin(void **state)
{
    struct fixture f = {.conn.io.fd = -1};
    struct wr_verdict verdict;

    (void)state;
    wr_buf_append_text(&f.request.head, "GET / HTTP/1.1\r\n\r\n");
    verdict = judge(&f, "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=9\r\n"
                        "Content-Length: 0\r\n\r\n");
    assert_true(verdict.is_reusable);
    assert_int_equal(verdict.keep_ns, 3 * WR_SECOND);
    verdict = judge(&f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_true(verdict.keep_ns == WR_NEVER);
    wr_exchange_done(&f.ex);
    wr_buf_done(&f.request.head);
}

static void a_connection_that_the_pool_cut_is_never_lent_again(void **state)
{
    struct fixture f = {.conn.io.fd = -1};

    (void)state;
    wr_buf_append_text(&f.request.head, "GET / HTTP/1.1\r\n\r\n");
    atomic_store(&f.conn.is_cut, true);
    assert_int_equal(
        judge(&f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").reason,
        WEIR_CLOSE_SHUTDOWN);
    wr_exchange_done(&f.ex);
    wr_buf_done(&f.request.head);
}

static void a_connection_of_single_use_is_never_lent_again(void **state)
{
    struct fixture f = {.conn.io.fd = -1};

    (void)state;
    wr_buf_append_text(&f.request.head, "GET / HTTP/1.1\r\n\r\n");
    f.target.is_single_use = true;
    assert_int_equal(
        judge(&f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").reason,
        WEIR_CLOSE_DISABLED);
    wr_exchange_done(&f.ex);
    wr_buf_done(&f.request.head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_has_its_verdict),
        cmocka_unit_test(keep_alive_timeout_is_shortened_by_the_margin),
        cmocka_unit_test(a_connection_that_the_pool_cut_is_never_lent_again),
        cmocka_unit_test(a_connection_of_single_use_is_never_lent_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
