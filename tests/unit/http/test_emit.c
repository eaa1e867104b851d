/* The request head (RFC 9112 section 3), and what may stand in it
 * (protocol-rules 2, "Requests"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "shortage.h"

#include "http/emit.h"

static struct wr_buf out;
static weir_error err;

static struct wr_slice text(const char *bytes)
{
    return (struct wr_slice){bytes, strlen(bytes)};
}

static struct wr_emit usual(void)
{
    return (struct wr_emit){.method = text("GET"),
                            .target = text("/"),
                            .host = text("example.org")};
}

static void check(const struct wr_emit *emit, const char *expected)
{
    assert_int_equal(wr_emit_head(emit, &out), WEIR_OK);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.data, expected, out.len);
    wr_buf_done(&out);
}

static void test_the_least(void **state)
{
    const struct wr_emit emit = usual();

    (void)state;
    check(&emit, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
}

static void test_everything(void **state)
{
    struct wr_emit emit = usual();

    (void)state;
    emit.method = text("POST");
    emit.target = text("/a?b");
    emit.host = text("[::1]:8080");
    emit.user_agent = text("weir/0.1.0");
    emit.fields = text("Accept: */*\r\nX: y\r\n");
    emit.framing = WR_SEND_LENGTH;
    emit.length = 1234567890;
    emit.close = true;
    emit.expect_continue = true;
    check(&emit, "POST /a?b HTTP/1.1\r\n"
                 "Host: [::1]:8080\r\n"
                 "User-Agent: weir/0.1.0\r\n"
                 "Accept: */*\r\nX: y\r\n"
                 "Content-Length: 1234567890\r\n"
                 "Connection: close\r\n"
                 "Expect: 100-continue\r\n"
                 "\r\n");
}

static void test_it_is_appended(void **state)
{
    const struct wr_emit emit = usual();

    (void)state;
    assert_true(wr_buf_append_text(&out, "before"));
    check(&emit, "beforeGET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
}

static void check_framing(const char *method, enum wr_request_framing framing,
                          uint64_t length, const char *line)
{
    struct wr_emit emit = usual();
    char expected[200];

    emit.method = text(method);
    emit.framing = framing;
    emit.length = length;
    snprintf(expected, sizeof expected,
             "%s / HTTP/1.1\r\nHost: example.org\r\n%s\r\n", method, line);
    check(&emit, expected);
}

/* RFC 9110 section 8.6 */
static void test_framing_fields(void **state)
{
    (void)state;
    check_framing("POST", WR_SEND_NO_BODY, 0, "Content-Length: 0\r\n");
    check_framing("PUT", WR_SEND_NO_BODY, 9, "Content-Length: 0\r\n");
    check_framing("PATCH", WR_SEND_NO_BODY, 0, "Content-Length: 0\r\n");
    check_framing("DELETE", WR_SEND_NO_BODY, 0, "");
    check_framing("POSTX", WR_SEND_NO_BODY, 0, "");
    check_framing("post", WR_SEND_NO_BODY, 0, "");
    check_framing("POST", WR_SEND_CHUNKED, 7, "Transfer-Encoding: chunked\r\n");
    check_framing("GET", WR_SEND_LENGTH, 0, "Content-Length: 0\r\n");
    check_framing("GET", WR_SEND_LENGTH, 10, "Content-Length: 10\r\n");
    check_framing("PUT", WR_SEND_LENGTH, UINT64_MAX,
                  "Content-Length: 18446744073709551615\r\n");
}

static void test_the_room_is_enough_for_any_length(void **state)
{
    char long_text[600];

    (void)state;
    memset(long_text, 'u', sizeof long_text);
    for (size_t len = 0; len < sizeof long_text; len++) {
        struct wr_emit emit = usual();

        emit.user_agent = (struct wr_slice){long_text, len};
        emit.target = emit.user_agent;
        emit.framing = WR_SEND_LENGTH;
        emit.length = UINT64_MAX;
        emit.close = true;
        emit.expect_continue = true;
        assert_int_equal(wr_emit_head(&emit, &out), WEIR_OK);
        assert_true(out.len <= out.cap);
        wr_buf_done(&out);
    }
}

static void test_sizes_that_overflow_are_short_memory(void **state)
{
    struct wr_emit emit = usual();

    (void)state;
    emit.fields.len = SIZE_MAX - 10;
    assert_int_equal(wr_emit_head(&emit, &out), WEIR_E_NO_MEMORY);
    assert_int_equal(
        wr_emit_field(&out, text("A"), (struct wr_slice){"b", 1}, &err),
        WEIR_OK);
    wr_buf_done(&out);
}

/* --- fields
 * --------------------------------------------------------------------- */

static void check_field(const char *name, const char *value,
                        const char *expected)
{
    assert_int_equal(wr_emit_field(&out, text(name), text(value), &err),
                     WEIR_OK);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.data, expected, out.len);
    wr_buf_done(&out);
}

static void test_fields_are_written(void **state)
{
    (void)state;
    check_field("A", "b", "A: b\r\n");
    check_field("A", "", "A: \r\n");
    check_field("A", " \t b c\t ", "A: b c\r\n");
    check_field("A", " \t ", "A: \r\n");
    check_field("A", "\xff\x80", "A: \xff\x80\r\n");
    check_field("X-!#$%&'*+-.^_`|~", "\"a\tb\"",
                "X-!#$%&'*+-.^_`|~: \"a\tb\"\r\n");
}

static void refuse_field(struct wr_slice name, struct wr_slice value,
                         size_t offset)
{
    assert_int_equal(wr_emit_field(&out, name, value, &err), WEIR_E_FIELD);
    assert_int_equal(err.code, WEIR_E_FIELD);
    assert_int_equal(err.offset, offset);
    assert_int_equal(out.len, 0);
}

static void test_bad_names_are_refused(void **state)
{
    (void)state;
    refuse_field(text(""), text("x"), 0);
    refuse_field(text("a b"), text("x"), 1);
    refuse_field(text("a:"), text("x"), 1);
    refuse_field(text("a\r\nb"), text("x"), 1);
    refuse_field((struct wr_slice){"a\0b", 3}, text("x"), 1);
    refuse_field(text("caf\xc3\xa9"), text("x"), 3);
}

/* No CR, LF, NUL or other control: no second field is smuggled in. */
static void test_bad_values_are_refused(void **state)
{
    (void)state;
    refuse_field(text("A"), text("b\r\nEvil: c"), 1);
    refuse_field(text("A"), text("b\nc"), 1);
    refuse_field(text("A"), text("b\rc"), 1);
    refuse_field(text("A"), text("  b\x01"), 3);
    refuse_field(text("A"), text("b\x7f"), 1);
    refuse_field(text("A"), text("b\r\n"), 1);
    refuse_field(text("A"), (struct wr_slice){"b\0", 2}, 1);
}

static void test_a_refused_value_is_not_shown(void **state)
{
    (void)state;
    refuse_field(text("Authorization"), text("secret\n"), 6);
    assert_null(strstr(err.message, "secret"));
    assert_non_null(strstr(err.message, "\"Authorization\" at byte 6"));
}

static void test_fields_of_the_library_are_refused(void **state)
{
    (void)state;
    refuse_field(text("Host"), text("x"), 0);
    refuse_field(text("content-length"), text("5"), 0);
    refuse_field(text("TRANSFER-ENCODING"), text("chunked"), 0);
    refuse_field(text("Connection"), text("close"), 0);
    check_field("Hosts", "x", "Hosts: x\r\n");
    check_field("X-Host", "x", "X-Host: x\r\n");
}

/* --- methods and hosts
 * -------------------------------------------------------------- */

static void refuse_method(const char *method, size_t offset)
{
    assert_int_equal(wr_check_method(text(method), &err), WEIR_E_FIELD);
    assert_int_equal(err.offset, offset);
}

static void test_methods(void **state)
{
    (void)state;
    assert_int_equal(wr_check_method(text("GET"), &err), WEIR_OK);
    assert_int_equal(wr_check_method(text("M-SEARCH"), &err), WEIR_OK);
    assert_int_equal(
        wr_check_method(text("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"), &err),
        WEIR_OK);
    refuse_method("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456", 32);
    refuse_method("", 0);
    refuse_method("GET ", 3);
    refuse_method("G\r\nET", 1);
    refuse_method("GET/", 3);
    refuse_method("CONNECT", 0);
    refuse_method("connect", 0);
}

static void test_idempotent_methods(void **state)
{
    static const char *const yes[] = {"GET",   "HEAD", "OPTIONS",
                                      "TRACE", "PUT",  "DELETE"};
    static const char *const no[] = {"POST", "PATCH", "get", "", "GETX", "GE"};

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(wr_method_is_idempotent(text(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(wr_method_is_idempotent(text(no[i])));
}

static void refuse_host(struct wr_slice host, size_t offset)
{
    assert_int_equal(wr_check_host(host, &err), WEIR_E_FIELD);
    assert_int_equal(err.offset, offset);
}

static void test_values_of_host(void **state)
{
    (void)state;
    assert_int_equal(wr_check_host(text("example.org"), &err), WEIR_OK);
    assert_int_equal(wr_check_host(text("Example_1.org:8080"), &err), WEIR_OK);
    assert_int_equal(wr_check_host(text("127.0.0.1:1"), &err), WEIR_OK);
    assert_int_equal(wr_check_host(text("[::1]"), &err), WEIR_OK);
    assert_int_equal(wr_check_host(text("[::ffff:1.2.3.4]:65535"), &err),
                     WEIR_OK);
    refuse_host(text(""), 0);
    refuse_host(text(":80"), 0);
    refuse_host(text("a b"), 1);
    refuse_host(text("a\r\nX: y"), 1);
    refuse_host((struct wr_slice){"a\0", 2}, 1);
    refuse_host(text("a/b"), 1);
    refuse_host(text("u@h"), 1);
    refuse_host(text("h,i"), 1);
    refuse_host(text("h:"), 2);
    refuse_host(text("h:8x"), 3);
    refuse_host(text("h:123456"), 8);
    refuse_host(text("[::1"), 4);
    refuse_host(text("[::1]x"), 5);
    refuse_host(text("[::g]"), 3);
    refuse_host(text("caf\xc3\xa9"), 3);
}

/* --- memory
 * ----------------------------------------------------------------------------
 */

static void test_memory_may_be_short(void **state)
{
    const struct wr_emit emit = usual();

    (void)state;
    shortage_begin();
    shortage_in = 0;
    assert_int_equal(wr_emit_head(&emit, &out), WEIR_E_NO_MEMORY);
    assert_int_equal(out.len, 0);
    shortage_in = 0;
    assert_int_equal(wr_emit_field(&out, text("A"), text("b"), &err),
                     WEIR_E_NO_MEMORY);
    assert_int_equal(err.code, WEIR_E_NO_MEMORY);
    assert_int_equal(out.len, 0);
    assert_int_equal(wr_emit_head(&emit, &out), WEIR_OK);
    wr_buf_done(&out);
    assert_int_equal(shortage_held, 0);
    shortage_end();
}

/* A full buffer that cannot grow keeps what it has. */
static void test_a_full_buffer_stays_as_it_was(void **state)
{
    const struct wr_emit emit = usual();

    (void)state;
    shortage_begin();
    assert_true(wr_buf_append_text(&out, "kept"));
    out.len = out.cap;
    shortage_in = 0;
    assert_int_equal(wr_emit_head(&emit, &out), WEIR_E_NO_MEMORY);
    assert_int_equal(out.len, out.cap);
    assert_memory_equal(out.data, "kept", 4);
    wr_buf_done(&out);
    assert_int_equal(shortage_held, 0);
    shortage_end();
}

/* RFC 9112 section 3.2.2; credentials of the proxy beside those of the URL. */
static void test_a_forward_proxy_gets_the_absolute_form(void **state)
{
    struct wr_emit emit = usual();

    (void)state;
    emit.target = text("/a?b");
    emit.authority = text("example.org:8080");
    emit.fields = text("Authorization: Basic dXNlcjpzZWNyZXQ=\r\n");
    emit.proxy_userinfo = text("me:pass");
    check(&emit, "GET http://example.org:8080/a?b HTTP/1.1\r\n"
                 "Host: example.org\r\n"
                 "Proxy-Authorization: Basic bWU6cGFzcw==\r\n"
                 "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_least),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_it_is_appended),
        cmocka_unit_test(test_framing_fields),
        cmocka_unit_test(test_the_room_is_enough_for_any_length),
        cmocka_unit_test(test_sizes_that_overflow_are_short_memory),
        cmocka_unit_test(test_fields_are_written),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_bad_values_are_refused),
        cmocka_unit_test(test_a_refused_value_is_not_shown),
        cmocka_unit_test(test_fields_of_the_library_are_refused),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_idempotent_methods),
        cmocka_unit_test(test_values_of_host),
        cmocka_unit_test(test_memory_may_be_short),
        cmocka_unit_test(test_a_full_buffer_stays_as_it_was),
        cmocka_unit_test(test_a_forward_proxy_gets_the_absolute_form),
    };

    return cmocka_run_group_tests_name("emit", tests, NULL, NULL);
}
