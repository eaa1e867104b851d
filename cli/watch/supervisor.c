#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)
#define LOGS_EVERY_NS UINT64_C(1000000000)

uint64_t watch_wall_clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_PER_MS;
}

/* --- events -------------------------------------------------------------- */

static void remember_error(struct watch_unit *unit,
                           const struct watch_event *event)
{
    /* That it was restarted too often is no news: what for is. */
    if (!watch_event_is_failure(event->kind) ||
        event->kind == WATCH_EVENT_RESTART_LIMIT)
        return;
    snprintf(unit->last_error, sizeof unit->last_error, "%s", event->detail);
    unit->last_error_at_ms = event->at_ms;
}

void watch_tell(struct watch_supervisor *supervisor, struct watch_unit *unit,
                const struct watch_event *event)
{
    struct watch_event told = *event;

    told.at_ms = watch_wall_clock_ms();
    if (unit)
        remember_error(unit, &told);
    else
        told.service = "";
    for (size_t i = 0; i < supervisor->sink_count; i++)
        supervisor->sinks[i].emit(supervisor->sinks[i].user, &told);
}

static void tell_self(struct watch_supervisor *supervisor,
                      enum watch_event_kind kind, const char *detail)
{
    watch_tell(
        supervisor, NULL,
        &(struct watch_event){
            .kind = kind, .detail = detail, .pid = getpid(), .exit_code = -1});
}

bool watch_add_sink(struct watch_supervisor *supervisor,
                    const struct watch_sink *sink)
{
    if (supervisor->sink_count == WATCH_MAX_SINKS)
        return false;
    supervisor->sinks[supervisor->sink_count++] = *sink;
    return true;
}

/* --- children ------------------------------------------------------------ */

static struct watch_unit *unit_of(const struct watch_supervisor *supervisor,
                                  pid_t pid)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct watch_unit *unit = supervisor->units[i];

        if (unit->pid == pid && unit->machine.has_process && unit->pidfd < 0)
            return unit;
    }
    return NULL;
}

/* A new guard has to be told of all groups. */
static void replace_guard(struct watch_supervisor *supervisor)
{
    close(supervisor->guard.fd);
    if (!watch_guard_open(&supervisor->guard))
        return;
    for (size_t i = 0; i < supervisor->count; i++) {
        const struct watch_unit *unit = supervisor->units[i];

        if (unit->pid > 0 && !unit->settings->is_detached)
            watch_guard_tell(supervisor->guard.fd, unit->pid, true);
    }
}

/* While it is not reaped its number names no other group: what it has left
 * behind is ended first. */
static void reap(struct watch_supervisor *supervisor, pid_t pid)
{
    struct watch_unit *unit = unit_of(supervisor, pid);
    int status = 0;

    if (unit)
        kill(-pid, SIGKILL);
    waitpid(pid, &status, 0);
    if (unit)
        watch_unit_exited(unit, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                          WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    else if (pid == supervisor->guard.pid)
        replace_guard(supervisor);
}

static void reap_all(struct watch_supervisor *supervisor)
{
    siginfo_t info;

    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == 0)
            return;
        reap(supervisor, info.si_pid);
    }
}

static void on_signal(void *user, uint32_t events)
{
    struct watch_supervisor *supervisor = user;
    struct signalfd_siginfo info;
    struct watch_refusal why;
    bool has_child = false;
    bool is_to_reload = false;

    (void)events;
    while (read(supervisor->signals, &info, sizeof info) == sizeof info) {
        has_child = has_child || info.ssi_signo == SIGCHLD;
        is_to_reload = is_to_reload || info.ssi_signo == SIGHUP;
    }
    if (has_child)
        reap_all(supervisor);
    if (is_to_reload)
        watch_reload(supervisor, &why); /* an event tells what became of it */
}

/* --- time ---------------------------------------------------------------- */

static int64_t time_until_due(void *user)
{
    const struct watch_supervisor *supervisor = user;
    uint64_t due_ns = supervisor->logs_at_ns;

    for (size_t i = 0; i < supervisor->count; i++) {
        const uint64_t unit_ns =
            watch_machine_deadline(&supervisor->units[i]->machine);

        due_ns = unit_ns < due_ns ? unit_ns : due_ns;
    }
    return watch_ms_until(watch_loop_now(supervisor->loop), due_ns);
}

static void look_after(struct watch_unit *unit, struct watch_log *log)
{
    const uint64_t lost = watch_log_lost(log);
    char detail[200];

    watch_log_cut(log);
    if (lost == 0)
        return;
    snprintf(detail, sizeof detail, "%.128s: %llu bytes could not be written",
             watch_log_path(log), (unsigned long long)lost);
    watch_tell(unit->supervisor, unit,
               &(struct watch_event){.kind = WATCH_EVENT_LOG_ERROR,
                                     .service = unit->settings->name,
                                     .detail = detail,
                                     .pid = unit->pid,
                                     .exit_code = -1,
                                     .restarts = unit->machine.restarts.total});
}

static void look_after_logs(struct watch_supervisor *supervisor,
                            uint64_t now_ns)
{
    if (now_ns < supervisor->logs_at_ns)
        return;
    supervisor->logs_at_ns = now_ns + LOGS_EVERY_NS;
    for (size_t i = 0; i < supervisor->count; i++) {
        look_after(supervisor->units[i], supervisor->units[i]->out);
        look_after(supervisor->units[i], supervisor->units[i]->err);
    }
}

static void on_time(void *user, uint32_t events)
{
    struct watch_supervisor *supervisor = user;
    const uint64_t now_ns = watch_loop_now(supervisor->loop);

    (void)events;
    for (size_t i = 0; i < supervisor->count; i++) {
        struct watch_unit *unit = supervisor->units[i];

        if (watch_machine_deadline(&unit->machine) <= now_ns) {
            watch_machine_tick(&unit->machine, now_ns);
            watch_unit_act(unit);
        }
    }
    look_after_logs(supervisor, now_ns);
}

/* --- the pool ------------------------------------------------------------ */

static int64_t pool_timeout(void *user)
{
    const struct watch_supervisor *supervisor = user;

    return weir_pool_timeout(supervisor->pool);
}

static void on_pool(void *user, uint32_t events)
{
    const struct watch_supervisor *supervisor = user;

    (void)events;
    weir_pool_dispatch(supervisor->pool, NULL);
}

/* --- settling ------------------------------------------------------------ */

/* false: nothing was to be done. */
static bool act_all(struct watch_supervisor *supervisor)
{
    bool has_acted = false;

    for (size_t i = 0; i < supervisor->count; i++) {
        if (supervisor->units[i]->machine.action_count == 0)
            continue;
        has_acted = true;
        watch_unit_act(supervisor->units[i]);
    }
    return has_acted;
}

void watch_supervisor_settle(struct watch_supervisor *supervisor)
{
    do {
        const uint64_t now_ns = watch_loop_now(supervisor->loop);

        if (supervisor->is_ending)
            supervisor->is_over = watch_order_stop(
                supervisor->members, supervisor->member_count, now_ns);
        else
            watch_order_settle(supervisor->members, supervisor->member_count,
                               now_ns);
    } while (act_all(supervisor));
    watch_reload_settle(supervisor);
    if (supervisor->has_news) {
        supervisor->has_news = false;
        watch_detached_save(supervisor);
    }
    if (supervisor->is_over)
        tell_self(supervisor, WATCH_EVENT_WATCH_STOPPED, "");
}

/* --- orders -------------------------------------------------------------- */

static struct watch_unit *ordered(struct watch_supervisor *supervisor,
                                  const char *name, struct watch_refusal *why)
{
    struct watch_unit *unit = watch_unit_find(supervisor, name);

    *why = (struct watch_refusal){.is_unknown = !unit || unit->is_leaving};
    if (why->is_unknown)
        snprintf(why->why, sizeof why->why, "there is no service '%.64s'",
                 name);
    else if (supervisor->is_ending)
        snprintf(why->why, sizeof why->why, "the supervisor is ending");
    return why->why[0] ? NULL : unit;
}

/* One that waits for new settings is as good as stopped. */
static bool order(struct watch_supervisor *supervisor, const char *name,
                  bool is_to_start,
                  void (*give)(struct watch_machine *machine, uint64_t now_ns),
                  struct watch_refusal *why)
{
    struct watch_unit *unit = ordered(supervisor, name, why);

    if (!unit)
        return false;
    if (unit->next) {
        unit->is_to_start = is_to_start;
        return true;
    }
    give(&unit->machine, watch_loop_now(supervisor->loop));
    watch_unit_act(unit);
    return true;
}

bool watch_start(struct watch_supervisor *supervisor, const char *name,
                 struct watch_refusal *why)
{
    return order(supervisor, name, true, watch_machine_start, why);
}

bool watch_stop(struct watch_supervisor *supervisor, const char *name,
                struct watch_refusal *why)
{
    return order(supervisor, name, false, watch_machine_stop, why);
}

bool watch_restart(struct watch_supervisor *supervisor, const char *name,
                   struct watch_refusal *why)
{
    return order(supervisor, name, true, watch_machine_restart, why);
}

void watch_supervisor_end(struct watch_supervisor *supervisor, bool keeps)
{
    if (supervisor->is_ending)
        return;
    supervisor->is_ending = true;
    for (size_t i = 0; i < supervisor->count; i++) {
        struct watch_unit *unit = supervisor->units[i];

        if (keeps && unit->settings->is_detached && unit->pid > 0 &&
            !unit->is_leaving && unit->machine.is_wanted)
            watch_unit_release(unit);
    }
    watch_link(supervisor);
}

void watch_down(struct watch_supervisor *supervisor)
{
    watch_supervisor_end(supervisor, false);
}

/* --- all of it ----------------------------------------------------------- */

static double next_random(void *user)
{
    struct watch_supervisor *supervisor = user;

    return erand48(supervisor->random);
}

static struct watch_source *
add_source(struct watch_supervisor *supervisor, int fd,
           void (*ready)(void *user, uint32_t events),
           int64_t (*timeout_ms)(void *user))
{
    return watch_loop_add(supervisor->loop, &(struct watch_source_options){
                                                .fd = fd,
                                                .events = EPOLLIN,
                                                .ready = ready,
                                                .timeout_ms = timeout_ms,
                                                .user = supervisor});
}

static bool take_sources(struct watch_supervisor *supervisor)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGHUP);
    supervisor->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (supervisor->signals < 0)
        return false;
    supervisor->sources[0] = add_source(
        supervisor, weir_pool_fd(supervisor->pool), on_pool, pool_timeout);
    supervisor->sources[1] =
        add_source(supervisor, -1, on_time, time_until_due);
    supervisor->sources[2] =
        add_source(supervisor, supervisor->signals, on_signal, NULL);
    return supervisor->sources[0] && supervisor->sources[1] &&
           supervisor->sources[2];
}

static void drop_sources(struct watch_supervisor *supervisor)
{
    for (size_t i = 0; i < 3; i++)
        watch_loop_remove(supervisor->loop, supervisor->sources[i]);
    if (supervisor->signals >= 0)
        close(supervisor->signals);
}

/* The settings' services become units. */
static void make_units(struct watch_supervisor *supervisor)
{
    struct watch_settings *settings = supervisor->settings;

    supervisor->count = settings->count;
    supervisor->units = cli_alloc(settings->count * sizeof(void *));
    for (size_t i = 0; i < settings->count; i++)
        supervisor->units[i] =
            watch_unit_new(supervisor, settings->services[i]);
    settings->count = 0;
    watch_link(supervisor);
}

struct watch_supervisor *
watch_supervisor_new(const struct watch_supervisor_options *options)
{
    struct watch_supervisor *supervisor = cli_alloc(sizeof *supervisor);

    supervisor->loop = options->loop;
    supervisor->pool = options->pool;
    supervisor->signals = -1;
    supervisor->jitter = (struct watch_random){next_random, supervisor};
    if (getrandom(supervisor->random, sizeof supervisor->random, 0) < 0 ||
        !take_sources(supervisor)) {
        cli_complain("supervisor: %s", strerror(errno));
        drop_sources(supervisor);
        free(supervisor);
        return NULL;
    }
    supervisor->pool_options = options->pool_options;
    supervisor->loaded = options->loaded;
    supervisor->config = options->config;
    supervisor->settings = options->settings;
    supervisor->guard = options->guard;
    supervisor->started_ns = watch_loop_now(supervisor->loop);
    supervisor->started_at_ms = watch_wall_clock_ms();
    supervisor->logs_at_ns = supervisor->started_ns + LOGS_EVERY_NS;
    make_units(supervisor);
    return supervisor;
}

void watch_supervisor_start(struct watch_supervisor *supervisor)
{
    char detail[64];

    snprintf(detail, sizeof detail, "%zu services", supervisor->count);
    tell_self(supervisor, WATCH_EVENT_WATCH_STARTED, detail);
    watch_detached_adopt(supervisor);
    watch_order_settle(supervisor->members, supervisor->member_count,
                       watch_loop_now(supervisor->loop));
    for (size_t i = 0; i < supervisor->count; i++) {
        struct watch_unit *unit = supervisor->units[i];

        if (unit->settings->is_automatic && unit->pid == 0)
            watch_machine_start(&unit->machine,
                                watch_loop_now(supervisor->loop));
    }
    watch_supervisor_settle(supervisor);
}

void watch_supervisor_free(struct watch_supervisor *supervisor)
{
    if (!supervisor)
        return;
    for (size_t i = 0; i < supervisor->count; i++)
        watch_unit_free(supervisor->units[i]);
    drop_sources(supervisor);
    watch_guard_close(&supervisor->guard);
    watch_settings_free(supervisor->settings);
    weir_settings_free(supervisor->loaded);
    free((void *)supervisor->units);
    free((void *)supervisor->members);
    free(supervisor->views);
    free(supervisor);
}

void watch_supervisor_set_hook(struct watch_supervisor *supervisor,
                               const struct watch_reload_hook *hook)
{
    supervisor->hook = *hook;
}

struct watch_loop *watch_loop_of(struct watch_supervisor *supervisor)
{
    return supervisor->loop;
}

weir_pool *watch_pool_of(struct watch_supervisor *supervisor)
{
    return supervisor->pool;
}
