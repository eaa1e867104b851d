#include "drive/lease.h"

#include <errno.h>
#include <string.h>

#include "drive/follow.h"
#include "drive/keeper.h"
#include "drive/leaks.h"
#include "net/clock.h"

static weir_close_reason reason_of(weir_status status)
{
    switch (weir_status_class(status)) {
    case WEIR_CLASS_TIME:
        return WEIR_CLOSE_TIMEOUT;
    case WEIR_CLASS_PEER:
        return status == WEIR_E_RESET ? WEIR_CLOSE_PEER_CLOSED
                                      : WEIR_CLOSE_PROTOCOL;
    case WEIR_CLASS_LIMIT:
        return WEIR_CLOSE_PROTOCOL;
    case WEIR_CLASS_CLOSED:
        return WEIR_CLOSE_SHUTDOWN;
    case WEIR_CLASS_TLS:
        return WEIR_CLOSE_IO;
    default:
        return WEIR_CLOSE_ABANDONED;
    }
}

/* What must outlive the lease. */
void wr_keep_peer(struct weir_response *response)
{
    const struct wr_conn *conn = response->conn;

    response->peer = conn->peer;
    if (conn->target->tls && conn->io.tls) /* not that with a proxy; none is
                                            * left of one that was stale */
        wr_tls_names(conn->io.tls, &response->tls_version,
                     &response->tls_cipher);
    else
        response->tls_version = NULL;
    response->peer_text[0] = '\0';
    if (conn->peer.sin6_family == 0)
        wr_conn_peer_text(conn, response->peer_text,
                          sizeof response->peer_text);
}

/* Nobody may have been there to look while it was held for too long. */
static void unwatch_locked(struct weir_pool *pool,
                           struct weir_response *response,
                           const struct wr_conn *conn)
{
    const uint64_t ended_ns = response->times.ended_ns;
    uint64_t span_ns;
    char detail[WR_LEAK_TEXT];

    if (!wr_leaks_unwatch_locked(pool, response, ended_ns) || !WR_TRACES(pool))
        return;
    span_ns = wr_left(ended_ns, atomic_load(&response->held.since_ns));
    pthread_mutex_unlock(&pool->lock);
    wr_trace(
        pool, WEIR_TRACE_LEAK, response->number, conn->target->origin, span_ns,
        "%s",
        wr_leaks_describe(&response->held, span_ns, detail, sizeof detail));
    pthread_mutex_lock(&pool->lock);
}

void wr_give_back(struct weir_response *response,
                  const struct wr_verdict *verdict)
{
    struct weir_pool *pool = response->pool;
    struct wr_conn *conn = response->conn;
    bool is_reusable = verdict->is_reusable;
    weir_close_reason reason = verdict->reason;

    if (WR_TRACES(pool) && verdict->is_reusable)
        wr_trace(pool, WEIR_TRACE_RELEASE, response->number,
                 response->conn->target->origin,
                 response->times.ended_ns - response->times.begun_ns,
                 "may be lent again");
    response->conn = NULL;
    if (conn->id == 0) { /* of before a fork: no pool knows it */
        wr_conn_free(conn);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    unwatch_locked(pool, response, conn);
    if (is_reusable && wr_has_moved_locked(pool, conn)) {
        is_reusable = false;
        reason = WEIR_CLOSE_MOVED;
    }
    pool->tally.responses += response->times.head_ns != 0;
    pool->tally.bytes_sent += response->exchange.bytes_sent;
    pool->tally.bytes_received += response->exchange.bytes_received;
    conn->kept_until_ns = wr_after(response->times.ended_ns, verdict->keep_ns);
    wr_core_release(pool->core, conn->id, response->times.ended_ns, is_reusable,
                    reason, verdict->keep_ns);
    wr_settle_if_needed_locked(pool);
    wr_keeper_rested_locked(pool, response->times.ended_ns);
    if (pool->is_closed)
        wr_tell_closer_locked(pool);
    pthread_mutex_unlock(&pool->lock);
}

void wr_give_back_unused_locked(struct weir_pool *pool, struct wr_conn *conn,
                                uint64_t now_ns)
{
    const uint64_t until_ns = conn->kept_until_ns;

    wr_core_release(pool->core, conn->id, now_ns, true, 0,
                    until_ns == WR_NEVER ? WR_NEVER
                                         : wr_left(until_ns, now_ns));
    wr_settle_if_needed_locked(pool);
}

void wr_look_behind(struct wr_conn *conn, struct wr_verdict *verdict)
{
    enum wr_io found;

    if (!verdict->is_reusable)
        return;
    found = wr_transport_peek(&conn->io);
    if (found == WR_IO_AGAIN)
        return;
    verdict->is_reusable = false;
    verdict->reason = wr_judge_idle(found, errno);
}

/* The exchange has come to its end in good order. */
void wr_finish_lease(struct weir_response *response)
{
    struct wr_verdict verdict = wr_judge(&response->exchange, response->conn);

    if (!response->is_drained)
        wr_look_behind(response->conn, &verdict);
    response->times.ended_ns = wr_now();
    wr_give_back(response, &verdict);
}

void wr_fail_lease(struct weir_response *response, weir_error *err,
                   weir_stage stage)
{
    const struct wr_verdict verdict = {.reason = reason_of(err->code)};

    if (err->stage == WEIR_STAGE_NONE)
        err->stage = stage;
    err->connection = response->number;
    err->reused = response->is_reused;
    err->may_have_been_processed =
        response->was_sent || response->exchange.has_sent_any;
    wr_exchange_fail(&response->exchange);
    response->times.ended_ns = wr_now();
    if (response->conn)
        wr_give_back(response, &verdict);
}

void wr_count_failure(struct weir_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->tally.failures++;
    pthread_mutex_unlock(&pool->lock);
}

/* Gives up the response itself. */
void wr_let_go(struct weir_response *response)
{
    struct weir_pool *pool = response->pool;
    struct weir_response *surplus;

    pthread_mutex_lock(&pool->lock);
    surplus = wr_keep_response_locked(pool, response);
    wr_unref_unlock(pool);
    if (surplus)
        wr_response_delete(surplus);
}
