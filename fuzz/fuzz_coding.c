/* Content codings: "value of Content-Encoding LF body".  Whether a body is
 * decoded, and to what, does not depend on how input and output are split;
 * what comes is bounded. */
#include "fuzz.h"

#include "base/error.h"
#include "http/coding.h"

enum {
    MOST_OUTPUT = 1 << 20
};

static const struct wr_coding_limits limits = {MOST_OUTPUT, 200};

struct decoded {
    weir_status status;
    size_t len;
    char *bytes;
};

/* Pieces of input and output, from a seed; 0: all in one. */
static void decode(const struct wr_coding_list *codings,
                   struct fuzz_input input, uint32_t split, struct decoded *out)
{
    struct wr_decoder *decoder = NULL;
    enum wr_parse_result result = WR_PARSE_MORE;
    weir_error err = {.code = WEIR_OK};
    bool is_full = false;

    CHECK(wr_decoder_new(codings, &limits, &decoder, &err) == WEIR_OK);
    out->len = 0;
    while (result == WR_PARSE_MORE && (input.len > 0 || is_full)) {
        const size_t piece = split ? fuzz_piece(&split, input.len) : input.len;
        struct wr_slice in = {(const char *)input.data, piece};

        do {
            const size_t room = MOST_OUTPUT + 1 - out->len;
            const size_t cap = split ? fuzz_piece(&split, room) : room;
            size_t len = 0;

            CHECK(cap > 0);
            result = wr_decoder_run(decoder, &in, out->bytes + out->len, cap,
                                    &len, &err);
            if (result != WR_PARSE_ERROR) {
                CHECK(len <= cap);
                out->len += len;
            }
            is_full = result == WR_PARSE_MORE && len == cap;
        } while (is_full);
        CHECK(result != WR_PARSE_MORE || in.len == 0);
        input.data += piece;
        input.len -= piece;
    }
    out->status =
        result == WR_PARSE_ERROR ? err.code : wr_decoder_end(decoder, &err);
    CHECK(out->len <= MOST_OUTPUT);
    if (out->status != WEIR_OK)
        fuzz_check_message(err.message);
    wr_decoder_free(decoder);
}

/* Damaged and past a bound: either may be said, and both are as good. */
static bool is_alike(const struct decoded *a, const struct decoded *b)
{
    if (a->status == WEIR_OK || b->status == WEIR_OK)
        return a->status == b->status && a->len == b->len &&
               memcmp(a->bytes, b->bytes, a->len) == 0;
    return (a->status == WEIR_E_CODING || a->status == WEIR_E_LIMIT) &&
           (b->status == WEIR_E_CODING || b->status == WEIR_E_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct decoded whole;
    static struct decoded pieces;
    struct fuzz_input input = {data, size};
    const struct fuzz_input value = fuzz_until(&input, '\n');
    struct wr_coding_list codings = {0};
    weir_error err;

    if (wr_codings_add(&codings,
                       (struct wr_slice){(const char *)value.data, value.len},
                       &err) != WEIR_OK) {
        CHECK(err.code == WEIR_E_CODING || err.code == WEIR_E_LIMIT);
        fuzz_check_message(err.message);
        CHECK(codings.count == 0);
        return 0;
    }
    CHECK(codings.count <= WR_CODINGS_MAX);
    if (codings.count == 0)
        return 0;
    if (!whole.bytes) {
        whole.bytes = malloc(MOST_OUTPUT + 1);
        pieces.bytes = malloc(MOST_OUTPUT + 1);
        CHECK(whole.bytes && pieces.bytes);
    }
    decode(&codings, input, 0, &whole);
    decode(&codings, input, (uint32_t)size * 2654435761U | 1, &pieces);
    CHECK(is_alike(&whole, &pieces));
    return 0;
}
