#include "http/field.h"

#include "http/scan.h"

/* "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" /
 * "|" / "~" / DIGIT / ALPHA; one row a 16 bytes, 0x20 to 0x7f. */
const unsigned char wr_tchar[256] = {
    [0x20] = 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0,
    [0x30] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0,
    [0x40] = 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    [0x50] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1,
    [0x60] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    [0x70] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0,
};

size_t wr_token_span(const char *bytes, size_t len)
{
    size_t i = 0;

    while (i < len && wr_tchar[(unsigned char)bytes[i]])
        i++;
    return i;
}

/* What a field value may hold is just what the scanner calls plain. */
size_t wr_value_span(const char *bytes, size_t len)
{
    return len ? (size_t)(wr_scan(bytes, bytes + len) - bytes) : 0;
}
