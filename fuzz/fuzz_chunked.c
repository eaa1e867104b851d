/* The chunked decoder against a naive one that sees all bytes at once, with
 * the decoder fed in pieces and, in turns, read past as large reads do. */
#include "fuzz.h"

#include "http/ascii.h"
#include "http/body.h"

/* --- the naive one ------------------------------------------------------- */

struct naive {
    const char *bytes;
    size_t len;
    size_t at;
    char *body;
    size_t body_len;
};

/* Takes one byte that must be it: DONE, MORE at the end, ERROR. */
static enum wr_parse_result expect(struct naive *naive, char wanted)
{
    if (naive->at == naive->len)
        return WR_PARSE_MORE;
    return naive->bytes[naive->at++] == wanted ? WR_PARSE_DONE : WR_PARSE_ERROR;
}

static enum wr_parse_result expect_line_end(struct naive *naive)
{
    const enum wr_parse_result result = expect(naive, '\r');

    return result == WR_PARSE_DONE ? expect(naive, '\n') : result;
}

/* Could the whole of line[0, len), without its CR LF, still become right?
 * chunk-size [ BWS ";" anything visible ], below 2^64, of a bounded length. */
static bool is_good_line(const char *line, size_t len, bool is_whole,
                         uint64_t *ret_size)
{
    size_t at = 0;
    uint64_t size = 0;

    if (len > WR_CHUNK_EXTENSION_MAX)
        return false;
    for (; at < len && wr_hex_value(line[at]) >= 0; at++) {
        if (size > UINT64_MAX / 16)
            return false;
        size = size * 16 + (unsigned)wr_hex_value(line[at]);
    }
    *ret_size = size;
    if (at == 0)
        return len == 0 && !is_whole;
    if (at == len)
        return true;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (at == len)
        return !is_whole;
    if (line[at] != ';')
        return false;
    for (; at < len; at++) {
        if ((unsigned char)line[at] < ' ' ? line[at] != '\t' : line[at] == 0x7f)
            return false;
    }
    return true;
}

static enum wr_parse_result take_line(struct naive *naive, uint64_t *ret_size)
{
    const char *line = naive->bytes + naive->at;
    size_t len = 0;

    while (naive->at < naive->len && naive->bytes[naive->at] != '\r') {
        naive->at++;
        len++;
        if (!is_good_line(line, len, false, ret_size))
            return WR_PARSE_ERROR;
    }
    if (naive->at == naive->len)
        return WR_PARSE_MORE;
    if (!is_good_line(line, len, true, ret_size))
        return WR_PARSE_ERROR;
    return expect_line_end(naive);
}

static enum wr_parse_result decode_naively(struct naive *naive)
{
    for (;;) {
        uint64_t size;
        enum wr_parse_result result = take_line(naive, &size);

        if (result != WR_PARSE_DONE || size == 0)
            return result;
        for (; size > 0; size--) {
            if (naive->at == naive->len)
                return WR_PARSE_MORE;
            naive->body[naive->body_len++] = naive->bytes[naive->at++];
        }
        result = expect_line_end(naive);
        if (result != WR_PARSE_DONE)
            return result;
    }
}

/* --- ours ----------------------------------------------------------------- */

struct ours {
    struct wr_body body;
    char *out;
    size_t out_len;
    size_t consumed;
};

static enum wr_parse_result decode_piece(struct ours *ours, const char *bytes,
                                         size_t len)
{
    size_t at = 0;
    enum wr_parse_result result = WR_PARSE_MORE;

    while (at < len && result == WR_PARSE_MORE) {
        struct wr_slice data;
        weir_error err;
        size_t used = 0;

        result = wr_body_decode(&ours->body, bytes + at, len - at, &used, &data,
                                &err);
        if (result == WR_PARSE_ERROR) {
            CHECK(err.code == WEIR_E_PROTOCOL && err.offset < len - at);
            fuzz_check_message(err.message);
            break;
        }
        CHECK(used > 0 || result == WR_PARSE_DONE);
        CHECK(used <= len - at && data.len <= used);
        memcpy(ours->out + ours->out_len, data.data, data.len);
        ours->out_len += data.len;
        ours->consumed += used;
        at += used;
    }
    return result;
}

/* As a large read does: straight into the caller's buffer. */
static size_t take_directly(struct ours *ours, const char *bytes, size_t len)
{
    const size_t direct = wr_body_direct(&ours->body);
    const size_t take = len < direct ? len : direct;

    if (take == 0)
        return 0;
    memcpy(ours->out + ours->out_len, bytes, take);
    ours->out_len += take;
    ours->consumed += take;
    wr_body_took(&ours->body, take);
    return take;
}

static enum wr_parse_result decode(struct ours *ours, const char *bytes,
                                   size_t len, uint32_t split)
{
    enum wr_parse_result result = WR_PARSE_MORE;

    for (size_t at = 0; at < len && result == WR_PARSE_MORE;) {
        const size_t piece = fuzz_piece(&split, len - at);
        const bool is_direct = split >> 27 & 1;
        struct fuzz_input part = {(const uint8_t *)bytes + at, piece};
        size_t taken = 0;
        char *copy;

        if (is_direct)
            taken = take_directly(ours, bytes + at, piece);
        if (taken) {
            at += taken;
            continue;
        }
        copy = fuzz_copy(part);
        result = decode_piece(ours, copy, piece);
        free(copy);
        at += piece;
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    const uint32_t split = fuzz_pair(&input) * 65537;
    const struct wr_head head = {
        .status = 200,
        .version = 11,
        .facts = {.has_transfer_encoding = true, .chunked_last = true}};
    struct naive naive = {.bytes = (const char *)input.data, .len = input.len};
    struct ours ours = {.out_len = 0};
    enum wr_parse_result wanted;

    naive.body = malloc(input.len + 1);
    ours.out = malloc(input.len + 1);
    CHECK(naive.body && ours.out);
    wr_body_init(&ours.body, &head, false);
    wanted = decode_naively(&naive);
    CHECK(decode(&ours, naive.bytes, naive.len, split) == wanted);
    CHECK(ours.out_len == naive.body_len);
    CHECK(memcmp(ours.out, naive.body, naive.body_len) == 0);
    CHECK(wanted != WR_PARSE_DONE || ours.consumed == naive.at);
    CHECK(ours.body.done == (wanted == WR_PARSE_DONE));
    free(naive.body);
    free(ours.out);
    return 0;
}
