/* weir fetch: one job through the pool, as an asynchronous call. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"

/* Host and port of a URL, as far as --resolve needs them. */
static bool split_url(const char *url, char *host, size_t cap, long *ret_port)
{
    const char *at = strstr(url, "://");
    const char *end;
    const char *userinfo;
    size_t len;

    if (!at)
        return false;
    *ret_port = strncasecmp(url, "https", 5) == 0 ? 443 : 80;
    at += 3;
    end = at + strcspn(at, "/?#");
    userinfo = memchr(at, '@', (size_t)(end - at));
    at = userinfo ? userinfo + 1 : at;
    len = *at == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":/?#");
    if (len >= cap || at + len > end)
        return false;
    memcpy(host, at, len);
    host[len] = '\0';
    if (at[len] == ':' && at + len + 1 < end)
        *ret_port = strtol(at + len + 1, NULL, 10);
    return true;
}

/* The ADDR of the --resolve that fits the URL, or NULL.  To free. */
static char *find_resolve(const struct texts *resolves, const char *url)
{
    char host[256];
    long port;

    if (resolves->count == 0 || !split_url(url, host, sizeof host, &port))
        return NULL;
    for (size_t i = resolves->count; i-- > 0;) {
        const char *entry = resolves->list[i];
        const size_t host_len = strlen(host);
        char *end;

        if (strncasecmp(entry, host, host_len) != 0 || entry[host_len] != ':')
            continue;
        if (strtol(entry + host_len + 1, &end, 10) != port || *end != ':')
            continue;
        end++;
        if (*end == '[')
            return cli_format("%.*s", (int)strcspn(end + 1, "]"), end + 1);
        return cli_copy(end);
    }
    return NULL;
}

static weir_status add_fields(weir_request *request, const struct job *job,
                              weir_error *err)
{
    for (size_t i = 0; i < job->fields.count; i++) {
        const char *field = job->fields.list[i];
        const char *colon = strchr(field, ':');
        char *name = cli_format("%.*s", (int)(colon - field), field);
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        const weir_status status =
            weir_request_add_field(request, name, value, err);

        free(name);
        if (status != WEIR_OK)
            return status;
    }
    return WEIR_OK;
}

/* A field of -H says more, so it comes later. */
static weir_status set_credentials(const struct fetch_options *options,
                                   weir_request *request, const struct job *job,
                                   weir_error *err)
{
    const char *colon;
    char *user;
    weir_status status;

    if (job->token)
        return weir_request_set_bearer(request, job->token, err);
    if (!options->user)
        return WEIR_OK;
    colon = strchr(options->user, ':');
    user = cli_format("%.*s", (int)(colon - options->user), options->user);
    status = weir_request_set_basic(request, user, colon + 1, err);
    free(user);
    return status;
}

static weir_status set_body(weir_request *request, const struct job *job,
                            weir_error *err)
{
    if (job->body_file)
        return weir_request_set_body_file(request, job->body_file, err);
    if (job->body)
        return weir_request_set_body(request, job->body, job->body_len, err);
    return WEIR_OK;
}

static weir_status set_way(const struct fetch_options *options,
                           weir_request *request, const struct job *job,
                           weir_error *err)
{
    char *address = find_resolve(&options->resolves, job->url);
    weir_status status = WEIR_OK;

    if (address)
        status = weir_request_set_address(request, address, err);
    free(address);
    if (status == WEIR_OK && options->unix_socket)
        status =
            weir_request_set_unix_socket(request, options->unix_socket, err);
    if (status == WEIR_OK && options->interface)
        status =
            weir_request_set_local_address(request, options->interface, err);
    for (int i = 0; status == WEIR_OK && i <= WEIR_TIMEOUT_TOTAL; i++)
        status = weir_request_set_timeout(request, (weir_timeout)i,
                                          options->timeouts[i], err);
    return status;
}

/* NULL with *err on failure. */
static weir_request *make_request(const struct fetch_options *options,
                                  const struct job *job, weir_error *err)
{
    weir_request *request;

    if (weir_request_new(job->method, job->url, &request, err) != WEIR_OK)
        return NULL;
    if (set_credentials(options, request, job, err) == WEIR_OK &&
        add_fields(request, job, err) == WEIR_OK &&
        set_body(request, job, err) == WEIR_OK &&
        set_way(options, request, job, err) == WEIR_OK)
        return request;
    weir_request_free(request);
    return NULL;
}

/* --- on the way ---------------------------------------------------------- */

/* The transfer fails for a reason of the command's own; the call ends as
 * cancelled then. */
static void give_up(struct transfer *transfer, weir_call *call,
                    weir_status status, weir_error_class error_class,
                    int system_code)
{
    weir_error *err = &transfer->outcome.err;

    *err = (weir_error){.code = status,
                        .error_class = error_class,
                        .stage = WEIR_STAGE_BODY,
                        .system_code = system_code,
                        .may_have_been_processed = true};
    if (status == WEIR_E_LIMIT)
        snprintf(err->message, sizeof err->message,
                 "response body is larger than max_body (%llu bytes)",
                 (unsigned long long)transfer->options->pool.max_body);
    else
        snprintf(err->message, sizeof err->message, "write: %s",
                 strerror(system_code));
    weir_call_cancel(call);
}

/* Hands body bytes on.  false: the sink is full or broken; errno says why. */
static bool deliver(struct sink *sink, struct outcome *outcome,
                    const char *bytes, size_t len)
{
    if (sink->keep_body) {
        char *body = realloc(outcome->body, outcome->body_len + len + 1);

        if (!body)
            return false;
        outcome->body = body;
        memcpy(body + outcome->body_len, bytes, len);
    }
    if (sink->file && fwrite(bytes, 1, len, sink->file) != len) {
        sink->failed = true;
        return false;
    }
    outcome->body_len += len;
    return true;
}

static void write_head(const weir_response *response, FILE *file)
{
    const weir_slice reason = weir_response_reason(response);

    fprintf(file, "HTTP/1.%d %d %.*s\r\n", weir_response_version(response) - 10,
            weir_response_status(response), (int)reason.len, reason.data);
    for (size_t i = 0; i < weir_response_field_count(response); i++) {
        const weir_field field = weir_response_field(response, i);

        fprintf(file, "%.*s: ", (int)field.name.len, field.name.data);
        fwrite(field.value.data, 1, field.value.len, file);
        fputs("\r\n", file);
    }
    fputs("\r\n", file);
}

static void on_response(void *user, weir_call *call, weir_response *response)
{
    struct transfer *transfer = user;
    const struct fetch_options *options = transfer->options;

    (void)call;
    transfer->outcome.response = response;
    if (transfer->sink.file && (options->include || options->head))
        write_head(response, transfer->sink.file);
}

static weir_flow on_body(void *user, weir_call *call, const void *data,
                         size_t len)
{
    struct transfer *transfer = user;
    struct outcome *outcome = &transfer->outcome;
    const struct sink *sink = &transfer->sink;

    if (outcome->err.code != WEIR_OK)
        return WEIR_FLOW_ON; /* it has been given up */
    progress_bytes(len, weir_response_length(outcome->response));
    if ((sink->keep_body || sink->is_bounded) &&
        len > transfer->options->pool.max_body - outcome->body_len)
        give_up(transfer, call, WEIR_E_LIMIT, WEIR_CLASS_LIMIT, 0);
    else if (!deliver(&transfer->sink, outcome, data, len))
        give_up(transfer, call, WEIR_E_FILE, WEIR_CLASS_LOCAL, errno);
    return WEIR_FLOW_ON;
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    struct transfer *transfer = user;
    struct outcome *outcome = &transfer->outcome;

    outcome->call = call;
    outcome->response = response;
    outcome->elapsed = cli_now() - transfer->begun;
    if (error && outcome->err.code == WEIR_OK)
        outcome->err = *error;
    transfer->on_end(transfer);
}

bool transfer_begin(struct transfer *transfer, weir_pool *pool)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_response = on_response,
                                           .on_body = on_body,
                                           .on_done = on_done};
    weir_error err;
    weir_request *request;
    bool has_begun;

    transfer->begun = cli_now();
    request = make_request(transfer->options, transfer->job, &err);
    has_begun = request && weir_submit(pool, request, &handlers, transfer, NULL,
                                       &err) == WEIR_OK;
    weir_request_free(request);
    if (!has_begun) {
        transfer->outcome.err = err;
        transfer->outcome.elapsed = cli_now() - transfer->begun;
    }
    return has_begun;
}
