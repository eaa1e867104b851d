/* What the core is made of; shared by the files of this folder alone. */
#ifndef WR_POOL_STATE_H
#define WR_POOL_STATE_H

#include <sys/queue.h>

#include "base/heap.h"
#include "base/mem.h"
#include "pool/core.h"
#include "pool/map.h"

enum conn_state {
    CONN_FREE,
    CONN_DIALING,
    CONN_OPEN,
    CONN_CLOSING
};

/* Records live in chunks, so that they never move; a free one is in a list. */
enum {
    CHUNK_RECORDS = 128
};

struct conn {
    enum conn_state state;
    uint32_t index;
    uint32_t generation;
    unsigned capacity;
    unsigned leases;
    unsigned cover; /* DIALING: tickets that this dial is under way for */
    unsigned char home;
    bool is_used;             /* has been lent */
    bool is_doomed;           /* OPEN: closed when its last lease is back */
    bool is_queued;           /* DIALING: nobody has taken the DIAL yet */
    weir_close_reason reason; /* doomed or closing */
    struct bucket *bucket;
    void *opaque;
    uint64_t opened_ns;
    uint64_t idle_since_ns;     /* 0 = never given back nor rested */
    uint64_t expiry_ns;         /* while idle */
    uint64_t limit_ns;          /* of it: what warmth does not put off */
    uint64_t due_ns;            /* key of `due`; may be too early */
    uint64_t recency;           /* when it became lendable; counts up */
    struct wr_heap_node due;    /* in core->due */
    TAILQ_ENTRY(conn) lendable; /* in bucket->lendable[home] */
    TAILQ_ENTRY(conn) lru;      /* idle: in core->idle; free: in core->spare */
    TAILQ_ENTRY(conn) action;   /* a DIAL or CLOSE that waits */
    struct ticket *suggested;   /* queued DIAL: to whom; NULL = the warm user */
};

struct ticket {
    bool is_live;
    bool is_covered;
    enum wr_action_kind outcome; /* GRANT or FAIL in the queue, or NONE */
    weir_status status;
    bool was_used;
    uint32_t index;
    uint32_t generation;
    struct bucket *bucket;
    struct conn *granted;
    struct conn *dial;       /* the queued DIAL that was suggested to it */
    const weir_error *cause; /* queued FAIL: the bucket's, or NULL */
    void *user;
    uint64_t arrival;
    uint64_t deadline_ns; /* WR_HEAP_NONE = none */
    struct wr_heap_node due;
    TAILQ_ENTRY(ticket) line; /* bucket->line, core->outcomes or spare */
};

TAILQ_HEAD(conn_list, conn);
TAILQ_HEAD(ticket_list, ticket);

TAILQ_HEAD(bucket_list, bucket);

enum {
    HOMES = 2
};

struct bucket {
    UT_hash_handle hh;
    struct conn_list lendable[HOMES]; /* most recently used first */
    struct ticket_list line;  /* oldest first; the covered ones in front */
    struct ticket *uncovered; /* the oldest one, or NULL */
    unsigned tickets;
    unsigned covered;
    unsigned cover;   /* of all dials under way */
    unsigned conns;   /* not FREE: open, dialing and closing */
    unsigned open;    /* of them */
    unsigned dialing; /* of them */
    unsigned usual_capacity;
    struct wr_heap_node hungry;

    unsigned warm; /* fewest conns that are kept */
    bool is_cold;  /* in core->cold */
    void *warm_user;
    TAILQ_ENTRY(bucket) cold;

    bool is_backing_off;          /* the retry time is still to come */
    uint64_t delay_ns;            /* of the last back-off; 0 = the last dial
                                   * succeeded */
    uint64_t retry_ns;            /* while it backs off */
    struct wr_heap_node back_off; /* until the delay is forgotten */
    weir_error *cause;            /* of the last failed dial; NULL = unknown */

    uint32_t key_len;
    unsigned char key[];
};

struct wr_core {
    struct wr_core_limits limits;
    bool is_shut;
    struct bucket *buckets; /* uthash */
    struct conn_list idle;  /* least recently used first */
    struct conn *watched;   /* idle: it and all before it are watched */
    struct conn_list spare; /* FREE records */
    struct conn_list actions;
    struct ticket_list outcomes;
    struct ticket_list spare_tickets;
    struct conn **conn_chunks;
    struct ticket **ticket_chunks;
    size_t conn_count; /* records */
    size_t ticket_count;
    size_t conn_chunk_cap;
    size_t ticket_chunk_cap;
    struct wr_heap due;    /* conns: idle and age limits */
    struct wr_heap waits;  /* tickets: time limits */
    struct wr_heap hungry; /* buckets, by arrival of their oldest uncovered */
    struct wr_heap back_offs; /* buckets: retry, then when to forget it */
    struct bucket_list cold;
    uint64_t warm;      /* sum over all buckets */
    uint64_t caused;    /* queued FAILs with a cause */
    uint64_t recencies; /* given so far */
    uint64_t arrivals;
    uint64_t uncovered; /* tickets */
    struct wr_core_counts counts;
};

/* --- records.c --- */

uint64_t wr_pool_handle(uint32_t index, uint32_t generation);
/* NULL: stale. */
struct conn *wr_pool_find_conn(const struct wr_core *core, wr_conn_id id);
/* NULL: stale. */
struct ticket *wr_pool_find_ticket(const struct wr_core *core, wr_ticket_id id);
wr_conn_id wr_pool_id_of(const struct conn *conn);
/* A chunk of spare tickets and heap room for them.  false: no memory. */
bool wr_pool_add_tickets(struct wr_core *core);
/* Records for the conns there are and `more` that waiting tickets and warmth
 * could still cause, below max_total.  false: no memory. */
bool wr_pool_reserve_conns(struct wr_core *core, uint64_t more,
                           uint64_t max_total);
/* Its handle goes stale. */
void wr_pool_free_ticket(struct wr_core *core, struct ticket *ticket);

/* --- line.c --- */

struct bucket *wr_pool_find_bucket(const struct wr_core *core,
                                   const struct wr_key *key);
/* NULL: no memory. */
struct bucket *wr_pool_add_bucket(struct wr_core *core,
                                  const struct wr_key *key);
/* Frees a bucket that holds nothing and need not be remembered. */
void wr_pool_drop_if_empty(struct wr_core *core, struct bucket *bucket);
/* Files the bucket as hungry, as cold, or as neither.  To be called after any
 * change of its conns, uncovered tickets, warmth or back-off. */
void wr_pool_update_needs(struct wr_core *core, struct bucket *bucket);
/* Lets the covered tickets be the oldest again, as many as there is cover. */
void wr_pool_settle_cover(struct wr_core *core, struct bucket *bucket);
/* Takes a ticket out of its line; the cover is to be settled. */
void wr_pool_leave_line(struct wr_core *core, struct ticket *ticket);
/* The same, and queues its FAIL; cause: its bucket's, or NULL. */
void wr_pool_fail_ticket(struct wr_core *core, struct ticket *ticket,
                         weir_status status, const weir_error *cause);
/* Fails all who wait there; the cover is to be settled. */
void wr_pool_fail_line(struct wr_core *core, struct bucket *bucket,
                       weir_status status, const weir_error *cause);

/* --- back_off.c --- */

/* A dial has failed at now_ns; cause: given, or NULL. */
void wr_pool_back_off(struct wr_core *core, struct bucket *bucket,
                      weir_error *cause, uint64_t now_ns);
/* A dial has succeeded, or it does not matter any more. */
void wr_pool_forget_failures(struct wr_core *core, struct bucket *bucket);
/* Ends the back-offs that are due. */
void wr_pool_tick_back_offs(struct wr_core *core, uint64_t now_ns);

/* --- warm.c --- */

/* May an idle conn outstay the pool's idle limit? */
bool wr_pool_is_kept_warm(const struct wr_core *core,
                          const struct bucket *bucket);
/* Ends the warmth of all buckets. */
void wr_pool_cool(struct wr_core *core);

/* --- conns.c --- */

/* When the conn is too old to be lent again; WR_NEVER = never. */
uint64_t wr_pool_age_limit(const struct wr_core *core, const struct conn *conn);
/* Open, with no lease? */
bool wr_pool_is_idle(const struct conn *conn);
/* Can it take one more lease?  (It is in a list of lendable ones then.) */
bool wr_pool_has_room(const struct conn *conn);
/* Into its bucket's list, as the most recently used. */
void wr_pool_make_lendable(struct wr_core *core, struct conn *conn);
/* Out of that list. */
void wr_pool_unlist(struct conn *conn);
void wr_pool_set_home(struct conn *conn, enum wr_home home);
/* Its last lease is back: it is idle until lent or expired. */
void wr_pool_rest(struct wr_core *core, struct conn *conn, uint64_t now_ns,
                  uint64_t keep_ns);
/* One more lease of a conn that has room. */
void wr_pool_lend(struct wr_core *core, struct conn *conn, bool *ret_was_used);
/* Its place is free; the bucket may be gone after it. */
void wr_pool_free_conn(struct wr_core *core, struct conn *conn);
/* An open conn without a lease that is in no list: out. */
void wr_pool_start_close(struct wr_core *core, struct conn *conn,
                         weir_close_reason reason);
void wr_pool_close_idle(struct wr_core *core, struct conn *conn,
                        weir_close_reason reason);
/* Not lent any more; closed once its leases are back. */
void wr_pool_doom(struct conn *conn, weir_close_reason reason);
/* Has this idle conn rested, or lived, for too long? */
bool wr_pool_is_expired(const struct wr_core *core, const struct conn *conn,
                        uint64_t now_ns);
weir_close_reason wr_pool_expiry_reason(const struct wr_core *core,
                                        const struct conn *conn,
                                        uint64_t now_ns);
/* When tick must look at the conn again. */
void wr_pool_set_due(struct wr_core *core, struct conn *conn, uint64_t due_ns);
/* A lease is off, or a dial succeeded: the conn rests, serves the line, or
 * closes. */
void wr_pool_settle_conn(struct wr_core *core, struct conn *conn,
                         uint64_t now_ns, uint64_t keep_ns);
/* Lends what is free to the oldest in the line. */
void wr_pool_serve_line(struct wr_core *core, struct bucket *bucket);

/* --- dials.c --- */

/* Dials for the bucket, and suggests it to the oldest uncovered ticket, else
 * to the warm user. */
void wr_pool_start_dial(struct wr_core *core, struct bucket *bucket);
/* A DIAL that is still queued never happened; the bucket may be gone. */
void wr_pool_take_back_dial(struct wr_core *core, struct conn *conn);

/* --- balance.c --- */

/* Buckets that are hungry. */
uint64_t wr_pool_hungry_count(const struct wr_core *core);
/* Gives room to the hungry, makes room for them, then warms the cold. */
void wr_pool_rebalance(struct wr_core *core);

#endif
