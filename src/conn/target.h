/* A target: whom a request is for and by which way, with its pool key.
 *
 * One piece of memory, with what it points to behind it: a connection holds on
 * to its target, so an address takes room only where one was given.
 *
 * Immutable once made, shared by reference between a request, its dials and
 * its connections; any thread may hold a reference. */
#ifndef WR_CONN_TARGET_H
#define WR_CONN_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <weir/pool.h>

#include "http/proxy.h"
#include "net/addr.h"
#include "net/tls.h"
#include "pool/core.h"

struct wr_target {
    atomic_uint refs;
    bool is_tunnelled;             /* the proxy is asked for a tunnel */
    bool is_single_use;            /* its connections serve one request */
    struct wr_key key;             /* protocol-rules section 1, in that order */
    struct wr_tls_context *tls;    /* borrowed from the pool; NULL = plain */
    const struct wr_proxy *proxy;  /* NULL = direct */
    const struct wr_hop *hop;      /* TLS with the proxy; NULL = none */
    const struct wr_addr *address; /* NULL = DNS knows where to connect */
    const struct wr_addr *local;   /* binds the local end; NULL = any */
    weir_ip_version ip_version;
    uint16_t port;
    const char *host;      /* canonical, see http/url.h */
    const char *unix_path; /* NULL = TCP */
    const char *origin;    /* "https://example.org:443" */
};

/* TLS with an https proxy, which is a matter between the two: it has a key of
 * its own for its sessions. */
struct wr_hop {
    struct wr_tls_context *tls; /* borrowed from the pool */
    struct wr_slice key;
};

struct wr_target_parts {
    bool tls;
    const char *host;
    uint16_t port;
    const char *unix_path; /* NULL = TCP */
    const char *address;   /* IP literal or NULL */
    const char *local;     /* IP literal or NULL */
    const char *isolation; /* tag or NULL */
    bool is_single_use;
    weir_ip_version ip_version;
    const struct wr_proxy *proxy;   /* NULL or WR_PROXY_NONE = direct */
    struct wr_tls_context *context; /* used when tls, or with an https proxy */
    uint32_t epoch;                 /* settings generation, fork */
    uint32_t hash_seed; /* random, so that nobody picks collisions */
};

/* Given, with one reference.  All parts are copied but for the context.
 * NULL: out of memory.  Literals and the path have been checked before. */
struct wr_target *wr_target_new(const struct wr_target_parts *parts);
/* The name whose address the socket is connected to, and its port. */
static inline const char *wr_target_peer_host(const struct wr_target *target)
{
    return target->proxy ? target->proxy->host : target->host;
}
static inline uint16_t wr_target_peer_port(const struct wr_target *target)
{
    return target->proxy ? target->proxy->port : target->port;
}
void wr_target_ref(struct wr_target *target);
/* NULL is allowed. */
void wr_target_unref(struct wr_target *target);

#endif
