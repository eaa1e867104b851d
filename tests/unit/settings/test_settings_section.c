/* Sections of the program's own: merged like weir's, read node by node. */
#include "sandbox.h"

#include <math.h>

#define FULL "settings/weir.yaml"

static const weir_node *section(const weir_settings *settings, const char *name)
{
    const weir_node *node = weir_settings_section(settings, name);

    if (!node)
        fail_msg("no section %s", name);
    return node;
}

/* The node at the end of keys set off by '/'. */
static const weir_node *at(const weir_settings *settings, const char *path)
{
    char copy[256];
    char *rest = NULL;
    const weir_node *node;

    snprintf(copy, sizeof copy, "%s", path);
    node = section(settings, strtok_r(copy, "/", &rest));
    for (char *key = strtok_r(NULL, "/", &rest); key;
         key = strtok_r(NULL, "/", &rest)) {
        node = weir_node_find(node, key);
        if (!node)
            fail_msg("no %s in %s", key, path);
    }
    return node;
}

static void assert_text(const weir_settings *settings, const char *path,
                        const char *text)
{
    const char *found = NULL;
    weir_error err = {0};

    if (weir_node_string(at(settings, path), &found, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    assert_string_equal(found, text);
}

static int64_t integer(const weir_settings *settings, const char *path)
{
    int64_t found = 0;
    weir_error err = {0};

    if (weir_node_integer(at(settings, path), INT64_MIN, INT64_MAX, &found,
                          &err) != WEIR_OK)
        fail_msg("%s", err.message);
    return found;
}

static void test_a_section_that_nobody_wrote_is_none(void **state)
{
    weir_settings *settings = load("weir", NULL);

    (void)state;
    assert_null(weir_settings_section(settings, "watch"));
    assert_null(weir_settings_section(settings, "http_connection_pool"));
    weir_settings_free(settings);
}

static void test_a_tree_is_read_in_its_order(void **state)
{
    weir_settings *settings;
    const weir_node *node;

    (void)state;
    need_yaml();
    sandbox_write(FULL, "tools:\n  b: [x, \"1\", 2]\n  a:\n    c: ~\n");
    settings = load("weir", NULL);
    node = section(settings, "tools");
    assert_int_equal(weir_node_get_kind(node), WEIR_NODE_MAPPING);
    assert_string_equal(weir_node_key(node), "tools");
    assert_null(weir_node_text(node));
    assert_null(weir_node_next(node));
    node = weir_node_first(node);
    assert_string_equal(weir_node_key(node), "b");
    assert_int_equal(weir_node_get_kind(node), WEIR_NODE_SEQUENCE);
    assert_null(weir_node_find(node, "x"));
    assert_string_equal(weir_node_layer(node), FULL);
    assert_int_equal(weir_node_line(node), 2);
    assert_int_equal(weir_node_column(node), 6);
    assert_string_equal(weir_node_key(weir_node_next(node)), "a");
    assert_null(weir_node_next(weir_node_next(node)));
    node = weir_node_first(node);
    assert_string_equal(weir_node_text(node), "x");
    assert_null(weir_node_key(node));
    assert_string_equal(weir_node_text(weir_node_next(node)), "1");
    node = at(settings, "tools/a/c");
    assert_true(weir_node_is_null(node));
    assert_int_equal(weir_node_get_kind(node), WEIR_NODE_SCALAR);
    assert_null(weir_node_first(node));
    assert_null(weir_node_first(NULL));
    assert_null(weir_node_find(NULL, "a"));
    weir_settings_free(settings);
}

static void test_layers_merge_as_those_of_the_pool_do(void **state)
{
    weir_settings *settings;

    (void)state;
    need_yaml();
    sandbox_write(FULL, "watch:\n"
                        "  interval: 30\n"
                        "  services:\n"
                        "    api: {command: [a, b], interval: 1}\n");
    sandbox_write("settings/local.yaml", "watch:\n"
                                         "  services:\n"
                                         "    api: {command: [c]}\n"
                                         "    db: {interval: 2}\n");
    setenv("WEIR_WATCH__SERVICES__API__INTERVAL", "5", 1);
    setenv("WEIR_WATCH__LOG_FILE", "10", 1);
    sandbox_write("named.yaml", "watch: {services: {db: {interval: 3}}}\n");
    settings = load("weir", "named.yaml");
    assert_int_equal(integer(settings, "watch/interval"), 30);
    assert_int_equal(integer(settings, "watch/services/api/interval"), 5);
    assert_int_equal(integer(settings, "watch/services/db/interval"), 3);
    assert_text(settings, "watch/log_file", "10");
    assert_string_equal(
        weir_node_layer(at(settings, "watch/services/api/interval")),
        "environment");
    assert_string_equal(weir_node_text(weir_node_first(
                            at(settings, "watch/services/api/command"))),
                        "c");
    assert_null(weir_node_next(
        weir_node_first(at(settings, "watch/services/api/command"))));
    weir_settings_free(settings);
}

static void test_the_environment_alone_is_enough(void **state)
{
    weir_settings *settings = NULL;

    (void)state;
    setenv("MY_TOOL_A___B__C", "deep", 1);
    setenv("MY_TOOL_PLAIN", "no section", 1);
    setenv("MY_TOOL___X", "no name", 1);
    setenv("MY_TOOL_EMPTY__", "no key", 1);
    setenv("MY_TOOL_HTTP_CONNECTION_POOL__MAX_WAITING", "5", 1);
    setenv("MY_TOOL_Q__EMPTY", "", 1);
    assert_int_equal(weir_settings_load_environment("my-tool", &settings, NULL),
                     WEIR_OK);
    assert_text(settings, "a_/b/c", "deep");
    assert_null(weir_settings_section(settings, "plain"));
    assert_null(weir_settings_section(settings, ""));
    assert_null(weir_settings_section(settings, "empty"));
    assert_true(weir_node_is_null(at(settings, "q/empty")));
    assert_int_equal(integer(settings, "http_connection_pool/max_waiting"), 5);
    weir_settings_free(settings);
}

static void test_an_empty_section_says_nothing(void **state)
{
    weir_settings *settings;

    (void)state;
    need_yaml();
    sandbox_write(FULL, "watch: {a: 1}\n");
    sandbox_write("settings/local.yaml", "watch:\n  # a: 2\n");
    settings = load("weir", NULL);
    assert_int_equal(integer(settings, "watch/a"), 1);
    weir_settings_free(settings);
}

/* Every reader says what it found where, and what it wanted. */
static void test_errors_name_the_place_and_the_path(void **state)
{
    weir_settings *settings;
    weir_error err;
    int64_t whole = 7;
    double number = 7;
    bool flag = true;
    const char *text = "untouched";
    const weir_node *node;

    (void)state;
    need_yaml();
    sandbox_write(FULL, "w:\n"
                        "  n: many\n"
                        "  list:\n"
                        "    - {deep: 5}\n"
                        "  f: .inf\n");
    setenv("WEIR_W__V", "yes", 1);
    settings = load("weir", NULL);
    node = at(settings, "w/n");
    assert_int_equal(weir_node_integer(node, 1, 9, &whole, &err),
                     WEIR_E_SETTINGS);
    assert_string_equal(err.message, FULL ":2:6: w.n: found \"many\", "
                                          "expected an integer from 1 to 9");
    assert_int_equal(err.code, WEIR_E_SETTINGS);
    assert_int_equal(weir_node_complain_key(node, &err, "unknown key, %s", "x"),
                     WEIR_E_SETTINGS);
    assert_string_equal(err.message, FULL ":2:3: w.n: unknown key, x");
    node = weir_node_find(weir_node_first(at(settings, "w/list")), "deep");
    assert_int_equal(weir_node_string(node, &text, &err), WEIR_E_SETTINGS);
    assert_string_equal(err.message,
                        FULL ":4:14: w.list[0].deep: found 5, expected text");
    assert_int_equal(weir_node_integer(node, 6, 9, &whole, &err),
                     WEIR_E_SETTINGS);
    assert_int_equal(weir_node_integer(node, 0, 4, &whole, NULL),
                     WEIR_E_SETTINGS);
    node = at(settings, "w/f");
    assert_int_equal(weir_node_number(node, 0, INFINITY, &number, &err),
                     WEIR_E_SETTINGS);
    assert_string_equal(err.message, FULL ":5:6: w.f: found .inf, expected a "
                                          "number, 0 or more");
    node = at(settings, "w/v");
    assert_int_equal(weir_node_boolean(node, &flag, &err), WEIR_E_SETTINGS);
    assert_string_equal(err.message, "environment WEIR_W__V: found \"yes\", "
                                     "expected true or false");
    assert_int_equal(
        weir_node_complain(at(settings, "w/list"), &err, "a mapping"),
        WEIR_E_SETTINGS);
    assert_string_equal(err.message, FULL ":4:5: w.list: found a sequence, "
                                          "expected a mapping");
    assert_int_equal(whole, 7);
    assert_true(number > 6 && number < 8 && flag);
    assert_string_equal(text, "untouched");
    weir_settings_free(settings);
}

static void test_values_of_each_type(void **state)
{
    weir_settings *settings;
    int64_t whole = 0;
    double number = 0;
    bool flag = false;

    (void)state;
    need_yaml();
    sandbox_write(FULL, "w: {a: -5, b: 0x32, c: 1e3, d: TRUE, e: 'no',"
                        " f: 9223372036854775807, g: 9223372036854775808,"
                        " h: -1.5}\n");
    settings = load("weir", NULL);
    assert_int_equal(integer(settings, "w/a"), -5);
    assert_int_equal(integer(settings, "w/b"), 50);
    assert_int_equal(integer(settings, "w/f"), INT64_MAX);
    assert_int_equal(
        weir_node_integer(at(settings, "w/g"), 0, INT64_MAX, &whole, NULL),
        WEIR_E_SETTINGS);
    assert_int_equal(
        weir_node_integer(at(settings, "w/c"), 0, INT64_MAX, &whole, NULL),
        WEIR_E_SETTINGS);
    assert_int_equal(
        weir_node_number(at(settings, "w/c"), 0, 1000, &number, NULL), WEIR_OK);
    assert_true(fabs(number - 1000) < 1e-9);
    assert_int_equal(
        weir_node_number(at(settings, "w/h"), -INFINITY, -1, &number, NULL),
        WEIR_OK);
    assert_int_equal(
        weir_node_number(at(settings, "w/h"), -1, INFINITY, &number, NULL),
        WEIR_E_SETTINGS);
    assert_int_equal(weir_node_boolean(at(settings, "w/d"), &flag, NULL),
                     WEIR_OK);
    assert_true(flag);
    assert_text(settings, "w/e", "no");
    weir_settings_free(settings);
}

/* Whatever is wrong in a section of somebody else's, loading does not fail; who
 * reads it is told. */
static void test_what_cannot_be_read_is_told_to_the_reader(void **state)
{
    static const struct {
        const char *file;
        const char *path;
        const char *message;
    } table[] = {
        {"w: {a: *nope}\n", "w/a",
         FULL ":1:8: w.a: found an alias without its anchor, expected text"},
        {"w: {a: !!int 5}\n", "w/a",
         FULL ":1:14: w.a: found a tag, expected text"},
        {"w: !x {a: 5}\n", "w", FULL ":1:7: w: found a tag, expected text"},
        {"w: *nope\n", "w",
         FULL ":1:4: w: found an alias without its anchor, expected text"},
        {"w: {b: 1}\nw: {b: 2}\n", "w",
         FULL ":2:4: w: found a second value under one key, expected text"},
    };

    (void)state;
    need_yaml();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        weir_settings *settings;
        const weir_node *node;
        const char *text;
        weir_error err;

        sandbox_write(FULL, table[i].file);
        settings = load("weir", NULL);
        node = at(settings, table[i].path);
        assert_int_equal(weir_node_get_kind(node), WEIR_NODE_UNUSABLE);
        assert_null(weir_node_text(node));
        assert_null(weir_node_first(node));
        assert_int_equal(weir_node_string(node, &text, &err), WEIR_E_SETTINGS);
        assert_string_equal(err.message, table[i].message);
        weir_settings_free(settings);
    }
}

static void test_a_second_value_under_one_key_is_unusable(void **state)
{
    weir_settings *settings;
    const weir_node *node;

    (void)state;
    need_yaml();
    sandbox_write(FULL, "w:\n  a: 1\n  a: 2\n  [x]: 3\n");
    settings = load("weir", NULL);
    node = at(settings, "w/a");
    assert_int_equal(weir_node_get_kind(node), WEIR_NODE_UNUSABLE);
    assert_int_equal(weir_node_line(node), 3);
    node = weir_node_next(node);
    assert_non_null(node);
    assert_null(weir_node_key(node));
    weir_settings_free(settings);
}

static void test_a_variable_that_is_value_and_mapping_is_unusable(void **state)
{
    weir_settings *settings = NULL;
    weir_error err;

    (void)state;
    setenv("WEIR_W__A", "1", 1);
    setenv("WEIR_W__A__B", "2", 1);
    setenv("WEIR_W__C", "\xff", 1);
    assert_int_equal(weir_settings_load_environment("weir", &settings, NULL),
                     WEIR_OK);
    assert_int_equal(weir_node_get_kind(at(settings, "w/a")),
                     WEIR_NODE_UNUSABLE);
    assert_int_equal(weir_node_complain(at(settings, "w/c"), &err, "text"),
                     WEIR_E_SETTINGS);
    assert_string_equal(err.message,
                        "environment WEIR_W__C: found other bytes than "
                        "printable UTF-8, expected text");
    weir_settings_free(settings);
}

/* A section beyond all measure costs neither time nor the pool's options. */
static void test_a_section_that_aliases_blow_up_is_unusable(void **state)
{
    weir_settings *settings;
    char text[2048] = "b: &b0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\nw:\n";
    size_t len = strlen(text);

    (void)state;
    need_yaml();
    for (int i = 1; i <= 9; i++)
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "  k%d: &b%d [*b%d, *b%d, *b%d, *b%d, *b%d]\n",
                                i, i, i - 1, i - 1, i - 1, i - 1, i - 1);
    snprintf(text + len, sizeof text - len,
             "http_connection_pool: {max_waiting: 5}\n");
    sandbox_write(FULL, text);
    sandbox_write("settings/local.yaml", "w: {a: 1}\n");
    settings = load("weir", NULL);
    assert_setting(settings, "max_waiting", "5", FULL);
    assert_int_equal(weir_node_get_kind(section(settings, "w")),
                     WEIR_NODE_UNUSABLE);
    assert_int_equal(weir_node_get_kind(section(settings, "b")),
                     WEIR_NODE_SEQUENCE);
    weir_settings_free(settings);
}

/* --- what was meant ------------------------------------------------------ */

static void test_the_nearest_name_is_suggested(void **state)
{
    static const char *const names[] = {
        "fetch", "config", "watch", "versions", "retries", "it", NULL};
    static const struct {
        const char *word;
        const char *meant;
    } cases[] = {
        {"fech", "fetch"},    /* one is missing */
        {"fetchh", "fetch"},  /* one too many */
        {"fitch", "fetch"},   /* one is wrong */
        {"ftech", "fetch"},   /* two are swapped */
        {"CONFIG", "config"}, /* shouted */
        {"matches", NULL},    /* three of seven are wrong */
        {"verzionz", "versions"},
        {"retrys", "retries"},
        {"ti", "it"},
        {"itch", NULL},
        {"conf", "config"},
        {"ab", NULL},
        {"x", NULL},
        {"", NULL},
        {"fetchfetchfetchfetchfetchfetchfetchfetchf", NULL}, /* 41 */
    };
    static const char *const none[] = {NULL};
    static const char *const twins[] = {"bar", "car", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *meant = weir_suggest(cases[i].word, names);

        if (!cases[i].meant)
            assert_null(meant);
        else
            assert_string_equal(meant ? meant : cases[i].word, cases[i].meant);
    }
    assert_null(weir_suggest("fetch", none));
    assert_string_equal(weir_suggest("far", twins), "bar");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_a_section_that_nobody_wrote_is_none),
        IN_SANDBOX(test_a_tree_is_read_in_its_order),
        IN_SANDBOX(test_layers_merge_as_those_of_the_pool_do),
        IN_SANDBOX(test_the_environment_alone_is_enough),
        IN_SANDBOX(test_an_empty_section_says_nothing),
        IN_SANDBOX(test_errors_name_the_place_and_the_path),
        IN_SANDBOX(test_values_of_each_type),
        IN_SANDBOX(test_what_cannot_be_read_is_told_to_the_reader),
        IN_SANDBOX(test_a_second_value_under_one_key_is_unusable),
        IN_SANDBOX(test_a_variable_that_is_value_and_mapping_is_unusable),
        IN_SANDBOX(test_a_section_that_aliases_blow_up_is_unusable),
        cmocka_unit_test(test_the_nearest_name_is_suggested),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
