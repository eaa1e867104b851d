#include "manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli.h"
#include "loop.h"
#include "notify.h"

enum {
    STATUS_MAX = 160
};

struct manager {
    struct watch_supervisor *supervisor;
    struct watch_loop *loop;
    struct watch_source *source;
    struct watch_notify notify;
    char status[STATUS_MAX];
    uint64_t beat_ns; /* when the next sign of life is due */
    bool is_touched;  /* something has happened */
    bool is_ready;
    bool is_reloading; /* has been told */
    bool is_reloaded;  /* is to be told */
    bool is_stopping;
};

static bool is_heard(const struct manager *manager)
{
    return manager->notify.fd >= 0;
}

static void make_status(const struct watch_view *view, char status[STATUS_MAX])
{
    size_t wanted = 0;
    size_t well = 0;
    int len;

    for (size_t i = 0; i < view->count; i++) {
        wanted += view->services[i].is_wanted;
        well += view->services[i].is_wanted && view->services[i].is_healthy;
    }
    len = snprintf(status, STATUS_MAX, "%zu of %zu healthy", well, wanted);
    for (size_t i = 0; i < view->count && well + 1 == wanted; i++) {
        const struct watch_service_view *service = &view->services[i];

        if (service->is_wanted && !service->is_healthy)
            snprintf(status + len, STATUS_MAX - (size_t)len, "; %.64s: %s",
                     service->name, watch_state_name(service->state));
    }
}

/* Not from a sink, which must not ask the supervisor: one turn later. */
static void tell(struct manager *manager)
{
    const struct watch_view *view = watch_view_of(manager->supervisor);
    char status[STATUS_MAX];

    make_status(view, status);
    if (view->is_ending && !manager->is_stopping) {
        manager->is_stopping = true;
        notify_stopping(&manager->notify);
        return;
    }
    if (view->is_ending)
        return;
    if (manager->is_reloaded && !manager->is_reloading)
        notify_reloading(&manager->notify);
    if (manager->is_reloaded || (view->is_settled && !manager->is_ready)) {
        manager->is_ready = true;
        notify_ready(&manager->notify, status);
        manager->is_reloaded = manager->is_reloading = false;
    } else if (strcmp(status, manager->status) != 0) {
        notify_status(&manager->notify, status);
    }
    memcpy(manager->status, status, sizeof status);
}

static void on_ready(void *user, uint32_t events)
{
    struct manager *manager = user;
    const uint64_t now_ns = watch_loop_now(manager->loop);

    (void)events;
    if (manager->notify.beat_ns && now_ns >= manager->beat_ns) {
        notify_alive(&manager->notify);
        manager->beat_ns = now_ns + manager->notify.beat_ns;
    }
    if (manager->is_touched) {
        manager->is_touched = false;
        tell(manager);
    }
}

static int64_t timeout_ms(void *user)
{
    const struct manager *manager = user;

    if (manager->is_touched)
        return 0;
    return manager->notify.beat_ns
               ? watch_ms_until(watch_loop_now(manager->loop), manager->beat_ns)
               : -1;
}

struct manager *manager_open(struct watch_supervisor *supervisor)
{
    struct manager *manager = cli_alloc(sizeof *manager);
    const struct watch_source_options options = {
        .fd = -1, .ready = on_ready, .timeout_ms = timeout_ms, .user = manager};

    manager->supervisor = supervisor;
    manager->loop = watch_loop_of(supervisor);
    notify_open(&manager->notify);
    if (is_heard(manager))
        manager->source = watch_loop_add(manager->loop, &options);
    return manager;
}

void manager_close(struct manager *manager)
{
    if (!manager)
        return;
    if (is_heard(manager) && !manager->is_stopping)
        notify_stopping(&manager->notify);
    watch_loop_remove(manager->loop, manager->source);
    notify_close(&manager->notify);
    free(manager);
}

void manager_emit(struct manager *manager, const struct watch_event *event)
{
    manager->is_touched = true;
    if (event->kind == WATCH_EVENT_RELOADED ||
        event->kind == WATCH_EVENT_RELOAD_FAILED)
        manager->is_reloaded = true;
}

void manager_reloading(struct manager *manager)
{
    manager->is_reloading = true;
    notify_reloading(&manager->notify);
}
