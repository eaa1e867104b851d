/* Health: what a pool knows of each origin, and what it allows on the strength
 * of it: retries, attempts at all, hedged requests.
 *
 * A value machine like the core (pool/core.h): the time is an argument, nothing
 * does I/O, takes a lock, calls back or reads a clock.
 *
 * Words
 *   record    what is known of one origin: its budget, breaker and latencies
 *   request   what the user asked for; attempts at it are the first and retries
 *   pending   a retry from wr_origin_begin_retry() to wr_origin_end_retry():
 *             it waits for its delay or is under way
 *   breaker   CLOSED lets all attempts through; OPEN none; HALF_OPEN one, the
 *             probe
 *   pass      what an admitted attempt holds until it reports
 *   outcome   GOOD or BAD: what the origin did.  NEUTRAL: says nothing of it (a
 *             fault of ours, a cancel)
 *   good latency  of an attempt that ended well
 *
 * Invariants (the model test checks them)
 *   - a retry begins only if, with it, retries are at most 20 % of the requests
 *     of the last 10 s, or if it is one of at most 3 pending
 *   - while a breaker is OPEN no attempt is admitted; from its end until a
 *     GOOD or BAD report of a probe, one at a time
 *   - a report changes nothing when the breaker has changed its state since
 *     the attempt was admitted
 *
 * Windows are made of ten slots, of which the newest is still filling: they
 * look back over nine to ten tenths of their span.  A time before the latest
 * one that a window has seen counts as the latest.
 *
 * It refuses to know what is a failure, what may be sent twice, and who waits.
 *
 * Memory: 1.5 KiB and the name an origin.  Only wr_health_new() and
 * wr_health_open() allocate.  Threads: one at a time per wr_health. */
#ifndef WR_POOL_HEALTH_H
#define WR_POOL_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wr_health; /* the records of all origins of a pool */
struct wr_origin; /* one origin's record */

/* --- records ------------------------------------------------------------- */

/* max_origins: records kept while nobody refers to them; the one whose last
 * reference was given back first is forgotten first.  Those with a reference
 * stay, and count, however many they are.  NULL: no memory. */
struct wr_health *wr_health_new(size_t max_origins);
/* Forgets everything; references still out are void.  NULL is allowed. */
void wr_health_free(struct wr_health *health);

/* The record of an origin, with a reference; a new one knows nothing.  Hold it
 * as long as a retry is pending or a pass is out: they end with the record.
 *
 * origin: "https://example.org:443"; borrowed for the call, copied into a new
 * record.  Equal bytes, same record: canonical form is the caller's duty.
 * NULL: no memory; nothing has changed.  Cost: O(length) expected. */
struct wr_origin *wr_health_open(struct wr_health *health, const char *origin);
/* Gives a reference back; the record may be gone afterwards.  NULL is allowed.
 * Cost: O(1) expected. */
void wr_health_close(struct wr_health *health, struct wr_origin *origin);

/* --- retry budget -------------------------------------------------------- */

enum {
    WR_RETRY_PERCENT = 20, /* retries, of the requests of the window */
    WR_RETRY_WINDOW_S = 10,
    WR_RETRY_FLOOR = 3, /* pending at a time, whatever the percentage */
};

/* A request begins: its first attempt, before any retry of it.  Cost: O(1). */
void wr_origin_count_request(struct wr_origin *origin, uint64_t now_ns);
/* May one more retry be scheduled?  True: it is counted, and pending until
 * wr_origin_end_retry().  False: nothing has changed.  Cost: O(1). */
bool wr_origin_begin_retry(struct wr_origin *origin, uint64_t now_ns);
/* A retry has ended, or will not take place; once for each that began. */
void wr_origin_end_retry(struct wr_origin *origin);

/* --- circuit breaker ----------------------------------------------------- */

/* When a breaker opens, and for how long.  The same for all calls to an origin;
 * when window_ns changes, the counts of the window begin anew.  With neither
 * failures nor rate there is no breaker: all attempts are admitted, and one
 * that was OPEN or HALF_OPEN becomes CLOSED with the next. */
struct wr_breaker_rules {
    unsigned failures;     /* opens after that many BAD in a row; 0 = not
                            * looked at */
    double rate;           /* or when that share of the outcomes within the
                            * window is BAD, 0 < rate <= 1; 0 = not looked at */
    uint64_t window_ns;    /* > 0 with a rate */
    unsigned min_requests; /* fewer outcomes in the window say nothing */
    uint64_t open_ns;      /* from opening to the first probe */
};

struct wr_pass {
    uint32_t generation; /* counts the changes of state */
    bool is_probe;
};

enum wr_outcome {
    WR_OUTCOME_GOOD,
    WR_OUTCOME_BAD,
    WR_OUTCOME_NEUTRAL, /* counts nowhere; a probe that ends so leaves its
                         * place to the next attempt */
};

enum wr_breaker_state {
    WR_BREAKER_CLOSED,
    WR_BREAKER_OPEN, /* also when open_ns is over, until the next attempt */
    WR_BREAKER_HALF_OPEN,
};

/* May an attempt be made?  True: *ret_pass is its pass, and exactly one
 * wr_origin_report() follows, however the attempt ends.  False: *ret_probe_ns
 * is the time when the next probe may go, WR_NEVER included; now_ns while one
 * is under way.  The other output is untouched.  Cost: O(1). */
bool wr_origin_admit(struct wr_origin *origin,
                     const struct wr_breaker_rules *rules, uint64_t now_ns,
                     struct wr_pass *ret_pass, uint64_t *ret_probe_ns);
/* The outcome of an attempt that was admitted.  The first GOOD or BAD one of a
 * probe closes the breaker with all counts fresh, or opens it again for
 * open_ns.  Cost: O(1). */
void wr_origin_report(struct wr_origin *origin,
                      const struct wr_breaker_rules *rules,
                      const struct wr_pass *pass, enum wr_outcome outcome,
                      uint64_t now_ns);

enum wr_breaker_state wr_origin_breaker_state(const struct wr_origin *origin);
/* "closed", "open" or "half-open"; static. */
const char *wr_breaker_state_name(enum wr_breaker_state state);

/* --- latency ------------------------------------------------------------- */

enum {
    WR_LATENCIES = 128,   /* good latencies remembered; the oldest gives way */
    WR_LATENCIES_MIN = 20 /* fewer say nothing */
};

/* Remembers a good latency.  Cost: O(1). */
void wr_origin_count_latency(struct wr_origin *origin, uint64_t latency_ns);
/* The 95th percentile of the latencies remembered, by nearest rank: the 19th of
 * 20, the 122nd of 128 in rising order.  False, *ret_ns untouched: too few.
 * Cost: O(WR_LATENCIES). */
bool wr_origin_p95(const struct wr_origin *origin, uint64_t *ret_ns);

#endif
