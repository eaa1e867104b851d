/* Layers of settings: which are read, in which order, and what they show. */
#include "sandbox.h"

#include "settings/options.h"

#define POOL "http_connection_pool:\n"

static unsigned max_waiting(const weir_settings *settings)
{
    weir_pool_options options;

    weir_settings_pool_options(settings, &options);
    return options.max_waiting;
}

static void test_without_layers_all_are_defaults(void **state)
{
    weir_settings *settings = load("weir", NULL);
    weir_pool_options defaults;
    weir_pool_options options;

    (void)state;
    weir_pool_options_init(&defaults);
    weir_settings_pool_options(settings, &options);
    assert_null(wr_options_difference(&options, &defaults, true));
    assert_int_equal(options.size, sizeof options);
    for (size_t i = 0; i < weir_settings_count(settings); i++) {
        const weir_setting setting = weir_settings_at(settings, i);

        assert_int_equal(setting.size, sizeof setting);
        assert_string_equal(setting.section, "http_connection_pool");
        assert_string_equal(setting.key, wr_option_table[i].name);
        assert_string_equal(setting.layer, "default");
        assert_int_equal(setting.line, 0);
        assert_int_equal(setting.column, 0);
    }
    assert_null(wr_option_table[weir_settings_count(settings)].name);
    weir_settings_free(settings);
}

static void test_values_beyond_the_last_are_empty(void **state)
{
    weir_settings *settings = load("weir", NULL);
    const weir_setting setting =
        weir_settings_at(settings, weir_settings_count(settings));

    (void)state;
    assert_int_equal(setting.size, sizeof setting);
    assert_string_equal(setting.key, "");
    assert_string_equal(setting.value, "");
    weir_settings_free(settings);
    weir_settings_free(NULL);
}

/* Each layer sets its own number; the last of those present wins. */
static void test_later_layers_win(void **state)
{
    char xdg[128];
    char config[128];
    char local[128];
    const struct {
        const char *path; /* NULL: the environment */
        const char *value;
    } layers[] = {{"settings/weir.yaml", "1"},
                  {"settings/local.yaml", "2"},
                  {config, "3"},
                  {local, "4"},
                  {NULL, "5"},
                  {"named.yaml", "6"}};

    (void)state;
    need_yaml();
    snprintf(config, sizeof config, "%s/xdg/weir/config.yaml", sandbox_path);
    snprintf(local, sizeof local, "%s/xdg/weir/local.yaml", sandbox_path);
    snprintf(xdg, sizeof xdg, "%s/xdg", sandbox_path);
    setenv("XDG_CONFIG_HOME", xdg, 1);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const bool is_named = i == sizeof layers / sizeof *layers - 1;
        weir_settings *settings;
        char text[128];

        snprintf(text, sizeof text, POOL "  max_waiting: %s\n",
                 layers[i].value);
        if (layers[i].path)
            sandbox_write(layers[i].path, text);
        else
            setenv("WEIR_HTTP_CONNECTION_POOL__MAX_WAITING", layers[i].value,
                   1);
        settings = load("weir", is_named ? "named.yaml" : NULL);
        assert_setting(settings, "max_waiting", layers[i].value,
                       layers[i].path ? layers[i].path : "environment");
        assert_int_equal(max_waiting(settings), i + 1);
        weir_settings_free(settings);
    }
}

static void test_layers_merge_key_by_key(void **state)
{
    weir_settings *settings;
    weir_setting setting;

    (void)state;
    need_yaml();
    sandbox_write("settings/weir.yaml",
                  POOL "  max_waiting: 1\n  max_per_host: 2\n"
                       "  user_agent: first\n");
    sandbox_write("settings/local.yaml", POOL "  max_waiting: 3\n"
                                              "  user_agent: null\n");
    setenv("WEIR_HTTP_CONNECTION_POOL__ENABLED", "false", 1);
    settings = load("weir", NULL);
    assert_setting(settings, "max_waiting", "3", "settings/local.yaml");
    assert_setting(settings, "max_per_host", "2", "settings/weir.yaml");
    assert_setting(settings, "user_agent", "null", "settings/local.yaml");
    assert_setting(settings, "enabled", "false", "environment");
    assert_setting(settings, "max_connections", "100", "default");
    setting = find_setting(settings, "max_per_host");
    assert_int_equal(setting.line, 3);
    assert_int_equal(setting.column, 17);
    setting = find_setting(settings, "enabled");
    assert_int_equal(setting.line, 0);
    weir_settings_free(settings);
}

/* A section whose keys are all commented out leaves earlier layers alone. */
static void test_an_empty_section_says_nothing(void **state)
{
    weir_settings *settings;

    (void)state;
    need_yaml();
    sandbox_write("settings/weir.yaml", POOL "  max_waiting: 1\n");
    sandbox_write("settings/local.yaml", POOL "  # max_waiting: 2\n");
    settings = load("weir", NULL);
    assert_setting(settings, "max_waiting", "1", "settings/weir.yaml");
    weir_settings_free(settings);
}

static void test_user_layers_are_below_home_without_xdg(void **state)
{
    char path[128];
    weir_settings *settings;

    (void)state;
    need_yaml();
    snprintf(path, sizeof path, "%s/.config/weir/config.yaml", sandbox_path);
    sandbox_write(path, POOL "  max_waiting: 7\n");
    settings = load("weir", NULL);
    assert_setting(settings, "max_waiting", "7", path);
    weir_settings_free(settings);
    /* Empty and relative ones count as not set. */
    setenv("XDG_CONFIG_HOME", "", 1);
    settings = load("weir", NULL);
    assert_setting(settings, "max_waiting", "7", path);
    weir_settings_free(settings);
    setenv("XDG_CONFIG_HOME", "relative", 1);
    settings = load("weir", NULL);
    assert_setting(settings, "max_waiting", "7", path);
    weir_settings_free(settings);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("HOME");
    settings = load("weir", NULL);
    assert_int_equal(max_waiting(settings), 1000);
    weir_settings_free(settings);
}

static void test_another_program_has_its_own_files_and_variables(void **state)
{
    weir_settings *settings;

    (void)state;
    need_yaml();
    sandbox_write("settings/my-Tool_2.yaml",
                  "name: my tool\n" POOL "  max_waiting: 8\n");
    sandbox_write("settings/weir.yaml", POOL "  max_waiting: 9\n");
    setenv("WEIR_HTTP_CONNECTION_POOL__MAX_PER_HOST", "1", 1);
    setenv("MY_TOOL_2_HTTP_CONNECTION_POOL__MAX_PER_HOST", "2", 1);
    settings = load("my-Tool_2", NULL);
    assert_setting(settings, "max_waiting", "8", "settings/my-Tool_2.yaml");
    assert_setting(settings, "max_per_host", "2", "environment");
    weir_settings_free(settings);
}

static void test_the_named_file_may_come_from_the_environment(void **state)
{
    weir_settings *settings;

    (void)state;
    need_yaml();
    sandbox_write("one.yaml", POOL "  max_waiting: 1\n");
    sandbox_write("two.yaml", POOL "  max_waiting: 2\n");
    setenv("WEIR_CONFIG", "one.yaml", 1);
    settings = load("weir", NULL);
    assert_setting(settings, "max_waiting", "1", "one.yaml");
    weir_settings_free(settings);
    /* An argument comes before a variable. */
    settings = load("weir", "two.yaml");
    assert_setting(settings, "max_waiting", "2", "two.yaml");
    weir_settings_free(settings);
    setenv("WEIR_CONFIG", "", 1);
    settings = load("weir", NULL);
    assert_int_equal(max_waiting(settings), 1000);
    weir_settings_free(settings);
}

/* weir_shared() must not read files behind its program's back. */
static void test_load_environment_reads_no_file(void **state)
{
    weir_settings *settings = NULL;

    (void)state;
    sandbox_write("settings/weir.yaml", "no: [settings");
    sandbox_write("one.yaml", POOL "  max_waiting: 1\n");
    setenv("WEIR_CONFIG", "one.yaml", 1);
    setenv("WEIR_HTTP_CONNECTION_POOL__MAX_PER_HOST", "5", 1);
    assert_int_equal(weir_settings_load_environment("weir", &settings, NULL),
                     WEIR_OK);
    assert_setting(settings, "max_per_host", "5", "environment");
    assert_setting(settings, "max_waiting", "1000", "default");
    weir_settings_free(settings);
}

static void test_variables_are_read_as_plain_scalars(void **state)
{
    static const struct {
        const char *key;
        const char *name;
        const char *value;
        const char *shown;
    } table[] = {
        {"max_connections", "MAX_CONNECTIONS", "50", "50"},
        {"total_timeout", "TOTAL_TIMEOUT", "1e1", "10.0"},
        {"strict", "STRICT", "true", "true"},
        {"ip_version", "IP_VERSION", "4", "\"4\""},
        {"tls_min_version", "TLS_MIN_VERSION", "1.3", "\"1.3\""},
        /* Text is taken as it is. */
        {"user_agent", "USER_AGENT", "a: b # \"c\"", "\"a: b # \\\"c\\\"\""},
        {"ca_file", "CA_FILE", "12", "\"12\""},
        {"ca_path", "CA_PATH", "true", "\"true\""},
        {"cert_file", "CERT_FILE", "a=b", "a=b"},
        {"key_file", "KEY_FILE", "null", "null"},
    };
    weir_settings *settings;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char name[96];

        snprintf(name, sizeof name, "WEIR_HTTP_CONNECTION_POOL__%s",
                 table[i].name);
        setenv(name, table[i].value, 1);
    }
    settings = load("weir", NULL);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_setting(settings, table[i].key, table[i].shown, "environment");
    weir_settings_free(settings);
}

static void test_an_empty_variable_is_null(void **state)
{
    weir_settings *settings;

    (void)state;
    setenv("WEIR_HTTP_CONNECTION_POOL__USER_AGENT", "", 1);
    settings = load("weir", NULL);
    assert_setting(settings, "user_agent", "null", "environment");
    weir_settings_free(settings);
}

/* As getenv() does. */
static void test_of_two_equal_variables_the_first_counts(void **state)
{
    char first[] = "WEIR_HTTP_CONNECTION_POOL__MAX_WAITING=1";
    char second[] = "WEIR_HTTP_CONNECTION_POOL__MAX_WAITING=2";
    char *twice[] = {first, second, NULL};
    char **before = environ;
    weir_settings *settings = NULL;
    weir_status status;

    (void)state;
    environ = twice;
    status = weir_settings_load_environment("weir", &settings, NULL);
    environ = before;
    assert_int_equal(status, WEIR_OK);
    assert_int_equal(max_waiting(settings), 1);
    weir_settings_free(settings);
}

static void test_variables_of_other_names_are_not_ours(void **state)
{
    weir_settings *settings;

    (void)state;
    setenv("WEIR_HTTP_CONNECTION_POOL_MAX_WAITING", "many", 1);
    setenv("WEIR_SERVER__MAX_WAITING", "many", 1);
    setenv("HTTP_CONNECTION_POOL__MAX_WAITING", "many", 1);
    setenv("weir_http_connection_pool__max_waiting", "many", 1);
    settings = load("weir", NULL);
    assert_int_equal(max_waiting(settings), 1000);
    weir_settings_free(settings);
}

/* Strings are lent by the settings, not by file or environment. */
static void test_strings_outlive_their_layer(void **state)
{
    weir_settings *settings;
    weir_pool_options options;

    (void)state;
    setenv("WEIR_HTTP_CONNECTION_POOL__CA_FILE", "/ca.pem", 1);
    settings = load("weir", NULL);
    assert_int_equal(clearenv(), 0);
    weir_settings_pool_options(settings, &options);
    assert_string_equal(options.ca_file, "/ca.pem");
    assert_setting(settings, "ca_file", "/ca.pem", "environment");
    weir_settings_free(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_without_layers_all_are_defaults),
        IN_SANDBOX(test_values_beyond_the_last_are_empty),
        IN_SANDBOX(test_later_layers_win),
        IN_SANDBOX(test_layers_merge_key_by_key),
        IN_SANDBOX(test_an_empty_section_says_nothing),
        IN_SANDBOX(test_user_layers_are_below_home_without_xdg),
        IN_SANDBOX(test_another_program_has_its_own_files_and_variables),
        IN_SANDBOX(test_the_named_file_may_come_from_the_environment),
        IN_SANDBOX(test_load_environment_reads_no_file),
        IN_SANDBOX(test_variables_are_read_as_plain_scalars),
        IN_SANDBOX(test_an_empty_variable_is_null),
        IN_SANDBOX(test_of_two_equal_variables_the_first_counts),
        IN_SANDBOX(test_variables_of_other_names_are_not_ours),
        IN_SANDBOX(test_strings_outlive_their_layer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
