/* What the page answers. */
#include <stdlib.h>
#include <string.h>

#include "../cli.h"
#include "event_text.h"
#include "metrics.h"
#include "page_asset.h"
#include "page_inner.h"
#include "status_json.h"

/* Nothing from elsewhere, nothing to elsewhere, in no frame, in no cache. */
static const char *const guards[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; "
     "connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

/* --- answers ------------------------------------------------------------- */

/* Takes the response. */
static enum MHD_Result send_response(const struct page_request *request,
                                     unsigned status,
                                     struct MHD_Response *response,
                                     const char *type)
{
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < sizeof guards / sizeof *guards; i++)
        MHD_add_response_header(response, guards[i][0], guards[i][1]);
    MHD_add_response_header(response, "Content-Type", type);
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate",
                                "Bearer realm=\"weir watch\"");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD, POST");
    result = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Takes the text. */
static enum MHD_Result send_text(const struct page_request *request,
                                 unsigned status, char *text, size_t len,
                                 const char *type)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);

    if (!response)
        free(text);
    return send_response(request, status, response, type);
}

static enum MHD_Result send_line(const struct page_request *request,
                                 unsigned status, const char *line)
{
    char *text = cli_format("%s\n", line);

    return send_text(request, status, text, strlen(text),
                     "text/plain; charset=utf-8");
}

/* Takes the object. */
static enum MHD_Result send_json(const struct page_request *request,
                                 unsigned status, json_t *object)
{
    /* 12 digits: what a time in seconds needs, and no rounding error. */
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));

    json_decref(object);
    if (!text)
        return MHD_NO;
    return send_text(request, status, text, strlen(text), "application/json");
}

static enum MHD_Result send_refusal(const struct page_request *request,
                                    unsigned status, const char *why)
{
    return send_json(request, status,
                     json_pack("{s:o}", "error", watch_json_text(why)));
}

/* --- what can be seen ---------------------------------------------------- */

static enum MHD_Result send_status(const struct page_guard *guard,
                                   const struct page_source *source,
                                   const struct page_request *request)
{
    const struct watch_outlets outlets = source->outlets(source->user);
    json_t *object =
        watch_status_json(source->view(source->user), source->recent, &outlets);

    json_object_set_new(object, "control",
                        json_boolean(page_may_control(guard, &request->asker)));
    return send_json(request, MHD_HTTP_OK, object);
}

static enum MHD_Result send_metrics(const struct page_source *source,
                                    const struct page_request *request)
{
    const struct watch_outlets outlets = source->outlets(source->user);
    size_t len;
    char *text = watch_metrics(source->view(source->user), source->recent,
                               &outlets, &len);

    return send_text(request, MHD_HTTP_OK, text, len, WATCH_METRICS_TYPE);
}

/* "not healthy: api, worker" */
static char *list_the_sick(const struct watch_view *view, bool has_names)
{
    char *list = cli_copy("not healthy");
    const char *between = ": ";

    for (size_t i = 0; i < view->count && has_names; i++) {
        const struct watch_service_view *service = &view->services[i];
        char *longer;

        if (!service->is_wanted || service->is_healthy)
            continue;
        longer = cli_format("%s%s%s", list, between, service->name);
        free(list);
        list = longer;
        between = ", ";
    }
    return list;
}

static bool is_all_well(const struct watch_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        if (view->services[i].is_wanted && !view->services[i].is_healthy)
            return false;
    }
    return !view->is_ending;
}

/* 200: every service that is wanted is healthy.  The names are for those who
 * may see them. */
static enum MHD_Result send_health(const struct page_guard *guard,
                                   const struct page_source *source,
                                   const struct page_request *request)
{
    const struct watch_view *view = source->view(source->user);
    const bool has_names = page_may_see(guard, &request->asker) == PAGE_ALLOWED;
    enum MHD_Result result;
    char *list;

    if (is_all_well(view))
        return send_line(request, MHD_HTTP_OK, "ok");
    if (view->is_ending)
        return send_line(request, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping");
    list = list_the_sick(view, has_names);
    result = send_line(request, MHD_HTTP_SERVICE_UNAVAILABLE, list);
    free(list);
    return result;
}

/* --- orders -------------------------------------------------------------- */

/* "/services/NAME/VERB"; the name may hold anything. */
static bool read_order(const char *path, char **ret_name, const char **ret_verb)
{
    static const char begin[] = "/services/";
    static const char *const verbs[] = {"start", "stop", "restart"};
    const char *end = strrchr(path, '/');

    if (strncmp(path, begin, sizeof begin - 1) != 0 ||
        end <= path + sizeof begin - 1)
        return false;
    path += sizeof begin - 1;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(end + 1, verbs[i]) == 0) {
            *ret_verb = verbs[i];
            *ret_name = cli_format("%.*s", (int)(end - path), path);
            return true;
        }
    }
    return false;
}

static enum MHD_Result take_order(const struct page_guard *guard,
                                  const struct page_source *source,
                                  const struct page_request *request)
{
    const enum page_verdict verdict = page_may_order(guard, &request->asker);
    struct watch_refusal why = {0};
    const char *verb;
    char *name;
    bool is_taken;

    if (verdict != PAGE_ALLOWED)
        return send_refusal(request, page_verdict_status(verdict),
                            page_verdict_why(verdict));
    if (!read_order(request->path, &name, &verb))
        return send_refusal(request, MHD_HTTP_NOT_FOUND, "no such order");
    is_taken = source->order(source->user, verb, name, &why);
    free(name);
    if (is_taken)
        return send_json(request, MHD_HTTP_ACCEPTED,
                         json_pack("{s:b}", "accepted", 1));
    return send_refusal(request,
                        why.is_unknown ? MHD_HTTP_NOT_FOUND : MHD_HTTP_CONFLICT,
                        why.why);
}

/* --- routes -------------------------------------------------------------- */

/* The files of the page itself tell nothing of any service, so a browser that
 * has yet to ask its user for the token gets them. */
static enum MHD_Result send_asset(const struct page_request *request,
                                  const struct page_asset *asset)
{
    return send_response(request, MHD_HTTP_OK,
                         MHD_create_response_from_buffer(
                             *asset->len, (void *)(uintptr_t)asset->bytes,
                             MHD_RESPMEM_PERSISTENT),
                         asset->type);
}

static enum MHD_Result show(const struct page_guard *guard,
                            const struct page_source *source,
                            const struct page_request *request)
{
    const struct page_asset *asset = page_asset_find(request->path);
    const bool is_status = strcmp(request->path, "/status.json") == 0;
    enum page_verdict verdict;

    if (asset)
        return send_asset(request, asset);
    if (strcmp(request->path, "/healthz") == 0)
        return send_health(guard, source, request);
    if (!is_status && strcmp(request->path, "/metrics") != 0)
        return send_refusal(request, MHD_HTTP_NOT_FOUND, "no such page");
    verdict = page_may_see(guard, &request->asker);
    if (verdict != PAGE_ALLOWED)
        return send_refusal(request, page_verdict_status(verdict),
                            page_verdict_why(verdict));
    return is_status ? send_status(guard, source, request)
                     : send_metrics(source, request);
}

enum MHD_Result page_answer(const struct page_guard *guard,
                            const struct page_source *source,
                            const struct page_request *request)
{
    if (strcmp(request->method, "GET") == 0 ||
        strcmp(request->method, "HEAD") == 0)
        return show(guard, source, request);
    if (strcmp(request->method, "POST") == 0)
        return take_order(guard, source, request);
    return send_refusal(request, MHD_HTTP_METHOD_NOT_ALLOWED,
                        "expected GET, HEAD or POST");
}
