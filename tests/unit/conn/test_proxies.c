/* Which proxy a request goes through, as options and environment say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conn/proxies.h"

static weir_error err;

static int empty_environment(void **state)
{
    (void)state;
    return clearenv();
}

static void check(const struct wr_proxies_options *options, const char *url,
                  const char *wanted)
{
    struct wr_proxies *proxies;
    const struct wr_proxy *proxy;
    char text[WR_PROXY_TEXT];
    struct wr_url parsed;

    if (wr_proxies_new(options, &proxies, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(wr_url_parse(&parsed, url, strlen(url), NULL), WEIR_OK);
    proxy = wr_proxies_choose(proxies, &parsed);
    if (wanted && !proxy)
        fail_msg("%s goes direct", url);
    if (wanted)
        assert_string_equal(wr_proxy_text(proxy, text), wanted);
    else
        assert_null(proxy);
    wr_url_done(&parsed);
    wr_proxies_free(proxies);
}

#define GOES(url, wanted, ...)                                                 \
    check(&(struct wr_proxies_options){__VA_ARGS__}, (url), (wanted))

static void the_option_is_for_all_but_no_proxy(void **state)
{
    (void)state;
    GOES("http://a.example/", NULL, .proxy = NULL);
    GOES("http://a.example/", NULL, .proxy = "");
    GOES("http://a.example/", "p:1", .proxy = "p:1");
    GOES("https://a.example/", "p:1", .proxy = "p:1");
    GOES("https://a.example/", NULL, .proxy = "p:1", .no_proxy = "a.example");
    GOES("https://a.example/", NULL, .proxy = "p:1",
         .no_proxy = ".example:443");
    GOES("http://a.example/", "p:1", .proxy = "p:1",
         .no_proxy = ".example:443");
}

static void the_environment_is_read_only_when_asked_for(void **state)
{
    (void)state;
    setenv("http_proxy", "h:1", 1);
    setenv("https_proxy", "s:2", 1);
    GOES("http://a.example/", NULL, .environment = false);
    GOES("http://a.example/", "h:1", .environment = true);
    GOES("https://a.example/", "s:2", .environment = true);
    setenv("no_proxy", "a.example", 1);
    GOES("https://a.example/", NULL, .environment = true);
    GOES("https://b.example/", "s:2", .environment = true);
    GOES("https://a.example/", "p:1", .proxy = "p:1");
}

static void options_win_over_their_variables(void **state)
{
    (void)state;
    setenv("http_proxy", "h:1", 1);
    setenv("no_proxy", "a.example", 1);
    GOES("http://b.example/", "p:1", .proxy = "p:1", .environment = true);
    GOES("http://a.example/", NULL, .proxy = "p:1", .environment = true);
    GOES("http://a.example/", "h:1", .no_proxy = "b.example",
         .environment = true);
}

static void variables_have_an_order(void **state)
{
    (void)state;
    setenv("ALL_PROXY", "upper:1", 1);
    GOES("http://a/", "upper:1", .environment = true);
    setenv("all_proxy", "all:1", 1);
    GOES("http://a/", "all:1", .environment = true);
    GOES("https://a/", "all:1", .environment = true);
    setenv("HTTPS_PROXY", "secure:1", 1);
    GOES("https://a/", "secure:1", .environment = true);
    GOES("http://a/", "all:1", .environment = true);
    setenv("https_proxy", "", 1); /* as if it were not there */
    GOES("https://a/", "secure:1", .environment = true);
    setenv("https_proxy", "lower:1", 1);
    GOES("https://a/", "lower:1", .environment = true);
    setenv("NO_PROXY", "*", 1);
    GOES("https://a/", NULL, .environment = true);
    setenv("no_proxy", "b", 1);
    GOES("https://a/", "lower:1", .environment = true);
}

/* CVE-2016-5385 */
static void the_variable_that_a_request_can_set_is_not_read(void **state)
{
    (void)state;
    setenv("HTTP_PROXY", "evil:1", 1);
    GOES("http://a/", NULL, .environment = true);
    GOES("https://a/", NULL, .environment = true);
}

static void a_bad_url_names_its_option_or_variable(void **state)
{
    struct wr_proxies_options options = {.proxy = "ftp://u:secret@p"};
    struct wr_proxies *proxies = NULL;

    (void)state;
    assert_int_equal(wr_proxies_new(&options, &proxies, &err), WEIR_E_OPTION);
    assert_string_equal(err.message,
                        "proxy: invalid proxy URL: scheme at byte 0: expected "
                        "http, https, socks5 or socks5h");
    options = (struct wr_proxies_options){.environment = true};
    setenv("all_proxy", "http://p:0", 1);
    assert_int_equal(wr_proxies_new(&options, &proxies, &err), WEIR_E_OPTION);
    assert_int_equal(err.offset, 9);
    assert_non_null(strstr(err.message, "proxy_environment: all_proxy: "));
    assert_null(proxies);
}

#define TEST(name) cmocka_unit_test_setup(name, empty_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_option_is_for_all_but_no_proxy),
        TEST(the_environment_is_read_only_when_asked_for),
        TEST(options_win_over_their_variables),
        TEST(variables_have_an_order),
        TEST(the_variable_that_a_request_can_set_is_not_read),
        TEST(a_bad_url_names_its_option_or_variable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
