#include "http/coding.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"
#include "http/ascii.h"
#include "http/coding_inner.h"
#include "http/specimen.h"

#if defined(WEIR_HAVE_ZLIB)
#define IF_ZLIB(...) __VA_ARGS__
#else
#define IF_ZLIB(...)
#endif
#if defined(WEIR_HAVE_BROTLI)
#define IF_BROTLI(...) __VA_ARGS__
#else
#define IF_BROTLI(...)
#endif
#if defined(WEIR_HAVE_ZSTD)
#define IF_ZSTD(...) __VA_ARGS__
#else
#define IF_ZSTD(...)
#endif

static const struct {
    const char *name;
    const struct wr_coding_inner *inner; /* NULL = not built in */
} coding_table[] = {
    [WR_CODING_GZIP] = {.name = "gzip", IF_ZLIB(.inner = &wr_inner_gzip)},
    [WR_CODING_DEFLATE] = {.name = "deflate",
                           IF_ZLIB(.inner = &wr_inner_deflate)},
    [WR_CODING_BR] = {.name = "br", IF_BROTLI(.inner = &wr_inner_br)},
    [WR_CODING_ZSTD] = {.name = "zstd", IF_ZSTD(.inner = &wr_inner_zstd)},
};

enum {
    CODING_COUNT = sizeof coding_table / sizeof *coding_table,
};

const char *wr_coding_name(enum wr_coding coding)
{
    return coding_table[coding].name;
}

const char *wr_codings_accepted(void)
{
    static const char all[] =
        IF_ZLIB(", gzip, deflate") IF_BROTLI(", br") IF_ZSTD(", zstd") "";
    const char *first = all;

    while (*first == ',' || *first == ' ')
        first++;
    return first;
}

/* --- the list ------------------------------------------------------------ */

static weir_status add_member(struct wr_coding_list *codings,
                              struct wr_slice member, weir_error *err)
{
    const char *accepted = wr_codings_accepted();
    unsigned coding = 0;

    if (member.len == 0 || wr_slice_is(member, "identity"))
        return WEIR_OK;
    if (codings->count == WR_CODINGS_MAX)
        return wr_error_set(err, WEIR_E_LIMIT, "more than %d content codings",
                            WR_CODINGS_MAX);
    if (!wr_slice_is(member, "x-gzip")) {
        while (coding < CODING_COUNT &&
               !wr_slice_is(member, coding_table[coding].name))
            coding++;
    }
    if (coding == CODING_COUNT || !coding_table[coding].inner)
        return wr_error_set(
            err, WEIR_E_CODING,
            "unknown content coding: found %s, expected one of: %s",
            wr_specimen(member.data, member.len).text,
            *accepted ? accepted : "identity");
    codings->list[codings->count++] = (enum wr_coding)coding;
    return WEIR_OK;
}

/* The next member of a comma-separated list that is not empty, white space
 * around it removed; the rest stays in *value. */
static struct wr_slice next_member(struct wr_slice *value)
{
    const char *at = value->data;
    const char *end = at + value->len;
    const char *comma = memchr(at, ',', value->len);
    const char *stop = comma ? comma : end;

    value->data = comma ? comma + 1 : end;
    value->len = (size_t)(end - value->data);
    while (at < stop && wr_is_blank(*at))
        at++;
    while (at < stop && wr_is_blank(stop[-1]))
        stop--;
    return (struct wr_slice){at, (size_t)(stop - at)};
}

weir_status wr_codings_add(struct wr_coding_list *codings,
                           struct wr_slice value, weir_error *ret_err)
{
    struct wr_coding_list longer = *codings;

    while (value.len) {
        const weir_status status =
            add_member(&longer, next_member(&value), ret_err);

        if (status != WEIR_OK)
            return status;
    }
    *codings = longer;
    return WEIR_OK;
}

/* --- the stack ----------------------------------------------------------- */

enum {
    BETWEEN_SIZE = 16 << 10, /* bytes between two stages */
};

/* Removes one coding.  Its input is the decoder's, or what the stage before it
 * has ready. */
struct stage {
    const struct wr_coding_inner *inner;
    void *state; /* owned; the library's side */
    const char *name;
    char *between;         /* its output; NULL for the last stage */
    struct wr_slice ready; /* the part of it that has not been taken */
    uint64_t given;        /* bytes of output so far */
    bool full; /* its last output was full: it may hold more, without input */
    bool done; /* at its end; input that still comes is passed over */
};

struct wr_decoder {
    struct wr_coding_limits limits;
    unsigned count;
    struct stage stages[WR_CODINGS_MAX]; /* the first takes the input */
    uint64_t taken;                      /* bytes of input so far */
    uint64_t begun;     /* the same in steps of WR_RATIO_STEP, the last begun */
    weir_error failure; /* of an earlier call; WEIR_OK = none */
    char buffers[];
};

/* One call's input and output. */
struct turn {
    struct wr_slice *in;
    char *out;
    size_t cap;
    size_t len;
};

struct room {
    char *out;
    size_t cap;
};

weir_status wr_decoder_new(const struct wr_coding_list *codings,
                           const struct wr_coding_limits *limits,
                           struct wr_decoder **ret, weir_error *ret_err)
{
    const unsigned count = codings->count;
    struct wr_decoder *decoder;

    assert(count >= 1 && count <= WR_CODINGS_MAX);
    decoder =
        wr_calloc(1, sizeof *decoder + (size_t)(count - 1) * BETWEEN_SIZE);
    if (!decoder)
        return wr_error_no_memory(ret_err);
    decoder->limits = *limits;
    decoder->count = count;
    for (unsigned i = 0; i < count; i++) {
        const enum wr_coding coding = codings->list[count - 1 - i];
        struct stage *stage = &decoder->stages[i];

        stage->inner = coding_table[coding].inner;
        stage->name = coding_table[coding].name;
        if (i + 1 < count)
            stage->between = decoder->buffers + (size_t)i * BETWEEN_SIZE;
        stage->state = stage->inner->new_fn();
        if (!stage->state) {
            wr_decoder_free(decoder);
            return wr_error_no_memory(ret_err);
        }
    }
    *ret = decoder;
    return WEIR_OK;
}

void wr_decoder_free(struct wr_decoder *decoder)
{
    if (!decoder)
        return;
    for (unsigned i = 0; i < decoder->count; i++) {
        const struct stage *stage = &decoder->stages[i];

        if (stage->state)
            stage->inner->free_fn(stage->state);
    }
    wr_free(decoder);
}

static bool is_last(const struct wr_decoder *decoder, const struct stage *stage)
{
    return stage == &decoder->stages[decoder->count - 1];
}

static weir_status ended_early(const struct stage *stage, weir_error *err)
{
    return wr_error_set(err, WEIR_E_CODING, "%s content ended early",
                        stage->name);
}

/* Sees what the last step has come to against the bounds. */
static weir_status check_bounds(const struct wr_decoder *decoder,
                                const struct stage *stage, weir_error *err)
{
    const struct wr_coding_limits *limits = &decoder->limits;
    uint64_t allowed;

    if (is_last(decoder, stage) && stage->given > limits->max_output)
        return wr_error_set(err, WEIR_E_LIMIT,
                            "decoded content is longer than max_decoded, "
                            "%llu bytes",
                            (unsigned long long)limits->max_output);
    if (stage->given <= WR_RATIO_FREE ||
        __builtin_mul_overflow(limits->max_ratio, decoder->begun, &allowed) ||
        stage->given / WR_RATIO_STEP < allowed ||
        stage->given <= allowed * WR_RATIO_STEP)
        return WEIR_OK;
    return wr_error_set(
        err, WEIR_E_LIMIT,
        "%s content is past max_decode_ratio, %llu bytes for one "
        "byte received",
        stage->name, (unsigned long long)limits->max_ratio);
}

/* What the first stage may take now: nothing of a new step while the old one
 * may still give something, since its output must be judged by itself. */
static struct wr_slice offer(struct wr_decoder *decoder,
                             const struct wr_slice *in)
{
    uint64_t room = decoder->begun * WR_RATIO_STEP - decoder->taken;

    if (!in->len)
        return (struct wr_slice){"", 0};
    if (!room && !decoder->stages[0].full) {
        decoder->begun++;
        room = WR_RATIO_STEP;
    }
    return (struct wr_slice){in->data, in->len < room ? in->len : (size_t)room};
}

/* Where a stage may write: the last one up to max_output, and then one byte
 * aside, to see whether there is more. */
static struct room room_for(const struct wr_decoder *decoder,
                            const struct stage *stage, const struct turn *turn,
                            char *aside)
{
    uint64_t left;
    size_t cap;

    if (!is_last(decoder, stage))
        return (struct room){stage->between, BETWEEN_SIZE};
    left = decoder->limits.max_output - stage->given;
    if (!left)
        return (struct room){aside, 1};
    cap = turn->cap - turn->len;
    if (cap > left)
        cap = (size_t)left;
    return (struct room){turn->out + turn->len, cap < INT_MAX ? cap : INT_MAX};
}

/* Lets a stage's library work once. */
static weir_status run_stage(struct wr_decoder *decoder, struct stage *stage,
                             struct wr_slice *in, struct turn *turn,
                             weir_error *err)
{
    const bool first = stage == decoder->stages;
    struct wr_slice offered = first ? offer(decoder, in) : *in;
    const size_t before = offered.len;
    const char *why = NULL;
    enum wr_inner_result result;
    char aside;
    const struct room room = room_for(decoder, stage, turn, &aside);
    size_t used;
    size_t len = 0;

    result = stage->inner->run(stage->state, &offered, room.out, room.cap, &len,
                               &why);
    used = before - offered.len;
    if (result == WR_INNER_NO_MEMORY)
        return wr_error_no_memory(err);
    if (result == WR_INNER_MORE && before && !used && !len) {
        result = WR_INNER_DAMAGED; /* or it would be asked for ever */
        why = "no progress";
    }
    if (result == WR_INNER_DAMAGED)
        return wr_error_set(err, WEIR_E_CODING, "invalid %s content: %s",
                            stage->name, why);
    if (used)
        *in = (struct wr_slice){in->data + used, in->len - used};
    if (first)
        decoder->taken += used;
    stage->full = len == room.cap;
    stage->done = result == WR_INNER_DONE;
    stage->given += len;
    if (is_last(decoder, stage))
        turn->len += len;
    else
        stage->ready = (struct wr_slice){room.out, len};
    return check_bounds(decoder, stage, err);
}

/* The input of stage i. */
static struct wr_slice *input_of(struct wr_decoder *decoder, unsigned i,
                                 struct wr_slice *in)
{
    return i ? &decoder->stages[i - 1].ready : in;
}

/* The stage nearest to the output that can go on, so that one takes new input
 * only when all behind it have given all they can; count = none. */
static unsigned find_stage(struct wr_decoder *decoder, struct wr_slice *in)
{
    for (unsigned i = decoder->count; i-- > 0;) {
        const struct stage *stage = &decoder->stages[i];
        struct wr_slice *input = input_of(decoder, i, in);

        if (stage->done) {
            if (i)
                input->len = 0;
        } else if (stage->full || input->len || (i && stage[-1].done)) {
            return i;
        }
    }
    return decoder->count;
}

static weir_status run_turn(struct wr_decoder *decoder, struct turn *turn,
                            weir_error *err)
{
    for (;;) {
        const unsigned i = find_stage(decoder, turn->in);
        struct stage *stage = &decoder->stages[i];
        struct wr_slice *input;
        weir_status status = WEIR_OK;

        if (i == decoder->count ||
            (is_last(decoder, stage) && turn->len == turn->cap))
            return WEIR_OK;
        input = input_of(decoder, i, turn->in);
        if (stage->full || input->len)
            status = run_stage(decoder, stage, input, turn, err);
        else if (stage->inner->is_at_end(stage->state))
            stage->done = true;
        else
            status = ended_early(stage, err);
        if (status != WEIR_OK)
            return status;
    }
}

static bool is_done(const struct wr_decoder *decoder)
{
    for (unsigned i = 0; i < decoder->count; i++) {
        if (!decoder->stages[i].done)
            return false;
    }
    return true;
}

enum wr_parse_result wr_decoder_run(struct wr_decoder *decoder,
                                    struct wr_slice *in, char *out, size_t cap,
                                    size_t *ret_len, weir_error *ret_err)
{
    struct turn turn = {.in = in, .cap = cap};

    assert(cap >= 1);
    turn.out = out;
    if (decoder->failure.code != WEIR_OK ||
        run_turn(decoder, &turn, &decoder->failure) != WEIR_OK) {
        if (ret_err)
            *ret_err = decoder->failure;
        return WR_PARSE_ERROR;
    }
    *ret_len = turn.len;
    return is_done(decoder) ? WR_PARSE_DONE : WR_PARSE_MORE;
}

weir_status wr_decoder_end(struct wr_decoder *decoder, weir_error *ret_err)
{
    if (decoder->failure.code != WEIR_OK) {
        if (ret_err)
            *ret_err = decoder->failure;
        return decoder->failure.code;
    }
    if (decoder->taken == 0)
        return WEIR_OK;
    for (unsigned i = 0; i < decoder->count; i++) {
        const struct stage *stage = &decoder->stages[i];
        const bool starved = i == 0 || stage[-1].ready.len == 0;

        if (!stage->done && !(starved && stage->inner->is_at_end(stage->state)))
            return ended_early(stage, ret_err);
    }
    return WEIR_OK;
}
