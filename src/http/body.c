#include "http/body.h"

#include "base/cold.h"
#include "base/error.h"
#include "http/ascii.h"
#include "http/scan.h"
#include "http/specimen.h"

/* Where a chunked body stands (RFC 9112 section 7.1). */
enum {
    STATE_SIZE,      /* in a chunk size */
    STATE_BLANK,     /* in white space before ";" */
    STATE_EXTENSION, /* behind ";" */
    STATE_LINE_LF,   /* behind the CR of a chunk line */
    STATE_DATA,      /* in chunk data */
    STATE_DATA_CR,   /* behind it */
    STATE_DATA_LF,   /* behind the CR behind it */
};

static enum wr_framing framing_of(const struct wr_head *head, bool head_request)
{
    const struct wr_head_facts *facts = &head->facts;

    if (head_request || head->status < 200 || head->status == 204 ||
        head->status == 304)
        return WR_FRAMING_NONE;
    if (facts->has_transfer_encoding)
        return facts->chunked_last ? WR_FRAMING_CHUNKED : WR_FRAMING_CLOSE;
    if (!facts->has_length)
        return WR_FRAMING_CLOSE;
    return facts->content_length ? WR_FRAMING_LENGTH : WR_FRAMING_NONE;
}

void wr_body_init(struct wr_body *body, const struct wr_head *head,
                  bool head_request)
{
    const enum wr_framing framing = framing_of(head, head_request);

    *body = (struct wr_body){
        .framing = framing,
        .left = framing == WR_FRAMING_LENGTH ? head->facts.content_length : 0,
        .state = STATE_SIZE,
        .done = framing == WR_FRAMING_NONE};
}

/* --- chunk lines --------------------------------------------------------- */

WR_COLD static bool refuse(const char *in, size_t at, const char *expected,
                           weir_error *err)
{
    wr_error_at(err, WEIR_E_PROTOCOL, at,
                "invalid response: chunk at byte %zu: found %s, expected %s",
                at, wr_specimen_byte(in[at]).text, expected);
    return false;
}

/* A hex digit, or what may stand behind the last one.  1*HEXDIG and nothing
 * else: no sign, no "0x", no padding. */
static bool take_size_byte(struct wr_body *body, const char *in, size_t at,
                           weir_error *err)
{
    const int digit = wr_hex_value(in[at]);

    if (digit >= 0) {
        if (body->left >> 60)
            return refuse(in, at, "a chunk size below 2^64", err);
        body->left = body->left << 4 | (unsigned)digit;
        body->line++;
        return true;
    }
    if (body->line == 0)
        return refuse(in, at, "a hex digit of a chunk size", err);
    if (in[at] == '\r')
        body->state = STATE_LINE_LF;
    else if (in[at] == ';')
        body->state = STATE_EXTENSION;
    else if (in[at] == ' ' || in[at] == '\t')
        body->state = STATE_BLANK;
    else
        return refuse(in, at, "a hex digit, ';' or CR LF", err);
    body->line += in[at] != '\r';
    return true;
}

/* White space may stand before an extension, but not before CR. */
static bool take_blank(struct wr_body *body, const char *in, size_t at,
                       weir_error *err)
{
    if (in[at] == ';')
        body->state = STATE_EXTENSION;
    else if (in[at] != ' ' && in[at] != '\t')
        return refuse(in, at, "';'", err);
    body->line++;
    return true;
}

/* Extensions mean nothing to us (RFC 9112 section 7.1.1): plain bytes up to
 * CR, passed over in one step.  Returns the bytes taken; 0 = error. */
static size_t take_extension(struct wr_body *body, const char *in, size_t at,
                             size_t len, weir_error *err)
{
    const size_t room = WR_CHUNK_EXTENSION_MAX - body->line;
    const size_t end = len - at < room ? len : at + room;
    const size_t stop = (size_t)(wr_scan(in + at, in + end) - in);

    body->line += (uint32_t)(stop - at);
    if (stop == end)
        return stop - at;
    if (in[stop] != '\r') {
        refuse(in, stop, "a visible character or CR LF", err);
        return 0;
    }
    body->state = STATE_LINE_LF;
    return stop + 1 - at;
}

static void end_line(struct wr_body *body)
{
    body->line = 0;
    body->state = STATE_DATA;
    body->done = body->left == 0;
}

/* Takes bytes of framing at in[at].  Returns how many; 0 = error. */
static size_t take_framing(struct wr_body *body, const char *in, size_t at,
                           size_t len, weir_error *err)
{
    if (body->line == WR_CHUNK_EXTENSION_MAX &&
        body->state <= STATE_EXTENSION && in[at] != '\r') {
        refuse(in, at, "a shorter chunk line", err);
        return 0;
    }
    switch (body->state) {
    case STATE_SIZE:
        return take_size_byte(body, in, at, err);
    case STATE_BLANK:
        return take_blank(body, in, at, err);
    case STATE_EXTENSION:
        if (in[at] != '\r')
            return take_extension(body, in, at, len, err);
        body->state = STATE_LINE_LF;
        return 1;
    case STATE_LINE_LF:
        if (in[at] != '\n')
            return refuse(in, at, "LF behind CR", err);
        end_line(body);
        return 1;
    case STATE_DATA_CR:
        if (in[at] != '\r')
            return refuse(in, at, "CR LF behind the data", err);
        body->state = STATE_DATA_LF;
        return 1;
    default: /* STATE_DATA_LF */
        if (in[at] != '\n')
            return refuse(in, at, "CR LF behind the data", err);
        body->state = STATE_SIZE;
        return 1;
    }
}

/* --- decoding ------------------------------------------------------------ */

static bool is_in_data(const struct wr_body *body)
{
    return body->framing != WR_FRAMING_CHUNKED || body->state == STATE_DATA;
}

size_t wr_body_direct(const struct wr_body *body)
{
    if (body->done || !is_in_data(body))
        return 0;
    if (body->framing == WR_FRAMING_CLOSE || body->left > SIZE_MAX)
        return SIZE_MAX;
    return (size_t)body->left;
}

void wr_body_took(struct wr_body *body, size_t n)
{
    if (body->framing == WR_FRAMING_CLOSE)
        return;
    body->left -= n;
    if (body->left)
        return;
    if (body->framing == WR_FRAMING_CHUNKED)
        body->state = STATE_DATA_CR;
    else
        body->done = true;
}

enum wr_parse_result wr_body_decode(struct wr_body *body, const char *in,
                                    size_t len, size_t *ret_used,
                                    struct wr_slice *ret_data,
                                    weir_error *ret_err)
{
    size_t at = 0;

    *ret_data = (struct wr_slice){in, 0};
    while (!body->done && at < len && !is_in_data(body)) {
        const size_t taken = take_framing(body, in, at, len, ret_err);

        if (!taken)
            return WR_PARSE_ERROR;
        at += taken;
    }
    if (!body->done && at < len) {
        const size_t room = wr_body_direct(body);
        const size_t take = len - at < room ? len - at : room;

        *ret_data = (struct wr_slice){in + at, take};
        wr_body_took(body, take);
        at += take;
    }
    *ret_used = at;
    return body->done ? WR_PARSE_DONE : WR_PARSE_MORE;
}

bool wr_body_ends_at_close(const struct wr_body *body, bool clean_close)
{
    if (body->framing == WR_FRAMING_CLOSE)
        return clean_close;
    /* The trailer section of a chunked body is still to come. */
    return body->done && body->framing != WR_FRAMING_CHUNKED;
}

size_t wr_chunk_line(char *out, uint64_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 1;

    while (len < 16 && size >> (4 * len))
        len++;
    for (size_t i = 0; i < len; i++)
        out[i] = digits[size >> (4 * (len - 1 - i)) & 15];
    out[len] = '\r';
    out[len + 1] = '\n';
    return len + 2;
}
