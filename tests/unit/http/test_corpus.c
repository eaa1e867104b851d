/* Every case of tests/corpus/h1, fed whole, byte by byte and split at every
 * position: the outcome must be the one that the case states, and must not
 * depend on the split.  Every block of input ends at an unreadable page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "guard.h"

#include "http/body.h"
#include "http/head.h"

enum {
    MOST_BYTES = 1 << 20,
    TEXT_MAX = 1 << 16
};

static struct corpus corpus;
static struct guard room;

/* --- one response through head, body and trailers ---------------------------
 */

enum phase {
    IN_HEAD,
    IN_BODY,
    IN_TRAILERS,
    COMPLETE,
    FAILED
};

struct run {
    const struct corpus_case *wanted;
    struct wr_head_limits limits;
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
    char fields[TEXT_MAX]; /* "Name: value\n"... */
    char trailer_fields[TEXT_MAX];
    char body_bytes[TEXT_MAX];
    size_t body_len;
    int interim[CORPUS_INTERIM_MAX];
    size_t interim_count;
};

static void begin(struct run *run, const struct corpus_case *wanted)
{
    memset(run, 0, offsetof(struct run, reason));
    run->wanted = wanted;
    run->limits = (struct wr_head_limits){
        wanted->status_line ? wanted->status_line : 8192,
        wanted->section ? wanted->section : 262144,
        wanted->field_limit ? wanted->field_limit : WR_FIELDS_INLINE,
        wanted->strict};
    run->pending = room.end;
    run->reason_len = 0;
    run->fields[0] = '\0';
    run->trailer_fields[0] = '\0';
    run->body_len = 0;
    run->interim_count = 0;
    wr_head_init(&run->head, &run->limits, run->refs);
}

static void consume(struct run *run, size_t n)
{
    run->pending += n;
    run->pending_len -= n;
    run->consumed += n;
}

static void set_failed(struct run *run)
{
    run->err.offset += run->consumed;
    run->phase = FAILED;
}

static void note_fields(const struct run *run, const struct wr_head *head,
                        char *out)
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
static bool step_head(struct run *run)
{
    size_t len = 0;
    const enum wr_parse_result result = wr_head_parse(
        &run->head, run->pending, run->pending_len, &len, &run->err);

    if (result == WR_PARSE_ERROR)
        set_failed(run);
    if (result != WR_PARSE_DONE)
        return false;
    if (run->head.status < 200 && run->head.status != 101 &&
        run->interim_count < CORPUS_INTERIM_MAX) {
        run->interim[run->interim_count++] = run->head.status;
        consume(run, len);
        wr_head_init(&run->head, &run->limits, run->refs);
        return true;
    }
    run->reason_len = run->head.reason_len < sizeof run->reason
                          ? run->head.reason_len
                          : sizeof run->reason;
    memcpy(run->reason, run->pending + run->head.reason, run->reason_len);
    note_fields(run, &run->head, run->fields);
    consume(run, len);
    wr_body_init(&run->body, &run->head, run->wanted->head);
    run->phase = run->body.done ? COMPLETE : IN_BODY;
    return true;
}

static bool step_body(struct run *run)
{
    struct wr_slice data;
    size_t used = 0;
    const enum wr_parse_result result = wr_body_decode(
        &run->body, run->pending, run->pending_len, &used, &data, &run->err);

    if (result == WR_PARSE_ERROR) {
        set_failed(run);
        return false;
    }
    assert_true(used <= run->pending_len);
    assert_true(result == WR_PARSE_DONE || used > 0);
    assert_true(run->body_len + data.len <= sizeof run->body_bytes);
    memcpy(run->body_bytes + run->body_len, data.data, data.len);
    run->body_len += data.len;
    consume(run, used);
    if (result == WR_PARSE_MORE)
        return true;
    run->phase = COMPLETE;
    if (run->body.framing == WR_FRAMING_CHUNKED) {
        wr_trailers_init(&run->trailers, &run->limits, run->refs);
        run->phase = IN_TRAILERS;
    }
    return true;
}

static bool step_trailers(struct run *run)
{
    size_t len = 0;
    const enum wr_parse_result result = wr_head_parse(
        &run->trailers, run->pending, run->pending_len, &len, &run->err);

    if (result == WR_PARSE_ERROR)
        set_failed(run);
    if (result != WR_PARSE_DONE)
        return false;
    note_fields(run, &run->trailers, run->trailer_fields);
    consume(run, len);
    run->phase = COMPLETE;
    return true;
}

/* Some bytes arrive.  The block moves, as its owner may move it. */
static void feed(struct run *run, const char *bytes, size_t len)
{
    bool goes_on = true;

    memmove(room.end - len - run->pending_len, run->pending, run->pending_len);
    guard_at_end(&room, bytes, len);
    run->pending_len += len;
    run->pending = room.end - run->pending_len;
    while (goes_on && run->pending_len > 0) {
        switch (run->phase) {
        case IN_HEAD:
            goes_on = step_head(run);
            break;
        case IN_BODY:
            goes_on = step_body(run);
            break;
        case IN_TRAILERS:
            goes_on = step_trailers(run);
            break;
        default:
            return;
        }
    }
}

/* The peer closes. */
static void finish(struct run *run)
{
    if (run->phase == COMPLETE || run->phase == FAILED)
        return;
    if (run->phase == IN_BODY &&
        wr_body_ends_at_close(&run->body, !run->wanted->cut)) {
        run->phase = COMPLETE;
        return;
    }
    run->err.code = WEIR_E_TRUNCATED;
    run->err.offset = run->wanted->bytes.len;
    run->phase = FAILED;
}

/* As far as the framing and its facts can say. */
static bool may_reuse(const struct run *run)
{
    const struct wr_head_facts *facts = &run->head.facts;

    return run->phase == COMPLETE && run->pending_len == 0 &&
           run->body.framing != WR_FRAMING_CLOSE && !facts->connection_close &&
           !facts->lenient && !run->trailers.facts.lenient &&
           (run->head.version == 11 || facts->connection_keep_alive);
}

/* --- outcomes ----------------------------------------------------------------
 */

static const char *framing_name(const struct run *run)
{
    static const char *const names[] = {"none", "length", "chunked", "close"};

    return names[run->body.framing];
}

/* All that came of a run, as text. */
static size_t render(const struct run *run, char *out)
{
    char *at = out;

    for (size_t i = 0; i < run->interim_count; i++)
        at += sprintf(at, "interim %d\n", run->interim[i]);
    at +=
        sprintf(at, "phase %d surplus %zu reuse %d\n", (int)run->phase,
                run->phase == COMPLETE ? run->pending_len : 0, may_reuse(run));
    if (run->phase == FAILED)
        at += sprintf(at, "%s at %zu: %s\n", weir_status_name(run->err.code),
                      (size_t)run->err.offset, run->err.message);
    at += sprintf(at, "%d %d %s\n%s\n%s\n", run->head.status, run->head.version,
                  framing_name(run), run->fields, run->trailer_fields);
    at += sprintf(at, "reason %zu body %zu\n", run->reason_len, run->body_len);
    memcpy(at, run->reason, run->reason_len);
    at += run->reason_len;
    memcpy(at, run->body_bytes, run->body_len);
    return (size_t)(at + run->body_len - out);
}

/* The message of an error names its offset, which counts from the block that
 * was parsed: head, body bytes given, or trailers. */
static void drop_message(struct run *run)
{
    memset(run->err.message, 0, sizeof run->err.message);
}

#define EXPECT(condition, ...)                                                 \
    do {                                                                       \
        if (!(condition)) {                                                    \
            print_error("%s:%u: %s: ", wanted->file, wanted->line,             \
                        wanted->name);                                         \
            print_error(__VA_ARGS__);                                          \
            print_error("\n");                                                 \
            failures++;                                                        \
        }                                                                      \
    } while (0)

static unsigned check_fields(const struct corpus_case *wanted,
                             const struct corpus_fields *fields,
                             const char *got)
{
    unsigned failures = 0;

    for (size_t i = 0; i < fields->count; i++) {
        const struct corpus_bytes *line = &fields->lines[i];

        if (strncmp(got, line->data, line->len) != 0 ||
            got[line->len] != '\n') {
            EXPECT(false, "field \"%s\" expected, found \"%s\"", line->data,
                   got);
            return failures;
        }
        got += line->len + 1;
    }
    EXPECT(*got == '\0', "no more fields expected, found \"%s\"", got);
    return failures;
}

static unsigned check_error(const struct run *run)
{
    const struct corpus_case *wanted = run->wanted;
    const char *got = run->phase == FAILED ? weir_status_name(run->err.code)
                                           : "a complete response";
    const char *error = wanted->error ? wanted->error : "a complete response";
    unsigned failures = 0;

    EXPECT(strcmp(got, error) == 0, "%s expected, found %s at %d: %s", error,
           got, (int)run->err.offset, run->err.message);
    EXPECT(wanted->offset < 0 || (size_t)wanted->offset == run->err.offset,
           "offset %ld expected, found %d: %s", wanted->offset,
           (int)run->err.offset, run->err.message);
    if (run->phase == FAILED && run->err.code != WEIR_E_TRUNCATED) {
        EXPECT(strstr(run->err.message, "at byte ") != NULL, "message: %s",
               run->err.message);
        EXPECT(wanted->offset >= 0, "the case marks no byte");
    }
    return failures;
}

static unsigned check(const struct run *run)
{
    const struct corpus_case *wanted = run->wanted;
    unsigned failures = check_error(run);

    EXPECT(!wanted->status || wanted->status == run->head.status,
           "status %d expected, found %d", wanted->status, run->head.status);
    EXPECT(!wanted->version || wanted->version == run->head.version,
           "version %d expected, found %d", wanted->version, run->head.version);
    EXPECT(!wanted->reason.data ||
               (wanted->reason.len == run->reason_len &&
                memcmp(wanted->reason.data, run->reason, run->reason_len) == 0),
           "reason \"%s\" expected, found \"%.*s\"", wanted->reason.data,
           (int)run->reason_len, run->reason);
    EXPECT(!wanted->framing || strcmp(wanted->framing, framing_name(run)) == 0,
           "framing %s expected, found %s", wanted->framing, framing_name(run));
    EXPECT(!wanted->body.data ||
               (wanted->body.len == run->body_len &&
                memcmp(wanted->body.data, run->body_bytes, run->body_len) == 0),
           "body \"%s\" expected, found \"%.*s\"", wanted->body.data,
           (int)run->body_len, run->body_bytes);
    EXPECT(wanted->reuse < 0 || wanted->reuse == may_reuse(run),
           "reuse %d expected, found %d", wanted->reuse, may_reuse(run));
    EXPECT(wanted->keep_alive < 0 ||
               wanted->keep_alive == (long)run->head.facts.keep_alive_s,
           "keep-alive %ld expected, found %u", wanted->keep_alive,
           (unsigned)run->head.facts.keep_alive_s);
    EXPECT(run->phase == FAILED || wanted->surplus == run->pending_len,
           "surplus %d expected, found %d", (int)wanted->surplus,
           (int)run->pending_len);
    EXPECT(wanted->interim_count == run->interim_count &&
               memcmp(wanted->interim, run->interim,
                      run->interim_count * sizeof *run->interim) == 0,
           "interim responses differ");
    if (wanted->fields.count)
        failures += check_fields(wanted, &wanted->fields, run->fields);
    return failures +
           check_fields(wanted, &wanted->trailers, run->trailer_fields);
}

/* --- tests
 * -------------------------------------------------------------------- */

static struct run whole;
static struct run pieces;
static char text_of_whole[4 * TEXT_MAX];
static char text_of_pieces[4 * TEXT_MAX];

static void run_whole(const struct corpus_case *one)
{
    begin(&whole, one);
    feed(&whole, one->bytes.data, one->bytes.len);
    finish(&whole);
}

/* Feeds pieces of `step` bytes, the first of `first`. */
static void run_pieces(const struct corpus_case *one, size_t first, size_t step)
{
    size_t at = first;

    begin(&pieces, one);
    feed(&pieces, one->bytes.data, first);
    while (at < one->bytes.len) {
        const size_t len =
            one->bytes.len - at < step ? one->bytes.len - at : step;

        feed(&pieces, one->bytes.data + at, len);
        at += len;
    }
    finish(&pieces);
}

/* The outcome in pieces equals that of the whole, which has been run. */
static unsigned compare(const struct corpus_case *wanted, const char *how,
                        size_t at)
{
    unsigned failures = 0;
    size_t len;

    drop_message(&whole);
    drop_message(&pieces);
    len = render(&whole, text_of_whole);
    EXPECT(render(&pieces, text_of_pieces) == len &&
               memcmp(text_of_whole, text_of_pieces, len) == 0,
           "%s %d differs:\n%s\n--- whole:\n%s", how, (int)at, text_of_pieces,
           text_of_whole);
    return failures;
}

static void test_each_case_comes_out_as_it_states(void **state)
{
    unsigned failures = 0;

    (void)state;
    for (size_t i = 0; i < corpus.count; i++) {
        run_whole(&corpus.cases[i]);
        failures += check(&whole);
    }
    print_message("# cases responses %zu\n", corpus.count);
    assert_int_equal(failures, 0);
    assert_true(corpus.count >= 150);
}

static void test_byte_by_byte_comes_out_the_same(void **state)
{
    unsigned failures = 0;

    (void)state;
    for (size_t i = 0; i < corpus.count; i++) {
        run_whole(&corpus.cases[i]);
        run_pieces(&corpus.cases[i], 0, 1);
        failures += compare(&corpus.cases[i], "step", 1);
    }
    print_message("# cases byte-by-byte %zu\n", corpus.count);
    assert_int_equal(failures, 0);
}

static void test_split_at_every_position_comes_out_the_same(void **state)
{
    unsigned failures = 0;
    size_t splits = 0;

    (void)state;
    for (size_t i = 0; i < corpus.count; i++) {
        const struct corpus_case *one = &corpus.cases[i];

        run_whole(one);
        for (size_t at = 1; at < one->bytes.len; at++) {
            run_pieces(one, at, one->bytes.len);
            failures += compare(one, "split at", at);
            splits++;
        }
    }
    print_message("# cases splits %zu\n", splits);
    assert_int_equal(failures, 0);
}

/* A small generator with a fixed seed: the same mutations on every run. */
static uint32_t next_random(void)
{
    static uint32_t seed = 20251123;

    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

/* Replaces, drops or repeats one byte. */
static void mutate(struct corpus_bytes *bytes)
{
    static const char odd[] = "\r\n\0 \t:;,=\"\\\x7f\xff"
                              "0aA-+";
    const size_t at = next_random() % bytes->len;

    switch (next_random() % 3) {
    case 0:
        bytes->data[at] = odd[next_random() % (sizeof odd - 1)];
        break;
    case 1:
        memmove(bytes->data + at, bytes->data + at + 1, bytes->len - at - 1);
        bytes->len--;
        break;
    default:
        memmove(bytes->data + at + 1, bytes->data + at, bytes->len - at);
        bytes->len++;
        break;
    }
}

static void test_mutations_do_not_depend_on_the_split_either(void **state)
{
    enum {
        ROUNDS = 40
    };
    unsigned failures = 0;
    size_t mutations = 0;

    (void)state;
    for (size_t i = 0; i < corpus.count * ROUNDS; i++) {
        struct corpus_case one = corpus.cases[i / ROUNDS];
        const size_t len = one.bytes.len;

        if (len == 0)
            continue;
        one.bytes.data = malloc(len + 4);
        assert_non_null(one.bytes.data);
        memcpy(one.bytes.data, corpus.cases[i / ROUNDS].bytes.data, len);
        for (int n = 0; n < 3 && one.bytes.len > 1; n++)
            mutate(&one.bytes);
        run_whole(&one);
        run_pieces(&one, 0, 1);
        failures += compare(&one, "mutation, step", 1);
        run_pieces(&one, next_random() % one.bytes.len,
                   1 + next_random() % one.bytes.len);
        failures += compare(&one, "mutation, split", i);
        free(one.bytes.data);
        mutations++;
    }
    print_message("# cases mutations %zu\n", mutations);
    assert_int_equal(failures, 0);
}

static int open_all(void **state)
{
    (void)state;
    room = guard_open(MOST_BYTES);
    return corpus_load(&corpus, WEIR_TESTS_DIR "/corpus/h1") ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    corpus_free(&corpus);
    guard_close(&room);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_case_comes_out_as_it_states),
        cmocka_unit_test(test_byte_by_byte_comes_out_the_same),
        cmocka_unit_test(test_split_at_every_position_comes_out_the_same),
        cmocka_unit_test(test_mutations_do_not_depend_on_the_split_either),
    };

    return cmocka_run_group_tests_name("corpus", tests, open_all, close_all);
}
