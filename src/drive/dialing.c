#include "drive/dialing.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "drive/keeper.h"
#include "drive/loop.h"
#include "drive/wake.h"
#include "net/clock.h"

/* --- steps --------------------------------------------------------------- */

void wr_dialing_init_gate(struct weir_pool *pool)
{
    pthread_rwlockattr_t attr;

    pthread_rwlockattr_init(&attr);
    /* A fork() must not starve. */
    pthread_rwlockattr_setkind_np(&attr,
                                  PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&pool->dial_gate, &attr);
    pthread_rwlockattr_destroy(&attr);
}

enum wr_step wr_dialing_step(struct weir_pool *pool, struct wr_dial *dial,
                             const struct wr_waits *ready, uint64_t now_ns,
                             struct wr_waits *ret_waits, weir_error *ret_err)
{
    enum wr_step step;

    pthread_rwlock_rdlock(&pool->dial_gate);
    step = wr_dial_step(dial, ready, now_ns, ret_waits, ret_err);
    if (step != WR_STEP_WAIT)
        wr_waits_clear(ret_waits);
    pthread_rwlock_unlock(&pool->dial_gate);
    return step;
}

/* Steps that the trace has been told of. */
enum {
    TOLD_DIAL = 1,
    TOLD_RESOLVED = 2,
    TOLD_CONNECTED = 4,
    TOLD_TLS = 8,
    TOLD_PROXY = 16
};

void wr_dialing_trace(struct weir_pool *pool, const struct wr_dial *dial,
                      unsigned *told, uint64_t now_ns)
{
    const struct wr_dial_times *times = wr_dial_times(dial);
    const struct wr_target *target = wr_dial_target(dial);
    const char *origin = target->origin;
    const uint64_t elapsed_ns = now_ns - wr_dial_begun(dial);
    char peer[WR_ADDR_TEXT];
    char tls[WR_TLS_TEXT];

    if (!(*told & TOLD_DIAL)) {
        *told |= TOLD_DIAL;
        wr_trace(pool, WEIR_TRACE_DIAL, 0, origin, 0, "%s",
                 target->unix_path ? target->unix_path
                                   : wr_target_peer_host(target));
    }
    if (times->resolve_ns && !(*told & TOLD_RESOLVED)) {
        *told |= TOLD_RESOLVED;
        wr_trace(pool, WEIR_TRACE_RESOLVED, 0, origin, elapsed_ns, "%s",
                 wr_target_peer_host(target));
    }
    if (!(*told & TOLD_CONNECTED) && wr_dial_peer(dial, peer)[0]) {
        *told |= TOLD_CONNECTED;
        wr_trace(pool, WEIR_TRACE_CONNECTED, 0, origin, elapsed_ns, "%s", peer);
    }
    if (wr_dial_is_tunnelled(dial) && !(*told & TOLD_PROXY)) {
        char text[WR_PROXY_TEXT];

        *told |= TOLD_PROXY;
        wr_trace(pool, WEIR_TRACE_PROXY, 0, origin, elapsed_ns, "%s",
                 wr_proxy_text(target->proxy, text));
    }
    if (times->tls_ns && !(*told & TOLD_TLS)) {
        *told |= TOLD_TLS;
        wr_trace(pool, WEIR_TRACE_TLS, 0, origin, elapsed_ns, "%s",
                 wr_dial_tls_text(dial, tls));
    }
}

/* --- ends ---------------------------------------------------------------- */

void wr_dialing_done_locked(struct weir_pool *pool, struct wr_dial *dial,
                            wr_conn_id id)
{
    struct wr_conn *conn = wr_dial_take(dial);
    const uint64_t now_ns = wr_now();

    wr_adopt_locked(pool, conn, id);
    wr_core_dialed(pool->core, id, now_ns, conn, 1);
    wr_settle_locked(pool);
    if (wr_core_is_idle(pool->core, id))
        wr_keeper_rested_locked(pool, now_ns);
}

/* The next dial is due soon: whoever keeps time may sleep for longer. */
static void tell_timekeepers_locked(struct weir_pool *pool)
{
    wr_keeper_nudge_locked(pool, wr_core_deadline(pool->core));
    if (pool->timekeeper)
        wr_wake_thread(pool->timekeeper);
}

void wr_dialing_failed_locked(struct weir_pool *pool, wr_conn_id id,
                              wr_ticket_id blame, const weir_error *err)
{
    weir_error *cause = wr_malloc(sizeof *cause);

    if (cause)
        *cause = *err;
    wr_core_dial_failed(pool->core, id, blame, err->code, cause, wr_now());
    tell_timekeepers_locked(pool);
    wr_settle_locked(pool);
}

void wr_dialing_dropped_locked(struct weir_pool *pool, wr_conn_id id)
{
    wr_core_dial_failed(pool->core, id, 0, WEIR_E_CANCELLED, NULL, wr_now());
    wr_settle_locked(pool);
}

/* --- in place ------------------------------------------------------------ */

void wr_dialing_drop_stale(struct weir_pool *pool,
                           struct weir_response *response)
{
    struct wr_conn *conn = response->conn;
    struct wr_transport stale;

    pthread_mutex_lock(&pool->lock);
    pool->tally.stale_retries++;
    wr_loop_detach_locked(conn);
    stale = conn->io;
    conn->io = (struct wr_transport){.fd = -1};
    pthread_mutex_unlock(&pool->lock);
    if (WR_TRACES(pool)) {
        wr_trace(pool, WEIR_TRACE_CLOSE, conn->number, conn->target->origin, 0,
                 "%s", weir_close_reason_meaning(WEIR_CLOSE_PEER_CLOSED));
        wr_trace(pool, WEIR_TRACE_RETRY, conn->number, conn->target->origin, 0,
                 "the reused connection was stale");
    }
    wr_transport_close(&stale, true);
    response->times.sent_ns = 0;
    response->was_sent = response->exchange.has_sent_any;
    response->exchange.has_sent_any = false;
}

void wr_dialing_renew(struct weir_pool *pool, struct weir_response *response,
                      struct wr_conn *fresh)
{
    struct wr_conn *conn = response->conn;

    pthread_mutex_lock(&pool->lock);
    conn->io = fresh->io;
    conn->peer = fresh->peer;
    conn->dialed_ns = fresh->dialed_ns;
    conn->dns_seen = 0;
    memcpy(conn->dial_us, fresh->dial_us, sizeof conn->dial_us);
    conn->is_resumed = fresh->is_resumed;
    conn->number = ++pool->conn_numbers;
    pool->tally.tls_resumed += fresh->is_resumed;
    wr_core_renewed(pool->core, conn->id, wr_now(), conn, 1,
                    WEIR_CLOSE_PEER_CLOSED);
    pthread_mutex_unlock(&pool->lock);
    fresh->io = (struct wr_transport){.fd = -1};
    wr_conn_free(fresh);
    response->number = conn->number;
    response->is_reused = false;
    response->has_rested = false;
    response->times.dial = wr_conn_times(conn);
}
