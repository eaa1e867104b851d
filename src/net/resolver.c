#include "net/resolver.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/slice.h"
#include "net/cache.h"
#include "net/channel.h"

/* Channels that have served are kept for the next look-up, so that it need not
 * read resolv.conf again; for this long only, so that a change is seen. */
#define CHANNEL_AGE_NS (30 * WR_SECOND)
enum {
    CHANNELS_MAX = 8
};

struct wr_resolver {
    char *servers;        /* owned; NULL = system's */
    pthread_mutex_t lock; /* over all that follows */
    uint64_t min_ttl_ns;
    uint64_t max_ttl_ns;
    struct wr_cache cache;
    unsigned resting;
    SLIST_HEAD(, wr_channel) channels;
    atomic_uint_least64_t generation; /* read without the lock */
};

struct wr_query {
    struct wr_resolver *resolver;
    struct wr_channel *channel; /* owned; NULL = none needed, or given back */
    weir_ip_version version;
    bool is_begun;
    bool is_over;
    int status; /* ARES_SUCCESS …, once over */
    uint64_t ttl_ns;
    struct wr_addrs addrs;
    char host[]; /* terminated */
};

static bool is_port(const char *text)
{
    const size_t len = strspn(text, "0123456789");
    const long port = len > 0 && len <= 5 ? strtol(text, NULL, 10) : 0;

    return text[len] == '\0' && port > 0 && port <= UINT16_MAX;
}

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53"; takes the
 * text to pieces. */
static bool is_server(char *text)
{
    char *port = strrchr(text, ':');
    struct wr_addr addr;

    if (text[0] == '[') {
        char *end = strchr(text++, ']');

        if (!end || (end[1] && (end[1] != ':' || !is_port(end + 2))))
            return false;
        *end = '\0';
    } else if (port && port == strchr(text, ':')) {
        *port = '\0';
        if (!is_port(port + 1))
            return false;
    }
    return wr_addr_parse(&addr, text, 0);
}

bool wr_resolver_knows_servers(const char *servers)
{
    char text[WR_ADDR_TEXT];

    for (;;) {
        const size_t len = strcspn(servers, ",");

        if (len >= sizeof text)
            return false;
        memcpy(text, servers, len);
        text[len] = '\0';
        if (!is_server(text))
            return false;
        if (!servers[len])
            return true;
        servers += len + 1;
    }
}

struct wr_resolver *wr_resolver_new(const struct wr_resolver_options *options)
{
    struct wr_resolver *resolver = wr_calloc(1, sizeof *resolver);

    if (!resolver)
        return NULL;
    if (options->servers) {
        resolver->servers = wr_strdup(options->servers);
        if (!resolver->servers) {
            wr_free(resolver);
            return NULL;
        }
    }
    pthread_mutex_init(&resolver->lock, NULL);
    SLIST_INIT(&resolver->channels);
    atomic_init(&resolver->generation, 0);
    resolver->cache.max = WR_CACHE_MAX;
    wr_resolver_set_ttl(resolver, options->min_ttl_ns, options->max_ttl_ns);
    return resolver;
}

void wr_resolver_free(struct wr_resolver *resolver)
{
    struct wr_channel *channel;

    if (!resolver)
        return;
    while ((channel = SLIST_FIRST(&resolver->channels)) != NULL) {
        SLIST_REMOVE_HEAD(&resolver->channels, link);
        wr_channel_free(channel);
    }
    wr_cache_done(&resolver->cache);
    pthread_mutex_destroy(&resolver->lock);
    wr_free(resolver->servers);
    wr_free(resolver);
}

void wr_resolver_set_ttl(struct wr_resolver *resolver, uint64_t min_ttl_ns,
                         uint64_t max_ttl_ns)
{
    pthread_mutex_lock(&resolver->lock);
    resolver->min_ttl_ns = min_ttl_ns;
    resolver->max_ttl_ns = max_ttl_ns;
    pthread_mutex_unlock(&resolver->lock);
}

/* RFC 6761 section 6.3: "localhost." and every name under it are the loopback
 * addresses, and no server is asked. */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    const size_t name_len = sizeof name - 1;
    size_t len = strlen(host);

    if (len && host[len - 1] == '.')
        len--;
    if (len < name_len)
        return false;
    if (!wr_equal_nocase(host + len - name_len, name, name_len))
        return false;
    return len == name_len || host[len - name_len - 1] == '.';
}

/* In the order of RFC 6724. */
static void loopback(weir_ip_version version, struct wr_addrs *ret_addrs)
{
    ret_addrs->count = 0;
    if (version != WEIR_IP_V4)
        wr_addr_parse(&ret_addrs->list[ret_addrs->count++], "::1", 0);
    if (version != WEIR_IP_V6)
        wr_addr_parse(&ret_addrs->list[ret_addrs->count++], "127.0.0.1", 0);
}

bool wr_resolver_cached(struct wr_resolver *resolver, const char *host,
                        weir_ip_version version, uint64_t now_ns,
                        struct wr_addrs *ret_addrs)
{
    bool found;

    if (is_localhost(host)) {
        loopback(version, ret_addrs);
        return true;
    }
    pthread_mutex_lock(&resolver->lock);
    found = resolver->max_ttl_ns &&
            wr_cache_find(&resolver->cache, host, version, now_ns, ret_addrs);
    pthread_mutex_unlock(&resolver->lock);
    return found;
}

uint64_t wr_resolver_generation(const struct wr_resolver *resolver)
{
    return atomic_load_explicit(&resolver->generation, memory_order_acquire);
}

bool wr_resolver_has_left(struct wr_resolver *resolver, const char *host,
                          weir_ip_version version, const struct wr_addr *peer,
                          uint64_t since_ns)
{
    bool has_left;

    if (is_localhost(host))
        return false;
    pthread_mutex_lock(&resolver->lock);
    has_left =
        wr_cache_has_left(&resolver->cache, host, version, peer, since_ns);
    pthread_mutex_unlock(&resolver->lock);
    return has_left;
}

/* A resting channel, given, or NULL. */
static struct wr_channel *take_channel(struct wr_resolver *resolver)
{
    struct wr_channel *channel;

    pthread_mutex_lock(&resolver->lock);
    channel = SLIST_FIRST(&resolver->channels);
    if (channel) {
        SLIST_REMOVE_HEAD(&resolver->channels, link);
        resolver->resting--;
    }
    pthread_mutex_unlock(&resolver->lock);
    return channel;
}

static int get_channel(struct wr_resolver *resolver, uint64_t now_ns,
                       struct wr_channel **ret_channel)
{
    struct wr_channel *channel;

    while ((channel = take_channel(resolver)) != NULL) {
        if (wr_left(wr_after(channel->made_ns, CHANNEL_AGE_NS), now_ns)) {
            *ret_channel = channel;
            return ARES_SUCCESS;
        }
        wr_channel_free(channel);
    }
    return wr_channel_new(resolver->servers, now_ns, ret_channel);
}

/* Takes a channel with no look-up on it. */
static void rest_channel(struct wr_resolver *resolver,
                         struct wr_channel *channel)
{
    bool has_room;

    pthread_mutex_lock(&resolver->lock);
    has_room = resolver->resting < CHANNELS_MAX;
    if (has_room) {
        SLIST_INSERT_HEAD(&resolver->channels, channel, link);
        resolver->resting++;
    }
    pthread_mutex_unlock(&resolver->lock);
    if (!has_room)
        wr_channel_free(channel);
}

/* c-ares begins its texts with a capital; "DNS …" keeps it. */
static const char *describe(int status, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s", ares_strerror(status));
    if (buf[0] && buf[1] >= 'a')
        buf[0] = wr_lower(buf[0]);
    return buf;
}

static void set_error(weir_error *err, const char *host, int status)
{
    char text[96];

    if (status == ARES_ENOMEM) {
        wr_error_no_memory(err);
        return;
    }
    wr_error_set(err, WEIR_E_RESOLVE, "resolve %s: %s", host,
                 describe(status, text, sizeof text));
}

struct wr_query *wr_query_new(struct wr_resolver *resolver, const char *host,
                              weir_ip_version version, uint64_t now_ns,
                              weir_error *ret_err)
{
    const size_t len = strlen(host);
    struct wr_query *query;
    int status;

    if (len == 0 || len > WR_HOST_MAX) {
        wr_error_set(ret_err, WEIR_E_RESOLVE,
                     "resolve %.32s%s: a name has 1 to %d bytes", host,
                     len > 32 ? "…" : "", WR_HOST_MAX);
        return NULL;
    }
    query = wr_calloc(1, sizeof *query + len + 1);
    if (!query) {
        wr_error_no_memory(ret_err);
        return NULL;
    }
    query->resolver = resolver;
    query->version = version;
    memcpy(query->host, host, len + 1);
    if (is_localhost(host)) {
        loopback(version, &query->addrs);
        query->is_over = true;
        return query;
    }
    status = get_channel(resolver, now_ns, &query->channel);
    if (status != ARES_SUCCESS) {
        set_error(ret_err, host, status);
        wr_free(query);
        return NULL;
    }
    return query;
}

static int family_of(weir_ip_version version)
{
    if (version == WEIR_IP_V4)
        return AF_INET;
    return version == WEIR_IP_V6 ? AF_INET6 : AF_UNSPEC;
}

/* How many addresses of each family are kept: all that fit, and at least half
 * of the room for either family if it has as many. */
struct quota {
    unsigned v4, v6;
};

static unsigned share(unsigned others)
{
    return WR_ADDRS_MAX -
           (others < WR_ADDRS_MAX / 2 ? others : WR_ADDRS_MAX / 2);
}

static struct quota make_quota(const struct ares_addrinfo *info)
{
    struct quota found = {0, 0};

    for (const struct ares_addrinfo_node *node = info->nodes; node;
         node = node->ai_next) {
        found.v4 += node->ai_family == AF_INET;
        found.v6 += node->ai_family == AF_INET6;
    }
    return (struct quota){share(found.v6), share(found.v4)};
}

static void copy_addrs(struct wr_query *query, const struct ares_addrinfo *info)
{
    struct wr_addrs *addrs = &query->addrs;
    struct quota left = make_quota(info);

    for (const struct ares_addrinfo_node *node = info->nodes; node;
         node = node->ai_next) {
        unsigned *room = node->ai_family == AF_INET ? &left.v4 : &left.v6;
        struct wr_addr *addr = &addrs->list[addrs->count];

        if (node->ai_family != AF_INET && node->ai_family != AF_INET6)
            continue;
        if (*room == 0 || addrs->count == WR_ADDRS_MAX ||
            node->ai_addrlen > sizeof addr->sa)
            continue;
        memset(addr, 0, sizeof *addr);
        memcpy(&addr->sa, node->ai_addr, node->ai_addrlen);
        addr->len = node->ai_addrlen;
        addrs->count++;
        --*room;
    }
}

/* The shortest TTL of all records that led to the answer, 0 to INT_MAX s. */
static uint64_t shortest_ttl(const struct ares_addrinfo *info)
{
    int ttl = INT32_MAX;

    for (const struct ares_addrinfo_cname *name = info->cnames; name;
         name = name->next)
        ttl = name->ttl < ttl ? name->ttl : ttl;
    for (const struct ares_addrinfo_node *node = info->nodes; node;
         node = node->ai_next)
        ttl = node->ai_ttl < ttl ? node->ai_ttl : ttl;
    return ttl > 0 ? (uint64_t)ttl * WR_SECOND : 0;
}

static void on_answer(void *user, int status, int timeouts,
                      struct ares_addrinfo *info)
{
    struct wr_query *query = user;

    (void)timeouts;
    query->is_over = true;
    query->status = status;
    if (status == ARES_SUCCESS && info) {
        copy_addrs(query, info);
        query->ttl_ns = shortest_ttl(info);
        if (query->addrs.count == 0)
            query->status = ARES_ENODATA;
    }
    ares_freeaddrinfo(info);
}

static void begin(struct wr_query *query)
{
    const struct ares_addrinfo_hints hints = {
        .ai_family = family_of(query->version),
        .ai_socktype = SOCK_STREAM,
    };

    query->is_begun = true;
    ares_getaddrinfo(query->channel->ares, query->host, NULL, &hints, on_answer,
                     query);
}

static void store(struct wr_query *query, uint64_t now_ns)
{
    struct wr_resolver *resolver = query->resolver;
    uint64_t ttl_ns = query->ttl_ns;

    pthread_mutex_lock(&resolver->lock);
    if (ttl_ns < resolver->min_ttl_ns)
        ttl_ns = resolver->min_ttl_ns;
    if (ttl_ns > resolver->max_ttl_ns)
        ttl_ns = resolver->max_ttl_ns;
    if (wr_cache_store(&resolver->cache, query->host, query->version,
                       &query->addrs, now_ns, wr_after(now_ns, ttl_ns)))
        atomic_fetch_add_explicit(&resolver->generation, 1,
                                  memory_order_release);
    pthread_mutex_unlock(&resolver->lock);
}

/* A channel that has failed is not kept: its next one shall read what may have
 * changed in resolv.conf. */
static enum wr_step finish(struct wr_query *query, uint64_t now_ns,
                           struct wr_addrs *ret_addrs, weir_error *ret_err)
{
    struct wr_channel *channel = query->channel;

    query->channel = NULL;
    if (query->status != ARES_SUCCESS) {
        wr_channel_free(channel);
        set_error(ret_err, query->host, query->status);
        return WR_STEP_ERROR;
    }
    if (channel) {
        rest_channel(query->resolver, channel);
        store(query, now_ns);
    }
    *ret_addrs = query->addrs;
    return WR_STEP_DONE;
}

enum wr_step wr_query_step(struct wr_query *query, const struct wr_waits *ready,
                           uint64_t now_ns, struct wr_waits *ret_waits,
                           struct wr_addrs *ret_addrs, weir_error *ret_err)
{
    assert(query->channel || query->is_over);
    if (query->is_begun)
        wr_channel_process(query->channel, ready);
    else if (!query->is_over)
        begin(query);
    if (query->is_over)
        return finish(query, now_ns, ret_addrs, ret_err);
    wr_channel_waits(query->channel, now_ns, ret_waits);
    return WR_STEP_WAIT;
}

void wr_query_free(struct wr_query *query)
{
    if (!query)
        return;
    if (query->channel && !query->is_begun)
        rest_channel(query->resolver, query->channel);
    else
        wr_channel_free(query->channel);
    wr_free(query);
}
