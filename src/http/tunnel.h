/* Asking a proxy for a tunnel to host and port: CONNECT (RFC 9110 section
 * 9.3.6) to an HTTP proxy, SOCKS5 (RFC 1928, RFC 1929) to any other.
 *
 * Bytes out, bytes in: the holder sends what is unsent, gives what it has
 * received, and goes on until it is done.  The outcome does not depend on how
 * the answers were split.  A proxy says nothing behind its last answer before
 * it is spoken to through the tunnel: such bytes are an error. */
#ifndef WR_HTTP_TUNNEL_H
#define WR_HTTP_TUNNEL_H

#include "base/buf.h"
#include "http/head.h"
#include "http/proxy.h"

struct wr_tunnel {
    const struct wr_proxy *proxy; /* borrowed */
    char peer[WR_PROXY_TEXT];     /* "example.org:443" */
    struct wr_buf out;
    size_t sent;
    struct wr_buf in; /* of the answer that is being read */
    /* CONNECT */
    struct wr_head_limits limits;
    struct wr_head head;
    struct wr_field_ref *fields; /* owned */
    unsigned interim;            /* 1xx so far */
    /* SOCKS5 */
    char host[WR_PROXY_TEXT];
    uint16_t port;
    uint8_t state;
};

/* Gets ready to ask `proxy`, borrowed until wr_tunnel_done().  host: canonical,
 * see http/url.h, or an IP literal; `limits` bound the answer to CONNECT.
 * WEIR_E_NO_MEMORY. */
weir_status wr_tunnel_ask(struct wr_tunnel *tunnel,
                          const struct wr_proxy *proxy, const char *host,
                          uint16_t port, const struct wr_head_limits *limits,
                          weir_error *ret_err);
/* What is to be sent before anything is read; empty: read. */
struct wr_slice wr_tunnel_unsent(const struct wr_tunnel *tunnel);
void wr_tunnel_sent(struct wr_tunnel *tunnel, size_t len);
/* Takes received bytes.  DONE: the tunnel is there.  ERROR: WEIR_E_PROXY with
 * the reason, e.g. "proxy proxy.example:3128: CONNECT example.org:443: 407
 * Proxy Authentication Required"; WEIR_E_PROTOCOL or WEIR_E_LIMIT for an answer
 * that is none. */
enum wr_parse_result wr_tunnel_take(struct wr_tunnel *tunnel, const char *bytes,
                                    size_t len, weir_error *ret_err);
/* For messages: "proxy proxy.example:3128: CONNECT example.org:443" in buf,
 * which it returns. */
const char *wr_tunnel_text(const struct wr_tunnel *tunnel, char *buf,
                           size_t cap);
/* Frees what it holds; a zeroed tunnel is allowed, and so is twice. */
void wr_tunnel_done(struct wr_tunnel *tunnel);

#endif
