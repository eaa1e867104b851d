/* The blocking driver: sending a request and receiving the head of its
 * response.  Bodies are read in blocking_body.c. */
#include "drive/blocking.h"

#include <errno.h>
#include <time.h>

#include "base/error.h"
#include "conn/decoding.h"
#include "drive/acquire.h"
#include "drive/blocking_hedge.h"
#include "drive/blocking_inner.h"
#include "drive/leaks.h"
#include "drive/lease.h"
#include "drive/means.h"
#include "drive/receive.h"
#include "drive/sequel.h"
#include "drive/transact.h"
#include "net/clock.h"

/* --- one exchange -------------------------------------------------------- */

enum wr_step wr_blocking_receive_head(struct weir_response *response,
                                      bool dont_wait, uint64_t now_ns,
                                      weir_error *err)
{
    struct wr_exchange *ex = &response->exchange;
    enum wr_step step;
    char *at;
    size_t cap;
    size_t len;

    if (!wr_exchange_room(ex, WR_RECEIVE_CHUNK, &at, &cap)) {
        wr_error_no_memory(err);
        return WR_STEP_ERROR;
    }
    step = dont_wait ? wr_receive_now(response, at, cap, &len, err)
                     : wr_receive(response, at, cap, now_ns, &len, err);
    if (step != WR_STEP_WAIT)
        return WR_STEP_ERROR;
    wr_exchange_received(ex, len);
    return wr_exchange_parse_head(ex, err);
}

/* The socket takes no more for now: waits; a response that comes early is
 * read.  WAIT: go on sending.  DONE: the final head is in. */
static enum wr_step send_blocked(struct weir_response *response,
                                 weir_error *err)
{
    const short events =
        wr_wait_socket(response, POLLIN | POLLOUT, response->deadline_ns);
    const uint64_t now_ns = wr_now();

    if (events & POLLOUT)
        return WR_STEP_WAIT;
    if (events)
        return wr_blocking_receive_head(response, true, now_ns, err);
    if (now_ns < response->deadline_ns)
        return WR_STEP_WAIT;
    wr_total_ran_out(response->limits.total_ns, err);
    return WR_STEP_ERROR;
}

/* The body is held back: waits for 100 Continue, a final response, or the end
 * of the wait, which releases the body. */
static enum wr_step send_held(struct weir_response *response, weir_error *err)
{
    struct wr_exchange *ex = &response->exchange;
    const uint64_t begun_ns = wr_now();
    const uint64_t until_ns = wr_after(begun_ns, ex->request->expect_ns);

    while (ex->is_held) {
        const short events = wr_wait_socket(
            response, POLLIN, wr_earlier(until_ns, response->deadline_ns));
        const uint64_t now_ns = wr_now();

        if (events) {
            const enum wr_step step =
                wr_blocking_receive_head(response, true, now_ns, err);

            if (step != WR_STEP_WAIT)
                return step;
        } else if (now_ns >= response->deadline_ns) {
            wr_total_ran_out(response->limits.total_ns, err);
            return WR_STEP_ERROR;
        } else if (now_ns >= until_ns) {
            wr_exchange_unhold(ex);
        }
    }
    return WR_STEP_WAIT;
}

enum wr_step wr_blocking_body_is_late(weir_error *err)
{
    wr_error_set(err, WEIR_E_BODY,
                 "request body: its callback answered WEIR_BODY_LATER, which a "
                 "blocking call cannot wait for");
    return WR_STEP_ERROR;
}

/* Sends the request.  WAIT: all is sent, or the peer takes no more and may have
 * said why.  DONE: the final head came meanwhile. */
static enum wr_step send_request(struct weir_response *response,
                                 weir_error *err)
{
    struct wr_exchange *ex = &response->exchange;
    struct wr_transport *transport = &response->conn->io;

    for (;;) {
        struct iovec iov[2];
        size_t len;
        enum wr_step step = WR_STEP_WAIT;
        const int count = wr_exchange_output(ex, iov, err);

        if (count < 0)
            return WR_STEP_ERROR;
        if (count == 0 && ex->request->body.is_late)
            return wr_blocking_body_is_late(err);
        if (count == 0 && !ex->is_held)
            return WR_STEP_WAIT;
        if (count == 0) {
            step = send_held(response, err);
        } else {
            switch (wr_transport_writev(transport, iov, count, &len)) {
            case WR_IO_OK:
                wr_exchange_sent(ex, len);
                break;
            case WR_IO_AGAIN:
                step = send_blocked(response, err);
                break;
            default:
                return wr_send_failed(response, errno, err);
            }
        }
        if (step != WR_STEP_WAIT)
            return step;
    }
}

/* The final head, or nothing within the time limits. */
static enum wr_step await_head(struct weir_response *response, weir_error *err)
{
    enum wr_step step = WR_STEP_WAIT;

    for (uint64_t now_ns = response->times.sent_ns; step == WR_STEP_WAIT;
         now_ns = wr_now())
        step = wr_blocking_receive_head(response, false, now_ns, err);
    return step;
}

/* One attempt of a request. */
struct attempt {
    struct weir_request *request;
    struct wr_course *course;       /* NULL: it is the only one */
    struct weir_response *response; /* which a hedge may replace */
    struct wr_head_limits limits;
    weir_stage stage;
};

static weir_status transact(struct attempt *attempt, weir_error *err)
{
    struct weir_response *response = attempt->response;
    enum wr_step step;

    attempt->stage = WEIR_STAGE_SEND;
    if (wr_exchange_begin(&response->exchange, attempt->request,
                          &attempt->limits, response->fields, err) != WEIR_OK)
        return err->code;
    step = send_request(response, err);
    if (step == WR_STEP_ERROR)
        return err->code;
    response->times.sent_ns = wr_now();
    wr_trace_sent(response, attempt->request);
    attempt->stage = WEIR_STAGE_RESPONSE;
    if (step == WR_STEP_WAIT && attempt->course && attempt->course->hedge_ns)
        return wr_blocking_await_hedged(response->pool, attempt->course,
                                        &attempt->limits, &attempt->response,
                                        err);
    if (step == WR_STEP_WAIT)
        step = await_head(response, err);
    return step == WR_STEP_DONE ? WEIR_OK : err->code;
}

static weir_status run(struct attempt *attempt, weir_error *err)
{
    weir_status status = transact(attempt, err);
    struct weir_response *response = attempt->response;

    if (status != WEIR_OK && response->conn &&
        wr_is_stale(response, attempt->request, status)) {
        status = wr_redial(response->pool, response, err);
        if (status == WEIR_OK)
            status = transact(attempt, err);
        response = attempt->response;
    }
    if (status == WEIR_OK && !wr_exchange_pin(&response->exchange)) {
        attempt->stage = WEIR_STAGE_BODY;
        status = wr_error_no_memory(err);
    }
    if (status == WEIR_OK) {
        response->times.head_ns = wr_now();
        return WEIR_OK;
    }
    if (response->conn)
        wr_keep_peer(response);
    wr_fail_lease(response, err, attempt->stage);
    return status;
}

/* --- an attempt ---------------------------------------------------------- */

/* A response with a lease; NULL with *err: there is none.  *begun_ns: when the
 * call began; 0: it begins now. */
static struct weir_response *
begin(struct weir_pool *pool, const struct weir_request *request,
      uint64_t *begun_ns, struct wr_head_limits *ret_limits, weir_error *err)
{
    const uint64_t now_ns = wr_now();
    struct weir_response *response = NULL;
    struct wr_call_limits limits;
    weir_status status;

    pthread_mutex_lock(&pool->lock);
    if (pool->is_closed)
        wr_error_set(err, WEIR_E_CLOSED, "the pool is closed");
    else if (!(response = wr_take_response_locked(pool)))
        wr_error_no_memory(err);
    if (!response) {
        pthread_mutex_unlock(&pool->lock);
        return NULL;
    }
    pool->tally.requests += *begun_ns == 0;
    if (*begun_ns == 0)
        *begun_ns = now_ns;
    limits = wr_limits_of(request, &pool->limits);
    wr_response_begin_locked(pool, response, &limits, *begun_ns);
    *ret_limits = pool->head_limits;
    ret_limits->fields = response->fields_max;
    status = wr_acquire_locked(pool, request, response, now_ns, err);
    if (status == WEIR_OK)
        wr_leaks_watch_locked(pool, response, request, NULL, wr_leaks_place(),
                              response->times.granted_ns);
    pthread_mutex_unlock(&pool->lock);
    if (status != WEIR_OK) {
        wr_let_go(response);
        return NULL;
    }
    wr_trace_lease(response);
    return response;
}

/* One attempt; *begun_ns as begin().  course: NULL, the only one. */
static weir_status try_once(struct weir_pool *pool,
                            struct weir_request *request,
                            struct wr_course *course, uint64_t *begun_ns,
                            struct weir_response **ret_response,
                            weir_error *err)
{
    struct attempt attempt = {.request = request, .course = course};
    struct weir_response *response =
        begin(pool, request, begun_ns, &attempt.limits, err);
    weir_status status;

    if (!response)
        return err->code;
    attempt.response = response;
    status = run(&attempt, err);
    response = attempt.response;
    if (status != WEIR_OK) {
        wr_let_go(response);
        return status;
    }
    wr_trace_head(response);
    wr_keep_peer(response);
    if (response->exchange.state == WR_EXCHANGE_DONE)
        wr_finish_lease(response);
    *ret_response = response;
    return WEIR_OK;
}

/* --- a call -------------------------------------------------------------- */

/* Sleeps between two attempts; the end of the pool interrupts it. */
static weir_status sleep_until(struct weir_pool *pool, uint64_t due_ns,
                               weir_error *err)
{
    const struct timespec until = {.tv_sec = (time_t)(due_ns / WR_SECOND),
                                   .tv_nsec = (long)(due_ns % WR_SECOND)};
    bool is_closed;

    pthread_mutex_lock(&pool->lock);
    while (!pool->is_closed && wr_now() < due_ns)
        pthread_cond_clockwait(&pool->changed, &pool->lock, CLOCK_MONOTONIC,
                               &until);
    is_closed = pool->is_closed;
    pthread_mutex_unlock(&pool->lock);
    return is_closed ? wr_error_set(err, WEIR_E_CLOSED, "the pool is closed")
                     : WEIR_OK;
}

/* The call's deadline, as its attempts have it. */
static uint64_t deadline_of(struct weir_pool *pool,
                            const struct weir_request *request,
                            uint64_t begun_ns)
{
    struct wr_call_limits limits;

    pthread_mutex_lock(&pool->lock);
    limits = wr_limits_of(request, &pool->limits);
    pthread_mutex_unlock(&pool->lock);
    return wr_after(begun_ns, limits.total_ns);
}

/* Gets what is sent next ready. */
static weir_status begin_next(struct weir_pool *pool, struct wr_course *course,
                              weir_error *err)
{
    weir_status status = wr_means_prepare(pool, course->sent, err);

    if (status != WEIR_OK)
        return status;
    pthread_mutex_lock(&pool->lock);
    status = wr_sequel_begin_locked(pool, course, err);
    pthread_mutex_unlock(&pool->lock);
    return status;
}

/* Attempts, one after another, until one of them is the call's outcome. */
static weir_status run_course(struct weir_pool *pool, struct wr_course *course,
                              uint64_t *begun_ns,
                              struct weir_response **ret_response,
                              weir_error *err)
{
    weir_status status =
        try_once(pool, course->sent, course, begun_ns, ret_response, err);
    const uint64_t deadline_ns = deadline_of(pool, course->asked, *begun_ns);

    for (;;) {
        struct weir_response *response =
            status == WEIR_OK ? *ret_response : NULL;
        uint64_t due_ns;
        weir_error failure;
        const enum wr_sequel sequel =
            wr_sequel_after(pool, course, response, response ? NULL : err,
                            deadline_ns, &due_ns, &failure);

        if (sequel == WR_SEQUEL_NONE)
            return status;
        if (response) {
            wr_blocking_pass_over(response);
            wr_blocking_end(response);
            *ret_response = NULL;
        }
        if (sequel == WR_SEQUEL_FAIL) {
            failure.stage = WEIR_STAGE_RESPONSE;
            failure.may_have_been_processed = true;
            *err = failure;
            return err->code;
        }
        status = sleep_until(pool, due_ns, err);
        if (status == WEIR_OK)
            status = begin_next(pool, course, err);
        if (status != WEIR_OK)
            return status;
        status =
            try_once(pool, course->sent, course, begun_ns, ret_response, err);
    }
}

static weir_status send_by_course(struct weir_pool *pool,
                                  struct wr_course *course, uint64_t *begun_ns,
                                  struct weir_response **ret_response,
                                  weir_error *err)
{
    weir_status status;

    pthread_mutex_lock(&pool->lock);
    wr_ref_locked(pool); /* while no response has one */
    pthread_mutex_unlock(&pool->lock);
    status = run_course(pool, course, begun_ns, ret_response, err);
    wr_sequel_close(pool, course, status == WEIR_OK ? *ret_response : NULL,
                    err);
    pthread_mutex_lock(&pool->lock);
    wr_unref_unlock(pool);
    return status;
}

/* The call has its response: its body is coded, perhaps. */
static weir_status begin_decoding(struct weir_pool *pool,
                                  struct weir_response *response,
                                  weir_error *err)
{
    const weir_status status =
        wr_decoding_begin(response, &pool->coding_limits, err);

    if (status == WEIR_OK)
        return WEIR_OK;
    if (response->conn)
        wr_fail_lease(response, err, WEIR_STAGE_BODY);
    wr_let_go(response);
    return status;
}

weir_status wr_blocking_send(struct weir_pool *pool,
                             struct weir_request *request,
                             struct weir_response **ret_response,
                             weir_error *ret_err)
{
    struct wr_course *course = NULL;
    struct weir_response *response = NULL;
    weir_error err; /* of an attempt, which need not be the call's */
    uint64_t begun_ns = 0;
    weir_status status = wr_means_prepare(pool, request, ret_err);

    if (status == WEIR_OK)
        status = wr_sequel_open(pool, request, &course, ret_err);
    if (status != WEIR_OK)
        return status;
    status = course ? send_by_course(pool, course, &begun_ns, &response, &err)
                    : try_once(pool, request, NULL, &begun_ns, &response, &err);
    if (response && request->is_decoded)
        status = begin_decoding(pool, response, &err);
    if (status == WEIR_OK)
        *ret_response = response;
    else if (ret_err)
        *ret_err = err;
    if (status != WEIR_OK && begun_ns)
        wr_count_failure(pool);
    return status;
}
