/* Every file of tests/corpus/settings: what weir says about it. */
#include "sandbox.h"

#include <dirent.h>

#define CORPUS WEIR_TESTS_DIR "/corpus/settings/"

/* Calls `check` with each file of a folder, copied to settings/weir.yaml. */
static size_t for_each(const char *folder, void (*check)(char *text))
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        char path[PATH_MAX];
        size_t len;
        char *text;

        if (entry->d_name[0] == '.')
            continue;
        print_message("%s\n", entry->d_name);
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        text = sandbox_read(path, &len);
        sandbox_write_bytes("settings/weir.yaml", text, len);
        check(text);
        free(text);
        count++;
    }
    closedir(dir);
    return count;
}

static void check_bad(char *text)
{
    char message[512];

    assert_memory_equal(text, "#! FILE:", 8);
    snprintf(message, sizeof message, "settings/weir.yaml:%.*s",
             (int)strcspn(text + 8, "\n"), text + 8);
    assert_refused("weir", NULL, WEIR_E_SETTINGS, message);
}

static void test_each_bad_file_is_refused_with_its_message(void **state)
{
    (void)state;
    need_yaml();
    assert_true(for_each(CORPUS "bad", check_bad) > 40);
}

/* The value that "#= key: value" in the first lines promises, or NULL. */
static const char *find_promise(char *text, const char *key, char *value,
                                size_t cap)
{
    if (!strncmp(text, "\xef\xbb\xbf", 3))
        text += 3;
    while (!strncmp(text, "#= ", 3)) {
        const size_t len = strlen(key);

        text += 3;
        if (!strncmp(text, key, len) && !strncmp(text + len, ": ", 2)) {
            text += len + 2;
            snprintf(value, cap, "%.*s", (int)strcspn(text, "\n"), text);
            return value;
        }
        text += strcspn(text, "\n") + 1;
    }
    return NULL;
}

static void check_good(char *text)
{
    weir_settings *settings = load("weir", NULL);
    weir_settings *defaults = NULL;

    assert_int_equal(weir_settings_load_environment("weir", &defaults, NULL),
                     WEIR_OK);
    for (size_t i = 0; i < weir_settings_count(settings); i++) {
        const weir_setting setting = weir_settings_at(settings, i);
        char value[128];

        if (find_promise(text, setting.key, value, sizeof value))
            assert_setting(settings, setting.key, value, "settings/weir.yaml");
        else
            assert_setting(settings, setting.key,
                           weir_settings_at(defaults, i).value, "default");
    }
    weir_settings_free(defaults);
    weir_settings_free(settings);
}

static void test_each_good_file_has_its_values(void **state)
{
    (void)state;
    need_yaml();
    assert_true(for_each(CORPUS "good", check_good) > 10);
}

/* What weir_settings_at() shows, written to a file, means the same again. */
static void check_round_trip(char *text)
{
    weir_settings *first = load("weir", NULL);
    weir_settings *second;
    FILE *file = fopen("again.yaml", "w");

    (void)text;
    assert_non_null(file);
    fprintf(file, "http_connection_pool:\n");
    for (size_t i = 0; i < weir_settings_count(first); i++) {
        const weir_setting setting = weir_settings_at(first, i);

        fprintf(file, "  %s: %s\n", setting.key, setting.value);
    }
    fclose(file);
    second = load("weir", "again.yaml");
    for (size_t i = 0; i < weir_settings_count(first); i++) {
        const weir_setting setting = weir_settings_at(first, i);

        assert_setting(second, setting.key, setting.value, "again.yaml");
    }
    weir_settings_free(second);
    weir_settings_free(first);
}

static void test_values_shown_read_back_as_the_same(void **state)
{
    (void)state;
    need_yaml();
    assert_true(for_each(CORPUS "good", check_round_trip) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_each_bad_file_is_refused_with_its_message),
        IN_SANDBOX(test_each_good_file_has_its_values),
        IN_SANDBOX(test_values_shown_read_back_as_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
