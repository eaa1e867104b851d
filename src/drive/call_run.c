/* A call on its way through its loop: the exchange, taken forward by what the
 * poller tells.  Everything here runs on the loop, without the lock. */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/cold.h"
#include "base/error.h"
#include "base/prefetch.h"
#include "conn/reuse.h"
#include "drive/acquire.h"
#include "drive/call_hedge.h"
#include "drive/call_inner.h"
#include "drive/call_transfer.h"
#include "drive/dialing.h"
#include "drive/keeper.h"
#include "drive/lease.h"
#include "drive/transact.h"
#include "net/clock.h"

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    unsigned next; /* allowed, a bit a state */
} states[] = {
    [WR_CALL_NEW] = {"new", BIT(WR_CALL_WAITING) | BIT(WR_CALL_ACTIVE) |
                                BIT(WR_CALL_ENDED)},
    [WR_CALL_WAITING] = {"waiting", BIT(WR_CALL_ACTIVE) | BIT(WR_CALL_DELAYED) |
                                        BIT(WR_CALL_ENDED)},
    [WR_CALL_ACTIVE] = {"active", BIT(WR_CALL_WAITING) |
                                      BIT(WR_CALL_REDIALING) |
                                      BIT(WR_CALL_DELAYED) |
                                      BIT(WR_CALL_HEDGED) | BIT(WR_CALL_ENDED)},
    [WR_CALL_REDIALING] = {"redialing", BIT(WR_CALL_ACTIVE) |
                                            BIT(WR_CALL_DELAYED) |
                                            BIT(WR_CALL_ENDED)},
    [WR_CALL_DELAYED] = {"delayed", BIT(WR_CALL_WAITING) | BIT(WR_CALL_ENDED)},
    [WR_CALL_HEDGED] = {"hedged", BIT(WR_CALL_ACTIVE) | BIT(WR_CALL_DELAYED) |
                                      BIT(WR_CALL_ENDED)},
    [WR_CALL_ENDED] = {"ended", 0},
};

void wr_call_set_state(struct weir_call *call, enum wr_call_state state)
{
    const unsigned allowed = states[call->state].next;

    assert(allowed & BIT(state));
    (void)allowed;
    call->state = state;
}

/* --- time ---------------------------------------------------------------- */

/* When the call must be looked at, if nothing happens before. */
static uint64_t next_due(const struct weir_call *call)
{
    const struct weir_response *response = call->response;
    uint64_t due_ns = call->deadline_ns;

    if (call->state == WR_CALL_DELAYED)
        return wr_earlier(due_ns, call->next_ns);
    if (call->state != WR_CALL_ACTIVE)
        return due_ns;
    if (call->is_passing_over)
        due_ns = wr_earlier(due_ns, call->rest_ns);
    if (response->exchange.is_held && call->hold_ns)
        due_ns = wr_earlier(due_ns, call->hold_ns);
    if (call->hedge_ns && !call->has_head)
        due_ns = wr_earlier(due_ns, call->hedge_ns);
    if (!wr_call_is_paused(call))
        due_ns = wr_earlier(due_ns, wr_read_deadline(response, call->heard_ns));
    return due_ns;
}

/* Most calls end long before their time, so a timer goes into the heap only
 * when the earliest of those that are not there could fall due
 * (wr_calls_time()); and one that is there and is put off stays where it is: to
 * look once too early costs less than to move it at every step. */
void wr_call_set_timer(struct wr_loop *loop, struct weir_call *call)
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

void wr_call_leave_loop(struct wr_loop *loop, struct weir_call *call)
{
    assert(!call->rival);
    if (call->state != WR_CALL_NEW) {
        TAILQ_REMOVE(&loop->calls, call, link);
        loop->call_count--;
    }
    wr_heap_remove(&loop->call_due, &call->due);
    if (call->is_in_again)
        TAILQ_REMOVE(&loop->again, call, again);
    if (call->state == WR_CALL_DELAYED)
        wr_call_end_delay(call);
    wr_call_set_state(call, WR_CALL_ENDED);
}

/* Nobody waits for the call any more but on_done. */
static void end_call(struct wr_loop *loop, struct weir_call *call,
                     const weir_error *err)
{
    wr_call_leave_loop(loop, call);
    wr_call_give_up_request(call->request);
    if (err) {
        call->waiter.error = *err;
        if (call->response)
            call->response->failure = *err;
    }
    if (call->handlers.on_done)
        call->handlers.on_done(call->user, call,
                               call->has_head ? call->response : NULL, err);
    if (call->response && !call->has_handle)
        wr_call_leave_room(loop, call);
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
WR_COLD static weir_stage stage_in_line(const struct wr_loop *loop,
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

WR_COLD static weir_stage stage_of(const struct wr_loop *loop,
                                   const struct weir_call *call)
{
    if (call->state == WR_CALL_HEDGED && call->rival)
        call = call->rival;
    if (call->state == WR_CALL_REDIALING)
        return call->dial ? wr_dial_stage(call->dial->dial)
                          : WEIR_STAGE_CONNECT;
    if (call->state == WR_CALL_DELAYED)
        return WEIR_STAGE_WAIT;
    if (call->state != WR_CALL_ACTIVE)
        return stage_in_line(loop, call);
    if (call->has_head)
        return WEIR_STAGE_BODY;
    return call->response->times.sent_ns ? WEIR_STAGE_RESPONSE
                                         : WEIR_STAGE_SEND;
}

/* It holds nothing any more, and no attempt follows. */
WR_COLD static void give_up(struct wr_loop *loop, struct weir_call *call,
                            weir_error *err)
{
    wr_call_end_course(call, err);
    wr_count_failure(loop->pool);
    end_call(loop, call, err);
}

/* --- the next attempt ---------------------------------------------------- */

static void rejoin(struct wr_loop *loop, struct weir_call *call)
{
    weir_error err;

    wr_call_set_state(call, WR_CALL_WAITING);
    if (wr_call_rejoin(loop, call, &err) == WEIR_OK) {
        wr_call_set_timer(loop, call);
        return;
    }
    err.stage = WEIR_STAGE_WAIT;
    give_up(loop, call, &err);
}

/* Its attempt has ended, and holds nothing any more. */
WR_COLD static void try_again(struct wr_loop *loop, struct weir_call *call)
{
    wr_call_drop_response(call);
    if (call->is_in_again)
        TAILQ_REMOVE(&loop->again, call, again);
    call->is_in_again = false;
    call->hedge_ns = 0;
    call->has_head = false;
    call->has_leftover = false;
    call->is_passing_over = false;
    wr_call_set_state(call, WR_CALL_DELAYED);
    if (call->next_ns <= loop->now_ns) {
        rejoin(loop, call);
    } else {
        wr_call_delay(call);
        wr_call_set_timer(loop, call);
    }
}

void wr_call_drop_transfer(struct wr_loop *loop, struct weir_call *call,
                           weir_error *err)
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
    }
}

void wr_call_fail(struct wr_loop *loop, struct weir_call *call, weir_error *err)
{
    wr_call_drop_transfer(loop, call, err);
    if (call->rival && wr_call_is_outlived(loop, call, err))
        return;
    if (wr_call_is_tried_again(call, err))
        try_again(loop, call);
    else
        give_up(loop, call, err);
}

static void finish(struct wr_loop *loop, struct weir_call *call)
{
    struct weir_response *response = call->response;
    struct wr_verdict verdict = wr_judge(&response->exchange, response->conn);

    if (!call->is_dry) /* no edge would tell of it */
        wr_look_behind(response->conn, &verdict);
    if (verdict.is_reusable)
        wr_poller_rearm(loop->poller, wr_slot_data(loop, response->conn->slot),
                        POLLIN);
    leave_conn(call);
    response->times.ended_ns = loop->now_ns;
    wr_give_back(response, &verdict);
    if (call->is_passing_over)
        try_again(loop, call);
    else
        end_call(loop, call, NULL);
}

/* --- the steps of an active call ----------------------------------------- */

/* Design 4.4: once more, on a fresh connection in the same place. */
WR_COLD static void redial(struct wr_loop *loop, struct weir_call *call)
{
    weir_error err;

    leave_conn(call);
    call->hedge_ns = 0;
    wr_dialing_drop_stale(loop->pool, call->response);
    wr_call_set_state(call, WR_CALL_REDIALING);
    if (wr_loop_renew(loop, call))
        return;
    wr_error_no_memory(&err);
    wr_call_fail(loop, call, &err);
}

/* Is its connection stale, and a fresh one the only hope left? */
static bool is_renewed(const struct weir_call *call, const weir_error *err)
{
    return call->response->conn && !call->has_head &&
           wr_is_stale(call->response, call->sent, err->code) &&
           (!call->rival || call->rival->state == WR_CALL_HEDGED);
}

void wr_call_settle(struct wr_loop *loop, struct weir_call *call,
                    enum wr_step step, weir_error *err)
{
    if (step == WR_STEP_DONE && call->is_hedge) {
        wr_call_hedge_wins(loop, call);
    } else if (step == WR_STEP_DONE) {
        finish(loop, call);
    } else if (step == WR_STEP_WAIT) {
        wr_call_set_timer(loop, call);
    } else if (is_renewed(call, err)) {
        redial(loop, call);
    } else {
        wr_call_fail(loop, call, err);
    }
}

/* The connection is there: sends.  No response can have come yet; but what the
 * poller has told of while the connection was between hands (a ticket) nobody
 * has looked at, so it must tell again of what is there. */
static void begin(struct wr_loop *loop, struct weir_call *call)
{
    struct weir_response *response = call->response;
    enum wr_step step = WR_STEP_ERROR;
    weir_error err;

    err.stage = WEIR_STAGE_NONE;
    call->hold_ns = 0;
    call->is_dry = true;
    wr_poller_rearm(loop->poller, wr_slot_data(loop, response->conn->slot),
                    POLLIN);
    call->has_hung_up = false;
    call->is_send_over = false;
    call->heard_ns = loop->now_ns;
    if (wr_exchange_begin(&response->exchange, call->sent, &call->head_limits,
                          response->fields, &err) == WEIR_OK) {
        wr_call_leave_room(loop, call); /* that it came with */
        step = wr_call_send(loop, call, &err);
    }
    if (step == WR_STEP_WAIT && call->is_send_over)
        step = wr_call_receive(loop, call, WR_RECEIVE_CHUNK, &err);
    wr_call_settle(loop, call, step, &err);
}

void wr_call_on_event(struct wr_loop *loop, struct weir_call *call,
                      short events)
{
    enum wr_step step = WR_STEP_WAIT;
    weir_error err;

    err.stage = WEIR_STAGE_NONE;
    /* With many calls in flight neither is in the cache; they come while the
     * kernel receives. */
    wr_prefetch(call, offsetof(struct weir_call, waiter.error));
    wr_prefetch(call->response, offsetof(struct weir_response, held) + 1);
    if (events & (POLLRDHUP | POLLHUP | POLLERR))
        call->has_hung_up = true;
    if (events & ~POLLOUT) {
        call->is_dry = false;
        wr_transport_has_news(&call->response->conn->io);
    }
    if ((events & POLLOUT) && !call->response->exchange.is_sent)
        step = wr_call_send(loop, call, &err);
    if (step == WR_STEP_WAIT && !call->is_dry)
        step = wr_call_receive(loop, call, WR_RECEIVE_CHUNK, &err);
    wr_call_settle(loop, call, step, &err);
}

void wr_call_go_on(struct wr_loop *loop, struct weir_call *call)
{
    enum wr_step step;
    weir_error err;
    size_t want = WR_RECEIVE_CHUNK;

    err.stage = WEIR_STAGE_NONE;
    if (call->state != WR_CALL_ACTIVE)
        return;
    step = wr_call_send(loop, call, &err);
    if (step == WR_STEP_WAIT && call->has_head && !wr_call_is_held_up(call))
        step = wr_call_take_body(loop, call, &want, &err);
    if (step == WR_STEP_WAIT && call->is_dry)
        wr_call_went_dry(loop, call);
    else if (step == WR_STEP_WAIT)
        step = wr_call_receive(loop, call, want, &err);
    wr_call_settle(loop, call, step, &err);
}

void wr_call_on_due(struct wr_loop *loop, struct weir_call *call)
{
    weir_error err;

    err.stage = WEIR_STAGE_NONE;
    call->due_ns = WR_NEVER;
    if (call->hedge_ns && call->hedge_ns <= loop->now_ns)
        wr_call_hedge(loop, call);
    if (call->state == WR_CALL_ACTIVE && call->hold_ns &&
        call->hold_ns <= loop->now_ns && call->response->exchange.is_held) {
        wr_exchange_unhold(&call->response->exchange);
        wr_call_settle(loop, call, wr_call_send(loop, call, &err), &err);
        return;
    }
    if (next_due(call) > loop->now_ns) {
        wr_call_set_timer(loop, call);
        return;
    }
    if (call->state == WR_CALL_DELAYED && call->next_ns <= loop->now_ns) {
        rejoin(loop, call);
        return;
    }
    if (call->state == WR_CALL_ACTIVE)
        wr_time_ran_out(call->response, loop->now_ns, &err);
    else
        wr_total_ran_out(call->limits.total_ns, &err);
    wr_call_leave_line(call);
    wr_call_fail(loop, call, &err);
}

void wr_call_cut(struct wr_loop *loop, struct weir_call *call,
                 weir_status status, const char *why)
{
    weir_error err;

    wr_call_leave_line(call);
    wr_error_set(&err, status, "%s", why);
    wr_call_fail(loop, call, &err);
}

void wr_call_redialed(struct wr_loop *loop, struct weir_call *call,
                      struct wr_conn *fresh, weir_error *err)
{
    weir_error no_watch;
    int error;

    if (err) {
        wr_call_fail(loop, call, err);
        return;
    }
    wr_dialing_renew(loop->pool, call->response, fresh);
    error = wr_call_attach(loop, call);
    wr_call_set_state(call, WR_CALL_ACTIVE);
    if (error) {
        no_watch.stage = WEIR_STAGE_NONE;
        wr_no_watch(error, &no_watch);
        wr_call_fail(loop, call, &no_watch);
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
    wr_call_set_state(call, WR_CALL_WAITING);
    TAILQ_INSERT_TAIL(&loop->calls, call, link);
    loop->call_count++;
    return true;
}

WR_COLD static void give_conn_back(struct wr_loop *loop, struct wr_conn *conn)
{
    struct weir_pool *pool = loop->pool;

    pthread_mutex_lock(&pool->lock);
    wr_give_back_unused_locked(pool, conn, loop->now_ns);
    wr_keeper_rested_locked(pool, loop->now_ns);
    pthread_mutex_unlock(&pool->lock);
}

static void begin_granted(struct wr_loop *loop, struct weir_call *call)
{
    wr_call_set_state(call, WR_CALL_ACTIVE);
    wr_trace_lease(call->response);
    begin(loop, call);
}

/* Cancelled before it has begun: its connection goes back untouched, and the
 * news of that, which is in the inbox, ends it. */
WR_COLD static void withdraw(struct wr_loop *loop, struct weir_call *call)
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
        if (call->is_hedge)
            wr_call_hedge_begins(loop, call);
        begin_granted(loop, call);
        break;
    case WR_STEP_WAIT: /* it was dead: back in the line */
        wr_call_set_timer(loop, call);
        break;
    case WR_STEP_ERROR:
        wr_call_fail(loop, call, &err);
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
            wr_call_fail(loop, call, &err);
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

    if (call->state == WR_CALL_ENDED) { /* since, by its rival */
        if (news->conn)
            give_conn_back(loop, news->conn);
        return;
    }
    if (!welcome(loop, call)) {
        if (news->conn)
            give_conn_back(loop, news->conn);
        wr_call_leave_line(call);
        wr_error_no_memory(&err);
        err.stage = WEIR_STAGE_WAIT;
        wr_call_fail(loop, call, &err);
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
    } else if (news->is_shut) {
        wr_call_cut(loop, call, WEIR_E_CLOSED, "the pool is closed");
    } else if (news->has_failed) {
        err = call->waiter.error;
        wr_call_fail(loop, call, &err);
    } else if (news->is_resumed) {
        call->heard_ns = loop->now_ns; /* nobody has listened meanwhile */
        if (call->rival)
            wr_call_do_again(loop, call->rival);
        wr_call_go_on(loop, call);
    } else {
        wr_call_set_timer(loop, call);
    }
}
