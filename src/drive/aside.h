/* Getting a connection on the caller's own thread while it waits for something
 * else as well: never sleeps, but says what to poll. */
#ifndef WR_DRIVE_ASIDE_H
#define WR_DRIVE_ASIDE_H

#include "drive/runtime.h"

struct wr_aside {
    struct wr_thread thread;
    bool is_in_line;
    struct wr_dial *dial;  /* under way on this thread, or NULL */
    struct wr_waits waits; /* what it waits for */
    bool has_ready;        /* waits.fds[].revents tell */
    unsigned told;         /* to the trace */
};

enum {
    WR_ASIDE_FDS = WR_WAITS_MAX + 1
};

/* Takes an idle connection into response->conn, or joins the line of the
 * prepared request if a dial covers it at once.  Any failure: it is not in the
 * line.  Called and returns with the lock held; lets go of it meanwhile. */
weir_status wr_aside_begin_locked(struct weir_pool *pool,
                                  struct wr_aside *aside,
                                  const struct weir_request *request,
                                  struct weir_response *response,
                                  uint64_t now_ns);
/* Goes on.  DONE: response->conn is there.  WAIT.  ERROR: *err.  Only WAIT
 * leaves it in the line. */
enum wr_step wr_aside_step(struct weir_pool *pool, struct wr_aside *aside,
                           struct weir_response *response, weir_error *err);
/* Adds what it waits for, WR_ASIDE_FDS at most; returns how many those are.
 * *deadline_ns is brought forward if it must be looked at earlier. */
unsigned wr_aside_waits(const struct wr_aside *aside, struct pollfd *fds,
                        uint64_t *deadline_ns);
/* The same after a poll. */
void wr_aside_polled(struct wr_aside *aside, const struct pollfd *fds);
/* Gives it up; not in the line: nothing. */
void wr_aside_leave(struct weir_pool *pool, struct wr_aside *aside);

#endif
