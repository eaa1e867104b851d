#include "http/specimen.h"

#include <stdio.h>

struct wr_specimen wr_specimen_byte(char byte)
{
    struct wr_specimen specimen;

    if (byte > ' ' && byte <= '~')
        snprintf(specimen.text, sizeof specimen.text, "'%c'", byte);
    else
        snprintf(specimen.text, sizeof specimen.text, "0x%02x",
                 (unsigned)(unsigned char)byte);
    return specimen;
}

struct wr_specimen wr_specimen_at(const char *bytes, size_t at, size_t len)
{
    return at < len ? wr_specimen_byte(bytes[at])
                    : (struct wr_specimen){"the end"};
}

struct wr_specimen wr_specimen(const char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const size_t shown = len < WR_SPECIMEN_MAX ? len : WR_SPECIMEN_MAX;
    struct wr_specimen specimen;
    char *out = specimen.text;

    *out++ = '"';
    for (size_t i = 0; i < shown; i++) {
        const unsigned char c = (unsigned char)bytes[i];

        if (c >= ' ' && c <= '~') {
            *out++ = (char)c;
            continue;
        }
        *out++ = '\\';
        *out++ = 'x';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 15];
    }
    for (int dots = 0; shown < len && dots < 3; dots++)
        *out++ = '.';
    *out++ = '"';
    *out = '\0';
    return specimen;
}
