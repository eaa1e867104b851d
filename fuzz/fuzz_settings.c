/* A settings file: what is read is in range, and what `weir config` shows of it
 * reads back as the same; what is refused is refused with its place. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include <weir/settings.h>

#include "settings/options.h"

#define PROJECT "weir_fuzz_of_settings"

enum {
    MOST_BYTES = 1 << 14
};

/* A file that has a name and is nowhere. */
struct file {
    int fd;
    char path[64];
};

static void open_file(struct file *file, const char *name)
{
    file->fd = memfd_create(name, 0);
    CHECK(file->fd >= 0);
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
}

static void write_file(const struct file *file, const void *bytes, size_t len)
{
    CHECK(ftruncate(file->fd, 0) == 0);
    CHECK(pwrite(file->fd, bytes, len, 0) == (ssize_t)len);
}

/* Every value as it is shown, in a file again. */
static void check_again(const weir_settings *settings)
{
    static struct file file = {-1, ""};
    static char text[1 << 19];
    size_t len = (size_t)sprintf(text, "http_connection_pool:\n");
    weir_settings *again = NULL;
    weir_error err;

    if (file.fd < 0)
        open_file(&file, "again");
    for (size_t i = 0; i < weir_settings_count(settings); i++) {
        const weir_setting setting = weir_settings_at(settings, i);

        len += (size_t)snprintf(text + len, sizeof text - len, "  %s: %s\n",
                                setting.key, setting.value);
        CHECK(len < sizeof text);
    }
    write_file(&file, text, len);
    if (weir_settings_load(PROJECT, file.path, &again, &err) != WEIR_OK) {
        fprintf(stderr, "%s\n%s\n", err.message, text);
        abort();
    }
    for (size_t i = 0; i < weir_settings_count(settings); i++)
        CHECK(strcmp(weir_settings_at(settings, i).value,
                     weir_settings_at(again, i).value) == 0);
    weir_settings_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct file file = {-1, ""};
    weir_settings *settings = NULL;
    weir_pool_options options;
    weir_pool_options imported;
    weir_error err;
    weir_status status;

    if (size > MOST_BYTES)
        return -1;
    if (file.fd < 0) {
        setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
        open_file(&file, "settings");
    }
    write_file(&file, data, size);
    status = weir_settings_load(PROJECT, file.path, &settings, &err);
    if (status != WEIR_OK) {
        CHECK(status == WEIR_E_SETTINGS);
        CHECK(settings == NULL);
        fuzz_check_message(err.message);
        return 0;
    }
    weir_settings_pool_options(settings, &options);
    CHECK(wr_options_import(&imported, &options, &err) == WEIR_OK);
    CHECK(wr_options_difference(&options, &imported, true) == NULL);
    check_again(settings);
    weir_settings_free(settings);
    return 0;
}
