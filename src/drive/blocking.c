/* The blocking driver: sending a request and receiving the head of its
 * response.  Bodies are read in blocking_body.c. */
#include "drive/blocking.h"

#include "base/error.h"
#include "drive/acquire.h"
#include "drive/lease.h"
#include "drive/receive.h"
#include "net/clock.h"

/* --- one exchange -------------------------------------------------------- */

/* Receives once and parses the head.  DONE: the final head is in. */
static enum wr_step receive_head(struct weir_response *response, bool dont_wait,
                                 uint64_t now_ns, weir_error *err)
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
        return receive_head(response, true, now_ns, err);
    if (now_ns < response->deadline_ns)
        return WR_STEP_WAIT;
    wr_total_ran_out(response, err);
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
            const enum wr_step step = receive_head(response, true, now_ns, err);

            if (step != WR_STEP_WAIT)
                return step;
        } else if (now_ns >= response->deadline_ns) {
            wr_total_ran_out(response, err);
            return WR_STEP_ERROR;
        } else if (now_ns >= until_ns) {
            wr_exchange_unhold(ex);
        }
    }
    return WR_STEP_WAIT;
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
                /* A peer that closes while we send may have answered before:
                 * what can be read says more than this error. */
                return WR_STEP_WAIT;
            }
        }
        if (step != WR_STEP_WAIT)
            return step;
    }
}

static weir_status transact(struct weir_response *response,
                            struct weir_request *request,
                            const struct wr_head_limits *limits,
                            weir_error *err, weir_stage *ret_stage)
{
    struct wr_exchange *ex = &response->exchange;
    enum wr_step step;

    *ret_stage = WEIR_STAGE_SEND;
    if (wr_exchange_begin(ex, request, limits, response->fields, err) !=
        WEIR_OK)
        return err->code;
    step = send_request(response, err);
    if (step == WR_STEP_ERROR)
        return err->code;
    response->times.sent_ns = wr_now();
    if (WR_TRACES(response->pool))
        wr_trace(response->pool, WEIR_TRACE_SENT, response->number,
                 response->conn->target->origin,
                 response->times.sent_ns - response->times.begun_ns,
                 "%s %.*s, %llu bytes", request->method,
                 (int)request->url.target.len, request->url.target.data,
                 (unsigned long long)ex->bytes_sent);
    *ret_stage = WEIR_STAGE_RESPONSE;
    for (uint64_t now_ns = response->times.sent_ns; step == WR_STEP_WAIT;
         now_ns = wr_now())
        step = receive_head(response, false, now_ns, err);
    return step == WR_STEP_DONE ? WEIR_OK : err->code;
}

/* Design 4.4: did a reused connection turn out stale, and may the request be
 * sent once more? */
static bool is_stale(const struct weir_response *response,
                     const struct weir_request *request, weir_status status)
{
    const struct wr_exchange *ex = &response->exchange;

    return status == WEIR_E_RESET && response->has_rested &&
           !ex->has_received &&
           (wr_request_is_repeatable(request) || !ex->has_sent_any) &&
           wr_source_can_begin(&request->body);
}

static weir_status run(struct weir_response *response,
                       struct weir_request *request,
                       const struct wr_head_limits *limits, weir_error *err)
{
    weir_stage stage = WEIR_STAGE_SEND;
    weir_status status = transact(response, request, limits, err, &stage);

    if (status != WEIR_OK && is_stale(response, request, status)) {
        if (WR_TRACES(response->pool))
            wr_trace(response->pool, WEIR_TRACE_RETRY, response->number,
                     response->conn->target->origin, 0,
                     "the reused connection was stale");
        response->times.sent_ns = 0;
        response->was_sent = response->exchange.has_sent_any;
        response->exchange.has_sent_any = false;
        status = wr_redial(response->pool, response, err);
        if (status == WEIR_OK)
            status = transact(response, request, limits, err, &stage);
    }
    if (status == WEIR_OK && !wr_exchange_pin(&response->exchange)) {
        stage = WEIR_STAGE_BODY;
        status = wr_error_no_memory(err);
    }
    if (status == WEIR_OK) {
        response->times.head_ns = wr_now();
        return WEIR_OK;
    }
    wr_keep_peer(response);
    wr_fail_lease(response, err, stage);
    return status;
}

/* --- a call -------------------------------------------------------------- */

static uint64_t limit_of(const struct weir_request *request, weir_timeout which,
                         uint64_t pool_ns)
{
    const double seconds = request->timeouts[which];

    if (seconds < 0)
        return pool_ns;
    if (seconds > 0 || which == WEIR_TIMEOUT_ACQUIRE)
        return wr_seconds(seconds);
    return WR_NEVER;
}

static void begin_call_locked(struct weir_pool *pool,
                              const struct weir_request *request,
                              struct weir_response *response, uint64_t now_ns)
{
    const struct wr_call_limits *limits = &pool->limits;

    wr_ref_locked(pool);
    pool->tally.requests++;
    response->pool = pool;
    response->conn = NULL;
    response->number = 0;
    response->is_reused = false;
    response->was_sent = false;
    response->is_collected = false;
    response->unread = (struct wr_slice){0};
    response->failure.code = WEIR_OK;
    response->times = (struct wr_call_times){.begun_ns = now_ns};
    response->exchange.has_sent_any = false;
    response->exchange.bytes_sent = 0;
    response->exchange.bytes_received = 0;
    response->limits = (struct wr_call_limits){
        limit_of(request, WEIR_TIMEOUT_ACQUIRE, limits->acquire_ns),
        limit_of(request, WEIR_TIMEOUT_CONNECT, limits->connect_ns),
        limit_of(request, WEIR_TIMEOUT_FIRST_BYTE, limits->first_byte_ns),
        limit_of(request, WEIR_TIMEOUT_IDLE_READ, limits->idle_read_ns),
        limit_of(request, WEIR_TIMEOUT_TOTAL, limits->total_ns),
        limits->max_body,
    };
    response->deadline_ns = wr_after(now_ns, response->limits.total_ns);
}

/* A response with a lease; NULL with *err: there is none. */
static struct weir_response *begin(struct weir_pool *pool,
                                   const struct weir_request *request,
                                   struct wr_head_limits *ret_limits,
                                   weir_error *err)
{
    const uint64_t now_ns = wr_now();
    struct weir_response *response = NULL;
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
    begin_call_locked(pool, request, response, now_ns);
    *ret_limits = pool->head_limits;
    ret_limits->fields = response->fields_max;
    status = wr_acquire_locked(pool, request, response, now_ns, err);
    pool->tally.failures += status != WEIR_OK;
    pthread_mutex_unlock(&pool->lock);
    if (status != WEIR_OK) {
        wr_let_go(response);
        return NULL;
    }
    if (WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_LEASE, response->number,
                 response->conn->target->origin,
                 response->times.granted_ns - now_ns, "%s",
                 response->is_reused ? "reused" : "new");
    return response;
}

weir_status wr_blocking_send(struct weir_pool *pool,
                             struct weir_request *request,
                             struct weir_response **ret_response,
                             weir_error *ret_err)
{
    struct weir_response *response;
    struct wr_head_limits limits;
    weir_error scratch;
    weir_error *err = ret_err ? ret_err : &scratch;
    weir_status status;

    status = wr_request_prepare(request, &pool->surroundings, err);
    if (status != WEIR_OK)
        return status;
    response = begin(pool, request, &limits, err);
    if (!response)
        return err->code;
    status = run(response, request, &limits, err);
    if (status != WEIR_OK) {
        wr_let_go(response);
        return status;
    }
    if (WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_RESPONSE, response->number,
                 response->conn->target->origin,
                 response->times.head_ns - response->times.begun_ns,
                 "HTTP/1.%d %u", response->exchange.head.version - 10,
                 response->exchange.head.status);
    wr_keep_peer(response);
    if (response->exchange.state == WR_EXCHANGE_DONE)
        wr_finish_lease(response);
    *ret_response = response;
    return WEIR_OK;
}
