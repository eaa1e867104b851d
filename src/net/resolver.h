/* Names to addresses: c-ares behind a cache that honours TTL.
 *
 * A *query* is a machine driven by whoever holds it (net/poll.h).  The cache is
 * shared by all threads of a pool behind a lock of its own; no call to c-ares
 * is made under that lock.  Failures are not cached.
 *
 * A host is a name, never an IP literal (wr_addr_parse).  "localhost" and the
 * names under it are the loopback addresses and need no look-up (RFC 6761
 * section 6.3); the system's hosts file comes before DNS. */
#ifndef WR_NET_RESOLVER_H
#define WR_NET_RESOLVER_H

#include <weir/error.h>
#include <weir/pool.h>

#include "net/addr.h"
#include "net/poll.h"

struct wr_resolver; /* one a pool; thread-safe */
struct wr_query;    /* one a look-up; one thread at a time */

struct wr_resolver_options {
    uint64_t min_ttl_ns; /* an answer is kept at least this long */
    uint64_t max_ttl_ns; /* and at most this long; 0 = no cache */
    const char *servers; /* c-ares CSV ("127.0.0.1:5353"), NULL = system's */
};

/* NULL: out of memory (or c-ares could not be initialised). */
struct wr_resolver *wr_resolver_new(const struct wr_resolver_options *options);
/* No query may be alive.  NULL is allowed. */
void wr_resolver_free(struct wr_resolver *resolver);
void wr_resolver_set_ttl(struct wr_resolver *resolver, uint64_t min_ttl_ns,
                         uint64_t max_ttl_ns);

/* Looks in the cache: true and *ret_addrs (port 0) when an answer is fresh (or
 * needs no look-up).
 * Successive hits rotate the order within a family (round robin). */
bool wr_resolver_cached(struct wr_resolver *resolver, const char *host,
                        weir_ip_version version, uint64_t now_ns,
                        struct wr_addrs *ret_addrs);

/* Starts a look-up; NULL with *ret_err on failure (WEIR_E_NO_MEMORY,
 * WEIR_E_RESOLVE, WEIR_E_SYSTEM). */
struct wr_query *wr_query_new(struct wr_resolver *resolver, const char *host,
                              weir_ip_version version, uint64_t now_ns,
                              weir_error *ret_err);
/* Takes the query forward.  `ready`: the waits of the last step with revents
 * filled in, or NULL the first time.
 * WAIT: *ret_waits says for what.  DONE: *ret_addrs (port 0, not yet
 * interleaved), also stored in the cache.  ERROR: WEIR_E_RESOLVE, e.g.
 * "resolve nohost.example: domain name not found". */
enum wr_step wr_query_step(struct wr_query *query, const struct wr_waits *ready,
                           uint64_t now_ns, struct wr_waits *ret_waits,
                           struct wr_addrs *ret_addrs, weir_error *ret_err);
/* Ends a query at any stage; NULL is allowed. */
void wr_query_free(struct wr_query *query);

#endif
