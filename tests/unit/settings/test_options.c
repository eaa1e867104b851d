/* Options: the table, what a caller's struct becomes, and comparisons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/memory.h>
#include <weir/version.h>

#include "base/mem.h"
#include "settings/options.h"
#include "settings/value.h"

static weir_pool_options defaults(void)
{
    weir_pool_options options;

    memset(&options, 0xa5, sizeof options);
    weir_pool_options_init(&options);
    return options;
}

static void test_defaults_are_those_of_the_header(void **state)
{
    const weir_pool_options o = defaults();

    (void)state;
    assert_int_equal(o.size, sizeof o);
    assert_true(o.enabled);
    assert_true(o.verify);
    assert_false(o.strict);
    assert_int_equal(o.max_connections, 100);
    assert_int_equal(o.max_per_host, 30);
    assert_int_equal(o.max_waiting, 1000);
    assert_true(o.acquire_timeout == 10);
    assert_true(o.connect_timeout == 10);
    assert_true(o.first_byte_timeout == 0);
    assert_true(o.idle_read_timeout == 0);
    assert_true(o.total_timeout == 30);
    assert_true(o.idle_timeout == 60);
    assert_true(o.max_age == 1800);
    assert_true(o.validate_after == 0.5);
    assert_true(o.dns_min_ttl == 0);
    assert_true(o.dns_max_ttl == 300);
    assert_int_equal(o.max_body, 64 * 1024 * 1024);
    assert_int_equal(o.max_status_line, 8192);
    assert_int_equal(o.max_header_bytes, 262144);
    assert_int_equal(o.max_header_fields, 256);
    assert_int_equal(o.ip_version, WEIR_IP_ANY);
    assert_string_equal(o.user_agent, "weir/" WEIR_VERSION);
    assert_null(o.ca_file);
    assert_null(o.ca_path);
    assert_null(o.cert_file);
    assert_null(o.key_file);
    assert_string_equal(o.tls_min_version, "1.2");
    assert_null(o.proxy);
    assert_null(o.no_proxy);
    assert_false(o.proxy_environment);
    assert_null(o.trace);
    assert_null(o.trace_user);
}

/* No option is without its row: what no row covers is padding, before a member
 * or at the end. */
static void test_table_covers_the_whole_struct(void **state)
{
    unsigned char covered[sizeof(weir_pool_options)] = {0};
    size_t gap = 0;

    (void)state;
    memset(covered, 1, sizeof(size_t));
    memset(covered + offsetof(weir_pool_options, trace), 1, 2 * sizeof(void *));
    memset(covered + offsetof(weir_pool_options, loop), 1, sizeof(weir_loop));
    for (const struct wr_option *o = wr_option_table; o->name; o++) {
        for (size_t i = 0; i < wr_option_width(o->kind); i++) {
            assert_int_equal(covered[o->offset + i], 0);
            covered[o->offset + i] = 1;
        }
    }
    for (size_t i = 0; i < sizeof covered; i++) {
        gap = covered[i] ? 0 : gap + 1;
        assert_true(
            gap < sizeof(unsigned) ||
            (i + sizeof(void *) > sizeof covered && gap < sizeof(void *)));
    }
}

static void test_options_are_found_by_their_whole_name(void **state)
{
    (void)state;
    assert_string_equal(wr_option_find("max_age", 7)->name, "max_age");
    assert_string_equal(wr_option_find("max_agenda", 7)->name, "max_age");
    assert_null(wr_option_find("max_ag", 6));
    assert_null(wr_option_find("max_agenda", 10));
    assert_null(wr_option_find("", 0));
}

static void test_import_of_nothing_gives_defaults(void **state)
{
    const weir_pool_options o = defaults();
    weir_pool_options got;

    (void)state;
    assert_int_equal(wr_options_import(&got, NULL, NULL), WEIR_OK);
    assert_null(wr_options_difference(&got, &o, true));
    assert_int_equal(got.size, sizeof got);
}

static void test_import_takes_what_is_in_range(void **state)
{
    weir_pool_options o = defaults();
    weir_pool_options got;

    (void)state;
    o.max_connections = 1;
    o.max_per_host = 1000000; /* more than in all: the total caps it */
    o.max_waiting = 0;
    o.acquire_timeout = 0;
    o.connect_timeout = 1e-9;
    o.total_timeout = 1e300;
    o.max_body = UINT64_MAX;
    o.max_status_line = 1 << 20;
    o.max_header_bytes = 64;
    o.ip_version = WEIR_IP_V6;
    o.user_agent = NULL;
    o.cert_file = "";
    o.key_file = "";
    o.tls_min_version = "1.3";
    o.trace_user = &o;
    assert_int_equal(wr_options_import(&got, &o, NULL), WEIR_OK);
    assert_memory_equal(&got, &o, sizeof o);
}

struct bad_value {
    const char *name;
    double number; /* of number options */
    const char *text;
    const char *message; /* after "NAME: found " */
};

static void set(weir_pool_options *options, const struct bad_value *bad)
{
    const struct wr_option *option =
        wr_option_find(bad->name, strlen(bad->name));
    char *member = (char *)options + option->offset;
    unsigned char flag;
    unsigned small;
    size_t size;

    switch (option->kind) {
    case WR_OPTION_BOOL:
        flag = (unsigned char)bad->number;
        memcpy(member, &flag, sizeof flag);
        break;
    case WR_OPTION_UNSIGNED:
    case WR_OPTION_CHOICE:
        small = (unsigned)bad->number;
        memcpy(member, &small, sizeof small);
        break;
    case WR_OPTION_SIZE:
        size = (size_t)bad->number;
        memcpy(member, &size, sizeof size);
        break;
    case WR_OPTION_SECONDS:
    case WR_OPTION_NUMBER:
        memcpy(member, &bad->number, sizeof bad->number);
        break;
    default:
        memcpy(member, &bad->text, sizeof bad->text);
        break;
    }
}

static void test_import_refuses_what_is_out_of_range(void **state)
{
    static const struct bad_value table[] = {
        {"enabled", 2, NULL, "2, expected true or false"},
        {"max_connections", 0, NULL,
         "0, expected an integer from 1 to 1000000"},
        {"max_connections", 1000001, NULL,
         "1000001, expected an integer from 1 to 1000000"},
        {"max_per_host", 0, NULL, "0, expected an integer from 1 to 1000000"},
        {"max_waiting", 10000001, NULL,
         "10000001, expected an integer from 0 to 10000000"},
        {"max_status_line", 63, NULL,
         "63, expected an integer from 64 to 1048576"},
        {"max_header_bytes", 4294967296.0, NULL,
         "4294967296, expected an integer from 64 to 16777216"},
        {"max_header_fields", 4097, NULL,
         "4097, expected an integer from 1 to 4096"},
        {"acquire_timeout", -1, NULL, "-1.0, expected seconds, 0 or more"},
        {"acquire_timeout", NAN, NULL, ".nan, expected seconds, 0 or more"},
        {"connect_timeout", 0, NULL, "0.0, expected seconds above 0"},
        {"connect_timeout", INFINITY, NULL, ".inf, expected seconds above 0"},
        {"first_byte_timeout", -INFINITY, NULL,
         "-.inf, expected seconds, 0 or more"},
        {"idle_read_timeout", -0.25, NULL,
         "-0.25, expected seconds, 0 or more"},
        {"total_timeout", INFINITY, NULL, ".inf, expected seconds, 0 or more"},
        {"idle_timeout", 0, NULL, "0.0, expected seconds above 0"},
        {"max_age", -1e-7, NULL, "-1e-07, expected seconds, 0 or more"},
        {"validate_after", NAN, NULL, ".nan, expected seconds, 0 or more"},
        {"dns_min_ttl", -1, NULL, "-1.0, expected seconds, 0 or more"},
        {"dns_min_ttl", 300.5, NULL, "300.5, expected at most dns_max_ttl"},
        {"dns_max_ttl", -1, NULL, "-1.0, expected seconds, 0 or more"},
        {"ip_version", 5, NULL, "5, expected any, 4 or 6"},
        {"user_agent", 0, "a\r\nX: y",
         "\"a..X: y\", expected text without control characters, or null"},
        {"key_file", 0, "k.pem", "\"k.pem\", expected a cert_file with it"},
        {"tls_min_version", 0, NULL, "null, expected \"1.2\" or \"1.3\""},
        {"tls_min_version", 0, "1.1", "\"1.1\", expected \"1.2\" or \"1.3\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        weir_pool_options o = defaults();
        weir_pool_options got = {.size = 7};
        weir_error err;
        char message[256];

        set(&o, &table[i]);
        assert_int_equal(wr_options_import(&got, &o, &err), WEIR_E_OPTION);
        snprintf(message, sizeof message, "%s: found %s", table[i].name,
                 table[i].message);
        assert_string_equal(err.message, message);
        assert_int_equal(err.error_class, WEIR_CLASS_USAGE);
        /* Written only on success. */
        assert_int_equal(got.size, 7);
        assert_int_equal(wr_options_import(&got, &o, NULL), WEIR_E_OPTION);
    }
}

/* A program built against an older weir: its struct ends earlier. */
static void test_import_gives_older_callers_defaults_for_the_rest(void **state)
{
    const size_t size = offsetof(weir_pool_options, max_per_host);
    weir_pool_options o = defaults();
    unsigned char *older = malloc(size);
    weir_pool_options got;

    (void)state;
    assert_non_null(older);
    o.size = size;
    o.max_connections = 7;
    memcpy(older, &o, size); /* any read behind it is caught by ASan */
    assert_int_equal(wr_options_import(&got, (const void *)older, NULL),
                     WEIR_OK);
    assert_int_equal(got.size, sizeof got);
    assert_int_equal(got.max_connections, 7);
    assert_int_equal(got.max_per_host, 30);
    assert_string_equal(got.tls_min_version, "1.2");
    free(older);
}

static void test_import_takes_a_size_at_any_end_of_a_member(void **state)
{
    (void)state;
    for (const struct wr_option *option = wr_option_table; option->name;
         option++) {
        const size_t ends[] = {option->offset,
                               option->offset + wr_option_width(option->kind)};

        for (size_t i = 0; i < 2; i++) {
            weir_pool_options o = defaults();
            weir_pool_options got;

            o.size = ends[i];
            assert_int_equal(wr_options_import(&got, &o, NULL), WEIR_OK);
            assert_int_equal(got.size, sizeof got);
        }
    }
}

static void test_import_refuses_sizes_of_no_version(void **state)
{
    const size_t sizes[] = {0,
                            1,
                            sizeof(size_t) - 1,
                            offsetof(weir_pool_options, max_connections) + 1,
                            offsetof(weir_pool_options, max_body) + 4,
                            offsetof(weir_pool_options, user_agent) + 7,
                            offsetof(weir_pool_options, trace) + 1,
                            offsetof(weir_pool_options, trace_user) + 1,
                            5000,
                            SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        weir_pool_options o = defaults();
        weir_pool_options got;
        weir_error err;
        char message[128];

        o.size = sizes[i];
        assert_int_equal(wr_options_import(&got, &o, &err), WEIR_E_OPTION);
        snprintf(message, sizeof message,
                 "size: found %zu, expected the one that "
                 "weir_pool_options_init() sets",
                 sizes[i]);
        assert_string_equal(err.message, message);
    }
}

/* A program built against a newer weir: its struct is longer. */
static void test_import_refuses_newer_options_that_are_set(void **state)
{
    struct {
        weir_pool_options known;
        unsigned char later[24];
    } newer = {.known = defaults()};
    weir_pool_options got;
    weir_error err;
    char message[128];

    (void)state;
    newer.known.size = sizeof newer;
    assert_int_equal(wr_options_import(&got, &newer.known, NULL), WEIR_OK);
    assert_int_equal(got.size, sizeof got);
    for (size_t i = 0; i < sizeof newer.later; i++) {
        newer.later[i] = 1;
        assert_int_equal(wr_options_import(&got, &newer.known, &err),
                         WEIR_E_OPTION);
        snprintf(message, sizeof message,
                 "size: found an option at byte %zu that weir " WEIR_VERSION
                 " does not know, expected 0",
                 sizeof got + i);
        assert_string_equal(err.message, message);
        newer.later[i] = 0;
    }
}

static void on_trace(void *user, const weir_trace_event *event)
{
    (void)user;
    (void)event;
}

static void test_difference_names_the_first_option(void **state)
{
    const weir_pool_options a = defaults();
    weir_pool_options b = defaults();
    char agent[] = "weir/" WEIR_VERSION;

    (void)state;
    b.user_agent = agent; /* another address, the same content */
    b.ca_file = "";       /* none, as NULL */
    assert_null(wr_options_difference(&a, &b, true));
    b.max_age = 1801;
    b.max_waiting = 5;
    assert_string_equal(wr_options_difference(&a, &b, true), "max_waiting");
    assert_null(wr_options_difference(&a, &b, false));
    b.verify = false;
    assert_string_equal(wr_options_difference(&a, &b, false), "verify");
    b = a;
    b.ca_path = "/etc/ssl";
    assert_string_equal(wr_options_difference(&a, &b, false), "ca_path");
    b = a;
    b.trace = on_trace;
    assert_string_equal(wr_options_difference(&a, &b, false), "trace");
    b = a;
    b.trace_user = &b;
    assert_string_equal(wr_options_difference(&a, &b, true), "trace_user");
}

/* What weir_pool_reconfigure() promises to change. */
static void test_limits_are_live_and_tls_is_not(void **state)
{
    const char *const live[] = {"enabled",           "max_connections",
                                "max_per_host",      "max_waiting",
                                "acquire_timeout",   "connect_timeout",
                                "total_timeout",     "first_byte_timeout",
                                "idle_read_timeout", "idle_timeout",
                                "max_age",           "validate_after",
                                "max_body",          "max_status_line",
                                "max_header_bytes",  "max_header_fields"};
    const char *const fixed[] = {"verify",    "ca_file",  "ca_path",
                                 "cert_file", "key_file", "tls_min_version",
                                 "proxy",     "no_proxy", "proxy_environment"};

    (void)state;
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        assert_true(wr_option_find(live[i], strlen(live[i]))->live);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        assert_false(wr_option_find(fixed[i], strlen(fixed[i]))->live);
}

/* As wr_value_print() and the messages of errors show it. */
static void test_no_password_of_a_proxy_is_shown(void **state)
{
    static const char *const urls[][2] = {
        {"http://user:secret@p.example:3128", "\"http://***@p.example:3128\""},
        {"user:se@cret@p.example", "\"***@p.example\""},
        {"user:s://ecret@p", "\"***@p\""},
        {"p.example", "p.example"},
    };
    const struct wr_option *option = wr_option_find("proxy", 5);
    weir_pool_options o = defaults();
    weir_error err;

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        const struct wr_value value = {.text = urls[i][0]};
        struct wr_buf out = {0};

        assert_true(wr_value_print(option, &value, &out) &&
                    wr_buf_append(&out, "", 1));
        assert_string_equal(out.data, urls[i][1]);
        wr_buf_done(&out);
    }
    o.proxy = "http://user:secret\n@p";
    assert_int_equal(wr_options_import(&o, &o, &err), WEIR_E_OPTION);
    assert_string_equal(err.message, "proxy: found another text, expected text "
                                     "without control characters, or null");
}

static void test_copy_owns_its_strings(void **state)
{
    char agent[] = "agent";
    char cert[] = "cert.pem";
    weir_pool_options o = defaults();
    weir_pool_options copy;
    char *block;

    (void)state;
    o.user_agent = agent;
    o.cert_file = cert;
    o.key_file = "";
    assert_int_equal(wr_options_copy(&copy, &block, &o), WEIR_OK);
    agent[0] = cert[0] = 'x';
    assert_string_equal(copy.user_agent, "agent");
    assert_string_equal(copy.cert_file, "cert.pem");
    assert_string_equal(copy.key_file, "");
    assert_string_equal(copy.tls_min_version, "1.2");
    assert_null(copy.ca_file);
    assert_int_equal(copy.max_connections, 100);
    wr_free(block);
}

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

static void *no_realloc(void *ptr, size_t size)
{
    (void)ptr;
    (void)size;
    return NULL;
}

static void test_copy_without_memory_writes_nothing(void **state)
{
    const weir_allocator none = {no_malloc, no_realloc, free};
    const weir_pool_options o = defaults();
    weir_pool_options copy = {.size = 7};
    char *block = NULL;

    (void)state;
    assert_int_equal(weir_set_allocator(&none), WEIR_OK);
    assert_int_equal(wr_options_copy(&copy, &block, &o), WEIR_E_NO_MEMORY);
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
    assert_int_equal(copy.size, 7);
    assert_null(block);
}

static void a_struct_of_another_version_is_filled_within_its_size(void **state)
{
    struct {
        weir_pool_options known;
        char newer[8];
    } caller;

    (void)state;
    memset(&caller, 0x55, sizeof caller);
    weir_pool_options_init_sized(&caller.known, sizeof caller);
    assert_int_equal(caller.known.size, sizeof caller);
    assert_int_equal(caller.newer[0], 0);
    assert_int_equal(caller.newer[7], 0);

    memset(&caller, 0x55, sizeof caller);
    weir_pool_options_init_sized(&caller.known,
                                 offsetof(weir_pool_options, max_per_host));
    assert_int_equal(caller.known.max_connections, 100);
    assert_int_equal(caller.known.max_per_host, 0x55555555);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_struct_of_another_version_is_filled_within_its_size),
        cmocka_unit_test(test_defaults_are_those_of_the_header),
        cmocka_unit_test(test_table_covers_the_whole_struct),
        cmocka_unit_test(test_options_are_found_by_their_whole_name),
        cmocka_unit_test(test_import_of_nothing_gives_defaults),
        cmocka_unit_test(test_import_takes_what_is_in_range),
        cmocka_unit_test(test_import_refuses_what_is_out_of_range),
        cmocka_unit_test(test_import_gives_older_callers_defaults_for_the_rest),
        cmocka_unit_test(test_import_takes_a_size_at_any_end_of_a_member),
        cmocka_unit_test(test_import_refuses_sizes_of_no_version),
        cmocka_unit_test(test_import_refuses_newer_options_that_are_set),
        cmocka_unit_test(test_difference_names_the_first_option),
        cmocka_unit_test(test_limits_are_live_and_tls_is_not),
        cmocka_unit_test(test_no_password_of_a_proxy_is_shown),
        cmocka_unit_test(test_copy_owns_its_strings),
        cmocka_unit_test(test_copy_without_memory_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
