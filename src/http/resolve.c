#include "http/resolve.h"

#include <string.h>

#include "base/error.h"
#include "http/ascii.h"
#include "http/specimen.h"

/* The parts of a reference; data NULL: it has none. */
struct parts {
    struct wr_slice scheme;
    struct wr_slice authority;
    struct wr_slice path;  /* never NULL */
    struct wr_slice query; /* without its '?' */
};

static struct wr_slice cut(struct wr_slice *rest, size_t len)
{
    const struct wr_slice head = {rest->data, len};

    rest->data += len;
    rest->len -= len;
    return head;
}

/* Bytes before the first of `ends`, or all. */
static size_t span_before(struct wr_slice text, const char *ends)
{
    size_t at = 0;

    while (at < text.len && !strchr(ends, text.data[at]))
        at++;
    return at;
}

static bool is_scheme_byte(char c)
{
    return wr_is_letter(c) || wr_is_digit(c) || c == '+' || c == '-' ||
           c == '.';
}

/* Length of "scheme" in front of a ':', or 0. */
static size_t scheme_len(struct wr_slice text)
{
    size_t at = 0;

    if (text.len == 0 || !wr_is_letter(text.data[0]))
        return 0;
    while (at < text.len && is_scheme_byte(text.data[at]))
        at++;
    return at < text.len && text.data[at] == ':' ? at : 0;
}

/* RFC 3986 section 3, by the delimiters alone. */
static struct parts take_apart(struct wr_slice rest)
{
    struct parts parts = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    const size_t scheme = scheme_len(rest);

    rest.len = span_before(rest, "#");
    if (scheme) {
        parts.scheme = cut(&rest, scheme);
        cut(&rest, 1);
    }
    if (rest.len >= 2 && rest.data[0] == '/' && rest.data[1] == '/') {
        cut(&rest, 2);
        parts.authority = cut(&rest, span_before(rest, "/?"));
    }
    parts.path = cut(&rest, span_before(rest, "?"));
    if (rest.len > 0) {
        cut(&rest, 1);
        parts.query = rest;
    }
    return parts;
}

/* --- writing ---------------------------------------------------------------
 */

static bool append(struct wr_buf *out, struct wr_slice bytes)
{
    return bytes.len == 0 || wr_buf_append(out, bytes.data, bytes.len);
}

/* What browsers encode in a path or query rather than refuse. */
static bool wants_encoding(char c)
{
    return c == ' ' || (unsigned char)c >= 0x80 || strchr("\"<>^`{}", c);
}

static bool append_encoded(struct wr_buf *out, struct wr_slice bytes)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < bytes.len; i++) {
        const char c = bytes.data[i];
        const char code[] = {'%', digits[(unsigned char)c >> 4],
                             digits[(unsigned char)c & 15]};
        const bool is_encoded = c != '\0' && wants_encoding(c);

        if (!wr_buf_append(out, is_encoded ? code : &c, is_encoded ? 3 : 1))
            return false;
    }
    return true;
}

/* A zone may hold any byte (RFC 6874); what is not unreserved is encoded. */
static bool append_zone(struct wr_buf *out, struct wr_slice zone)
{
    for (; zone.len > 0; zone.data++, zone.len--) {
        const char c = *zone.data;
        const bool is_plain = wr_is_letter(c) || wr_is_digit(c) ||
                              (c != '\0' && strchr("-._~", c));

        if (is_plain ? !wr_buf_append(out, &c, 1)
                     : !wr_buf_append_format(out, "%%%02X", (unsigned char)c))
            return false;
    }
    return true;
}

/* Host and port as a URL has them: with the zone, which the Host field must not
 * have, so that what is resolved against it reaches the same host. */
static bool append_authority(struct wr_buf *out, const struct wr_url *url)
{
    struct wr_slice rest = url->authority;
    struct wr_slice zone = url->host;

    cut(&zone, span_before(zone, "%"));
    if (url->host_kind != WR_HOST_IPV6 || zone.len == 0)
        return append(out, rest);
    cut(&zone, 1);
    return append(out, cut(&rest, span_before(rest, "]"))) &&
           wr_buf_append_text(out, "%25") && append_zone(out, zone) &&
           append(out, rest);
}

/* --- dot segments ----------------------------------------------------------
 */

static bool is_segment(struct wr_slice segment, const char *text)
{
    return segment.len == strlen(text) &&
           memcmp(segment.data, text, segment.len) == 0;
}

/* Drops the last segment behind out[from], with its slash. */
static void drop_segment(struct wr_buf *out, size_t from)
{
    while (out->len > from && out->data[out->len - 1] != '/')
        out->len--;
    if (out->len > from)
        out->len--;
}

/* Removes dot segments from out[from, len), which begins with '/' (RFC 3986
 * section 5.2.4), in place: the result is never ahead of what is read. */
static void remove_dots(struct wr_buf *out, size_t from)
{
    struct wr_slice rest = {out->data + from, out->len - from};

    out->len = from;
    while (rest.len > 0) {
        struct wr_slice segment;

        cut(&rest, 1); /* its slash */
        segment = cut(&rest, span_before(rest, "/"));
        if (is_segment(segment, "..")) {
            drop_segment(out, from);
        } else if (!is_segment(segment, ".")) {
            out->data[out->len++] = '/';
            memmove(out->data + out->len, segment.data, segment.len);
            out->len += segment.len;
            continue;
        }
        if (rest.len == 0) /* "/a/.." is the folder, "/" behind it */
            out->data[out->len++] = '/';
    }
}

/* --- resolving -------------------------------------------------------------
 */

static struct wr_slice base_path(const struct wr_url *base)
{
    struct wr_slice path = base->target;

    path.len = span_before(path, "?");
    return path;
}

static struct wr_slice base_query(const struct wr_url *base)
{
    struct wr_slice rest = base->target;

    cut(&rest, span_before(rest, "?"));
    if (rest.len == 0)
        return (struct wr_slice){NULL, 0};
    cut(&rest, 1);
    return rest;
}

/* RFC 3986 section 5.3.2, "merge": the base's path up to its last slash. */
static bool append_folder(struct wr_buf *out, const struct wr_url *base)
{
    struct wr_slice path = base_path(base);

    while (path.len > 0 && path.data[path.len - 1] != '/')
        path.len--;
    return append(out, path);
}

static bool append_path(struct wr_buf *out, const struct wr_url *base,
                        const struct parts *ref)
{
    const size_t from = out->len;

    if (ref->path.len == 0 && ref->authority.data)
        return append(out, (struct wr_slice){"/", 1});
    if (ref->path.len == 0)
        return append(out, base_path(base));
    if (ref->path.data[0] != '/' && !append_folder(out, base))
        return false;
    if (!append_encoded(out, ref->path))
        return false;
    remove_dots(out, from);
    return true;
}

static bool append_query(struct wr_buf *out, const struct wr_url *base,
                         const struct parts *ref)
{
    struct wr_slice query = ref->query;

    if (!query.data && ref->path.len == 0 && !ref->authority.data)
        query = base_query(base);
    return !query.data || (append(out, (struct wr_slice){"?", 1}) &&
                           append_encoded(out, query));
}

static weir_status refuse_scheme(struct wr_slice scheme, weir_error *ret_err)
{
    return wr_error_set(ret_err, WEIR_E_REDIRECT,
                        "scheme %s, expected http or https",
                        wr_specimen(scheme.data, scheme.len).text);
}

weir_status wr_url_resolve(const struct wr_url *base, struct wr_slice reference,
                           struct wr_buf *out, weir_error *ret_err)
{
    struct parts ref = take_apart(reference);
    bool tls = base->tls;

    if (ref.scheme.data) {
        tls = wr_slice_is(ref.scheme, "https");
        if (!tls && !wr_slice_is(ref.scheme, "http"))
            return refuse_scheme(ref.scheme, ret_err);
        if (!ref.authority.data)
            return wr_error_set(ret_err, WEIR_E_REDIRECT,
                                "\"//\" and a host are missing behind the "
                                "scheme");
    }
    if (ref.authority.data &&
        memchr(ref.authority.data, '@', ref.authority.len))
        return wr_error_set(ret_err, WEIR_E_REDIRECT,
                            "it has user information, which a server must not "
                            "send");
    if (!wr_buf_append_text(out, tls ? "https://" : "http://") ||
        !(ref.authority.data ? append(out, ref.authority)
                             : append_authority(out, base)) ||
        !append_path(out, base, &ref) || !append_query(out, base, &ref))
        return wr_error_no_memory(ret_err);
    return WEIR_OK;
}

bool wr_url_print(const struct wr_url *url, struct wr_buf *out)
{
    return wr_buf_append_text(out, url->tls ? "https://" : "http://") &&
           append_authority(out, url) && append(out, url->target);
}

bool wr_url_same_origin(const struct wr_url *a, const struct wr_url *b)
{
    return a->tls == b->tls && a->port == b->port &&
           a->host.len == b->host.len &&
           memcmp(a->host.data, b->host.data, a->host.len) == 0;
}
