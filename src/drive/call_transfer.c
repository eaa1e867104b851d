/* An active call and its connection: what is sent, what is received, and what
 * of that is handed over.  On the loop, without the lock. */
#include "drive/call_transfer.h"

#include <errno.h>

#include "base/error.h"
#include "conn/decoding.h"
#include "drive/call_hedge.h"
#include "drive/hedge.h"
#include "drive/lease.h"
#include "drive/transact.h"

enum {
    READS_MAX = 16, /* in a row, before others have their turn */
};

/* --- sending ------------------------------------------------------------- */

static void sent_all(struct wr_loop *loop, struct weir_call *call)
{
    if (call->response->times.sent_ns)
        return;
    call->response->times.sent_ns = loop->now_ns;
    call->heard_ns = loop->now_ns;
    call->hedge_ns = wr_hedge_due(call->course, loop->now_ns);
    wr_trace_sent(call->response, call->sent);
}

/* Sends what can be sent now.  WAIT or ERROR. */
enum wr_step wr_call_send(struct wr_loop *loop, struct weir_call *call,
                          weir_error *err)
{
    struct weir_response *response = call->response;
    struct wr_exchange *ex = &response->exchange;

    while (!call->is_send_over && ex->state == WR_EXCHANGE_HEAD) {
        struct iovec iov[2];
        size_t len;
        const int count = wr_exchange_output(ex, iov, err);
        enum wr_io io;

        if (count < 0)
            return WR_STEP_ERROR;
        if (count == 0) {
            if (ex->is_held && !call->hold_ns)
                call->hold_ns = wr_after(loop->now_ns, call->sent->expect_ns);
            else if (ex->is_sent)
                sent_all(loop, call);
            break;
        }
        io = wr_transport_writev(&response->conn->io, iov, count, &len);
        if (io == WR_IO_OK) {
            wr_exchange_sent(ex, len);
        } else if (io == WR_IO_AGAIN) {
            wr_poller_rearm(loop->poller,
                            wr_slot_data(loop, response->conn->slot), POLLOUT);
            break;
        } else if (wr_send_failed(response, errno, err) == WR_STEP_ERROR) {
            return WR_STEP_ERROR;
        } else {
            call->is_send_over = true;
            call->is_dry = false;
            sent_all(loop, call);
        }
    }
    return WR_STEP_WAIT;
}

/* --- receiving ----------------------------------------------------------- */

/* Changes what was said of the body, unless something else has been said. */
static void change_flow(struct weir_call *call, enum wr_call_flow from,
                        enum wr_call_flow to)
{
    int expected = (int)from;

    atomic_compare_exchange_strong(&call->flow, &expected, (int)to);
}

/* Hands over a stretch of the body.  false: no more. */
static bool hand_over(struct weir_call *call, const void *data, size_t len)
{
    if (atomic_load_explicit(&call->flow, memory_order_relaxed) ==
        WR_FLOW_RESUMED)
        change_flow(call, WR_FLOW_RESUMED, WR_FLOW_ON);
    if (call->handlers.on_body(call->user, call, data, len) == WEIR_FLOW_PAUSE)
        change_flow(call, WR_FLOW_ON, WR_FLOW_PAUSED);
    return !wr_call_is_held_up(call);
}

/* Is the body handed over, or dropped, stretch by stretch? */
static bool is_streamed(const struct weir_call *call)
{
    return call->handlers.on_body || call->is_passing_over;
}

static enum wr_step count_rest(struct weir_call *call, size_t len,
                               weir_error *err)
{
    call->rest += len;
    if (call->rest <= WR_REST_MAX)
        return WR_STEP_WAIT;
    wr_error_set(err, WEIR_E_LIMIT, "the rest of a body is too long to read");
    return WR_STEP_ERROR;
}

static enum wr_step pass_over(struct weir_call *call, weir_error *err)
{
    for (;;) {
        struct wr_slice data;
        enum wr_step step =
            wr_exchange_next(&call->response->exchange, &data, err);

        if (step != WR_STEP_WAIT || data.len == 0)
            return step;
        step = count_rest(call, data.len, err);
        if (step != WR_STEP_WAIT)
            return step;
    }
}

/* The same of a coded body. */
static enum wr_step take_decoded(struct wr_loop *loop, struct weir_call *call,
                                 weir_error *err)
{
    if (!call->handlers.on_body)
        return wr_decoding_collect(call->response, call->limits.max_body, err);
    for (;;) {
        size_t len;
        const enum wr_step step = wr_decoding_next(
            call->response, loop->scratch, WR_LOOP_SCRATCH, &len, err);

        if (step != WR_STEP_WAIT || len == 0)
            return step;
        if (!hand_over(call, loop->scratch, len)) {
            call->has_leftover = true;
            return WR_STEP_WAIT;
        }
    }
}

/* Takes what is in the buffer.  WAIT: more must be received, or it pauses. */
enum wr_step wr_call_take_body(struct wr_loop *loop, struct weir_call *call,
                               size_t *ret_want, weir_error *err)
{
    struct wr_exchange *ex = &call->response->exchange;

    *ret_want = 0;
    call->has_leftover = false;
    if (call->is_passing_over)
        return pass_over(call, err);
    if (call->response->decoder)
        return take_decoded(loop, call, err);
    if (!call->handlers.on_body)
        return wr_exchange_collect(ex, call->limits.max_body, ret_want, err);
    for (;;) {
        struct wr_slice data;
        const enum wr_step step = wr_exchange_next(ex, &data, err);

        if (step != WR_STEP_WAIT || data.len == 0)
            return step;
        if (!hand_over(call, data.data, data.len)) {
            call->has_leftover = true;
            return WR_STEP_WAIT;
        }
    }
}

enum wr_step wr_call_accept_head(struct weir_call *call, weir_error *err)
{
    struct weir_response *response = call->response;
    const enum wr_step step = wr_call_judge_head(call, err);

    if (step == WR_STEP_ERROR)
        return step;
    if (step == WR_STEP_DONE && call->sent->is_decoded &&
        wr_decoding_begin(response, &call->pool->coding_limits, err) != WEIR_OK)
        return WR_STEP_ERROR;
    call->has_head = true;
    response->is_collected = call->handlers.on_body == NULL;
    if (step == WR_STEP_DONE && call->handlers.on_response)
        call->handlers.on_response(call->user, call, response);
    return WR_STEP_WAIT;
}

/* The final head is in.  DONE: it is a hedge's, whose call takes it over. */
static enum wr_step take_head(struct wr_loop *loop, struct weir_call *call,
                              weir_error *err)
{
    struct weir_response *response = call->response;

    if (!wr_exchange_pin(&response->exchange)) {
        wr_error_no_memory(err);
        return WR_STEP_ERROR;
    }
    sent_all(loop, call);
    response->times.head_ns = loop->now_ns;
    wr_trace_head(response);
    wr_keep_peer(response);
    if (call->is_hedge)
        return WR_STEP_DONE;
    if (call->rival)
        wr_call_beat_hedge(loop, call);
    return wr_call_accept_head(call, err);
}

/* Parses and hands over what has been received. */
static enum wr_step take_received(struct wr_loop *loop, struct weir_call *call,
                                  size_t *ret_want, weir_error *err)
{
    struct wr_exchange *ex = &call->response->exchange;

    *ret_want = WR_RECEIVE_CHUNK;
    if (ex->state == WR_EXCHANGE_HEAD) {
        const bool was_held = ex->is_held;
        enum wr_step step = wr_exchange_parse_head(ex, err);

        if (step == WR_STEP_WAIT && was_held && !ex->is_held)
            step = wr_call_send(loop, call, err);
        if (step == WR_STEP_DONE)
            step = take_head(loop, call, err);
        if (step != WR_STEP_WAIT || ex->state == WR_EXCHANGE_HEAD)
            return step;
    }
    if (wr_call_is_held_up(call)) {
        call->has_leftover = true;
        return WR_STEP_WAIT;
    }
    return wr_call_take_body(loop, call, ret_want, err);
}

/* A call takes room when there is something to receive, and gives it up when
 * nothing has come, and at its end: so calls that wait for their response are
 * small, and receive into memory that is warm in the processor's cache.  The
 * response of a call with a handle keeps it for as long as it lives. */
static bool take_room(struct wr_loop *loop, struct weir_response *response)
{
    struct wr_exchange *ex = &response->exchange;
    struct wr_room room;

    if (ex->fields)
        return true;
    while (!response->fields && loop->room_count > 0) {
        room = loop->rooms[--loop->room_count];
        if (room.fields_max == response->fields_max) {
            response->fields = room.fields;
            ex->in = room.in;
        } else { /* of other options */
            wr_room_done(&room);
        }
    }
    if (!wr_response_make_fields(response))
        return false;
    wr_exchange_set_fields(ex, response->fields);
    return true;
}

void wr_call_leave_room(struct wr_loop *loop, struct weir_call *call)
{
    struct weir_response *response = call->response;
    struct wr_exchange *ex = &response->exchange;

    if (!ex->fields || ex->in.cap > WR_SPARE_BUFFER_MAX ||
        loop->room_count == WR_LOOP_ROOMS)
        return;
    ex->in.len = 0;
    loop->rooms[loop->room_count++] = (struct wr_room){
        .in = ex->in,
        .fields = response->fields,
        .fields_max = response->fields_max,
    };
    ex->in = (struct wr_buf){0};
    response->fields = NULL;
    wr_exchange_set_fields(ex, NULL);
}

/* Where to receive next: a body of known framing goes through the loop's own
 * buffer, so that no call keeps a large one. */
static bool find_room(struct wr_loop *loop, struct weir_call *call, size_t want,
                      char **ret_at, size_t *ret_cap, bool *ret_direct)
{
    struct wr_exchange *ex = &call->response->exchange;
    const size_t direct = is_streamed(call) && !call->response->decoder
                              ? wr_exchange_direct(ex)
                              : 0;

    *ret_direct = direct > 0;
    if (direct > 0) {
        *ret_at = loop->scratch;
        *ret_cap = direct < WR_LOOP_SCRATCH ? direct : WR_LOOP_SCRATCH;
        return true;
    }
    if ((is_streamed(call) || call->response->decoder) && call->has_head)
        want = 0; /* the head must not move: there is room behind it */
    return take_room(loop, call->response) &&
           wr_exchange_room(ex, want, ret_at, ret_cap);
}

/* Takes n bytes that were received. */
static enum wr_step took(struct wr_loop *loop, struct weir_call *call,
                         bool is_direct, size_t n, size_t *ret_want,
                         weir_error *err)
{
    struct wr_exchange *ex = &call->response->exchange;

    call->heard_ns = loop->now_ns;
    if (!is_direct) {
        wr_exchange_received(ex, n);
        return take_received(loop, call, ret_want, err);
    }
    wr_exchange_took(ex, n);
    if (call->is_passing_over) {
        if (count_rest(call, n, err) == WR_STEP_ERROR)
            return WR_STEP_ERROR;
    } else if (!hand_over(call, loop->scratch, n) && wr_exchange_direct(ex) > 0)
        return WR_STEP_WAIT;
    return wr_call_take_body(loop, call, ret_want, err);
}

void wr_call_do_again(struct wr_loop *loop, struct weir_call *call)
{
    if (call->is_in_again)
        return;
    call->is_in_again = true;
    TAILQ_INSERT_TAIL(&loop->again, call, again);
}

void wr_call_went_dry(struct wr_loop *loop, struct weir_call *call)
{
    call->is_dry = true;
    if (call->response->exchange.in.len == 0)
        wr_call_leave_room(loop, call);
    wr_poller_rearm(loop->poller,
                    wr_slot_data(loop, call->response->conn->slot), POLLIN);
}

/* Receives until there is nothing more, the response is complete, or it
 * pauses. */
enum wr_step wr_call_receive(struct wr_loop *loop, struct weir_call *call,
                             size_t want, weir_error *err)
{
    struct wr_transport *io = &call->response->conn->io;

    for (int reads = 0; !wr_call_is_held_up(call); reads++) {
        enum wr_step step;
        enum wr_io found;
        bool is_direct;
        size_t cap;
        size_t len;
        char *at;

        if (reads == READS_MAX) {
            wr_call_do_again(loop, call);
            break;
        }
        if (call->has_leftover) {
            step = wr_call_take_body(loop, call, &want, err);
            if (step != WR_STEP_WAIT || wr_call_is_held_up(call))
                return step;
        }
        if (!find_room(loop, call, want, &at, &cap, &is_direct)) {
            wr_error_no_memory(err);
            return WR_STEP_ERROR;
        }
        found = wr_transport_read(io, at, cap, true, &len);
        if (found == WR_IO_AGAIN) {
            wr_call_went_dry(loop, call);
            break;
        }
        if (found != WR_IO_OK)
            return wr_transport_ended(call->response, found, errno, err);
        /* Less than asked for: the socket is empty, and an edge will tell of
         * more; unless its end has been told of already. */
        call->is_dry =
            wr_transport_is_drained(io, len, cap) && !call->has_hung_up;
        step = took(loop, call, is_direct, len, &want, err);
        if (step != WR_STEP_WAIT)
            return step;
        if (call->is_dry) {
            wr_call_went_dry(loop, call);
            break;
        }
    }
    return WR_STEP_WAIT;
}
