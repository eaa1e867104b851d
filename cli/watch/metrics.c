#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../cli.h"
#include "event_text.h"
#include "pool_figures.h"

static void head(FILE *out, const char *name, const char *type,
                 const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `label="value"`, in which \, " and line feed are escaped. */
static void label(FILE *out, const char *name, const char *value)
{
    char *clean = watch_clean_text(value);

    fprintf(out, "%s=\"", name);
    for (const char *at = clean; *at; at++) {
        if (*at == '\n')
            fputs("\\n", out);
        else if (*at == '\\' || *at == '"')
            fprintf(out, "\\%c", *at);
        else
            fputc(*at, out);
    }
    fputc('"', out);
    free(clean);
}

/* --- services ------------------------------------------------------------ */

static double is_up(const struct watch_service_view *service)
{
    return service->state == WATCH_RUNNING;
}

static double is_healthy(const struct watch_service_view *service)
{
    return service->is_healthy;
}

static double is_wanted(const struct watch_service_view *service)
{
    return service->is_wanted;
}

static double uptime(const struct watch_service_view *service)
{
    return (double)service->uptime_ms / 1000;
}

static double restarts(const struct watch_service_view *service)
{
    return service->restarts;
}

static double restarts_in_window(const struct watch_service_view *service)
{
    return service->restarts_in_window;
}

static double fails_in_a_row(const struct watch_service_view *service)
{
    return service->fails_in_a_row;
}

static double probe_latency(const struct watch_service_view *service)
{
    return service->probe_latency_ms / 1000;
}

static double probe_status(const struct watch_service_view *service)
{
    return service->probe_status;
}

static double pid(const struct watch_service_view *service)
{
    return (double)service->pid;
}

static const struct {
    const char *name;
    const char *type;
    const char *help;
    double (*value)(const struct watch_service_view *service);
    bool is_of_probe; /* not there before the first answer */
} families[] = {
    {"weir_service_up", "gauge", "1: in state RUNNING", is_up, false},
    {"weir_service_healthy", "gauge",
     "1: RUNNING, alive, and its health checks pass", is_healthy, false},
    {"weir_service_wanted", "gauge", "0: somebody has stopped it", is_wanted,
     false},
    {"weir_service_pid", "gauge", "process id, 0: no process", pid, false},
    {"weir_service_uptime_seconds", "gauge", "since it came up", uptime, false},
    {"weir_service_restarts_total", "counter", "restarts by the supervisor",
     restarts, false},
    {"weir_service_restarts_in_window", "gauge",
     "restarts that count towards max_restarts", restarts_in_window, false},
    {"weir_service_probe_failures_in_a_row", "gauge",
     "health checks that failed since the last good one", fails_in_a_row,
     false},
    {"weir_service_probe_latency_seconds", "gauge",
     "of the last health check that was answered", probe_latency, true},
    {"weir_service_probe_status", "gauge",
     "HTTP status of the last health check that was answered", probe_status,
     true},
};

static void write_family(FILE *out, size_t which, const struct watch_view *view)
{
    head(out, families[which].name, families[which].type, families[which].help);
    for (size_t i = 0; i < view->count; i++) {
        const struct watch_service_view *service = &view->services[i];

        if (families[which].is_of_probe && !service->probe_status)
            continue;
        fprintf(out, "%s{", families[which].name);
        label(out, "service", service->name);
        fprintf(out, "} %.15g\n", families[which].value(service));
    }
}

static void write_states(FILE *out, const struct watch_view *view)
{
    head(out, "weir_service_state", "gauge", "1: the service is in this state");
    for (size_t i = 0; i < view->count; i++) {
        for (int state = 0; state < WATCH_STATE_COUNT; state++) {
            fputs("weir_service_state{", out);
            label(out, "service", view->services[i].name);
            fputc(',', out);
            label(out, "state", watch_state_name((enum watch_state)state));
            fprintf(out, "} %d\n",
                    view->services[i].state == (enum watch_state)state);
        }
    }
}

/* --- all else ------------------------------------------------------------ */

static void write_count(FILE *out, const char *name, const char *type,
                        const char *help, uint64_t count)
{
    head(out, name, type, help);
    fprintf(out, "%s %" PRIu64 "\n", name, count);
}

static void write_watch(FILE *out, const struct watch_view *view)
{
    head(out, "weir_build_info", "gauge", "1, with the version of weir");
    fputs("weir_build_info{", out);
    label(out, "version", weir_version());
    fputs("} 1\n", out);
    head(out, "weir_watch_start_time_seconds", "gauge",
         "when the supervisor began, in seconds since 1970");
    fprintf(out, "weir_watch_start_time_seconds %.3f\n",
            (double)view->started_at_ms / 1000);
    write_count(out, "weir_watch_services", "gauge", "services in all",
                view->count);
    write_count(out, "weir_watch_services_running", "gauge",
                "services in state RUNNING", view->running);
    write_count(out, "weir_watch_services_healthy", "gauge",
                "services that are healthy", view->healthy);
}

static void write_pool(FILE *out, const weir_pool_figures *pool)
{
#define WATCH_X(member, metric, is_counter, meaning)                           \
    write_count(out,                                                           \
                (is_counter) ? "weir_pool_" metric "_total"                    \
                             : "weir_pool_" metric,                            \
                (is_counter) ? "counter" : "gauge", meaning, pool->member);
    WATCH_POOL_TABLE(WATCH_X)
#undef WATCH_X
    head(out, "weir_pool_closed_total", "counter",
         "connections closed, by reason");
    for (int i = 0; i < WEIR_CLOSE_REASON_COUNT; i++) {
        fputs("weir_pool_closed_total{", out);
        label(out, "reason", weir_close_reason_meaning((weir_close_reason)i));
        fprintf(out, "} %" PRIu64 "\n", pool->closed[i]);
    }
}

static void write_events(FILE *out, const struct watch_recent *recent)
{
    head(out, "weir_watch_events_total", "counter", "events, by kind");
    for (int i = 0; i < WATCH_EVENT_COUNT; i++) {
        fputs("weir_watch_events_total{", out);
        label(out, "event", watch_event_name((enum watch_event_kind)i));
        fprintf(out, "} %" PRIu64 "\n", recent->by_kind[i]);
    }
}

static void write_outlets(FILE *out, const struct watch_outlets *outlets)
{
    if (outlets->has_file)
        write_count(out, "weir_watch_file_lost_total", "counter",
                    "events that could not be written to the file",
                    outlets->file_lost);
    if (outlets->has_history)
        write_count(out, "weir_watch_history_lost_total", "counter",
                    "events that could not be kept in the history",
                    outlets->history_lost);
    if (!outlets->has_webhook)
        return;
    write_count(out, "weir_watch_webhook_queued", "gauge",
                "events that wait for the webhook", outlets->webhook.queued);
    write_count(out, "weir_watch_webhook_delivered_total", "counter",
                "events that the webhook took", outlets->webhook.delivered);
    write_count(out, "weir_watch_webhook_refused_total", "counter",
                "events that the webhook refused for good",
                outlets->webhook.refused);
    write_count(out, "weir_watch_webhook_dropped_total", "counter",
                "events dropped from a full queue", outlets->webhook.dropped);
    write_count(out, "weir_watch_webhook_failures_total", "counter",
                "deliveries that failed and were put off",
                outlets->webhook.failures);
}

char *watch_metrics(const struct watch_view *view,
                    const struct watch_recent *recent,
                    const struct watch_outlets *outlets, size_t *ret_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_len);

    if (!out) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    write_watch(out, view);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        write_family(out, i, view);
    write_states(out, view);
    write_pool(out, &view->pool);
    write_events(out, recent);
    write_outlets(out, outlets);
    if (fclose(out) != 0) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    return text;
}
