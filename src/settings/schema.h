/* Which type a plain scalar has (YAML 1.2.2 section 10.3.2, core schema), and
 * numbers to and from text whatever the program's locale. */
#ifndef WR_SETTINGS_SCHEMA_H
#define WR_SETTINGS_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for wr_seconds_text: 17 digits before and after the point. */
#define WR_SECONDS_CAP 40

enum wr_schema_type {
    WR_SCHEMA_TEXT,
    WR_SCHEMA_NULL,
    WR_SCHEMA_BOOL,
    WR_SCHEMA_INTEGER,
    WR_SCHEMA_FLOAT,
};

enum wr_schema_type wr_schema_type(const char *text, size_t len);
/* Of a WR_SCHEMA_INTEGER.  false: negative, or more than 64 bits. */
bool wr_schema_integer(const char *text, size_t len, uint64_t *ret);
/* Of a terminated WR_SCHEMA_INTEGER or WR_SCHEMA_FLOAT; may be infinite or not
 * a number.  false: out of memory. */
bool wr_schema_float(const char *text, size_t len, double *ret);
/* The fewest digits that read back as the same number: 10.0, 0.25, 1e+30,
 * .inf, .nan.  false: out of memory. */
bool wr_seconds_text(double seconds, char text[WR_SECONDS_CAP]);

#endif
