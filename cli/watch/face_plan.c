#include "face_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "face_settings.h"
#include "settings.h"

static char *copy(const char *text)
{
    return text ? cli_copy(text) : NULL;
}

/* NULL path: no secret is wanted. */
static bool read_secret(const char *path, char **ret_token, weir_error *err)
{
    *ret_token = path ? watch_token_from(path, err) : NULL;
    return !path || *ret_token;
}

static void take_webhook(struct face_plan *plan,
                         const struct webhook_settings *settings)
{
    plan->webhook.url = copy(settings->url);
    plan->webhook.timeout = settings->timeout;
    plan->webhook.attempts = (unsigned)settings->attempts;
    plan->webhook.delay = settings->delay;
    plan->webhook.max_delay = settings->max_delay;
    plan->webhook.max_queue = (size_t)settings->max_queue;
}

bool face_plan_make(struct face_plan *plan, const weir_settings *settings,
                    const struct watch_face_options *options,
                    weir_error *ret_err)
{
    struct watch_face_settings read;
    char *secret = NULL;

    *plan = (struct face_plan){0};
    if (!watch_face_settings_read(&read, settings, options, ret_err))
        return false;
    plan->listen = copy(read.page.listen);
    plan->has_control = read.page.control;
    plan->events = copy(read.events.file);
    plan->history = read.events.history[0] ? copy(read.events.history) : NULL;
    plan->state = watch_settings_state(settings);
    plan->history_days = read.events.history_days;
    take_webhook(plan, &read.events.webhook);
    if (read_secret(read.page.token_file, &plan->page_token, ret_err) &&
        read_secret(read.events.webhook.token_file, &secret, ret_err)) {
        plan->webhook.token = secret;
        return true;
    }
    face_plan_done(plan);
    return false;
}

void face_plan_done(struct face_plan *plan)
{
    free(plan->listen);
    free(plan->page_token);
    free(plan->events);
    free(plan->state);
    free(plan->history);
    free((char *)plan->webhook.url);
    free((char *)plan->webhook.token);
    *plan = (struct face_plan){0};
}

bool face_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same(double a, double b)
{
    return fabs(a - b) <= 0;
}

bool face_same_webhook(const struct webhook_options *a,
                       const struct webhook_options *b)
{
    return face_same_text(a->url, b->url) &&
           face_same_text(a->token, b->token) &&
           is_same(a->timeout, b->timeout) && a->attempts == b->attempts &&
           is_same(a->delay, b->delay) && is_same(a->max_delay, b->max_delay) &&
           a->max_queue == b->max_queue;
}
