/* One service: carries out what its machine decides. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "spawn.h"
#include "supervisor.h"

static uint64_t now_of(const struct watch_unit *unit)
{
    return watch_loop_now(unit->supervisor->loop);
}

/* --- events -------------------------------------------------------------- */

/* What an error should show the last lines of standard error with. */
static bool is_of_process(enum watch_event_kind kind)
{
    return kind == WATCH_EVENT_START_ERROR ||
           kind == WATCH_EVENT_RESTART_FAILED ||
           kind == WATCH_EVENT_PROCESS_DIED;
}

static void tell(struct watch_unit *unit, const struct watch_action *action)
{
    struct watch_event event = {
        .kind = action->event,
        .service = unit->settings->name,
        .detail = action->detail,
        .pid = unit->pid,
        .exit_code = action->exit_code,
        .exit_signal = action->exit_signal,
        .restarts = unit->machine.restarts.total,
    };
    char last[240];
    char detail[sizeof unit->last_error];

    if (is_of_process(action->event)) {
        watch_log_last_lines(unit->err, last, sizeof last);
        snprintf(detail, sizeof detail, "%s%s%s", action->detail,
                 last[0] ? "; stderr: " : "", last);
        event.detail = detail;
    }
    watch_tell(unit->supervisor, unit, &event);
}

/* --- the process --------------------------------------------------------- */

static void close_output(int out, int err)
{
    if (out >= 0)
        close(out);
    if (err >= 0)
        close(err);
}

static pid_t spawn(struct watch_unit *unit, char *why, size_t size)
{
    const struct watch_service_settings *settings = unit->settings;
    const struct watch_command command = {
        .argv = settings->argv,
        .environment = settings->environment,
        .folder = settings->folder,
        .user = settings->user,
        .is_detached = settings->is_detached,
    };
    int (*const begin)(struct watch_log * log) =
        settings->is_detached ? watch_log_begin_detached : watch_log_begin;
    const int out = begin(unit->out);
    const int err = out >= 0 ? begin(unit->err) : -1;
    pid_t pid = -1;

    if (err >= 0)
        pid = watch_spawn(&command, out, err, unit->supervisor->guard.fd, why,
                          size);
    else
        snprintf(why, size, "log %s: %s",
                 watch_log_path(out >= 0 ? unit->err : unit->out),
                 strerror(errno));
    close_output(out, err);
    if (pid < 0) {
        watch_log_end(unit->out);
        watch_log_end(unit->err);
    }
    return pid;
}

static void start_process(struct watch_unit *unit)
{
    char why[200];
    const pid_t pid = spawn(unit, why, sizeof why);

    if (pid < 0) {
        watch_machine_spawn_failed(&unit->machine, why, now_of(unit));
        return;
    }
    unit->pid = pid;
    if (unit->settings->is_detached)
        unit->supervisor->has_news = true;
    watch_machine_spawned(&unit->machine, now_of(unit));
}

static void signal_group(const struct watch_unit *unit, int which)
{
    if (unit->pid <= 0)
        return;
    kill(-unit->pid, which);
    /* One that has been stopped takes nothing but SIGKILL otherwise. */
    if (which != SIGKILL)
        kill(-unit->pid, SIGCONT);
}

static void forget_process(struct watch_unit *unit)
{
    watch_loop_remove(unit->supervisor->loop, unit->exit_source);
    unit->exit_source = NULL;
    if (unit->pidfd >= 0)
        close(unit->pidfd);
    unit->pidfd = -1;
    unit->pid = 0;
    watch_log_end(unit->out);
    watch_log_end(unit->err);
    if (unit->settings->is_detached)
        unit->supervisor->has_news = true;
}

void watch_unit_exited(struct watch_unit *unit, int code, int signal)
{
    if (!unit->settings->is_detached)
        watch_guard_tell(unit->supervisor->guard.fd, unit->pid, false);
    watch_log_end(unit->out);
    watch_log_end(unit->err);
    watch_machine_exited(&unit->machine, code, signal, now_of(unit));
    watch_unit_act(unit);
}

/* Its number is told in the events of its end, and is none after them. */
static void forget_if_gone(struct watch_unit *unit)
{
    if (unit->pid > 0 && !unit->machine.has_process)
        forget_process(unit);
}

/* --- adopted ones -------------------------------------------------------- */

static void on_adopted_exit(void *user, uint32_t events)
{
    struct watch_unit *unit = user;

    (void)events;
    kill(-unit->pid, SIGKILL); /* what it has left behind */
    watch_unit_exited(unit, -1, 0);
}

bool watch_unit_adopt(struct watch_unit *unit, pid_t pid)
{
    const int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0)
        return false;
    unit->exit_source =
        watch_loop_add(unit->supervisor->loop,
                       &(struct watch_source_options){.fd = fd,
                                                      .events = EPOLLIN,
                                                      .ready = on_adopted_exit,
                                                      .user = unit});
    if (!unit->exit_source) {
        close(fd);
        return false;
    }
    unit->pidfd = fd;
    unit->pid = pid;
    watch_log_adopt(unit->out);
    watch_log_adopt(unit->err);
    watch_machine_adopted(&unit->machine, now_of(unit));
    watch_unit_act(unit);
    return true;
}

void watch_unit_release(struct watch_unit *unit)
{
    watch_loop_remove(unit->supervisor->loop, unit->exit_source);
    unit->exit_source = NULL;
    unit->is_released = true;
    watch_probe_free(unit->probe);
    unit->probe = NULL;
}

/* --- checks -------------------------------------------------------------- */

static void on_probed(void *user, const struct watch_probe_result *result)
{
    struct watch_unit *unit = user;

    unit->probe_at_ms = watch_wall_clock_ms();
    unit->probe_status = result->status;
    unit->probe_latency_ms = result->status ? result->latency_ms : 0;
    snprintf(unit->probe_error, sizeof unit->probe_error, "%s", result->why);
    watch_machine_probed(&unit->machine, result->serial, result->verdict,
                         result->why, now_of(unit));
    watch_unit_act(unit);
}

/* --- actions ------------------------------------------------------------- */

static void carry_out(struct watch_unit *unit,
                      const struct watch_action *action)
{
    switch (action->kind) {
    case WATCH_ACT_NONE:
        break;
    case WATCH_ACT_SPAWN:
        forget_if_gone(unit);
        start_process(unit);
        break;
    case WATCH_ACT_TERM:
        signal_group(unit, SIGTERM);
        break;
    case WATCH_ACT_KILL:
        signal_group(unit, SIGKILL);
        break;
    case WATCH_ACT_PROBE:
        if (unit->probe)
            watch_probe_send(unit->probe, action->serial);
        break;
    case WATCH_ACT_EVENT:
        tell(unit, action);
        break;
    }
}

void watch_unit_act(struct watch_unit *unit)
{
    struct watch_action action;

    while (watch_machine_next(&unit->machine, &action))
        carry_out(unit, &action);
    forget_if_gone(unit);
}

/* --- all of it ----------------------------------------------------------- */

static struct watch_log *make_log(struct watch_unit *unit, const char *kind)
{
    char *path = cli_format("%s/%s.%s.log", unit->supervisor->settings->logs,
                            unit->settings->name, kind);
    struct watch_log *log =
        watch_log_new(unit->supervisor->loop, path, &unit->settings->log);

    free(path);
    return log;
}

static void equip(struct watch_unit *unit)
{
    watch_machine_init(&unit->machine, &unit->settings->rules,
                       &unit->supervisor->jitter);
    unit->out = make_log(unit, "out");
    unit->err = make_log(unit, "err");
    if (unit->settings->health)
        unit->probe = watch_probe_new(unit->supervisor->pool, unit->settings,
                                      on_probed, unit);
}

static void strip(struct watch_unit *unit)
{
    watch_probe_free(unit->probe);
    unit->probe = NULL;
    watch_log_free(unit->out);
    watch_log_free(unit->err);
    watch_machine_done(&unit->machine);
    watch_service_settings_free(unit->settings);
}

struct watch_unit *watch_unit_new(struct watch_supervisor *supervisor,
                                  struct watch_service_settings *settings)
{
    struct watch_unit *unit = cli_alloc(sizeof *unit);

    unit->supervisor = supervisor;
    unit->settings = settings;
    unit->pidfd = -1;
    unit->member.machine = &unit->machine;
    equip(unit);
    return unit;
}

void watch_unit_free(struct watch_unit *unit)
{
    watch_loop_remove(unit->supervisor->loop, unit->exit_source);
    if (unit->pidfd >= 0)
        close(unit->pidfd);
    strip(unit);
    watch_service_settings_free(unit->next);
    free((void *)unit->member.after);
    free(unit);
}

void watch_unit_change(struct watch_unit *unit,
                       struct watch_service_settings *settings)
{
    const unsigned restarts = unit->machine.restarts.total;

    strip(unit);
    unit->settings = settings;
    unit->probe_status = 0;
    unit->probe_at_ms = 0;
    unit->probe_error[0] = '\0';
    equip(unit);
    unit->machine.restarts.total = restarts;
}

bool watch_unit_is_down(const struct watch_unit *unit)
{
    return unit->machine.state == WATCH_STOPPED && !unit->machine.has_process;
}

struct watch_unit *watch_unit_find(const struct watch_supervisor *supervisor,
                                   const char *name)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        if (strcmp(supervisor->units[i]->settings->name, name) == 0)
            return supervisor->units[i];
    }
    return NULL;
}
