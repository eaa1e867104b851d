/* Names to addresses: c-ares behind a cache that honours TTL.
 *
 * A *query* is a machine driven by whoever holds it (net/poll.h).  The cache is
 * shared by all threads of a pool behind a lock of its own; no call to c-ares
 * is made under that lock.  Failures are not cached.  A fork's child leaves the
 * resolver it inherits where it is, not freed, and makes a new one.
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

/* Is it a list of servers as above, and not empty? */
bool wr_resolver_knows_servers(const char *servers);
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

/* For those who close connections once DNS no longer names their peer.  Answers
 * outlive their TTL here: the last one for a name and family policy stays until
 * the next one comes, or (one of 4096) makes room for another name's; with a
 * TTL of 0 and without a cache too.  So who looks a name up, for whatever dial,
 * tells of all connections to it, and nobody looks up for their sake alone.
 *
 * The generation grows whenever an answer differs, as a set of addresses, from
 * the last one for its name (as the first does): while it stands, no peer has
 * left that had not before.  One atomic load, no lock. */
uint64_t wr_resolver_generation(const struct wr_resolver *resolver);
/* true when the last answer for host came after since_ns, has addresses of the
 * peer's family, and the peer (whatever its port) is not among them: then a
 * connection whose dial began at since_ns goes where no new one would.  false
 * for an answer of WR_ADDRS_MAX addresses, which may have had more.  The names
 * of localhost never leave; nor does a host that was never looked up, as an IP
 * literal.  Takes the lock. */
bool wr_resolver_has_left(struct wr_resolver *resolver, const char *host,
                          weir_ip_version version, const struct wr_addr *peer,
                          uint64_t since_ns);

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
