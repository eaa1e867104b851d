#include "conn/reuse.h"

#include <errno.h>

#include "base/deadline.h"

static struct wr_verdict no(weir_close_reason reason)
{
    return (struct wr_verdict){.reason = reason};
}

/* Rule 2.12: what the fields and the version say. */
static bool is_kept_alive(const struct wr_head *head)
{
    const struct wr_head_facts *facts = &head->facts;

    if (facts->connection_close)
        return false;
    return head->version >= 11 || facts->connection_keep_alive;
}

static uint64_t keep_time(const struct wr_head_facts *facts)
{
    if (facts->keep_alive_s == UINT32_MAX)
        return WR_NEVER;
    if (facts->keep_alive_s <= WR_KEEP_ALIVE_MARGIN_S)
        return 0;
    return (facts->keep_alive_s - WR_KEEP_ALIVE_MARGIN_S) * WR_SECOND;
}

/* Rule 2.13.  Records without data are no bytes of a response: a server may
 * send its tickets behind one, in the same segment. */
static bool has_bytes_behind(struct wr_transport *io)
{
    return wr_transport_has_pending(io) &&
           (wr_transport_peek(io) != WR_IO_AGAIN ||
            wr_transport_has_pending(io));
}

struct wr_verdict wr_judge(const struct wr_exchange *ex, struct wr_conn *conn)
{
    const struct wr_head_facts *facts = &ex->head.facts;

    if (atomic_load_explicit(&conn->is_cut, memory_order_relaxed))
        return no(WEIR_CLOSE_SHUTDOWN);
    if (ex->state != WR_EXCHANGE_DONE)
        return no(ex->state == WR_EXCHANGE_FAILED ? WEIR_CLOSE_IO
                                                  : WEIR_CLOSE_ABANDONED);
    if (conn->target->is_single_use)
        return no(WEIR_CLOSE_DISABLED);
    if (ex->body.framing == WR_FRAMING_CLOSE || !is_kept_alive(&ex->head) ||
        facts->lenient || ex->trailers.facts.lenient ||
        !ex->is_sent) /* rules 2.4, 2.6, 2.9, 2.10, 2.12, 2.14 */
        return no(WEIR_CLOSE_NOT_REUSABLE);
    if (ex->is_past_end || has_bytes_behind(&conn->io))
        return no(WEIR_CLOSE_UNEXPECTED_DATA); /* rule 2.13 */
    if (keep_time(facts) == 0)
        return no(WEIR_CLOSE_NOT_REUSABLE);
    return (struct wr_verdict){.is_reusable = true,
                               .keep_ns = keep_time(facts)};
}

weir_close_reason wr_judge_idle(enum wr_io found, int error)
{
    if (found == WR_IO_OK)
        return WEIR_CLOSE_UNEXPECTED_DATA;
    if (found == WR_IO_ERROR && error == EPROTO)
        return WEIR_CLOSE_PROTOCOL;
    return WEIR_CLOSE_PEER_CLOSED;
}
