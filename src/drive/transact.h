/* What both drivers know of a call: its limits, and what an outcome means. */
#ifndef WR_DRIVE_TRANSACT_H
#define WR_DRIVE_TRANSACT_H

#include "base/cold.h"
#include "drive/runtime.h"

/* The time limits of a call: the request's own, else the pool's. */
__attribute__((noinline)) struct wr_call_limits
wr_own_limits_of(const struct weir_request *request,
                 const struct wr_call_limits *pool);
static inline struct wr_call_limits
wr_limits_of(const struct weir_request *request,
             const struct wr_call_limits *pool)
{
    return request->has_timeouts ? wr_own_limits_of(request, pool) : *pool;
}
/* Gets a response ready for a call; takes a reference to the pool.
 * times.begun_ns, limits and deadline_ns are as given. */
void wr_response_begin_locked(struct weir_pool *pool,
                              struct weir_response *response,
                              const struct wr_call_limits *limits,
                              uint64_t begun_ns);
/* When the read under way must have brought something; `since_ns` is when the
 * peer was last heard of, or the read began. */
uint64_t wr_read_deadline(const struct weir_response *response,
                          uint64_t since_ns);
/* Which time limit has run out; its error. */
WR_COLD weir_status wr_time_ran_out(const struct weir_response *response,
                                    uint64_t now_ns, weir_error *ret_err);
WR_COLD weir_status wr_total_ran_out(uint64_t total_ns, weir_error *ret_err);
/* A write has failed.  WAIT: a peer that closes while we send may have answered
 * before, and what can be read says more than this error.  ERROR: this machine
 * could not send, and nothing would come. */
WR_COLD enum wr_step wr_send_failed(const struct weir_response *response,
                                    int system_code, weir_error *err);
/* The transport has ended or failed: what that means for the exchange.  DONE or
 * ERROR. */
WR_COLD enum wr_step wr_transport_ended(struct weir_response *response,
                                        enum wr_io io, int system_code,
                                        weir_error *err);
/* A descriptor could not be registered, for the reason in errno.  ERROR. */
WR_COLD enum wr_step wr_no_watch(int error, weir_error *err);
/* Design 4.4: did a reused connection turn out stale, and may the request be
 * sent once more? */
bool wr_is_stale(const struct weir_response *response,
                 const struct weir_request *request, weir_status status);
/* A body that nobody wants is read to its end to save the connection if it is
 * no longer than this, and comes within this time. */
#define WR_REST_MAX 65536
#define WR_REST_WAIT_NS (WR_SECOND / 10)
bool wr_is_rest_short(const struct wr_exchange *ex);
/* Traces of a call's steps; nothing without a trace. */
WR_COLD void wr_tell_lease(const struct weir_response *response);
static inline void wr_trace_lease(const struct weir_response *response)
{
    if (WR_TRACES(response->pool))
        wr_tell_lease(response);
}
WR_COLD void wr_tell_sent(const struct weir_response *response,
                          const struct weir_request *request);
static inline void wr_trace_sent(const struct weir_response *response,
                                 const struct weir_request *request)
{
    if (WR_TRACES(response->pool))
        wr_tell_sent(response, request);
}
WR_COLD void wr_tell_head(const struct weir_response *response);
static inline void wr_trace_head(const struct weir_response *response)
{
    if (WR_TRACES(response->pool))
        wr_tell_head(response);
}

#endif
