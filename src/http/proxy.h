/* The URL of a proxy, taken apart and made canonical.
 *
 *   [scheme://][user[:password]@]host[:port][/]
 *
 * Schemes: http (the default), https, socks5 (names are resolved here) and
 * socks5h (names are resolved by the proxy).  Without a port: 443 for https,
 * else 1080, as curl has it.
 *
 * A text with an "@" may hold a password, so no message shows a part of it. */
#ifndef WR_HTTP_PROXY_H
#define WR_HTTP_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/error.h>

#include "base/slice.h"

enum wr_proxy_kind {
    WR_PROXY_NONE, /* direct */
    WR_PROXY_HTTP,
    WR_PROXY_HTTPS,
    WR_PROXY_SOCKS5,
    WR_PROXY_SOCKS5H
};

struct wr_proxy {
    enum wr_proxy_kind kind;
    uint16_t port;
    const char *host;         /* canonical, see http/url.h; terminated */
    struct wr_slice userinfo; /* "user:password", percent-decoded, the colon
                               * always there; data is NULL when there is none;
                               * terminated */
    char *block;              /* owned: what both point into; NULL: not ours */
};

static inline bool wr_proxy_is_socks(const struct wr_proxy *proxy)
{
    return proxy->kind == WR_PROXY_SOCKS5 || proxy->kind == WR_PROXY_SOCKS5H;
}

/* On failure *ret_proxy is untouched.  WEIR_E_URL with the offset, and what was
 * expected in the message; WEIR_E_NO_MEMORY. */
weir_status wr_proxy_parse(struct wr_proxy *ret_proxy, const char *text,
                           weir_error *ret_err);
/* Frees the block; a zeroed proxy is allowed. */
void wr_proxy_done(struct wr_proxy *proxy);

enum {
    WR_PROXY_TEXT = 272 /* any host with brackets and port */
};

/* "proxy.example:3128" or "[::1]:3128" in buf, which it returns; user and
 * password are left out. */
const char *wr_proxy_text(const struct wr_proxy *proxy,
                          char buf[WR_PROXY_TEXT]);

#endif
