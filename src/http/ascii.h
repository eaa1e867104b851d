/* Classes of ASCII bytes, whatever the locale. */
#ifndef WR_HTTP_ASCII_H
#define WR_HTTP_ASCII_H

#include <stdbool.h>

#include "base/slice.h"

static inline bool wr_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool wr_is_letter(char c)
{
    c = wr_lower(c);
    return c >= 'a' && c <= 'z';
}

/* SP or HTAB: the white space of RFC 9110 section 5.6.3. */
static inline bool wr_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Value of a hex digit, or -1. */
static inline int wr_hex_value(char c)
{
    if (wr_is_digit(c))
        return c - '0';
    c = wr_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
