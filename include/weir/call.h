/**
 * @file
 * Asynchronous calls: on a thread of weir's own, or inside the program's event
 * loop.  They share the pool, its line and its limits with blocking calls.
 *
 * Callbacks run on a thread of weir's own (WEIR_LOOP_HOSTED) or within
 * weir_pool_dispatch() (WEIR_LOOP_EXTERNAL), under no lock, one at a time for
 * one call.  They may call weir freely, but for what waits: weir_call_wait(),
 * weir_calls_wait(), weir_pool_close(), weir_shared_close() and
 * weir_pool_free() answer WEIR_E_STATE or refuse there, and a blocking call
 * would hold up all others.
 */
#ifndef WEIR_CALL_H
#define WEIR_CALL_H

#include <weir/response.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An asynchronous call.  Opaque.  Any thread may use it. */
typedef struct weir_call weir_call;

/** What weir does after a stretch of a body has been handed over. */
typedef enum weir_flow {
    WEIR_FLOW_ON = 0, /**< goes on */
    WEIR_FLOW_PAUSE,  /**< reads no more before weir_call_resume() */
} weir_flow;

/** What a call tells of itself.  Each member may be NULL. */
typedef struct weir_handlers {
    size_t size; /**< sizeof(weir_handlers), set by the caller */
    /** The header section of the final response is in. */
    void (*on_response)(void *user, weir_call *call, weir_response *response);
    /**
     * The next stretch of the body, at least one byte; valid in the call.
     * NULL: the body is kept, at most max_body bytes, for weir_response_body().
     */
    weir_flow (*on_body)(void *user, weir_call *call, const void *data,
                         size_t len);
    /**
     * The end: exactly once for every call that was submitted, and last.
     *
     * @param response  lent; NULL if no header section came.  Valid until this
     *                  returns, or, if the call's handle is kept, until
     *                  weir_call_free().
     * @param error     NULL: the whole response is there.
     */
    void (*on_done)(void *user, weir_call *call, weir_response *response,
                    const weir_error *error);
} weir_handlers;

/**
 * Starts a call; it goes on by itself.
 *
 * @param request   kept alive by the call, so it may be freed at once; until
 *                  then its setters answer WEIR_E_STATE.  A request without a
 *                  body, or with one from memory, may be in any number of calls
 *                  at once; any other body in one.
 * @param handlers  copied; NULL: none.
 * @param user      first argument of the handlers.
 * @param ret_call  given: end the handle with weir_call_free().  NULL: no
 * handle is wanted.
 * @param ret_err   detail on failure; may be NULL.
 * @retval WEIR_OK            on_done will come, also if this pool is closed.
 * @retval WEIR_E_QUEUE_FULL  the waiting line is full; no handler is called.
 * @retval WEIR_E_STATE       the request's body is being sent by another call.
 * @retval WEIR_E_CLOSED      the pool is closed.
 * @retval WEIR_E_NO_MEMORY, WEIR_E_SYSTEM  no call has begun.
 *
 * Time limits are those of blocking calls.  A call that waits holds no buffer.
 */
WEIR_API weir_status weir_submit(weir_pool *pool, weir_request *request,
                                 const weir_handlers *handlers, void *user,
                                 weir_call **ret_call, weir_error *ret_err);

/** @cond */
#ifndef NDEBUG /* see weir_place() */
#define weir_submit(pool, request, handlers, user, ret_call, ret_err)          \
    (weir_place(__FILE__, __LINE__),                                           \
     (weir_submit)((pool), (request), (handlers), (user), (ret_call),          \
                   (ret_err)))
#endif
/** @endcond */

/**
 * Ends a call as soon as can be, at whatever stage it is: on_done comes with
 * WEIR_E_CANCELLED unless the call has ended first.  A place in the line is
 * free at once.  Never waits, never fails; a call that has ended is left alone.
 */
WEIR_API void weir_call_cancel(weir_call *call);

/**
 * Stops reading the body: the peer is slowed down through the socket, and no
 * more than what has been received is kept.  A stretch on its way to on_body
 * may still come.  No read time limit runs meanwhile; the total one does.
 */
WEIR_API void weir_call_pause(weir_call *call);
/**
 * Goes on reading after a pause, and asks a request body's callback again that
 * answered WEIR_BODY_LATER.
 */
WEIR_API void weir_call_resume(weir_call *call);

/** The call has ended and on_done, if any, has returned. */
WEIR_API bool weir_call_is_done(const weir_call *call);

/**
 * Waits until a call has ended.  In WEIR_LOOP_EXTERNAL it dispatches meanwhile,
 * unless another thread does.
 *
 * @param timeout  seconds; below 0: without limit.
 * @param ret_res  given, on success, once: weir_response_free().  NULL: it
 * stays with the call.
 * @param ret_err  how the call ended, if not well; may be NULL.
 * @retval WEIR_OK         ended well
 * @retval WEIR_E_PENDING  not ended within the time limit
 * @retval WEIR_E_STATE    called from a callback; or its response was given
 *                         before
 * @return else how the call ended.
 */
WEIR_API weir_status weir_call_wait(weir_call *call, double timeout,
                                    weir_response **ret_res,
                                    weir_error *ret_err);

/**
 * Number of attempts of a call that has ended, with a response or without, if
 * redirects, retries or hedges were allowed; else 0.  Known in on_done and from
 * then on, until weir_call_wait() has given the response away: that tells of
 * them itself.  Of a blocking call that has failed the error tells the number
 * alone.
 */
WEIR_API size_t weir_call_attempt_count(const weir_call *call);
/**
 * Fills in attempt @p index as weir_response_attempt() does.
 * @param ret_attempt  its size must be set; its URL is lent until on_done
 *                     returns, or, if the call's handle is kept, until
 *                     weir_call_free(); but that of a call with a response
 *                     goes with the response, if weir_call_wait() gives it.
 * @retval WEIR_E_INVALID  there is none of that index
 */
WEIR_API weir_status weir_call_attempt(const weir_call *call, size_t index,
                                       weir_attempt *ret_attempt);

/** For which of a set of calls to wait. */
typedef enum weir_wait {
    WEIR_WAIT_ANY, /**< until at least one has ended */
    WEIR_WAIT_ALL, /**< until all have ended */
} weir_wait;

/**
 * Waits for any or all of a set of calls, of one pool.
 *
 * @param calls      count handles; NULL entries are passed over.
 * @param timeout    seconds; below 0: without limit.
 * @param ret_index  the first in the set that has ended (ANY), or, on
 *                   WEIR_E_PENDING, the first that has not; may be NULL.
 * @retval WEIR_OK         they have ended, well or not: see weir_call_wait()
 * @retval WEIR_E_PENDING  the time limit came first
 * @retval WEIR_E_STATE    called from a callback
 * @retval WEIR_E_INVALID  no call in the set, or of several pools
 */
WEIR_API weir_status weir_calls_wait(weir_call *const *calls, size_t count,
                                     weir_wait which, double timeout,
                                     size_t *ret_index);

/**
 * Gives up the handle, at any time; the call itself goes on to its on_done.
 * NULL is allowed.
 */
WEIR_API void weir_call_free(weir_call *call);

/* --- the program's own loop ---------------------------------------------- */

/**
 * The descriptor to wait for in the program's own loop (WEIR_LOOP_EXTERNAL):
 * readable when weir_pool_dispatch() has something to do.  It stays the same
 * while the pool lives, and belongs to it.  -1: the pool's loop is hosted.
 */
WEIR_API int weir_pool_fd(weir_pool *pool);

/**
 * When weir_pool_dispatch() must be called at the latest, in milliseconds from
 * now, as poll() takes it: 0 = now, -1 = when weir_pool_fd() is readable.  Ask
 * again after each dispatch.
 */
WEIR_API int weir_pool_timeout(weir_pool *pool);

/**
 * Does what can be done without waiting, and runs callbacks.  One thread at a
 * time; another one that comes meanwhile returns at once.
 *
 * @retval WEIR_E_STATE  the pool's loop is hosted, or called from a callback
 */
WEIR_API weir_status weir_pool_dispatch(weir_pool *pool, weir_error *ret_err);

#ifdef __cplusplus
}
#endif
#endif
