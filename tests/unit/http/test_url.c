/* URLs: their parts, and what is refused where (RFC 3986, RFC 9110 section
 * 4.2; protocol-rules 2, "Requests").  Hosts: test_host.c. */
#include "shortage.h"
#include "url_check.h"

static void check_target(const char *text, const char *target)
{
    accept(text);
    assert_text(url.target, target);
    wr_url_done(&url);
}

static void test_all_parts(void **state)
{
    (void)state;
    accept("https://user:pass@Example.ORG:8443/a/b?c=d#e");
    assert_true(url.tls);
    assert_int_equal(url.host_kind, WR_HOST_NAME);
    assert_int_equal(url.port, 8443);
    assert_text(url.host, "example.org");
    assert_text(url.authority, "example.org:8443");
    assert_text(url.target, "/a/b?c=d");
    assert_text(url.userinfo, "user:pass");
    wr_url_done(&url);
}

static void test_the_least(void **state)
{
    (void)state;
    accept("http://h");
    assert_false(url.tls);
    assert_int_equal(url.port, 80);
    assert_text(url.host, "h");
    assert_text(url.authority, "h");
    assert_text(url.target, "/");
    assert_null(url.userinfo.data);
    wr_url_done(&url);
}

static void test_done_takes_a_zeroed_url(void **state)
{
    struct wr_url zeroed = {0};

    (void)state;
    wr_url_done(&zeroed);
    wr_url_done(&zeroed);
}

/* --- scheme ------------------------------------------------------------------
 */

static void test_the_scheme_is_in_any_case(void **state)
{
    (void)state;
    accept("HtTpS://h/");
    assert_true(url.tls);
    assert_int_equal(url.port, 443);
    wr_url_done(&url);
    accept("HTTP://h/");
    assert_false(url.tls);
    wr_url_done(&url);
}

static void test_other_schemes_are_refused(void **state)
{
    (void)state;
    refuse("", 0);
    refuse("ftp://h/", 0);
    refuse("ws://h/", 0);
    refuse("httpx://h/", 0);
    refuse("https+unix://h/", 0);
    refuse("://h/", 0);
    refuse("/path", 0);
    refuse("?q", 0);
    refuse(" http://h/", 0);
    refuse("\thttp://h/", 0);
    refuse("mailto:a@b", 0);
}

static void test_two_slashes_follow(void **state)
{
    (void)state;
    refuse("http:", 5);
    refuse("http:/", 6);
    refuse("http:h", 5);
    refuse("http:/h", 6);
    refuse("https:\\\\h", 6);
    refuse("http", 0);
}

static void test_a_forgotten_scheme_is_suggested(void **state)
{
    (void)state;
    refuse("example.org/x", 0);
    assert_non_null(strstr(err.message, "did you mean http://example.org/x?"));
    refuse("localhost:8080", 0);
    assert_non_null(strstr(err.message, "did you mean http://localhost:8080?"));
    refuse("//example.org/x", 0);
    assert_non_null(strstr(err.message, "did you mean http://example.org/x?"));
    refuse("[::1]:80", 0);
    assert_non_null(strstr(err.message, "did you mean http://[::1]:80?"));
    refuse("ftp://h/", 0);
    assert_string_equal(err.message, "invalid URL: scheme at byte 0: found "
                                     "\"ftp\", expected http:// or https://");
}

static void test_no_message_shows_a_password(void **state)
{
    (void)state;
    refuse("user:secret@h/", 0);
    assert_null(strstr(err.message, "secret"));
    refuse("ftp://user:secret@h/", 0);
    assert_null(strstr(err.message, "secret"));
    refuse("http://user:secret@/", 19);
    assert_null(strstr(err.message, "secret"));
    refuse("http://user:secret word@h/", 18);
    assert_null(strstr(err.message, "secret"));
    refuse("http://user:secret@h:0/", 21);
    assert_null(strstr(err.message, "secret"));
}

/* --- port
 * ---------------------------------------------------------------------------
 */

static void check_port(const char *text, unsigned port, const char *authority)
{
    accept(text);
    assert_int_equal(url.port, port);
    assert_text(url.authority, authority);
    wr_url_done(&url);
}

static void test_ports(void **state)
{
    (void)state;
    check_port("http://h:1/", 1, "h:1");
    check_port("http://h:65535", 65535, "h:65535");
    check_port("http://h:80/", 80, "h");
    check_port("https://h:443/", 443, "h");
    check_port("https://h:80/", 80, "h:80");
    check_port("http://h:443?x", 443, "h:443");
    check_port("http://h:0081/", 81, "h:81");
    check_port("http://h:/", 80, "h");
    check_port("https://h:", 443, "h");
    check_port("http://[::1]:/", 80, "[::1]");
}

static void test_bad_ports_are_refused(void **state)
{
    (void)state;
    refuse("http://localhost: 11434", 17);
    refuse("http://h:0/", 9);
    refuse("http://h:000/", 9);
    refuse("http://h:65536/", 9);
    assert_string_equal(err.message,
                        "invalid URL: port at byte 9: found \"65536\", "
                        "expected a number from 1 to 65535");
    refuse("http://h:99999999999999999999/", 9);
    refuse("http://h:-1/", 9);
    refuse("http://h:+1/", 9);
    refuse("http://h:80a/", 11);
    refuse("http://h:8 0/", 10);
    refuse("http://h:80 /", 11);
    refuse("http://h:0x50/", 10);
    refuse("http://h:80:80/", 11);
}

/* --- user information
 * ------------------------------------------------------------------ */

static void check_userinfo(const char *text, const char *userinfo)
{
    accept(text);
    assert_non_null(url.userinfo.data);
    assert_text(url.userinfo, userinfo);
    wr_url_done(&url);
}

static void test_user_information_is_decoded(void **state)
{
    (void)state;
    check_userinfo("http://u:p@h/", "u:p");
    check_userinfo("http://u:p:q@h/", "u:p:q");
    check_userinfo("http://u:@h/", "u:");
    check_userinfo("http://:p@h/", ":p");
    check_userinfo("http://u@h/", "u:");
    check_userinfo("http://u%40x:p%2F%3a%25@h/", "u@x:p/:%");
    check_userinfo("http://u:p%C3%A9@h/", "u:p\xc3\xa9");
    check_userinfo("http://a!$&'()*+,;=-._~:p@h/", "a!$&'()*+,;=-._~:p");
}

static void test_empty_user_information_is_none(void **state)
{
    (void)state;
    accept("http://@h/");
    assert_null(url.userinfo.data);
    assert_text(url.host, "h");
    wr_url_done(&url);
}

static void test_bad_user_information_is_refused(void **state)
{
    (void)state;
    refuse("http://u%:p@h/", 8);
    refuse("http://u%4:p@h/", 8);
    refuse("http://u%4g:p@h/", 8);
    refuse("http://u:p%@h/", 10);
    refuse("http://u p@h/", 8);
    refuse("http://u:p%00@h/", 10);
    refuse("http://u:p%0d%0a@h/", 10);
    refuse("http://u:p%7f@h/", 10);
    refuse("http://u%3av:p@h/", 8);
    refuse("http://u\xc3\xa9:p@h/", 8);
    refuse("http://u[:p@h/", 8);
}

/* The first "@" ends it; programs that take the last one see another host. */
static void test_a_second_at_is_refused(void **state)
{
    (void)state;
    refuse("http://a@b@c/", 10);
    refuse("http://a:p@b@c/", 12);
}

static void test_an_at_behind_the_authority_is_no_user(void **state)
{
    (void)state;
    accept("http://h/a@b");
    assert_null(url.userinfo.data);
    assert_text(url.host, "h");
    wr_url_done(&url);
    accept("http://h?a@b");
    assert_text(url.host, "h");
    wr_url_done(&url);
    accept("http://h#a@b");
    assert_text(url.host, "h");
    wr_url_done(&url);
}

/* --- path, query, fragment
 * ---------------------------------------------------------------- */

static void test_targets(void **state)
{
    (void)state;
    check_target("http://h", "/");
    check_target("http://h/", "/");
    check_target("http://h?x", "/?x");
    check_target("http://h?", "/?");
    check_target("http://h/?", "/?");
    check_target("http://h/a/../b/./c//", "/a/../b/./c//");
    check_target("http://h/a;b=c,d:e@f!$&'()*+-._~",
                 "/a;b=c,d:e@f!$&'()*+-._~");
    check_target("http://h/%e4%BD%a0%00?%20", "/%e4%BD%a0%00?%20");
    check_target("http://h/x?a[]=1|2?/:@", "/x?a[]=1|2?/:@");
    check_target("http://h:81?q", "/?q");
}

static void test_the_fragment_is_dropped(void **state)
{
    (void)state;
    check_target("http://h#f", "/");
    check_target("http://h/a#f?x/y", "/a");
    check_target("http://h/a?b#", "/a?b");
}

static void test_bad_bytes_in_the_target_are_refused(void **state)
{
    (void)state;
    refuse("http://h/a b", 10);
    refuse("http://h/a\tb", 10);
    refuse("http://h/a\r\nX: y", 10);
    refuse("http://h/\x01", 9);
    refuse("http://h/\x7f", 9);
    refuse("http://h/caf\xc3\xa9", 12);
    refuse("http://h/?\xff", 10);
    refuse("http://h/\"", 9);
    refuse("http://h/<", 9);
    refuse("http://h/>", 9);
    refuse("http://h/^", 9);
    refuse("http://h/`", 9);
    refuse("http://h/{", 9);
    refuse("http://h/}", 9);
    refuse("http://h/ ", 9);
    refuse("http://h/#a b", 11);
    refuse("http://h/#\n", 10);
    refuse("http://h/#a#b", 11);
    refuse("http://h/x ", 10);
}

static void test_bad_percent_signs_are_refused(void **state)
{
    (void)state;
    refuse("http://h/%", 9);
    refuse("http://h/%2", 9);
    refuse("http://h/%2x", 9);
    refuse("http://h/%x2", 9);
    refuse("http://h/%20%", 12);
    refuse("http://h/%%20", 9);
    refuse("http://h/?%zz", 10);
    refuse("http://h/%2#0", 9);
    refuse("http://h/#%", 10);
    refuse("http://h/100%?x", 12);
}

/* --- memory
 * -------------------------------------------------------------------------------
 */

static void test_memory_may_be_short(void **state)
{
    static const char text[] = "http://user:pass@example.org/path";
    const struct wr_url before = {.port = 7};
    int failures = 0;

    (void)state;
    shortage_begin();
    for (;; failures++) {
        url = before;
        shortage_in = failures;
        if (wr_url_parse(&url, text, sizeof text - 1, &err) == WEIR_OK)
            break;
        assert_int_equal(err.code, WEIR_E_NO_MEMORY);
        assert_memory_equal(&url, &before, sizeof url);
        assert_int_equal(shortage_held, 0);
    }
    assert_true(failures >= 1);
    assert_text(url.userinfo, "user:pass");
    wr_url_done(&url);
    assert_int_equal(shortage_held, 0);
    shortage_end();
}

/* A long URL, each byte of it replaced by each other byte: no crash, no read
 * beyond its end, no leak. */
static void test_any_byte_anywhere(void **state)
{
    static const char *const texts[] = {"https://u:p%41@a.example:80/p%20q?r#s",
                                        "http://[fe80::1%25eth0]:1/?",
                                        "http://127.0.0.1/", "http://h"};

    (void)state;
    shortage_begin();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const size_t len = strlen(texts[i]);

        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                char text[64];

                memcpy(text, texts[i], len);
                text[at] = (char)c;
                if (parse_bytes(text, len) == WEIR_OK)
                    wr_url_done(&url);
                else
                    assert_true(err.offset <= len);
                if (parse_bytes(text, at + 1) == WEIR_OK)
                    wr_url_done(&url);
            }
        }
    }
    assert_int_equal(shortage_held, 0);
    shortage_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_parts),
        cmocka_unit_test(test_the_least),
        cmocka_unit_test(test_done_takes_a_zeroed_url),
        cmocka_unit_test(test_the_scheme_is_in_any_case),
        cmocka_unit_test(test_other_schemes_are_refused),
        cmocka_unit_test(test_two_slashes_follow),
        cmocka_unit_test(test_a_forgotten_scheme_is_suggested),
        cmocka_unit_test(test_no_message_shows_a_password),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_bad_ports_are_refused),
        cmocka_unit_test(test_user_information_is_decoded),
        cmocka_unit_test(test_empty_user_information_is_none),
        cmocka_unit_test(test_bad_user_information_is_refused),
        cmocka_unit_test(test_a_second_at_is_refused),
        cmocka_unit_test(test_an_at_behind_the_authority_is_no_user),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_the_fragment_is_dropped),
        cmocka_unit_test(test_bad_bytes_in_the_target_are_refused),
        cmocka_unit_test(test_bad_percent_signs_are_refused),
        cmocka_unit_test(test_memory_may_be_short),
        cmocka_unit_test(test_any_byte_anywhere),
    };

    return cmocka_run_group_tests_name("url", tests, open_room, close_room);
}
