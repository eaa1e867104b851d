/* The cache of the resolver: answers by host name and family.
 *
 * An answer serves look-ups while it is *fresh*.  After that it stays as the
 * *last answer*, until the next one takes its place, and tells whether a peer
 * is still one of the addresses of its name.
 *
 * Time is an argument; no lock, no I/O: the resolver brings both.  Bounded:
 * the entry that was stored first goes first. */
#ifndef WR_NET_CACHE_H
#define WR_NET_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/pool.h>

#include "net/addr.h"

/* The longest host name: RFC 1035 section 2.3.4 allows 255 bytes on the wire,
 * which is 253 as text, and a dot at the end. */
enum {
    WR_HOST_MAX = 254,
    WR_CACHE_MAX = 4096
};

struct wr_cache_entry;

struct wr_cache {
    struct wr_cache_entry *entries; /* owned; in the order stored */
    unsigned max;                   /* entries, >= 1 */
};

/* Keeps a copy, fresh until expires_ns (now_ns: it never is), in place of what
 * was there.  Without memory, or with a host that is too long, nothing is kept.
 * true: it differs, as a set, from the last answer, or is the first. */
bool wr_cache_store(struct wr_cache *cache, const char *host,
                    weir_ip_version version, const struct wr_addrs *addrs,
                    uint64_t now_ns, uint64_t expires_ns);
/* true and the addresses when a fresh answer is there.  Each hit turns the
 * order within a family by one. */
bool wr_cache_find(struct wr_cache *cache, const char *host,
                   weir_ip_version version, uint64_t now_ns,
                   struct wr_addrs *ret_addrs);
/* true when the last answer, fresh or not, was stored after since_ns, has an
 * address of the peer's family, and the peer (whatever its port) is not one of
 * them.  An answer that fills a list may have been longer, so nobody has left
 * it. */
bool wr_cache_has_left(const struct wr_cache *cache, const char *host,
                       weir_ip_version version, const struct wr_addr *peer,
                       uint64_t since_ns);
void wr_cache_done(struct wr_cache *cache);

#endif
