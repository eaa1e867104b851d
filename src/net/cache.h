/* The cache of the resolver: answers by host name and family, for as long as
 * they are fresh.
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

/* Keeps a copy until expires_ns, in place of what was there.  Without memory,
 * or with a host that is too long, nothing is kept. */
void wr_cache_store(struct wr_cache *cache, const char *host,
                    weir_ip_version version, const struct wr_addrs *addrs,
                    uint64_t expires_ns);
/* true and the addresses when a fresh answer is there.  Each hit turns the
 * order within a family by one. */
bool wr_cache_find(struct wr_cache *cache, const char *host,
                   weir_ip_version version, uint64_t now_ns,
                   struct wr_addrs *ret_addrs);
void wr_cache_done(struct wr_cache *cache);

#endif
