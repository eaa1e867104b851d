#include "http/emit.h"

#include <string.h>

#include "base/error.h"
#include "http/ascii.h"
#include "http/field.h"
#include "http/field_lines.h"
#include "http/specimen.h"

/* --- writing ----------------------------------------------------------------
 *
 * The size is summed up first, so that one reserve makes room for all and
 * nothing can fail half-way. */

enum {
    LENGTH_DIGITS = 20
}; /* of 2^64 - 1 */

/* Length of a string literal. */
#define LEN(literal) (sizeof(literal) - 1)

static const char version[] = " HTTP/1.1\r\nHost: ";
static const char user_agent[] = "User-Agent: ";
static const char accept_encoding[] = "Accept-Encoding: ";
static const char proxy_authorization[] = "Proxy-Authorization: ";
static const char absolute[] = "http://";
static const char content_length[] = "Content-Length: ";
static const char chunked[] = "Transfer-Encoding: chunked\r\n";
static const char closing[] = "Connection: close\r\n";
static const char expect[] = "Expect: 100-continue\r\n";

static inline char *put(char *out, const void *bytes, size_t len)
{
    memcpy(out, bytes, len);
    return out + len;
}

static inline char *put_slice(char *out, struct wr_slice slice)
{
    return slice.len ? put(out, slice.data, slice.len) : out;
}

static inline char *put_line_end(char *out)
{
    return put(out, "\r\n", 2);
}

static char *put_decimal(char *out, uint64_t number)
{
    char digits[LENGTH_DIGITS];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return put(out, digits + at, sizeof digits - at);
}

/* Bytes that the head may take; false: more than a size_t counts. */
static bool sum_up(const struct wr_emit *emit, size_t *ret_size)
{
    size_t size = sizeof version + sizeof user_agent + sizeof accept_encoding +
                  sizeof proxy_authorization + sizeof absolute +
                  sizeof content_length + LENGTH_DIGITS + sizeof chunked +
                  sizeof closing + sizeof expect + 10;
    const size_t parts[] = {
        emit->method.len,         emit->target.len,
        emit->authority.len,      emit->host.len,
        emit->user_agent.len,     emit->accept_encoding.len,
        emit->proxy_userinfo.len, emit->proxy_userinfo.len / 3 + WR_BASIC_EXTRA,
        emit->fields.len};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (__builtin_add_overflow(size, parts[i], &size))
            return false;
    }
    *ret_size = size;
    return true;
}

/* A server may refuse a POST that does not say it is empty (RFC 9110
 * section 8.6). */
static bool wants_length(struct wr_slice method)
{
    return (method.len == 4 && memcmp(method.data, "POST", 4) == 0) ||
           (method.len == 3 && memcmp(method.data, "PUT", 3) == 0) ||
           (method.len == 5 && memcmp(method.data, "PATCH", 5) == 0);
}

static char *put_framing(char *out, const struct wr_emit *emit)
{
    if (emit->framing == WR_SEND_CHUNKED)
        return put(out, chunked, LEN(chunked));
    if (emit->framing == WR_SEND_NO_BODY && !wants_length(emit->method))
        return out;
    out = put(out, content_length, LEN(content_length));
    out = put_decimal(out, emit->framing == WR_SEND_LENGTH ? emit->length : 0);
    return put_line_end(out);
}

weir_status wr_emit_head(const struct wr_emit *emit, struct wr_buf *out)
{
    size_t size;
    char *at;

    if (!sum_up(emit, &size) || !wr_buf_reserve(out, size))
        return WEIR_E_NO_MEMORY;
    at = out->data + out->len;
    at = put_slice(at, emit->method);
    *at++ = ' ';
    if (emit->authority.data) {
        at = put(at, absolute, LEN(absolute));
        at = put_slice(at, emit->authority);
    }
    at = put_slice(at, emit->target);
    at = put(at, version, LEN(version));
    at = put_slice(at, emit->host);
    at = put_line_end(at);
    if (emit->user_agent.len) {
        at = put(at, user_agent, LEN(user_agent));
        at = put_slice(at, emit->user_agent);
        at = put_line_end(at);
    }
    if (emit->accept_encoding.len) {
        at = put(at, accept_encoding, LEN(accept_encoding));
        at = put_slice(at, emit->accept_encoding);
        at = put_line_end(at);
    }
    if (emit->proxy_userinfo.data) {
        at = put(at, proxy_authorization, LEN(proxy_authorization));
        at = wr_basic_put(at, emit->proxy_userinfo);
        at = put_line_end(at);
    }
    at = put_slice(at, emit->fields);
    at = put_framing(at, emit);
    if (emit->close)
        at = put(at, closing, LEN(closing));
    if (emit->expect_continue)
        at = put(at, expect, LEN(expect));
    at = put_line_end(at);
    out->len = (size_t)(at - out->data);
    return WEIR_OK;
}

/* --- checking ---------------------------------------------------------------
 */

enum {
    METHOD_MAX = 32,
    PORT_DIGITS = 5
};

static weir_status refuse(weir_error *err, const char *part,
                          struct wr_slice found, size_t at,
                          const char *expected)
{
    return wr_error_at(err, WEIR_E_FIELD, at,
                       "invalid %s at byte %zu: found %s in %s, expected %s",
                       part, at, wr_specimen_at(found.data, at, found.len).text,
                       wr_specimen(found.data, found.len).text, expected);
}

/* Fields that say how the message is framed, or where it goes: written once,
 * by wr_emit_head(). */
static bool is_reserved(struct wr_slice name)
{
    return wr_slice_is(name, "Content-Length") ||
           wr_slice_is(name, "Transfer-Encoding") ||
           wr_slice_is(name, "Connection") || wr_slice_is(name, "Host");
}

static weir_status check_field(struct wr_slice name, struct wr_slice value,
                               weir_error *err)
{
    size_t at = wr_token_span(name.data, name.len);

    if (at < name.len || name.len == 0)
        return refuse(err, "field name", name, at, "a token");
    if (is_reserved(name))
        return refuse(err, "field name", name, 0,
                      "no field that the library writes itself");
    at = wr_value_span(value.data, value.len);
    /* The value itself is not shown: it may be a secret. */
    if (at < value.len)
        return wr_error_at(err, WEIR_E_FIELD, at,
                           "invalid value of field %s at byte %zu: found %s, "
                           "expected no control",
                           wr_specimen(name.data, name.len).text, at,
                           wr_specimen_byte(value.data[at]).text);
    return WEIR_OK;
}

static struct wr_slice trim(struct wr_slice value)
{
    while (value.len && wr_is_blank(value.data[value.len - 1]))
        value.len--;
    while (value.len && wr_is_blank(*value.data)) {
        value.data++;
        value.len--;
    }
    return value;
}

weir_status wr_emit_field(struct wr_buf *out, struct wr_slice name,
                          struct wr_slice value, weir_error *ret_err)
{
    const weir_status status = check_field(name, value, ret_err);
    size_t size;
    char *at;

    if (status)
        return status;
    value = trim(value);
    if (__builtin_add_overflow(name.len, value.len, &size) ||
        __builtin_add_overflow(size, LEN(": \r\n"), &size) ||
        !wr_buf_reserve(out, size))
        return wr_error_no_memory(ret_err);
    at = put_slice(out->data + out->len, name);
    at = put(at, ": ", 2);
    at = put_slice(at, value);
    at = put_line_end(at);
    out->len = (size_t)(at - out->data);
    return WEIR_OK;
}

weir_status wr_check_method(struct wr_slice method, weir_error *ret_err)
{
    const size_t at = wr_token_span(method.data, method.len);

    if (at < method.len || method.len == 0)
        return refuse(ret_err, "method", method, at, "a token");
    if (method.len > METHOD_MAX)
        return refuse(ret_err, "method", method, METHOD_MAX,
                      "at most 32 bytes");
    if (wr_slice_is(method, "CONNECT"))
        return refuse(ret_err, "method", method, 0,
                      "one that does not open a tunnel");
    return WEIR_OK;
}

/* The end of an uri-host (RFC 3986 section 3.2.2), or its first bad byte. */
static size_t host_end(struct wr_slice value)
{
    size_t at = 0;

    if (value.len == 0 || value.data[0] != '[') {
        while (at < value.len &&
               (wr_is_letter(value.data[at]) || wr_is_digit(value.data[at]) ||
                memchr("-._~", value.data[at], 4)))
            at++;
        return at;
    }
    at++;
    while (at < value.len && (wr_hex_value(value.data[at]) >= 0 ||
                              value.data[at] == ':' || value.data[at] == '.'))
        at++;
    return at < value.len && value.data[at] == ']' ? at + 1 : at;
}

/* uri-host [ ":" port ], RFC 9110 section 7.2 */
weir_status wr_check_host(struct wr_slice value, weir_error *ret_err)
{
    static const char part[] = "value of field Host";
    const size_t end = host_end(value);
    size_t at = end;

    if (end == 0 || (value.data[0] == '[' && value.data[end - 1] != ']'))
        return refuse(ret_err, part, value, end, "a host");
    if (end == value.len)
        return WEIR_OK;
    if (value.data[end] != ':')
        return refuse(ret_err, part, value, end, "':' and a port");
    do {
        at++;
    } while (at < value.len && wr_is_digit(value.data[at]));
    if (at < value.len || at == end + 1 || at - end > PORT_DIGITS + 1)
        return refuse(ret_err, part, value, at, "a port");
    return WEIR_OK;
}

bool wr_method_is_idempotent(struct wr_slice method)
{
    static const char *const methods[] = {"GET",   "HEAD", "OPTIONS",
                                          "TRACE", "PUT",  "DELETE"};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strlen(methods[i]) == method.len &&
            memcmp(methods[i], method.data, method.len) == 0)
            return true;
    }
    return false;
}
