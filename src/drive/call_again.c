/* Between two attempts of a call: what follows on one that has ended, and the
 * wait for the next.  On the loop, without the lock. */
#include "base/error.h"
#include "drive/call.h"
#include "drive/keeper.h"
#include "drive/means.h"
#include "drive/outcome.h"
#include "drive/sequel.h"
#include "drive/transact.h"

enum wr_step wr_call_judge_head(struct weir_call *call, weir_error *err)
{
    struct weir_response *response = call->response;
    enum wr_sequel sequel;

    if (!call->course)
        return WR_STEP_DONE;
    sequel = wr_sequel_after(call->pool, call->course, response, NULL,
                             call->deadline_ns, &call->next_ns, err);
    call->sent = call->course->sent; /* the one before may be gone */
    switch (sequel) {
    case WR_SEQUEL_NONE:
        wr_sequel_close(call->pool, call->course, response, NULL);
        call->course = NULL;
        call->sent = call->request;
        return WR_STEP_DONE;
    case WR_SEQUEL_FAIL:
        return WR_STEP_ERROR;
    default:
        break;
    }
    call->is_passing_over = true;
    call->rest = wr_is_rest_short(&response->exchange) ? 0 : WR_REST_MAX;
    call->rest_ns = wr_after(response->times.head_ns, WR_REST_WAIT_NS);
    return WR_STEP_WAIT;
}

bool wr_call_is_tried_again(struct weir_call *call, weir_error *err)
{
    weir_error failure = {.code = WEIR_OK};
    enum wr_sequel sequel = WR_SEQUEL_NONE;

    if (!call->course)
        return false;
    if (call->is_passing_over && !wr_is_final(err->code))
        return true;
    if (!call->is_passing_over)
        sequel = wr_sequel_after(call->pool, call->course, NULL, err,
                                 call->deadline_ns, &call->next_ns, &failure);
    if (sequel == WR_SEQUEL_FAIL)
        *err = failure;
    return sequel == WR_SEQUEL_NEXT;
}

void wr_call_end_course(struct weir_call *call, weir_error *err)
{
    wr_sequel_fail(call->pool, call->course, err);
    call->record = call->course;
    call->course = NULL;
    call->sent = call->request;
}

void wr_call_drop_response(struct weir_call *call)
{
    struct weir_pool *pool = call->pool;
    struct weir_response *surplus = NULL;

    if (!call->response)
        return;
    pthread_mutex_lock(&pool->lock);
    surplus = wr_keep_response_locked(pool, call->response);
    pool->refs--; /* the response's; the call has one more */
    pthread_mutex_unlock(&pool->lock);
    call->response = NULL;
    if (surplus)
        wr_response_delete(surplus);
}

void wr_call_delay(struct weir_call *call)
{
    struct weir_pool *pool = call->pool;

    pthread_mutex_lock(&pool->lock);
    TAILQ_INSERT_TAIL(&pool->delayed, call, delayed);
    call->is_delayed = true;
    if (pool->is_closed) {
        call->is_shut = true;
        wr_call_post_locked(call);
    }
    pthread_mutex_unlock(&pool->lock);
}

static void end_delay_locked(struct weir_call *call)
{
    if (call->is_delayed)
        TAILQ_REMOVE(&call->pool->delayed, call, delayed);
    call->is_delayed = false;
}

void wr_call_end_delay(struct weir_call *call)
{
    pthread_mutex_lock(&call->pool->lock);
    end_delay_locked(call);
    pthread_mutex_unlock(&call->pool->lock);
}

weir_status wr_call_rejoin(struct wr_loop *loop, struct weir_call *call,
                           weir_error *err)
{
    struct weir_pool *pool = loop->pool;
    weir_status status;

    call->sent = call->course->sent;
    status = wr_means_prepare(pool, call->sent, err);
    pthread_mutex_lock(&pool->lock);
    end_delay_locked(call);
    call->waiter.target = call->sent->target;
    call->waiter.status = WEIR_OK;
    call->waiter.error.code = WEIR_OK;
    call->joined_ns = loop->now_ns;
    if (status == WEIR_OK && pool->is_closed)
        status = wr_error_set(err, WEIR_E_CLOSED, "the pool is closed");
    if (status == WEIR_OK)
        status = wr_sequel_begin_locked(pool, call->course, err);
    if (status == WEIR_OK)
        status = wr_call_join_locked(call, loop->now_ns, err);
    if (status == WEIR_OK && call->waiter.conn)
        wr_call_post_locked(call);
    wr_settle_if_needed_locked(pool);
    if (call->waiter.ticket)
        wr_keeper_nudge_locked(pool, wr_core_deadline(pool->core));
    pthread_mutex_unlock(&pool->lock);
    return status;
}

void wr_calls_shut_delayed_locked(struct weir_pool *pool)
{
    struct weir_call *call;

    TAILQ_FOREACH (call, &pool->delayed, delayed) {
        call->is_shut = true;
        wr_call_post_locked(call);
    }
}
