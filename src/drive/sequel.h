/* What comes after an attempt of a call, for both drivers: conn/course.h with
 * the pool around it, its lock, clocks, figures and traces. */
#ifndef WR_DRIVE_SEQUEL_H
#define WR_DRIVE_SEQUEL_H

#include "conn/course.h"
#include "drive/runtime.h"

/* The policy of a pool, from its options. */
void wr_policy_from(const weir_pool_options *options,
                    struct wr_policy *ret_policy);
/* The course of a call of a prepared request; *ret_course NULL: it needs none.
 * WEIR_E_BREAKER_OPEN, WEIR_E_NO_MEMORY. */
weir_status wr_sequel_open(struct weir_pool *pool, struct weir_request *request,
                           struct wr_course **ret_course, weir_error *ret_err);

enum wr_sequel {
    WR_SEQUEL_NONE, /* the call ends as the attempt did */
    WR_SEQUEL_NEXT, /* course->sent is next, at *ret_due_ns; 0 = at once */
    WR_SEQUEL_FAIL, /* the call ends in *ret_err */
};

/* An attempt has ended: its response's head is in, or err says why not. */
enum wr_sequel wr_sequel_after(struct weir_pool *pool, struct wr_course *course,
                               const struct weir_response *response,
                               const weir_error *err, uint64_t deadline_ns,
                               uint64_t *ret_due_ns, weir_error *ret_err);
/* The next attempt begins, with course->sent prepared.  WEIR_E_BREAKER_OPEN,
 * WEIR_E_NO_MEMORY. */
weir_status wr_sequel_begin_locked(struct weir_pool *pool,
                                   struct wr_course *course,
                                   weir_error *ret_err);
/* The call has ended without a response: its course is a record, and the error
 * tells of it.  NULL is allowed. */
void wr_sequel_fail(struct weir_pool *pool, struct wr_course *course,
                    weir_error *err);
/* The call has ended: its course goes with the response, or, if there is none,
 * is freed, and the error tells of it.  NULL is allowed. */
void wr_sequel_close(struct weir_pool *pool, struct wr_course *course,
                     struct weir_response *response, weir_error *err);

#endif
