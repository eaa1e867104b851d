/* Who may ask the page for what. */
#include "made_up.h"

#include <watch/page_guard.h>
#include <watch/page_listen.h>

static const struct page_guard open_guard = {NULL, true};
static const struct page_guard with_token = {"0123456789abcdef", true};
static const struct page_guard without_control = {NULL, false};

/* A page of ours, in a browser of our own user. */
static const struct page_asker own_page = {.host = "127.0.0.1:8090",
                                           .origin = "http://127.0.0.1:8090",
                                           .fetch_site = "same-origin",
                                           .marker = "1",
                                           .is_own_user = true};

static enum page_verdict see_as(const char *host)
{
    const struct page_asker asker = {.host = host};

    return page_may_see(&open_guard, &asker);
}

static void test_loopback_is_seen_by_its_names_alone(void **state)
{
    static const char *const good[] = {
        "localhost",      "LocalHost:8090", "127.0.0.1", "127.0.0.1:9",
        "127.255.0.3:80", "[::1]",          "[::1]:8090"};
    static const char *const bad[] = {"rebound.example",
                                      "rebound.example:8090",
                                      "localhost.evil.example",
                                      "127.0.0.1.evil.example",
                                      "127.0.0.1:8090.evil",
                                      "[::1].evil.example",
                                      "[::1]evil",
                                      "localhost:",
                                      "localhost:80a",
                                      "192.0.2.1",
                                      "128.0.0.1",
                                      "0.0.0.0",
                                      "",
                                      "127.1",
                                      "localhost:8090:80",
                                      "[::2]"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (see_as(good[i]) != PAGE_ALLOWED)
            fail_msg("%s is refused", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (see_as(bad[i]) != PAGE_WRONG_HOST)
            fail_msg("'%s' is let in", bad[i]);
    }
    assert_int_equal(see_as(NULL), PAGE_WRONG_HOST);
}

static enum page_verdict see_with(const char *authorization)
{
    const struct page_asker asker = {.host = "watch.example",
                                     .authorization = authorization,
                                     .is_own_user = true};

    return page_may_see(&with_token, &asker);
}

static void test_a_token_opens_whatever_the_host(void **state)
{
    (void)state;
    assert_int_equal(see_with("Bearer 0123456789abcdef"), PAGE_ALLOWED);
    assert_int_equal(see_with("bearer  0123456789abcdef"), PAGE_ALLOWED);
    assert_int_equal(see_with(NULL), PAGE_NO_TOKEN);
    assert_int_equal(see_with(""), PAGE_NO_TOKEN);
    assert_int_equal(see_with("Bearer "), PAGE_NO_TOKEN);
    assert_int_equal(see_with("Bearer 0123456789abcde"), PAGE_NO_TOKEN);
    assert_int_equal(see_with("Bearer 0123456789abcdef0"), PAGE_NO_TOKEN);
    assert_int_equal(see_with("Bearer 0123456789abcdeF"), PAGE_NO_TOKEN);
    assert_int_equal(see_with("Basic 0123456789abcdef"), PAGE_NO_TOKEN);
    assert_int_equal(see_with("0123456789abcdef"), PAGE_NO_TOKEN);
}

static void test_an_order_comes_from_a_page_of_ours(void **state)
{
    struct page_asker asker = own_page;

    (void)state;
    assert_int_equal(page_may_order(&open_guard, &asker), PAGE_ALLOWED);
    asker.origin = NULL; /* curl has none */
    asker.fetch_site = NULL;
    assert_int_equal(page_may_order(&open_guard, &asker), PAGE_ALLOWED);
    asker.marker = NULL;
    assert_int_equal(page_may_order(&open_guard, &asker), PAGE_NO_MARKER);
}

static void test_an_order_of_a_foreign_page_is_refused(void **state)
{
    static const char *const foreign[] = {"http://evil.example",
                                          "http://127.0.0.1:8091",
                                          "http://127.0.0.1",
                                          "http://localhost:8090",
                                          "null",
                                          "",
                                          "ftp://127.0.0.1:8090",
                                          "http://127.0.0.1:8090.evil.example",
                                          "http://127.0.0.1:8090/x"};
    struct page_asker asker = own_page;

    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        asker.origin = foreign[i];
        if (page_may_order(&open_guard, &asker) != PAGE_FOREIGN_ORIGIN)
            fail_msg("'%s' is let in", foreign[i]);
    }
    asker = own_page;
    asker.fetch_site = "cross-site";
    assert_int_equal(page_may_order(&open_guard, &asker), PAGE_FOREIGN_ORIGIN);
    asker.fetch_site = "same-site"; /* another port of this machine */
    assert_int_equal(page_may_order(&open_guard, &asker), PAGE_FOREIGN_ORIGIN);
}

static void test_an_order_by_a_rebound_name_is_refused(void **state)
{
    struct page_asker asker = own_page;

    (void)state;
    asker.host = "rebound.example:8090";
    asker.origin = "http://rebound.example:8090";
    assert_int_equal(page_may_order(&open_guard, &asker), PAGE_WRONG_HOST);
}

static void test_an_order_of_another_user_needs_the_token(void **state)
{
    struct page_asker asker = own_page;

    (void)state;
    asker.is_own_user = false;
    assert_int_equal(page_may_see(&open_guard, &asker), PAGE_ALLOWED);
    assert_int_equal(page_may_order(&open_guard, &asker), PAGE_OTHER_USER);
    assert_false(page_may_control(&open_guard, &asker));
    asker.authorization = "Bearer 0123456789abcdef";
    assert_int_equal(page_may_order(&with_token, &asker), PAGE_ALLOWED);
    assert_true(page_may_control(&with_token, &asker));
}

static void test_no_orders_where_control_is_off(void **state)
{
    (void)state;
    assert_int_equal(page_may_see(&without_control, &own_page), PAGE_ALLOWED);
    assert_int_equal(page_may_order(&without_control, &own_page),
                     PAGE_NO_CONTROL);
    assert_false(page_may_control(&without_control, &own_page));
}

static void test_an_order_with_a_token_still_needs_its_form(void **state)
{
    struct page_asker asker = own_page;

    (void)state;
    asker.authorization = "Bearer 0123456789abcdef";
    asker.marker = NULL;
    assert_int_equal(page_may_order(&with_token, &asker), PAGE_NO_MARKER);
    asker = own_page;
    asker.authorization = "Bearer 0123456789abcdef";
    asker.host = "watch.example";
    asker.origin = "https://watch.example"; /* TLS in front of us */
    assert_int_equal(page_may_order(&with_token, &asker), PAGE_ALLOWED);
}

/* --- addresses ----------------------------------------------------------- */

static bool is_loopback(const char *text)
{
    struct sockaddr_storage address;
    weir_error err;

    if (!page_read_address(text, &address, &err))
        fail_msg("%s", err.message);
    return page_is_loopback(&address);
}

static void test_addresses_to_listen_at(void **state)
{
    static const char *const bad[] = {"",
                                      "8090",
                                      ":8090",
                                      "127.0.0.1",
                                      "::1:8090",
                                      "[::1]",
                                      "example.org:80",
                                      "127.0.0.1:",
                                      "[]:80",
                                      "127.0.0.1:x",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "[127.0.0.1]:80",
                                      "127.0.0.1: 80"};
    struct sockaddr_storage address;
    weir_error err;

    (void)state;
    assert_true(is_loopback("127.0.0.1:0"));
    assert_true(is_loopback("127.3.2.1:65535"));
    assert_true(is_loopback("localhost:8090"));
    assert_true(is_loopback("[::1]:8090"));
    assert_false(is_loopback("0.0.0.0:8090"));
    assert_false(is_loopback("[::]:8090"));
    assert_false(is_loopback("192.0.2.1:80"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (page_read_address(bad[i], &address, &err))
            fail_msg("'%s' is taken", bad[i]);
        assert_int_equal(err.error_class, WEIR_CLASS_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback_is_seen_by_its_names_alone),
        cmocka_unit_test(test_a_token_opens_whatever_the_host),
        cmocka_unit_test(test_an_order_comes_from_a_page_of_ours),
        cmocka_unit_test(test_an_order_of_a_foreign_page_is_refused),
        cmocka_unit_test(test_an_order_by_a_rebound_name_is_refused),
        cmocka_unit_test(test_an_order_of_another_user_needs_the_token),
        cmocka_unit_test(test_no_orders_where_control_is_off),
        cmocka_unit_test(test_an_order_with_a_token_still_needs_its_form),
        cmocka_unit_test(test_addresses_to_listen_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
