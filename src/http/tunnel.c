#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "http/tunnel_inner.h"

/* Without the zone, which means nothing to another machine. */
static void copy_host(struct wr_tunnel *tunnel, const char *host)
{
    const char *zone = strchr(host, '%');
    const int len = (int)(zone ? (size_t)(zone - host) : strlen(host));
    const bool is_ipv6 = strchr(host, ':') != NULL;

    snprintf(tunnel->host, sizeof tunnel->host, "%.*s", len, host);
    snprintf(tunnel->peer, sizeof tunnel->peer,
             is_ipv6 ? "[%.*s]:%u" : "%.*s:%u", len, host,
             (unsigned)tunnel->port);
}

weir_status wr_tunnel_ask(struct wr_tunnel *tunnel,
                          const struct wr_proxy *proxy, const char *host,
                          uint16_t port, const struct wr_head_limits *limits,
                          weir_error *ret_err)
{
    weir_status status;

    *tunnel =
        (struct wr_tunnel){.proxy = proxy, .limits = *limits, .port = port};
    copy_host(tunnel, host);
    status = wr_proxy_is_socks(proxy) ? wr_socks_ask(tunnel, ret_err)
                                      : wr_connect_ask(tunnel, ret_err);
    if (status != WEIR_OK)
        wr_tunnel_done(tunnel);
    return status;
}

struct wr_slice wr_tunnel_unsent(const struct wr_tunnel *tunnel)
{
    const size_t len = tunnel->out.len - tunnel->sent;

    return (struct wr_slice){len ? tunnel->out.data + tunnel->sent : "", len};
}

void wr_tunnel_sent(struct wr_tunnel *tunnel, size_t len)
{
    tunnel->sent += len;
}

enum wr_parse_result wr_tunnel_take(struct wr_tunnel *tunnel, const char *bytes,
                                    size_t len, weir_error *ret_err)
{
    if (!wr_buf_append(&tunnel->in, bytes, len)) {
        wr_error_no_memory(ret_err);
        return WR_PARSE_ERROR;
    }
    return wr_proxy_is_socks(tunnel->proxy) ? wr_socks_take(tunnel, ret_err)
                                            : wr_connect_take(tunnel, ret_err);
}

const char *wr_tunnel_text(const struct wr_tunnel *tunnel, char *buf,
                           size_t cap)
{
    char proxy[WR_PROXY_TEXT];

    snprintf(
        buf, cap, "proxy %.90s: %s %.90s", wr_proxy_text(tunnel->proxy, proxy),
        wr_proxy_is_socks(tunnel->proxy) ? "SOCKS5" : "CONNECT", tunnel->peer);
    return buf;
}

enum wr_parse_result wr_tunnel_fail(const struct wr_tunnel *tunnel,
                                    weir_error *err, weir_status code,
                                    const char *format, ...)
{
    char text[sizeof err->message];
    char reason[sizeof err->message];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    wr_error_set(err, code, "%s: %s", wr_tunnel_text(tunnel, text, sizeof text),
                 reason);
    return WR_PARSE_ERROR;
}

void wr_tunnel_done(struct wr_tunnel *tunnel)
{
    wr_buf_done(&tunnel->out);
    wr_buf_done(&tunnel->in);
    wr_free(tunnel->fields);
    tunnel->fields = NULL;
    tunnel->sent = 0;
}
