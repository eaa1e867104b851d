/* Bytes for people: how an error message shows what was found. */
#ifndef WR_HTTP_SPECIMEN_H
#define WR_HTTP_SPECIMEN_H

#include <stddef.h>

#include "base/cold.h"

enum {
    WR_SPECIMEN_MAX = 24, /* bytes shown; a longer text ends in "..." */
    WR_SPECIMEN_SIZE = (size_t)4 * WR_SPECIMEN_MAX + sizeof "\"\"...",
};

struct wr_specimen {
    char text[WR_SPECIMEN_SIZE];
};

/* "'x'" for a visible character, "0x20" for any other byte. */
WR_COLD struct wr_specimen wr_specimen_byte(char byte);
/* The same, or "the end" when at == len. */
WR_COLD struct wr_specimen wr_specimen_at(const char *bytes, size_t at,
                                          size_t len);
/* The beginning of a text in quotes, bytes that are not printable as \xNN. */
WR_COLD struct wr_specimen wr_specimen(const char *bytes, size_t len);

#endif
