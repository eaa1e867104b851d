/* What may stand in a field (RFC 9110 section 5) and in a method. */
#ifndef WR_HTTP_FIELD_H
#define WR_HTTP_FIELD_H

#include <stdbool.h>
#include <stddef.h>

/* 256 entries: is the byte a tchar of RFC 9110 section 5.6.2? */
extern const unsigned char wr_tchar[256];

/* Index of the first byte that is no tchar; len if there is none. */
size_t wr_token_span(const char *bytes, size_t len);
/* Index of the first byte that may not be in a field value: a control other
 * than HTAB, or DEL; len if there is none (RFC 9110 section 5.5). */
size_t wr_value_span(const char *bytes, size_t len);

#endif
