/* The life of a call: how it begins, what others may ask of it, and how it is
 * forgotten.  What it does on its way is in call_run.c. */
#include "drive/call.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "drive/acquire.h"
#include "drive/keeper.h"
#include "drive/leaks.h"
#include "drive/lease.h"
#include "drive/means.h"
#include "drive/sequel.h"
#include "drive/transact.h"
#include "net/clock.h"

enum {
    SPARE_CALLS_MAX = 256
};

/* --- beginning ----------------------------------------------------------- */

static struct weir_call *take_call_locked(struct weir_pool *pool)
{
    struct weir_call *call = TAILQ_FIRST(&pool->spare_calls);

    if (!call)
        return wr_malloc(sizeof *call);
    TAILQ_REMOVE(&pool->spare_calls, call, inbox);
    pool->spare_call_count--;
    return call;
}

/* Points in time may lag behind by what the loop is doing. */
static uint64_t now_here(const struct weir_pool *pool)
{
    const struct wr_loop *here = wr_loop_here();

    return here && here->pool == pool ? here->now_ns : wr_now();
}

/* Each member by itself, but for the links and for what begin() and the states
 * set before they read it: a spare call is large, and mostly as it should be.
 */
static void set_up_locked(struct weir_call *call, struct weir_pool *pool,
                          struct weir_request *request)
{
    call->pool = pool;
    call->request = request;
    call->sent = request;
    call->course = NULL;
    call->record = NULL;
    call->handlers = (weir_handlers){0};
    call->user = NULL;
    call->place = (struct wr_place){0};
    call->has_handle = false;
    call->limits = wr_limits_of(request, &pool->limits);
    call->begun_ns = now_here(pool);
    call->joined_ns = call->begun_ns;
    call->deadline_ns = wr_after(call->begun_ns, call->limits.total_ns);
    call->loop = wr_loop_choose_locked(pool);
    call->epoch = pool->epoch;
    call->refs = 1;
    call->is_posted = false;
    call->is_done = false;
    call->wants_resume = false;
    call->is_delayed = false;
    call->is_shut = false;
    atomic_init(&call->flow, WR_FLOW_ON);
    atomic_init(&call->wants_cancel, false);
    call->state = WR_CALL_NEW;
    call->response = NULL;
    call->dial = NULL;
    call->due = (struct wr_heap_node){0};
    call->due_ns = WR_NEVER;
    call->hedge_ns = 0;
    call->rival = NULL;
    call->has_head = false;
    call->is_passing_over = false;
    call->has_leftover = false;
    call->is_in_again = false;
    call->is_hedge = false;
    call->waiter.call = call;
    call->waiter.ticket = 0;
    call->waiter.target = request->target;
    call->waiter.conn = NULL;
    call->waiter.is_reused = false;
    call->waiter.has_rested = false;
    call->waiter.status = WEIR_OK;
    call->waiter.error.code = WEIR_OK;
}

/* Kept for another call.  Where assertions are on, what that does not set is
 * seen to be garbage. */
static void spare_locked(struct weir_pool *pool, struct weir_call *call)
{
#ifndef NDEBUG
    memset(call, 0xee, sizeof *call);
#endif
    TAILQ_INSERT_HEAD(&pool->spare_calls, call, inbox);
    pool->spare_call_count++;
}

struct weir_call *wr_call_new_locked(struct weir_pool *pool,
                                     struct weir_request *request)
{
    struct weir_call *call = take_call_locked(pool);

    if (call)
        set_up_locked(call, pool, request);
    return call;
}

void wr_call_delete_locked(struct weir_call *call)
{
    spare_locked(call->pool, call);
}

weir_status wr_call_join_locked(struct weir_call *call, uint64_t now_ns,
                                weir_error *ret_err)
{
    struct weir_pool *pool = call->pool;
    struct wr_waiter *waiter = &call->waiter;
    const uint64_t until_ns =
        wr_after(call->joined_ns, call->limits.acquire_ns);
    struct wr_action granted;
    wr_ticket_id ticket = 0;
    const weir_status status = wr_core_acquire(
        pool->core, &waiter->target->key, WR_HOME_LOOP, now_ns,
        until_ns == WR_NEVER ? WR_NEVER : wr_left(until_ns, now_ns), waiter,
        &granted, &ticket);

    if (status != WEIR_OK)
        return wr_refused_locked(pool, status, ret_err);
    waiter->ticket = ticket;
    if (granted.kind == WR_ACT_GRANT) {
        waiter->conn = granted.opaque;
        waiter->is_reused = granted.reused;
        waiter->has_rested = true;
    }
    return WEIR_OK;
}

/* A body that is read as it is sent serves one call at a time. */
static weir_status take_request(struct weir_request *request,
                                weir_error *ret_err)
{
    if (wr_source_is_consumed(&request->body) &&
        atomic_exchange(&request->is_sending, true))
        return wr_error_set(ret_err, WEIR_E_STATE,
                            "the request's body is being sent by another "
                            "call");
    wr_request_ref(request);
    return WEIR_OK;
}

void wr_call_give_up_request(struct weir_request *request)
{
    if (wr_source_is_consumed(&request->body))
        atomic_store(&request->is_sending, false);
    wr_request_unref(request);
}

/* A response to receive into, with the connection. */
static struct weir_response *new_response_locked(struct weir_call *call,
                                                 struct wr_conn *conn,
                                                 uint64_t now_ns)
{
    const struct wr_waiter *waiter = &call->waiter;
    struct weir_response *response = wr_take_bare_response_locked(call->pool);

    if (!response)
        return NULL;
    wr_response_begin_locked(call->pool, response, &call->limits,
                             call->begun_ns);
    call->head_limits = call->pool->head_limits;
    call->head_limits.fields = response->fields_max;
    response->conn = conn;
    response->number = conn->number;
    response->is_reused = waiter->is_reused;
    response->has_rested = waiter->has_rested;
    response->times.granted_ns = now_ns;
    if (!waiter->is_reused)
        response->times.dial = wr_conn_times(conn);
    wr_leaks_watch_locked(call->pool, response, call->sent, &call->flow,
                          call->place, now_ns);
    return response;
}

/* On the loop itself, a call that gets a hot connection which is at home there
 * begins as soon as the callback returns, while all that it touches is still in
 * the processor's cache: no inbox, no other hold of the lock.  false: it takes
 * the usual way. */
static bool is_ready_locked(struct weir_call *call)
{
    struct wr_waiter *waiter = &call->waiter;
    struct wr_conn *conn = waiter->conn;
    struct weir_pool *pool = call->pool;

    if (call->loop != wr_loop_here() ||
        wr_left(call->begun_ns, wr_core_idle_since(pool->core, conn->id)) >=
            pool->validate_ns)
        return false;
    call->response = new_response_locked(call, conn, call->begun_ns);
    if (!call->response)
        return false; /* tried again later, and an error there */
    call->loop->slots[conn->slot].call = call;
    waiter->conn = NULL;
    TAILQ_INSERT_TAIL(&call->loop->ready, call, again);
    return true;
}

static weir_status
start_locked(struct weir_pool *pool, struct weir_request *request,
             struct wr_course *course, const weir_handlers *handlers,
             void *user, struct weir_call **ret_call, weir_error *ret_err)
{
    struct weir_call *call;
    weir_status status;

    if (pool->is_closed)
        return wr_error_set(ret_err, WEIR_E_CLOSED, "the pool is closed");
    status = wr_loops_start_locked(pool, ret_err);
    if (status != WEIR_OK)
        return status;
    call = wr_call_new_locked(pool, request);
    if (!call)
        return wr_error_no_memory(ret_err);
    call->course = course;
    if (handlers)
        memcpy(&call->handlers, handlers,
               handlers->size < sizeof call->handlers ? handlers->size
                                                      : sizeof call->handlers);
    call->user = user;
    call->place = wr_leaks_place();
    wr_tick_locked(pool, call->begun_ns);
    pool->tally.requests++;
    status = wr_call_join_locked(call, call->begun_ns, ret_err);
    if (status != WEIR_OK) {
        pool->tally.failures++;
        wr_call_delete_locked(call);
        return status;
    }
    wr_ref_locked(pool);
    pool->call_count++;
    if (ret_call) {
        call->refs++;
        call->has_handle = true;
        *ret_call = call;
    }
    if (call->waiter.conn && call->waiter.conn->loop)
        call->loop = call->waiter.conn->loop; /* where it is at home */
    if (!call->waiter.conn || !call->waiter.conn->loop ||
        !is_ready_locked(call))
        wr_call_post_locked(call);
    wr_settle_if_needed_locked(pool);
    if (call->waiter.ticket)
        wr_keeper_nudge_locked(pool, wr_core_deadline(pool->core));
    return WEIR_OK;
}

weir_status wr_call_submit(struct weir_pool *pool, struct weir_request *request,
                           const weir_handlers *handlers, void *user,
                           struct weir_call **ret_call, weir_error *ret_err)
{
    struct wr_course *course = NULL;
    weir_status status = wr_means_prepare(pool, request, ret_err);

    if (status == WEIR_OK)
        status = take_request(request, ret_err);
    if (status != WEIR_OK)
        return status;
    status = wr_sequel_open(pool, request, &course, ret_err);
    if (status == WEIR_OK) {
        pthread_mutex_lock(&pool->lock);
        status = start_locked(pool, request, course, handlers, user, ret_call,
                              ret_err);
        pthread_mutex_unlock(&pool->lock);
    }
    if (status != WEIR_OK) {
        wr_sequel_close(pool, course, NULL, ret_err);
        wr_call_give_up_request(request);
    }
    return status;
}

/* --- its connection ------------------------------------------------------ */

int wr_call_attach(struct wr_loop *loop, struct weir_call *call)
{
    struct weir_pool *pool = loop->pool;
    struct wr_conn *conn = call->response->conn;
    int error = 0;

    pthread_mutex_lock(&pool->lock);
    if (conn->loop != loop) {
        wr_loop_detach_locked(conn);
        error = wr_loop_attach_locked(loop, conn);
    }
    if (!error)
        loop->slots[conn->slot].call = call;
    pthread_mutex_unlock(&pool->lock);
    return error;
}

enum wr_step wr_call_take_conn(struct wr_loop *loop, struct weir_call *call,
                               struct wr_conn *conn, weir_error *err)
{
    struct weir_pool *pool = loop->pool;
    weir_status status = WEIR_OK;
    bool is_alive;
    int error;

    pthread_mutex_lock(&pool->lock);
    is_alive = wr_is_alive_locked(pool, conn, loop->now_ns);
    if (!is_alive)
        status = wr_call_join_locked(call, loop->now_ns, err);
    else if (!(call->response = new_response_locked(call, conn, loop->now_ns)))
        wr_give_back_unused_locked(pool, conn, loop->now_ns);
    if (!is_alive && status == WEIR_OK && call->waiter.conn)
        wr_call_post_locked(call);
    wr_settle_if_needed_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    if (!is_alive)
        return status == WEIR_OK ? WR_STEP_WAIT : WR_STEP_ERROR;
    error = call->response ? wr_call_attach(loop, call) : ENOMEM;
    return error ? wr_no_watch(error, err) : WR_STEP_DONE;
}

void wr_call_leave_line(struct weir_call *call)
{
    struct weir_pool *pool = call->pool;

    pthread_mutex_lock(&pool->lock);
    if (call->waiter.ticket)
        wr_core_cancel(pool->core, call->waiter.ticket, wr_now());
    call->waiter.ticket = 0;
    if (call->waiter.conn)
        wr_give_back_unused_locked(pool, call->waiter.conn, wr_now());
    call->waiter.conn = NULL;
    wr_settle_if_needed_locked(pool);
    pthread_mutex_unlock(&pool->lock);
}

/* --- what others ask ----------------------------------------------------- */

void wr_call_post_locked(struct weir_call *call)
{
    struct wr_loop *loop = call->loop;

    if (call->is_posted)
        return;
    call->is_posted = true;
    TAILQ_INSERT_TAIL(&loop->inbox, call, inbox);
    wr_loop_wake_locked(loop);
}

void wr_call_cancel(struct weir_call *call)
{
    struct weir_pool *pool = call->pool;

    pthread_mutex_lock(&pool->lock);
    if (!wr_call_is_over(call) && !atomic_exchange(&call->wants_cancel, true)) {
        if (call->waiter.ticket) {
            wr_core_cancel(pool->core, call->waiter.ticket, wr_now());
            call->waiter.ticket = 0;
        }
        wr_call_post_locked(call);
        wr_settle_if_needed_locked(pool);
    }
    pthread_mutex_unlock(&pool->lock);
}

void wr_call_resume(struct weir_call *call)
{
    struct weir_pool *pool = call->pool;

    atomic_store(&call->flow, WR_FLOW_RESUMED);
    pthread_mutex_lock(&pool->lock);
    if (!wr_call_is_over(call)) {
        call->wants_resume = true;
        wr_call_post_locked(call);
    }
    pthread_mutex_unlock(&pool->lock);
}

/* --- the end ------------------------------------------------------------- */

/* What nobody refers to any more, to be freed outside the lock. */
struct remains {
    struct weir_call *call;
    struct weir_response *response;
    struct wr_course *record;
};

static struct remains forget_locked(struct weir_pool *pool,
                                    struct weir_call *call)
{
    struct remains remains = {.record = call->record};

    call->record = NULL;
    if (call->response) {
        remains.response = wr_keep_response_locked(pool, call->response);
        pool->refs--; /* the response's; the call has one more */
    }
    if (pool->spare_call_count < SPARE_CALLS_MAX && !pool->is_closed) {
        spare_locked(pool, call);
    } else {
        remains.call = call;
    }
    return remains;
}

void wr_call_unref_unlock(struct weir_call *call)
{
    struct weir_pool *pool = call->pool;
    struct remains remains;

    if (--call->refs > 0) {
        pthread_mutex_unlock(&pool->lock);
        return;
    }
    remains = forget_locked(pool, call);
    wr_unref_unlock(pool);
    if (remains.response)
        wr_response_delete(remains.response);
    wr_course_free(remains.record);
    wr_free(remains.call);
}

const struct wr_course *wr_call_record_locked(const struct weir_call *call)
{
    const struct wr_loop *here = wr_loop_here();
    const bool is_in_on_done =
        here && here == call->loop && call->state == WR_CALL_ENDED;

    if (!call->is_done && !is_in_on_done)
        return NULL;
    if (call->record)
        return call->record;
    return call->response && call->has_head ? call->response->course : NULL;
}

void wr_call_retire(struct weir_call *call)
{
    struct weir_pool *pool = call->pool;

    pthread_mutex_lock(&pool->lock);
    if (call->is_posted)
        TAILQ_REMOVE(&call->loop->inbox, call, inbox);
    call->is_posted = false;
    call->is_done = true;
    pool->call_count--;
    if (pool->call_waiters)
        pthread_cond_broadcast(&pool->call_ended);
    if (pool->is_closed)
        wr_tell_closer_locked(pool);
    wr_call_unref_unlock(call);
}

void wr_calls_drop_spares_locked(struct weir_pool *pool)
{
    struct weir_call *call;

    while ((call = TAILQ_FIRST(&pool->spare_calls)) != NULL) {
        TAILQ_REMOVE(&pool->spare_calls, call, inbox);
        wr_free(call);
    }
    pool->spare_call_count = 0;
}
