/* Reading responses. */
#include <stdio.h>
#include <string.h>

#include <weir/response.h>

#include "api/pool.h"
#include "base/error.h"
#include "drive/blocking.h"
#include "drive/leaks.h"
#include "net/clock.h"

weir_status weir_response_read(weir_response *response, void *buf, size_t cap,
                               size_t *ret_len, weir_error *ret_err)
{
    weir_status status;

    if (!response || !buf || !cap || !ret_len)
        return wr_error_set(ret_err, WEIR_E_INVALID,
                            "weir_response_read: an argument is NULL, or cap "
                            "is 0");
    if (response->is_collected)
        return wr_error_set(ret_err, WEIR_E_STATE,
                            "weir_response_read: the whole body has been "
                            "fetched; see weir_response_body()");
    wr_leaks_take_back(response);
    status = wr_blocking_read(response, buf, cap, ret_len, ret_err);
    wr_leaks_hand_over(response);
    return status;
}

void weir_response_free(weir_response *response)
{
    if (response)
        wr_blocking_end(response);
}

int weir_response_status(const weir_response *response)
{
    return response->exchange.head.status;
}

bool weir_response_is_not_modified(const weir_response *response)
{
    return weir_response_status(response) == 304;
}

int weir_response_version(const weir_response *response)
{
    return response->exchange.head.version;
}

weir_slice weir_response_reason(const weir_response *response)
{
    const struct wr_head *head = &response->exchange.head;

    return (weir_slice){response->exchange.in.data + head->reason,
                        head->reason_len};
}

/* --- fields -------------------------------------------------------------- */

static weir_field field_at(const struct wr_head *head, const char *block,
                           size_t index)
{
    const struct wr_field_ref *ref = &head->fields[index];

    if (index >= head->field_count)
        return (weir_field){{NULL, 0}, {NULL, 0}};
    return (weir_field){{block + ref->name, ref->name_len},
                        {block + ref->value, ref->value_len}};
}

size_t weir_response_field_count(const weir_response *response)
{
    return response->exchange.head.field_count;
}

weir_field weir_response_field(const weir_response *response, size_t index)
{
    return field_at(&response->exchange.head, response->exchange.in.data,
                    index);
}

weir_slice weir_response_find(const weir_response *response, const char *name)
{
    const size_t len = strlen(name);

    for (size_t i = 0; i < response->exchange.head.field_count; i++) {
        const weir_field field = weir_response_field(response, i);

        if (field.name.len == len &&
            wr_equal_nocase(field.name.data, name, len))
            return field.value;
    }
    return (weir_slice){NULL, 0};
}

size_t weir_response_trailer_count(const weir_response *response)
{
    const struct wr_exchange *ex = &response->exchange;

    return ex->state == WR_EXCHANGE_DONE ? ex->trailers.field_count : 0;
}

weir_field weir_response_trailer(const weir_response *response, size_t index)
{
    const struct wr_exchange *ex = &response->exchange;

    if (index >= weir_response_trailer_count(response))
        return (weir_field){{NULL, 0}, {NULL, 0}};
    return field_at(&ex->trailers, wr_exchange_trailer_block(ex), index);
}

/* --- body and circumstances ---------------------------------------------- */

weir_slice weir_response_body(const weir_response *response)
{
    struct wr_slice body;

    if (!response->is_collected)
        return (weir_slice){NULL, 0};
    if (response->decoder)
        return (weir_slice){response->decoded.data, response->decoded.len};
    body = wr_exchange_collected(&response->exchange);
    return (weir_slice){body.data, body.len};
}

uint64_t weir_response_length(const weir_response *response)
{
    const struct wr_exchange *ex = &response->exchange;
    const struct wr_head_facts *facts = &ex->head.facts;

    return facts->has_length && !facts->has_transfer_encoding &&
                   !response->decoder
               ? facts->content_length
               : WEIR_LENGTH_UNKNOWN;
}

const char *weir_response_codings(const weir_response *response)
{
    struct weir_response *mine = (struct weir_response *)(uintptr_t)response;
    const struct wr_coding_list *codings = &response->codings;
    size_t len = 0;

    mine->coding_text[0] = '\0';
    for (unsigned i = 0; i < codings->count && response->decoder; i++)
        len += (size_t)snprintf(
            mine->coding_text + len, sizeof mine->coding_text - len, "%s%s",
            i ? ", " : "", wr_coding_name(codings->list[i]));
    return mine->coding_text;
}

uint64_t weir_response_connection(const weir_response *response)
{
    return response->number;
}

bool weir_response_is_reused(const weir_response *response)
{
    return response->is_reused;
}

const char *weir_response_peer(const weir_response *response)
{
    /* Written on demand: one thread at a time uses a response. */
    struct weir_response *mine = (struct weir_response *)(uintptr_t)response;
    struct wr_addr addr = {.len = sizeof response->peer};

    if (!mine->peer_text[0]) {
        memcpy(&addr.sa, &response->peer, sizeof response->peer);
        wr_addr_text(&addr, mine->peer_text, sizeof mine->peer_text);
    }
    return mine->peer_text;
}

const char *weir_response_tls(const weir_response *response)
{
    struct weir_response *mine = (struct weir_response *)(uintptr_t)response;

    if (!response->tls_version)
        return "";
    snprintf(mine->tls_text, sizeof mine->tls_text, "%s %s",
             response->tls_version, response->tls_cipher);
    return mine->tls_text;
}

/* --- times --------------------------------------------------------------- */

static double span(uint64_t from_ns, uint64_t to_ns)
{
    return from_ns && to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

void weir_response_timings(const weir_response *response,
                           weir_timings *ret_timings)
{
    const struct wr_call_times *times = &response->times;
    const uint64_t dial_ns =
        times->dial.resolve_ns + times->dial.connect_ns + times->dial.tls_ns;
    const uint64_t end_ns = times->ended_ns ? times->ended_ns : wr_now();
    const double waited = span(times->begun_ns, times->granted_ns);
    const double dialed = (double)dial_ns / 1e9;
    const weir_timings timings = {
        .wait = waited > dialed ? waited - dialed : 0,
        .resolve = (double)times->dial.resolve_ns / 1e9,
        .connect = (double)times->dial.connect_ns / 1e9,
        .tls = (double)times->dial.tls_ns / 1e9,
        .send = span(times->granted_ns, times->sent_ns),
        .first_byte = span(times->sent_ns, times->head_ns),
        .body = span(times->head_ns, end_ns),
        .total = span(times->begun_ns, end_ns),
    };

    wr_export(ret_timings, &timings, sizeof timings);
}

/* --- attempts ------------------------------------------------------------ */

weir_status wr_export_attempt(const struct wr_course *course, size_t index,
                              weir_attempt *ret_attempt)
{
    const struct wr_attempt *attempt;
    weir_attempt full = {0};

    if (!ret_attempt || ret_attempt->size < sizeof ret_attempt->size ||
        !course || index >= course->count)
        return WEIR_E_INVALID;
    attempt = &course->attempts[index];
    full.kind = attempt->kind;
    full.url = course->urls.data + attempt->url;
    full.status = attempt->status;
    full.outcome = attempt->outcome;
    full.connection = attempt->connection;
    full.delay = (double)attempt->delay_ns / 1e9;
    full.begun = span(course->attempts[0].begun_ns, attempt->begun_ns);
    full.took = span(attempt->begun_ns, attempt->ended_ns);
    wr_export(ret_attempt, &full, sizeof full);
    return WEIR_OK;
}

size_t weir_response_attempt_count(const weir_response *response)
{
    return response->course ? response->course->count : 0;
}

weir_status weir_response_attempt(const weir_response *response, size_t index,
                                  weir_attempt *ret_attempt)
{
    return wr_export_attempt(response->course, index, ret_attempt);
}

const char *weir_response_url(const weir_response *response)
{
    const struct wr_course *course = response->course;

    return course ? course->urls.data + course->attempts[course->count - 1].url
                  : NULL;
}
