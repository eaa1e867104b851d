/* Shared by dial.c (the machine, up to the socket) and dial_layers.c (what is
 * put on it) alone. */
#ifndef WR_CONN_DIAL_INNER_H
#define WR_CONN_DIAL_INNER_H

#include "conn/dial.h"
#include "http/tunnel.h"
#include "net/race.h"

enum dial_state {
    DIAL_BEGIN,
    DIAL_NAME, /* of the origin, for a proxy that resolves none */
    DIAL_RESOLVE,
    DIAL_CONNECT,
    DIAL_HOP, /* TLS with the proxy */
    DIAL_PROXY,
    DIAL_TLS,
    DIAL_DONE,
    DIAL_FAILED,
};

struct wr_dial {
    enum dial_state state;
    struct wr_dial_means means;
    struct wr_target *target; /* one reference */
    uint64_t begun_ns;
    uint64_t limit_ns; /* span, for the message */
    uint64_t deadline_ns;
    uint64_t entered_ns; /* the state */
    struct wr_dial_times times;
    struct wr_query *query;
    struct wr_addr origin; /* what DIAL_NAME has found; len 0 = nothing */
    struct wr_race race;
    struct wr_conn *conn; /* from the socket on */
    struct wr_tunnel tunnel;
    bool is_tunnelled;
    struct wr_addr peer; /* that `conn` has */
};

/* A step of one state; the state may have changed behind it. */
typedef enum wr_step wr_dial_step_fn(struct wr_dial *dial,
                                     const struct wr_waits *ready,
                                     uint64_t now_ns,
                                     struct wr_waits *ret_waits,
                                     weir_error *ret_err);

wr_dial_step_fn wr_dial_step_hop, wr_dial_step_proxy, wr_dial_step_tls;

/* The only way to another state; counts the time in the last one. */
void wr_dial_set_state(struct wr_dial *dial, enum dial_state state,
                       uint64_t now_ns);
/* The next layer on the transport, or the end: as a step. */
enum wr_step wr_dial_build_up(struct wr_dial *dial, uint64_t now_ns,
                              weir_error *ret_err);

#endif
