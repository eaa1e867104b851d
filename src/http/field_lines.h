/* The fields of a request as they are kept: "Name: value\r\n", one after
 * another, each validated when it was added (http/emit.h). */
#ifndef WR_HTTP_FIELD_LINES_H
#define WR_HTTP_FIELD_LINES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/* The next line of `rest`, which moves on behind it; its name without the
 * colon.  false: there is none. */
bool wr_field_lines_next(struct wr_slice *rest, struct wr_slice *ret_line,
                         struct wr_slice *ret_name);
/* Is there a field of that name, in any case? */
bool wr_field_lines_have(const struct wr_buf *lines, const char *name);
/* Drops all fields of that name. */
void wr_field_lines_drop(struct wr_buf *lines, const char *name);

enum {
    WR_BASIC_EXTRA = 10
};
/* Writes the value of an Authorization or Proxy-Authorization field for
 * "user:password" (RFC 7617), at most len + len / 3 + WR_BASIC_EXTRA bytes;
 * returns its end. */
char *wr_basic_put(char *out, struct wr_slice user_password);
/* Appends the value of an Authorization or Proxy-Authorization field for
 * "user:password" (RFC 7617): "Basic dXNlcjpwYXNzd29yZA==".  false: out of
 * memory. */
bool wr_basic_append(struct wr_buf *out, struct wr_slice user_password);

#endif
