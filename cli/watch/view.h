/* What can be seen of a supervisor from outside, and what may be asked of it.
 *
 * All of it on the supervisor's one thread: from callbacks of its loop. */
#ifndef WEIR_WATCH_VIEW_H
#define WEIR_WATCH_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/weir.h>

#include "event.h"

/* X(NAME, name, meaning) */
#define WATCH_STATE_TABLE(X)                                                   \
    X(STOPPED, "STOPPED", "no process, and none is wanted")                    \
    X(STARTING, "STARTING", "its process runs and is not healthy yet")         \
    X(RUNNING, "RUNNING", "it has come up")                                    \
    X(STOPPING, "STOPPING", "its process has been asked to end")               \
    X(FAILED, "FAILED", "given up: for good, or until the cool-down ends")     \
    X(TIMEOUT, "TIMEOUT", "it missed its startup limit")                       \
    X(BACKOFF, "BACKOFF", "waits for its next start")

enum watch_state {
#define WATCH_X(NAME, name, meaning) WATCH_##NAME,
    WATCH_STATE_TABLE(WATCH_X)
#undef WATCH_X
    WATCH_STATE_COUNT
};

/* "RUNNING" */
const char *watch_state_name(enum watch_state state);
/* "it has come up" */
const char *watch_state_meaning(enum watch_state state);

/* One service at one moment.  No text is NULL; what does not exist is "". */
struct watch_service_view {
    const char *name;
    enum watch_state state;
    bool is_healthy;    /* RUNNING, alive, and less than `fall` failures */
    bool is_wanted;     /* nobody has stopped it */
    long pid;           /* 0: no process */
    uint64_t uptime_ms; /* since it came up; 0 unless RUNNING */
    unsigned restarts;  /* by the supervisor, since it watches */
    unsigned restarts_in_window;
    unsigned max_restarts;   /* in the window; 0: unlimited */
    unsigned fails_in_a_row; /* of its health checks */
    unsigned fall;           /* so many make it unhealthy */
    int64_t next_start_ms;   /* from now; -1: none is planned */
    const char *waits_for;   /* the one that must be RUNNING before it starts */
    const char *last_error;
    uint64_t last_error_at_ms; /* wall clock; 0: there was none */
    const char *health;        /* the address that is asked, "" if none */
    int probe_status;          /* of the last answer; 0: there was none */
    double probe_latency_ms;   /* of the last answer; 0: there was none */
    uint64_t probe_at_ms;      /* wall clock of the last check; 0: none yet */
    const char *probe_error;   /* why the last check failed */
    const char *log;           /* path of its standard output's file */
};

/* All services at one moment. */
struct watch_view {
    const struct watch_service_view *services; /* in the settings' order */
    size_t count;
    size_t running;         /* of them, in RUNNING */
    size_t healthy;         /* of them, healthy */
    bool is_settled;        /* every wanted service has come up or failed */
    bool is_ending;         /* an orderly stop is under way */
    uint64_t now_ms;        /* wall clock */
    uint64_t started_at_ms; /* wall clock: of the supervisor */
    uint64_t uptime_ms;     /* of the supervisor */
    weir_pool_figures pool;
};

struct watch_supervisor;
struct watch_loop;

/* Lent: valid until the next call, or until the loop goes on. */
const struct watch_view *watch_view_of(struct watch_supervisor *supervisor);

/* Orders, as of `weir watch start NAME`.  They return at once; events tell what
 * comes of them.  false: refused, and `why` says the reason. */
struct watch_refusal {
    bool is_unknown; /* there is no such service */
    char why[256];
};
bool watch_start(struct watch_supervisor *supervisor, const char *name,
                 struct watch_refusal *why);
bool watch_stop(struct watch_supervisor *supervisor, const char *name,
                struct watch_refusal *why);
bool watch_restart(struct watch_supervisor *supervisor, const char *name,
                   struct watch_refusal *why);
/* Reads the settings again; only what has changed is restarted. */
bool watch_reload(struct watch_supervisor *supervisor,
                  struct watch_refusal *why);
/* An orderly stop of all services, and then of the supervisor. */
void watch_down(struct watch_supervisor *supervisor);

/* Every event from now on; copied.  At most WATCH_MAX_SINKS. */
enum {
    WATCH_MAX_SINKS = 8
};
bool watch_add_sink(struct watch_supervisor *supervisor,
                    const struct watch_sink *sink);

/* The one loop, and the one pool, of the process; borrowed. */
struct watch_loop *watch_loop_of(struct watch_supervisor *supervisor);
weir_pool *watch_pool_of(struct watch_supervisor *supervisor);

#endif
