/* Bytes that may be YAML at all: UTF-8 of printable characters. */
#ifndef WR_SETTINGS_TEXT_H
#define WR_SETTINGS_TEXT_H

#include <stddef.h>

/* Offset of the first byte that YAML 1.2.2 does not allow (section 5.1); len
 * if there is none.  Beyond it, UTF-8 as in RFC 3629. */
size_t wr_text_check(const char *text, size_t len);

#endif
