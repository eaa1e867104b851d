#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REDIRECTS 5
#define MAX_BODY 65536
#define WHY 280 /* a message of weir's, and a few words before it */

static const char could_not_ask[] = "could not ask: ";

/* One request under way.  It may be given up, and lives on for a moment. */
struct ask {
    struct watch_probe *probe;
    uint64_t serial;
    double begun;
    int status;
    size_t body;
    bool has_enough; /* of the body: what is left is not read */
    weir_call *call;
};

struct watch_probe {
    weir_pool *pool;
    const struct watch_service_settings
        *settings;         /* NULL: freed by its owner */
    unsigned asks;         /* under way, those given up included */
    weir_request *request; /* NULL: it could not be made; `trouble` says why */
    char trouble[200];
    watch_probed_fn done;
    void *user;
    struct ask *ask; /* NULL: none is under way */
};

/* --- the verdict --------------------------------------------------------- */

static bool is_shortage(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOMEM ||
           code == ENOBUFS;
}

enum watch_verdict watch_probe_judge(const weir_error *error)
{
    /* What has not left the line of our own pool has not reached anybody. */
    const bool is_in_line = error->stage == WEIR_STAGE_WAIT &&
                            error->error_class == WEIR_CLASS_TIME;

    if (is_in_line || is_shortage(error->system_code) ||
        error->code == WEIR_E_QUEUE_FULL)
        return WATCH_VERDICT_UNKNOWN;
    switch (error->error_class) {
    case WEIR_CLASS_USAGE:
    case WEIR_CLASS_LOCAL:
    case WEIR_CLASS_CLOSED:
    case WEIR_CLASS_CANCELLED:
        return WATCH_VERDICT_UNKNOWN;
    default:
        return WATCH_VERDICT_BAD;
    }
}

/* Seconds since a connection was there: the line before it is our own.  The
 * response is NULL if there is none. */
static double time_taken(const struct ask *ask, const weir_response *response)
{
    weir_timings timings = {.size = sizeof timings};

    if (response)
        weir_response_timings(response, &timings);
    return cli_now() - ask->begun - timings.wait;
}

static void conclude(struct ask *ask, const weir_response *response,
                     const weir_error *error)
{
    struct watch_probe *probe = ask->probe;
    const double limit = probe->settings->health_timeout;
    const double took = time_taken(ask, response);
    struct watch_probe_result result = {
        .serial = ask->serial,
        .verdict = WATCH_VERDICT_OK,
        .status = ask->status,
        .latency_ms = took * 1e3,
    };
    char why[WHY] = "";

    if (error && !ask->has_enough) {
        result.verdict = watch_probe_judge(error);
        snprintf(why, sizeof why, "%s%s",
                 result.verdict == WATCH_VERDICT_UNKNOWN ? could_not_ask : "",
                 error->message);
    } else if (!watch_service_accepts(probe->settings, ask->status)) {
        result.verdict = WATCH_VERDICT_BAD;
        snprintf(why, sizeof why, "status %d", ask->status);
    } else if (took > limit) {
        result.verdict = WATCH_VERDICT_BAD;
        snprintf(why, sizeof why, "answered after %.3g s, not within %.3g s",
                 took, limit);
    }
    result.why = why;
    probe->ask = NULL;
    probe->done(probe->user, &result);
}

/* --- the request --------------------------------------------------------- */

/* An answer that is good is one, whatever it says of another place. */
static weir_redirect_verdict on_redirect(void *user,
                                         const weir_redirect *redirect)
{
    const struct watch_probe *probe = user;

    return probe->settings && redirect->is_same_origin &&
                   !watch_service_accepts(probe->settings, redirect->status)
               ? WEIR_REDIRECT_FOLLOW
               : WEIR_REDIRECT_STOP;
}

static void on_response(void *user, weir_call *call, weir_response *response)
{
    struct ask *ask = user;

    (void)call;
    ask->status = weir_response_status(response);
}

static weir_flow on_body(void *user, weir_call *call, const void *data,
                         size_t len)
{
    struct ask *ask = user;

    (void)data;
    ask->body += len;
    if (ask->body > MAX_BODY && !ask->has_enough) {
        ask->has_enough = true;
        weir_call_cancel(call);
    }
    return WEIR_FLOW_ON;
}

/* The owner has gone, and nothing is under way any more. */
static void free_if_over(struct watch_probe *probe)
{
    if (probe->settings || probe->asks > 0)
        return;
    weir_request_free(probe->request);
    free(probe);
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    struct ask *ask = user;
    struct watch_probe *probe = ask->probe;

    if (probe->ask == ask)
        conclude(ask, response, error);
    weir_call_free(call);
    free(ask);
    probe->asks--;
    free_if_over(probe);
}

static weir_status prepare(struct watch_probe *probe, weir_error *err)
{
    const struct watch_service_settings *settings = probe->settings;
    weir_request *request = probe->request;
    weir_retry once;
    weir_status status;

    weir_retry_init(&once);
    status = weir_request_set_retry(request, &once, err);
    if (status == WEIR_OK)
        status = weir_request_set_proxy(request, "", err);
    if (status == WEIR_OK)
        status =
            weir_request_set_single_use(request, !settings->is_pooled, err);
    if (status == WEIR_OK)
        status = weir_request_set_redirects(request, MAX_REDIRECTS, on_redirect,
                                            probe, err);
    /* The wait in our own line is at most as long again, and is not counted. */
    for (int which = 0; which <= WEIR_TIMEOUT_TOTAL && status == WEIR_OK;
         which++)
        status = weir_request_set_timeout(
            request, (weir_timeout)which,
            settings->health_timeout * (which == WEIR_TIMEOUT_TOTAL ? 2 : 1),
            err);
    return status;
}

struct watch_probe *
watch_probe_new(weir_pool *pool, const struct watch_service_settings *settings,
                watch_probed_fn done, void *user)
{
    struct watch_probe *probe = cli_alloc(sizeof *probe);
    weir_error err;

    probe->pool = pool;
    probe->settings = settings;
    probe->done = done;
    probe->user = user;
    if (weir_request_new("GET", settings->health, &probe->request, &err) ==
            WEIR_OK &&
        prepare(probe, &err) == WEIR_OK)
        return probe;
    snprintf(probe->trouble, sizeof probe->trouble, "%.190s", err.message);
    weir_request_free(probe->request);
    probe->request = NULL;
    return probe;
}

/* --- asking -------------------------------------------------------------- */

static void give_up(struct watch_probe *probe)
{
    struct ask *ask = probe->ask;

    probe->ask = NULL;
    if (ask)
        weir_call_cancel(ask->call);
}

static void refuse(struct watch_probe *probe, uint64_t serial,
                   const weir_error *err)
{
    struct watch_probe_result result = {.serial = serial,
                                        .verdict = WATCH_VERDICT_UNKNOWN};
    char why[WHY];

    snprintf(why, sizeof why, "%s%s", could_not_ask,
             err ? err->message : probe->trouble);
    result.why = why;
    probe->done(probe->user, &result);
}

void watch_probe_send(struct watch_probe *probe, uint64_t serial)
{
    static const weir_handlers handlers = {
        .size = sizeof handlers,
        .on_response = on_response,
        .on_body = on_body,
        .on_done = on_done,
    };
    struct ask *ask;
    weir_error err;

    give_up(probe);
    if (!probe->request) {
        refuse(probe, serial, NULL);
        return;
    }
    ask = cli_alloc(sizeof *ask);
    ask->probe = probe;
    ask->serial = serial;
    ask->begun = cli_now();
    probe->ask = ask;
    probe->asks++;
    if (weir_submit(probe->pool, probe->request, &handlers, ask, &ask->call,
                    &err) == WEIR_OK)
        return;
    probe->ask = NULL;
    probe->asks--;
    free(ask);
    refuse(probe, serial, &err);
}

void watch_probe_free(struct watch_probe *probe)
{
    if (!probe)
        return;
    give_up(probe);
    probe->settings = NULL;
    free_if_over(probe);
}
