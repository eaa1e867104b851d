#include "drive/means.h"

#include <sys/random.h>

#include "base/cold.h"
#include "base/error.h"
#include "net/clock.h"

enum {
    SESSIONS_MAX = 1024
};

static uint64_t next_serial(void)
{
    static atomic_uint_least64_t last;

    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* Somebody who picks host names must not be able to pick collisions; where no
 * randomness is to be had, the clock is better than nothing. */
static uint32_t random_seed(void)
{
    uint32_t seed;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint32_t)wr_now();
    return seed;
}

weir_status wr_means_make(struct weir_pool *pool, weir_error *ret_err)
{
    const weir_pool_options *options = &pool->options;
    const struct wr_resolver_options resolver = {
        .min_ttl_ns = wr_seconds(options->dns_min_ttl),
        .max_ttl_ns = wr_seconds(options->dns_max_ttl),
        .servers = options->dns_servers,
    };

    /* A proxy's answer is bounded as the pool was opened. */
    pool->means = (struct wr_dial_means){
        .head_limits = {.status_line = (uint32_t)options->max_status_line,
                        .section = (uint32_t)options->max_header_bytes,
                        .fields = options->max_header_fields,
                        .strict = options->strict},
    };
    if (resolver.servers && !wr_resolver_knows_servers(resolver.servers))
        return wr_error_set(ret_err, WEIR_E_OPTION,
                            "dns_servers: '%s' is no list of addresses as in "
                            "192.0.2.1,[2001:db8::1]:5353",
                            resolver.servers);
    pool->means.resolver = wr_resolver_new(&resolver);
    pool->means.sessions = wr_tls_sessions_new(SESSIONS_MAX);
    if (!pool->means.resolver || !pool->means.sessions)
        return wr_error_no_memory(ret_err);
    return WEIR_OK;
}

weir_status wr_means_make_tls(struct weir_pool *pool, weir_error *ret_err)
{
    const weir_pool_options *options = &pool->options;
    const struct wr_tls_options tls = {
        .verify = options->verify,
        .ca_file = options->ca_file,
        .ca_path = options->ca_path,
        .cert_file = options->cert_file,
        .key_file = options->key_file,
        .min_version = options->tls_min_version,
    };

    return wr_tls_context_new(&tls, &pool->tls, ret_err);
}

weir_status wr_means_make_proxies(struct weir_pool *pool, weir_error *ret_err)
{
    const struct wr_proxies_options proxies = {
        .proxy = pool->options.proxy,
        .no_proxy = pool->options.no_proxy,
        .environment = pool->options.proxy_environment,
    };

    return wr_proxies_new(&proxies, &pool->proxies, ret_err);
}

void wr_means_renew_surroundings(struct weir_pool *pool)
{
    const char *user_agent = pool->options.user_agent;

    pool->surroundings = (struct wr_surroundings){
        .serial = next_serial(),
        .user_agent = user_agent ? user_agent : "",
        .ip_version = pool->options.ip_version,
        .decompress = pool->options.decompress,
        .tls = pool->tls,
        .proxies = pool->proxies,
        .hash_seed = random_seed(),
    };
}

/* After a fork: the parent's context has locks that nobody here would ever
 * release. */
WR_COLD static weir_status make_tls_again(struct weir_pool *pool,
                                          weir_error *ret_err)
{
    weir_status status = WEIR_OK;

    pthread_mutex_lock(&pool->lock);
    if (!pool->tls)
        status = wr_means_make_tls(pool, ret_err);
    if (status == WEIR_OK && pool->is_tls_due) {
        wr_means_renew_surroundings(pool);
        atomic_store_explicit(&pool->is_tls_due, false, memory_order_release);
    }
    pthread_mutex_unlock(&pool->lock);
    return status;
}

weir_status wr_means_prepare(struct weir_pool *pool,
                             struct weir_request *request, weir_error *ret_err)
{
    weir_status status = WEIR_OK;

    if (atomic_load_explicit(&pool->is_tls_due, memory_order_acquire))
        status = make_tls_again(pool, ret_err);
    if (status == WEIR_OK && !wr_request_is_ready(request, &pool->surroundings))
        status = wr_request_prepare(request, &pool->surroundings, ret_err);
    return status;
}
