/* A dial: resolve, connect, what a proxy wants, TLS handshake; all up to a
 * usable connection.
 *
 * A machine driven by whoever holds it (net/poll.h); it may change hands
 * between two steps.  It outlives the request that caused it: a dial is for
 * the bucket. */
#ifndef WR_CONN_DIAL_H
#define WR_CONN_DIAL_H

#include <weir/error.h>

#include "conn/conn.h"
#include "conn/target.h"
#include "http/head.h"
#include "net/poll.h"
#include "net/resolver.h"

struct wr_dial;

/* What a dial uses of its pool; outlives it. */
struct wr_dial_means {
    struct wr_resolver *resolver;
    struct wr_tls_sessions *sessions;
    struct wr_head_limits head_limits; /* of a proxy's answer to CONNECT */
};

/* Takes a reference to the target; begins nothing yet.  NULL: no memory. */
struct wr_dial *wr_dial_new(const struct wr_dial_means *means,
                            struct wr_target *target, uint64_t now_ns,
                            uint64_t limit_ns);
/* Takes the dial forward; `ready` as wr_query_step, and may be ret_waits. DONE:
 * wr_dial_take() has the connection.  ERROR: RESOLVE, CONNECT, PROXY, TLS or
 * WEIR_E_CONNECT_TIMEOUT, with the stage. */
enum wr_step wr_dial_step(struct wr_dial *dial, const struct wr_waits *ready,
                          uint64_t now_ns, struct wr_waits *ret_waits,
                          weir_error *ret_err);
/* Given: the connection of a dial that is DONE; its id and number are 0. */
struct wr_conn *wr_dial_take(struct wr_dial *dial);
const struct wr_dial_times *wr_dial_times(const struct wr_dial *dial);
struct wr_target *wr_dial_target(const struct wr_dial *dial);
weir_stage wr_dial_stage(const struct wr_dial *dial);
uint64_t wr_dial_begun(const struct wr_dial *dial);
/* Writes "93.184.216.34:443" to buf, or "" before the socket is connected and
 * once the connection is taken; returns buf. */
const char *wr_dial_peer(const struct wr_dial *dial, char buf[WR_ADDR_TEXT]);
/* The proxy has agreed to a tunnel. */
bool wr_dial_is_tunnelled(const struct wr_dial *dial);
/* The same with "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" before its end or
 * without TLS. */
const char *wr_dial_tls_text(const struct wr_dial *dial, char buf[WR_TLS_TEXT]);
/* Ends a dial at any stage; NULL is allowed. */
void wr_dial_free(struct wr_dial *dial);

#endif
