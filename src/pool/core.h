/* The core of the pool: who gets which connection, and when.
 *
 * A value machine.  Inputs are function calls with the time as an argument;
 * outputs are a queue of actions and a next deadline.  It does no I/O, takes no
 * lock, calls nobody back, reads no clock, and does not know what a connection
 * is beyond an opaque pointer and a capacity.
 *
 * Words
 *   bucket   the connections, the waiting line and the counts of one pool key
 *   conn     a record: DIALING, then OPEN (idle, or lent n times up to its
 *            capacity), then CLOSING until the driver says closed
 *   lease    the right to one exchange on a conn
 *   ticket   a place in the line of a bucket
 *   covered  a ticket is covered when a dial of its bucket is under way for it;
 *            the covered ones are always the oldest of their line
 *   backs off  a bucket does so after a failed dial: no dial of it starts
 *            before its retry time
 *   hungry   a bucket with an uncovered ticket, below max_per_bucket, that does
 *            not back off
 *   warm     a bucket with a minimum of conns; cold while it has fewer and may
 *            dial
 *   home     whose hands a conn is in when idle: threads or the event loop
 *   watched  an idle conn is so from wr_core_watch() until it is lent or closed
 *
 * Invariants (the model test checks them after every operation)
 *   - conns that are not FREE (dialing, open, closing) <= max_total
 *   - conns of a bucket that are not FREE <= max_per_bucket, unless the limit
 *     was lowered since
 *   - a bucket with a free lease (idle conn, or spare capacity) has no ticket
 *   - uncovered tickets <= max_waiting at the moment one joins
 *   - within a bucket leases are granted in the order of arrival; when the
 *     total is the obstacle, room goes to the bucket whose oldest uncovered
 *     ticket is the oldest of all
 *   - when a bucket is hungry: no room is left below max_total, and either no
 *     conn is idle anywhere or as many are CLOSING as there are hungry buckets
 *     waiting (room is being made)
 *   - the watched conns are those that have been idle for longest
 *   - when a bucket is cold: no room is left below max_total, or one is hungry
 *   - a bucket without conns, tickets and warmth is gone, at the latest when
 *     the delay of its last failed dial has passed once more after the retry
 *     time
 *   - every ticket ends in exactly one GRANT, one FAIL or one cancel
 *   - every conn that was given to the driver ends in exactly one CLOSE action,
 *     or dial_failed
 *
 * Cost: O(1) expected for every operation, however many buckets, tickets and
 * conns there are; a time-out, expiry or retry that falls due costs O(log n).
 * wr_core_set_home passes the lendable conns of the bucket that were used
 * later; what takes back a queued action may look through the queue, which is
 * short, for drivers empty it after every input.
 *
 * Memory: only wr_core_new, wr_core_acquire, wr_core_warm and
 * wr_core_set_limits allocate.  What a later step could need (records for
 * conns, room in the heaps) is reserved when the ticket joins, the bucket is
 * made or warmth is asked for, so the road back cannot fail.
 *
 * A handle is index plus generation (CVE-2020-8231): a stale one is refused
 * with WEIR_E_STATE, never followed. */
#ifndef WR_POOL_CORE_H
#define WR_POOL_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>
#include <weir/pool.h>

/* Handles: 0 is none. */
typedef uint64_t wr_conn_id;
typedef uint64_t wr_ticket_id;

struct wr_core;

/* Who drives a conn while it is idle, and who asks for one. */
enum wr_home {
    WR_HOME_THREAD, /* blocking threads */
    WR_HOME_LOOP    /* the event loop */
};

/* How long a bucket backs off: after the first failed dial in a row, doubled
 * with each further one, and at most. */
#define WR_BACK_OFF_FIRST_NS UINT64_C(20000000)
#define WR_BACK_OFF_MAX_NS UINT64_C(1000000000)

/* Limits, changeable at any time with wr_core_set_limits(). */
struct wr_core_limits {
    unsigned max_total;
    unsigned max_per_bucket;
    unsigned max_waiting;
    uint64_t idle_ns;    /* an idle conn is closed after this; > 0 */
    uint64_t max_age_ns; /* not lent again when older; WR_NEVER = no limit */
    bool reuse;          /* false: every conn serves one lease, then closes */
};

/* Pool key: equal bytes, same bucket.  hash: any good 32-bit hash of them,
 * cached by the caller so that none is computed on the warm path. */
struct wr_key {
    const void *bytes;
    uint32_t len;
    uint32_t hash;
};

enum wr_action_kind {
    WR_ACT_NONE = 0, /* the queue is empty */
    WR_ACT_GRANT,    /* ticket has ended: conn is lent to user */
    WR_ACT_FAIL,     /* ticket has ended: user's call fails with status */
    WR_ACT_DIAL,     /* dial for the bucket of conn; suggested to user, the
                      * oldest ticket that no dial covered before, or the warm
                      * user (ticket 0).  Answer with wr_core_dialed or
                      * wr_core_dial_failed */
    WR_ACT_CLOSE,    /* close conn for reason, then wr_core_closed */
};

struct wr_action {
    enum wr_action_kind kind;
    wr_conn_id conn;
    wr_ticket_id ticket; /* GRANT, FAIL, DIAL (the one it is suggested to; 0 =
                          * for the warm minimum) */
    void *user;   /* the ticket's, for GRANT, FAIL and DIAL, or the warm user */
    void *opaque; /* the conn's, for GRANT and CLOSE */
    weir_status status; /* FAIL: ACQUIRE_TIMEOUT, CLOSED, or the status given
                         * to wr_core_dial_failed */
    const weir_error *cause;  /* FAIL that comes from a failed dial: why, lent
                               * until the next input; NULL = not known */
    weir_close_reason reason; /* CLOSE */
    bool reused;              /* GRANT: the conn has been lent before */
};

struct wr_core_counts {
    uint64_t open;   /* not FREE: dialing, open and closing */
    uint64_t idle;   /* open with no lease */
    uint64_t leased; /* open with at least one lease */
    uint64_t dialing;
    uint64_t closing;
    uint64_t waiting; /* tickets */
    uint64_t buckets;
    uint64_t leases; /* granted so far */
    uint64_t reused; /* of them, on a conn lent before */
    uint64_t dialed;
    uint64_t dial_failures;
    uint64_t queued; /* tickets that were not granted at once */
    uint64_t queue_full;
    uint64_t acquire_timeouts;
    uint64_t closed[WEIR_CLOSE_REASON_COUNT];
};

/* NULL: out of memory. */
struct wr_core *wr_core_new(const struct wr_core_limits *limits);
/* Forgets everything; the driver has closed what it held.  NULL is allowed. */
void wr_core_free(struct wr_core *core);

/* Asks for a lease on a conn of `key`'s bucket: the most recently used one of
 * the caller's `home`, else the most recently used of the other.
 *
 * WEIR_OK and *ret_grant->kind == GRANT: granted at once, no ticket, nothing
 *   queued (the warm path).
 * WEIR_OK and *ret_grant->kind == NONE: *ret_ticket waits; its outcome comes as
 *   an action (often DIAL first, which may be in the queue already).
 * wait_ns: longest time in the line; 0 = granted at once, by a dial of its own,
 *   or not at all: a ticket that no dial can cover at once is refused with
 *   WEIR_E_ACQUIRE_TIMEOUT.  The time limit holds while no dial covers the
 *   ticket: a dial has a time limit of its own, and what a slow one ends in is
 *   a connect time-out, not one of the line.  When it falls due while the
 *   bucket backs off and has no open conn, the ticket fails with the cause of
 *   that (counted as a time-out all the same).
 * WEIR_E_QUEUE_FULL, WEIR_E_CLOSED, WEIR_E_NO_MEMORY: nothing has changed. */
weir_status wr_core_acquire(struct wr_core *core, const struct wr_key *key,
                            enum wr_home home, uint64_t now_ns,
                            uint64_t wait_ns, void *user,
                            struct wr_action *ret_grant,
                            wr_ticket_id *ret_ticket);
/* Would wr_core_acquire() for `key` be granted, or have a dial of its own, at
 * once and at nobody's expense: by an idle conn, or by room below the limits,
 * which nobody waits for? */
bool wr_core_has_place(struct wr_core *core, const struct wr_key *key);
/* The caller of a ticket gives up; no action will come for it any more (one
 * already queued is taken back; a lease granted by it returns to the pool). */
weir_status wr_core_cancel(struct wr_core *core, wr_ticket_id id,
                           uint64_t now_ns);

/* Keeps at least `count` conns (within the limits) of `key`'s bucket: DIALs
 * with ticket 0 and `user` follow while it has fewer, room is left, it does not
 * back off and no bucket is hungry; nobody is evicted for it.  A CLOSING conn
 * counts until it is closed, as everywhere.  While it would leave fewer,
 * idle_ns closes none; what the peer keeps and max_age_ns do.  A conn that was
 * kept so closes at most idle_ns after it ceased to be needed.
 *
 * count 0 ends it.  A DIAL of a surplus that is still queued is taken back.
 * *ret_old_user: the user until now, which no action names any more; NULL =
 * none.  wr_core_shut ends all warmth without a word.
 * WEIR_E_CLOSED, WEIR_E_NO_MEMORY: nothing has changed. */
weir_status wr_core_warm(struct wr_core *core, const struct wr_key *key,
                         unsigned count, void *user, void **ret_old_user,
                         uint64_t now_ns);

/* A dial succeeded: `opaque` is the connection, `capacity` >= 1 the exchanges
 * it can carry at a time.  It goes to the oldest ticket of its bucket, else
 * rests as idle; its home is THREAD.  The bucket does not back off any more. */
weir_status wr_core_dialed(struct wr_core *core, wr_conn_id id, uint64_t now_ns,
                           void *opaque, unsigned capacity);
/* A dial failed, or was given up (WEIR_E_CANCELLED, not counted as a failure).
 *
 * Who fails with `status`: the ticket `blame` if it still waits.  blame 0: the
 * oldest of the bucket, or nobody if the dial was given up.  After a failure
 * that leaves the bucket without an open or dialling conn, all others of its
 * line as well; else they stay, and a new dial may follow for them.
 *
 * A failure makes the bucket back off, until tick finds the retry time due.
 * One that comes while it does so already belongs to the same round: the retry
 * time stays.
 *
 * cause: given (wr_malloc), NULL if not known; the bucket keeps the newest. */
weir_status wr_core_dial_failed(struct wr_core *core, wr_conn_id id,
                                wr_ticket_id blame, weir_status status,
                                weir_error *cause, uint64_t now_ns);
/* When the bucket of a waiting ticket stops backing off (tick is due then);
 * WR_NEVER = it does not back off, or the ticket is stale. */
uint64_t wr_core_retry_ns(const struct wr_core *core, wr_ticket_id id);

/* Gives a lease back.  reusable false: the conn is closed for `reason` once its
 * last lease is back, and not lent meanwhile.  keep_ns: how long the peer keeps
 * it when idle (Keep-Alive, margin taken off); WR_NEVER = unknown. */
weir_status wr_core_release(struct wr_core *core, wr_conn_id id,
                            uint64_t now_ns, bool reusable,
                            weir_close_reason reason, uint64_t keep_ns);
/* The holder of the only lease of a stale conn has closed its transport for
 * `reason` and dialled anew in its place (a stale retry): the record lives on,
 * as new, with `opaque`, its lease and its home; no line is joined, no place is
 * freed, and the bucket does not back off any more.  Should that dial fail, the
 * holder releases the conn as not reusable. */
weir_status wr_core_renewed(struct wr_core *core, wr_conn_id id,
                            uint64_t now_ns, void *opaque, unsigned capacity,
                            weir_close_reason reason);
/* An open conn turned out dead or unwanted outside an exchange (found at a peek
 * while it was lent, or by an idle watch): CLOSE follows.  Leases still out are
 * given back by wr_core_release as ever. */
weir_status wr_core_lost(struct wr_core *core, wr_conn_id id, uint64_t now_ns,
                         weir_close_reason reason);
/* The peer changed how many exchanges the conn takes (0 = none for now). */
weir_status wr_core_set_capacity(struct wr_core *core, wr_conn_id id,
                                 unsigned capacity, uint64_t now_ns);
/* An open conn, idle or lent, passes into other hands; it stays as recently
 * used as it was. */
weir_status wr_core_set_home(struct wr_core *core, wr_conn_id id,
                             enum wr_home home);
/* The driver has carried out a CLOSE: its place is free. */
weir_status wr_core_closed(struct wr_core *core, wr_conn_id id,
                           uint64_t now_ns);

/* Does what has fallen due: time-outs of tickets, idle and age limits, the ends
 * of back-offs. */
void wr_core_tick(struct wr_core *core, uint64_t now_ns);
/* When tick must be called next; WR_NEVER = not before the next input. */
uint64_t wr_core_deadline(struct wr_core *core);
/* Surplus idle conns are closed (RECONFIGURED), surplus lent ones at release.
 * WEIR_E_NO_MEMORY: nothing has changed. */
weir_status wr_core_set_limits(struct wr_core *core,
                               const struct wr_core_limits *limits,
                               uint64_t now_ns);
/* Refuses new tickets, fails all waiting ones with WEIR_E_CLOSED, closes all
 * idle conns (SHUTDOWN); lent and dialling ones close when they come back.
 * Warmth and back-offs end. */
void wr_core_shut(struct wr_core *core, uint64_t now_ns);

/* Takes the next action off the queue; kind NONE when empty.  Take all before
 * leaving the lock that guards the core. */
struct wr_action wr_core_next_action(struct wr_core *core);
/* Is the queue empty?  (The cheap test of the warm path.) */
bool wr_core_has_action(const struct wr_core *core);

void wr_core_counts(const struct wr_core *core, struct wr_core_counts *counts);
/* When the conn was at rest last, for the bypass window: given back, or dialled
 * (a dial that nobody waited for rests like one given back). */
uint64_t wr_core_idle_since(const struct wr_core *core, wr_conn_id id);
/* What the one of its bucket and home that has been idle for longest is: a
 * sibling, or the conn itself.  NULL: none is idle. */
void *wr_core_oldest_idle(const struct wr_core *core, wr_conn_id id);
/* The conn that has been idle for longest of those that are not watched; NULL:
 * none. */
void *wr_core_next_to_watch(const struct wr_core *core);
/* That conn is watched from now on.  WEIR_E_STATE: it is another one. */
weir_status wr_core_watch(struct wr_core *core, wr_conn_id id);
/* Is it open, with no lease (none queued either)? */
bool wr_core_is_idle(const struct wr_core *core, wr_conn_id id);

#endif
