/* Checks: all providers are asked at once, over the one pool.
 *
 * Each check is one asynchronous call, or two, the second begun when the first
 * has ended well.  They end on the pool's loop; the main thread waits for as
 * many as it needs. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "providers.h"

/* A check on its way. */
struct course {
    struct board *board;
    struct check *check; /* written by the loop until it is not PENDING */
    struct key key;
    size_t step;
    double begun;
};

struct board {
    weir_pool *pool;
    struct check *checks;
    struct course *courses;
    size_t count;
    pthread_mutex_t lock; /* over outcomes and `pending` */
    pthread_cond_t changed;
    size_t pending;
};

/* --- outcomes ------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *words;
} outcomes[] = {
    [OUTCOME_PENDING] = {"pending", "pending"},
    [OUTCOME_AVAILABLE] = {"available", "available"},
    [OUTCOME_NOT_CONFIGURED] = {"not_configured", "not configured"},
    [OUTCOME_REFUSED] = {"refused", "refused"},
    [OUTCOME_TIMED_OUT] = {"timed_out", "timed out"},
    [OUTCOME_BAD_KEY] = {"bad_key", "bad key"},
    [OUTCOME_WRONG_STATUS] = {"wrong_status", "wrong status"},
    [OUTCOME_MALFORMED] = {"malformed", "malformed answer"},
    [OUTCOME_UNRESOLVED] = {"unresolved", "no such host"},
    [OUTCOME_UNREACHABLE] = {"unreachable", "unreachable"},
    [OUTCOME_TLS] = {"tls", "TLS failed"},
    [OUTCOME_LOST] = {"lost", "connection lost"},
    [OUTCOME_LOCAL] = {"local", "failed here"},
    [OUTCOME_CANCELLED] = {"cancelled", "cancelled"},
    [OUTCOME_MODEL_MISSING] = {"model_missing", "model missing"},
};

const char *outcome_name(enum outcome outcome)
{
    return outcomes[outcome].name;
}

const char *outcome_words(enum outcome outcome)
{
    return outcomes[outcome].words;
}

static enum outcome judge_error(const weir_error *err)
{
    switch (err->error_class) {
    case WEIR_CLASS_RESOLVE:
        return OUTCOME_UNRESOLVED;
    case WEIR_CLASS_CONNECT:
        return err->system_code == ECONNREFUSED ? OUTCOME_REFUSED
                                                : OUTCOME_UNREACHABLE;
    case WEIR_CLASS_TLS:
        return OUTCOME_TLS;
    case WEIR_CLASS_PEER:
        return err->code == WEIR_E_RESET ? OUTCOME_LOST : OUTCOME_MALFORMED;
    case WEIR_CLASS_TIME:
        return err->code == WEIR_E_ACQUIRE_TIMEOUT ? OUTCOME_LOCAL
                                                   : OUTCOME_TIMED_OUT;
    case WEIR_CLASS_LIMIT:
        return err->code == WEIR_E_LIMIT ? OUTCOME_MALFORMED : OUTCOME_LOCAL;
    case WEIR_CLASS_CLOSED:
    case WEIR_CLASS_CANCELLED:
        return OUTCOME_CANCELLED;
    default:
        return OUTCOME_LOCAL;
    }
}

bool provider_has_model(const struct check *check, const char *model)
{
    const size_t len = strlen(model);
    const bool may_be_latest =
        check->provider->kind == KIND_OLLAMA && !strchr(model, ':');

    for (size_t i = 0; i < check->models.count; i++) {
        const char *name = check->models.list[i];

        if (strcmp(name, model) == 0 ||
            (may_be_latest && strncmp(name, model, len) == 0 &&
             strcmp(name + len, ":latest") == 0))
            return true;
    }
    return false;
}

/* --- the end of a check --------------------------------------------------- */

/* A provider that sends the key back does not get it shown. */
static void mask(const struct key *key, char *text)
{
    char *at = key->text && text ? strstr(text, key->text) : NULL;

    for (; at; at = strstr(at, key->text))
        memset(at, '*', strlen(key->text));
}

/* `detail` is taken over. */
static void end_check(struct course *course, enum outcome outcome, char *detail)
{
    struct board *board = course->board;
    struct check *check = course->check;

    check->latency = cli_now() - course->begun;
    check->detail = detail;
    mask(&course->key, detail);
    for (size_t i = 0; i < check->models.count; i++)
        mask(&course->key, check->models.list[i]);
    provider_key_free(&course->key);
    pthread_mutex_lock(&board->lock);
    check->outcome = outcome;
    board->pending--;
    pthread_cond_signal(&board->changed);
    pthread_mutex_unlock(&board->lock);
}

/* The limit of a second request is what the first one has left. */
static void end_with_error(struct course *course, const weir_error *err)
{
    const struct provider *provider = course->check->provider;
    char *detail;

    if (err->code == WEIR_E_TOTAL_TIMEOUT)
        detail = cli_format("%s: no whole answer within %g s (%s)",
                            provider_kind_of(provider)->paths[course->step],
                            provider->timeout, weir_stage_name(err->stage));
    else
        detail = cli_copy(err->message);
    end_check(course, judge_error(err), detail);
}

/* --- requests ------------------------------------------------------------- */

/* A proxy cannot reach what is on this machine. */
static bool is_loopback(const char *url)
{
    static const char *const hosts[] = {"localhost", "127.", "[::1]"};
    const char *host = strstr(url, "://");

    for (size_t i = 0; host && i < sizeof hosts / sizeof *hosts; i++) {
        if (strncasecmp(host + 3, hosts[i], strlen(hosts[i])) == 0)
            return true;
    }
    return false;
}

/* NULL with *err on failure. */
static weir_request *make_request(const struct course *course, weir_error *err)
{
    const struct provider *provider = course->check->provider;
    const double left = provider->timeout - (cli_now() - course->begun);
    char *url = provider_kind_url(provider, course->step);
    weir_request *request = NULL;
    weir_status status = weir_request_new("GET", url, &request, err);

    if (status == WEIR_OK)
        status = weir_request_add_field(request, "Accept",
                                        "application/json, */*;q=0.5", err);
    if (status == WEIR_OK && course->key.text)
        status = weir_request_set_bearer(request, course->key.text, err);
    if (status == WEIR_OK && is_loopback(url))
        status = weir_request_set_proxy(request, "", err);
    /* The limit is one for both requests; 0 would be none. */
    if (status == WEIR_OK)
        status = weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL,
                                          left > 0.001 ? left : 0.001, err);
    free(url);
    if (status == WEIR_OK)
        return request;
    weir_request_free(request);
    return NULL;
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error);

static void begin_step(struct course *course)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_done = on_done};
    weir_error err;
    weir_request *request = make_request(course, &err);
    weir_status status = WEIR_E_INVALID;

    if (request)
        status = weir_submit(course->board->pool, request, &handlers, course,
                             NULL, &err);
    weir_request_free(request);
    if (status != WEIR_OK)
        end_with_error(course, &err);
}

static void end_with_status(struct course *course, int status)
{
    const bool is_key = status == 401 || status == 403;

    end_check(
        course, is_key ? OUTCOME_BAD_KEY : OUTCOME_WRONG_STATUS,
        cli_format(
            "%s: HTTP status %d, expected 200",
            provider_kind_of(course->check->provider)->paths[course->step],
            status));
}

static void take_models(struct course *course, const weir_response *response)
{
    struct check *check = course->check;
    const struct kind *kind = provider_kind_of(check->provider);
    char *problem = provider_kind_read_models(
        kind, weir_response_body(response), &check->models);
    char *detail;

    if (!problem) {
        end_check(course, OUTCOME_AVAILABLE, NULL);
        return;
    }
    detail = cli_format("%s: %s", kind->paths[course->step], problem);
    free(problem);
    end_check(course, OUTCOME_MALFORMED, detail);
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    struct course *course = user;
    const struct kind *kind = provider_kind_of(course->check->provider);
    const size_t steps = sizeof kind->paths / sizeof *kind->paths;

    (void)call;
    if (error) {
        end_with_error(course, error);
    } else if (weir_response_status(response) != 200) {
        end_with_status(course, weir_response_status(response));
    } else if (course->step + 1 < steps && kind->paths[course->step + 1]) {
        course->step++;
        begin_step(course);
    } else {
        take_models(course, response);
    }
}

/* --- all checks ----------------------------------------------------------- */

static void begin_check(struct course *course)
{
    struct check *check = course->check;

    course->begun = cli_now();
    provider_key_read(check->provider, &course->key);
    if (course->key.problem) {
        end_check(course, OUTCOME_NOT_CONFIGURED,
                  cli_copy(course->key.problem));
        return;
    }
    check->was_asked = true;
    begin_step(course);
}

struct board *board_begin(const struct chain *chain, weir_pool *pool)
{
    struct board *board = cli_alloc(sizeof *board);

    board->pool = pool;
    board->count = chain->count;
    board->pending = chain->count;
    board->checks = cli_alloc(chain->count * sizeof *board->checks);
    board->courses = cli_alloc(chain->count * sizeof *board->courses);
    pthread_mutex_init(&board->lock, NULL);
    pthread_cond_init(&board->changed, NULL);
    for (size_t i = 0; i < chain->count; i++) {
        board->checks[i].provider = &chain->list[i];
        board->courses[i] =
            (struct course){.board = board, .check = &board->checks[i]};
        begin_check(&board->courses[i]);
    }
    return board;
}

void board_wait_all(struct board *board)
{
    pthread_mutex_lock(&board->lock);
    while (board->pending > 0)
        pthread_cond_wait(&board->changed, &board->lock);
    pthread_mutex_unlock(&board->lock);
}

/* It is available, but is it with the model?  Only checks that have ended. */
static bool can_be_chosen(struct check *check, const char *model)
{
    if (check->outcome != OUTCOME_AVAILABLE)
        return false;
    if (!model || provider_has_model(check, model))
        return true;
    check->outcome = OUTCOME_MODEL_MISSING;
    check->detail =
        cli_format("has no model %s among its %zu", model, check->models.count);
    return false;
}

const struct check *board_wait_first(struct board *board, const char *model)
{
    const struct check *chosen = NULL;

    pthread_mutex_lock(&board->lock);
    for (size_t i = 0; i < board->count && !chosen; i++) {
        while (board->checks[i].outcome == OUTCOME_PENDING)
            pthread_cond_wait(&board->changed, &board->lock);
        if (can_be_chosen(&board->checks[i], model))
            chosen = &board->checks[i];
    }
    pthread_mutex_unlock(&board->lock);
    return chosen;
}

void board_stop(struct board *board)
{
    weir_pool_close(board->pool, 0, NULL);
    board_wait_all(board);
}

const struct check *board_checks(const struct board *board, size_t *ret_count)
{
    *ret_count = board->count;
    return board->checks;
}

void board_free(struct board *board)
{
    if (!board)
        return;
    for (size_t i = 0; i < board->count; i++) {
        free(board->checks[i].detail);
        names_free(&board->checks[i].models);
    }
    pthread_cond_destroy(&board->changed);
    pthread_mutex_destroy(&board->lock);
    free(board->checks);
    free(board->courses);
    free(board);
}
