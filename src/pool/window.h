/* A sliding window: how many, and how many of them were of a kind, lately.
 *
 * Ten slots in a ring, of which the newest is still filling.  Zeroed memory is
 * a window of no width, which must be initialised before it is used. */
#ifndef WR_POOL_WINDOW_H
#define WR_POOL_WINDOW_H

#include <stdint.h>

enum {
    WR_WINDOW_SLOTS = 10
};

struct wr_tally {
    uint64_t all;
    uint64_t some; /* those of the kind; need not be part of `all` */
};

struct wr_window {
    uint64_t slot_ns;
    uint64_t newest; /* number of the newest slot: its time / slot_ns */
    struct wr_tally slots[WR_WINDOW_SLOTS]; /* by number modulo their count */
    struct wr_tally sum;
};

/* Empties it.  slot_ns > 0. */
void wr_window_init(struct wr_window *window, uint64_t slot_ns);
/* Adds to the slot of now_ns.  Cost: O(1). */
void wr_window_add(struct wr_window *window, uint64_t now_ns,
                   struct wr_tally more);
/* What is in the window at now_ns.  Cost: O(1). */
struct wr_tally wr_window_sum(struct wr_window *window, uint64_t now_ns);

#endif
