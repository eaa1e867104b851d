/* Dials: how they begin, and what their ends mean. */
#include "pool/state.h"

#include "base/deadline.h"

void wr_pool_start_dial(struct wr_core *core, struct bucket *bucket)
{
    struct conn *conn = TAILQ_FIRST(&core->spare);

    TAILQ_REMOVE(&core->spare, conn, lru);
    conn->state = CONN_DIALING;
    conn->bucket = bucket;
    conn->opaque = NULL;
    conn->leases = 0;
    conn->home = WR_HOME_THREAD;
    conn->is_used = false;
    conn->is_doomed = false;
    conn->is_queued = true;
    conn->cover = bucket->usual_capacity;
    conn->suggested = bucket->uncovered;
    if (conn->suggested)
        conn->suggested->dial = conn;
    core->counts.open++;
    core->counts.dialing++;
    bucket->conns++;
    bucket->dialing++;
    bucket->cover += conn->cover;
    TAILQ_INSERT_TAIL(&core->actions, conn, action);
    wr_pool_settle_cover(core, bucket);
}

static void leave_dialing(struct wr_core *core, struct conn *conn)
{
    core->counts.dialing--;
    conn->bucket->dialing--;
    conn->bucket->cover -= conn->cover;
    conn->cover = 0;
}

void wr_pool_take_back_dial(struct wr_core *core, struct conn *conn)
{
    TAILQ_REMOVE(&core->actions, conn, action);
    leave_dialing(core, conn);
    wr_pool_free_conn(core, conn);
}

static struct conn *end_dial(struct wr_core *core, wr_conn_id id)
{
    struct conn *conn = wr_pool_find_conn(core, id);

    if (!conn || conn->state != CONN_DIALING || conn->is_queued)
        return NULL;
    leave_dialing(core, conn);
    return conn;
}

weir_status wr_core_dialed(struct wr_core *core, wr_conn_id id, uint64_t now_ns,
                           void *opaque, unsigned capacity)
{
    struct conn *conn = end_dial(core, id);

    if (!conn)
        return WEIR_E_STATE;
    conn->state = CONN_OPEN;
    conn->opaque = opaque;
    conn->capacity = core->limits.reuse ? capacity : 1;
    conn->opened_ns = now_ns;
    conn->idle_since_ns = 0;
    conn->due_ns = wr_earlier(wr_after(now_ns, core->limits.idle_ns),
                              wr_pool_age_limit(core, conn));
    conn->bucket->usual_capacity = capacity;
    conn->bucket->open++;
    core->counts.dialed++;
    wr_heap_insert(&core->due, &conn->due, conn->due_ns);
    wr_pool_forget_failures(core, conn->bucket);
    wr_pool_make_lendable(core, conn);
    wr_pool_settle_conn(core, conn, now_ns, WR_NEVER);
    wr_pool_settle_cover(core, conn->bucket);
    wr_pool_rebalance(core);
    return WEIR_OK;
}

/* Whose failure it is: see core.h.  NULL: nobody's. */
static struct ticket *find_blamed(const struct wr_core *core,
                                  const struct bucket *bucket,
                                  wr_ticket_id blame, weir_status status)
{
    struct ticket *ticket;

    if (blame == 0)
        return status != WEIR_E_CANCELLED ? TAILQ_FIRST(&bucket->line) : NULL;
    ticket = wr_pool_find_ticket(core, blame);
    return ticket && ticket->outcome == WR_ACT_NONE && ticket->bucket == bucket
               ? ticket
               : NULL;
}

weir_status wr_core_dial_failed(struct wr_core *core, wr_conn_id id,
                                wr_ticket_id blame, weir_status status,
                                weir_error *cause, uint64_t now_ns)
{
    struct conn *conn = end_dial(core, id);
    const bool is_failure = conn && status != WEIR_E_CANCELLED;
    struct bucket *bucket;
    struct ticket *ticket;

    if (!is_failure || core->is_shut) {
        wr_free(cause);
        cause = NULL;
    }
    if (!conn)
        return WEIR_E_STATE;
    bucket = conn->bucket;
    core->counts.dial_failures += is_failure;
    if (is_failure && !core->is_shut)
        wr_pool_back_off(core, bucket, cause, now_ns);
    ticket = find_blamed(core, bucket, blame, status);
    if (ticket)
        wr_pool_fail_ticket(core, ticket, status, cause);
    if (is_failure && bucket->open + bucket->dialing == 0)
        wr_pool_fail_line(core, bucket, status, cause);
    wr_pool_free_conn(core, conn);
    wr_pool_rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_renewed(struct wr_core *core, wr_conn_id id,
                            uint64_t now_ns, void *opaque, unsigned capacity,
                            weir_close_reason reason)
{
    struct conn *conn = wr_pool_find_conn(core, id);

    if (!conn || conn->state != CONN_OPEN || conn->leases != 1)
        return WEIR_E_STATE;
    if (wr_pool_has_room(conn))
        wr_pool_unlist(conn);
    conn->opaque = opaque;
    conn->capacity = core->limits.reuse ? capacity : 1;
    conn->opened_ns = now_ns;
    core->counts.closed[reason]++;
    core->counts.dialed++;
    wr_pool_forget_failures(core, conn->bucket);
    if (wr_pool_has_room(conn)) {
        wr_pool_make_lendable(core, conn);
        wr_pool_serve_line(core, conn->bucket);
    }
    wr_pool_rebalance(core);
    return WEIR_OK;
}
