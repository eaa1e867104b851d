/* Every way out of the supervisor, opened, changed and closed together.
 *
 * One sink takes the events and hands them on, so that a reload can exchange
 * the ways behind it.  A reload opens all that is new before it closes anything
 * that is old: what is refused changes nothing. */
#include "face.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli.h"
#include "events_file.h"
#include "face_plan.h"
#include "history.h"
#include "live.h"
#include "manager.h"
#include "page.h"
#include "webhook.h"

/* Seconds for the last events at the end. */
#define LAST_WORDS 3

/* What can be exchanged; NULL: not there. */
struct ways {
    struct events_file *file;
    struct history *history;
    struct webhook *webhook;
    struct page *page;
};

struct watch_face {
    struct watch_supervisor *supervisor;
    char *listen; /* of the command line, for the next reload */
    char *events;
    struct face_plan plan;
    struct ways ways;
    struct watch_recent recent;
    struct live *live;
    struct manager *manager;
    bool prints_lines;
    bool is_closing; /* what still comes has nowhere to go */
};

/* --- events -------------------------------------------------------------- */

static void on_event(void *user, const struct watch_event *event)
{
    struct watch_face *face = user;

    if (face->is_closing)
        return;
    watch_recent_emit(&face->recent, event);
    if (face->ways.file)
        events_file_emit(face->ways.file, event);
    if (face->ways.history)
        history_emit(face->ways.history, event);
    if (face->ways.webhook)
        webhook_emit(face->ways.webhook, event);
    if (face->live)
        live_touch(face->live);
    if (face->prints_lines)
        live_print_event(NULL, event);
    manager_emit(face->manager, event);
}

/* --- for those who show -------------------------------------------------- */

static const struct watch_view *see(void *user)
{
    return watch_view_of(((struct watch_face *)user)->supervisor);
}

static struct watch_outlets tell_outlets(void *user)
{
    const struct ways *ways = &((struct watch_face *)user)->ways;
    struct watch_outlets outlets = {.has_file = ways->file,
                                    .has_history = ways->history,
                                    .has_webhook = ways->webhook};

    if (ways->page)
        outlets.page = page_address(ways->page);
    if (ways->file)
        outlets.file_lost = events_file_lost(ways->file);
    if (ways->history)
        outlets.history_lost = history_lost(ways->history);
    if (ways->webhook)
        outlets.webhook = webhook_figures(ways->webhook);
    return outlets;
}

static bool order(void *user, const char *verb, const char *service,
                  struct watch_refusal *why)
{
    struct watch_supervisor *supervisor =
        ((struct watch_face *)user)->supervisor;

    if (strcmp(verb, "start") == 0)
        return watch_start(supervisor, service, why);
    if (strcmp(verb, "stop") == 0)
        return watch_stop(supervisor, service, why);
    return watch_restart(supervisor, service, why);
}

/* --- opening ways -------------------------------------------------------- */

static bool refuse(weir_error *err, const char *what, const char *why)
{
    char detail[200];

    snprintf(detail, sizeof detail, "%.199s",
             why); /* it may be of *err itself */
    snprintf(err->message, sizeof err->message, "%s: %.200s", what, detail);
    return false;
}

static bool open_file(struct ways *ways, const struct face_plan *plan,
                      weir_error *err)
{
    if (!plan->events)
        return true;
    ways->file = events_file_open(plan->events, err);
    return ways->file != NULL;
}

static bool open_history(struct ways *ways, const struct face_plan *plan,
                         weir_error *err)
{
    if (!plan->history)
        return true;
    if (plan->state)
        ways->history =
            history_open(plan->state, plan->history, plan->history_days);
    if (ways->history)
        return true;
    err->code = WEIR_E_FILE;
    err->error_class = WEIR_CLASS_LOCAL;
    return refuse(err, "watch.events.history", "it cannot be opened");
}

static bool open_webhook(const struct watch_face *face, struct ways *ways,
                         const struct face_plan *plan, weir_error *err)
{
    if (!plan->webhook.url)
        return true;
    ways->webhook =
        webhook_open(&plan->webhook, watch_pool_of(face->supervisor),
                     watch_loop_of(face->supervisor), err);
    return ways->webhook || refuse(err, "watch.events.webhook", err->message);
}

static bool open_page(struct watch_face *face, struct ways *ways,
                      const struct face_plan *plan, weir_error *err)
{
    const struct page_options options = {.listen = plan->listen,
                                         .token = plan->page_token,
                                         .has_control = plan->has_control,
                                         .source = {.view = see,
                                                    .outlets = tell_outlets,
                                                    .order = order,
                                                    .user = face,
                                                    .recent = &face->recent}};

    if (!plan->listen)
        return true;
    ways->page = page_open(&options, watch_loop_of(face->supervisor), err);
    return ways->page != NULL;
}

static void close_ways(struct ways *ways, double grace)
{
    page_close(ways->page);
    webhook_close(ways->webhook, grace);
    history_close(ways->history);
    events_file_close(ways->file);
    *ways = (struct ways){0};
}

/* --- reload -------------------------------------------------------------- */

static bool is_same_history(const struct face_plan *a,
                            const struct face_plan *b)
{
    return face_same_text(a->history, b->history) &&
           a->history_days == b->history_days;
}

/* Opens what differs.  A page that stays where it is only changes who may ask;
 * that comes last, because it cannot be taken back. */
static bool open_changes(struct watch_face *face, struct ways *fresh,
                         const struct face_plan *plan, weir_error *err)
{
    const struct face_plan *old = &face->plan;
    const bool page_stays = face_same_text(plan->listen, old->listen);

    if (!face_same_text(plan->events, old->events) &&
        !open_file(fresh, plan, err))
        return false;
    if (!is_same_history(plan, old) && !open_history(fresh, plan, err))
        return false;
    if (!face_same_webhook(&plan->webhook, &old->webhook) &&
        !open_webhook(face, fresh, plan, err))
        return false;
    if (!page_stays)
        return open_page(face, fresh, plan, err);
    return !face->ways.page || page_change(face->ways.page, plan->page_token,
                                           plan->has_control, err);
}

/* Port 0 can be any. */
static void tell_address(const struct page *page)
{
    if (page)
        fprintf(stderr, "weir watch: page at http://%s/\n", page_address(page));
}

/* Puts the fresh ways in the place of those that differ; `fresh` then holds the
 * old ones. */
static void exchange(struct watch_face *face, struct ways *fresh,
                     const struct face_plan *plan)
{
    const struct face_plan *old = &face->plan;
    const struct ways before = face->ways;

    if (!face_same_text(plan->events, old->events)) {
        face->ways.file = fresh->file;
        fresh->file = before.file;
    }
    if (!is_same_history(plan, old)) {
        face->ways.history = fresh->history;
        fresh->history = before.history;
    }
    if (!face_same_webhook(&plan->webhook, &old->webhook)) {
        face->ways.webhook = fresh->webhook;
        fresh->webhook = before.webhook;
    }
    if (!face_same_text(plan->listen, old->listen)) {
        face->ways.page = fresh->page;
        fresh->page = before.page;
        tell_address(face->ways.page);
    }
}

static struct watch_face_options options_of(const struct watch_face *face)
{
    return (struct watch_face_options){.listen = face->listen,
                                       .events = face->events};
}

bool watch_face_reload(struct watch_face *face, const weir_settings *settings,
                       struct watch_refusal *why)
{
    const struct watch_face_options options = options_of(face);
    struct face_plan plan;
    struct ways fresh = {0};
    weir_error err = {0};
    bool is_good;

    manager_reloading(face->manager);
    if (!face_plan_make(&plan, settings, &options, &err)) {
        snprintf(why->why, sizeof why->why, "%s", err.message);
        return false;
    }
    is_good = open_changes(face, &fresh, &plan, &err);
    if (is_good) {
        const struct face_plan old = face->plan;

        exchange(face, &fresh, &plan);
        face->plan = plan;
        plan = old;
    } else {
        snprintf(why->why, sizeof why->why, "%s", err.message);
    }
    close_ways(&fresh, 0);
    face_plan_done(&plan);
    return is_good;
}

/* --- life ---------------------------------------------------------------- */

static bool open_all(struct watch_face *face, const weir_settings *settings,
                     weir_error *err)
{
    const struct watch_face_options options = options_of(face);
    const struct watch_sink sink = {on_event, face};

    if (!face_plan_make(&face->plan, settings, &options, err) ||
        !open_file(&face->ways, &face->plan, err) ||
        !open_history(&face->ways, &face->plan, err) ||
        !open_webhook(face, &face->ways, &face->plan, err) ||
        !open_page(face, &face->ways, &face->plan, err))
        return false;
    if (watch_add_sink(face->supervisor, &sink))
        return true;
    return refuse(err, "watch", "too many sinks");
}

/* What standard output is for: events as JSON if they were asked for there, the
 * live table on a terminal, else a line an event. */
static void open_output(struct watch_face *face, bool is_plain)
{
    const struct live_source source = {.view = see,
                                       .outlets = tell_outlets,
                                       .user = face,
                                       .recent = &face->recent};

    tell_address(face->ways.page);
    if (face_same_text(face->plan.events, "-"))
        return;
    if (!is_plain && live_is_possible())
        face->live = live_open(&source, watch_loop_of(face->supervisor));
    else
        face->prints_lines = true;
}

struct watch_face *watch_face_open(struct watch_supervisor *supervisor,
                                   const weir_settings *settings,
                                   const struct watch_face_options *options,
                                   int *ret_code)
{
    struct watch_face *face = cli_alloc(sizeof *face);
    weir_error err = {0};

    face->supervisor = supervisor;
    face->listen = options->listen ? cli_copy(options->listen) : NULL;
    face->events = options->events ? cli_copy(options->events) : NULL;
    face->manager = manager_open(supervisor);
    if (open_all(face, settings, &err)) {
        open_output(face, options->is_plain);
        return face;
    }
    cli_complain("%s", err.message);
    *ret_code =
        err.error_class == WEIR_CLASS_USAGE ? EXIT_USAGE : EXIT_SOME_FAILED;
    watch_face_close(face);
    return NULL;
}

void watch_face_close(struct watch_face *face)
{
    if (!face)
        return;
    face->is_closing = true;
    live_close(face->live);
    manager_close(face->manager);
    close_ways(&face->ways, LAST_WORDS);
    watch_recent_done(&face->recent);
    face_plan_done(&face->plan);
    free(face->listen);
    free(face->events);
    free(face);
}
