#include "machine.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BIT(state) (1U << WATCH_##state)
#define SECONDS(ns) ((double)(ns) / 1e9)

struct ending {
    int code;
    int signal;
};

/* --- the one table ------------------------------------------------------- */

static void fail_start(struct watch_machine *m, const struct ending *ending,
                       uint64_t now_ns);
static void die(struct watch_machine *m, const struct ending *ending,
                uint64_t now_ns);
static void end_as_asked(struct watch_machine *m, const struct ending *ending,
                         uint64_t now_ns);
static void end_late(struct watch_machine *m, const struct ending *ending,
                     uint64_t now_ns);
static void end_startup(struct watch_machine *m, uint64_t now_ns);
static void kill_it(struct watch_machine *m, uint64_t now_ns);
static void begin(struct watch_machine *m, uint64_t now_ns);
static void try_again(struct watch_machine *m, uint64_t now_ns);

static const struct {
    unsigned next; /* BITs of the states that may follow */
    void (*on_exit)(struct watch_machine *m, const struct ending *ending,
                    uint64_t now_ns);
    void (*on_deadline)(struct watch_machine *m, uint64_t now_ns);
} states[WATCH_STATE_COUNT] = {
    [WATCH_STOPPED] = {BIT(STARTING) | BIT(RUNNING), NULL, NULL},
    [WATCH_STARTING] = {BIT(RUNNING) | BIT(STOPPING) | BIT(TIMEOUT) |
                            BIT(BACKOFF) | BIT(FAILED) | BIT(STOPPED),
                        fail_start, end_startup},
    [WATCH_RUNNING] = {BIT(STOPPING) | BIT(BACKOFF) | BIT(FAILED) |
                           BIT(STOPPED),
                       die, NULL},
    [WATCH_STOPPING] = {BIT(STOPPED) | BIT(BACKOFF) | BIT(FAILED), end_as_asked,
                        kill_it},
    [WATCH_FAILED] = {BIT(STARTING) | BIT(STOPPED), NULL, try_again},
    [WATCH_TIMEOUT] = {BIT(BACKOFF) | BIT(FAILED) | BIT(STOPPING) |
                           BIT(STARTING) | BIT(STOPPED),
                       end_late, kill_it},
    [WATCH_BACKOFF] = {BIT(STARTING) | BIT(STOPPED), NULL, begin},
};

/* Anything but RUNNING and STARTING is not checked. */
static void set_state(struct watch_machine *m, enum watch_state next,
                      uint64_t deadline_ns, uint64_t now_ns)
{
    assert(states[m->state].next & (1U << next));
    m->state = next;
    m->since_ns = now_ns;
    m->deadline_ns = deadline_ns;
    if (next != WATCH_RUNNING && next != WATCH_STARTING) {
        m->probe_at_ns = WATCH_NEVER;
        m->is_probing = false;
    }
}

static uint64_t after(uint64_t now_ns, uint64_t span_ns)
{
    return span_ns < WATCH_NEVER - now_ns ? now_ns + span_ns : WATCH_NEVER;
}

/* --- actions ------------------------------------------------------------- */

static struct watch_action *act(struct watch_machine *m,
                                enum watch_action_kind kind)
{
    struct watch_action *action =
        &m->actions[(m->first_action + m->action_count) % WATCH_MAX_ACTIONS];

    assert(m->action_count < WATCH_MAX_ACTIONS);
    m->action_count++;
    *action = (struct watch_action){.kind = kind, .exit_code = -1};
    return action;
}

__attribute__((format(printf, 3, 4))) static struct watch_action *
tell(struct watch_machine *m, enum watch_event_kind event, const char *format,
     ...)
{
    struct watch_action *action = act(m, WATCH_ACT_EVENT);
    va_list args;

    action->event = event;
    va_start(args, format);
    vsnprintf(action->detail, sizeof action->detail, format, args);
    va_end(args);
    return action;
}

static void tell_ending(struct watch_machine *m, enum watch_event_kind event,
                        const struct ending *ending, const char *what)
{
    struct watch_action *action;

    if (ending->signal)
        action = tell(m, event, "%s by signal %d (%s)", what, ending->signal,
                      strsignal(ending->signal));
    else if (ending->code >= 0)
        action = tell(m, event, "%s with exit code %d", what, ending->code);
    else
        action = tell(m, event, "%s", what);
    action->exit_code = ending->code;
    action->exit_signal = ending->signal;
}

bool watch_machine_next(struct watch_machine *m,
                        struct watch_action *ret_action)
{
    if (m->action_count == 0)
        return false;
    *ret_action = m->actions[m->first_action];
    m->first_action = (m->first_action + 1) % WATCH_MAX_ACTIONS;
    m->action_count--;
    return true;
}

/* --- starting ------------------------------------------------------------ */

/* Starts now, or as soon as it is not held any more. */
static void begin(struct watch_machine *m, uint64_t now_ns)
{
    uint64_t limit_ns = m->rules.startup_limit_ns;

    m->deadline_ns = WATCH_NEVER;
    m->is_due = m->is_held;
    if (m->is_held)
        return;
    if (!m->rules.has_health)
        limit_ns = m->rules.settle_ns;
    set_state(m, WATCH_STARTING, after(now_ns, limit_ns), now_ns);
    m->fails = 0;
    m->successes = 0;
    m->is_told_bad = false;
    m->is_blind = false;
    m->is_overdue = false;
    m->trouble[0] = '\0';
    act(m, WATCH_ACT_SPAWN);
}

/* The cool-down is over. */
static void try_again(struct watch_machine *m, uint64_t now_ns)
{
    m->is_restart = true;
    watch_restarts_note(&m->restarts, now_ns);
    tell(m, WATCH_EVENT_RESTARTING, "one more try after the cool-down");
    begin(m, now_ns);
}

static void come_up(struct watch_machine *m, uint64_t now_ns)
{
    const double took = SECONDS(now_ns - m->since_ns);

    set_state(m, WATCH_RUNNING, WATCH_NEVER, now_ns);
    if (m->rules.has_health) {
        m->probe_at_ns = after(now_ns, m->rules.interval_ns);
        tell(m, WATCH_EVENT_STARTED, "healthy after %.3g s", took);
        return;
    }
    tell(m, WATCH_EVENT_STARTED, "alive after %.3g s", took);
}

/* --- restarting ---------------------------------------------------------- */

static void give_up(struct watch_machine *m, uint64_t now_ns)
{
    const struct watch_restart_rules *rules = &m->rules.restarts;
    const bool may_try = m->rules.last_tries == 0 || m->tries_left > 0;

    if (may_try) {
        if (m->tries_left > 0)
            m->tries_left--;
        set_state(m, WATCH_FAILED, after(now_ns, m->rules.cooldown_ns), now_ns);
        tell(m, WATCH_EVENT_RESTART_LIMIT,
             "%u restarts within %.3g s; one more try in %.3g s",
             rules->max_restarts, SECONDS(rules->window_ns),
             SECONDS(m->rules.cooldown_ns));
    } else {
        set_state(m, WATCH_FAILED, WATCH_NEVER, now_ns);
        tell(m, WATCH_EVENT_RESTART_LIMIT,
             "%u restarts within %.3g s, and the try after the cool-down; "
             "given up",
             rules->max_restarts, SECONDS(rules->window_ns));
    }
}

/* It is down and should not be. */
static void plan_restart(struct watch_machine *m, uint64_t now_ns)
{
    const struct watch_restart_rules *rules = &m->rules.restarts;
    uint64_t delay_ns;

    if (watch_restarts_are_used_up(&m->restarts, now_ns)) {
        give_up(m, now_ns);
        return;
    }
    delay_ns = watch_restarts_delay(&m->restarts, &m->random);
    watch_restarts_note(&m->restarts, now_ns);
    m->is_restart = true;
    set_state(m, WATCH_BACKOFF, after(now_ns, delay_ns), now_ns);
    if (rules->max_restarts)
        tell(m, WATCH_EVENT_RESTARTING, "in %.3g s, %u of %u within %.3g s",
             SECONDS(delay_ns), watch_restarts_in_window(&m->restarts, now_ns),
             rules->max_restarts, SECONDS(rules->window_ns));
    else
        tell(m, WATCH_EVENT_RESTARTING, "in %.3g s", SECONDS(delay_ns));
}

static bool is_clean(const struct ending *ending)
{
    return ending->code == 0 && ending->signal == 0;
}

/* It has ended by itself, well, and that is allowed. */
static bool may_end(const struct watch_machine *m, const struct ending *ending)
{
    return is_clean(ending) && m->rules.policy != WATCH_RESTART_ALWAYS;
}

static void end_for_good(struct watch_machine *m, const struct ending *ending,
                         uint64_t now_ns)
{
    m->is_wanted = false;
    set_state(m, WATCH_STOPPED, WATCH_NEVER, now_ns);
    tell_ending(m, WATCH_EVENT_STOPPED, ending, "ended by itself");
}

/* Down for no good reason: FAILED if it is not to be restarted. */
static void recover(struct watch_machine *m, uint64_t now_ns)
{
    if (m->rules.policy == WATCH_RESTART_NEVER)
        set_state(m, WATCH_FAILED, WATCH_NEVER, now_ns);
    else
        plan_restart(m, now_ns);
}

/* --- ending -------------------------------------------------------------- */

static enum watch_event_kind start_failure(const struct watch_machine *m)
{
    return m->is_restart ? WATCH_EVENT_RESTART_FAILED : WATCH_EVENT_START_ERROR;
}

/* on_exit of STARTING */
static void fail_start(struct watch_machine *m, const struct ending *ending,
                       uint64_t now_ns)
{
    if (may_end(m, ending)) {
        end_for_good(m, ending, now_ns);
        return;
    }
    tell_ending(m, start_failure(m), ending, "ended while starting,");
    recover(m, now_ns);
}

/* It leaves RUNNING.  Whoever has been up for a whole window begins anew. */
static void note_long_run(struct watch_machine *m, uint64_t now_ns)
{
    if (now_ns - m->since_ns < m->rules.restarts.window_ns)
        return;
    watch_restarts_settle(&m->restarts);
    m->tries_left = m->rules.last_tries;
}

/* on_exit of RUNNING */
static void die(struct watch_machine *m, const struct ending *ending,
                uint64_t now_ns)
{
    note_long_run(m, now_ns);
    if (may_end(m, ending)) {
        end_for_good(m, ending, now_ns);
        return;
    }
    tell_ending(m, WATCH_EVENT_PROCESS_DIED, ending, "ended by itself");
    recover(m, now_ns);
}

/* on_exit of STOPPING */
static void end_as_asked(struct watch_machine *m, const struct ending *ending,
                         uint64_t now_ns)
{
    if (m->intent == WATCH_THEN_RESTART) {
        plan_restart(m, now_ns);
        return;
    }
    set_state(m, WATCH_STOPPED, WATCH_NEVER, now_ns);
    tell_ending(m, WATCH_EVENT_STOPPED, ending, "ended");
    if (m->intent == WATCH_THEN_START)
        begin(m, now_ns);
}

/* on_exit of TIMEOUT, where it stays if there is no restart */
static void end_late(struct watch_machine *m, const struct ending *ending,
                     uint64_t now_ns)
{
    (void)ending;
    m->deadline_ns = WATCH_NEVER;
    if (m->rules.policy != WATCH_RESTART_NEVER)
        plan_restart(m, now_ns);
}

static void ask_to_end(struct watch_machine *m, enum watch_state state,
                       uint64_t now_ns)
{
    set_state(m, state, after(now_ns, m->rules.shutdown_limit_ns), now_ns);
    act(m, WATCH_ACT_TERM);
}

/* on_deadline of STARTING */
static void end_startup(struct watch_machine *m, uint64_t now_ns)
{
    m->deadline_ns = WATCH_NEVER;
    if (!m->rules.has_health) {
        come_up(m, now_ns);
        return;
    }
    /* Nobody can tell whether it is well: the next one who can decides. */
    m->is_overdue = m->is_blind;
    if (m->is_overdue)
        return;
    tell(m, start_failure(m), "not healthy within %.3g s%s%s",
         SECONDS(m->rules.startup_limit_ns), m->trouble[0] ? ": " : "",
         m->trouble);
    ask_to_end(m, WATCH_TIMEOUT, now_ns);
}

/* on_deadline of STOPPING and TIMEOUT */
static void kill_it(struct watch_machine *m, uint64_t now_ns)
{
    (void)now_ns;
    m->deadline_ns = WATCH_NEVER;
    tell(m, WATCH_EVENT_KILLED, "still there %.3g s after SIGTERM",
         SECONDS(m->rules.shutdown_limit_ns));
    act(m, WATCH_ACT_KILL);
}

static void leave(struct watch_machine *m, enum watch_intent intent,
                  const char *why, uint64_t now_ns)
{
    if (m->state == WATCH_RUNNING)
        note_long_run(m, now_ns);
    m->intent = intent;
    tell(m, WATCH_EVENT_STOPPING, "%s", why);
    ask_to_end(m, WATCH_STOPPING, now_ns);
}

/* --- orders -------------------------------------------------------------- */

void watch_machine_init(struct watch_machine *m,
                        const struct watch_rules *rules,
                        const struct watch_random *random)
{
    *m = (struct watch_machine){
        .rules = *rules,
        .random = *random,
        .tries_left = rules->last_tries,
        .deadline_ns = WATCH_NEVER,
        .probe_at_ns = WATCH_NEVER,
    };
    watch_restarts_init(&m->restarts, &rules->restarts);
}

void watch_machine_done(struct watch_machine *m)
{
    watch_restarts_done(&m->restarts);
}

/* What a person orders is no restart, and begins with a clean slate. */
static void take_order(struct watch_machine *m, bool is_wanted)
{
    m->is_wanted = is_wanted;
    m->is_due = false;
    m->is_restart = false;
    m->tries_left = m->rules.last_tries;
    watch_restarts_forget(&m->restarts);
}

void watch_machine_start(struct watch_machine *m, uint64_t now_ns)
{
    take_order(m, true);
    if (m->state == WATCH_STOPPING)
        m->intent = WATCH_THEN_START;
    else if (m->state == WATCH_TIMEOUT && m->has_process)
        leave(m, WATCH_THEN_START, "to be started anew", now_ns);
    else if (m->state != WATCH_STARTING && m->state != WATCH_RUNNING)
        begin(m, now_ns);
}

void watch_machine_stop(struct watch_machine *m, uint64_t now_ns)
{
    take_order(m, false);
    if (m->state == WATCH_STOPPING) {
        m->intent = WATCH_THEN_STOP;
    } else if (m->has_process) {
        leave(m, WATCH_THEN_STOP, "by order", now_ns);
    } else if (m->state != WATCH_STOPPED) {
        set_state(m, WATCH_STOPPED, WATCH_NEVER, now_ns);
        tell(m, WATCH_EVENT_STOPPED, "by order; it was not running");
    }
}

void watch_machine_restart(struct watch_machine *m, uint64_t now_ns)
{
    if (m->state != WATCH_STOPPING && m->has_process) {
        take_order(m, true);
        leave(m, WATCH_THEN_START, "by order, to be started anew", now_ns);
    } else {
        watch_machine_start(m, now_ns);
    }
}

void watch_machine_hold(struct watch_machine *m, bool is_held, uint64_t now_ns)
{
    m->is_held = is_held;
    if (!is_held && m->is_due)
        begin(m, now_ns);
}

/* --- answers and news ---------------------------------------------------- */

void watch_machine_spawned(struct watch_machine *m, uint64_t now_ns)
{
    m->has_process = true;
    m->is_adopted = false;
    tell(m, WATCH_EVENT_STARTING, "%s", m->is_restart ? "a restart" : "");
    if (m->rules.has_health)
        m->probe_at_ns = after(now_ns, m->rules.startup_interval_ns);
}

void watch_machine_spawn_failed(struct watch_machine *m, const char *why,
                                uint64_t now_ns)
{
    tell(m, start_failure(m), "%s", why);
    recover(m, now_ns);
}

void watch_machine_adopted(struct watch_machine *m, uint64_t now_ns)
{
    m->is_wanted = true;
    m->is_adopted = true;
    m->has_process = true;
    set_state(m, WATCH_RUNNING, WATCH_NEVER, now_ns);
    tell(m, WATCH_EVENT_ADOPTED, "its process has outlived the supervisor");
    if (m->rules.has_health)
        m->probe_at_ns = now_ns;
}

void watch_machine_exited(struct watch_machine *m, int code, int signal,
                          uint64_t now_ns)
{
    const struct ending ending = {code, signal};

    if (!m->has_process)
        return;
    m->has_process = false;
    if (states[m->state].on_exit)
        states[m->state].on_exit(m, &ending, now_ns);
}

static void note_success(struct watch_machine *m, uint64_t now_ns)
{
    m->successes++;
    m->is_blind = false;
    m->trouble[0] = '\0';
    if (m->fails < m->rules.fall || m->successes >= m->rules.rise)
        m->fails = 0;
    if (m->state == WATCH_STARTING && m->successes >= m->rules.rise)
        come_up(m, now_ns);
    else if (m->is_told_bad && m->fails == 0) {
        m->is_told_bad = false;
        tell(m, WATCH_EVENT_HEALTH_RECOVERED, "%s", "");
    }
}

static void note_failure(struct watch_machine *m, const char *why,
                         uint64_t now_ns)
{
    m->successes = 0;
    m->is_blind = false;
    snprintf(m->trouble, sizeof m->trouble, "%s", why);
    if (m->state == WATCH_STARTING) {
        if (m->is_overdue)
            end_startup(m, now_ns);
        return;
    }
    m->fails++;
    if (m->fails <= m->rules.fall) {
        m->is_told_bad = true;
        tell(m, WATCH_EVENT_HEALTH_FAIL, "%u of %u: %s", m->fails,
             m->rules.fall, why);
    }
    if (m->fails == m->rules.fall && m->rules.policy != WATCH_RESTART_NEVER)
        leave(m, WATCH_THEN_RESTART, "unhealthy", now_ns);
}

void watch_machine_probed(struct watch_machine *m, uint64_t serial,
                          enum watch_verdict verdict, const char *why,
                          uint64_t now_ns)
{
    if (!m->is_probing || serial != m->probe_serial)
        return;
    m->is_probing = false;
    switch (verdict) {
    case WATCH_VERDICT_OK:
        note_success(m, now_ns);
        break;
    case WATCH_VERDICT_BAD:
        note_failure(m, why, now_ns);
        break;
    case WATCH_VERDICT_UNKNOWN:
        if (!m->is_blind)
            tell(m, WATCH_EVENT_PROBE_ERROR, "%s", why);
        m->is_blind = true;
        break;
    }
}

static void probe_if_due(struct watch_machine *m, uint64_t now_ns)
{
    const bool is_starting = m->state == WATCH_STARTING;

    if (m->probe_at_ns > now_ns || m->is_probing)
        return;
    m->is_probing = true;
    m->probe_at_ns = after(now_ns, is_starting ? m->rules.startup_interval_ns
                                               : m->rules.interval_ns);
    act(m, WATCH_ACT_PROBE)->serial = ++m->probe_serial;
}

void watch_machine_tick(struct watch_machine *m, uint64_t now_ns)
{
    if (m->deadline_ns <= now_ns)
        states[m->state].on_deadline(m, now_ns);
    probe_if_due(m, now_ns);
}

uint64_t watch_machine_deadline(const struct watch_machine *m)
{
    const uint64_t probe_ns = m->is_probing ? WATCH_NEVER : m->probe_at_ns;

    return m->deadline_ns < probe_ns ? m->deadline_ns : probe_ns;
}

bool watch_machine_is_healthy(const struct watch_machine *m)
{
    return m->state == WATCH_RUNNING && m->has_process &&
           m->fails < m->rules.fall;
}
