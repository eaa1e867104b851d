/* The runtime: what a pool is made of and what all drivers share.
 *
 * One lock guards the core, the lists and the figures.  Decisions are made
 * under it; callbacks, I/O and closing happen outside it.  Functions that end
 * in _locked want it held; wr_settle_locked lets go of it and takes it again.
 */
#ifndef WR_DRIVE_RUNTIME_H
#define WR_DRIVE_RUNTIME_H

#include <pthread.h>
#include <stdatomic.h>

#include <weir/pool.h>

#include "base/cold.h"
#include "conn/conn.h"
#include "conn/course.h"
#include "conn/dial.h"
#include "conn/request.h"
#include "conn/response.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "pool/core.h"

/* Given-back responses that a pool keeps, and the largest buffer of one; and
 * origins whose health it remembers. */
enum {
    WR_ORIGINS_MAX = 4096,
    WR_SPARES_MAX = 64,
    WR_SPARE_BUFFER_MAX = 65536
};

struct weir_call;
struct wr_loop;

/* Somebody in the line, and how that ended: a thread, or a call of a loop. */
struct wr_waiter {
    struct weir_call *call;   /* NULL: a thread (struct wr_thread) */
    wr_ticket_id ticket;      /* 0 = none, or it has ended */
    struct wr_target *target; /* borrowed from the request */
    struct wr_conn *conn;     /* granted */
    bool is_reused;
    bool has_rested;    /* it was idle before */
    weir_status status; /* failed, unless WEIR_OK */
    weir_error error;   /* then */
};

/* A thread that waits for a connection; lives on its stack. */
struct wr_thread {
    struct wr_waiter waiter;
    wr_conn_id dial_id;   /* a dial offered to this thread; 0 = none */
    struct wr_dial *dial; /* the same, already under way elsewhere, or NULL */
    weir_stage stage;     /* how far it has come */
    bool is_asleep;       /* on `wake` */
    const struct wr_waits *waits; /* while it drives a dial: the dial's */
    int wake_fd;         /* while it polls in a dial: eventfd; else -1 */
    pthread_cond_t wake; /* otherwise */
    bool was_woken;      /* since wake_fd was opened: see wake.h */
    TAILQ_ENTRY(wr_thread) link;
};

TAILQ_HEAD(wr_thread_list, wr_thread);
TAILQ_HEAD(wr_call_list, weir_call);
TAILQ_HEAD(wr_warm_list, wr_warm);

/* Figures that the core does not keep. */
struct wr_tally {
    uint64_t requests;
    uint64_t responses;
    uint64_t failures;
    uint64_t tls_resumed;
    uint64_t stale_retries;
    uint64_t retries;
    uint64_t redirects;
    uint64_t retries_denied;
    uint64_t breaker_refusals;
    uint64_t hedges;
    uint64_t hedges_won;
    uint64_t hedges_skipped;
    uint64_t hedges_denied;
    uint64_t leaks;
    uint64_t bytes_sent;
    uint64_t bytes_received;
};

struct weir_pool {
    /* Immutable after opening. */
    struct wr_surroundings surroundings;
    struct wr_dial_means means;
    struct wr_policy policy;
    bool is_plain; /* the policy */
    struct wr_coding_limits coding_limits;
    struct wr_tls_context *tls;
    struct wr_proxies *proxies; /* NULL = all is direct */
    weir_trace_fn trace;
    void *trace_user;

    TAILQ_ENTRY(weir_pool) known; /* see forking.h */
    pthread_rwlock_t dial_gate;   /* read: a dial takes a step; write: fork() */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something was given back, while closing */
    unsigned refs;          /* the handle, leases, and responses in use */
    bool is_closed;         /* no new calls */
    bool is_cut;            /* the grace is over */
    struct wr_core *core;
    struct wr_health *health;
    struct wr_conn_list conns;
    struct wr_thread_list threads; /* that wait, in order of arrival */
    int spare_wake_fd;             /* for the next that polls; -1 = none */
    struct wr_thread *timekeeper;  /* that sleeps until the core's deadline */
    struct wr_response_stack spares;
    unsigned spare_count;
    struct wr_call_list spare_calls;
    unsigned spare_call_count;
    struct wr_loop **loops; /* none before they are needed */
    unsigned loop_count;
    unsigned next_loop;           /* round robin */
    bool has_no_keeper;           /* it could not be started */
    struct wr_call_list delayed;  /* between two attempts */
    unsigned call_count;          /* asynchronous calls that have not ended */
    struct wr_warm_list warm;     /* what weir_pool_warm() asked for */
    struct wr_response_list held; /* leases that are watched: leaks.h */
    uint64_t leak_due_ns;         /* when to look at them */
    pthread_cond_t call_ended;    /* for those who wait for calls */
    unsigned call_waiters;
    uint64_t conn_numbers;
    unsigned epoch; /* forks so far: calls of another one are the parent's */
    atomic_bool is_tls_due; /* see means.h */
    uint64_t dns_seen;      /* generation of the resolver: see follow.h */
    struct wr_tally tally;
    weir_pool_options options; /* as they stand; strings are owned */
    char *options_block;
    struct wr_call_limits limits; /* from options, in nanoseconds */
    struct wr_head_limits head_limits;
    uint64_t validate_ns;
    uint64_t leak_ns; /* WR_NEVER = off */
};

/* Carries out all actions of the core; closes connections outside the lock. */
void wr_settle_locked(struct weir_pool *pool);
/* wr_settle_locked, if there is anything to do. */
static inline void wr_settle_if_needed_locked(struct weir_pool *pool)
{
    if (wr_core_has_action(pool->core))
        wr_settle_locked(pool);
}
/* Something has ended while the pool is being closed. */
void wr_tell_closer_locked(struct weir_pool *pool);
/* Does what has fallen due. */
WR_COLD void wr_catch_up_locked(struct weir_pool *pool, uint64_t now_ns);
static inline void wr_tick_locked(struct weir_pool *pool, uint64_t now_ns)
{
    if (pool->leak_due_ns <= now_ns || wr_core_deadline(pool->core) <= now_ns)
        wr_catch_up_locked(pool, now_ns);
}

/* A reference; dropping the last one frees the pool, so the lock is released
 * by wr_unref_unlock. */
static inline void wr_ref_locked(struct weir_pool *pool)
{
    pool->refs++;
}
void wr_unref_unlock(struct weir_pool *pool);

/* A response to use, from the spares if there is one.  NULL: no memory. */
struct weir_response *wr_take_response_locked(struct weir_pool *pool);
/* The same, perhaps without room for fields. */
struct weir_response *wr_take_bare_response_locked(struct weir_pool *pool);
/* Gives one back that holds no lease.  Returns it if it must be deleted, which
 * the caller does outside the lock; NULL otherwise. */
struct weir_response *wr_keep_response_locked(struct weir_pool *pool,
                                              struct weir_response *response);

/* The oldest thread that waits for that bucket and has no dial, or NULL. */
struct wr_thread *wr_free_hand_locked(struct weir_pool *pool,
                                      const struct wr_key *key);
/* A dial that came to its end: a new connection joins the pool. */
void wr_adopt_locked(struct weir_pool *pool, struct wr_conn *conn,
                     wr_conn_id id);

/* Sets the limits that follow from pool->options. */
void wr_apply_options_locked(struct weir_pool *pool);
void wr_core_limits_from(const weir_pool_options *options,
                         struct wr_core_limits *ret_limits);

/* Tells the trace, if there is one.  Not under the lock. */
WR_COLD __attribute__((format(printf, 6, 7))) void
wr_trace(struct weir_pool *pool, weir_trace_kind kind, uint64_t connection,
         const char *origin, uint64_t elapsed_ns, const char *format, ...);
#define WR_TRACES(pool) __builtin_expect((pool)->trace != NULL, 0)

#endif
