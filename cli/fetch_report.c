/* weir fetch --report json: one object for a request; its schema is in
 * weir-fetch(1). */
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"

/* Bytes as a JSON string.  What is not UTF-8 is read as ISO 8859-1, so that
 * every byte is kept. */
static json_t *text_of(const char *bytes, size_t len)
{
    json_t *text = json_stringn(bytes, len);
    char *utf8;
    size_t at = 0;

    if (text)
        return text;
    utf8 = cli_alloc(2 * len + 1);
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)bytes[i];

        if (byte < 0x80) {
            utf8[at++] = (char)byte;
        } else {
            utf8[at++] = (char)(0xc0 | byte >> 6);
            utf8[at++] = (char)(0x80 | (byte & 0x3f));
        }
    }
    text = json_stringn(utf8, at);
    free(utf8);
    return text;
}

static json_t *base64_of(const char *bytes, size_t len)
{
    unsigned char *text = cli_alloc(4 * ((len + 2) / 3) + 1);
    json_t *value;

    EVP_EncodeBlock(text, (const unsigned char *)bytes, (int)len);
    value = json_string((char *)text);
    free(text);
    return value;
}

static json_t *pair_of(weir_field field)
{
    return json_pack("[o, o]", text_of(field.name.data, field.name.len),
                     text_of(field.value.data, field.value.len));
}

static json_t *fields_of(const weir_response *response)
{
    json_t *list = json_array();

    for (size_t i = 0; i < weir_response_field_count(response); i++)
        json_array_append_new(list, pair_of(weir_response_field(response, i)));
    return list;
}

static json_t *trailers_of(const weir_response *response)
{
    json_t *list = json_array();

    for (size_t i = 0; i < weir_response_trailer_count(response); i++)
        json_array_append_new(list,
                              pair_of(weir_response_trailer(response, i)));
    return list;
}

static json_t *error_of(const weir_error *err)
{
    if (err->code == WEIR_OK)
        return json_null();
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:b, s:i, s:I, s:i, s:f}", "code",
        weir_status_name(err->code), "class", weir_class_name(err->error_class),
        "stage", weir_stage_name(err->stage), "message",
        text_of(err->message, strlen(err->message)), "may_have_been_processed",
        (int)err->may_have_been_processed, "system_code", err->system_code,
        "offset", (json_int_t)err->offset, "attempts", (int)err->attempts,
        "retry_in", err->retry_in);
}

static json_t *limits_of(const struct fetch_options *options)
{
    const double pool[] = {
        options->pool.acquire_timeout, options->pool.connect_timeout,
        options->pool.first_byte_timeout, options->pool.idle_read_timeout,
        options->pool.total_timeout};
    static const char *const names[] = {"acquire", "connect", "first_byte",
                                        "idle_read", "total"};
    json_t *limits = json_object();

    for (int i = 0; i <= WEIR_TIMEOUT_TOTAL; i++) {
        const double own = options->timeouts[i];

        json_object_set_new(limits, names[i],
                            json_real(own >= 0 ? own : pool[i]));
    }
    return limits;
}

static json_t *timings_of(const struct outcome *outcome)
{
    weir_timings timings = {.size = sizeof timings};

    if (outcome->response)
        weir_response_timings(outcome->response, &timings);
    else
        timings.total = outcome->elapsed;
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "wait",
                     timings.wait, "resolve", timings.resolve, "connect",
                     timings.connect, "tls", timings.tls, "send", timings.send,
                     "first_byte", timings.first_byte, "body", timings.body,
                     "total", timings.total);
}

/* What led to the response, or to none: redirects, retries and hedges, if any
 * were allowed. */
static json_t *attempts_of(const weir_call *call)
{
    static const char *const kinds[] = {[WEIR_ATTEMPT_FIRST] = "first",
                                        [WEIR_ATTEMPT_REDIRECT] = "redirect",
                                        [WEIR_ATTEMPT_RETRY] = "retry",
                                        [WEIR_ATTEMPT_HEDGE] = "hedge"};
    json_t *list = json_array();
    weir_attempt attempt = {.size = sizeof attempt};

    for (size_t i = 0; call && weir_call_attempt(call, i, &attempt) == WEIR_OK;
         i++)
        json_array_append_new(
            list,
            json_pack(
                "{s:s, s:s, s:o, s:o, s:I, s:f, s:f, s:f}", "kind",
                kinds[attempt.kind], "url", attempt.url, "status",
                attempt.status ? json_integer(attempt.status) : json_null(),
                "error",
                attempt.outcome == WEIR_OK
                    ? json_null()
                    : json_string(weir_status_name(attempt.outcome)),
                "connection", (json_int_t)attempt.connection, "delay",
                attempt.delay, "begun", attempt.begun, "took", attempt.took));
    return list;
}

static void add_response(json_t *report, const struct fetch_options *options,
                         const struct outcome *outcome)
{
    const weir_response *response = outcome->response;
    const weir_slice reason = weir_response_reason(response);
    const char *tls = weir_response_tls(response);

    json_object_set_new(report, "status",
                        json_integer(weir_response_status(response)));
    json_object_set_new(
        report, "version",
        json_string(weir_response_version(response) == 11 ? "1.1" : "1.0"));
    json_object_set_new(report, "reason", text_of(reason.data, reason.len));
    json_object_set_new(report, "fields", fields_of(response));
    json_object_set_new(report, "trailers", trailers_of(response));
    if (!options->no_body)
        json_object_set_new(report, "body",
                            base64_of(outcome->body ? outcome->body : "",
                                      outcome->body ? outcome->body_len : 0));
    json_object_set_new(report, "body_length",
                        json_integer((json_int_t)outcome->body_len));
    json_object_set_new(report, "reused",
                        json_boolean(weir_response_is_reused(response)));
    json_object_set_new(
        report, "connection",
        json_integer((json_int_t)weir_response_connection(response)));
    json_object_set_new(report, "peer",
                        json_string(weir_response_peer(response)));
    json_object_set_new(report, "tls", tls[0] ? json_string(tls) : json_null());
    json_object_set_new(report, "attempts", attempts_of(outcome->call));
    json_object_set_new(report, "codings",
                        json_string(weir_response_codings(response)));
}

static void add_no_response(json_t *report, const struct outcome *outcome)
{
    static const char *const absent[] = {"status",      "version",  "reason",
                                         "fields",      "trailers", "body",
                                         "body_length", "peer",     "tls"};

    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        json_object_set_new(report, absent[i], json_null());
    json_object_set_new(report, "reused", json_boolean(outcome->err.reused));
    json_object_set_new(report, "connection",
                        outcome->err.connection
                            ? json_integer((json_int_t)outcome->err.connection)
                            : json_null());
    json_object_set_new(report, "attempts", attempts_of(outcome->call));
    json_object_set_new(report, "codings", json_null());
}

char *fetch_report(const struct fetch_options *options, const struct job *job,
                   const struct outcome *outcome)
{
    json_t *report = json_object();
    char *line;

    if (job->id)
        json_object_set_new(report, "id",
                            json_loads(job->id, JSON_DECODE_ANY, NULL));
    json_object_set_new(report, "url", text_of(job->url, strlen(job->url)));
    json_object_set_new(report, "method",
                        text_of(job->method, strlen(job->method)));
    if (outcome->response)
        add_response(report, options, outcome);
    else
        add_no_response(report, outcome);
    json_object_set_new(report, "error", error_of(&outcome->err));
    json_object_set_new(report, "time_limits", limits_of(options));
    json_object_set_new(report, "timings", timings_of(outcome));
    line = json_dumps(report, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(report);
    return line;
}
