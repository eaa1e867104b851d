/* An asynchronous call, on its way through a loop.
 *
 * It waits in the line without any buffer; when it is granted a connection it
 * takes a response and becomes active on the connection's loop.  What is marked
 * "lock" is guarded by the pool's; the rest is its loop's alone. */
#ifndef WR_DRIVE_CALL_H
#define WR_DRIVE_CALL_H

#include <stdatomic.h>

#include <weir/call.h>

#include "base/cold.h"
#include "drive/loop.h"

enum wr_call_state {
    WR_CALL_NEW,       /* no loop has seen it */
    WR_CALL_WAITING,   /* in the line */
    WR_CALL_ACTIVE,    /* on its connection */
    WR_CALL_REDIALING, /* its connection was stale: a fresh one comes */
    WR_CALL_DELAYED,   /* between two attempts */
    WR_CALL_HEDGED,    /* its request has failed, its hedge goes on */
    WR_CALL_ENDED,     /* on_done is next, or under way, or over */
};

/* What has last been said of the response's body. */
enum wr_call_flow {
    WR_FLOW_ON,
    WR_FLOW_PAUSED,
    WR_FLOW_RESUMED, /* since on_body was called: its PAUSE is out of date */
};

struct weir_call {
    struct weir_pool *pool;       /* one reference */
    struct weir_request *request; /* one reference, until the end */
    struct weir_request *sent;    /* the same, or what a redirect made of it */
    struct wr_course *course;     /* NULL: one attempt, or it is over */
    struct wr_course *record;     /* what the course was, if it has failed */
    weir_handlers handlers;
    void *user;
    bool has_handle; /* the program has, or had, one: its response may outlive
                      * on_done */
    struct wr_place place;
    struct wr_call_limits limits;
    uint64_t begun_ns;
    uint64_t joined_ns;   /* the line, for this attempt */
    uint64_t deadline_ns; /* total */

    /* lock */
    struct wr_loop *loop;
    unsigned epoch; /* the pool's when it began */
    unsigned refs;  /* its way, and the handle */
    bool is_posted; /* in the loop's inbox */
    bool is_done;   /* on_done has returned */
    bool wants_resume;
    bool is_delayed; /* in pool->delayed */
    bool is_shut;    /* the pool has closed meanwhile */
    TAILQ_ENTRY(weir_call) delayed;
    TAILQ_ENTRY(weir_call) inbox; /* or among the spare ones */

    /* any thread */
    atomic_int flow; /* enum wr_call_flow */
    atomic_bool wants_cancel;

    /* the loop's */
    enum wr_call_state state;
    struct weir_response *response;
    struct wr_head_limits head_limits; /* as they were when it came */
    struct wr_loop_dial *dial;         /* REDIALING */
    struct wr_heap_node due;
    uint64_t due_ns;   /* when it must be looked at; WR_NEVER before */
    uint64_t heard_ns; /* when the peer was last heard of */
    uint64_t next_ns;  /* when the next attempt begins */
    uint64_t rest_ns;  /* until when it passes over the rest of a body */
    size_t rest;       /* bytes of that so far */
    uint64_t hold_ns;  /* until when the body is held back; 0 = not begun */
    uint64_t hedge_ns; /* when it is hedged; 0 = not at all */
    struct weir_call *rival; /* the other one of a pair, see call_hedge.h */
    bool is_dry;             /* there was nothing more to read */
    bool has_hung_up;        /* the peer has ended its side */
    bool is_send_over;       /* the peer takes no more */
    bool has_head;
    bool is_passing_over; /* the response is not the call's: its body is read
                           * to save the connection */
    bool has_leftover; /* a pause has left something that was received, or the
                        * end: it comes before what the socket says */
    bool is_in_again;
    bool is_hedge;
    TAILQ_ENTRY(weir_call) link;
    TAILQ_ENTRY(weir_call) again;

    struct wr_waiter waiter; /* lock; last, for its error is large */
};

/* --- call.c -------------------------------------------------------------- */

weir_status wr_call_submit(struct weir_pool *pool, struct weir_request *request,
                           const weir_handlers *handlers, void *user,
                           struct weir_call **ret_call, weir_error *ret_err);
/* It has ended, or was left behind in the process that forked this one. */
static inline bool wr_call_is_over(const struct weir_call *call)
{
    return call->is_done || call->epoch != call->pool->epoch;
}
/* What it was, if it has ended and on_done may know; else NULL.  With it goes a
 * response that is the call's. */
const struct wr_course *wr_call_record_locked(const struct weir_call *call);
/* One that has not begun, with one reference; NULL: no memory. */
struct weir_call *wr_call_new_locked(struct weir_pool *pool,
                                     struct weir_request *request);
/* It never began. */
void wr_call_delete_locked(struct weir_call *call);
/* The core, or somebody else, has news for it. */
void wr_call_post_locked(struct weir_call *call);
void wr_call_cancel(struct weir_call *call);
void wr_call_resume(struct weir_call *call);
void wr_call_unref_unlock(struct weir_call *call);
/* Registers its connection with the loop, as active.  0 or errno. */
int wr_call_attach(struct wr_loop *loop, struct weir_call *call);
/* Asks the core for a connection; a grant is left in the waiter. */
weir_status wr_call_join_locked(struct weir_call *call, uint64_t now_ns,
                                weir_error *ret_err);
/* Takes a granted connection.  DONE: it is active, with a response.  WAIT: it
 * was dead, and the call is in the line again.  ERROR: *err. */
enum wr_step wr_call_take_conn(struct wr_loop *loop, struct weir_call *call,
                               struct wr_conn *conn, weir_error *err);
/* Gives up its ticket, or what that has brought. */
void wr_call_leave_line(struct weir_call *call);
/* The call needs its request no more. */
void wr_call_give_up_request(struct weir_request *request);
/* After on_done: what nobody keeps goes back. */
void wr_call_retire(struct weir_call *call);
void wr_calls_drop_spares_locked(struct weir_pool *pool);

/* --- call_again.c -------------------------------------------------------- */

/* The head of a response is in: is it the call's?  DONE: yes.  WAIT: another
 * attempt follows, and its body is passed over.  ERROR: *err. */
enum wr_step wr_call_judge_head(struct weir_call *call, weir_error *err);
/* An attempt has failed: does another one follow?  Fills in the error. */
bool wr_call_is_tried_again(struct weir_call *call, weir_error *err);
/* None does: the call ends in that error. */
WR_COLD void wr_call_end_course(struct weir_call *call, weir_error *err);
/* The response of an attempt that was not the last. */
WR_COLD void wr_call_drop_response(struct weir_call *call);
/* Waits for its next attempt, or waits no more. */
void wr_call_delay(struct weir_call *call);
void wr_call_end_delay(struct weir_call *call);
/* Joins the line again. */
weir_status wr_call_rejoin(struct wr_loop *loop, struct weir_call *call,
                           weir_error *err);
/* The pool is being closed: no further attempts. */
void wr_calls_shut_delayed_locked(struct weir_pool *pool);

/* --- call_run.c ---------------------------------------------------------- */

/* What has been posted to a call, taken under the lock. */
struct wr_news {
    struct wr_conn *conn;
    bool is_held; /* the call is, by a reference, until it has taken them */
    bool has_failed;
    bool is_cancelled;
    bool is_resumed;
    bool is_shut;
};

void wr_call_take_news(struct wr_loop *loop, struct weir_call *call,
                       const struct wr_news *news);
/* Begins those of loop->ready; called after whatever runs callbacks. */
void wr_calls_begin_ready(struct wr_loop *loop);
/* The poller has something to say of its connection. */
void wr_call_on_event(struct wr_loop *loop, struct weir_call *call,
                      short events);
/* Puts all timers into the heap. */
WR_COLD void wr_calls_time(struct wr_loop *loop);
WR_COLD void wr_call_on_due(struct wr_loop *loop, struct weir_call *call);
/* Has more to do, see loop->again. */
void wr_call_go_on(struct wr_loop *loop, struct weir_call *call);
/* Its redial has ended: err NULL = well. */
WR_COLD void wr_call_redialed(struct wr_loop *loop, struct weir_call *call,
                              struct wr_conn *fresh, weir_error *err);
/* Ends it, at whatever stage it is. */
WR_COLD void wr_call_cut(struct wr_loop *loop, struct weir_call *call,
                         weir_status status, const char *why);

#endif
