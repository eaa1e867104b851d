/* Chains of redirects, and what each request of a chain may carry: credentials
 * never cross an origin (protocol-rules section 3; CVE-2018-1000007,
 * CVE-2022-27774).  The course itself is asked, without any network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/mem.h"
#include "conn/course.h"

enum {
    HOPS_MAX = 6
};

/* In `carries`, a letter a hop: c, with all credentials; -, with none; x, it is
 * refused. */
struct chain {
    const char *start;
    const char *carries;
    const char *hops[HOPS_MAX]; /* Location */
};

static const char *const credentials[] = {
    "Authorization: Basic dTpw\r\n", "Cookie: a=1\r\n", "cOOKIE: a=2\r\n",
    "Proxy-Authorization: Basic dTpw\r\n", "Proxy-Thing: p\r\n"};
#define OWN "X-Own: x\r\n"

static struct weir_request *new_request(const char *text)
{
    struct weir_request *request = wr_calloc(1, sizeof *request);

    assert_non_null(request);
    atomic_init(&request->refs, 1);
    request->method = wr_strdup("GET");
    request->is_idempotent = true;
    request->max_redirects = -1;
    assert_int_equal(wr_url_parse(&request->url, text, strlen(text), NULL),
                     WEIR_OK);
    for (size_t i = 0; i < sizeof credentials / sizeof *credentials; i++)
        assert_true(wr_buf_append_text(&request->fields, credentials[i]));
    assert_true(wr_buf_append_text(&request->fields, OWN));
    return request;
}

static bool has(const struct weir_request *request, const char *line)
{
    return memmem(request->fields.data, request->fields.len, line,
                  strlen(line)) != NULL;
}

/* c, -, or ? for anything between. */
static char carried(const struct weir_request *request)
{
    const size_t all = sizeof credentials / sizeof *credentials;
    size_t count = 0;

    for (size_t i = 0; i < all; i++)
        count += has(request, credentials[i]);
    assert_true(has(request, OWN));
    return count == all ? 'c' : count == 0 ? '-' : '?';
}

/* The answer to the request that was sent last. */
static enum wr_verdict_kind redirect(struct wr_course *course,
                                     const char *location)
{
    static const char name[] = "Location";
    struct wr_field_ref field = {.name = 0,
                                 .name_len = sizeof name - 1,
                                 .value = sizeof name - 1,
                                 .value_len = (uint32_t)strlen(location)};
    struct wr_exchange ex = {
        .head = {.status = 302, .fields = &field, .field_count = 1}};
    const struct wr_ending ending = {.exchange = &ex, .deadline_ns = WR_NEVER};
    uint64_t delay_ns;
    enum wr_verdict_kind verdict;
    weir_error err;

    assert_true(wr_buf_append_text(&ex.in, name) &&
                wr_buf_append_text(&ex.in, location));
    verdict = wr_course_judge(course, &ending, &delay_ns, &err);
    wr_buf_done(&ex.in);
    if (verdict == WR_COURSE_FOLLOW)
        assert_true(wr_course_begin(course, WEIR_ATTEMPT_REDIRECT, 0, 1));
    return verdict;
}

static void check(const struct chain *chain)
{
    const struct wr_policy policy = {
        .max_redirects = 20, .may_downgrade = true, .retry = {.attempts = 1}};
    struct weir_request *asked = new_request(chain->start);
    struct wr_course *course = wr_course_new(&policy, asked, 1);

    assert_non_null(course);
    assert_int_equal(carried(course->sent), 'c');
    for (unsigned i = 0; chain->carries[i]; i++) {
        const enum wr_verdict_kind verdict = redirect(course, chain->hops[i]);
        const char found =
            verdict == WR_COURSE_FOLLOW ? carried(course->sent) : 'x';

        if (found != chain->carries[i])
            fail_msg("%s, hop %u to %s: %c, expected %c", chain->start, i + 1,
                     chain->hops[i], found, chain->carries[i]);
    }
    wr_course_free(course);
    wr_request_unref(asked);
}

static void check_all(const struct chain *chains, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&chains[i]);
}

#define CHECK(chains) check_all(chains, sizeof(chains) / sizeof *(chains))

static void test_what_stays_within_its_origin(void **state)
{
    static const struct chain chains[] = {
        {"http://h/", "ccc", {"/a", "b", "?c"}},
        {"http://h/", "cc", {"http://h/a", "//h/b"}},
        {"https://h/", "cc", {"https://h:443/a", "//h/b"}},
        {"http://h:80/", "c", {"http://h/a"}},
        {"http://h/", "ccc", {"http://H/", "HTTP://h/", "http://h:080/"}},
        {"http://h/", "cc", {"http://h./", "http://H.:80/"}},
        {"http://h.:8080/", "c", {"http://h:8080/"}},
        {"http://XN--BCHER-KVA.example/",
         "c",
         {"http://xn--bcher-kva.EXAMPLE/"}},
        {"http://127.0.0.1/", "c", {"http://127.0.0.1:80/"}},
        {"http://[::1]/",
         "cc",
         {"http://[0:0:0:0:0:0:0:1]/", "http://[0::1]/"}},
        {"http://[2001:DB8::1]/", "c", {"http://[2001:db8:0::1]:80/"}},
        {"http://u:p@h/", "c", {"/a"}},
    };

    (void)state;
    CHECK(chains);
}

static void test_what_leaves_its_origin(void **state)
{
    static const struct chain chains[] = {
        /* scheme */
        {"http://h/", "-", {"https://h/"}},
        {"https://h/", "-", {"http://h/"}},
        {"http://h:443/", "-", {"https://h/"}},
        {"http://h:8443/", "-", {"https://h:8443/"}},
        /* host */
        {"http://h.example/", "-", {"http://example/"}},
        {"http://h.example/", "-", {"http://g.example/"}},
        {"http://h.example/", "-", {"http://h.example.evil.test/"}},
        {"http://h.example/", "-", {"http://evilh.example/"}},
        {"http://h.example/", "-", {"//g.example/"}},
        {"http://localhost/", "-", {"http://127.0.0.1/"}},
        {"http://127.0.0.1/", "-", {"http://localhost/"}},
        {"http://127.0.0.1/", "-", {"http://127.0.0.2/"}},
        {"http://127.0.0.1/", "-", {"http://[::ffff:127.0.0.1]/"}},
        {"http://127.0.0.1/", "-", {"http://[::1]/"}},
        {"http://[::1]/", "-", {"http://[::2]/"}},
        /* port */
        {"http://h/", "-", {"http://h:81/"}},
        {"http://h:8080/", "-", {"http://h/"}},
        {"https://h:8443/", "-", {"https://h:8444/"}},
    };

    (void)state;
    CHECK(chains);
}

static void test_what_is_gone_stays_gone(void **state)
{
    static const struct chain chains[] = {
        {"http://h/", "c--", {"/a", "http://g/", "http://h/"}},
        {"http://h/", "---", {"https://h/", "http://h/", "/same"}},
        {"https://h/", "--", {"https://h:444/", "https://h:443/"}},
        {"http://h/",
         "ccc--",
         {"/1", "http://h:80/2", "http://H./3", "http://h:81/4", "http://h/5"}},
    };

    (void)state;
    CHECK(chains);
}

/* Forms that one reader takes for one host, and another for another. */
static void test_what_is_refused(void **state)
{
    static const struct chain chains[] = {
        {"http://h/", "x", {"http://u:p@h/"}},
        {"http://h/", "x", {"//u@h/"}},
        {"http://h/", "x", {"http://h@evil.test/"}},
        {"http://h/", "x", {"http://h:80@evil.test/"}},
        {"http://127.0.0.1/", "x", {"http://0x7f.0.0.1/"}},
        {"http://127.0.0.1/", "x", {"http://2130706433/"}},
        {"http://127.0.0.1/", "x", {"http://127.1/"}},
        {"http://127.0.0.1/", "x", {"http://0177.0.0.1/"}},
        {"http://127.0.0.1/", "x", {"http://127.0.0.01/"}},
        {"http://h/", "x", {"http://h../"}},
        {"http://h/", "x", {"http://h:99999/"}},
        {"http://h/", "x", {"http:///a"}},
        {"http://h/", "x", {"http:/a"}},
        {"http://h/", "x", {"file:///etc/passwd"}},
        {"http://h/", "x", {"javascript:alert(1)"}},
        {"http://h/", "x", {"http://h\\@evil.test/"}},
        {"http://h/", "x", {"http://h%2eevil.test%00/"}},
    };

    (void)state;
    CHECK(chains);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stays_within_its_origin),
        cmocka_unit_test(test_what_leaves_its_origin),
        cmocka_unit_test(test_what_is_gone_stays_gone),
        cmocka_unit_test(test_what_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
