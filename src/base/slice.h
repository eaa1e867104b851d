/* Bytes that somebody else owns. */
#ifndef WR_BASE_SLICE_H
#define WR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct wr_slice {
    const char *data;
    size_t len;
};

static inline char wr_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Equal but for the case of ASCII letters. */
static inline bool wr_equal_nocase(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (wr_lower(a[i]) != wr_lower(b[i]))
            return false;
    }
    return true;
}

/* slice == a terminated string, but for case. */
static inline bool wr_slice_is(struct wr_slice slice, const char *text)
{
    return strlen(text) == slice.len &&
           wr_equal_nocase(slice.data, text, slice.len);
}

#endif
