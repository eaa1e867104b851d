/* A growing byte buffer: bytes [0, len) of cap are in use.
 *
 * Zero-initialised is empty.  A failed call leaves the buffer as it was. */
#ifndef WR_BASE_BUF_H
#define WR_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cold.h"

struct wr_buf {
    char *data; /* owned */
    size_t len;
    size_t cap;
};

/* Makes room for at least `more` bytes behind len, for which there is none; at
 * least doubles.  false: out of memory, or len + more would overflow. */
WR_COLD bool wr_buf_grow(struct wr_buf *buf, size_t more);
/* The same if need be. */
static inline bool wr_buf_reserve(struct wr_buf *buf, size_t more)
{
    return more <= buf->cap - buf->len || wr_buf_grow(buf, more);
}
bool wr_buf_append(struct wr_buf *buf, const void *bytes, size_t len);
/* Appends a terminated string, without its end. */
bool wr_buf_append_text(struct wr_buf *buf, const char *text);
/* Appends formatted text, without an end. */
__attribute__((format(printf, 2, 3))) bool
wr_buf_append_format(struct wr_buf *buf, const char *format, ...);
/* Drops the first n bytes, n <= len; moves the rest to the front. */
void wr_buf_drop(struct wr_buf *buf, size_t n);
/* Frees the bytes; the buffer is empty again. */
void wr_buf_done(struct wr_buf *buf);

#endif
