/* Opening, changing, watching and closing a pool. */
#include "api/pool.h"

#include <sys/socket.h>

#include "base/error.h"
#include "base/mem.h"
#include "drive/call.h"
#include "drive/dialing.h"
#include "drive/forking.h"
#include "drive/keeper.h"
#include "drive/means.h"
#include "drive/sequel.h"
#include "drive/waiting.h"
#include "drive/wake.h"
#include "net/clock.h"
#include "settings/options.h"

/* --- opening ------------------------------------------------------------- */

static weir_status make_core(struct weir_pool *pool, weir_error *ret_err)
{
    struct wr_core_limits limits;

    wr_core_limits_from(&pool->options, &limits);
    pool->core = wr_core_new(&limits);
    pool->health = wr_health_new(WR_ORIGINS_MAX);
    return pool->core && pool->health ? WEIR_OK : wr_error_no_memory(ret_err);
}

static weir_status fill(struct weir_pool *pool,
                        const weir_pool_options *options, weir_error *ret_err)
{
    weir_status status;

    atomic_init(&pool->is_tls_due, false);
    wr_dialing_init_gate(pool);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pthread_cond_init(&pool->call_ended, NULL);
    TAILQ_INIT(&pool->conns);
    TAILQ_INIT(&pool->threads);
    TAILQ_INIT(&pool->spare_calls);
    TAILQ_INIT(&pool->delayed);
    TAILQ_INIT(&pool->warm);
    TAILQ_INIT(&pool->held);
    SLIST_INIT(&pool->spares);
    pool->spare_wake_fd = -1;
    pool->refs = 1;
    wr_forking_add(pool);
    if (wr_options_copy(&pool->options, &pool->options_block, options) !=
        WEIR_OK)
        return wr_error_no_memory(ret_err);
    status = wr_means_make_tls(pool, ret_err);
    if (status == WEIR_OK)
        status = wr_means_make(pool, ret_err);
    if (status == WEIR_OK)
        status = wr_means_make_proxies(pool, ret_err);
    if (status == WEIR_OK)
        status = make_core(pool, ret_err);
    if (status != WEIR_OK)
        return status;
    wr_means_renew_surroundings(pool);
    wr_policy_from(&pool->options, &pool->policy);
    pool->is_plain = wr_policy_is_plain(&pool->policy);
    pool->coding_limits = (struct wr_coding_limits){
        .max_output = pool->options.max_decoded,
        .max_ratio = pool->options.max_decode_ratio,
    };
    pool->trace = pool->options.trace;
    pool->trace_user = pool->options.trace_user;
    wr_apply_options_locked(pool);
    return WEIR_OK;
}

weir_status weir_pool_open(const weir_pool_options *options,
                           weir_pool **ret_pool, weir_error *ret_err)
{
    weir_pool_options imported;
    struct weir_pool *pool;
    weir_status status;

    if (!ret_pool)
        return wr_error_set(ret_err, WEIR_E_INVALID,
                            "weir_pool_open: ret_pool is NULL");
    status = wr_options_import(&imported, options, ret_err);
    if (status != WEIR_OK)
        return status;
    pool = wr_calloc(1, sizeof *pool);
    if (!pool)
        return wr_error_no_memory(ret_err);
    status = fill(pool, &imported, ret_err);
    if (status != WEIR_OK) {
        pthread_mutex_lock(&pool->lock);
        wr_unref_unlock(pool);
        return status;
    }
    *ret_pool = pool;
    return WEIR_OK;
}

/* --- closing ------------------------------------------------------------- */

/* Waits until all that ran has ended, or the deadline. */
static void wait_out_grace_locked(struct weir_pool *pool, uint64_t deadline_ns)
{
    struct wr_core_counts counts;

    for (;;) {
        wr_core_counts(pool->core, &counts);
        if ((counts.open == 0 && pool->call_count == 0) ||
            wr_now() >= deadline_ns)
            return;
        wr_wait_locked(pool, &pool->changed, deadline_ns);
    }
}

/* Ends what still runs: a thread that reads or writes sees its socket end, one
 * that dials is woken, loops end their calls. */
static void cut_locked(struct weir_pool *pool)
{
    struct wr_conn *conn;
    struct wr_thread *thread;

    pool->is_cut = true;
    TAILQ_FOREACH (conn, &pool->conns, link) {
        atomic_store_explicit(&conn->is_cut, true, memory_order_relaxed);
        if (conn->io.fd >= 0)
            shutdown(conn->io.fd, SHUT_RDWR);
    }
    TAILQ_FOREACH (thread, &pool->threads, link)
        wr_wake_thread(thread);
    for (unsigned i = 0; i < pool->loop_count; i++)
        wr_loop_wake_locked(pool->loops[i]);
}

/* Every call of a loop has its on_done; then the loops end. */
static void end_loops_locked(struct weir_pool *pool)
{
    while (pool->call_count)
        wr_wait_locked(pool, &pool->changed, WR_NEVER);
    wr_loops_stop_locked(pool);
}

static void drop_spares_locked(struct weir_pool *pool)
{
    struct weir_response *spare;

    while ((spare = SLIST_FIRST(&pool->spares)) != NULL) {
        SLIST_REMOVE_HEAD(&pool->spares, spare);
        wr_response_delete(spare);
    }
    pool->spare_count = 0;
    wr_calls_drop_spares_locked(pool);
    wr_wake_drop_spare_locked(pool);
}

static void close_locked(struct weir_pool *pool, uint64_t grace_ns,
                         weir_close_report *report)
{
    const uint64_t now_ns = wr_now();
    struct wr_core_counts before;
    struct wr_core_counts after;

    wr_core_counts(pool->core, &before);
    pool->is_closed = true;
    wr_core_shut(pool->core, now_ns);
    wr_calls_shut_delayed_locked(pool);
    wr_settle_locked(pool);
    wait_out_grace_locked(pool, wr_after(now_ns, grace_ns));
    wr_core_counts(pool->core, &after);
    report->idle = before.idle;
    report->refused = before.waiting;
    report->cut = after.leased + after.dialing;
    report->finished =
        before.leased > after.leased ? before.leased - after.leased : 0;
    cut_locked(pool);
    end_loops_locked(pool);
    drop_spares_locked(pool);
}

weir_status weir_pool_close(weir_pool *pool, double grace,
                            weir_close_report *ret_report)
{
    weir_close_report report = {.size = sizeof report};

    if (!pool || !(grace >= 0))
        return WEIR_E_INVALID;
    if (wr_loop_here() && wr_loop_here()->pool == pool)
        return WEIR_E_STATE; /* it would wait for itself */
    pthread_mutex_lock(&pool->lock);
    if (!pool->is_closed) {
        wr_ref_locked(pool);
        close_locked(pool, wr_seconds(grace), &report);
        wr_unref_unlock(pool);
    } else {
        pthread_mutex_unlock(&pool->lock);
    }
    if (ret_report)
        wr_export(ret_report, &report, sizeof report);
    return WEIR_OK;
}

void weir_pool_free(weir_pool *pool)
{
    if (!pool || weir_pool_close(pool, 0, NULL) == WEIR_E_STATE)
        return;
    pthread_mutex_lock(&pool->lock);
    wr_unref_unlock(pool);
}

/* --- changing ------------------------------------------------------------ */

/* Takes the live members of `options`; strings stay as they are. */
static weir_status change_locked(struct weir_pool *pool,
                                 const weir_pool_options *options,
                                 weir_error *ret_err)
{
    weir_pool_options changed = *options;
    struct wr_core_limits limits;
    weir_status status;

    wr_core_limits_from(options, &limits);
    status = wr_core_set_limits(pool->core, &limits, wr_now());
    if (status != WEIR_OK)
        return wr_error_set(ret_err, status, "%s", weir_status_meaning(status));
    changed.user_agent = pool->options.user_agent;
    changed.ca_file = pool->options.ca_file;
    changed.ca_path = pool->options.ca_path;
    changed.cert_file = pool->options.cert_file;
    changed.key_file = pool->options.key_file;
    changed.tls_min_version = pool->options.tls_min_version;
    changed.dns_servers = pool->options.dns_servers;
    changed.proxy = pool->options.proxy;
    changed.no_proxy = pool->options.no_proxy;
    pool->options = changed;
    wr_apply_options_locked(pool);
    wr_settle_if_needed_locked(pool);
    return WEIR_OK;
}

weir_status weir_pool_reconfigure(weir_pool *pool,
                                  const weir_pool_options *options,
                                  weir_error *ret_err)
{
    weir_pool_options imported;
    const char *fixed;
    weir_status status;

    if (!pool || !options)
        return wr_error_set(ret_err, WEIR_E_INVALID,
                            "weir_pool_reconfigure: pool or options is NULL");
    status = wr_options_import(&imported, options, ret_err);
    if (status != WEIR_OK)
        return status;
    pthread_mutex_lock(&pool->lock);
    fixed = wr_options_difference(&pool->options, &imported, false);
    if (pool->is_closed)
        status = wr_error_set(ret_err, WEIR_E_CLOSED, "the pool is closed");
    else if (fixed)
        status = wr_error_set(ret_err, WEIR_E_OPTION,
                              "%s: cannot change while the pool lives", fixed);
    else
        status = change_locked(pool, &imported, ret_err);
    pthread_mutex_unlock(&pool->lock);
    if (status == WEIR_OK)
        wr_resolver_set_ttl(pool->means.resolver,
                            wr_seconds(imported.dns_min_ttl),
                            wr_seconds(imported.dns_max_ttl));
    return status;
}

/* --- watching ------------------------------------------------------------ */

weir_status weir_pool_stats(weir_pool *pool, weir_pool_figures *figures)
{
    struct wr_core_counts counts;
    struct wr_tally tally;
    weir_pool_figures full = {0};

    if (!pool || !figures || figures->size < sizeof figures->size)
        return WEIR_E_INVALID;
    pthread_mutex_lock(&pool->lock);
    wr_core_counts(pool->core, &counts);
    tally = pool->tally;
    pthread_mutex_unlock(&pool->lock);
    full.open = counts.open;
    full.idle = counts.idle;
    full.leased = counts.leased;
    full.dialing = counts.dialing;
    full.waiting = counts.waiting;
    full.buckets = counts.buckets;
    full.requests = tally.requests;
    full.responses = tally.responses;
    full.failures = tally.failures;
    full.leases = counts.leases;
    full.reused = counts.reused;
    full.dialed = counts.dialed;
    full.dial_failures = counts.dial_failures;
    full.tls_resumed = tally.tls_resumed;
    full.stale_retries = tally.stale_retries;
    full.queued = counts.queued;
    full.queue_full = counts.queue_full;
    full.acquire_timeouts = counts.acquire_timeouts;
    full.bytes_sent = tally.bytes_sent;
    full.bytes_received = tally.bytes_received;
    for (unsigned i = 0; i < WEIR_CLOSE_REASON_COUNT; i++)
        full.closed[i] = counts.closed[i];
    full.retries = tally.retries;
    full.redirects = tally.redirects;
    full.retries_denied = tally.retries_denied;
    full.breaker_refusals = tally.breaker_refusals;
    full.hedges = tally.hedges;
    full.hedges_won = tally.hedges_won;
    full.hedges_skipped = tally.hedges_skipped;
    full.hedges_denied = tally.hedges_denied;
    full.leaks = tally.leaks;
    wr_export(figures, &full, sizeof full);
    return WEIR_OK;
}

/* --- warming ------------------------------------------------------------- */

weir_status weir_pool_warm(weir_pool *pool, const char *url, unsigned count,
                           weir_error *ret_err)
{
    weir_request *request;
    weir_status status;

    if (!pool)
        return wr_no_pool(ret_err);
    status = weir_request_new("GET", url, &request, ret_err);
    if (status != WEIR_OK)
        return status;
    status = wr_means_prepare(pool, request, ret_err);
    if (status == WEIR_OK)
        status = wr_keeper_warm(pool, request->target, count, ret_err);
    weir_request_free(request);
    return status;
}
