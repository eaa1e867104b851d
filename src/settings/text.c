#include "settings/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of the character that begins with this one; 0: none does. */
static size_t sequence_len(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

static bool is_printable(uint32_t c)
{
    if (c < 0x20)
        return c == '\t' || c == '\n' || c == '\r';
    if (c >= 0x7f && c < 0xa0)
        return c == 0x85;
    return !(c >= 0xd800 && c <= 0xdfff) && c != 0xfffe && c != 0xffff &&
           c <= 0x10ffff;
}

/* Length of the character at the front of the text; 0: not a valid one. */
static size_t character_len(const char *text, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = (unsigned char)*text;
    const size_t len = sequence_len(first);
    uint32_t c = len > 1 ? first & (0x7fU >> len) : first;

    if (!len || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        const unsigned char next = (unsigned char)text[i];

        if ((next & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (next & 0x3f);
    }
    return c >= least[len] && is_printable(c) ? len : 0;
}

size_t wr_text_check(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        const size_t n = character_len(text + at, len - at);

        if (!n)
            break;
        at += n;
    }
    return at;
}
