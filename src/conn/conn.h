/* A connection: a transport to one peer, and its place in the pool.
 *
 * It belongs to the pool; whoever holds its lease may use the transport, one
 * thread at a time.  It keeps nothing of any exchange: buffers and parser
 * state live in the response (conn/response.h), so that an idle connection is
 * small. */
#ifndef WR_CONN_CONN_H
#define WR_CONN_CONN_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "conn/target.h"
#include "conn/transport.h"

/* How long the parts of a dial took, in nanoseconds; 0 = did not happen. */
struct wr_dial_times {
    uint64_t resolve_ns;
    uint64_t connect_ns; /* with TLS to a proxy, and its agreement */
    uint64_t tls_ns;
};

struct wr_loop; /* the driver's */

struct wr_conn {
    struct wr_transport io;
    struct wr_target *target;  /* one reference */
    wr_conn_id id;             /* in the core; 0: in none, after a fork */
    uint64_t number;           /* for people, unique in the pool, from 1 */
    struct sockaddr_in6 peer;  /* or sockaddr_in; family 0: Unix socket */
    uint64_t dialed_ns;        /* when the dial began */
    uint64_t kept_until_ns;    /* the peer closes it then; WR_NEVER = open */
    uint64_t dns_seen;         /* generation of the resolver up to which the
                                * peer has not left its name; 0 = not looked */
    uint32_t dial_us[3];       /* resolve, connect, TLS: see wr_conn_times() */
    uint32_t slot;             /* in `loop` */
    struct wr_loop *loop;      /* registered there; NULL: nowhere */
    bool is_resumed;           /* TLS session was resumed */
    bool is_silent;            /* close without a TLS alert */
    atomic_bool is_cut;        /* the pool shut the socket down: not the peer */
    weir_close_reason reason;  /* once it is closing */
    TAILQ_ENTRY(wr_conn) link; /* of the pool */
    STAILQ_ENTRY(wr_conn) closing; /* while it waits to be closed */
};

TAILQ_HEAD(wr_conn_list, wr_conn);
STAILQ_HEAD(wr_conn_queue, wr_conn);

/* The times of its dial, to the microsecond. */
struct wr_dial_times wr_conn_times(const struct wr_conn *conn);
/* Closes the transport and frees the connection; in no list any more. */
void wr_conn_free(struct wr_conn *conn);
/* Writes the peer's address, e.g. "127.0.0.1:80"; cap >= WR_ADDR_TEXT. */
const char *wr_conn_peer_text(const struct wr_conn *conn, char *buf,
                              size_t cap);

#endif
