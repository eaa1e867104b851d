#include "http/field_lines.h"

#include <stdint.h>
#include <string.h>

bool wr_field_lines_next(struct wr_slice *rest, struct wr_slice *ret_line,
                         struct wr_slice *ret_name)
{
    const char *end;
    const char *colon;

    if (rest->len == 0)
        return false;
    end = memchr(rest->data, '\n', rest->len);
    colon = memchr(rest->data, ':', rest->len);
    *ret_line = (struct wr_slice){rest->data, (size_t)(end + 1 - rest->data)};
    *ret_name = (struct wr_slice){rest->data, (size_t)(colon - rest->data)};
    rest->data += ret_line->len;
    rest->len -= ret_line->len;
    return true;
}

bool wr_field_lines_have(const struct wr_buf *lines, const char *name)
{
    struct wr_slice rest = {lines->data, lines->len};
    struct wr_slice line;
    struct wr_slice found;

    while (wr_field_lines_next(&rest, &line, &found)) {
        if (wr_slice_is(found, name))
            return true;
    }
    return false;
}

void wr_field_lines_drop(struct wr_buf *lines, const char *name)
{
    struct wr_slice rest = {lines->data, lines->len};
    struct wr_slice line;
    struct wr_slice found;

    lines->len = 0;
    while (wr_field_lines_next(&rest, &line, &found)) {
        if (wr_slice_is(found, name))
            continue;
        memmove(lines->data + lines->len, line.data, line.len);
        lines->len += line.len;
    }
}

/* RFC 4648 section 4, with padding. */
static char *put_base64(char *out, struct wr_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = (const unsigned char *)bytes.data;
    size_t left = bytes.len;

    for (; left >= 3; left -= 3, in += 3) {
        *out++ = digits[in[0] >> 2];
        *out++ = digits[(in[0] & 3) << 4 | in[1] >> 4];
        *out++ = digits[(in[1] & 15) << 2 | in[2] >> 6];
        *out++ = digits[in[2] & 63];
    }
    if (left == 0)
        return out;
    *out++ = digits[in[0] >> 2];
    *out++ = digits[(in[0] & 3) << 4 | (left == 2 ? in[1] >> 4 : 0)];
    *out++ = left == 2 ? digits[(in[1] & 15) << 2] : '=';
    *out++ = '=';
    return out;
}

char *wr_basic_put(char *out, struct wr_slice user_password)
{
    static const char scheme[] = "Basic ";

    memcpy(out, scheme, sizeof scheme - 1);
    return put_base64(out + sizeof scheme - 1, user_password);
}

bool wr_basic_append(struct wr_buf *out, struct wr_slice user_password)
{
    const size_t len = user_password.len;

    if (len > SIZE_MAX / 2 ||
        !wr_buf_reserve(out, len + len / 3 + WR_BASIC_EXTRA))
        return false;
    out->len =
        (size_t)(wr_basic_put(out->data + out->len, user_password) - out->data);
    return true;
}
