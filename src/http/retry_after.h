/* The field Retry-After (RFC 9110 section 10.2.3). */
#ifndef WR_HTTP_RETRY_AFTER_H
#define WR_HTTP_RETRY_AFTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Reads the value of the field, without white space around it: "120", or an
 * HTTP-date (http/date.h), "Fri, 31 Dec 1999 23:59:59 GMT".
 *
 * *ret_seconds: from now on.  0 for a date that has passed; UINT64_MAX for a
 * number that is larger.  The peer says it: the caller caps it.
 * False, *ret_seconds untouched: neither, e.g. "-1", "1.5" or "soon".
 * Cost: O(length). */
bool wr_retry_after_parse(struct wr_slice value, int64_t now_unix_s,
                          uint64_t *ret_seconds);

#endif
