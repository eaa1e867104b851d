/* The life of one service, as a value: what happens to it goes in, with the
 * time; what must be done about it comes out, as a queue of actions and the
 * time of the next tick.
 *
 * No process, no socket, no clock: a day can pass in a test.
 *
 * Words
 *   wanted    nobody has stopped it
 *   held      one that it comes after has not come up: it does not start
 *   restart   a start that the supervisor decides on; it is counted.  What a
 *             person orders is not, and wipes the count
 *   verdict   what a health check says of the service, or that it cannot say */
#ifndef WEIR_WATCH_MACHINE_H
#define WEIR_WATCH_MACHINE_H

#include "event.h"
#include "restarts.h"
#include "view.h"

#define WATCH_NEVER UINT64_MAX

enum watch_policy {
    WATCH_RESTART_ALWAYS,
    WATCH_RESTART_ON_FAILURE, /* not after it has ended by itself with 0 */
    WATCH_RESTART_NEVER
};

struct watch_rules {
    bool has_health; /* there is something to ask */
    enum watch_policy policy;
    uint64_t startup_limit_ns;    /* until it must be healthy */
    uint64_t startup_interval_ns; /* between checks until then */
    uint64_t settle_ns; /* without checks: up after so long, if it lives */
    uint64_t interval_ns;
    uint64_t shutdown_limit_ns; /* from SIGTERM to SIGKILL */
    uint64_t cooldown_ns;       /* after the restart limit */
    unsigned last_tries;        /* cool-downs, and tries after them, in a row;
                                 * 0: any number */
    unsigned fall;              /* failures that make it unhealthy */
    unsigned rise;              /* successes that make it healthy again */
    struct watch_restart_rules restarts;
};

enum watch_action_kind {
    WATCH_ACT_NONE = 0, /* the queue is empty */
    WATCH_ACT_SPAWN,    /* answer with _spawned or _spawn_failed */
    WATCH_ACT_TERM,     /* ask its process group to end */
    WATCH_ACT_KILL,     /* end its process group */
    WATCH_ACT_PROBE,    /* answer with _probed and the serial */
    WATCH_ACT_EVENT,    /* tell the world */
};

struct watch_action {
    enum watch_action_kind kind;
    uint64_t serial;             /* PROBE */
    enum watch_event_kind event; /* EVENT, and what belongs to it */
    int exit_code;               /* -1: none */
    int exit_signal;             /* 0: none */
    char detail[256];
};

enum watch_verdict {
    WATCH_VERDICT_OK,
    WATCH_VERDICT_BAD,
    WATCH_VERDICT_UNKNOWN /* a local reason: it says nothing of the service */
};

enum watch_intent {
    WATCH_THEN_STOP,    /* stays down */
    WATCH_THEN_START,   /* starts at once: a person has ordered it */
    WATCH_THEN_RESTART, /* a restart, if the limit allows it */
};

enum {
    WATCH_MAX_ACTIONS = 8 /* more than one input can cause */
};

/* Members are read from outside, and written by the machine alone. */
struct watch_machine {
    struct watch_rules rules;
    struct watch_random random;
    struct watch_restarts restarts;
    enum watch_state state;
    uint64_t since_ns;    /* in that state */
    uint64_t deadline_ns; /* of that state; WATCH_NEVER: none */
    enum watch_intent intent;
    bool is_wanted;
    bool is_held;
    bool is_due;      /* would start, were it not held */
    bool has_process; /* spawned and not exited */
    bool is_restart;  /* this start is one */
    bool is_adopted;  /* its process is an earlier supervisor's child */
    bool is_blind;    /* the last check could not be made */
    bool is_overdue;  /* past its startup limit, which nobody could judge */
    unsigned tries_left;
    unsigned fails;     /* in a row */
    unsigned successes; /* in a row */
    bool is_told_bad;   /* a health_fail has been told and no recovery */
    bool is_probing;
    uint64_t probe_serial;
    uint64_t probe_at_ns; /* next check; WATCH_NEVER: none */
    char trouble[128];    /* what the last check complained of */
    unsigned first_action;
    unsigned action_count;
    struct watch_action actions[WATCH_MAX_ACTIONS];
};

/* random: its function is kept. */
void watch_machine_init(struct watch_machine *machine,
                        const struct watch_rules *rules,
                        const struct watch_random *random);
void watch_machine_done(struct watch_machine *machine);

/* Orders.  Each is allowed in every state. */
void watch_machine_start(struct watch_machine *machine, uint64_t now_ns);
void watch_machine_stop(struct watch_machine *machine, uint64_t now_ns);
void watch_machine_restart(struct watch_machine *machine, uint64_t now_ns);
void watch_machine_hold(struct watch_machine *machine, bool is_held,
                        uint64_t now_ns);

/* Answers and news. */
void watch_machine_spawned(struct watch_machine *machine, uint64_t now_ns);
void watch_machine_spawn_failed(struct watch_machine *machine, const char *why,
                                uint64_t now_ns);
/* Instead of a start: its process is there already. */
void watch_machine_adopted(struct watch_machine *machine, uint64_t now_ns);
/* code -1 and signal 0: it is not known how. */
void watch_machine_exited(struct watch_machine *machine, int code, int signal,
                          uint64_t now_ns);
/* A stale serial is passed over.  why: if not OK. */
void watch_machine_probed(struct watch_machine *machine, uint64_t serial,
                          enum watch_verdict verdict, const char *why,
                          uint64_t now_ns);
/* Does what has fallen due. */
void watch_machine_tick(struct watch_machine *machine, uint64_t now_ns);

/* When tick must be called next; WATCH_NEVER: not before the next input. */
uint64_t watch_machine_deadline(const struct watch_machine *machine);
/* false: there is none.  Take all after every input. */
bool watch_machine_next(struct watch_machine *machine,
                        struct watch_action *ret_action);

/* RUNNING, alive, and fewer than `fall` failures in a row. */
bool watch_machine_is_healthy(const struct watch_machine *machine);

#endif
