#include "http/proxy.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "http/ascii.h"
#include "http/host.h"
#include "http/specimen.h"

enum {
    PORT_DEFAULT = 1080,
    PORT_HTTPS = 443,
    SOCKS_PART_MAX = 255, /* of user and password (RFC 1929 section 2) */
};

static const struct {
    const char *scheme; /* with "://" */
    enum wr_proxy_kind kind;
} schemes[] = {
    {"http://", WR_PROXY_HTTP},
    {"https://", WR_PROXY_HTTPS},
    {"socks5://", WR_PROXY_SOCKS5},
    {"socks5h://", WR_PROXY_SOCKS5H},
};

/* The text, and where its parts begin and end in it. */
struct parse {
    const char *text;
    size_t len;
    weir_error *err;
    enum wr_proxy_kind kind;
    size_t authority;
    size_t user_end; /* of the user information; == authority: none */
    size_t host;
    size_t host_end;
    size_t end; /* of the authority */
    uint16_t port;
    struct wr_host canonical;
};

static bool is_secret(const struct parse *p)
{
    return memchr(p->text, '@', p->len) != NULL;
}

static weir_status refuse(const struct parse *p, size_t offset,
                          const char *part, const char *expected)
{
    if (is_secret(p))
        return wr_error_at(p->err, WEIR_E_URL, offset,
                           "invalid proxy URL: %s at byte %zu: expected %s",
                           part, offset, expected);
    return wr_error_at(p->err, WEIR_E_URL, offset,
                       "invalid proxy URL: %s at byte %zu: found %s, expected "
                       "%s",
                       part, offset,
                       wr_specimen_at(p->text, offset, p->len).text, expected);
}

static weir_status take_scheme(struct parse *p)
{
    p->kind = WR_PROXY_HTTP;
    if (!memmem(p->text, p->len, "://", 3))
        return WEIR_OK;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const size_t len = strlen(schemes[i].scheme);

        if (p->len >= len && wr_equal_nocase(p->text, schemes[i].scheme, len)) {
            p->kind = schemes[i].kind;
            p->authority = len;
            return WEIR_OK;
        }
    }
    return refuse(p, 0, "scheme", "http, https, socks5 or socks5h");
}

/* The first '@' ends the user information, as in any other URL. */
static weir_status find_parts(struct parse *p)
{
    size_t at = p->authority;

    p->user_end = p->authority;
    p->host = p->authority;
    while (at < p->len && !strchr("/?#", p->text[at])) {
        if (p->text[at] == '@' && p->host == p->authority) {
            p->user_end = at;
            p->host = at + 1;
        }
        at++;
    }
    p->end = at;
    if (at < p->len && (p->text[at] != '/' || at + 1 < p->len))
        return refuse(p, p->text[at] == '/' ? at + 1 : at, "path",
                      "nothing behind host and port");
    return WEIR_OK;
}

/* The byte at *at, decoded; *at moves to its last one.  -1: it may not be. */
static int take_user_byte(const struct parse *p, size_t *at)
{
    int byte = (unsigned char)p->text[*at];

    if (byte <= ' ' || byte == 0x7f)
        return -1;
    if (byte != '%')
        return byte;
    if (p->user_end - *at < 3 || wr_hex_value(p->text[*at + 1]) < 0 ||
        wr_hex_value(p->text[*at + 2]) < 0)
        return -1;
    byte = wr_hex_value(p->text[*at + 1]) * 16 + wr_hex_value(p->text[*at + 2]);
    if (byte < ' ' || byte == 0x7f)
        return -1;
    *at += 2;
    return byte;
}

/* RFC 7617 section 2: no control, and no colon in the user's name. */
static weir_status check_user(const struct parse *p)
{
    static const char part[] = "user information";
    size_t lengths[2] = {0, 0}; /* of user and password */
    unsigned which = 0;

    for (size_t at = p->authority; at < p->user_end; at++) {
        const size_t from = at;
        const int byte = take_user_byte(p, &at);

        if (byte < 0)
            return refuse(p, from, part, "no control, and percent-encoding");
        if (p->text[from] == ':' && which == 0) {
            which = 1;
            continue;
        }
        if (byte == ':' && which == 0)
            return refuse(p, from, part, "no ':' in the user's name");
        if (++lengths[which] > SOCKS_PART_MAX && p->kind >= WR_PROXY_SOCKS5)
            return refuse(p, from, part, "at most 255 bytes each for SOCKS5");
    }
    if (p->user_end > p->authority && lengths[0] == 0 &&
        p->kind >= WR_PROXY_SOCKS5)
        return refuse(p, p->authority, part, "a user's name for SOCKS5");
    return WEIR_OK;
}

static weir_status take_host(struct parse *p)
{
    const char *host = p->text + p->host;
    const size_t len = p->end - p->host;
    const bool is_literal = len > 0 && host[0] == '[';
    const char *end = len ? memchr(host, is_literal ? ']' : ':', len) : NULL;
    weir_error err;
    weir_status status;

    if (is_literal && !end)
        return refuse(p, p->end, "host", "']' behind an IPv6 address");
    p->host_end = end ? (size_t)(end - p->text) + is_literal : p->end;
    if (p->host_end == p->host)
        return refuse(p, p->host, "host", "a host name");
    status = wr_host_parse(&p->canonical, p->text, p->host, p->host_end, &err);
    if (status == WEIR_E_URL && is_secret(p))
        return refuse(p, err.offset, "host", "a host name or an address");
    if (status != WEIR_OK && p->err)
        *p->err = err;
    return status;
}

static weir_status take_port(struct parse *p)
{
    const size_t first = p->host_end + 1;
    unsigned port = 0;

    p->port = p->kind == WR_PROXY_HTTPS ? PORT_HTTPS : PORT_DEFAULT;
    if (p->host_end == p->end)
        return WEIR_OK;
    if (p->text[p->host_end] != ':')
        return refuse(p, p->host_end, "host", "':' behind ']'");
    for (size_t at = first; at < p->end; at++) {
        if (!wr_is_digit(p->text[at]))
            return refuse(p, at, "port", "a digit");
        port = port * 10 + (unsigned)(p->text[at] - '0');
        if (port > 65535)
            return refuse(p, first, "port", "a number from 1 to 65535");
    }
    if (port == 0)
        return refuse(p, first, "port", "a number from 1 to 65535");
    p->port = (uint16_t)port;
    return WEIR_OK;
}

static weir_status build(struct wr_proxy *ret_proxy, const struct parse *p)
{
    struct wr_proxy proxy = {.kind = p->kind, .port = p->port};
    const size_t host_size = p->canonical.len + 1;
    bool has_colon = false;
    char *at;

    proxy.block =
        wr_malloc(host_size + (p->user_end - p->authority) + sizeof ":");
    if (!proxy.block)
        return wr_error_no_memory(p->err);
    memcpy(proxy.block, p->canonical.text, host_size);
    proxy.host = proxy.block;
    at = proxy.block + host_size;
    if (p->user_end > p->authority) {
        proxy.userinfo.data = at;
        for (size_t i = p->authority; i < p->user_end; i++) {
            has_colon = has_colon || p->text[i] == ':';
            *at++ = (char)take_user_byte(p, &i);
        }
        if (!has_colon)
            *at++ = ':';
        proxy.userinfo.len = (size_t)(at - proxy.userinfo.data);
        *at = '\0';
    }
    *ret_proxy = proxy;
    return WEIR_OK;
}

weir_status wr_proxy_parse(struct wr_proxy *ret_proxy, const char *text,
                           weir_error *ret_err)
{
    struct parse p = {.text = text, .len = strlen(text), .err = ret_err};
    weir_status status = take_scheme(&p);

    if (status == WEIR_OK)
        status = find_parts(&p);
    if (status == WEIR_OK)
        status = check_user(&p);
    if (status == WEIR_OK)
        status = take_host(&p);
    if (status == WEIR_OK)
        status = take_port(&p);
    return status == WEIR_OK ? build(ret_proxy, &p) : status;
}

void wr_proxy_done(struct wr_proxy *proxy)
{
    wr_free(proxy->block);
    *proxy = (struct wr_proxy){.kind = WR_PROXY_NONE};
}

const char *wr_proxy_text(const struct wr_proxy *proxy, char buf[WR_PROXY_TEXT])
{
    const bool is_ipv6 = strchr(proxy->host, ':') != NULL;

    snprintf(buf, WR_PROXY_TEXT, is_ipv6 ? "[%s]:%u" : "%s:%u", proxy->host,
             (unsigned)proxy->port);
    return buf;
}
