/* What fuzz_socks and fuzz_connect share: asks a proxy for a tunnel and gives
 * it answers in pieces. */
#ifndef TUNNEL_RUN_H
#define TUNNEL_RUN_H

#include "fuzz.h"

#include "http/tunnel.h"

struct tunnel_outcome {
    enum wr_parse_result result;
    weir_error err;
    unsigned questions; /* that were put */
    bool was_user_asked;
    bool has_rest;         /* not all of an answer was wanted */
    unsigned char last[2]; /* of the answer to the last question, the first */
    size_t last_len;       /* bytes of it */
};

/* Takes the question, if there is one, as sent. */
static inline void tunnel_put(struct wr_tunnel *tunnel,
                              struct tunnel_outcome *out)
{
    const struct wr_slice unsent = wr_tunnel_unsent(tunnel);

    CHECK(unsent.len < 4096);
    if (unsent.len == 0)
        return;
    out->questions++;
    out->last_len = 0;
    if (wr_proxy_is_socks(tunnel->proxy) && out->questions == 2)
        out->was_user_asked = unsent.data[0] == 1; /* RFC 1929 */
    wr_tunnel_sent(tunnel, unsent.len);
    CHECK(wr_tunnel_unsent(tunnel).len == 0);
}

/* One answer, at most `piece` bytes at a time. */
static inline void tunnel_answer(struct wr_tunnel *tunnel,
                                 struct fuzz_input answer, size_t piece,
                                 struct tunnel_outcome *out)
{
    for (size_t i = 0; i < answer.len && out->last_len + i < 2; i++)
        out->last[out->last_len + i] = answer.data[i];
    out->last_len += answer.len;
    while (answer.len > 0 && out->result == WR_PARSE_MORE &&
           wr_tunnel_unsent(tunnel).len == 0) {
        struct fuzz_input part = answer;
        char *copy;

        if (part.len > piece)
            part.len = piece;
        copy = fuzz_copy(part);
        out->result = wr_tunnel_take(tunnel, copy, part.len, &out->err);
        free(copy);
        answer.data += part.len;
        answer.len -= part.len;
    }
    out->has_rest = answer.len > 0;
}

static inline void tunnel_begin(struct wr_tunnel *tunnel,
                                struct wr_proxy *proxy, const char *url,
                                const char *host, struct tunnel_outcome *out)
{
    static const struct wr_head_limits limits = {256, 4096, 32, false};

    memset(out, 0, sizeof *out);
    CHECK(wr_proxy_parse(proxy, url, &out->err) == WEIR_OK);
    CHECK(wr_tunnel_ask(tunnel, proxy, host, 443, &limits, &out->err) ==
          WEIR_OK);
    tunnel_put(tunnel, out);
}

static inline void tunnel_end(struct wr_tunnel *tunnel, struct wr_proxy *proxy,
                              struct tunnel_outcome *out)
{
    if (out->result == WR_PARSE_ERROR) {
        CHECK(out->err.code == WEIR_E_PROXY ||
              out->err.code == WEIR_E_PROTOCOL ||
              out->err.code == WEIR_E_LIMIT);
        fuzz_check_message(out->err.message);
    }
    wr_tunnel_done(tunnel);
    wr_proxy_done(proxy);
}

/* Turn by turn: a length, so many bytes, the next question. */
static inline void tunnel_run(const char *url, const char *host,
                              struct fuzz_input input, size_t piece,
                              struct tunnel_outcome *out)
{
    struct wr_proxy proxy;
    struct wr_tunnel tunnel;

    tunnel_begin(&tunnel, &proxy, url, host, out);
    while (input.len > 0 && out->result == WR_PARSE_MORE && !out->has_rest) {
        const size_t len = fuzz_byte(&input);
        struct fuzz_input answer = input;

        if (answer.len > len)
            answer.len = len;
        input.data += answer.len;
        input.len -= answer.len;
        tunnel_answer(&tunnel, answer, piece, out);
        tunnel_put(&tunnel, out);
    }
    tunnel_end(&tunnel, &proxy, out);
}

/* One answer. */
static inline void tunnel_run_one(const char *url, const char *host,
                                  struct fuzz_input answer, size_t piece,
                                  struct tunnel_outcome *out)
{
    struct wr_proxy proxy;
    struct wr_tunnel tunnel;

    tunnel_begin(&tunnel, &proxy, url, host, out);
    tunnel_answer(&tunnel, answer, piece, out);
    tunnel_end(&tunnel, &proxy, out);
}

static inline bool tunnel_said_too_much(const struct tunnel_outcome *out)
{
    static const char end[] = "behind the answer";
    const size_t len = strlen(out->err.message);

    return out->result == WR_PARSE_ERROR && out->err.code == WEIR_E_PROTOCOL &&
           len >= sizeof end &&
           strcmp(out->err.message + len - (sizeof end - 1), end) == 0;
}

/* In pieces a proxy cannot be seen to say too much: the tunnel is there, or the
 * next question put, before the rest has come. */
static inline void tunnel_compare(const struct tunnel_outcome *whole,
                                  const struct tunnel_outcome *pieces)
{
    if (tunnel_said_too_much(whole)) {
        CHECK(pieces->has_rest || tunnel_said_too_much(pieces));
        return;
    }
    CHECK(pieces->result == whole->result);
    if (whole->result == WR_PARSE_ERROR)
        CHECK(pieces->err.code == whole->err.code);
    else
        CHECK(pieces->questions == whole->questions);
}

#endif
