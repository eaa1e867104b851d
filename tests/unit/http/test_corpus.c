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
#include "response_run.h"

enum {
    CASES_MIN = 500
};

static struct corpus corpus;
static struct guard room;

static struct run_mode mode_of(const struct corpus_case *one)
{
    return (struct run_mode){
        {.status_line = one->status_line ? one->status_line : 8192,
         .section = one->section ? one->section : 262144,
         .fields = one->field_limit ? one->field_limit : WR_FIELDS_INLINE,
         .strict = one->strict},
        one->head,
        one->cut};
}

static void begin(struct run *run, const struct corpus_case *one)
{
    const struct run_mode mode = mode_of(one);

    run_begin(run, &mode, &room);
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

static unsigned check_error(const struct run *run,
                            const struct corpus_case *wanted)
{
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

static unsigned check(const struct run *run, const struct corpus_case *wanted)
{
    unsigned failures = check_error(run, wanted);

    EXPECT(!wanted->status || wanted->status == run->head.status,
           "status %d expected, found %d", wanted->status, run->head.status);
    EXPECT(!wanted->version || wanted->version == run->head.version,
           "version %d expected, found %d", wanted->version, run->head.version);
    EXPECT(!wanted->reason.data ||
               (wanted->reason.len == run->reason_len &&
                memcmp(wanted->reason.data, run->reason, run->reason_len) == 0),
           "reason \"%s\" expected, found \"%.*s\"", wanted->reason.data,
           (int)run->reason_len, run->reason);
    EXPECT(!wanted->framing || strcmp(wanted->framing, run_framing(run)) == 0,
           "framing %s expected, found %s", wanted->framing, run_framing(run));
    EXPECT(!wanted->body.data ||
               (wanted->body.len == run->body_len &&
                memcmp(wanted->body.data, run->body_bytes, run->body_len) == 0),
           "body \"%s\" expected, found \"%.*s\"", wanted->body.data,
           (int)run->body_len, run->body_bytes);
    EXPECT(wanted->reuse < 0 || wanted->reuse == run_may_reuse(run),
           "reuse %d expected, found %d", wanted->reuse, run_may_reuse(run));
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
static char text_of_whole[4 * RUN_TEXT_MAX];
static char text_of_pieces[4 * RUN_TEXT_MAX];

static void run_whole(const struct corpus_case *one)
{
    begin(&whole, one);
    run_feed(&whole, one->bytes.data, one->bytes.len);
    run_finish(&whole);
}

/* Feeds pieces of `step` bytes, the first of `first`. */
static void run_pieces(const struct corpus_case *one, size_t first, size_t step)
{
    size_t at = first;

    begin(&pieces, one);
    run_feed(&pieces, one->bytes.data, first);
    while (at < one->bytes.len) {
        const size_t len =
            one->bytes.len - at < step ? one->bytes.len - at : step;

        run_feed(&pieces, one->bytes.data + at, len);
        at += len;
    }
    run_finish(&pieces);
}

/* The outcome in pieces equals that of the whole, which has been run. */
static unsigned compare(const struct corpus_case *wanted, const char *how,
                        size_t at)
{
    unsigned failures = 0;
    size_t len;

    len = run_render(&whole, text_of_whole);
    EXPECT(run_render(&pieces, text_of_pieces) == len &&
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
        failures += check(&whole, &corpus.cases[i]);
    }
    print_message("# cases responses %zu\n", corpus.count);
    assert_int_equal(failures, 0);
    assert_true(corpus.count >= CASES_MIN);
}

/* Each case says where its rule is from, and, if it is a response at all,
 * whether the connection may be used again. */
static void test_each_case_says_what_it_must(void **state)
{
    unsigned failures = 0;

    (void)state;
    for (size_t i = 0; i < corpus.count; i++) {
        const struct corpus_case *wanted = &corpus.cases[i];

        EXPECT(wanted->source && strstr(wanted->source, "RFC "), "no source");
        EXPECT(wanted->error || wanted->reuse >= 0, "no word on reuse");
    }
    assert_int_equal(failures, 0);
}

static bool is_same_case(const struct corpus_case *a,
                         const struct corpus_case *b)
{
    return a->bytes.len == b->bytes.len && a->head == b->head &&
           a->strict == b->strict && a->cut == b->cut &&
           a->status_line == b->status_line && a->section == b->section &&
           a->field_limit == b->field_limit &&
           (a->bytes.len == 0 ||
            memcmp(a->bytes.data, b->bytes.data, a->bytes.len) == 0);
}

/* A case that is there twice is one. */
static void test_no_two_cases_are_the_same(void **state)
{
    unsigned failures = 0;

    (void)state;
    for (size_t i = 0; i < corpus.count; i++) {
        const struct corpus_case *wanted = &corpus.cases[i];

        for (size_t k = 0; k < i; k++) {
            const struct corpus_case *other = &corpus.cases[k];

            EXPECT(!is_same_case(wanted, other), "the same as %s:%u",
                   other->file, other->line);
        }
    }
    assert_int_equal(failures, 0);
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
    room = guard_open(RUN_BYTES_MAX);
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
        cmocka_unit_test(test_each_case_says_what_it_must),
        cmocka_unit_test(test_no_two_cases_are_the_same),
        cmocka_unit_test(test_byte_by_byte_comes_out_the_same),
        cmocka_unit_test(test_split_at_every_position_comes_out_the_same),
        cmocka_unit_test(test_mutations_do_not_depend_on_the_split_either),
    };

    return cmocka_run_group_tests_name("corpus", tests, open_all, close_all);
}
