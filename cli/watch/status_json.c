#include "status_json.h"

#include <math.h>
#include <stdlib.h>

#include "../cli.h"
#include "event_text.h"
#include "pool_figures.h"
#include "stamp.h"

/* Out of memory ends a command, as in cli_alloc(). */
static void set(json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new(object, key, value) != 0) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
}

static void append(json_t *array, json_t *value)
{
    if (!value || json_array_append_new(array, value) != 0) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
}

static void set_count(json_t *object, const char *key, uint64_t count)
{
    set(object, key, json_integer((json_int_t)count));
}

static void set_text(json_t *object, const char *key, const char *text)
{
    set(object, key, text[0] ? watch_json_text(text) : json_null());
}

static void set_stamp(json_t *object, const char *key, uint64_t at_ms)
{
    char stamp[WATCH_STAMP_SIZE];

    watch_stamp(at_ms, stamp);
    set(object, key, at_ms ? json_string(stamp) : json_null());
}

static void set_seconds(json_t *object, const char *key, uint64_t ms)
{
    set(object, key, json_real((double)ms / 1000));
}

static json_t *health_json(const struct watch_service_view *service)
{
    json_t *health;

    if (!service->health[0])
        return json_null();
    health = json_object();
    set_text(health, "address", service->health);
    set_stamp(health, "at", service->probe_at_ms);
    set(health, "status",
        service->probe_status ? json_integer(service->probe_status)
                              : json_null());
    set(health, "latency_ms",
        service->probe_status
            ? json_real(round(service->probe_latency_ms * 1000) / 1000)
            : json_null());
    set_text(health, "error", service->probe_error);
    set_count(health, "fails_in_a_row", service->fails_in_a_row);
    set_count(health, "fall", service->fall);
    return health;
}

static json_t *service_json(const struct watch_service_view *service)
{
    json_t *object = json_object();

    set_text(object, "name", service->name);
    set(object, "state", json_string(watch_state_name(service->state)));
    set(object, "healthy", json_boolean(service->is_healthy));
    set(object, "wanted", json_boolean(service->is_wanted));
    set(object, "pid",
        service->pid > 0 ? json_integer(service->pid) : json_null());
    set_seconds(object, "uptime_s", service->uptime_ms);
    set_count(object, "restarts", service->restarts);
    set_count(object, "restarts_in_window", service->restarts_in_window);
    set_count(object, "max_restarts", service->max_restarts);
    set(object, "next_start_s",
        service->next_start_ms >= 0
            ? json_real((double)service->next_start_ms / 1000)
            : json_null());
    set_text(object, "waits_for", service->waits_for);
    set_text(object, "last_error", service->last_error);
    set_stamp(object, "last_error_at", service->last_error_at_ms);
    set(object, "health", health_json(service));
    set_text(object, "log", service->log);
    return object;
}

static json_t *services_json(const struct watch_view *view)
{
    json_t *services = json_array();

    for (size_t i = 0; i < view->count; i++)
        append(services, service_json(&view->services[i]));
    return services;
}

static json_t *pool_json(const weir_pool_figures *pool)
{
    json_t *object = json_object();
    json_t *closed = json_object();

#define WATCH_X(member, metric, is_counter, meaning)                           \
    set_count(object, #member, pool->member);
    WATCH_POOL_TABLE(WATCH_X)
#undef WATCH_X
    for (int i = 0; i < WEIR_CLOSE_REASON_COUNT; i++) {
        if (pool->closed[i])
            set_count(closed, weir_close_reason_meaning((weir_close_reason)i),
                      pool->closed[i]);
    }
    set(object, "closed", closed);
    return object;
}

static json_t *recent_json(const struct watch_recent *recent)
{
    json_t *events = json_array();

    for (size_t i = 0; i < recent->count; i++)
        append(events, watch_event_json(watch_recent_at(recent, i)));
    return events;
}

static json_t *outlets_json(const struct watch_outlets *outlets)
{
    json_t *object = json_object();

    if (outlets->has_file)
        set_count(object, "file_lost", outlets->file_lost);
    if (outlets->has_history)
        set_count(object, "history_lost", outlets->history_lost);
    if (outlets->has_webhook) {
        json_t *webhook = json_object();

        set_count(webhook, "queued", outlets->webhook.queued);
        set_count(webhook, "delivered", outlets->webhook.delivered);
        set_count(webhook, "refused", outlets->webhook.refused);
        set_count(webhook, "dropped", outlets->webhook.dropped);
        set_count(webhook, "failures", outlets->webhook.failures);
        set(object, "webhook", webhook);
    }
    return object;
}

json_t *watch_status_json(const struct watch_view *view,
                          const struct watch_recent *recent,
                          const struct watch_outlets *outlets)
{
    json_t *object = json_object();

    set(object, "version", json_string(weir_version()));
    set_stamp(object, "now", view->now_ms);
    set_stamp(object, "started_at", view->started_at_ms);
    set_seconds(object, "uptime_s", view->uptime_ms);
    set(object, "settled", json_boolean(view->is_settled));
    set(object, "ending", json_boolean(view->is_ending));
    set_count(object, "count", view->count);
    set_count(object, "running", view->running);
    set_count(object, "healthy", view->healthy);
    set(object, "services", services_json(view));
    set(object, "pool", pool_json(&view->pool));
    if (recent)
        set(object, "events", recent_json(recent));
    if (outlets)
        set(object, "outlets", outlets_json(outlets));
    return object;
}
