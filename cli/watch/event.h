/* What happens to services, as those who look on from outside are told it.
 *
 * The supervisor calls every sink for every event, in order, on its one
 * thread.  A sink must not wait, and must not call the supervisor back. */
#ifndef WEIR_WATCH_EVENT_H
#define WEIR_WATCH_EVENT_H

#include <stdbool.h>
#include <stdint.h>

/* X(NAME, name, is_failure, meaning).  The names are stable: they stand in
 * event files and in people's alarms.  Those without a service are of the
 * supervisor itself. */
#define WATCH_EVENT_TABLE(X)                                                   \
    X(STARTING, "starting", false, "a process of the service runs")            \
    X(STARTED, "started", false, "it is up, and healthy if that is known")     \
    X(ADOPTED, "adopted", false, "its process outlived the last supervisor")   \
    X(START_ERROR, "start_error", true, "it did not come up")                  \
    X(HEALTH_FAIL, "health_fail", true, "a health check failed")               \
    X(HEALTH_RECOVERED, "health_recovered", false, "healthy again")            \
    X(PROBE_ERROR, "probe_error", false,                                       \
      "a check could not be made; not the service's fault")                    \
    X(PROCESS_DIED, "process_died", true, "its process ended by itself")       \
    X(RESTARTING, "restarting", false, "it will be started again")             \
    X(RESTART_FAILED, "restart_failed", true, "a restart did not bring it up") \
    X(RESTART_LIMIT, "restart_limit", true, "restarted too often")             \
    X(LOG_ERROR, "log_error", true, "its output could not be written")         \
    X(STOPPING, "stopping", false, "it has been asked to end")                 \
    X(KILLED, "killed", true, "it did not end when asked")                     \
    X(STOPPED, "stopped", false, "it has ended and stays so")                  \
    X(ADDED, "added", false, "a reload brought the service")                   \
    X(CHANGED, "changed", false, "a reload changed the service")               \
    X(REMOVED, "removed", false, "a reload took the service away")             \
    X(RELOADED, "reloaded", false, "new settings are in force")                \
    X(RELOAD_FAILED, "reload_failed", true, "new settings were refused")       \
    X(WATCH_STARTED, "watch_started", false, "the supervisor is up")           \
    X(WATCH_STOPPED, "watch_stopped", false, "the supervisor ends")

enum watch_event_kind {
#define WATCH_X(NAME, name, is_failure, meaning) WATCH_EVENT_##NAME,
    WATCH_EVENT_TABLE(WATCH_X)
#undef WATCH_X
    WATCH_EVENT_COUNT
};

struct watch_event {
    enum watch_event_kind kind;
    uint64_t at_ms;      /* wall clock: milliseconds since 1970, UTC */
    const char *service; /* lent for the call; "" of the supervisor itself */
    const char *detail;  /* for people, "" if none; lent for the call */
    long pid;            /* of the process meant, 0 if none */
    int exit_code;       /* PROCESS_DIED, STOPPED and its like: -1 if none */
    int exit_signal;     /* the same: 0 if none */
    unsigned restarts;   /* of the service, in all */
};

/* Where events go. */
struct watch_sink {
    void (*emit)(void *user, const struct watch_event *event);
    void *user;
};

/* "started" */
const char *watch_event_name(enum watch_event_kind kind);
/* "it is up, ..." */
const char *watch_event_meaning(enum watch_event_kind kind);
/* Something is wrong, and somebody may want to be told. */
bool watch_event_is_failure(enum watch_event_kind kind);

#endif
