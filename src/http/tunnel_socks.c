/* SOCKS5 (RFC 1928) without authentication, or with user and password
 * (RFC 1929): three answers at most, each of which must have come whole and
 * alone before the next question is put. */
#include <arpa/inet.h>
#include <string.h>

#include "base/error.h"
#include "http/tunnel_inner.h"

enum socks_state {
    SOCKS_METHOD,
    SOCKS_USER,
    SOCKS_CONNECT,
};

enum {
    VERSION = 5,
    USER_VERSION = 1,
    METHOD_NONE = 0,
    METHOD_USER = 2,
    METHOD_REFUSED = 0xff,
    COMMAND_CONNECT = 1,
    ADDRESS_IPV4 = 1,
    ADDRESS_NAME = 3,
    ADDRESS_IPV6 = 4,
};

static bool put_byte(struct wr_buf *out, size_t number)
{
    const char byte = (char)(unsigned char)number;

    return wr_buf_append(out, &byte, 1);
}

/* Length and bytes. */
static bool put_text(struct wr_buf *out, const char *text, size_t len)
{
    return put_byte(out, len) && wr_buf_append(out, text, len);
}

/* The question behind `state` is put; its answer comes next. */
static enum wr_parse_result go_on(struct wr_tunnel *tunnel, bool is_put,
                                  enum socks_state state, weir_error *err)
{
    if (!is_put) {
        wr_error_no_memory(err);
        return WR_PARSE_ERROR;
    }
    tunnel->in.len = 0;
    tunnel->state = (uint8_t)state;
    return WR_PARSE_MORE;
}

weir_status wr_socks_ask(struct wr_tunnel *tunnel, weir_error *err)
{
    static const char none[] = {VERSION, 1, METHOD_NONE};
    static const char both[] = {VERSION, 2, METHOD_NONE, METHOD_USER};
    const bool has_user = tunnel->proxy->userinfo.data != NULL;

    tunnel->state = SOCKS_METHOD;
    if (!wr_buf_append(&tunnel->out, has_user ? both : none,
                       has_user ? sizeof both : sizeof none))
        return wr_error_no_memory(err);
    return WEIR_OK;
}

static enum wr_parse_result ask_with_user(struct wr_tunnel *tunnel,
                                          weir_error *err)
{
    const struct wr_slice both = tunnel->proxy->userinfo;
    const char *colon = memchr(both.data, ':', both.len);
    const size_t user_len = (size_t)(colon - both.data);

    return go_on(tunnel,
                 put_byte(&tunnel->out, USER_VERSION) &&
                     put_text(&tunnel->out, both.data, user_len) &&
                     put_text(&tunnel->out, colon + 1, both.len - user_len - 1),
                 SOCKS_USER, err);
}

static bool put_host(struct wr_buf *out, const char *host)
{
    char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, host, address) == 1)
        return put_byte(out, ADDRESS_IPV4) && wr_buf_append(out, address, 4);
    if (inet_pton(AF_INET6, host, address) == 1)
        return put_byte(out, ADDRESS_IPV6) && wr_buf_append(out, address, 16);
    return put_byte(out, ADDRESS_NAME) && put_text(out, host, strlen(host));
}

static enum wr_parse_result ask_to_connect(struct wr_tunnel *tunnel,
                                           weir_error *err)
{
    struct wr_buf *out = &tunnel->out;

    return go_on(tunnel,
                 put_byte(out, VERSION) && put_byte(out, COMMAND_CONNECT) &&
                     put_byte(out, 0) && put_host(out, tunnel->host) &&
                     put_byte(out, tunnel->port >> 8) &&
                     put_byte(out, tunnel->port & 0xff),
                 SOCKS_CONNECT, err);
}

static unsigned byte_at(const struct wr_tunnel *tunnel, size_t at)
{
    return (unsigned char)tunnel->in.data[at];
}

static enum wr_parse_result fail_protocol(const struct wr_tunnel *tunnel,
                                          weir_error *err, const char *what,
                                          unsigned found)
{
    return wr_tunnel_fail(tunnel, err, WEIR_E_PROTOCOL, "invalid answer: %s %u",
                          what, found);
}

static enum wr_parse_result fail_behind(const struct wr_tunnel *tunnel,
                                        weir_error *err)
{
    return wr_tunnel_fail(tunnel, err, WEIR_E_PROTOCOL,
                          "bytes behind the answer");
}

/* RFC 1928 section 3 */
static enum wr_parse_result take_method(struct wr_tunnel *tunnel,
                                        weir_error *err)
{
    const bool has_user = tunnel->proxy->userinfo.data != NULL;
    unsigned method;

    if (byte_at(tunnel, 0) != VERSION)
        return fail_protocol(tunnel, err, "version", byte_at(tunnel, 0));
    if (tunnel->in.len < 2)
        return WR_PARSE_MORE;
    method = byte_at(tunnel, 1);
    if (method == METHOD_REFUSED)
        return wr_tunnel_fail(tunnel, err, WEIR_E_PROXY,
                              has_user ? "neither no authentication nor user "
                                         "and password will do"
                                       : "authentication is required");
    if (method != METHOD_NONE && (method != METHOD_USER || !has_user))
        return fail_protocol(tunnel, err, "method", method);
    if (tunnel->in.len > 2)
        return fail_behind(tunnel, err);
    return method == METHOD_USER ? ask_with_user(tunnel, err)
                                 : ask_to_connect(tunnel, err);
}

/* RFC 1929 section 2: any status but 0 is a refusal. */
static enum wr_parse_result take_user(struct wr_tunnel *tunnel, weir_error *err)
{
    if (byte_at(tunnel, 0) != USER_VERSION)
        return fail_protocol(tunnel, err, "version of authentication",
                             byte_at(tunnel, 0));
    if (tunnel->in.len < 2)
        return WR_PARSE_MORE;
    if (byte_at(tunnel, 1) != 0)
        return wr_tunnel_fail(tunnel, err, WEIR_E_PROXY,
                              "user or password refused");
    if (tunnel->in.len > 2)
        return fail_behind(tunnel, err);
    return ask_to_connect(tunnel, err);
}

static const char *reply_text(unsigned reply)
{
    static const char *const texts[] = {
        "succeeded",
        "general failure",
        "not allowed by its rules",
        "network unreachable",
        "host unreachable",
        "connection refused",
        "TTL expired",
        "command not supported",
        "address type not supported",
    };

    return reply < sizeof texts / sizeof *texts ? texts[reply]
                                                : "unknown reply";
}

/* Bytes of the whole reply; 0: the address type is unknown. */
static size_t reply_length(const struct wr_tunnel *tunnel)
{
    switch (byte_at(tunnel, 3)) {
    case ADDRESS_IPV4:
        return 4 + 4 + 2;
    case ADDRESS_IPV6:
        return 4 + 16 + 2;
    case ADDRESS_NAME:
        return 4 + 1 + (size_t)byte_at(tunnel, 4) + 2;
    default:
        return 0;
    }
}

/* RFC 1928 section 6.  A refusal may end after its second byte. */
static enum wr_parse_result take_reply(struct wr_tunnel *tunnel,
                                       weir_error *err)
{
    size_t len;

    if (byte_at(tunnel, 0) != VERSION)
        return fail_protocol(tunnel, err, "version", byte_at(tunnel, 0));
    if (tunnel->in.len < 2)
        return WR_PARSE_MORE;
    if (byte_at(tunnel, 1) != 0)
        return wr_tunnel_fail(tunnel, err, WEIR_E_PROXY, "%s (reply %u)",
                              reply_text(byte_at(tunnel, 1)),
                              byte_at(tunnel, 1));
    if (tunnel->in.len < 5)
        return WR_PARSE_MORE;
    len = reply_length(tunnel);
    if (len == 0)
        return fail_protocol(tunnel, err, "address type", byte_at(tunnel, 3));
    if (tunnel->in.len < len)
        return WR_PARSE_MORE;
    return tunnel->in.len == len ? WR_PARSE_DONE : fail_behind(tunnel, err);
}

enum wr_parse_result wr_socks_take(struct wr_tunnel *tunnel, weir_error *err)
{
    if (tunnel->in.len == 0)
        return WR_PARSE_MORE;
    switch ((enum socks_state)tunnel->state) {
    case SOCKS_METHOD:
        return take_method(tunnel, err);
    case SOCKS_USER:
        return take_user(tunnel, err);
    case SOCKS_CONNECT:
        break;
    }
    return take_reply(tunnel, err);
}
