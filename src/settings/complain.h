/* Errors in settings: each begins with the place it was found in. */
#ifndef WR_SETTINGS_COMPLAIN_H
#define WR_SETTINGS_COMPLAIN_H

#include <stddef.h>

#include "base/error.h"
#include "settings/node.h"

/* The path, or "..." and its last bytes where it would fill a message. */
const char *wr_path_shown(const char *path, char *buf, size_t cap);
#define WR_PATH_SHOWN 84

/* WEIR_E_SETTINGS: "FILE:3:20: section.key: …", or "environment NAME: …".
 * section, or key alone, may be NULL: left out. */
__attribute__((format(printf, 5, 6))) weir_status
wr_complain(weir_error *err, const struct wr_place *place, const char *section,
            const char *key, const char *format, ...);

#endif
