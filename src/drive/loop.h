/* A loop: one thread at a time waits for many descriptors and takes calls and
 * dials forward.
 *
 * Hosted: a thread of weir's own runs it; external: whoever calls
 * weir_pool_dispatch().  The first loop of a pool is also its keeper
 * (keeper.h).
 *
 * A *slot* is a registered descriptor.  Its number and generation come back
 * with the poller's events, so that an event for what has gone meanwhile is
 * known as such.  A connection in a loop's hands is *active* there: its slot
 * has a call, and only the loop touches it.  Any other registered connection is
 * idle, belongs to the pool, and may be taken by anybody under the lock.
 *
 * Others reach a loop through its inbox, under the pool's lock. */
#ifndef WR_DRIVE_LOOP_H
#define WR_DRIVE_LOOP_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/cold.h"
#include "base/heap.h"
#include "drive/poller.h"
#include "drive/runtime.h"

enum {
    WR_LOOP_EVENTS = 256,    /* taken from the poller at a time */
    WR_LOOP_SCRATCH = 65536, /* bytes that a body is received into */
    WR_LOOP_ROOMS = 64,      /* of ended calls, kept for others */
};

/* What a response is received into. */
struct wr_room {
    struct wr_buf in;
    struct wr_field_ref *fields;
    unsigned fields_max;
};

struct wr_slot {
    atomic_uint generation;
    uint32_t next_free;
    int fd;                    /* -1 = free */
    struct wr_conn *conn;      /* under the lock */
    struct weir_call *call;    /* the loop's: conn is active */
    struct wr_loop_dial *dial; /* the loop's: fd is one of its waits */
};

/* A dial on a loop. */
struct wr_loop_dial {
    struct wr_dial *dial;
    wr_conn_id id;            /* the pool's place; 0: in place of a stale one */
    struct weir_call *renews; /* whose */
    struct wr_waits waits;
    uint32_t slots[WR_WAITS_MAX]; /* of waits.fds[]; 0 = none */
    unsigned told;                /* to the trace */
    struct wr_heap_node due;
    TAILQ_ENTRY(wr_loop_dial) link;
};

TAILQ_HEAD(wr_loop_dial_list, wr_loop_dial);

struct wr_loop {
    struct weir_pool *pool;
    unsigned index; /* in pool->loops */
    struct wr_poller *poller;
    int wake_fd; /* eventfd, registered as slot 0 */
    pthread_t thread;
    bool has_thread;

    /* Under the lock. */
    struct wr_call_list inbox;
    struct wr_loop_dial_list new_dials;
    bool is_running;  /* somebody takes a turn */
    bool is_asleep;   /* it waits, or is about to */
    bool is_woken;    /* wake_fd has been written to */
    bool is_stopping; /* hosted: the thread shall end */
    uint64_t sleeps_until_ns;
    uint64_t told_ns; /* external: until when the program waits at most, as it
                       * was told last; 0 = it has never asked */
    uint64_t rest_ns; /* keeper: when some connection may be put to rest */
    struct wr_slot *slots;
    uint32_t slot_count;
    uint32_t free_slot; /* 0 = none */

    /* Its own. */
    uint64_t now_ns;
    uint64_t keep_ns; /* keeper: the next round */
    uint64_t
        untimed_ns; /* calls that are not in call_due fall due no earlier */
    struct wr_heap call_due;
    struct wr_heap dial_due;
    bool must_cut;  /* the pool's grace is over */
    bool must_stop; /* is_stopping, as it fell asleep */
    bool is_cut;    /* all calls have been ended */
    unsigned call_count;
    struct wr_call_list calls;
    struct wr_call_list again; /* have more to do at once */
    struct wr_call_list ready; /* have their connection and begin at once */
    unsigned dial_count;
    struct wr_loop_dial_list dials;
    struct wr_room rooms[WR_LOOP_ROOMS]; /* the last one is the warmest */
    unsigned room_count;
    struct wr_poller_event events[WR_LOOP_EVENTS];
    char scratch[WR_LOOP_SCRATCH];
};

static inline void wr_room_done(struct wr_room *room)
{
    wr_buf_done(&room->in);
    wr_free(room->fields);
}

/* The loop that runs on this thread, or NULL. */
struct wr_loop *wr_loop_here(void);

/* --- hosts.c ------------------------------------------------------------- */

/* Makes the pool's loops, and their threads if it hosts them.
 * WEIR_E_NO_MEMORY, WEIR_E_SYSTEM: nothing has changed. */
WR_COLD weir_status wr_loops_make_locked(struct weir_pool *pool,
                                         weir_error *ret_err);
/* The same unless they are there. */
static inline weir_status wr_loops_start_locked(struct weir_pool *pool,
                                                weir_error *ret_err)
{
    return pool->loops ? WEIR_OK : wr_loops_make_locked(pool, ret_err);
}
/* Ends the threads and the dials; lets go of the lock meanwhile.  No call is
 * left. */
void wr_loops_stop_locked(struct weir_pool *pool);
/* Frees the loops; none runs. */
void wr_loops_free(struct weir_pool *pool);
/* Does some hosted loop call wr_core_tick() when it is due? */
bool wr_loop_keeps_time(const struct weir_pool *pool);
/* The loop for a new call: that of this thread, else each in turn. */
struct wr_loop *wr_loop_choose_locked(struct weir_pool *pool);

/* --- loop.c -------------------------------------------------------------- */

/* Handles what is there; waits for it until the deadline, 0 = not at all.
 * Without the lock; one thread at a time. */
void wr_loop_turn(struct wr_loop *loop, uint64_t deadline_ns);
/* Ends the dials that are left; no call is, and nobody runs the loop any more.
 */
void wr_loop_end(struct wr_loop *loop);
/* When the next turn is due; 0 = at once. */
uint64_t wr_loop_due_locked(struct wr_loop *loop);
/* Makes the loop look into its inbox. */
void wr_loop_wake_locked(struct wr_loop *loop);
/* Room in a heap for `count` nodes that come and go.  false: no memory. */
static inline bool wr_loop_reserve(struct wr_heap *heap, unsigned count)
{
    return wr_heap_reserve(heap, (size_t)count * 2);
}
/* Sets when a node falls due, in a heap that has room; WR_NEVER: not at all. */
void wr_loop_set_due(struct wr_heap *heap, struct wr_heap_node *node,
                     uint64_t at_ns);

/* --- slots.c ------------------------------------------------------------- */

/* Registers the loop's own wake_fd as slot 0.  0 or errno. */
int wr_slot_add_first(struct wr_loop *loop);
/* Registers a descriptor.  0 or errno; *ret_slot is its number. */
int wr_slot_add_locked(struct wr_loop *loop, int fd, short events, bool edge,
                       uint32_t *ret_slot);
void wr_slot_drop_locked(struct wr_loop *loop, uint32_t index);
uint64_t wr_slot_data(const struct wr_loop *loop, uint32_t index);
/* The connection is at home with the loop from now on.  0 or errno. */
int wr_loop_attach_locked(struct wr_loop *loop, struct wr_conn *conn);
/* It is at home with no loop any more, before a thread takes it or it is
 * closed; one that is not is left alone. */
void wr_loop_detach_locked(struct wr_conn *conn);

/* --- loop_dial.c --------------------------------------------------------- */

/* A dial of the bucket of `target` for a loop to run.  Fails in the core if
 * there is no memory. */
void wr_loop_offer_dial_locked(struct weir_pool *pool, struct wr_target *target,
                               wr_conn_id id, uint64_t limit_ns);
/* The same with one under way; given.  false: no loop can have it. */
bool wr_loop_take_dial_locked(struct weir_pool *pool, struct wr_dial *dial,
                              wr_conn_id id);
/* Dials in the place of a call's stale connection.  false: no memory. */
bool wr_loop_renew(struct wr_loop *loop, struct weir_call *call);
/* Takes up those of new_dials; takes one forward; ends one, or all. */
WR_COLD void wr_loop_adopt_dials(struct wr_loop *loop,
                                 struct wr_loop_dial_list *list);
WR_COLD void wr_loop_dial_step(struct wr_loop *loop, struct wr_loop_dial *dial,
                               const struct wr_waits *ready);
WR_COLD void wr_loop_drop_dial(struct wr_loop *loop, struct wr_loop_dial *dial);
WR_COLD void wr_loop_drop_dials(struct wr_loop *loop);

#endif
