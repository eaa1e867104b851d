/* Errors of loading that are not about the content of one file (those are in
 * tests/corpus/settings): arguments, the environment, files, layers. */
#include "sandbox.h"

#include <fcntl.h>

#define POOL "http_connection_pool:\n"
#define VARIABLE "WEIR_HTTP_CONNECTION_POOL__"

static void test_errors_in_the_environment_name_the_variable(void **state)
{
    static const struct {
        const char *name; /* after the prefix */
        const char *value;
        const char *message; /* after "environment NAME: " */
    } table[] = {
        {"MAX_CONNECTIONS", "many",
         "found \"many\", expected an integer from 1 to 1000000"},
        {"MAX_CONNECTIONS", "0",
         "found 0, expected an integer from 1 to 1000000"},
        {"MAX_CONNECTIONS", "",
         "found null, expected an integer from 1 to 1000000"},
        {"MAX_CONNECTIONS", " 5",
         "found \" 5\", expected an integer from 1 to 1000000"},
        {"MAX_CONNECTIONS", "\"5\"",
         "found \"\"5\"\", expected an integer from 1 to 1000000"},
        {"VERIFY", "no", "found \"no\", expected true or false"},
        {"IDLE_TIMEOUT", ".nan", "found .nan, expected seconds above 0"},
        {"USER_AGENT", "a\tb",
         "found \"a.b\", expected text without control characters, or null"},
        {"USER_AGENT", "\xff", "found other bytes than printable UTF-8"},
        {"KEY_FILE", "k.pem", "found \"k.pem\", expected a cert_file with it"},
        {"MAX_CONECTIONS", "5", "unknown key, did you mean MAX_CONNECTIONS?"},
        {"max_connections", "5", "unknown key, did you mean MAX_CONNECTIONS?"},
        {"COLOUR", "blue", "unknown key"},
        {"COLOUR", "", "unknown key"},
        {"", "5", "unknown key"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char name[96];
        char message[256];

        snprintf(name, sizeof name, VARIABLE "%s", table[i].name);
        snprintf(message, sizeof message, "environment %s: %s", name,
                 table[i].message);
        setenv(name, table[i].value, 1);
        assert_refused("weir", NULL, WEIR_E_SETTINGS, message);
        unsetenv(name);
    }
}

static void test_a_project_is_a_plain_name(void **state)
{
    static const char *const names[] = {"", "../weir", "a b", "a.b",
                                        "\xc3\xa9"};
    char name[66];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char message[128];

        snprintf(message, sizeof message,
                 "project: found \"%s\", expected 1 to 64 letters, digits, "
                 "'-' and '_'",
                 names[i]);
        assert_refused(names[i], NULL, WEIR_E_INVALID, message);
    }
    assert_int_equal(weir_settings_load(NULL, NULL, NULL, NULL),
                     WEIR_E_INVALID);
    memset(name, 'x', 65);
    name[65] = '\0';
    assert_refused(name, NULL, WEIR_E_INVALID,
                   "project: found \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\", "
                   "expected 1 to 64 letters, digits, '-' and '_'");
    name[64] = '\0';
    weir_settings_free(load(name, NULL));
}

static void test_arguments_are_checked(void **state)
{
    weir_error err;

    (void)state;
    assert_refused("weir", "", WEIR_E_INVALID,
                   "path: found \"\", expected a file");
    assert_int_equal(weir_settings_load("weir", NULL, NULL, &err),
                     WEIR_E_INVALID);
    assert_int_equal(weir_settings_load_environment("weir", NULL, &err),
                     WEIR_E_INVALID);
    assert_int_equal(err.error_class, WEIR_CLASS_USAGE);
}

static void test_a_named_file_must_exist(void **state)
{
    (void)state;
    need_yaml();
    assert_refused("weir", "no/such.yaml", WEIR_E_FILE,
                   "no/such.yaml: no such file or directory");
    setenv("WEIR_CONFIG", "gone.yaml", 1);
    assert_refused("weir", NULL, WEIR_E_FILE,
                   "gone.yaml: no such file or directory");
}

/* ENOTDIR: something else stands where the folder would be. */
static void test_a_missing_layer_is_skipped(void **state)
{
    (void)state;
    sandbox_write("settings", "a file\n");
    weir_settings_free(load("weir", NULL));
}

static void test_a_folder_is_not_a_file(void **state)
{
    (void)state;
    need_yaml();
    assert_int_equal(mkdir("settings", 0755), 0);
    assert_int_equal(mkdir("settings/weir.yaml", 0755), 0);
    assert_refused("weir", NULL, WEIR_E_FILE,
                   "settings/weir.yaml: is a directory");
}

static void test_an_unreadable_layer_is_an_error(void **state)
{
    const bool is_root = geteuid() == 0;
    weir_settings *settings = NULL;
    weir_status status;
    weir_error err;

    (void)state;
    sandbox_write("settings/local.yaml", POOL);
    assert_int_equal(chmod("settings/local.yaml", 0), 0);
    if (is_root)
        assert_int_equal(seteuid(65534), 0);
    status = weir_settings_load("weir", NULL, &settings, &err);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, WEIR_E_FILE);
    assert_string_equal(err.message, "settings/local.yaml: permission denied");
    assert_int_equal(err.system_code, EACCES);
    assert_int_equal(err.error_class, WEIR_CLASS_LOCAL);
}

static void test_a_file_has_at_most_1_mib(void **state)
{
    const size_t most = 1 << 20;
    char *text;

    (void)state;
    need_yaml();
    text = malloc(most + 1);
    assert_non_null(text);
    memset(text, '#', most + 1);
    sandbox_write_bytes("big.yaml", text, most);
    weir_settings_free(load("weir", "big.yaml"));
    sandbox_write_bytes("big.yaml", text, most + 1);
    assert_refused("weir", "big.yaml", WEIR_E_FILE,
                   "big.yaml: larger than 1048576 bytes");
    assert_refused("weir", "/dev/zero", WEIR_E_FILE,
                   "/dev/zero: larger than 1048576 bytes");
    free(text);
}

/* What a later layer replaces must still be right. */
static void test_an_overridden_error_is_an_error(void **state)
{
    (void)state;
    need_yaml();
    sandbox_write("settings/weir.yaml", POOL "  max_waiting: many\n");
    sandbox_write("settings/local.yaml", POOL "  max_waiting: 5\n");
    assert_refused("weir", NULL, WEIR_E_SETTINGS,
                   "settings/weir.yaml:2:16: http_connection_pool.max_waiting: "
                   "found \"many\", expected an integer from 0 to 10000000");
}

/* Options that contradict each other may come from two layers. */
static void
test_a_key_file_of_one_layer_may_have_its_certificate_in_another(void **state)
{
    (void)state;
    need_yaml();
    sandbox_write("settings/weir.yaml", POOL "  key_file: k.pem\n");
    assert_refused("weir", NULL, WEIR_E_SETTINGS,
                   "settings/weir.yaml:2:13: http_connection_pool.key_file: "
                   "found \"k.pem\", expected a cert_file with it");
    sandbox_write("settings/local.yaml", POOL "  cert_file: c.pem\n");
    weir_settings_free(load("weir", NULL));
}

static void test_a_long_path_leaves_room_for_the_reason(void **state)
{
    char path[300] = "";

    (void)state;
    need_yaml();
    for (int i = 0; i < 10; i++)
        strcat(path, "a-folder-with-a-long-name/");
    strcat(path, "file.yaml");
    sandbox_write(path, POOL "  max_body: many\n");
    assert_refused(
        "weir", path, WEIR_E_SETTINGS,
        "...r-with-a-long-name/a-folder-with-a-long-name/a-folder-with-a-"
        "long-name/file.yaml:2:13: http_connection_pool.max_body: found "
        "\"many\", expected an integer from 0 to 18446744073709551615");
    strcat(path, "x");
    assert_refused(
        "weir", path, WEIR_E_FILE,
        "...-with-a-long-name/a-folder-with-a-long-name/a-folder-with-a-"
        "long-name/file.yamlx: no such file or directory");
}

/* The library that reads YAML has a printer of its own. */
static void test_nothing_is_printed(void **state)
{
    int before;
    int file;
    struct stat info;

    (void)state;
    need_yaml();
    before = dup(STDERR_FILENO);
    file = open("stderr", O_RDWR | O_CREAT, 0600);
    sandbox_write("bad.yaml", "%FOO bar\n---\na: [\n");
    dup2(file, STDERR_FILENO);
    assert_int_equal(
        weir_settings_load("weir", "bad.yaml", &(weir_settings *){NULL}, NULL),
        WEIR_E_SETTINGS);
    dup2(before, STDERR_FILENO);
    assert_int_equal(fstat(file, &info), 0);
    assert_int_equal(info.st_size, 0);
    close(file);
    close(before);
}

static void test_a_build_without_yaml_says_so(void **state)
{
    (void)state;
    if (wr_yaml_is_built())
        skip();
    assert_refused("weir", "no/such.yaml", WEIR_E_UNSUPPORTED,
                   "no/such.yaml: this build of weir reads no YAML files");
    sandbox_write("settings/local.yaml", POOL);
    assert_refused(
        "weir", NULL, WEIR_E_UNSUPPORTED,
        "settings/local.yaml: this build of weir reads no YAML files");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_errors_in_the_environment_name_the_variable),
        IN_SANDBOX(test_a_project_is_a_plain_name),
        IN_SANDBOX(test_arguments_are_checked),
        IN_SANDBOX(test_a_named_file_must_exist),
        IN_SANDBOX(test_a_missing_layer_is_skipped),
        IN_SANDBOX(test_a_folder_is_not_a_file),
        IN_SANDBOX(test_an_unreadable_layer_is_an_error),
        IN_SANDBOX(test_a_file_has_at_most_1_mib),
        IN_SANDBOX(test_an_overridden_error_is_an_error),
        IN_SANDBOX(
            test_a_key_file_of_one_layer_may_have_its_certificate_in_another),
        IN_SANDBOX(test_a_long_path_leaves_room_for_the_reason),
        IN_SANDBOX(test_nothing_is_printed),
        IN_SANDBOX(test_a_build_without_yaml_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
