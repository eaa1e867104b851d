/* New settings for a supervisor that runs: only what has changed is touched,
 * and a bad file changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

/* --- links --------------------------------------------------------------- */

static size_t count_names(char *const *names)
{
    size_t count = 0;

    while (names[count])
        count++;
    return count;
}

/* One that a reload takes away is no obstacle. */
static void link_unit(struct watch_unit *unit)
{
    char *const *after = unit->settings->after;
    struct watch_member *member = &unit->member;

    free((void *)member->after);
    member->after = cli_alloc(count_names(after) * sizeof(void *));
    member->after_count = 0;
    for (; *after; after++) {
        struct watch_unit *other = watch_unit_find(unit->supervisor, *after);

        if (other && !other->is_leaving)
            member->after[member->after_count++] = &other->member;
    }
}

void watch_link(struct watch_supervisor *supervisor)
{
    free((void *)supervisor->members);
    supervisor->members = cli_alloc(supervisor->count * sizeof(void *));
    supervisor->member_count = 0;
    for (size_t i = 0; i < supervisor->count; i++) {
        struct watch_unit *unit = supervisor->units[i];

        link_unit(unit);
        if (!unit->is_released)
            supervisor->members[supervisor->member_count++] = &unit->member;
    }
}

/* --- events -------------------------------------------------------------- */

static void tell(struct watch_supervisor *supervisor, struct watch_unit *unit,
                 enum watch_event_kind kind, const char *detail)
{
    const struct watch_event event = {
        .kind = kind,
        .service = unit ? unit->settings->name : "",
        .detail = detail,
        .pid = unit ? unit->pid : getpid(),
        .exit_code = -1,
        .restarts = unit ? unit->machine.restarts.total : 0,
    };

    watch_tell(supervisor, unit, &event);
}

/* --- what a reload decides ----------------------------------------------- */

static void stop_for_good(struct watch_unit *unit)
{
    unit->is_leaving = true;
    unit->is_to_start = false;
    watch_service_settings_free(unit->next);
    unit->next = NULL;
    watch_machine_stop(&unit->machine, watch_loop_now(unit->supervisor->loop));
    watch_unit_act(unit);
}

/* settings: given. */
static void change(struct watch_unit *unit,
                   struct watch_service_settings *settings)
{
    /* One that was to leave, and now stays, is wanted as a new one would be. */
    unit->is_to_start = unit->next         ? unit->is_to_start
                        : unit->is_leaving ? settings->is_automatic
                                           : unit->machine.is_wanted;
    unit->is_leaving = false;
    watch_service_settings_free(unit->next);
    unit->next = settings;
    tell(unit->supervisor, unit, WATCH_EVENT_CHANGED,
         unit->is_to_start ? "to be restarted" : "");
    watch_machine_stop(&unit->machine, watch_loop_now(unit->supervisor->loop));
    watch_unit_act(unit);
}

static bool is_unchanged(const struct watch_unit *unit,
                         const struct watch_service_settings *settings)
{
    return !unit->is_leaving && !unit->next &&
           strcmp(unit->settings->fingerprint, settings->fingerprint) == 0;
}

struct tally {
    unsigned added;
    unsigned changed;
    unsigned removed;
};

/* The unit of that service from now on.  settings: given. */
static struct watch_unit *unit_for(struct watch_supervisor *supervisor,
                                   struct watch_service_settings *settings,
                                   struct tally *tally)
{
    struct watch_unit *unit = watch_unit_find(supervisor, settings->name);

    if (!unit) {
        tally->added++;
        unit = watch_unit_new(supervisor, settings);
        tell(supervisor, unit, WATCH_EVENT_ADDED, "");
        unit->is_to_start = settings->is_automatic;
    } else if (is_unchanged(unit, settings)) {
        watch_service_settings_free(settings);
    } else {
        tally->changed++;
        change(unit, settings);
    }
    return unit;
}

static bool is_among(struct watch_unit *const *units, size_t count,
                     const struct watch_unit *unit)
{
    for (size_t i = 0; i < count; i++) {
        if (units[i] == unit)
            return true;
    }
    return false;
}

/* services: each is given. */
static struct tally take_services(struct watch_supervisor *supervisor,
                                  struct watch_settings *settings)
{
    const size_t room = supervisor->count + settings->count;
    struct watch_unit **units = cli_alloc(room * sizeof(void *));
    struct tally tally = {0, 0, 0};
    size_t count = 0;

    for (size_t i = 0; i < settings->count; i++)
        units[count++] = unit_for(supervisor, settings->services[i], &tally);
    settings->count = 0;
    for (size_t i = 0; i < supervisor->count; i++) {
        struct watch_unit *unit = supervisor->units[i];

        if (is_among(units, count, unit))
            continue;
        tally.removed += !unit->is_leaving;
        if (!unit->is_leaving)
            stop_for_good(unit);
        units[count++] = unit;
    }
    free((void *)supervisor->units);
    supervisor->units = units;
    supervisor->count = count;
    watch_link(supervisor);
    return tally;
}

/* --- what comes of it once they are down ---------------------------------- */

static void start_if_wanted(struct watch_unit *unit)
{
    if (!unit->is_to_start)
        return;
    unit->is_to_start = false;
    watch_machine_hold(&unit->machine,
                       watch_order_obstacle(&unit->member) != NULL,
                       watch_loop_now(unit->supervisor->loop));
    watch_machine_start(&unit->machine, watch_loop_now(unit->supervisor->loop));
    watch_unit_act(unit);
}

static void remove_unit(struct watch_supervisor *supervisor, size_t at)
{
    tell(supervisor, supervisor->units[at], WATCH_EVENT_REMOVED, "");
    watch_unit_free(supervisor->units[at]);
    supervisor->count--;
    memmove((void *)(supervisor->units + at),
            (void *)(supervisor->units + at + 1),
            (supervisor->count - at) * sizeof(void *));
    watch_link(supervisor);
}

void watch_reload_settle(struct watch_supervisor *supervisor)
{
    for (size_t i = supervisor->count; i > 0; i--) {
        struct watch_unit *unit = supervisor->units[i - 1];

        if (!watch_unit_is_down(unit) || supervisor->is_ending)
            continue;
        if (unit->is_leaving) {
            remove_unit(supervisor, i - 1);
        } else if (unit->next) {
            watch_unit_change(unit, unit->next);
            unit->next = NULL;
            watch_link(supervisor);
        }
    }
    for (size_t i = 0; i < supervisor->count && !supervisor->is_ending; i++) {
        if (!supervisor->units[i]->next)
            start_if_wanted(supervisor->units[i]);
    }
}

/* --- reading ------------------------------------------------------------- */

static bool is_same_place(const struct watch_settings *old,
                          const struct watch_settings *new,
                          struct watch_refusal *why)
{
    const char *what = strcmp(old->control, new->control) != 0 ? "control"
                       : strcmp(old->state, new->state) != 0   ? "state"
                       : strcmp(old->logs, new->logs) != 0     ? "logs"
                                                               : NULL;

    if (!what)
        return true;
    snprintf(why->why, sizeof why->why,
             "watch.%s cannot change while the supervisor runs", what);
    return false;
}

/* The pool, and then the face; what the face refuses is taken back. */
static bool reconfigure(struct watch_supervisor *supervisor,
                        const weir_settings *loaded, struct watch_refusal *why)
{
    weir_pool_options options;
    weir_error err;

    weir_settings_pool_options(loaded, &options);
    options.loop = supervisor->pool_options.loop;
    options.poller = supervisor->pool_options.poller;
    if (weir_pool_reconfigure(supervisor->pool, &options, &err) != WEIR_OK) {
        snprintf(why->why, sizeof why->why, "%.255s", err.message);
        return false;
    }
    if (supervisor->hook.reload &&
        !supervisor->hook.reload(supervisor->hook.user, loaded, why)) {
        weir_pool_reconfigure(supervisor->pool, &supervisor->pool_options,
                              NULL);
        return false;
    }
    supervisor->pool_options = options;
    return true;
}

static bool adopt_settings(struct watch_supervisor *supervisor,
                           weir_settings *loaded, struct tally *tally,
                           struct watch_refusal *why)
{
    weir_error err;
    struct watch_settings *settings = watch_settings_read(loaded, &err);

    if (!settings) {
        snprintf(why->why, sizeof why->why, "%.255s", err.message);
        return false;
    }
    if (!is_same_place(supervisor->settings, settings, why) ||
        !reconfigure(supervisor, loaded, why)) {
        watch_settings_free(settings);
        return false;
    }
    *tally = take_services(supervisor, settings);
    watch_settings_free(settings);
    return true;
}

bool watch_reload(struct watch_supervisor *supervisor,
                  struct watch_refusal *why)
{
    struct tally tally = {0, 0, 0};
    weir_settings *loaded = NULL;
    weir_error err;
    char detail[96];
    bool is_good = false;

    *why = (struct watch_refusal){.is_unknown = false};
    if (supervisor->is_ending)
        snprintf(why->why, sizeof why->why, "the supervisor is ending");
    else if (weir_settings_load("weir", supervisor->config, &loaded, &err) !=
             WEIR_OK)
        snprintf(why->why, sizeof why->why, "%.255s", err.message);
    else
        is_good = adopt_settings(supervisor, loaded, &tally, why);
    if (!is_good) {
        weir_settings_free(loaded);
        tell(supervisor, NULL, WATCH_EVENT_RELOAD_FAILED, why->why);
        return false;
    }
    weir_settings_free(supervisor->loaded);
    supervisor->loaded = loaded;
    snprintf(detail, sizeof detail, "%u added, %u changed, %u removed",
             tally.added, tally.changed, tally.removed);
    tell(supervisor, NULL, WATCH_EVENT_RELOADED, detail);
    return true;
}
