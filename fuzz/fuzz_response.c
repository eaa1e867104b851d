/* A response through head, body and trailers: whatever the peer sends, and
 * however it comes in pieces, the outcome is the same, and what is handed on
 * keeps the rules of RFC 9110 section 5. */
#include "fuzz.h"
#include "response_flags.h"
#include "response_run.h"

#include "http/field.h"

static struct guard room;
static struct run whole;
static struct run pieces;
static char text_of_whole[4 * RUN_TEXT_MAX];
static char text_of_pieces[4 * RUN_TEXT_MAX];

static struct run_mode mode_of(unsigned flags)
{
    const bool is_narrow = flags & RESPONSE_NARROW;

    return (struct run_mode){{is_narrow ? 64 : 8192, is_narrow ? 100 : 262144,
                              is_narrow ? 3 : WR_FIELDS_INLINE,
                              flags & RESPONSE_STRICT},
                             flags & RESPONSE_HEAD,
                             flags & RESPONSE_CUT};
}

/* Each line of noted fields is a token, ": " and a value. */
static void check_fields(const char *fields)
{
    while (*fields) {
        const size_t len = strcspn(fields, "\n");
        const size_t name_len = wr_token_span(fields, len);

        CHECK(name_len > 0 && fields[name_len] == ':');
        CHECK(wr_value_span(fields + name_len, len - name_len) ==
              len - name_len);
        fields += len + 1;
    }
}

static void check(const struct run *run, size_t size)
{
    const struct wr_head_facts *facts = &run->head.facts;

    check_fields(run->fields);
    check_fields(run->trailer_fields);
    if (run->phase == FAILED) {
        CHECK(run->err.offset <= size);
        CHECK(!run_may_reuse(run));
        return;
    }
    CHECK(run->phase == COMPLETE);
    CHECK(run->head.status >= 100 && run->head.status <= 999);
    CHECK(!(facts->has_length && facts->has_transfer_encoding));
    if (run->body.framing == WR_FRAMING_LENGTH)
        CHECK(run->body_len == facts->content_length);
    if (run->body.framing == WR_FRAMING_NONE)
        CHECK(run->body_len == 0);
    if (run_may_reuse(run))
        CHECK(run->pending_len == 0 && run->body.framing != WR_FRAMING_CLOSE);
}

static void feed_pieces(const char *bytes, size_t len, uint32_t split)
{
    for (size_t at = 0; at < len;) {
        const size_t piece = split ? fuzz_piece(&split, len - at) : 1;

        run_feed(&pieces, bytes + at, piece);
        at += piece;
    }
    run_finish(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    const struct run_mode mode = mode_of(fuzz_byte(&input));
    const uint32_t split = fuzz_byte(&input);
    size_t len;

    if (input.len > RUN_TEXT_MAX / 2)
        return -1;
    if (!room.pages)
        room = guard_open(RUN_BYTES_MAX);
    run_begin(&whole, &mode, &room);
    run_feed(&whole, (const char *)input.data, input.len);
    run_finish(&whole);
    check(&whole, input.len);
    len = run_render(&whole, text_of_whole);
    run_begin(&pieces, &mode, &room);
    feed_pieces((const char *)input.data, input.len, split);
    CHECK(run_render(&pieces, text_of_pieces) == len);
    CHECK(memcmp(text_of_whole, text_of_pieces, len) == 0);
    return 0;
}
