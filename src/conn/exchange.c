/* The exchange: its states, and the way in.  The way out is in
 * exchange_out.c. */
#include "conn/exchange.h"

#include <assert.h>
#include <string.h>

#include "base/cold.h"
#include "base/error.h"
#include "base/mem.h"
#include "conn/exchange_state.h"

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    unsigned next; /* allowed, a bit a state */
} states[] = {
    [WR_EXCHANGE_IDLE] = {"idle", BIT(WR_EXCHANGE_HEAD)},
    [WR_EXCHANGE_HEAD] = {"head", BIT(WR_EXCHANGE_BODY) |
                                      BIT(WR_EXCHANGE_DONE) |
                                      BIT(WR_EXCHANGE_FAILED)},
    [WR_EXCHANGE_BODY] = {"body", BIT(WR_EXCHANGE_TRAILERS) |
                                      BIT(WR_EXCHANGE_DONE) |
                                      BIT(WR_EXCHANGE_FAILED)},
    [WR_EXCHANGE_TRAILERS] = {"trailers",
                              BIT(WR_EXCHANGE_DONE) | BIT(WR_EXCHANGE_FAILED)},
    [WR_EXCHANGE_DONE] = {"done",
                          BIT(WR_EXCHANGE_HEAD) | BIT(WR_EXCHANGE_FAILED)},
    [WR_EXCHANGE_FAILED] = {"failed",
                            BIT(WR_EXCHANGE_HEAD) | BIT(WR_EXCHANGE_FAILED)},
};

void wr_exchange_set_state(struct wr_exchange *ex, enum wr_exchange_state state)
{
    const unsigned allowed = states[ex->state].next;

    assert(allowed & BIT(state));
    (void)allowed;
    ex->state = state;
}

weir_status wr_exchange_begin(struct wr_exchange *ex,
                              struct weir_request *request,
                              const struct wr_head_limits *limits,
                              struct wr_field_ref *fields, weir_error *ret_err)
{
    const weir_status status = request->body.kind == WR_SOURCE_NONE
                                   ? WEIR_OK
                                   : wr_source_begin(&request->body, ret_err);

    if (status != WEIR_OK)
        return status;
    if (ex->state != WR_EXCHANGE_IDLE && ex->state != WR_EXCHANGE_DONE)
        ex->state = WR_EXCHANGE_IDLE; /* an unfinished one begins again */
    wr_exchange_set_state(ex, WR_EXCHANGE_HEAD);
    ex->is_head_request = request->is_head;
    ex->request = request;
    ex->head_sent = 0;
    ex->body_sent = 0;
    ex->out.len = 0;
    ex->out_sent = 0;
    ex->is_produced = request->body.kind != WR_SOURCE_FILE &&
                      request->body.kind != WR_SOURCE_READER;
    ex->is_sent = false;
    ex->is_held =
        request->expect_ns != 0 && request->body.kind != WR_SOURCE_NONE;
    ex->is_withheld = false;
    ex->has_sent_any = false;
    ex->bytes_sent = 0;
    ex->in.len = 0;
    ex->keep = 0;
    ex->pos = 0;
    ex->limits = *limits;
    ex->fields = fields;
    wr_head_init(&ex->head, &ex->limits, fields);
    ex->trailers.field_count = 0;
    ex->trailers.facts.lenient = false;
    ex->head_len = 0;
    ex->tail.len = 0;
    ex->is_in_tail = false;
    ex->interim = 0;
    ex->has_received = false;
    ex->is_past_end = false;
    ex->bytes_received = 0;
    return WEIR_OK;
}

void wr_exchange_done(struct wr_exchange *ex)
{
    wr_buf_done(&ex->in);
    wr_buf_done(&ex->out);
    wr_buf_done(&ex->tail);
}

void wr_exchange_fail(struct wr_exchange *ex)
{
    if (ex->state != WR_EXCHANGE_IDLE)
        wr_exchange_set_state(ex, WR_EXCHANGE_FAILED);
}

/* --- in ------------------------------------------------------------------ */

bool wr_exchange_pin(struct wr_exchange *ex)
{
    const size_t body_room = ex->in.cap - ex->keep;

    return body_room >= WR_PINNED_ROOM || ex->state == WR_EXCHANGE_DONE ||
           wr_buf_reserve(&ex->in, WR_PINNED_ROOM);
}

const char *wr_exchange_trailer_block(const struct wr_exchange *ex)
{
    return ex->is_in_tail ? ex->tail.data : ex->in.data + ex->trailers_at;
}

/* Room for the rest of a trailer section, which must lie in one block while
 * the head stays where it is. */
WR_COLD static bool tail_room(struct wr_exchange *ex, size_t want)
{
    if (!ex->is_in_tail) {
        if (!wr_buf_append(&ex->tail, ex->in.data + ex->trailers_at,
                           ex->in.len - ex->trailers_at))
            return false;
        ex->in.len = ex->trailers_at;
        ex->is_in_tail = true;
    }
    return wr_buf_reserve(&ex->tail, want ? want : WR_RECEIVE_CHUNK);
}

/* Room behind the bytes received; those that are decoded are gone. */
static bool body_room(struct wr_exchange *ex, size_t want)
{
    const size_t rest = ex->in.len - ex->pos;

    if (ex->state == WR_EXCHANGE_BODY && ex->pos > ex->keep) {
        memmove(ex->in.data + ex->keep, ex->in.data + ex->pos, rest);
        ex->pos = ex->keep;
        ex->in.len = ex->keep + rest;
    }
    return wr_buf_reserve(&ex->in, want);
}

bool wr_exchange_room(struct wr_exchange *ex, size_t want, char **ret_at,
                      size_t *ret_cap)
{
    const bool is_tail = ex->state == WR_EXCHANGE_TRAILERS;
    struct wr_buf *buf = is_tail ? &ex->tail : &ex->in;

    if (!(is_tail ? tail_room(ex, want) : body_room(ex, want)))
        return false;
    *ret_at = buf->data + buf->len;
    *ret_cap = buf->cap - buf->len;
    return true;
}

void wr_exchange_received(struct wr_exchange *ex, size_t n)
{
    if (ex->is_in_tail)
        ex->tail.len += n;
    else
        ex->in.len += n;
    ex->bytes_received += n;
    ex->has_received = ex->has_received || n > 0;
}

/* An interim response: 100 releases the body, the others are passed over. */
WR_COLD static enum wr_step take_interim(struct wr_exchange *ex,
                                         size_t head_len, weir_error *ret_err)
{
    if (ex->head.status == 101) {
        wr_error_set(ret_err, WEIR_E_PROTOCOL,
                     "invalid response: status 101, but no upgrade was asked "
                     "for");
        return WR_STEP_ERROR;
    }
    if (++ex->interim > WR_INTERIM_MAX) {
        wr_error_set(
            ret_err, WEIR_E_LIMIT,
            "more than %d interim (1xx) responses before the final one",
            WR_INTERIM_MAX);
        return WR_STEP_ERROR;
    }
    if (ex->head.status == 100)
        ex->is_held = false;
    wr_buf_drop(&ex->in, head_len);
    wr_head_again(&ex->head);
    return WR_STEP_WAIT;
}

/* The response has been taken, up to `pos` in the block that it ends in. */
static void finish(struct wr_exchange *ex)
{
    ex->is_past_end = ex->pos < (ex->is_in_tail ? ex->tail.len : ex->in.len);
    wr_exchange_set_state(ex, WR_EXCHANGE_DONE);
}

enum wr_step wr_exchange_parse_head(struct wr_exchange *ex, weir_error *ret_err)
{
    for (;;) {
        size_t head_len;
        const enum wr_parse_result result = wr_head_parse(
            &ex->head, ex->in.data, ex->in.len, &head_len, ret_err);

        if (result == WR_PARSE_MORE)
            return WR_STEP_WAIT;
        if (result == WR_PARSE_ERROR)
            return WR_STEP_ERROR;
        if (ex->head.status >= 200) {
            ex->head_len = head_len;
            break;
        }
        if (take_interim(ex, head_len, ret_err) == WR_STEP_ERROR)
            return WR_STEP_ERROR;
    }
    ex->keep = ex->head_len;
    ex->pos = ex->head_len;
    ex->is_withheld = !ex->is_sent;
    wr_body_init(&ex->body, &ex->head, ex->is_head_request);
    if (ex->body.framing == WR_FRAMING_NONE)
        finish(ex);
    else
        wr_exchange_set_state(ex, WR_EXCHANGE_BODY);
    return WR_STEP_DONE;
}

static enum wr_step parse_trailers(struct wr_exchange *ex, weir_error *ret_err)
{
    char *block =
        ex->is_in_tail ? ex->tail.data : ex->in.data + ex->trailers_at;
    const size_t received =
        ex->is_in_tail ? ex->tail.len : ex->in.len - ex->trailers_at;
    size_t len;

    switch (wr_head_parse(&ex->trailers, block, received, &len, ret_err)) {
    case WR_PARSE_MORE:
        return WR_STEP_WAIT;
    case WR_PARSE_ERROR:
        return WR_STEP_ERROR;
    default:
        ex->pos = ex->is_in_tail ? len : ex->trailers_at + len;
        finish(ex);
        return WR_STEP_DONE;
    }
}

/* The last byte of the body has been taken. */
static enum wr_step end_body(struct wr_exchange *ex, weir_error *ret_err)
{
    if (ex->body.framing != WR_FRAMING_CHUNKED) {
        finish(ex);
        return WR_STEP_DONE;
    }
    wr_exchange_set_state(ex, WR_EXCHANGE_TRAILERS);
    ex->trailers_at = ex->pos;
    wr_trailers_init(&ex->trailers, &ex->limits,
                     ex->fields + ex->limits.fields);
    return parse_trailers(ex, ret_err);
}

enum wr_step wr_exchange_next(struct wr_exchange *ex, struct wr_slice *ret_data,
                              weir_error *ret_err)
{
    *ret_data = (struct wr_slice){0};
    if (ex->state == WR_EXCHANGE_DONE)
        return WR_STEP_DONE;
    if (ex->state == WR_EXCHANGE_TRAILERS)
        return parse_trailers(ex, ret_err);
    while (ret_data->len == 0) {
        size_t used;
        const enum wr_parse_result result =
            wr_body_decode(&ex->body, ex->in.data + ex->pos,
                           ex->in.len - ex->pos, &used, ret_data, ret_err);

        if (result == WR_PARSE_ERROR)
            return WR_STEP_ERROR;
        ex->pos += used;
        if (result == WR_PARSE_DONE && ret_data->len == 0)
            return end_body(ex, ret_err);
        if (ex->pos == ex->in.len)
            break;
    }
    return WR_STEP_WAIT;
}

struct wr_slice wr_exchange_collected(const struct wr_exchange *ex)
{
    return (struct wr_slice){ex->in.data + ex->head_len,
                             ex->keep - ex->head_len};
}

enum wr_step wr_exchange_body_too_large(uint64_t max_body, weir_error *ret_err)
{
    wr_error_set(ret_err, WEIR_E_LIMIT,
                 "response body is larger than max_body (%llu bytes)",
                 (unsigned long long)max_body);
    return WR_STEP_ERROR;
}

enum wr_step wr_exchange_collect(struct wr_exchange *ex, uint64_t max_body,
                                 size_t *ret_want, weir_error *ret_err)
{
    *ret_want = WR_RECEIVE_CHUNK;
    for (;;) {
        struct wr_slice data;
        const enum wr_step step = wr_exchange_next(ex, &data, ret_err);

        if (step != WR_STEP_WAIT)
            return step;
        if (data.len == 0)
            break;
        if (data.len > max_body - (ex->keep - ex->head_len))
            return wr_exchange_body_too_large(max_body, ret_err);
        memmove(ex->in.data + ex->keep, data.data, data.len);
        ex->keep += data.len;
    }
    if (ex->body.framing == WR_FRAMING_LENGTH) {
        if (ex->body.left > max_body - (ex->keep - ex->head_len))
            return wr_exchange_body_too_large(max_body, ret_err);
        *ret_want = ex->body.left < WR_COLLECT_STEP ? (size_t)ex->body.left
                                                    : WR_COLLECT_STEP;
    }
    return WR_STEP_WAIT;
}

size_t wr_exchange_direct(const struct wr_exchange *ex)
{
    if (ex->state != WR_EXCHANGE_BODY || ex->pos < ex->in.len)
        return 0;
    return wr_body_direct(&ex->body);
}

void wr_exchange_took(struct wr_exchange *ex, size_t n)
{
    wr_body_took(&ex->body, n);
    ex->bytes_received += n;
}

enum wr_step wr_exchange_ended(struct wr_exchange *ex, bool is_clean,
                               weir_error *ret_err)
{
    if (ex->state == WR_EXCHANGE_HEAD) {
        wr_error_set(
            ret_err, ex->has_received ? WEIR_E_TRUNCATED : WEIR_E_RESET,
            ex->has_received ? "connection ended within the header section"
                             : "connection %s before a response came",
            is_clean ? "closed by the peer" : "lost");
        return WR_STEP_ERROR;
    }
    if (ex->state == WR_EXCHANGE_BODY &&
        wr_body_ends_at_close(&ex->body, is_clean)) {
        finish(ex);
        return WR_STEP_DONE;
    }
    if (ex->state == WR_EXCHANGE_DONE)
        return WR_STEP_DONE;
    wr_error_set(
        ret_err, WEIR_E_TRUNCATED,
        "response ended early: connection %s within the body%s",
        is_clean ? "closed by the peer" : "lost",
        ex->body.framing == WR_FRAMING_CLOSE ? ", without an orderly end" : "");
    return WR_STEP_ERROR;
}
