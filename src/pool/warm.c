/* Warm minimum: buckets that keep some conns though nobody waits for them.
 *
 * wr_pool_update_needs() decides who is cold, and balance.c dials for them. */
#include "pool/state.h"

bool wr_pool_is_kept_warm(const struct wr_core *core,
                          const struct bucket *bucket)
{
    const unsigned wanted = bucket->warm < core->limits.max_per_bucket
                                ? bucket->warm
                                : core->limits.max_per_bucket;

    return bucket->open + bucket->dialing <= wanted;
}

/* Queued DIALs that no ticket was suggested for, beyond `count` conns. */
static void take_back_surplus(struct wr_core *core, struct bucket *bucket,
                              unsigned count)
{
    struct conn *conn;
    struct conn *next;

    for (conn = TAILQ_FIRST(&core->actions); conn; conn = next) {
        next = TAILQ_NEXT(conn, action);
        if (bucket->conns <= count)
            return;
        if (conn->bucket == bucket && conn->state == CONN_DIALING &&
            !conn->suggested)
            wr_pool_take_back_dial(core, conn);
    }
}

static void set_warm(struct wr_core *core, struct bucket *bucket,
                     unsigned count, void *user)
{
    core->warm += count;
    core->warm -= bucket->warm;
    bucket->warm = count;
    bucket->warm_user = user;
    wr_pool_update_needs(core, bucket);
    wr_pool_drop_if_empty(core, bucket);
}

weir_status wr_core_warm(struct wr_core *core, const struct wr_key *key,
                         unsigned count, void *user, void **ret_old_user,
                         uint64_t now_ns)
{
    struct bucket *bucket = wr_pool_find_bucket(core, key);

    (void)now_ns;
    if (core->is_shut)
        return WEIR_E_CLOSED;
    if (!bucket && count > 0)
        bucket = wr_pool_add_bucket(core, key);
    if (!bucket && count > 0)
        return WEIR_E_NO_MEMORY;
    if (!bucket) {
        *ret_old_user = NULL;
        return WEIR_OK;
    }
    if (count > bucket->warm &&
        !wr_pool_reserve_conns(core, core->counts.waiting + core->warm + count,
                               core->limits.max_total)) {
        wr_pool_drop_if_empty(core, bucket);
        return WEIR_E_NO_MEMORY;
    }
    *ret_old_user = bucket->warm_user;
    take_back_surplus(core, bucket, count);
    set_warm(core, bucket, count, count > 0 ? user : NULL);
    wr_pool_rebalance(core);
    return WEIR_OK;
}

/* Once for all buckets: the queue is looked through only once. */
void wr_pool_cool(struct wr_core *core)
{
    struct conn *conn;
    struct conn *next_conn;
    struct bucket *bucket;
    struct bucket *next;

    for (conn = TAILQ_FIRST(&core->actions); conn; conn = next_conn) {
        next_conn = TAILQ_NEXT(conn, action);
        if (conn->state == CONN_DIALING && !conn->suggested)
            wr_pool_take_back_dial(core, conn);
    }
    for (bucket = core->buckets; bucket && core->warm > 0; bucket = next) {
        next = bucket->hh.next;
        set_warm(core, bucket, 0, NULL);
    }
}
