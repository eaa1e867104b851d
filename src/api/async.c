/* Asynchronous calls, and the program's own loop. */
#include <weir/call.h>

#include "api/pool.h"
#include "base/error.h"
#include "drive/call.h"
#include "drive/leaks.h"
#include "drive/waiting.h"
#include "net/clock.h"

/* In brackets: it is a macro in a debug build. */
weir_status(weir_submit)(weir_pool *pool, weir_request *request,
                         const weir_handlers *handlers, void *user,
                         weir_call **ret_call, weir_error *ret_err)
{
    weir_status status;

    if (!pool)
        return wr_no_pool(ret_err);
    if (!request)
        return wr_error_set(ret_err, WEIR_E_INVALID, "request is NULL");
    if (handlers && handlers->size < sizeof handlers->size)
        return wr_error_set(ret_err, WEIR_E_INVALID,
                            "handlers->size: found %zu, expected "
                            "sizeof(weir_handlers)",
                            handlers->size);
    status = wr_call_submit(pool, request, handlers, user, ret_call, ret_err);
    wr_leaks_set_place(NULL, 0);
    return status;
}

void weir_call_cancel(weir_call *call)
{
    if (call)
        wr_call_cancel(call);
}

void weir_call_pause(weir_call *call)
{
    if (call)
        atomic_store(&call->flow, WR_FLOW_PAUSED);
}

void weir_call_resume(weir_call *call)
{
    if (call)
        wr_call_resume(call);
}

bool weir_call_is_done(const weir_call *call)
{
    bool is_done;

    pthread_mutex_lock(&call->pool->lock);
    is_done = wr_call_is_over(call);
    pthread_mutex_unlock(&call->pool->lock);
    return is_done;
}

weir_status weir_call_wait(weir_call *call, double timeout,
                           weir_response **ret_res, weir_error *ret_err)
{
    if (!call)
        return wr_error_set(ret_err, WEIR_E_INVALID, "call is NULL");
    return wr_call_wait(call, timeout, ret_res, ret_err);
}

weir_status weir_calls_wait(weir_call *const *calls, size_t count,
                            weir_wait which, double timeout, size_t *ret_index)
{
    return calls ? wr_calls_wait(calls, count, which, timeout, ret_index)
                 : WEIR_E_INVALID;
}

size_t weir_call_attempt_count(const weir_call *call)
{
    const struct wr_course *record;
    size_t count;

    pthread_mutex_lock(&call->pool->lock);
    record = wr_call_record_locked(call);
    count = record ? record->count : 0;
    pthread_mutex_unlock(&call->pool->lock);
    return count;
}

weir_status weir_call_attempt(const weir_call *call, size_t index,
                              weir_attempt *ret_attempt)
{
    weir_status status;

    pthread_mutex_lock(&call->pool->lock);
    status = wr_export_attempt(wr_call_record_locked(call), index, ret_attempt);
    pthread_mutex_unlock(&call->pool->lock);
    return status;
}

void weir_call_free(weir_call *call)
{
    if (!call)
        return;
    pthread_mutex_lock(&call->pool->lock);
    wr_call_unref_unlock(call);
}

/* --- the program's own loop ---------------------------------------------- */

/* The external loop is made when it is first asked for. */
static weir_status make_external_locked(struct weir_pool *pool,
                                        weir_error *ret_err)
{
    if (pool->options.loop != WEIR_LOOP_EXTERNAL)
        return wr_error_set(ret_err, WEIR_E_STATE, "the pool's loop is hosted");
    return wr_loops_start_locked(pool, ret_err);
}

/* NULL: it is hosted, or could not be made. */
static struct wr_loop *external_locked(struct weir_pool *pool)
{
    return make_external_locked(pool, NULL) == WEIR_OK ? pool->loops[0] : NULL;
}

int weir_pool_fd(weir_pool *pool)
{
    struct wr_loop *loop;
    int fd = -1;

    if (!pool)
        return -1;
    pthread_mutex_lock(&pool->lock);
    loop = external_locked(pool);
    if (loop)
        fd = wr_poller_fd(loop->poller);
    pthread_mutex_unlock(&pool->lock);
    return fd;
}

int weir_pool_timeout(weir_pool *pool)
{
    struct wr_loop *loop;
    uint64_t until_ns = WR_NEVER;

    if (!pool)
        return -1;
    pthread_mutex_lock(&pool->lock);
    loop = external_locked(pool);
    if (loop && loop->is_stopping)
        until_ns = WR_NEVER; /* the pool is closed */
    else if (loop && loop->is_running)
        until_ns = loop->sleeps_until_ns; /* another thread's to tell */
    else if (loop)
        until_ns = loop->sleeps_until_ns = wr_loop_due_locked(loop);
    if (loop)
        loop->told_ns = until_ns;
    pthread_mutex_unlock(&pool->lock);
    return wr_poll_timeout(until_ns, wr_now());
}

weir_status weir_pool_dispatch(weir_pool *pool, weir_error *ret_err)
{
    weir_status status;

    if (!pool)
        return wr_no_pool(ret_err);
    if (wr_loop_here() && wr_loop_here()->pool == pool)
        return wr_error_set(ret_err, WEIR_E_STATE,
                            "weir_pool_dispatch: called from a callback");
    pthread_mutex_lock(&pool->lock);
    status = make_external_locked(pool, ret_err);
    if (status == WEIR_OK)
        wr_dispatch_locked(pool, 0);
    pthread_mutex_unlock(&pool->lock);
    return status;
}
