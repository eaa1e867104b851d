#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    FIRST_CAP = 256
};

bool wr_buf_grow(struct wr_buf *buf, size_t more)
{
    size_t need;
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    char *data;

    if (__builtin_add_overflow(buf->len, more, &need))
        return false;
    while (cap < need)
        cap = cap <= SIZE_MAX / 2 ? cap * 2 : need;
    data = wr_realloc(buf->data, cap);
    if (!data)
        return false;
    buf->data = data;
    buf->cap = cap;
    return true;
}

bool wr_buf_append(struct wr_buf *buf, const void *bytes, size_t len)
{
    if (!wr_buf_reserve(buf, len))
        return false;
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    return true;
}

bool wr_buf_append_text(struct wr_buf *buf, const char *text)
{
    return wr_buf_append(buf, text, strlen(text));
}

bool wr_buf_append_format(struct wr_buf *buf, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || !wr_buf_reserve(buf, (size_t)len + 1))
        return false;
    va_start(args, format);
    vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
    return true;
}

void wr_buf_drop(struct wr_buf *buf, size_t n)
{
    buf->len -= n;
    if (n && buf->len)
        memmove(buf->data, buf->data + n, buf->len);
}

void wr_buf_done(struct wr_buf *buf)
{
    wr_free(buf->data);
    *buf = (struct wr_buf){0};
}
