#include "webhook.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "../cli.h"
#include "event_text.h"

#define NS_PER_S 1e9

enum {
    KEY_BYTES = 16,
    KEY_SIZE = KEY_BYTES * 2 + 32
};

/* An event that waits for its delivery. */
struct parcel {
    char key[KEY_SIZE];
    json_t *body;
    uint64_t dropped; /* events in front of it that were */
    bool is_tried;    /* the receiver may know it: its body stays as it is */
    TAILQ_ENTRY(parcel) link;
};

struct webhook {
    struct webhook_options options;
    weir_pool *pool;
    struct watch_loop *loop;
    struct watch_source *source; /* the time of the next delivery */
    struct webhook_figures figures;
    TAILQ_HEAD(, parcel) line;
    weir_call *call; /* delivers the first in line */
    int status;      /* of its answer, 0: none */
    double pause;    /* before the next delivery, after one that failed */
    uint64_t next_ns;
    uint64_t count;
    char secret[KEY_BYTES * 2 + 1]; /* what is ours in a key */
    bool is_failing;                /* and has complained about it */
    bool is_closing;                /* no repetitions any more */
    bool is_left;                   /* its owner has gone: free it at last */
};

static void deliver_next(struct webhook *hook);
static void free_hook(struct webhook *hook);

static void free_parcel(struct parcel *parcel)
{
    json_decref(parcel->body);
    free(parcel);
}

static void drop(struct webhook *hook, struct parcel *parcel)
{
    TAILQ_REMOVE(&hook->line, parcel, link);
    free_parcel(parcel);
    hook->figures.queued--;
}

/* --- how a delivery ends ------------------------------------------------- */

/* The receiver's word on an event; the statuses are those that
 * weir_request_set_retry() tries again. */
static bool is_passing(int status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

static void complain_once(struct webhook *hook, const char *why)
{
    if (!hook->is_failing && !hook->is_closing)
        cli_complain("watch: webhook: %s; events wait", why);
    hook->is_failing = true;
}

static void end_delivered(struct webhook *hook)
{
    if (hook->is_failing)
        cli_complain("watch: webhook: works again");
    hook->is_failing = false;
    hook->pause = 0;
    hook->figures.delivered++;
    drop(hook, TAILQ_FIRST(&hook->line));
}

static void end_refused(struct webhook *hook)
{
    cli_complain("watch: webhook: answered %d; the event is not delivered",
                 hook->status);
    hook->pause = 0;
    hook->figures.refused++;
    drop(hook, TAILQ_FIRST(&hook->line));
}

/* Later, but later and later. */
static void put_off(struct webhook *hook, const char *why)
{
    const double doubled = hook->pause * 2;

    complain_once(hook, why);
    hook->figures.failures++;
    hook->pause = hook->pause > 0 ? doubled : hook->options.delay;
    if (hook->pause > hook->options.max_delay)
        hook->pause = hook->options.max_delay;
    hook->next_ns =
        watch_loop_now(hook->loop) + (uint64_t)(hook->pause * NS_PER_S);
}

static void on_response(void *user, weir_call *call, weir_response *response)
{
    (void)call;
    ((struct webhook *)user)->status = weir_response_status(response);
}

/* The answer's body says nothing to us. */
static weir_flow on_body(void *user, weir_call *call, const void *data,
                         size_t len)
{
    (void)user;
    (void)call;
    (void)data;
    (void)len;
    return WEIR_FLOW_ON;
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    struct webhook *hook = user;
    char why[64];

    (void)response;
    weir_call_free(call);
    hook->call = NULL;
    if (hook->is_left) {
        free_hook(hook);
        return;
    }
    if (hook->status >= 200 && hook->status < 300) {
        end_delivered(hook);
    } else if (hook->status && !is_passing(hook->status)) {
        end_refused(hook);
    } else {
        snprintf(why, sizeof why, "answered %d", hook->status);
        put_off(hook, hook->status || !error ? why : error->message);
    }
    deliver_next(hook);
}

/* --- a delivery ---------------------------------------------------------- */

static weir_status dress(const struct webhook *hook, weir_request *request,
                         const struct parcel *parcel, weir_error *ret_err)
{
    weir_retry retry;
    weir_status status;

    weir_retry_init(&retry);
    retry.attempts = hook->is_closing ? 1 : hook->options.attempts;
    retry.delay = hook->options.delay;
    retry.max_delay = hook->options.max_delay;
    weir_request_set_replayable(request, true); /* the key makes it safe */
    status = weir_request_set_retry(request, &retry, ret_err);
    if (status == WEIR_OK)
        status = weir_request_set_redirects(request, 0, NULL, NULL, ret_err);
    if (status == WEIR_OK)
        status = weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL,
                                          hook->options.timeout, ret_err);
    if (status == WEIR_OK && hook->options.token)
        status = weir_request_set_bearer(request, hook->options.token, ret_err);
    if (status == WEIR_OK)
        status = weir_request_add_field(request, "Content-Type",
                                        "application/json", ret_err);
    if (status == WEIR_OK)
        status = weir_request_add_field(request, "Idempotency-Key", parcel->key,
                                        ret_err);
    return status;
}

static weir_status add_body(weir_request *request, const struct parcel *parcel,
                            weir_error *ret_err)
{
    char *body = json_dumps(parcel->body, JSON_COMPACT);
    weir_status status;

    if (!body) {
        *ret_err =
            (weir_error){.code = WEIR_E_NO_MEMORY, .message = "out of memory"};
        return WEIR_E_NO_MEMORY;
    }
    status = weir_request_set_body_copy(request, body, strlen(body), ret_err);
    free(body);
    return status;
}

static weir_status submit(struct webhook *hook, const struct parcel *parcel,
                          weir_error *ret_err)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_response = on_response,
                                           .on_body = on_body,
                                           .on_done = on_done};
    weir_request *request;
    weir_status status =
        weir_request_new("POST", hook->options.url, &request, ret_err);

    if (status != WEIR_OK)
        return status;
    hook->status = 0;
    status = dress(hook, request, parcel, ret_err);
    if (status == WEIR_OK)
        status = add_body(request, parcel, ret_err);
    if (status == WEIR_OK)
        status = weir_submit(hook->pool, request, &handlers, hook, &hook->call,
                             ret_err);
    weir_request_free(request);
    return status;
}

static bool is_due(const struct webhook *hook)
{
    return !hook->call && !TAILQ_EMPTY(&hook->line) &&
           (hook->is_closing ? hook->pause == 0
                             : watch_loop_now(hook->loop) >= hook->next_ns);
}

static void deliver_next(struct webhook *hook)
{
    struct parcel *first = TAILQ_FIRST(&hook->line);
    weir_error err;

    if (!is_due(hook))
        return;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): drop() has moved the head */
    if (first->dropped && !first->is_tried)
        json_object_set_new(first->body, "dropped",
                            json_integer((json_int_t)first->dropped));
    first->is_tried = true;
    if (submit(hook, first, &err) != WEIR_OK)
        put_off(hook, err.message);
}

static int64_t timeout_ms(void *user)
{
    const struct webhook *hook = user;

    if (hook->call || TAILQ_EMPTY(&hook->line))
        return -1;
    return watch_ms_until(watch_loop_now(hook->loop), hook->next_ns);
}

static void ready(void *user, uint32_t events)
{
    (void)events;
    deliver_next(user);
}

/* --- the queue ----------------------------------------------------------- */

/* The oldest that no receiver can have seen makes room.  There is one behind
 * it: the queue holds two at least, and the newest has just joined it. */
static void make_room(struct webhook *hook)
{
    struct parcel *oldest = TAILQ_FIRST(&hook->line);

    if (hook->figures.queued <= hook->options.max_queue)
        return;
    if (oldest->is_tried)
        oldest = TAILQ_NEXT(oldest, link);
    TAILQ_NEXT(oldest, link)->dropped += oldest->dropped + 1;
    if (hook->figures.dropped++ == 0)
        cli_complain("watch: webhook: %zu events wait, so the oldest are "
                     "dropped",
                     hook->options.max_queue);
    drop(hook, oldest);
}

void webhook_emit(void *user, const struct watch_event *event)
{
    struct webhook *hook = user;
    struct parcel *parcel = cli_alloc(sizeof *parcel);

    /* A string in quotes, as draft-ietf-httpapi-idempotency-key-header has
     * it. */
    snprintf(parcel->key, sizeof parcel->key, "\"%s-%" PRIu64 "\"",
             hook->secret, ++hook->count);
    parcel->body = watch_event_json(event);
    TAILQ_INSERT_TAIL(&hook->line, parcel, link);
    hook->figures.queued++;
    make_room(hook);
    deliver_next(hook);
}

struct webhook_figures webhook_figures(const struct webhook *hook)
{
    return hook->figures;
}

/* --- life ---------------------------------------------------------------- */

static void free_hook(struct webhook *hook)
{
    struct parcel *next;

    if (hook->source)
        watch_loop_remove(hook->loop, hook->source);
    for (struct parcel *parcel = TAILQ_FIRST(&hook->line); parcel;
         parcel = next) {
        next = TAILQ_NEXT(parcel, link);
        free_parcel(parcel);
    }
    free((char *)hook->options.url);
    free((char *)hook->options.token);
    free(hook);
}

/* Keys must differ from those of any other run. */
static bool make_secret(struct webhook *hook)
{
    unsigned char bytes[KEY_BYTES];

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(hook->secret + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

/* What is wrong with the address or the token is said now, not at the first
 * event. */
static weir_status try_request(const struct webhook *hook, weir_error *ret_err)
{
    const struct parcel parcel = {.key = "\"\""};
    weir_request *request;
    weir_status status =
        weir_request_new("POST", hook->options.url, &request, ret_err);

    if (status != WEIR_OK)
        return status;
    status = dress(hook, request, &parcel, ret_err);
    weir_request_free(request);
    return status;
}

struct webhook *webhook_open(const struct webhook_options *options,
                             weir_pool *pool, struct watch_loop *loop,
                             weir_error *ret_err)
{
    struct webhook *hook = cli_alloc(sizeof *hook);
    const struct watch_source_options source = {
        .fd = -1, .ready = ready, .timeout_ms = timeout_ms, .user = hook};

    hook->options = *options;
    hook->options.url = cli_copy(options->url);
    hook->options.token = options->token ? cli_copy(options->token) : NULL;
    hook->pool = pool;
    hook->loop = loop;
    TAILQ_INIT(&hook->line);
    if (try_request(hook, ret_err) != WEIR_OK) {
        free_hook(hook);
        return NULL;
    }
    hook->source = watch_loop_add(loop, &source);
    if (hook->source && make_secret(hook))
        return hook;
    *ret_err = (weir_error){.code = WEIR_E_SYSTEM,
                            .error_class = WEIR_CLASS_LOCAL,
                            .message = "no random numbers"};
    free_hook(hook);
    return NULL;
}

/* Takes the pool's loop forward until the delivery under way has ended. */
static void finish_call(struct webhook *hook, double until)
{
    struct pollfd wanted = {.fd = weir_pool_fd(hook->pool), .events = POLLIN};
    double left;

    while (hook->call && (left = until - cli_now()) > 0) {
        const int pool_ms = weir_pool_timeout(hook->pool);
        const int left_ms = (int)(left * 1000) + 1;

        poll(&wanted, 1, pool_ms >= 0 && pool_ms < left_ms ? pool_ms : left_ms);
        weir_pool_dispatch(hook->pool, NULL);
    }
}

/* A call that is still under way then ends later, in the pool's loop or with
 * the pool, and takes the webhook with it. */
void webhook_close(struct webhook *hook, double grace)
{
    if (!hook)
        return;
    hook->is_closing = true;
    hook->pause = 0;
    if (grace > 0) {
        deliver_next(hook);
        finish_call(hook, cli_now() + grace);
    }
    if (hook->figures.queued)
        cli_complain("watch: webhook: %zu event%s not delivered",
                     hook->figures.queued,
                     hook->figures.queued == 1 ? " is" : "s are");
    watch_loop_remove(hook->loop, hook->source);
    hook->source = NULL;
    hook->is_left = true;
    if (hook->call)
        weir_call_cancel(hook->call);
    else
        free_hook(hook);
}
