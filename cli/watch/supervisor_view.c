/* The supervisor as others see it. */
#include <stdlib.h>

#include "supervisor.h"

#define NS_PER_MS UINT64_C(1000000)

static const char *obstacle_of(const struct watch_unit *unit)
{
    const struct watch_member *obstacle;

    if (!unit->machine.is_due)
        return "";
    obstacle = watch_order_obstacle(&unit->member);
    if (!obstacle)
        return "";
    for (size_t i = 0; i < unit->supervisor->count; i++) {
        if (&unit->supervisor->units[i]->member == obstacle)
            return unit->supervisor->units[i]->settings->name;
    }
    return "";
}

static int64_t next_start(const struct watch_machine *machine, uint64_t now_ns)
{
    const bool is_planned =
        (machine->state == WATCH_BACKOFF || machine->state == WATCH_FAILED) &&
        machine->deadline_ns != WATCH_NEVER;

    return is_planned ? watch_ms_until(now_ns, machine->deadline_ns) : -1;
}

static void look_at(const struct watch_unit *unit, uint64_t now_ns,
                    struct watch_service_view *view)
{
    const struct watch_machine *machine = &unit->machine;
    const bool is_running = machine->state == WATCH_RUNNING;

    *view = (struct watch_service_view){
        .name = unit->settings->name,
        .state = machine->state,
        .is_healthy = watch_machine_is_healthy(machine),
        .is_wanted = machine->is_wanted || (unit->next && unit->is_to_start),
        .pid = unit->pid,
        .uptime_ms = is_running ? (now_ns - machine->since_ns) / NS_PER_MS : 0,
        .restarts = machine->restarts.total,
        .restarts_in_window =
            watch_restarts_in_window(&machine->restarts, now_ns),
        .max_restarts = machine->rules.restarts.max_restarts,
        .fails_in_a_row = machine->fails,
        .fall = machine->rules.fall,
        .next_start_ms = next_start(machine, now_ns),
        .waits_for = obstacle_of(unit),
        .last_error = unit->last_error,
        .last_error_at_ms = unit->last_error_at_ms,
        .health = unit->settings->health ? unit->settings->health : "",
        .probe_status = unit->probe_status,
        .probe_latency_ms = unit->probe_latency_ms,
        .probe_at_ms = unit->probe_at_ms,
        .probe_error = unit->probe_error,
        .log = watch_log_path(unit->out),
    };
}

/* It has come up, or there is a reason why it has not. */
static bool is_settled(const struct watch_unit *unit)
{
    const struct watch_machine *machine = &unit->machine;

    return !machine->is_wanted || machine->state == WATCH_RUNNING ||
           machine->state == WATCH_FAILED || machine->state == WATCH_TIMEOUT ||
           machine->state == WATCH_BACKOFF;
}

/* Waits for one that may never come up. */
static bool is_held_up(const struct watch_unit *unit)
{
    const struct watch_member *obstacle =
        unit->machine.is_due ? watch_order_obstacle(&unit->member) : NULL;

    return obstacle && (obstacle->machine->state == WATCH_FAILED ||
                        !obstacle->machine->is_wanted);
}

const struct watch_view *watch_view_of(struct watch_supervisor *supervisor)
{
    const uint64_t now_ns = watch_loop_now(supervisor->loop);
    struct watch_view *view = &supervisor->view;

    free(supervisor->views);
    supervisor->views =
        cli_alloc(supervisor->count * sizeof *supervisor->views);
    *view = (struct watch_view){
        .services = supervisor->views,
        .count = supervisor->count,
        .is_settled = true,
        .is_ending = supervisor->is_ending,
        .now_ms = watch_wall_clock_ms(),
        .started_at_ms = supervisor->started_at_ms,
        .uptime_ms = (now_ns - supervisor->started_ns) / NS_PER_MS,
        .pool.size = sizeof view->pool,
    };
    for (size_t i = 0; i < supervisor->count; i++) {
        const struct watch_unit *unit = supervisor->units[i];

        look_at(unit, now_ns, &supervisor->views[i]);
        view->running += unit->machine.state == WATCH_RUNNING;
        view->healthy += supervisor->views[i].is_healthy;
        if (!is_settled(unit) && !is_held_up(unit))
            view->is_settled = false;
    }
    weir_pool_stats(supervisor->pool, &view->pool);
    return view;
}
