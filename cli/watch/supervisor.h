/* The supervisor: machines, and what carries out their actions.
 *
 * A unit is one service: its machine, its process, its logs, its checks.  News
 * of any kind goes into the unit's machine, whose actions are carried out at
 * once; what units want of one another, and of the supervisor, is settled once
 * a turn of the loop. */
#ifndef WEIR_WATCH_SUPERVISOR_H
#define WEIR_WATCH_SUPERVISOR_H

#include <sys/types.h>

#include "guard.h"
#include "loop.h"
#include "order.h"
#include "probe.h"
#include "settings.h"
#include "view.h"

struct watch_unit {
    struct watch_supervisor *supervisor;
    struct watch_service_settings *settings; /* its own */
    struct watch_machine machine;
    struct watch_member member;
    struct watch_log *out;
    struct watch_log *err;
    struct watch_probe *probe; /* NULL: nothing to ask */
    pid_t pid;                 /* of the process, which leads its group; or 0 */
    int pidfd; /* -1, unless adopted: then nobody else tells of its end */
    struct watch_source *exit_source;
    char last_error[512];
    uint64_t last_error_at_ms;
    int probe_status;
    double probe_latency_ms;
    uint64_t probe_at_ms;
    char probe_error[256];

    /* What a reload has decided, done once it is down. */
    bool is_leaving;
    bool is_to_start;
    struct watch_service_settings *next;

    bool is_released; /* left to itself while the supervisor ends */
};

/* Has a say in new settings, before anything changes. */
struct watch_reload_hook {
    bool (*reload)(void *user, const weir_settings *settings,
                   struct watch_refusal *why);
    void *user;
};

struct watch_supervisor {
    struct watch_loop *loop;
    weir_pool *pool;
    weir_pool_options pool_options; /* its texts are of `loaded` */
    weir_settings *loaded;
    const char *config; /* borrowed: the file named by --config, or NULL */
    struct watch_settings *settings; /* its list of services is empty: they
                                      * are in the units */
    struct watch_guard guard;
    struct watch_unit **units;     /* in the settings' order */
    struct watch_member **members; /* of the units that take part in order */
    size_t count;
    size_t member_count;
    struct watch_sink sinks[WATCH_MAX_SINKS];
    size_t sink_count;
    struct watch_reload_hook hook;
    struct watch_source *sources[3]; /* the pool, time, and signals */
    int signals;                     /* signalfd of SIGCHLD and SIGHUP */
    unsigned short random[3];
    struct watch_random jitter;
    uint64_t started_ns;
    uint64_t started_at_ms;
    uint64_t logs_at_ns; /* next look at the logs */
    bool is_ending;
    bool is_over;  /* all are down */
    bool has_news; /* of detached processes, to be written down */
    struct watch_view view;
    struct watch_service_view *views;
};

struct watch_supervisor_options {
    struct watch_loop *loop;
    weir_pool *pool;
    weir_pool_options pool_options;
    weir_settings *loaded;           /* given */
    struct watch_settings *settings; /* given */
    const char *config;
    struct watch_guard guard; /* given */
};

/* Takes SIGCHLD and SIGHUP, which are blocked already.  NULL: it has
 * complained, and what was given is still the caller's. */
struct watch_supervisor *
watch_supervisor_new(const struct watch_supervisor_options *options);
/* All services are down, or left to themselves.  Before the pool is closed. */
void watch_supervisor_free(struct watch_supervisor *supervisor);
/* Adopts what is still there of an earlier one, and starts the others. */
void watch_supervisor_start(struct watch_supervisor *supervisor);
/* After every turn of the loop. */
void watch_supervisor_settle(struct watch_supervisor *supervisor);
/* As watch_down(); `keeps` leaves detached processes to themselves, for the
 * next supervisor to adopt. */
void watch_supervisor_end(struct watch_supervisor *supervisor, bool keeps);
/* Called by watch_reload() with new settings. */
void watch_supervisor_set_hook(struct watch_supervisor *supervisor,
                               const struct watch_reload_hook *hook);

/* An event of a service, or of the supervisor (unit NULL). */
void watch_tell(struct watch_supervisor *supervisor, struct watch_unit *unit,
                const struct watch_event *event);
uint64_t watch_wall_clock_ms(void);

/* --- units --------------------------------------------------------------- */

/* settings: given. */
struct watch_unit *watch_unit_new(struct watch_supervisor *supervisor,
                                  struct watch_service_settings *settings);
void watch_unit_free(struct watch_unit *unit);
/* Other settings, given, for one that is down. */
void watch_unit_change(struct watch_unit *unit,
                       struct watch_service_settings *settings);
/* Carries out what the machine wants. */
void watch_unit_act(struct watch_unit *unit);
/* Its process has been reaped, or is somebody else's and gone. */
void watch_unit_exited(struct watch_unit *unit, int code, int signal);
/* Takes a process that is there; false: it has just gone. */
bool watch_unit_adopt(struct watch_unit *unit, pid_t pid);
/* Leaves a detached process to itself. */
void watch_unit_release(struct watch_unit *unit);
bool watch_unit_is_down(const struct watch_unit *unit);
struct watch_unit *watch_unit_find(const struct watch_supervisor *supervisor,
                                   const char *name);

/* --- detached processes, from one supervisor to the next ------------------ */

/* Writes down which are there. */
void watch_detached_save(struct watch_supervisor *supervisor);
/* Gives each that is still there to its unit, and ends those without. */
void watch_detached_adopt(struct watch_supervisor *supervisor);

/* --- settings anew -------------------------------------------------------- */

/* Links `after`, and says who takes part in order. */
void watch_link(struct watch_supervisor *supervisor);
/* Does what a reload has decided about units that are down by now. */
void watch_reload_settle(struct watch_supervisor *supervisor);

#endif
