/* Targets of redirects: the examples of RFC 3986 section 5.4, and what servers
 * send besides. */
#include "url_check.h"

#include "http/resolve.h"

static struct wr_buf out;

/* Resolves a copy of the reference that ends at an unreadable page. */
static weir_status resolve(const char *base, const char *reference)
{
    const size_t len = strlen(reference);
    weir_status status;

    accept(base);
    out.len = 0;
    memset(&err, 0, sizeof err);
    status = wr_url_resolve(
        &url, (struct wr_slice){guard_at_end(&room, reference, len), len}, &out,
        &err);
    wr_url_done(&url);
    return status;
}

static void gives(const char *base, const char *reference, const char *wanted)
{
    if (resolve(base, reference) != WEIR_OK)
        print_error("%s: %s\n", reference, err.message);
    assert_int_equal(err.code, WEIR_OK);
    assert_text((struct wr_slice){out.data, out.len}, wanted);
}

static void test_the_examples_of_the_standard(void **state)
{
    static const char *const examples[][2] = {
        {"g", "/b/c/g"},
        {"./g", "/b/c/g"},
        {"g/", "/b/c/g/"},
        {"/g", "/g"},
        {"?y", "/b/c/d;p?y"},
        {"g?y", "/b/c/g?y"},
        {"#s", "/b/c/d;p?q"},
        {"g#s", "/b/c/g"},
        {"g?y#s", "/b/c/g?y"},
        {";x", "/b/c/;x"},
        {"g;x", "/b/c/g;x"},
        {"g;x?y#s", "/b/c/g;x?y"},
        {"", "/b/c/d;p?q"},
        {".", "/b/c/"},
        {"./", "/b/c/"},
        {"..", "/b/"},
        {"../", "/b/"},
        {"../g", "/b/g"},
        {"../..", "/"},
        {"../../", "/"},
        {"../../g", "/g"},
        {"../../../g", "/g"},
        {"../../../../g", "/g"},
        {"/./g", "/g"},
        {"/../g", "/g"},
        {"g.", "/b/c/g."},
        {".g", "/b/c/.g"},
        {"g..", "/b/c/g.."},
        {"..g", "/b/c/..g"},
        {"./../g", "/b/g"},
        {"./g/.", "/b/c/g/"},
        {"g/./h", "/b/c/g/h"},
        {"g/../h", "/b/c/h"},
        {"g;x=1/./y", "/b/c/g;x=1/y"},
        {"g;x=1/../y", "/b/c/y"},
        {"g?y/./x", "/b/c/g?y/./x"},
        {"g?y/../x", "/b/c/g?y/../x"},
        {"g#s/../x", "/b/c/g"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        char wanted[64];

        snprintf(wanted, sizeof wanted, "http://a%s", examples[i][1]);
        gives("http://a/b/c/d;p?q", examples[i][0], wanted);
    }
    gives("http://a/b/c/d;p?q", "//g", "http://g/");
    gives("http://a/b/c/d;p?q", "//g?y", "http://g/?y");
}

static void test_the_base_keeps_its_scheme_and_port(void **state)
{
    (void)state;
    gives("https://h:8443/a", "/b", "https://h:8443/b");
    gives("https://h:8443/a", "//h/b", "https://h/b");
    gives("http://[::1]:81/a/", "b", "http://[::1]:81/a/b");
    gives("http://user:secret@h/a", "b", "http://h/b");
    gives("http://h", "b", "http://h/b");
    gives("http://h?x", "b", "http://h/b");
    gives("http://h/a?b/c", "d", "http://h/d");
}

static void test_absolute_ones(void **state)
{
    (void)state;
    gives("http://h/a", "HTTPS://Other:1/x/../y", "https://Other:1/y");
    gives("https://h/a", "http://o", "http://o/");
    gives("https://h/a", "http://o?q#f", "http://o/?q");
}

static void test_bytes_that_no_url_holds_are_encoded(void **state)
{
    (void)state;
    gives("http://h/", "/a b", "http://h/a%20b");
    gives("http://h/", "/\xc3\xa9?\xc3\xa9", "http://h/%C3%A9?%C3%A9");
    gives("http://h/", "/{\"<>^`}", "http://h/%7B%22%3C%3E%5E%60%7D");
    gives("http://h/", "/%20|[]", "http://h/%20|[]");
}

static void refused(const char *reference, const char *why)
{
    assert_int_equal(resolve("http://h/a", reference), WEIR_E_REDIRECT);
    assert_int_equal(err.error_class, WEIR_CLASS_PEER);
    if (!strstr(err.message, why))
        print_error("%s: %s\n", reference, err.message);
    assert_non_null(strstr(err.message, why));
}

static void test_what_is_refused(void **state)
{
    (void)state;
    refused("ftp://h/a", "\"ftp\"");
    refused("javascript:alert(1)", "\"javascript\"");
    refused("file:///etc/passwd", "\"file\"");
    refused("h:80/a", "\"h\"");
    refused("http:a", "\"//\"");
    refused("http://user@h/", "user information");
    refused("//user:secret@h/", "user information");
    assert_null(strstr(err.message, "secret"));
}

static void test_what_the_parser_refuses(void **state)
{
    static const char *const bad[] = {"http://", "http://h:0/", "/a\\b",
                                      "//h\\@o/", "/%zz"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (resolve("http://h/a", bad[i]) == WEIR_OK)
            assert_int_equal(wr_url_parse(&url, out.data, out.len, &err),
                             WEIR_E_URL);
        else
            assert_int_equal(err.code, WEIR_E_REDIRECT);
    }
}

static void test_a_url_is_printed_without_its_credentials(void **state)
{
    (void)state;
    accept("http://user:secret@H:80/a?b#c");
    out.len = 0;
    assert_true(wr_url_print(&url, &out));
    assert_text((struct wr_slice){out.data, out.len}, "http://h/a?b");
    wr_url_done(&url);
}

static bool same(const char *one, const char *other)
{
    struct wr_url first;
    bool is_same;

    accept(one);
    first = url;
    accept(other);
    is_same = wr_url_same_origin(&first, &url);
    wr_url_done(&first);
    wr_url_done(&url);
    return is_same;
}

static void test_origins(void **state)
{
    (void)state;
    assert_true(same("http://h/a", "http://H:80/b"));
    assert_true(same("http://h./a", "http://h"));
    assert_true(same("http://127.0.0.1/", "http://127.0.0.1:80/"));
    assert_true(same("http://[::1]/", "http://[0:0::1]/"));
    assert_false(same("http://h/", "https://h/"));
    assert_false(same("http://h/", "https://h:80/"));
    assert_false(same("http://h/", "http://h:81/"));
    assert_false(same("http://h/", "http://g.h/"));
    assert_false(same("http://127.0.0.1/", "http://127.0.0.2/"));
    assert_false(same("http://localhost/", "http://127.0.0.1/"));
}

/* Found by fuzzing: the zone was lost, and with it the way to the host. */
static void test_a_link_local_host_keeps_its_zone(void **state)
{
    (void)state;
    gives("http://[fe80::1%25eth0]/a/b", "c", "http://[fe80::1%25eth0]/a/c");
    gives("http://[fe80::1%25eth0]:81/", "/x?y",
          "http://[fe80::1%25eth0]:81/x?y");
    gives("http://[fe80::1%25a%3ab]/", "x", "http://[fe80::1%25a%3Ab]/x");
    gives("http://[fe80::1%25eth0]/", "//[fe80::2%25eth1]/",
          "http://[fe80::2%25eth1]/");
    accept("http://[fe80::1%25eth0]:81/x");
    out.len = 0;
    assert_true(wr_url_print(&url, &out));
    assert_text((struct wr_slice){out.data, out.len},
                "http://[fe80::1%25eth0]:81/x");
    wr_url_done(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_examples_of_the_standard),
        cmocka_unit_test(test_the_base_keeps_its_scheme_and_port),
        cmocka_unit_test(test_absolute_ones),
        cmocka_unit_test(test_bytes_that_no_url_holds_are_encoded),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_what_the_parser_refuses),
        cmocka_unit_test(test_a_url_is_printed_without_its_credentials),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_a_link_local_host_keeps_its_zone),
    };
    int failed = cmocka_run_group_tests(tests, open_room, close_room);

    wr_buf_done(&out);
    return failed;
}
