/* HTTP-date (RFC 9110 section 5.6.7), whatever the locale and the time zone.
 *
 * Times are seconds since 1970-01-01T00:00:00Z, without leap seconds. */
#ifndef WR_HTTP_DATE_H
#define WR_HTTP_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    WR_DATE_LEN = 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};

/* Reads a date in one of the three forms:
 *
 *   Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate
 *   Sunday, 06-Nov-94 08:49:37 GMT    of RFC 850
 *   Sun Nov  6 08:49:37 1994          of asctime()
 *
 * To the letter: case counts, no white space around it.  The name of the day
 * must be one, but need not be that of the date.  Second 60 is the one that
 * follows.  A year of two digits is the latest that is not more than 50 years
 * after now.
 *
 * False, *ret_unix_s untouched: not a date, e.g. "31 Jun" or "24:00:00".
 * Cost: O(1). */
bool wr_date_parse(struct wr_slice text, int64_t now_unix_s,
                   int64_t *ret_unix_s);

/* Writes an IMF-fixdate and a NUL; its length, WR_DATE_LEN.  0, out untouched:
 * the year is not one of 0000 to 9999. */
size_t wr_date_format(int64_t unix_s, char out[WR_DATE_LEN + 1]);

#endif
