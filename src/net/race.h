/* Address racing (RFC 8305 section 5): attempts start 250 ms apart, or at once
 * when the one before has failed; the first to connect wins, the others are
 * closed.  The list must be in the order wanted (wr_addrs_interleave).
 *
 * Sockets are non-blocking while connecting and blocking when handed out;
 * close-on-exec always; TCP_NODELAY on TCP. */
#ifndef WR_NET_RACE_H
#define WR_NET_RACE_H

#include <weir/error.h>

#include "net/addr.h"
#include "net/poll.h"

#define WR_RACE_DELAY_NS (UINT64_C(250) * 1000000)

struct wr_race_attempt {
    int fd;    /* -1 = not started, or over */
    int error; /* errno that ended it, 0 = none yet */
};

struct wr_race {
    struct wr_addrs addrs;
    struct wr_addr local; /* len 0 = any */
    struct wr_race_attempt attempts[WR_ADDRS_MAX];
    unsigned started;
    uint64_t next_start_ns;
};

/* addrs->count >= 1; both are copied; local may be NULL.  Opens no socket. */
void wr_race_init(struct wr_race *race, const struct wr_addrs *addrs,
                  const struct wr_addr *local);
/* Takes the race forward; `ready` as wr_query_step.
 * DONE: *ret_fd is given, *ret_winner its address.
 * ERROR: WEIR_E_CONNECT with the errno of the first address, e.g.
 * "connect to [::1]:443: connection refused" (", and 2 more addresses" when
 * there were several), or WEIR_E_SYSTEM when no socket could be made
 * (EMFILE …): a local fault. */
enum wr_step wr_race_step(struct wr_race *race, const struct wr_waits *ready,
                          uint64_t now_ns, struct wr_waits *ret_waits,
                          int *ret_fd, struct wr_addr *ret_winner,
                          weir_error *ret_err);
/* Closes what is open; may be called at any stage, and twice. */
void wr_race_done(struct wr_race *race);

#endif
