/* Asking the index for one package, and what its answer means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../progress.h"
#include "versions.h"

enum {
    MAX_REDIRECTS = 5
};

/* A question on its way. */
struct question {
    struct check *check;
    long max_attempts;
    void (*on_end)(void *user);
    void *user;
};

char *index_url(const char *index, const char *package)
{
    size_t len = strlen(index);

    while (len > 0 && index[len - 1] == '/')
        len--;
    return cli_format("%.*s/pypi/%s/json", (int)len, index, package);
}

char *index_without_user(const char *url)
{
    const char *authority = strstr(url, "://");
    const char *end;
    const char *at;

    authority = authority ? authority + 3 : url;
    end = authority + strcspn(authority, "/?#");
    at = memrchr(authority, '@', (size_t)(end - authority));
    return at ? cli_format("%.*s%s", (int)(authority - url), url, at + 1)
              : cli_copy(url);
}

bool index_is_good(const char *index)
{
    char *url = index_url(index, "name");
    weir_request *request = NULL;
    weir_error err;
    const weir_status status = weir_request_new("GET", url, &request, &err);

    if (status != WEIR_OK)
        cli_complain("index '%s': %s", index, err.message);
    weir_request_free(request);
    free(url);
    return status == WEIR_OK;
}

/* --- what came ------------------------------------------------------------ */

static void refuse(struct offer *offer, enum offer_end end, const char *why)
{
    offer->end = end;
    snprintf(offer->why, sizeof offer->why, "%s", why);
}

static enum silence find_silence(const weir_error *err, long max_attempts)
{
    const bool is_connecting =
        err->stage == WEIR_STAGE_RESOLVE || err->stage == WEIR_STAGE_CONNECT ||
        err->stage == WEIR_STAGE_PROXY || err->stage == WEIR_STAGE_TLS;

    switch (err->error_class) {
    case WEIR_CLASS_RESOLVE:
    case WEIR_CLASS_CONNECT:
    case WEIR_CLASS_TLS:
        break;
    case WEIR_CLASS_TIME:
        if (!is_connecting)
            return SILENCE_TIMEOUT;
        break;
    default:
        return SILENCE_NONE;
    }
    return err->attempts >= max_attempts || err->error_class == WEIR_CLASS_TLS
               ? SILENCE_NO_HOST
               : SILENCE_UNSURE;
}

/* A server that breaks its protocol has answered, if badly. */
static void take_error(struct offer *offer, const weir_error *err,
                       long max_attempts)
{
    const bool is_malformed = err->code == WEIR_E_PROTOCOL ||
                              err->code == WEIR_E_CODING ||
                              err->code == WEIR_E_LIMIT;

    offer->attempts = err->attempts ? err->attempts : 1;
    offer->silence = find_silence(err, max_attempts);
    refuse(offer, is_malformed ? OFFER_MALFORMED : OFFER_UNREACHABLE,
           err->message);
}

/* Behind the reason, how often it was tried. */
static void tell_attempts(struct offer *offer)
{
    const size_t len = strlen(offer->why);

    if (offer->end != OFFER_MADE && offer->attempts > 1)
        snprintf(offer->why + len, sizeof offer->why - len,
                 " (after %u attempts)", offer->attempts);
}

static void keep_etag(struct offer *offer, const weir_response *response)
{
    const weir_slice etag = weir_response_find(response, "ETag");

    free(offer->etag);
    offer->etag =
        etag.data ? cli_format("%.*s", (int)etag.len, etag.data) : NULL;
}

static void take_body(struct offer *offer, const weir_response *response)
{
    const weir_slice body = weir_response_body(response);
    char why[ANSWER_WHY_MAX];

    progress_bytes(body.len, WEIR_LENGTH_UNKNOWN);
    if (answer_read(body.data, body.len, &offer->answer, why)) {
        offer->end = OFFER_MADE;
        keep_etag(offer, response);
    } else {
        refuse(offer, OFFER_MALFORMED, why);
    }
}

/* offer->etag is that of an answer of before, if there is one. */
static void take_response(struct offer *offer, const weir_response *response)
{
    const int status = weir_response_status(response);
    const size_t attempts = weir_response_attempt_count(response);
    char why[64];

    offer->attempts = attempts ? (unsigned)attempts : 1;
    snprintf(why, sizeof why, "HTTP status %d", status);
    switch (status) {
    case 200:
        take_body(offer, response);
        break;
    case 304:
        offer->is_confirmed = offer->etag != NULL;
        if (offer->is_confirmed)
            offer->end = OFFER_MADE;
        else
            refuse(offer, OFFER_MALFORMED,
                   "HTTP status 304, which was not asked for");
        break;
    case 404:
        refuse(offer, OFFER_UNKNOWN, why);
        break;
    default:
        refuse(offer, OFFER_UNREACHABLE, why);
        break;
    }
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    struct question *question = user;
    struct offer *offer = &question->check->offer;

    (void)call;
    if (error)
        take_error(offer, error, question->max_attempts);
    else
        take_response(offer, response);
    tell_attempts(offer);
    question->on_end(question->user);
    free(question);
}

/* --- the request ---------------------------------------------------------- */

static weir_status set_up(weir_request *request,
                          const struct versions_options *options,
                          const char *etag, weir_error *err)
{
    weir_retry retry;
    weir_status status;

    weir_retry_init(&retry);
    retry.attempts = (unsigned)options->retry_attempts;
    retry.delay = options->retry_delay_s;
    retry.backoff = options->retry_backoff;
    retry.max_delay = options->retry_max_delay_s;
    status = weir_request_set_retry(request, &retry, err);
    if (status == WEIR_OK)
        status =
            weir_request_set_redirects(request, MAX_REDIRECTS, NULL, NULL, err);
    if (status == WEIR_OK)
        status = weir_request_set_decompress(request, true, err);
    if (status == WEIR_OK)
        status =
            weir_request_add_field(request, "Accept", "application/json", err);
    /* One from a damaged cache, which cannot be sent, is not asked for. */
    if (etag)
        weir_request_set_validators(request, etag, NULL, NULL);
    return status;
}

/* NULL with *err on failure. */
static weir_request *make_request(const struct versions_options *options,
                                  const struct check *check, weir_error *err)
{
    char *url = index_url(options->index, check->tool->package);
    weir_request *request = NULL;
    const weir_status status = weir_request_new("GET", url, &request, err);

    free(url);
    if (status == WEIR_OK &&
        set_up(request, options, check->offer.etag, err) == WEIR_OK)
        return request;
    weir_request_free(request);
    return NULL;
}

bool index_ask(weir_pool *pool, const struct versions_options *options,
               struct check *check, void (*on_end)(void *user), void *user)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_done = on_done};
    struct question *question = cli_alloc(sizeof *question);
    weir_error err;
    weir_request *request = make_request(options, check, &err);
    bool has_begun;

    *question = (struct question){.check = check,
                                  .max_attempts = options->retry_attempts,
                                  .on_end = on_end,
                                  .user = user};
    has_begun = request && weir_submit(pool, request, &handlers, question, NULL,
                                       &err) == WEIR_OK;
    if (!has_begun) {
        take_error(&check->offer, &err, options->retry_attempts);
        free(question);
    }
    weir_request_free(request);
    return has_begun;
}
