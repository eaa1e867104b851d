/* URLs of proxies: what is taken, what is refused, and what no message says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "shortage.h"

#include "http/proxy.h"

static struct wr_proxy proxy;
static weir_error err;

static void accept(const char *text, enum wr_proxy_kind kind, const char *host,
                   uint16_t port, const char *userinfo)
{
    if (wr_proxy_parse(&proxy, text, &err) != WEIR_OK)
        fail_msg("%s: %s", text, err.message);
    assert_int_equal(proxy.kind, kind);
    assert_string_equal(proxy.host, host);
    assert_int_equal(proxy.port, port);
    if (userinfo) {
        assert_int_equal(proxy.userinfo.len, strlen(userinfo));
        assert_string_equal(proxy.userinfo.data, userinfo);
    } else {
        assert_null(proxy.userinfo.data);
    }
    wr_proxy_done(&proxy);
    assert_int_equal(proxy.kind, WR_PROXY_NONE);
}

static void refuse(const char *text, size_t offset)
{
    const struct wr_proxy before = {.port = 7};

    proxy = before;
    memset(&err, 0, sizeof err);
    if (wr_proxy_parse(&proxy, text, &err) != WEIR_E_URL ||
        err.offset != offset)
        fail_msg("%s: offset %zu: %s", text, (size_t)err.offset, err.message);
    assert_non_null(strstr(err.message, "expected "));
    assert_memory_equal(&proxy, &before, sizeof proxy);
    if (strchr(text, '@'))
        assert_null(strstr(err.message, "ecret"));
}

static void schemes_and_their_ports(void **state)
{
    (void)state;
    accept("http://p.example:3128", WR_PROXY_HTTP, "p.example", 3128, NULL);
    accept("p.example:3128", WR_PROXY_HTTP, "p.example", 3128, NULL);
    accept("p.example", WR_PROXY_HTTP, "p.example", 1080, NULL);
    accept("https://p.example", WR_PROXY_HTTPS, "p.example", 443, NULL);
    accept("socks5://p.example", WR_PROXY_SOCKS5, "p.example", 1080, NULL);
    accept("SOCKS5H://p.example:9", WR_PROXY_SOCKS5H, "p.example", 9, NULL);
    accept("http://p.example/", WR_PROXY_HTTP, "p.example", 1080, NULL);
}

static void hosts_are_canonical(void **state)
{
    (void)state;
    accept("http://P.Example.:80", WR_PROXY_HTTP, "p.example", 80, NULL);
    accept("http://[0:0::1]:80", WR_PROXY_HTTP, "::1", 80, NULL);
    accept("127.0.0.1:80", WR_PROXY_HTTP, "127.0.0.1", 80, NULL);
}

static void credentials_are_decoded(void **state)
{
    (void)state;
    accept("http://user:pass@h:1", WR_PROXY_HTTP, "h", 1, "user:pass");
    accept("http://user@h:1", WR_PROXY_HTTP, "h", 1, "user:");
    accept("http://u:p%40%3a%2F@h:1", WR_PROXY_HTTP, "h", 1, "u:p@:/");
    accept("http://:p@h:1", WR_PROXY_HTTP, "h", 1, ":p");
    accept("http://@h:1", WR_PROXY_HTTP, "h", 1, NULL);
    accept("socks5h://u:@h:1", WR_PROXY_SOCKS5H, "h", 1, "u:");
}

static void what_is_refused_and_where(void **state)
{
    (void)state;
    refuse("", 0);
    refuse("http://", 7);
    refuse("ftp://h", 0);
    refuse("socks4://h", 0);
    refuse("http://h:0", 9);
    refuse("http://h:65536", 9);
    refuse("http://h:", 9);
    refuse("http://h:8a", 10);
    refuse("http://h/path", 9);
    refuse("http://h?q", 8);
    refuse("http://h#f", 8);
    refuse("http://[::1", 11);
    refuse("http://[::1]x", 12);
    refuse("http://a b", 8);
    refuse("http://::1", 7);
}

static void no_message_holds_a_part_of_a_secret(void **state)
{
    (void)state;
    refuse("http://user:secret@", 19);
    refuse("http://user:secret@h:x", 21);
    refuse("http://user:s@secret@h", 20);
    refuse("http://user:%zsecret@h", 12);
    refuse("http://us%3aer:secret@h", 9);
    refuse("ftp://user:secret@h", 0);
    refuse("http://user:/secret@h", 13);
    refuse("socks5://:secret@h", 9);
}

static void socks_bounds_user_and_password(void **state)
{
    char text[600] = "socks5://";

    (void)state;
    memset(text + 9, 'u', 255);
    strcpy(text + 264, ":");
    memset(text + 265, 'p', 255);
    strcpy(text + 520, "@h");
    assert_int_equal(wr_proxy_parse(&proxy, text, &err), WEIR_OK);
    wr_proxy_done(&proxy);
    strcpy(text + 520, "p@h");
    refuse(text, 520);
}

static void text_is_without_credentials(void **state)
{
    char text[WR_PROXY_TEXT];

    (void)state;
    assert_int_equal(wr_proxy_parse(&proxy, "http://u:p@[::1]:8", &err),
                     WEIR_OK);
    assert_string_equal(wr_proxy_text(&proxy, text), "[::1]:8");
    wr_proxy_done(&proxy);
    assert_int_equal(wr_proxy_parse(&proxy, "socks5://h", &err), WEIR_OK);
    assert_string_equal(wr_proxy_text(&proxy, text), "h:1080");
    wr_proxy_done(&proxy);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    shortage_begin();
    shortage_in = 0;
    proxy = (struct wr_proxy){.port = 7};
    assert_int_equal(wr_proxy_parse(&proxy, "http://u:p@h", &err),
                     WEIR_E_NO_MEMORY);
    assert_int_equal(proxy.port, 7);
    assert_int_equal(shortage_held, 0);
    shortage_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes_and_their_ports),
        cmocka_unit_test(hosts_are_canonical),
        cmocka_unit_test(credentials_are_decoded),
        cmocka_unit_test(what_is_refused_and_where),
        cmocka_unit_test(no_message_holds_a_part_of_a_secret),
        cmocka_unit_test(socks_bounds_user_and_password),
        cmocka_unit_test(text_is_without_credentials),
        cmocka_unit_test(without_memory_nothing_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
