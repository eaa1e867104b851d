#include "drive/waiting.h"

#include <time.h>

#include "base/error.h"
#include "drive/loop.h"
#include "net/clock.h"

/* The external loop that nobody runs at the moment, or NULL; the end of a close
 * is for the thread that closes alone. */
static struct wr_loop *loop_to_run(const struct weir_pool *pool)
{
    if (pool->options.loop != WEIR_LOOP_EXTERNAL || !pool->loop_count ||
        pool->loops[0]->is_running || pool->loops[0]->is_stopping)
        return NULL;
    return pool->loops[0];
}

void wr_dispatch_locked(struct weir_pool *pool, uint64_t deadline_ns)
{
    struct wr_loop *loop = loop_to_run(pool);

    if (!loop)
        return;
    loop->is_running = true;
    pthread_mutex_unlock(&pool->lock);
    wr_loop_turn(loop, deadline_ns);
    pthread_mutex_lock(&pool->lock);
    loop->is_running = false;
    if (pool->call_waiters) /* one of them may have to run it now */
        pthread_cond_broadcast(&pool->call_ended);
    if (pool->is_closed)
        pthread_cond_broadcast(&pool->changed);
}

void wr_wait_locked(struct weir_pool *pool, pthread_cond_t *condition,
                    uint64_t deadline_ns)
{
    const struct timespec until = {
        .tv_sec = (time_t)(deadline_ns / WR_SECOND),
        .tv_nsec = (long)(deadline_ns % WR_SECOND),
    };

    if (loop_to_run(pool))
        wr_dispatch_locked(pool, deadline_ns);
    else if (deadline_ns == WR_NEVER)
        pthread_cond_wait(condition, &pool->lock);
    else
        pthread_cond_clockwait(condition, &pool->lock, CLOCK_MONOTONIC, &until);
}

/* A thread that ran the loop waits no more.  The program may wait since before
 * for what was due then: it is woken if something is due earlier now. */
static void leave_loop_locked(struct weir_pool *pool)
{
    struct wr_loop *loop = loop_to_run(pool);

    if (loop && wr_loop_due_locked(loop) < loop->told_ns)
        wr_loop_wake_locked(loop);
}

/* --- calls --------------------------------------------------------------- */

static bool is_from_callback(const struct weir_pool *pool)
{
    const struct wr_loop *here = wr_loop_here();

    return here && here->pool == pool;
}

static uint64_t deadline_of(double timeout)
{
    if (!(timeout >= 0))
        return WR_NEVER;
    return wr_after(wr_now(), wr_seconds(timeout));
}

/* Is the wait over?  *ret_index: the first that has ended (ANY), or the first
 * that has not. */
static bool is_met_locked(struct weir_call *const *calls, size_t count,
                          weir_wait which, size_t *ret_index)
{
    const bool wanted = which == WEIR_WAIT_ANY;

    for (size_t i = 0; i < count; i++) {
        if (calls[i] && wr_call_is_over(calls[i]) == wanted) {
            *ret_index = i;
            return wanted;
        }
    }
    return !wanted;
}

static void first_pending_locked(struct weir_call *const *calls, size_t count,
                                 size_t *ret_index)
{
    for (size_t i = 0; i < count; i++) {
        if (calls[i] && !wr_call_is_over(calls[i])) {
            *ret_index = i;
            return;
        }
    }
}

static weir_status wait_locked(struct weir_pool *pool,
                               struct weir_call *const *calls, size_t count,
                               weir_wait which, uint64_t deadline_ns,
                               size_t *ret_index)
{
    bool is_met;

    pool->call_waiters++;
    while (!(is_met = is_met_locked(calls, count, which, ret_index)) &&
           wr_now() < deadline_ns)
        wr_wait_locked(pool, &pool->call_ended, deadline_ns);
    pool->call_waiters--;
    leave_loop_locked(pool);
    if (is_met)
        return WEIR_OK;
    first_pending_locked(calls, count, ret_index);
    return WEIR_E_PENDING;
}

/* The pool of all of them; NULL: there is none, or several. */
static struct weir_pool *pool_of(struct weir_call *const *calls, size_t count)
{
    struct weir_pool *pool = NULL;

    for (size_t i = 0; i < count; i++) {
        if (calls[i] && pool && calls[i]->pool != pool)
            return NULL;
        if (calls[i])
            pool = calls[i]->pool;
    }
    return pool;
}

weir_status wr_calls_wait(struct weir_call *const *calls, size_t count,
                          weir_wait which, double timeout, size_t *ret_index)
{
    struct weir_pool *pool = pool_of(calls, count);
    size_t index = 0;
    weir_status status;

    if (!pool)
        return WEIR_E_INVALID;
    if (is_from_callback(pool))
        return WEIR_E_STATE;
    pthread_mutex_lock(&pool->lock);
    status =
        wait_locked(pool, calls, count, which, deadline_of(timeout), &index);
    pthread_mutex_unlock(&pool->lock);
    if (ret_index)
        *ret_index = index;
    return status;
}

/* How a call that has ended ended; its response goes with it if wanted. */
static weir_status collect_locked(struct weir_call *call,
                                  struct weir_response **ret_response,
                                  weir_error *ret_err)
{
    const weir_status status = call->waiter.error.code;

    if (!call->is_done)
        return wr_error_set(ret_err, WEIR_E_CLOSED,
                            "the call goes on in the process that forked this "
                            "one");
    if (status != WEIR_OK) {
        if (ret_err)
            *ret_err = call->waiter.error;
        return status;
    }
    if (!ret_response)
        return WEIR_OK;
    if (!call->response)
        return wr_error_set(ret_err, WEIR_E_STATE,
                            "weir_call_wait: the response was given before");
    *ret_response = call->response;
    call->response = NULL;
    return WEIR_OK;
}

weir_status wr_call_wait(struct weir_call *call, double timeout,
                         struct weir_response **ret_response,
                         weir_error *ret_err)
{
    struct weir_pool *pool = call->pool;
    size_t index;
    weir_status status;

    if (is_from_callback(pool))
        return wr_error_set(ret_err, WEIR_E_STATE,
                            "weir_call_wait: called from a callback");
    pthread_mutex_lock(&pool->lock);
    status = wait_locked(pool, &call, 1, WEIR_WAIT_ALL, deadline_of(timeout),
                         &index);
    if (status == WEIR_OK)
        status = collect_locked(call, ret_response, ret_err);
    else
        wr_error_set(ret_err, status, "the call has not ended yet");
    pthread_mutex_unlock(&pool->lock);
    return status;
}
