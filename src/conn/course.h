/* A course: what a call does beyond one attempt, by redirects and retries
 * (protocol-rules sections 3 and 5).
 *
 * Words: *asked*, the request of the caller; *sent*, the one that is sent next:
 * the same, or what a redirect has made of it; *attempt*, one sending of it.
 *
 * A machine without I/O, clock and lock: after each attempt it is told how that
 * ended and says what comes next.  Both drivers follow it; a call that may do
 * nothing beyond one attempt has none.  Once the call has ended the course
 * belongs to the response, or to the call that has none, as the record of what
 * happened. */
#ifndef WR_CONN_COURSE_H
#define WR_CONN_COURSE_H

#include "conn/exchange.h"
#include "pool/health.h"
#include "pool/retry.h"

/* When a second request is sent. */
struct wr_hedge_rules {
    uint64_t delay_ns; /* after the first; 0 = none */
    bool p95;          /* the origin's own, once it is known */
};

/* What a pool allows its calls; a request may have its own. */
struct wr_policy {
    unsigned max_redirects; /* 0: a redirect is a response like any other */
    bool may_downgrade;     /* from https to http */
    struct wr_retry_rules retry;
    struct wr_breaker_rules breaker;
    struct wr_hedge_rules hedge;
};

/* What an attempt under way owes to the record of its origin. */
struct wr_debt {
    struct wr_pass pass; /* if has_pass */
    bool has_pass;
    bool has_retry; /* it counts as a retry that is pending */
};

/* What an attempt was. */
struct wr_attempt {
    weir_attempt_kind kind;
    size_t url;          /* offset in `urls`; terminated */
    int status;          /* of its response, 0 = there was none */
    weir_status outcome; /* WEIR_OK: there was one */
    uint64_t connection; /* its number, 0 = none */
    uint64_t delay_ns;   /* waited before it */
    uint64_t begun_ns;
    uint64_t ended_ns; /* header section in, or failed */
};

struct wr_course {
    struct wr_policy policy;
    weir_redirect_fn on_redirect; /* the caller's say, or NULL */
    void *on_redirect_user;
    struct weir_request *asked; /* borrowed while the call runs */
    struct weir_request *sent;  /* asked, or owned */
    unsigned redirects;
    unsigned tries;           /* attempts on this URL */
    bool is_stripped;         /* credentials have been dropped, for good */
    bool was_sent;            /* some attempt may have been processed */
    struct wr_origin *origin; /* of `sent`: one reference */
    struct wr_debt debt;      /* of the attempt under way */
    uint64_t hedge_ns;        /* after which it is hedged; 0 = never */
    bool has_hedge;           /* it is, by the last of the attempts */
    struct wr_debt hedge_debt;
    uint64_t first_sent_ns; /* it has been: when the first of the pair was
                             * sent; else 0 */
    struct wr_buf urls;
    struct wr_attempt *attempts;
    size_t now; /* the attempt under way */
    size_t count;
    size_t cap;
};

/* Does the policy neither allow nor forbid anything beyond one attempt? */
bool wr_policy_is_plain(const struct wr_policy *policy);

/* A course for a call of `asked`, and its first attempt.  NULL: no memory. */
struct wr_course *wr_course_new(const struct wr_policy *policy,
                                struct weir_request *asked, uint64_t now_ns);
/* The call has ended: what only a running one needs is freed. */
void wr_course_end(struct wr_course *course);
/* Its end was a failure: that of the attempt under way too, if nobody has
 * written down yet how it ended. */
void wr_course_fail(struct wr_course *course, const weir_error *error,
                    uint64_t now_ns);
/* NULL is allowed. */
void wr_course_free(struct wr_course *course);

/* How an attempt ended. */
struct wr_ending {
    const struct wr_exchange *exchange; /* its head is in; NULL: it failed */
    const weir_error *error;            /* then why */
    uint64_t connection;                /* its number, 0 = none */
    uint64_t now_ns;
    uint64_t deadline_ns; /* of the whole call */
    int64_t unix_s;       /* the time of day, for Retry-After */
    uint64_t random;
};

enum wr_verdict_kind {
    WR_COURSE_DELIVER, /* the response, or the error, is the call's */
    WR_COURSE_FOLLOW,  /* a redirect: `sent` is another now */
    WR_COURSE_RETRY,   /* once more, if the origin's budget allows it */
    WR_COURSE_FAIL,    /* *ret_err: a redirect cannot be followed */
};

/* Judges an attempt that has ended, and writes it down.  Calls the caller's
 * redirect callback.  RETRY: *ret_delay_ns is to be waited before. */
enum wr_verdict_kind wr_course_judge(struct wr_course *course,
                                     const struct wr_ending *ending,
                                     uint64_t *ret_delay_ns,
                                     weir_error *ret_err);
/* A hedge of the attempt under way, which was sent at `sent_ns`, begins.
 * false: there is no memory to write it down. */
bool wr_course_hedge(struct wr_course *course, uint64_t sent_ns,
                     uint64_t now_ns);
/* Writes down how one of the pair ended, which is not the last word: the other
 * one, the hedge if `is_hedge`, is the attempt under way from now on. */
void wr_course_go_on_with(struct wr_course *course, bool is_hedge,
                          const struct wr_ending *ending);
/* The hedge was never sent, so it has been none. */
void wr_course_forget_hedge(struct wr_course *course);
/* The next attempt begins; `delay_ns` was waited before it.  false: there is no
 * memory to write it down. */
bool wr_course_begin(struct wr_course *course, weir_attempt_kind kind,
                     uint64_t delay_ns, uint64_t now_ns);

#endif
