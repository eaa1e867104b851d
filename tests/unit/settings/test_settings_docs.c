/* docs/settings.md says what the table says. */
#include "sandbox.h"

#include "settings/options.h"

#define PAGE WEIR_TESTS_DIR "/../docs/settings.md"

/* The text between two lines, e.g. the fences of an example; free() it. */
static char *cut(const char *page, const char *from, const char *to)
{
    const char *start = strstr(page, from);
    const char *end;

    assert_non_null(start);
    start += strlen(from);
    end = strstr(start, to);
    assert_non_null(end);
    return strndup(start, (size_t)(end - start));
}

/* Cell n of the table row that begins with "| `name` |", trimmed. */
static bool find_cell(const char *page, const char *name, int n, char *cell,
                      size_t cap)
{
    char row[64];
    const char *at;

    snprintf(row, sizeof row, "\n| `%s` |", name);
    at = strstr(page, row);
    if (!at)
        return false;
    at++;
    for (int i = 0; i < n + 1; i++)
        at = strchr(at, '|') + 1;
    at += strspn(at, " ");
    snprintf(cell, cap, "%.*s", (int)strcspn(at, "|\n"), at);
    for (size_t len = strlen(cell); len && cell[len - 1] == ' '; len--)
        cell[len - 1] = '\0';
    return true;
}

static void test_the_page_names_every_option_with_its_default(void **state)
{
    weir_settings *settings = NULL;
    size_t len;
    char *page = sandbox_read(PAGE, &len);

    (void)state;
    assert_int_equal(weir_settings_load_environment("weir", &settings, NULL),
                     WEIR_OK);
    for (size_t i = 0; i < weir_settings_count(settings); i++) {
        const weir_setting setting = weir_settings_at(settings, i);
        char value[64];
        char cell[64];

        if (!find_cell(page, setting.key, 3, cell, sizeof cell))
            fail_msg("%s is not in docs/settings.md", setting.key);
        snprintf(value, sizeof value, "`%s`", setting.value);
        if (strcmp(cell, value))
            fail_msg("%s: the page says %s, the table %s", setting.key, cell,
                     value);
    }
    weir_settings_free(settings);
    free(page);
}

static void test_the_page_names_no_other_option(void **state)
{
    size_t len;
    char *page = sandbox_read(PAGE, &len);
    char *table = cut(page, "## Options\n", "\n## ");
    size_t rows = 0;
    size_t options = 0;

    (void)state;
    for (const char *row = strstr(table, "\n| `"); row;
         row = strstr(row + 1, "\n| `")) {
        const size_t name_len = strcspn(row + 4, "`");

        assert_non_null(wr_option_find(row + 4, name_len));
        rows++;
    }
    while (wr_option_table[options].name)
        options++;
    assert_int_equal(rows, options);
    free(table);
    free(page);
}

/* The example sets every option, each to its default. */
static void test_the_example_is_equal_to_the_defaults(void **state)
{
    size_t len;
    char *page;
    char *example;
    weir_settings *settings;
    weir_pool_options defaults;
    weir_pool_options options;

    (void)state;
    need_yaml();
    page = sandbox_read(PAGE, &len);
    example = cut(page, "\n```yaml\n", "\n```\n");
    sandbox_write("settings/weir.yaml", example);
    settings = load("weir", NULL);
    weir_pool_options_init(&defaults);
    weir_settings_pool_options(settings, &options);
    assert_null(wr_options_difference(&options, &defaults, true));
    for (size_t i = 0; i < weir_settings_count(settings); i++)
        assert_string_equal(weir_settings_at(settings, i).layer,
                            "settings/weir.yaml");
    weir_settings_free(settings);
    free(example);
    free(page);
}

/* Each line of the example of errors is what its cause gives. */
static void test_the_errors_of_the_page_are_those_of_weir(void **state)
{
    static const struct {
        const char *file; /* settings/weir.yaml, or NULL */
        const char *name; /* or a variable */
        const char *value;
    } causes[] = {
        {"http_connection_pool:\n  # in all\n  max_connections: many\n", NULL,
         NULL},
        {"http_connection_pool:\n  max_conections: 50\n", NULL, NULL},
        {"http_connection_pool:\n  idle_timeout: 0\n", NULL, NULL},
        {"http_connection_pool:\n  strict: true\n  strict: false\n", NULL,
         NULL},
        {"http_connection_pool: 5\n", NULL, NULL},
        {"http_connection_pool:\n  max_waiting: [1\n", NULL, NULL},
        {NULL, "WEIR_HTTP_CONNECTION_POOL__VERIFY", "no"},
    };
    size_t len;
    char *page;
    char *lines;
    const char *line;

    (void)state;
    need_yaml();
    page = sandbox_read(PAGE, &len);
    line = lines = cut(page, "\n```text\n", "```\n");
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        char message[256];

        sandbox_write("settings/weir.yaml",
                      causes[i].file ? causes[i].file : "");
        if (causes[i].name)
            setenv(causes[i].name, causes[i].value, 1);
        snprintf(message, sizeof message, "%.*s", (int)strcspn(line, "\n"),
                 line);
        assert_refused("weir", NULL, WEIR_E_SETTINGS, message);
        line += strcspn(line, "\n") + 1;
    }
    assert_string_equal(line, "");
    free(lines);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_the_page_names_every_option_with_its_default),
        IN_SANDBOX(test_the_page_names_no_other_option),
        IN_SANDBOX(test_the_example_is_equal_to_the_defaults),
        IN_SANDBOX(test_the_errors_of_the_page_are_those_of_weir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
