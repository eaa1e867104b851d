/* CONNECT (RFC 9110 section 9.3.6).  A 2xx opens the tunnel, whatever its
 * fields say about a body; but fields that contradict each other are refused
 * as in any response. */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "http/emit.h"
#include "http/tunnel_inner.h"

enum {
    INTERIM_MAX = 16, /* protocol-rules 2.15 */
    REASON_MAX = 60,  /* bytes shown */
};

weir_status wr_connect_ask(struct wr_tunnel *tunnel, weir_error *err)
{
    const struct wr_slice peer = {tunnel->peer, strlen(tunnel->peer)};
    const struct wr_emit emit = {
        .method = {"CONNECT", sizeof "CONNECT" - 1},
        .target = peer,
        .host = peer,
        .proxy_userinfo = tunnel->proxy->userinfo,
        .framing = WR_SEND_NO_BODY,
    };

    tunnel->fields = wr_calloc(tunnel->limits.fields, sizeof *tunnel->fields);
    if (!tunnel->fields || wr_emit_head(&emit, &tunnel->out) != WEIR_OK)
        return wr_error_no_memory(err);
    wr_head_init(&tunnel->head, &tunnel->limits, tunnel->fields);
    return WEIR_OK;
}

/* The peer chose it: only visible ASCII is shown. */
static void show_reason(const struct wr_tunnel *tunnel,
                        char reason[REASON_MAX + 1])
{
    const struct wr_head *head = &tunnel->head;
    const char *text = tunnel->in.data + head->reason;
    size_t len = 0;

    for (; len < head->reason_len && len < REASON_MAX; len++)
        reason[len] = text[len] >= ' ' && text[len] <= '~' ? text[len] : '?';
    reason[len] = '\0';
}

static enum wr_parse_result judge(struct wr_tunnel *tunnel, size_t len,
                                  weir_error *err)
{
    const unsigned status = tunnel->head.status;
    char reason[REASON_MAX + 1];

    if (status / 100 == 2 && tunnel->in.len == len)
        return WR_PARSE_DONE;
    if (status / 100 == 2)
        return wr_tunnel_fail(tunnel, err, WEIR_E_PROTOCOL,
                              "%zu bytes behind the answer",
                              tunnel->in.len - len);
    show_reason(tunnel, reason);
    return wr_tunnel_fail(tunnel, err, WEIR_E_PROXY, "%u%s%s", status,
                          *reason ? " " : "", reason);
}

enum wr_parse_result wr_connect_take(struct wr_tunnel *tunnel, weir_error *err)
{
    for (;;) {
        weir_error cause;
        size_t len = 0;
        const enum wr_parse_result result = wr_head_parse(
            &tunnel->head, tunnel->in.data, tunnel->in.len, &len, &cause);

        if (result == WR_PARSE_ERROR)
            return wr_tunnel_fail(tunnel, err, cause.code, "%s", cause.message);
        if (result == WR_PARSE_MORE)
            return WR_PARSE_MORE;
        if (tunnel->head.status / 100 != 1 || tunnel->head.status == 101)
            return judge(tunnel, len, err);
        if (++tunnel->interim > INTERIM_MAX)
            return wr_tunnel_fail(tunnel, err, WEIR_E_LIMIT,
                                  "more than %d interim responses",
                                  (int)INTERIM_MAX);
        wr_buf_drop(&tunnel->in, len);
        wr_head_again(&tunnel->head);
        if (tunnel->in.len == 0)
            return WR_PARSE_MORE;
    }
}
