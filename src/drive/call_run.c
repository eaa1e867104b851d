/* A call on its way through its loop: the exchange, taken forward by what the
 * poller tells.  Everything here runs on the loop, without the lock. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "drive/acquire.h"
#include "drive/call.h"
#include "drive/dialing.h"
#include "drive/keeper.h"
#include "drive/lease.h"
#include "drive/transact.h"
#include "net/clock.h"

enum {
    READS_MAX = 16, /* in a row, before others have their turn */
};

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    unsigned next; /* allowed, a bit a state */
} states[] = {
    [WR_CALL_NEW] = {"new", BIT(WR_CALL_WAITING) | BIT(WR_CALL_ACTIVE) |
                                BIT(WR_CALL_ENDED)},
    [WR_CALL_WAITING] = {"waiting", BIT(WR_CALL_ACTIVE) | BIT(WR_CALL_ENDED)},
    [WR_CALL_ACTIVE] = {"active", BIT(WR_CALL_WAITING) |
                                      BIT(WR_CALL_REDIALING) |
                                      BIT(WR_CALL_ENDED)},
    [WR_CALL_REDIALING] = {"redialing",
                           BIT(WR_CALL_ACTIVE) | BIT(WR_CALL_ENDED)},
    [WR_CALL_ENDED] = {"ended", 0},
};

static void set_state(struct weir_call *call, enum wr_call_state state)
{
    const unsigned allowed = states[call->state].next;

    assert(allowed & BIT(state));
    (void)allowed;
    call->state = state;
}

/* Does its body pause?  A pause says nothing of the header section. */
static bool is_paused(const struct weir_call *call)
{
    return call->has_head &&
           atomic_load_explicit(&call->flow, memory_order_relaxed) ==
               WR_FLOW_PAUSED;
}

/* --- time ---------------------------------------------------------------- */

/* When the call must be looked at, if nothing happens before. */
static uint64_t next_due(const struct weir_call *call)
{
    const struct weir_response *response = call->response;
    uint64_t due_ns = call->deadline_ns;

    if (call->state != WR_CALL_ACTIVE)
        return due_ns;
    if (response->exchange.is_held && call->hold_ns)
        due_ns = wr_earlier(due_ns, call->hold_ns);
    if (!is_paused(call))
        due_ns = wr_earlier(due_ns, wr_read_deadline(response, call->heard_ns));
    return due_ns;
}

/* Most calls end long before their time, so a timer goes into the heap only
 * when the earliest of those that are not there could fall due
 * (wr_calls_time()); and one that is there and is put off stays where it is: to
 * look once too early costs less than to move it at every step. */
static void set_timer(struct wr_loop *loop, struct weir_call *call)
{
    const uint64_t due_ns = next_due(call);

    if (call->due_ns <= due_ns)
        return;
    call->due_ns = due_ns;
    if (wr_heap_has(&call->due))
        wr_loop_set_due(&loop->call_due, &call->due, due_ns);
    else
        loop->untimed_ns = wr_earlier(loop->untimed_ns, due_ns);
}

void wr_calls_time(struct wr_loop *loop)
{
    struct weir_call *call;

    TAILQ_FOREACH (call, &loop->calls, link) {
        if (!wr_heap_has(&call->due))
            wr_loop_set_due(&loop->call_due, &call->due, call->due_ns);
    }
    loop->untimed_ns = WR_NEVER;
}

/* --- the end ------------------------------------------------------------- */

/* Nobody waits for the call any more but on_done. */
static void end_call(struct wr_loop *loop, struct weir_call *call,
                     const weir_error *err)
{
    if (call->state != WR_CALL_NEW) {
        TAILQ_REMOVE(&loop->calls, call, link);
        loop->call_count--;
    }
    wr_heap_remove(&loop->call_due, &call->due);
    if (call->is_in_again)
        TAILQ_REMOVE(&loop->again, call, again);
    set_state(call, WR_CALL_ENDED);
    wr_call_give_up_request(call->request);
    if (err) {
        if (call->waiter.error.code == WEIR_OK)
            call->waiter.error = *err;
        if (call->response)
            call->response->failure = *err;
    }
    if (call->handlers.on_done)
        call->handlers.on_done(call->user, call,
                               call->has_head ? call->response : NULL, err);
    wr_call_retire(call);
}

/* The connection is the pool's again, or nobody's. */
static void leave_conn(struct weir_call *call)
{
    struct wr_conn *conn = call->response ? call->response->conn : NULL;

    if (conn && conn->loop)
        conn->loop->slots[conn->slot].call = NULL;
}

/* A call in the line has come as far as the dial of its bucket, if there is
 * one. */
static weir_stage stage_in_line(const struct wr_loop *loop,
                                const struct weir_call *call)
{
    const struct wr_key *key = &call->waiter.target->key;
    const struct wr_loop_dial *dial;

    TAILQ_FOREACH (dial, &loop->dials, link) {
        const struct wr_key *other = &wr_dial_target(dial->dial)->key;

        if (other->len == key->len &&
            memcmp(other->bytes, key->bytes, key->len) == 0)
            return wr_dial_stage(dial->dial);
    }
    return WEIR_STAGE_WAIT;
}

static weir_stage stage_of(const struct wr_loop *loop,
                           const struct weir_call *call)
{
    if (call->state == WR_CALL_REDIALING)
        return call->dial ? wr_dial_stage(call->dial->dial)
                          : WEIR_STAGE_CONNECT;
    if (call->state != WR_CALL_ACTIVE)
        return stage_in_line(loop, call);
    if (call->has_head)
        return WEIR_STAGE_BODY;
    return call->response->times.sent_ns ? WEIR_STAGE_RESPONSE
                                         : WEIR_STAGE_SEND;
}

static void count_failure(struct weir_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->tally.failures++;
    pthread_mutex_unlock(&pool->lock);
}

static void fail(struct wr_loop *loop, struct weir_call *call, weir_error *err)
{
    if (err->stage == WEIR_STAGE_NONE)
        err->stage = stage_of(loop, call);
    if (call->dial)
        wr_loop_drop_dial(loop, call->dial);
    if (call->response) {
        leave_conn(call);
        if (call->response->conn && !call->has_head)
            wr_keep_peer(call->response);
        wr_fail_lease(call->response, err, err->stage);
    } else {
        count_failure(loop->pool);
    }
    end_call(loop, call, err);
}

/* Bytes may be left in the socket that no edge will tell of. */
static void look_behind(struct weir_call *call, struct wr_verdict *verdict)
{
    struct wr_transport *io = &call->response->conn->io;
    enum wr_io found;

    if (call->is_dry || !verdict->is_reusable)
        return;
    found = wr_transport_peek(io);
    if (found == WR_IO_AGAIN)
        return;
    verdict->is_reusable = false;
    verdict->reason =
        found == WR_IO_OK ? WEIR_CLOSE_UNEXPECTED_DATA : WEIR_CLOSE_PEER_CLOSED;
}

static void finish(struct wr_loop *loop, struct weir_call *call)
{
    struct weir_response *response = call->response;
    struct wr_verdict verdict = wr_judge(&response->exchange, response->conn);

    look_behind(call, &verdict);
    if (verdict.is_reusable)
        wr_poller_rearm(loop->poller, wr_slot_data(loop, response->conn->slot),
                        POLLIN);
    leave_conn(call);
    response->times.ended_ns = loop->now_ns;
    wr_give_back(response, &verdict);
    end_call(loop, call, NULL);
}

/* --- sending ------------------------------------------------------------- */

static void sent_all(struct wr_loop *loop, struct weir_call *call)
{
    if (call->response->times.sent_ns)
        return;
    call->response->times.sent_ns = loop->now_ns;
    call->heard_ns = loop->now_ns;
    wr_trace_sent(call->response, call->request);
}

/* Sends what can be sent now.  WAIT or ERROR. */
static enum wr_step send_some(struct wr_loop *loop, struct weir_call *call,
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
                call->hold_ns =
                    wr_after(loop->now_ns, call->request->expect_ns);
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
        } else {
            /* A peer that closes while we send may have answered before: what
             * can be read says more than this error. */
            call->is_send_over = true;
            call->is_dry = false;
            sent_all(loop, call);
        }
    }
    return WR_STEP_WAIT;
}

/* --- receiving ----------------------------------------------------------- */

/* Reads no more for now: it pauses, or is about to end. */
static bool is_held_up(const struct weir_call *call)
{
    return is_paused(call) ||
           atomic_load_explicit(&call->wants_cancel, memory_order_relaxed);
}

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
    return !is_held_up(call);
}

/* Takes what is in the buffer.  WAIT: more must be received, or it pauses. */
static enum wr_step take_body(struct weir_call *call, size_t *ret_want,
                              weir_error *err)
{
    struct wr_exchange *ex = &call->response->exchange;

    *ret_want = 0;
    call->has_leftover = false;
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

/* The final head is in. */
static enum wr_step take_head(struct wr_loop *loop, struct weir_call *call,
                              weir_error *err)
{
    struct weir_response *response = call->response;

    if (!wr_exchange_pin(&response->exchange)) {
        wr_error_no_memory(err);
        return WR_STEP_ERROR;
    }
    sent_all(loop, call);
    call->has_head = true;
    response->is_collected = call->handlers.on_body == NULL;
    response->times.head_ns = loop->now_ns;
    wr_trace_head(response);
    wr_keep_peer(response);
    if (call->handlers.on_response)
        call->handlers.on_response(call->user, call, response);
    return WR_STEP_WAIT;
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
            step = send_some(loop, call, err);
        if (step == WR_STEP_DONE)
            step = take_head(loop, call, err);
        if (step != WR_STEP_WAIT || ex->state == WR_EXCHANGE_HEAD)
            return step;
    }
    if (is_held_up(call)) {
        call->has_leftover = true;
        return WR_STEP_WAIT;
    }
    return take_body(call, ret_want, err);
}

/* Where to receive next: a body of known framing goes through the loop's own
 * buffer, so that no call keeps a large one. */
static bool find_room(struct wr_loop *loop, struct weir_call *call, size_t want,
                      char **ret_at, size_t *ret_cap, bool *ret_direct)
{
    struct wr_exchange *ex = &call->response->exchange;
    const size_t direct = call->handlers.on_body ? wr_exchange_direct(ex) : 0;

    *ret_direct = direct > 0;
    if (direct > 0) {
        *ret_at = loop->scratch;
        *ret_cap = direct < WR_LOOP_SCRATCH ? direct : WR_LOOP_SCRATCH;
        return true;
    }
    if (call->handlers.on_body && call->has_head)
        want = 0; /* the head must not move: there is room behind it */
    return wr_exchange_room(ex, want, ret_at, ret_cap);
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
    if (!hand_over(call, loop->scratch, n) && wr_exchange_direct(ex) > 0)
        return WR_STEP_WAIT;
    return take_body(call, ret_want, err);
}

static void do_again(struct wr_loop *loop, struct weir_call *call)
{
    if (call->is_in_again)
        return;
    call->is_in_again = true;
    TAILQ_INSERT_TAIL(&loop->again, call, again);
}

static void went_dry(struct wr_loop *loop, struct weir_call *call)
{
    call->is_dry = true;
    wr_poller_rearm(loop->poller,
                    wr_slot_data(loop, call->response->conn->slot), POLLIN);
}

/* Receives until there is nothing more, the response is complete, or it
 * pauses. */
static enum wr_step receive(struct wr_loop *loop, struct weir_call *call,
                            size_t want, weir_error *err)
{
    struct wr_transport *io = &call->response->conn->io;

    for (int reads = 0; !is_held_up(call); reads++) {
        enum wr_step step;
        enum wr_io found;
        bool is_direct;
        size_t cap;
        size_t len;
        char *at;

        if (reads == READS_MAX) {
            do_again(loop, call);
            break;
        }
        if (call->has_leftover) {
            step = take_body(call, &want, err);
            if (step != WR_STEP_WAIT || is_held_up(call))
                return step;
        }
        if (!find_room(loop, call, want, &at, &cap, &is_direct)) {
            wr_error_no_memory(err);
            return WR_STEP_ERROR;
        }
        found = wr_transport_read(io, at, cap, true, &len);
        if (found == WR_IO_AGAIN) {
            went_dry(loop, call);
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
            went_dry(loop, call);
            break;
        }
    }
    return WR_STEP_WAIT;
}

/* --- the steps of an active call ----------------------------------------- */

static void settle(struct wr_loop *loop, struct weir_call *call,
                   enum wr_step step, weir_error *err);

/* Design 4.4: once more, on a fresh connection in the same place. */
static void redial(struct wr_loop *loop, struct weir_call *call)
{
    weir_error err;

    leave_conn(call);
    wr_dialing_drop_stale(loop->pool, call->response);
    set_state(call, WR_CALL_REDIALING);
    if (wr_loop_renew(loop, call))
        return;
    wr_error_no_memory(&err);
    fail(loop, call, &err);
}

static void settle(struct wr_loop *loop, struct weir_call *call,
                   enum wr_step step, weir_error *err)
{
    if (step == WR_STEP_DONE) {
        finish(loop, call);
    } else if (step == WR_STEP_WAIT) {
        set_timer(loop, call);
    } else if (call->response->conn && !call->has_head &&
               wr_is_stale(call->response, call->request, err->code)) {
        redial(loop, call);
    } else {
        fail(loop, call, err);
    }
}

/* The connection is there: sends.  Nothing can have come yet. */
static void begin(struct wr_loop *loop, struct weir_call *call)
{
    struct weir_response *response = call->response;
    enum wr_step step = WR_STEP_ERROR;
    weir_error err;

    err.stage = WEIR_STAGE_NONE;
    call->hold_ns = 0;
    call->is_dry = true;
    call->has_hung_up = false;
    call->is_send_over = false;
    call->heard_ns = loop->now_ns;
    if (wr_exchange_begin(&response->exchange, call->request,
                          &call->head_limits, response->fields,
                          &err) == WEIR_OK)
        step = send_some(loop, call, &err);
    if (step == WR_STEP_WAIT && call->is_send_over)
        step = receive(loop, call, WR_RECEIVE_CHUNK, &err);
    settle(loop, call, step, &err);
}

void wr_call_on_event(struct wr_loop *loop, struct weir_call *call,
                      short events)
{
    enum wr_step step = WR_STEP_WAIT;
    weir_error err;

    err.stage = WEIR_STAGE_NONE;
    loop->now_ns = wr_now();
    if (events & (POLLRDHUP | POLLHUP | POLLERR))
        call->has_hung_up = true;
    if (events & ~POLLOUT) {
        call->is_dry = false;
        wr_transport_has_news(&call->response->conn->io);
    }
    if ((events & POLLOUT) && !call->response->exchange.is_sent)
        step = send_some(loop, call, &err);
    if (step == WR_STEP_WAIT && !call->is_dry)
        step = receive(loop, call, WR_RECEIVE_CHUNK, &err);
    settle(loop, call, step, &err);
}

void wr_call_go_on(struct wr_loop *loop, struct weir_call *call)
{
    enum wr_step step;
    weir_error err;
    size_t want = WR_RECEIVE_CHUNK;

    err.stage = WEIR_STAGE_NONE;
    if (call->state != WR_CALL_ACTIVE)
        return;
    step = send_some(loop, call, &err);
    if (step == WR_STEP_WAIT && call->has_head && !is_held_up(call))
        step = take_body(call, &want, &err);
    if (step == WR_STEP_WAIT && call->is_dry)
        went_dry(loop, call);
    else if (step == WR_STEP_WAIT)
        step = receive(loop, call, want, &err);
    settle(loop, call, step, &err);
}

void wr_call_on_due(struct wr_loop *loop, struct weir_call *call)
{
    weir_error err;

    err.stage = WEIR_STAGE_NONE;
    call->due_ns = WR_NEVER;
    if (call->state == WR_CALL_ACTIVE && call->hold_ns &&
        call->hold_ns <= loop->now_ns && call->response->exchange.is_held) {
        wr_exchange_unhold(&call->response->exchange);
        settle(loop, call, send_some(loop, call, &err), &err);
        return;
    }
    if (next_due(call) > loop->now_ns) {
        set_timer(loop, call);
        return;
    }
    if (call->state == WR_CALL_ACTIVE)
        wr_time_ran_out(call->response, loop->now_ns, &err);
    else
        wr_total_ran_out(call->limits.total_ns, &err);
    wr_call_leave_line(call);
    fail(loop, call, &err);
}

void wr_call_cut(struct wr_loop *loop, struct weir_call *call,
                 weir_status status, const char *why)
{
    weir_error err;

    wr_call_leave_line(call);
    wr_error_set(&err, status, "%s", why);
    fail(loop, call, &err);
}

void wr_call_redialed(struct wr_loop *loop, struct weir_call *call,
                      struct wr_conn *fresh, weir_error *err)
{
    weir_error no_watch;
    int error;

    if (err) {
        fail(loop, call, err);
        return;
    }
    wr_dialing_renew(loop->pool, call->response, fresh);
    error = wr_call_attach(loop, call);
    set_state(call, WR_CALL_ACTIVE);
    if (error) {
        no_watch.stage = WEIR_STAGE_NONE;
        wr_no_watch(error, &no_watch);
        fail(loop, call, &no_watch);
    } else {
        begin(loop, call);
    }
}

/* --- news ---------------------------------------------------------------- */

/* A loop sees the call for the first time. */
static bool welcome(struct wr_loop *loop, struct weir_call *call)
{
    if (call->state != WR_CALL_NEW)
        return true;
    if (!wr_loop_reserve(&loop->call_due, loop->call_count + 1))
        return false;
    set_state(call, WR_CALL_WAITING);
    TAILQ_INSERT_TAIL(&loop->calls, call, link);
    loop->call_count++;
    return true;
}

static void give_conn_back(struct wr_loop *loop, struct wr_conn *conn)
{
    struct weir_pool *pool = loop->pool;

    pthread_mutex_lock(&pool->lock);
    wr_core_release(pool->core, conn->id, loop->now_ns, true, 0, WR_NEVER);
    wr_settle_if_needed_locked(pool);
    wr_keeper_rested_locked(pool, loop->now_ns);
    pthread_mutex_unlock(&pool->lock);
}

static void begin_granted(struct wr_loop *loop, struct weir_call *call)
{
    set_state(call, WR_CALL_ACTIVE);
    wr_trace_lease(call->response);
    begin(loop, call);
}

/* Cancelled before it has begun: its connection goes back untouched, and the
 * news of that, which is in the inbox, ends it. */
static void withdraw(struct wr_loop *loop, struct weir_call *call)
{
    struct wr_conn *conn = call->response->conn;

    leave_conn(call);
    call->response->conn = NULL;
    give_conn_back(loop, conn);
}

/* The line has brought a connection. */
static void granted(struct wr_loop *loop, struct weir_call *call,
                    struct wr_conn *conn)
{
    weir_error err;

    err.stage = WEIR_STAGE_NONE;
    switch (wr_call_take_conn(loop, call, conn, &err)) {
    case WR_STEP_DONE:
        begin_granted(loop, call);
        break;
    case WR_STEP_WAIT: /* it was dead: back in the line */
        set_timer(loop, call);
        break;
    case WR_STEP_ERROR:
        fail(loop, call, &err);
        break;
    }
}

void wr_calls_begin_ready(struct wr_loop *loop)
{
    struct weir_call *call;
    weir_error err;

    while ((call = TAILQ_FIRST(&loop->ready)) != NULL) {
        TAILQ_REMOVE(&loop->ready, call, again);
        if (!welcome(loop, call)) {
            wr_error_no_memory(&err);
            err.stage = WEIR_STAGE_WAIT;
            fail(loop, call, &err);
        } else if (atomic_load(&call->wants_cancel)) {
            withdraw(loop, call);
        } else {
            begin_granted(loop, call);
        }
    }
}

void wr_call_take_news(struct wr_loop *loop, struct weir_call *call,
                       const struct wr_news *news)
{
    weir_error err;

    if (!welcome(loop, call)) {
        if (news->conn)
            give_conn_back(loop, news->conn);
        wr_call_leave_line(call);
        wr_error_no_memory(&err);
        err.stage = WEIR_STAGE_WAIT;
        fail(loop, call, &err);
        return;
    }
    if (news->is_cancelled || loop->is_cut) {
        if (news->conn)
            give_conn_back(loop, news->conn);
        if (news->is_cancelled)
            wr_call_cut(loop, call, WEIR_E_CANCELLED, "the call was cancelled");
        else
            wr_call_cut(loop, call, WEIR_E_CLOSED, "the pool is closed");
    } else if (news->conn) {
        granted(loop, call, news->conn);
    } else if (news->has_failed) {
        err = call->waiter.error;
        fail(loop, call, &err);
    } else if (news->is_resumed) {
        call->heard_ns = loop->now_ns; /* nobody has listened meanwhile */
        wr_call_go_on(loop, call);
    } else {
        set_timer(loop, call);
    }
}
