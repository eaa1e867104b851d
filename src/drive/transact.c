#include "drive/transact.h"

#include <errno.h>

#include "base/error.h"

/* --- limits -------------------------------------------------------------- */

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

struct wr_call_limits wr_own_limits_of(const struct weir_request *request,
                                       const struct wr_call_limits *pool)
{
    return (struct wr_call_limits){
        limit_of(request, WEIR_TIMEOUT_ACQUIRE, pool->acquire_ns),
        limit_of(request, WEIR_TIMEOUT_CONNECT, pool->connect_ns),
        limit_of(request, WEIR_TIMEOUT_FIRST_BYTE, pool->first_byte_ns),
        limit_of(request, WEIR_TIMEOUT_IDLE_READ, pool->idle_read_ns),
        limit_of(request, WEIR_TIMEOUT_TOTAL, pool->total_ns),
        pool->max_body,
    };
}

void wr_response_begin_locked(struct weir_pool *pool,
                              struct weir_response *response,
                              const struct wr_call_limits *limits,
                              uint64_t begun_ns)
{
    wr_ref_locked(pool);
    response->pool = pool;
    response->conn = NULL;
    response->number = 0;
    response->is_reused = false;
    response->was_sent = false;
    response->is_collected = false;
    response->course = NULL;
    response->coded = (struct wr_slice){0};
    response->unread = (struct wr_slice){0};
    response->failure.code = WEIR_OK;
    response->times = (struct wr_call_times){.begun_ns = begun_ns};
    response->exchange.has_sent_any = false;
    response->exchange.bytes_sent = 0;
    response->exchange.bytes_received = 0;
    response->limits = *limits;
    response->deadline_ns = wr_after(begun_ns, limits->total_ns);
}

/* --- time ---------------------------------------------------------------- */

uint64_t wr_read_deadline(const struct weir_response *response,
                          uint64_t since_ns)
{
    const struct wr_call_limits *limits = &response->limits;
    const uint64_t deadline_ns = response->deadline_ns;

    if (response->exchange.has_received)
        return wr_earlier(deadline_ns,
                          wr_after(since_ns, limits->idle_read_ns));
    if (response->times.sent_ns)
        return wr_earlier(deadline_ns, wr_after(response->times.sent_ns,
                                                limits->first_byte_ns));
    return deadline_ns;
}

weir_status wr_total_ran_out(uint64_t total_ns, weir_error *ret_err)
{
    return wr_error_set(ret_err, WEIR_E_TOTAL_TIMEOUT,
                        "not done within total_timeout (%.3f s)",
                        (double)total_ns / 1e9);
}

weir_status wr_time_ran_out(const struct weir_response *response,
                            uint64_t now_ns, weir_error *ret_err)
{
    if (now_ns >= response->deadline_ns)
        return wr_total_ran_out(response->limits.total_ns, ret_err);
    if (!response->exchange.has_received)
        return wr_error_set(ret_err, WEIR_E_FIRST_BYTE_TIMEOUT,
                            "no byte of a response within %.3f s",
                            (double)response->limits.first_byte_ns / 1e9);
    return wr_error_set(ret_err, WEIR_E_READ_TIMEOUT,
                        "nothing received for %.3f s",
                        (double)response->limits.idle_read_ns / 1e9);
}

/* --- ends ---------------------------------------------------------------- */

enum wr_step wr_send_failed(const struct weir_response *response,
                            int system_code, weir_error *err)
{
    if (system_code != ENOBUFS && system_code != ENOMEM)
        return WR_STEP_WAIT;
    wr_error_system(err, WEIR_E_SYSTEM, system_code, "send to %s",
                    response->conn->target->origin);
    return WR_STEP_ERROR;
}

enum wr_step wr_transport_ended(struct weir_response *response, enum wr_io io,
                                int system_code, weir_error *err)
{
    const struct wr_transport *transport = &response->conn->io;
    char tls_error[WR_TLS_ERROR_TEXT];
    enum wr_step step;

    if (atomic_load_explicit(&response->conn->is_cut, memory_order_relaxed)) {
        wr_error_set(err, WEIR_E_CLOSED,
                     response->conn->id
                         ? "the pool was closed and its grace is over"
                         : "the connection stays with the process that forked "
                           "this one");
        return WR_STEP_ERROR;
    }
    if (io == WR_IO_ERROR && transport->tls &&
        wr_tls_has_failed(transport->tls)) {
        wr_error_set(
            err, WEIR_E_TLS, "TLS with %s: %s", response->conn->target->origin,
            wr_tls_error_text(transport->tls, tls_error, sizeof tls_error));
        err->tls_code = wr_tls_error_code(transport->tls);
        return WR_STEP_ERROR;
    }
    step = wr_exchange_ended(&response->exchange, io == WR_IO_EOF, err);
    if (step == WR_STEP_ERROR && io == WR_IO_ERROR && err)
        err->system_code = system_code;
    return step;
}

enum wr_step wr_no_watch(int error, weir_error *err)
{
    if (error == ENOMEM)
        wr_error_no_memory(err);
    else
        wr_error_system(err, WEIR_E_SYSTEM, error, "watch a socket");
    return WR_STEP_ERROR;
}

bool wr_is_stale(const struct weir_response *response,
                 const struct weir_request *request, weir_status status)
{
    const struct wr_exchange *ex = &response->exchange;

    /* An alert in place of a response ends a connection as a close does. */
    return (status == WEIR_E_RESET || status == WEIR_E_TLS) &&
           response->has_rested && !ex->has_received &&
           (wr_request_is_repeatable(request) || !ex->has_sent_any) &&
           wr_source_can_begin(&request->body);
}

bool wr_is_rest_short(const struct wr_exchange *ex)
{
    return ex->body.framing == WR_FRAMING_CHUNKED ||
           (ex->body.framing == WR_FRAMING_LENGTH &&
            ex->body.left <= WR_REST_MAX);
}

/* --- traces -------------------------------------------------------------- */

void wr_tell_lease(const struct weir_response *response)
{
    const struct wr_call_times *times = &response->times;

    wr_trace(response->pool, WEIR_TRACE_LEASE, response->number,
             response->conn->target->origin,
             times->granted_ns - times->begun_ns, "%s",
             response->is_reused ? "reused" : "new");
}

void wr_tell_sent(const struct weir_response *response,
                  const struct weir_request *request)
{
    const struct wr_call_times *times = &response->times;

    wr_trace(response->pool, WEIR_TRACE_SENT, response->number,
             response->conn->target->origin, times->sent_ns - times->begun_ns,
             "%s %.*s, %llu bytes", request->method,
             (int)request->url.target.len, request->url.target.data,
             (unsigned long long)response->exchange.bytes_sent);
}

void wr_tell_head(const struct weir_response *response)
{
    const struct wr_call_times *times = &response->times;

    wr_trace(response->pool, WEIR_TRACE_RESPONSE, response->number,
             response->conn->target->origin, times->head_ns - times->begun_ns,
             "HTTP/1.%d %u", response->exchange.head.version - 10,
             response->exchange.head.status);
}
