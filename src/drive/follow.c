#include "drive/follow.h"

#include <string.h>

#include "base/cold.h"

/* A Unix socket, and an address of the caller's choice, have no name. */
static bool has_name(const struct wr_conn *conn)
{
    return conn->peer.sin6_family != 0 && !conn->target->address;
}

WR_COLD static bool has_left(struct weir_pool *pool, const struct wr_conn *conn)
{
    const struct wr_target *target = conn->target;
    struct wr_addr peer = {.len = sizeof conn->peer};

    memcpy(&peer.sa, &conn->peer, sizeof conn->peer);
    return has_name(conn) &&
           wr_resolver_has_left(pool->means.resolver,
                                wr_target_peer_host(target), target->ip_version,
                                &peer, conn->dialed_ns);
}

bool wr_has_moved_locked(struct weir_pool *pool, struct wr_conn *conn)
{
    const uint64_t generation = wr_resolver_generation(pool->means.resolver);

    if (conn->dns_seen == generation || !pool->options.follow_dns)
        return false;
    if (has_left(pool, conn))
        return true;
    conn->dns_seen = generation;
    return false;
}

void wr_close_moved_locked(struct weir_pool *pool)
{
    const uint64_t generation = wr_resolver_generation(pool->means.resolver);
    struct wr_conn *conn;

    if (pool->dns_seen == generation || !pool->options.follow_dns)
        return;
    pool->dns_seen = generation;
    TAILQ_FOREACH (conn, &pool->conns, link) {
        if (wr_core_is_idle(pool->core, conn->id) &&
            wr_has_moved_locked(pool, conn))
            wr_core_lost(pool->core, conn->id, 0, WEIR_CLOSE_MOVED);
    }
}
