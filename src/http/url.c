#include "http/url.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "http/ascii.h"
#include "http/host.h"
#include "http/specimen.h"

/* The text, and where its parts begin and end in it. */
struct parse {
    const char *text;
    size_t len;
    weir_error *err;
    size_t authority;
    size_t user_end; /* of the user information; == authority: none */
    size_t host;
    size_t host_end;
    size_t path;     /* also the end of the authority */
    size_t fragment; /* also the end of path and query */
    bool tls;
    uint16_t port;
    struct wr_host canonical;
};

static weir_status refuse(const struct parse *p, size_t offset,
                          const char *part, const char *expected)
{
    return wr_error_at(p->err, WEIR_E_URL, offset,
                       "invalid URL: %s at byte %zu: found %s, expected %s",
                       part, offset,
                       wr_specimen_at(p->text, offset, p->len).text, expected);
}

/* The same of a word; without one, of the byte there. */
static weir_status refuse_word(const struct parse *p, size_t offset, size_t len,
                               const char *part, const char *expected)
{
    if (len == 0)
        return refuse(p, offset, part, expected);
    return wr_error_at(p->err, WEIR_E_URL, offset,
                       "invalid URL: %s at byte %zu: found %s, expected %s",
                       part, offset, wr_specimen(p->text + offset, len).text,
                       expected);
}

/* 1: unreserved / sub-delims of RFC 3986 section 2.  2: what else may stand in
 * path, query and fragment; '[', ']' and '|' are no part of that grammar, but
 * browsers send them as they are.  One row a 16 bytes, 0x20 to 0x7f. */
static const unsigned char url_class[256] = {
    [0x20] = 0, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2,
    [0x30] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 0, 1, 0, 2,
    [0x40] = 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    [0x50] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0, 2, 0, 1,
    [0x60] = 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    [0x70] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2, 0, 1, 0,
};

static bool is_common(char c)
{
    return url_class[(unsigned char)c] == 1;
}

static bool is_target_byte(char c)
{
    return url_class[(unsigned char)c] != 0;
}

/* A '%' at `at` is followed by two hex digits before `end`. */
static bool is_encoded(const struct parse *p, size_t at, size_t end)
{
    return end - at >= 3 && wr_hex_value(p->text[at + 1]) >= 0 &&
           wr_hex_value(p->text[at + 2]) >= 0;
}

static char decoded(const struct parse *p, size_t at)
{
    return (char)(wr_hex_value(p->text[at + 1]) * 16 +
                  wr_hex_value(p->text[at + 2]));
}

/* --- scheme ----------------------------------------------------------------
 */

static bool begins_with(const struct parse *p, size_t at, const char *word)
{
    const size_t len = strlen(word);

    return p->len - at >= len && wr_equal_nocase(p->text + at, word, len);
}

/* Could text[from] begin a host?  A text with an "@" may hold a password, which
 * no message shows. */
static bool is_guess(const struct parse *p, size_t from)
{
    if (from == p->len || memchr(p->text, '@', p->len) ||
        memmem(p->text, p->len, "://", 3))
        return false;
    for (size_t i = from; i < p->len; i++) {
        if (p->text[i] <= ' ' || p->text[i] > '~')
            return false;
    }
    return wr_is_letter(p->text[from]) || wr_is_digit(p->text[from]) ||
           p->text[from] == '[';
}

/* Of what could be one, or of its first byte. */
static size_t scheme_len(const struct parse *p)
{
    size_t len = 0;

    while (len < p->len && (wr_is_letter(p->text[len]) ||
                            (len > 0 && (wr_is_digit(p->text[len]) ||
                                         strchr("+-.", p->text[len])))))
        len++;
    return len > 0 && len < p->len && p->text[len] == ':' ? len : 0;
}

static weir_status bad_scheme(const struct parse *p)
{
    const size_t from = begins_with(p, 0, "//") ? 2 : 0;
    const size_t shown = p->len - from < 60 ? p->len - from : 60;

    if (!is_guess(p, from))
        return refuse_word(p, 0, scheme_len(p), "scheme",
                           "http:// or https://");
    return wr_error_at(p->err, WEIR_E_URL, 0,
                       "invalid URL: scheme at byte 0: found %s, expected "
                       "http:// or https:// (did you mean http://%.*s?)",
                       wr_specimen(p->text, p->len).text, (int)shown,
                       p->text + from);
}

static weir_status take_scheme(struct parse *p)
{
    size_t end;

    p->tls = begins_with(p, 0, "https:");
    if (!p->tls && !begins_with(p, 0, "http:"))
        return bad_scheme(p);
    end = p->tls ? sizeof "https:" - 1 : sizeof "http:" - 1;
    for (int slashes = 0; slashes < 2; slashes++, end++) {
        if (end == p->len || p->text[end] != '/')
            return refuse(p, end, "scheme", "\"//\" behind it");
    }
    p->authority = end;
    p->port = p->tls ? 443 : 80;
    return WEIR_OK;
}

/* --- authority ----------------------------------------------------------- */

static bool ends_authority(char c)
{
    return c == '/' || c == '?' || c == '#';
}

/* Finds the ends of authority, and of path and query; all in one look. */
static void find_parts(struct parse *p)
{
    size_t at = p->authority;

    p->user_end = p->authority;
    p->host = p->authority;
    while (at < p->len && !ends_authority(p->text[at])) {
        /* The first '@' ends it: a second one is a bad byte of the host. */
        if (p->text[at] == '@' && p->host == p->authority) {
            p->user_end = at;
            p->host = at + 1;
        }
        at++;
    }
    p->path = at;
    while (at < p->len && p->text[at] != '#')
        at++;
    p->fragment = at;
}

/* User information becomes Basic credentials, so it obeys RFC 7617 section 2
 * too: no control, and no colon in the user's name. */
static weir_status check_userinfo(const struct parse *p)
{
    static const char part[] = "user information";
    bool in_password = false;

    for (size_t at = p->authority; at < p->user_end; at++) {
        const char c = p->text[at];

        if (c == ':') {
            in_password = true;
        } else if (c == '%') {
            char byte;

            if (!is_encoded(p, at, p->user_end))
                return refuse(p, at, part, "two hex digits behind '%'");
            byte = decoded(p, at);
            if ((unsigned char)byte < ' ' || byte == 0x7f)
                return refuse(p, at, part, "no encoded control");
            if (byte == ':' && !in_password)
                return refuse(p, at, part, "no ':' in the user's name");
            at += 2;
        } else if (!is_common(c)) {
            return refuse(p, at, part, "a letter, digit or percent-encoding");
        }
    }
    return WEIR_OK;
}

/* The end of the host: behind the bracket, or at the first colon. */
static weir_status find_host_end(struct parse *p)
{
    const char *host = p->text + p->host;
    const size_t len = p->path - p->host;
    const bool is_literal = len > 0 && host[0] == '[';
    const char *end = len ? memchr(host, is_literal ? ']' : ':', len) : NULL;

    if (is_literal && !end)
        return refuse(p, p->path, "host", "']' behind an IPv6 address");
    p->host_end = end ? (size_t)(end - p->text) + is_literal : p->path;
    if (p->host_end == p->host)
        return refuse(p, p->host, "host", "a host name");
    return WEIR_OK;
}

/* ":" and 1 to 65535; an empty port is the scheme's (RFC 3986 section 3.2.3) */
static weir_status take_port(struct parse *p)
{
    const size_t first = p->host_end + 1;
    unsigned port = 0;

    if (p->host_end == p->path)
        return WEIR_OK;
    if (p->text[p->host_end] != ':')
        return refuse(p, p->host_end, "host", "':' or '/' behind ']'");
    for (size_t at = first; at < p->path; at++) {
        if (p->text[at] == ':')
            return refuse(p, at, "port",
                          "a digit (an IPv6 address is put in brackets)");
        if (!wr_is_digit(p->text[at]))
            return refuse(p, at, "port", "a digit");
        port = port * 10 + (unsigned)(p->text[at] - '0');
        if (port > 65535)
            return refuse_word(p, first, p->path - first, "port",
                               "a number from 1 to 65535");
    }
    if (first == p->path)
        return WEIR_OK;
    if (port == 0)
        return refuse_word(p, first, p->path - first, "port",
                           "a number from 1 to 65535");
    p->port = (uint16_t)port;
    return WEIR_OK;
}

static weir_status take_authority(struct parse *p)
{
    weir_status status;

    find_parts(p);
    status = check_userinfo(p);
    if (!status)
        status = find_host_end(p);
    if (!status)
        status =
            wr_host_parse(&p->canonical, p->text, p->host, p->host_end, p->err);
    return status ? status : take_port(p);
}

/* --- path, query, fragment ----------------------------------------------- */

static weir_status check_target(const struct parse *p)
{
    for (size_t at = p->path; at < p->len; at++) {
        const char c = p->text[at];
        const char *part = at < p->fragment ? "path or query" : "fragment";

        if (c == '%' && !is_encoded(p, at, p->len))
            return refuse(p, at, part, "two hex digits behind '%'");
        if (c != '%' && at != p->fragment && !is_target_byte(c))
            return refuse(p, at, part, "its percent-encoding");
    }
    return WEIR_OK;
}

/* --- the result ------------------------------------------------------------
 */

/* Where the next part goes in the block. */
struct writer {
    char *at;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
    memcpy(w->at, bytes, len);
    w->at += len;
}

/* Ends a part that began at `from`. */
static struct wr_slice finish(struct writer *w, const char *from)
{
    const struct wr_slice slice = {from, (size_t)(w->at - from)};

    *w->at++ = '\0';
    return slice;
}

static void put_port(struct writer *w, unsigned port)
{
    char text[sizeof ":65535"];
    size_t at = sizeof text;

    for (; port; port /= 10)
        text[--at] = (char)('0' + port % 10);
    text[--at] = ':';
    put(w, text + at, sizeof text - at);
}

static struct wr_slice put_authority(struct writer *w, const struct parse *p)
{
    const bool is_ipv6 = p->canonical.kind == WR_HOST_IPV6;
    const char *from = w->at;

    if (is_ipv6)
        put(w, "[", 1);
    put(w, p->canonical.text, p->canonical.address_len);
    if (is_ipv6)
        put(w, "]", 1);
    if (p->port != (p->tls ? 443 : 80))
        put_port(w, p->port);
    return finish(w, from);
}

static struct wr_slice put_target(struct writer *w, const struct parse *p)
{
    const char *from = w->at;

    if (p->path == p->fragment || p->text[p->path] != '/')
        put(w, "/", 1);
    put(w, p->text + p->path, p->fragment - p->path);
    return finish(w, from);
}

/* "user:password": the colon is there even without a password. */
static struct wr_slice put_userinfo(struct writer *w, const struct parse *p)
{
    const char *from = w->at;
    bool has_colon = false;

    if (p->user_end == p->authority)
        return (struct wr_slice){NULL, 0};
    for (size_t at = p->authority; at < p->user_end; at++) {
        const bool is_code = p->text[at] == '%';
        const char c = is_code ? decoded(p, at) : p->text[at];

        put(w, &c, 1);
        has_colon = has_colon || c == ':';
        at += is_code ? 2 : 0;
    }
    if (!has_colon)
        put(w, ":", 1);
    return finish(w, from);
}

/* Bytes of all parts with their ends: host twice, with brackets and port. */
static size_t block_size(const struct parse *p)
{
    return 2 * p->canonical.len + sizeof "[]:65535" + (p->len - p->authority) +
           sizeof "/" + sizeof ":" + 4;
}

static weir_status build(struct wr_url *ret_url, const struct parse *p)
{
    struct wr_url url = {
        .tls = p->tls, .host_kind = p->canonical.kind, .port = p->port};
    struct writer w;

    url.block = wr_malloc(block_size(p));
    if (!url.block)
        return wr_error_no_memory(p->err);
    w.at = url.block;
    put(&w, p->canonical.text, p->canonical.len);
    url.host = finish(&w, url.block);
    url.authority = put_authority(&w, p);
    url.target = put_target(&w, p);
    url.userinfo = put_userinfo(&w, p);
    *ret_url = url;
    return WEIR_OK;
}

weir_status wr_url_parse(struct wr_url *ret_url, const char *text, size_t len,
                         weir_error *ret_err)
{
    struct parse p = {.text = text, .len = len, .err = ret_err};
    weir_status status = take_scheme(&p);

    if (!status)
        status = take_authority(&p);
    if (!status)
        status = check_target(&p);
    return status ? status : build(ret_url, &p);
}

void wr_url_done(struct wr_url *url)
{
    wr_free(url->block);
    *url = (struct wr_url){0};
}
