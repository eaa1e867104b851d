#include "settings/complain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *wr_path_shown(const char *path, char *buf, size_t cap)
{
    const size_t len = strlen(path);

    if (len < cap)
        return path;
    snprintf(buf, cap, "...%s", path + len - (cap - sizeof "..."));
    return buf;
}

/* "settings/weir.yaml:3:20: http_connection_pool.max_waiting" */
static void write_place(const struct wr_place *place, const char *section,
                        const char *key, char *buf, size_t cap)
{
    char path[WR_PATH_SHOWN];

    if (place->variable) {
        snprintf(buf, cap, "environment %s",
                 wr_path_shown(place->variable, path, sizeof path));
        return;
    }
    snprintf(buf, cap, "%s:%u:%u%s%s%s%s",
             wr_path_shown(place->layer, path, sizeof path), place->line,
             place->column, section ? ": " : "", section ? section : "",
             key ? "." : "", key ? key : "");
}

weir_status wr_complain(weir_error *err, const struct wr_place *place,
                        const char *section, const char *key,
                        const char *format, ...)
{
    char where[192];
    char what[160];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    write_place(place, section, key, where, sizeof where);
    return wr_error_set(err, WEIR_E_SETTINGS, "%s: %s", where, what);
}
