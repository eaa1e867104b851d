/* Decoding under watch: input and room for output end at unreadable pages, and
 * both can be split. */
#ifndef CODING_CHECK_H
#define CODING_CHECK_H

#include <stdbool.h>
#include <string.h>

#include "encode.h"
#include "guard.h"

static const struct wr_coding_limits no_limits = {UINT64_MAX, UINT64_MAX};

static struct guard in_room;  /* input ends at an unreadable page, */
static struct guard out_room; /* and so does the room for output */
enum {
    MOST_IN = 1 << 20,
    MOST_OUT = 64 << 10,
};

static inline int open_rooms(void **state)
{
    (void)state;
    in_room = guard_open(MOST_IN);
    out_room = guard_open(MOST_OUT);
    return 0;
}

static inline int close_rooms(void **state)
{
    (void)state;
    guard_close(&in_room);
    guard_close(&out_room);
    return 0;
}

/* --- the parts of a test ------------------------------------------------- */

static inline struct wr_slice text(const char *bytes)
{
    return (struct wr_slice){bytes, strlen(bytes)};
}

static inline struct wr_slice slice(const struct wr_buf *buf)
{
    return (struct wr_slice){buf->data, buf->len};
}

static inline struct wr_slice upto(struct wr_slice whole, size_t len)
{
    return (struct wr_slice){whole.data, len};
}

static inline struct wr_coding_list list_of(const char *value)
{
    struct wr_coding_list list = {0};

    assert_int_equal(wr_codings_add(&list, text(value), NULL), WEIR_OK);
    return list;
}

static inline unsigned next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Words, as in a page. */
static inline struct wr_buf make_text(size_t len, uint32_t seed)
{
    static const char *const words[] = {
        "weir ", "pool ", "<p>", "connection", ", ", "a ", "the ", "of\n", "7"};
    struct wr_buf out = {0};

    assert_true(wr_buf_reserve(&out, 1));
    while (out.len < len) {
        const unsigned dice = next_random(&seed);
        const char letter[] = {(char)('a' + dice % 26), '\0'};
        const size_t count = sizeof words / sizeof *words;

        assert_true(wr_buf_append_text(&out, dice % 4 ? words[dice / 4 % count]
                                                      : letter));
    }
    out.len = len;
    return out;
}

static inline struct wr_buf make_zeros(size_t len)
{
    struct wr_buf out = {0};

    assert_true(wr_buf_reserve(&out, len));
    memset(out.data, 0, len);
    out.len = len;
    return out;
}

/* What became of a body.  Ends with free_outcome(). */
struct outcome {
    weir_status status;
    bool done;         /* before the input had ended */
    size_t used;       /* bytes of the input */
    struct wr_buf out; /* all bytes given */
    weir_error err;
};

static inline void free_outcome(struct outcome *outcome)
{
    wr_buf_done(&outcome->out);
}

/* How input and output are split. */
struct split {
    size_t first; /* bytes of the first piece of input */
    size_t piece; /* of the others */
    size_t cap;
    uint32_t seed; /* not 0: pieces and cap are at most what they say */
};
static const struct split whole = {MOST_IN, MOST_IN, MOST_OUT, 0};
static const struct split by_byte = {1, 1, 1, 0};

static inline size_t dice(struct split *split, size_t most)
{
    return split->seed ? 1 + next_random(&split->seed) % most : most;
}

/* Runs one piece of input until all is given.  false: DONE or ERROR. */
static inline bool run_piece(struct wr_decoder *decoder, struct wr_slice piece,
                             struct split *split, struct outcome *outcome)
{
    struct wr_slice in = {guard_at_end(&in_room, piece.data, piece.len),
                          piece.len};
    enum wr_parse_result result;
    size_t cap;
    size_t len;

    do {
        cap = dice(split, split->cap);
        len = SIZE_MAX;
        result = wr_decoder_run(decoder, &in, out_room.end - cap, cap, &len,
                                &outcome->err);
        if (result == WR_PARSE_ERROR) {
            outcome->status = outcome->err.code;
            return false;
        }
        assert_true(len <= cap);
        assert_true(wr_buf_append(&outcome->out, out_room.end - cap, len) ||
                    !len);
    } while (result == WR_PARSE_MORE && len == cap);
    outcome->used += piece.len - in.len;
    outcome->done = result == WR_PARSE_DONE;
    if (!outcome->done)
        assert_int_equal(in.len, 0);
    return !outcome->done;
}

static inline struct outcome decode_split(const char *codings,
                                          struct wr_slice body,
                                          const struct wr_coding_limits *limits,
                                          struct split split)
{
    const struct wr_coding_list list = list_of(codings);
    struct outcome outcome = {0};
    struct wr_decoder *decoder;
    size_t at = 0;
    size_t most = split.first;

    assert_int_equal(wr_decoder_new(&list, limits, &decoder, NULL), WEIR_OK);
    while (at < body.len) {
        size_t len = dice(&split, most);

        if (len > body.len - at)
            len = body.len - at;
        if (!run_piece(decoder, (struct wr_slice){body.data + at, len}, &split,
                       &outcome))
            break;
        at += len;
        most = split.piece;
    }
    if (outcome.status == WEIR_OK)
        outcome.status = wr_decoder_end(decoder, &outcome.err);
    else
        assert_int_equal(wr_decoder_end(decoder, NULL), outcome.status);
    wr_decoder_free(decoder);
    return outcome;
}

static inline struct outcome decode(const char *codings, struct wr_slice body)
{
    return decode_split(codings, body, &no_limits, whole);
}

static inline void assert_gives(struct outcome outcome, struct wr_slice wanted)
{
    if (outcome.status != WEIR_OK)
        fail_msg("%s", outcome.err.message);
    assert_int_equal(outcome.out.len, wanted.len);
    if (wanted.len)
        assert_memory_equal(outcome.out.data, wanted.data, wanted.len);
    free_outcome(&outcome);
}

static inline void assert_fails(struct outcome outcome, weir_status status,
                                const char *message)
{
    assert_int_equal(outcome.status, status);
    assert_int_equal(outcome.err.code, status);
    if (!strstr(outcome.err.message, message))
        fail_msg("\"%s\" is not in \"%s\"", message, outcome.err.message);
    free_outcome(&outcome);
}

/* What a server has flushed is given, though the body goes on. */
static inline void assert_gives_flushed(const char *coding, const void *bytes,
                                        size_t len)
{
    const struct wr_slice body = {bytes, len};
    struct outcome outcome = decode(coding, body);

    assert_int_equal(outcome.status, WEIR_E_CODING);
    assert_int_equal(outcome.out.len, 5);
    assert_memory_equal(outcome.out.data, "hello", 5);
    free_outcome(&outcome);
}

/* Calls `each` for every coding that is built in and for stacks of them. */
static inline void for_each_list(void (*each)(const char *codings))
{
    static const char *const lists[] = {"gzip",
                                        "deflate",
                                        "br",
                                        "zstd",
                                        "gzip, gzip",
                                        "gzip, br",
                                        "br, gzip",
                                        "deflate, zstd",
                                        "zstd, br",
                                        "zstd, zstd",
                                        "br, br",
                                        "gzip, br, zstd, deflate",
                                        "br, deflate, gzip, zstd, br"};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct wr_coding_list list = {0};

        if (wr_codings_add(&list, text(lists[i]), NULL) == WEIR_OK)
            each(lists[i]);
    }
}

static inline struct wr_buf encoded(const char *codings, struct wr_slice body)
{
    const struct wr_coding_list list = list_of(codings);

    return encode_list(body, &list);
}

#endif
