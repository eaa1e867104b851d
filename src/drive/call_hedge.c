#include "drive/call_hedge.h"

#include "base/error.h"
#include "drive/call_inner.h"
#include "drive/call_transfer.h"
#include "drive/hedge.h"
#include "drive/keeper.h"
#include "drive/leaks.h"
#include "drive/outcome.h"

/* --- beginning ----------------------------------------------------------- */

/* NULL: it has no place, or there is no memory. */
static struct weir_call *new_hedge_locked(struct wr_loop *loop,
                                          struct weir_call *first)
{
    struct weir_pool *pool = loop->pool;
    struct weir_call *hedge = wr_call_new_locked(pool, first->sent);

    if (!hedge)
        return NULL;
    hedge->is_hedge = true;
    hedge->rival = first;
    hedge->begun_ns = first->begun_ns;
    hedge->joined_ns = loop->now_ns;
    hedge->deadline_ns = first->deadline_ns;
    hedge->limits = first->limits;
    hedge->limits.acquire_ns = WR_HEDGE_WAIT_NS;
    if (wr_call_join_locked(hedge, loop->now_ns, NULL) != WEIR_OK) {
        wr_call_delete_locked(hedge);
        return NULL;
    }
    wr_ref_locked(pool);
    wr_request_ref(first->sent);
    pool->call_count++;
    if (hedge->waiter.conn)
        wr_call_post_locked(hedge);
    return hedge;
}

void wr_call_hedge(struct wr_loop *loop, struct weir_call *call)
{
    struct weir_pool *pool = loop->pool;
    const char *why_not;

    call->hedge_ns = 0;
    if (call->state != WR_CALL_ACTIVE || call->has_head)
        return;
    pthread_mutex_lock(&pool->lock);
    why_not = wr_hedge_begin_locked(
        pool, call->course, call->response->times.sent_ns, loop->now_ns);
    if (!why_not) {
        call->rival = new_hedge_locked(loop, call);
        if (!call->rival)
            why_not = wr_hedge_skip_locked(pool, call->course);
        wr_settle_if_needed_locked(pool);
        wr_keeper_nudge_locked(pool, wr_core_deadline(pool->core));
    }
    pthread_mutex_unlock(&pool->lock);
    if (why_not)
        wr_hedge_trace(pool, call->course, call->response->number, why_not);
}

void wr_call_hedge_begins(struct wr_loop *loop, struct weir_call *hedge)
{
    wr_hedge_sent(loop->pool, hedge->rival->course, hedge->response->number);
}

/* --- ending -------------------------------------------------------------- */

/* Nobody is told; its transfer has ended, or is another's. */
static void end_hedge(struct wr_loop *loop, struct weir_call *hedge)
{
    hedge->rival->rival = NULL;
    hedge->rival = NULL;
    wr_call_leave_loop(loop, hedge);
    wr_request_unref(hedge->request);
    wr_call_retire(hedge);
}

/* The transfer of one of a pair, which nobody wants any more. */
static void cancel_transfer(struct wr_loop *loop, struct weir_call *call,
                            weir_error *ret_err)
{
    wr_error_set(ret_err, WEIR_E_CANCELLED,
                 "the other request of a hedged pair was answered first");
    wr_call_leave_line(call);
    wr_call_drop_transfer(loop, call, ret_err);
}

static void forget_hedge(struct weir_pool *pool, const struct weir_call *call)
{
    pthread_mutex_lock(&pool->lock);
    wr_hedge_forget_locked(call->course);
    pthread_mutex_unlock(&pool->lock);
}

/* Ends the hedge of a call whose first request has won, or that ends. */
static void cancel_hedge(struct wr_loop *loop, struct weir_call *call,
                         bool has_won)
{
    struct weir_call *hedge = call->rival;
    const bool was_sent = hedge->response != NULL;
    weir_error err;

    cancel_transfer(loop, hedge, &err);
    if (was_sent)
        wr_hedge_goes_on(
            loop->pool, call->course,
            &(struct wr_pair_end){.has_won = has_won, .err = &err});
    else
        forget_hedge(loop->pool, call);
    end_hedge(loop, hedge);
}

void wr_call_beat_hedge(struct wr_loop *loop, struct weir_call *call)
{
    cancel_hedge(loop, call, true);
}

/* --- winning ------------------------------------------------------------- */

static void take_over(struct wr_loop *loop, struct weir_call *call,
                      struct weir_call *hedge)
{
    struct wr_conn *conn = hedge->response->conn;

    call->response = hedge->response;
    hedge->response = NULL;
    wr_leaks_adopt(loop->pool, call->response, &call->flow, call->place);
    loop->slots[conn->slot].call = call;
    call->head_limits = hedge->head_limits;
    call->heard_ns = hedge->heard_ns;
    call->hold_ns = hedge->hold_ns;
    call->is_dry = hedge->is_dry;
    call->has_hung_up = hedge->has_hung_up;
    call->is_send_over = hedge->is_send_over;
    call->has_leftover = true; /* perhaps */
}

void wr_call_hedge_wins(struct wr_loop *loop, struct weir_call *hedge)
{
    struct weir_call *call = hedge->rival;
    enum wr_step step;
    weir_error err;

    if (call->state == WR_CALL_ACTIVE) {
        cancel_transfer(loop, call, &err);
        wr_hedge_goes_on(loop->pool, call->course,
                         &(struct wr_pair_end){.is_hedge_left = true,
                                               .has_won = true,
                                               .err = &err});
        wr_call_drop_response(call);
    } else {
        wr_call_set_state(call, WR_CALL_ACTIVE);
    }
    take_over(loop, call, hedge);
    end_hedge(loop, hedge);
    err.stage = WEIR_STAGE_NONE;
    step = wr_call_accept_head(call, &err);
    if (step == WR_STEP_WAIT)
        wr_call_go_on(loop, call);
    else
        wr_call_settle(loop, call, step, &err);
}

/* --- failing ------------------------------------------------------------- */

static void skip_hedge(struct weir_pool *pool, const struct weir_call *call)
{
    const char *skipped;

    pthread_mutex_lock(&pool->lock);
    skipped = wr_hedge_skip_locked(pool, call->course);
    pthread_mutex_unlock(&pool->lock);
    wr_hedge_trace(pool, call->course, call->response->number, skipped);
}

static void hedge_failed(struct wr_loop *loop, struct weir_call *hedge,
                         weir_error *err)
{
    struct weir_pool *pool = loop->pool;
    struct weir_call *call = hedge->rival;
    const bool was_sent = hedge->response != NULL;

    if (call->state == WR_CALL_HEDGED) {
        end_hedge(loop, hedge);
        wr_call_fail(loop, call, err);
        return;
    }
    if (!was_sent && err->code == WEIR_E_ACQUIRE_TIMEOUT)
        skip_hedge(pool, call);
    else if (!was_sent && wr_is_final(err->code))
        forget_hedge(pool, call);
    else
        wr_hedge_goes_on(pool, call->course, &(struct wr_pair_end){.err = err});
    end_hedge(loop, hedge);
}

/* The call ends while it has a hedge. */
static void end_pair(struct wr_loop *loop, struct weir_call *call,
                     weir_error *err)
{
    struct weir_call *hedge = call->rival;

    if (call->state != WR_CALL_HEDGED) {
        cancel_hedge(loop, call, false);
        return;
    }
    wr_call_leave_line(hedge); /* what it ends in is the call's error */
    wr_call_drop_transfer(loop, hedge, err);
    end_hedge(loop, hedge);
}

bool wr_call_is_outlived(struct wr_loop *loop, struct weir_call *call,
                         weir_error *err)
{
    if (call->is_hedge) {
        hedge_failed(loop, call, err);
        return true;
    }
    if (wr_is_final(err->code)) {
        end_pair(loop, call, err);
        return false;
    }
    wr_hedge_goes_on(loop->pool, call->course,
                     &(struct wr_pair_end){.is_hedge_left = true, .err = err});
    wr_call_drop_response(call);
    wr_call_set_state(call, WR_CALL_HEDGED);
    wr_call_set_timer(loop, call);
    return true;
}
