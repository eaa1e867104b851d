/* What the core is made of; shared by the files of this folder alone. */
#ifndef WR_POOL_STATE_H
#define WR_POOL_STATE_H

#include <sys/queue.h>

#include "base/heap.h"
#include "base/mem.h"
#include "pool/core.h"

/* A failed insertion into the map leaves it as it was. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) wr_malloc(size)
#define uthash_free(ptr, size) wr_free(ptr)
#include <uthash.h>

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
    unsigned cover;  /* DIALING: tickets that this dial is under way for */
    bool is_used;    /* has been lent */
    bool is_doomed;  /* OPEN: closed when its last lease is back */
    bool is_renewed; /* opaque was exchanged in place */
    weir_close_reason reason; /* doomed or closing */
    struct bucket *bucket;
    void *opaque;
    uint64_t opened_ns;
    uint64_t idle_since_ns;     /* 0 = never given back nor rested */
    uint64_t expiry_ns;         /* while idle */
    struct wr_heap_node due;    /* in core->due; its key may be too early */
    TAILQ_ENTRY(conn) lendable; /* in bucket->lendable */
    TAILQ_ENTRY(conn) lru;      /* idle: in core->idle; free: in core->spare */
    TAILQ_ENTRY(conn) action;   /* a DIAL or CLOSE that waits */
    struct ticket *suggested;   /* DIALING: whom the DIAL is suggested to */
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
    struct conn
        *dial; /* the DIAL that was suggested to it, if still in queue */
    void *user;
    uint64_t arrival;
    uint64_t deadline_ns; /* WR_HEAP_NONE = none */
    struct wr_heap_node due;
    TAILQ_ENTRY(ticket) line; /* bucket->line, core->outcomes or spare */
};

TAILQ_HEAD(conn_list, conn);
TAILQ_HEAD(ticket_list, ticket);

struct bucket {
    UT_hash_handle hh;
    struct conn_list lendable; /* most recently used first */
    struct ticket_list line;   /* oldest first; the covered ones in front */
    struct ticket *uncovered;  /* the oldest one, or NULL */
    unsigned tickets;
    unsigned covered;
    unsigned cover; /* of all dials under way */
    unsigned conns; /* not FREE */
    unsigned usual_capacity;
    struct wr_heap_node hungry;
    uint32_t key_len;
    unsigned char key[];
};

struct wr_core {
    struct wr_core_limits limits;
    bool is_shut;
    struct bucket *buckets; /* uthash */
    struct conn_list idle;  /* least recently used first */
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
    uint64_t arrivals;
    uint64_t uncovered; /* tickets */
    struct wr_core_counts counts;
};

/* --- records.c --- */

uint64_t wr_pool_handle(uint32_t index, uint32_t generation);
struct conn *wr_pool_find_conn(const struct wr_core *core, wr_conn_id id);
struct ticket *wr_pool_find_ticket(const struct wr_core *core, wr_ticket_id id);
wr_conn_id wr_pool_id_of(const struct conn *conn);
bool wr_pool_add_tickets(struct wr_core *core);
bool wr_pool_reserve_conns(struct wr_core *core, uint64_t tickets,
                           uint64_t max_total);
void wr_pool_free_ticket(struct wr_core *core, struct ticket *ticket);

/* --- line.c --- */

struct bucket *wr_pool_find_bucket(const struct wr_core *core,
                                   const struct wr_key *key);
struct bucket *wr_pool_add_bucket(struct wr_core *core,
                                  const struct wr_key *key);
void wr_pool_drop_if_empty(struct wr_core *core, struct bucket *bucket);
void wr_pool_update_hungry(struct wr_core *core, struct bucket *bucket);
void wr_pool_settle_cover(struct wr_core *core, struct bucket *bucket);
void wr_pool_leave_line(struct wr_core *core, struct ticket *ticket);
void wr_pool_fail_ticket(struct wr_core *core, struct ticket *ticket,
                         weir_status status);

/* --- conns.c --- */

uint64_t wr_pool_age_limit(const struct wr_core *core, const struct conn *conn);
bool wr_pool_is_idle(const struct conn *conn);
void wr_pool_make_lendable(struct bucket *bucket, struct conn *conn);
bool wr_pool_has_room(const struct conn *conn);
void wr_pool_rest(struct wr_core *core, struct conn *conn, uint64_t now_ns,
                  uint64_t keep_ns);
void wr_pool_lend(struct wr_core *core, struct conn *conn, bool *ret_was_used);
void wr_pool_free_conn(struct wr_core *core, struct conn *conn);
void wr_pool_start_close(struct wr_core *core, struct conn *conn,
                         weir_close_reason reason);
void wr_pool_close_idle(struct wr_core *core, struct conn *conn,
                        weir_close_reason reason);
void wr_pool_doom(struct conn *conn, weir_close_reason reason);
weir_close_reason wr_pool_expiry_reason(const struct wr_core *core,
                                        const struct conn *conn,
                                        uint64_t now_ns);
void wr_pool_serve_line(struct wr_core *core, struct bucket *bucket);
uint64_t wr_pool_hungry_count(const struct wr_core *core);
void wr_pool_rebalance(struct wr_core *core);

#endif
