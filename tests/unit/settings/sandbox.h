/* A folder and an environment of a test's own. */
#ifndef WR_TEST_SANDBOX_H
#define WR_TEST_SANDBOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/settings.h>

#include "settings/yaml.h"

static char sandbox_path[64];

static int sandbox_remove_entry(const char *path, const struct stat *info,
                                int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

/* No variable of ours is set, HOME is the folder, and it is the current one. */
__attribute__((unused)) static int sandbox_enter(void **state)
{
    (void)state;
    snprintf(sandbox_path, sizeof sandbox_path, "/tmp/weir-settings-XXXXXX");
    if (!mkdtemp(sandbox_path) || chmod(sandbox_path, 0755) != 0 ||
        chdir(sandbox_path) != 0 || clearenv() != 0)
        return -1;
    return setenv("HOME", sandbox_path, 1);
}

__attribute__((unused)) static int sandbox_leave(void **state)
{
    (void)state;
    if (chdir("/") != 0)
        return -1;
    return nftw(sandbox_path, sandbox_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file and the folders above it. */
__attribute__((unused)) static void
sandbox_write_bytes(const char *path, const void *bytes, size_t len)
{
    char folder[PATH_MAX];
    FILE *file;

    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(folder, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

__attribute__((unused)) static void sandbox_write(const char *path,
                                                  const char *text)
{
    sandbox_write_bytes(path, text, strlen(text));
}

/* A whole file, terminated; free() it. */
__attribute__((unused)) static char *sandbox_read(const char *path,
                                                  size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc((1 << 20) + 1);

    assert_non_null(file);
    assert_non_null(text);
    *ret_len = fread(text, 1, 1 << 20, file);
    text[*ret_len] = '\0';
    fclose(file);
    return text;
}

__attribute__((unused)) static weir_settings *load(const char *project,
                                                   const char *path)
{
    weir_settings *settings = NULL;
    weir_error err = {0};

    if (weir_settings_load(project, path, &settings, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    return settings;
}

/* Loading fails with this status and message, and gives nothing. */
__attribute__((unused)) static void assert_refused(const char *project,
                                                   const char *path,
                                                   weir_status status,
                                                   const char *message)
{
    weir_settings *settings = NULL;
    weir_error err = {0};

    assert_int_equal(weir_settings_load(project, path, &settings, &err),
                     status);
    assert_null(settings);
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, status);
}

__attribute__((unused)) static weir_setting
find_setting(const weir_settings *settings, const char *key)
{
    for (size_t i = 0; i < weir_settings_count(settings); i++) {
        if (!strcmp(weir_settings_at(settings, i).key, key))
            return weir_settings_at(settings, i);
    }
    fail_msg("no setting %s", key);
    return weir_settings_at(settings, SIZE_MAX);
}

__attribute__((unused)) static void
assert_setting(const weir_settings *settings, const char *key,
               const char *value, const char *layer)
{
    const weir_setting setting = find_setting(settings, key);

    assert_string_equal(setting.value, value);
    assert_string_equal(setting.layer, layer);
}

/* Ends a test that needs files in a build that reads none. */
__attribute__((unused)) static void need_yaml(void)
{
    if (!wr_yaml_is_built())
        skip();
}

#define IN_SANDBOX(test)                                                       \
    cmocka_unit_test_setup_teardown(test, sandbox_enter, sandbox_leave)

#endif
