/* One response through head, body and trailers, as the exchange takes it, fed
 * in any pieces; and all that came of it as text, so that two ways of feeding
 * can be compared.  Every block of input ends at an unreadable page. */
#ifndef RESPONSE_RUN_H
#define RESPONSE_RUN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"

#include "http/body.h"
#include "http/head.h"

enum {
    RUN_BYTES_MAX = 1 << 20, /* of a response */
    RUN_TEXT_MAX = 1 << 16,  /* of a section, and of a body */
    RUN_INTERIM_MAX = 32
};

/* How a response is to be read. */
struct run_mode {
    struct wr_head_limits limits;
    bool is_head; /* the request's method was HEAD */
    bool is_cut;  /* the connection ends without close_notify */
};

enum phase {
    IN_HEAD,
    IN_BODY,
    IN_TRAILERS,
    COMPLETE,
    FAILED
};

struct run {
    struct run_mode mode;
    struct guard room;
    struct wr_field_ref refs[WR_FIELDS_INLINE];
    enum phase phase;
    char *pending; /* bytes not yet consumed; they end at the guard page */
    size_t pending_len;
    size_t consumed; /* bytes of the case before pending[0] */
    struct wr_head head;
    struct wr_head trailers;
    struct wr_body body;
    weir_error err;

    char reason[1024];
    size_t reason_len;
    char fields[RUN_TEXT_MAX]; /* "Name: value\n"... */
    char trailer_fields[RUN_TEXT_MAX];
    char body_bytes[RUN_TEXT_MAX];
    size_t body_len;
    int interim[RUN_INTERIM_MAX];
    size_t interim_count;
};

static inline void run_must(bool holds)
{
    if (!holds)
        abort();
}

static inline void run_begin(struct run *run, const struct run_mode *mode,
                             const struct guard *room)
{
    memset(run, 0, offsetof(struct run, reason));
    run->mode = *mode;
    run->room = *room;
    run->pending = room->end;
    run->reason_len = 0;
    run->fields[0] = '\0';
    run->trailer_fields[0] = '\0';
    run->body_len = 0;
    run->interim_count = 0;
    wr_head_init(&run->head, &run->mode.limits, run->refs);
}

static inline void run_consume(struct run *run, size_t n)
{
    run->pending += n;
    run->pending_len -= n;
    run->consumed += n;
}

static inline void run_set_failed(struct run *run)
{
    run->err.offset += run->consumed;
    run->phase = FAILED;
}

static inline void run_note_fields(const struct run *run,
                                   const struct wr_head *head, char *out)
{
    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct wr_slice name =
            wr_field_name(&head->fields[i], run->pending);
        const struct wr_slice value =
            wr_field_value(&head->fields[i], run->pending);

        out += sprintf(out, "%.*s: ", (int)name.len, name.data);
        memcpy(out, value.data, value.len);
        out[value.len] = '\n';
        out += value.len + 1;
    }
    *out = '\0';
}

/* Each step returns whether it came to its end. */
static inline bool run_step_head(struct run *run)
{
    size_t len = 0;
    const enum wr_parse_result result = wr_head_parse(
        &run->head, run->pending, run->pending_len, &len, &run->err);

    if (result == WR_PARSE_ERROR)
        run_set_failed(run);
    if (result != WR_PARSE_DONE)
        return false;
    if (run->head.status < 200 && run->head.status != 101 &&
        run->interim_count < RUN_INTERIM_MAX) {
        run->interim[run->interim_count++] = run->head.status;
        run_consume(run, len);
        wr_head_again(&run->head);
        return true;
    }
    run->reason_len = run->head.reason_len < sizeof run->reason
                          ? run->head.reason_len
                          : sizeof run->reason;
    memcpy(run->reason, run->pending + run->head.reason, run->reason_len);
    run_note_fields(run, &run->head, run->fields);
    run_consume(run, len);
    wr_body_init(&run->body, &run->head, run->mode.is_head);
    run->phase = run->body.done ? COMPLETE : IN_BODY;
    return true;
}

static inline bool run_step_body(struct run *run)
{
    struct wr_slice data;
    size_t used = 0;
    const enum wr_parse_result result = wr_body_decode(
        &run->body, run->pending, run->pending_len, &used, &data, &run->err);

    if (result == WR_PARSE_ERROR) {
        run_set_failed(run);
        return false;
    }
    run_must(used <= run->pending_len);
    run_must(result == WR_PARSE_DONE || used > 0);
    run_must(run->body_len + data.len <= sizeof run->body_bytes);
    memcpy(run->body_bytes + run->body_len, data.data, data.len);
    run->body_len += data.len;
    run_consume(run, used);
    if (result == WR_PARSE_MORE)
        return true;
    run->phase = COMPLETE;
    if (run->body.framing == WR_FRAMING_CHUNKED) {
        wr_trailers_init(&run->trailers, &run->mode.limits, run->refs);
        run->phase = IN_TRAILERS;
    }
    return true;
}

static inline bool run_step_trailers(struct run *run)
{
    size_t len = 0;
    const enum wr_parse_result result = wr_head_parse(
        &run->trailers, run->pending, run->pending_len, &len, &run->err);

    if (result == WR_PARSE_ERROR)
        run_set_failed(run);
    if (result != WR_PARSE_DONE)
        return false;
    run_note_fields(run, &run->trailers, run->trailer_fields);
    run_consume(run, len);
    run->phase = COMPLETE;
    return true;
}

/* Some bytes arrive.  The block moves, as its owner may move it. */
static inline void run_feed(struct run *run, const char *bytes, size_t len)
{
    bool goes_on = true;

    memmove(run->room.end - len - run->pending_len, run->pending,
            run->pending_len);
    guard_at_end(&run->room, bytes, len);
    run->pending_len += len;
    run->pending = run->room.end - run->pending_len;
    while (goes_on && run->pending_len > 0) {
        switch (run->phase) {
        case IN_HEAD:
            goes_on = run_step_head(run);
            break;
        case IN_BODY:
            goes_on = run_step_body(run);
            break;
        case IN_TRAILERS:
            goes_on = run_step_trailers(run);
            break;
        default:
            return;
        }
    }
}

/* The peer closes. */
static inline void run_finish(struct run *run)
{
    if (run->phase == COMPLETE || run->phase == FAILED)
        return;
    if (run->phase == IN_BODY &&
        wr_body_ends_at_close(&run->body, !run->mode.is_cut)) {
        run->phase = COMPLETE;
        return;
    }
    run->err.code = WEIR_E_TRUNCATED;
    run->err.offset = run->consumed + run->pending_len;
    run->phase = FAILED;
}

/* As far as the framing and its facts can say. */
static inline bool run_may_reuse(const struct run *run)
{
    const struct wr_head_facts *facts = &run->head.facts;

    return run->phase == COMPLETE && run->pending_len == 0 &&
           run->body.framing != WR_FRAMING_CLOSE && !facts->connection_close &&
           !facts->lenient && !run->trailers.facts.lenient &&
           (run->head.version == 11 || facts->connection_keep_alive);
}

static inline const char *run_framing(const struct run *run)
{
    static const char *const names[] = {"none", "length", "chunked", "close"};

    return names[run->body.framing];
}

/* All that came of a run, as text; at most 4 * RUN_TEXT_MAX bytes.  Not what
 * the error says: its message names the offset too, which counts from the block
 * that was parsed (head, body bytes given, or trailers). */
static inline size_t run_render(const struct run *run, char *out)
{
    char *at = out;

    for (size_t i = 0; i < run->interim_count; i++)
        at += sprintf(at, "interim %d\n", run->interim[i]);
    at += sprintf(at, "phase %d surplus %zu reuse %d\n", (int)run->phase,
                  run->phase == COMPLETE ? run->pending_len : 0,
                  run_may_reuse(run));
    if (run->phase == FAILED)
        at += sprintf(at, "%s at %zu\n", weir_status_name(run->err.code),
                      (size_t)run->err.offset);
    at += sprintf(at, "%d %d %s\n%s\n%s\n", run->head.status, run->head.version,
                  run_framing(run), run->fields, run->trailer_fields);
    at += sprintf(at, "reason %zu body %zu\n", run->reason_len, run->body_len);
    memcpy(at, run->reason, run->reason_len);
    at += run->reason_len;
    memcpy(at, run->body_bytes, run->body_len);
    return (size_t)(at + run->body_len - out);
}

#endif
