#include "http/head.h"

#include <string.h>

#include "base/cold.h"
#include "base/error.h"
#include "http/ascii.h"
#include "http/facts.h"
#include "http/field.h"
#include "http/scan.h"
#include "http/specimen.h"
#if defined(__SSE2__)
#include "http/sse2.h"
#endif

/* Where parsing stands.  `line` is the first byte of a line in all of them,
 * and [line, scanned) holds nothing but plain bytes. */
enum {
    STATE_PREFIX, /* in "HTTP/1.1 200" and the byte behind it */
    STATE_REASON, /* in the rest of the status line */
    STATE_FIELD,  /* in a field line, or the empty line */
    STATE_NEXT,   /* behind a field line, which a fold may continue */
    STATE_FOLD,   /* in a line that continues the last field */
};

enum {
    PREFIX_LEN = 13,
    CODE_AT = 9,
    BEHIND_CODE = 12
};

static const char *part_name(const struct wr_head *head)
{
    return head->state <= STATE_REASON ? "status line"
           : head->is_trailer          ? "trailer field"
                                       : "header field";
}

WR_COLD static enum wr_parse_result over_limit(weir_error *err, size_t offset,
                                               const char *what, uint32_t limit)
{
    wr_error_at(err, WEIR_E_LIMIT, offset,
                "limit exceeded: %s at byte %zu: longer than %u", what, offset,
                (unsigned)limit);
    return WR_PARSE_ERROR;
}

/* --- scanning ---------------------------------------------------------- */

/* Bytes that must be readable: 16 for one look, and the one behind them. */
enum {
    WIDE = 17
};

/* The same as wr_scan(), cheaper for short spans. */
static inline const char *scan_short(const char *from, const char *end)
{
#if defined(__SSE2__)
    unsigned marks;

    if (end - from >= 32) {
        marks = wr_sse2_special(from);
        if (marks)
            return from + (unsigned)__builtin_ctz(marks);
        marks = wr_sse2_special(from + 16);
        if (marks)
            return from + 16 + (unsigned)__builtin_ctz(marks);
        from += 32;
    }
#endif
    return wr_scan(from, end);
}

/* The first byte of [name, end) that is no token's, or end. */
static inline const char *name_end(const char *name, const char *end)
{
    while (name < end && wr_tchar[(unsigned char)*name])
        name++;
    return name;
}

/* The colon behind a name, or NULL; WIDE bytes can be read at `name`. */
static inline const char *find_colon(const char *name, const char *end)
{
#if defined(__SSE2__)
    name += wr_sse2_name_len(name);
    if (*name == ':')
        return name;
#endif
    name = name_end(name, end);
    return name < end && *name == ':' ? name : NULL;
}

/* --- the end of a line ------------------------------------------------- */

/* Judges the byte at which the scanner stopped.  Returns the length of the
 * line end there, 0 when the byte behind a CR has not come yet, or -1. */
WR_COLD static int odd_line_end(struct wr_head *head, const char *block,
                                size_t at, size_t end, weir_error *err)
{
    const bool must_be_crlf = head->limits->strict || head->is_trailer;
    const char *expected = "a visible character";

    if (block[at] == '\r') {
        if (at + 1 == end)
            return 0;
        expected = "LF behind it";
    } else if (block[at] == '\n') {
        if (!must_be_crlf) {
            head->facts.lenient = true;
            return 1;
        }
        expected = "CR before it";
    }
    wr_error_at(err, WEIR_E_PROTOCOL, at,
                "invalid response: %s at byte %zu: found %s, expected %s",
                part_name(head), at, wr_specimen_byte(block[at]).text,
                expected);
    return -1;
}

static inline int line_end(struct wr_head *head, const char *block, size_t at,
                           size_t end, weir_error *err)
{
    if (end - at >= 2 && memcmp(block + at, "\r\n", 2) == 0)
        return 2;
    return odd_line_end(head, block, at, end, err);
}

/* --- the status line --------------------------------------------------- */

static bool fits_prefix(size_t at, char c)
{
    static const char start[] = "HTTP/1.";

    if (at < sizeof start - 1)
        return c == start[at];
    switch (at) {
    case 7:
        return c == '0' || c == '1';
    case 8:
        return c == ' ';
    case CODE_AT:
        return c >= '1' && c <= '9';
    case BEHIND_CODE: /* the space is often left out with the reason */
        return c == ' ' || c == '\r' || c == '\n';
    default:
        return wr_is_digit(c);
    }
}

WR_COLD static enum wr_parse_result bad_prefix(const char *block, size_t at,
                                               weir_error *err)
{
    const char *expected = at < CODE_AT ? "HTTP/1.0 or HTTP/1.1 and a space"
                           : at < BEHIND_CODE ? "a status code from 100 to 999"
                                              : "a space or the line end";

    wr_error_at(err, WEIR_E_PROTOCOL, at,
                "invalid response: status line at byte %zu: found %s in %s, "
                "expected %s",
                at, wr_specimen_byte(block[at]).text,
                wr_specimen(block, at + 1).text, expected);
    return WR_PARSE_ERROR;
}

/* All of the prefix in one look: "HTTP/1.1 NNN ". */
static inline bool is_usual_prefix(const char *block)
{
    return memcmp(block, "HTTP/1.1", 8) == 0 && block[8] == ' ' &&
           block[9] >= '1' && block[9] <= '9' && wr_is_digit(block[10]) &&
           wr_is_digit(block[11]) && block[BEHIND_CODE] == ' ';
}

/* Checks what has come of the version and the status code, so that a peer that
 * speaks something else is recognised before it ends a line. */
static enum wr_parse_result take_prefix(struct wr_head *head, const char *block,
                                        size_t end, weir_error *err)
{
    const size_t stop = end < PREFIX_LEN ? end : PREFIX_LEN;
    size_t at = head->scanned;

    if (stop == PREFIX_LEN && is_usual_prefix(block))
        at = stop;
    for (; at < stop; at++) {
        if (!fits_prefix(at, block[at]))
            return bad_prefix(block, at, err);
    }
    head->scanned = (uint32_t)stop;
    if (stop < PREFIX_LEN)
        return WR_PARSE_MORE;
    head->version = block[7] == '1' ? 11 : 10;
    head->status = (uint16_t)((block[CODE_AT] - '0') * 100 +
                              (block[CODE_AT + 1] - '0') * 10 +
                              (block[CODE_AT + 2] - '0'));
    head->scanned = BEHIND_CODE; /* may be the line end */
    head->state = STATE_REASON;
    return WR_PARSE_DONE;
}

/* Takes the status line; MORE also when it has reached its limit. */
static enum wr_parse_result take_status_line(struct wr_head *head,
                                             const char *block, size_t end,
                                             size_t len, weir_error *err)
{
    size_t stop;
    int ending;

    if (head->state == STATE_PREFIX) {
        const enum wr_parse_result result = take_prefix(head, block, end, err);

        if (result != WR_PARSE_DONE)
            return result;
    }
    stop = (size_t)(scan_short(block + head->scanned, block + end) - block);
    head->scanned = (uint32_t)stop;
    if (stop == end)
        return WR_PARSE_MORE;
    ending = line_end(head, block, stop, len, err);
    if (ending <= 0)
        return ending ? WR_PARSE_ERROR : WR_PARSE_MORE;
    head->reason = block[BEHIND_CODE] == ' ' ? PREFIX_LEN : BEHIND_CODE;
    head->reason_len = (uint32_t)stop - head->reason;
    head->line = (uint32_t)stop + (uint32_t)ending;
    head->scanned = head->line;
    head->section = head->line;
    head->state = STATE_FIELD;
    return WR_PARSE_DONE;
}

/* --- field lines ------------------------------------------------------- */

/* The byte behind a field name is no colon, or there is no name. */
WR_COLD static bool bad_name(const struct wr_head *head, const char *block,
                             size_t at, weir_error *err)
{
    const bool is_first = head->field_count == 0;
    const char *line = block + head->line;
    const char *expected = "a token and ':'";

    if (at == head->line && wr_is_blank(block[at]))
        expected = is_first ? "no white space before the first field"
                            : "no folded line";
    else if (wr_is_blank(block[at]))
        expected = "no white space before ':'";
    wr_error_at(err, WEIR_E_PROTOCOL, at,
                "invalid response: %s name at byte %zu: found %s behind %s, "
                "expected %s",
                part_name(head), at, wr_specimen_byte(block[at]).text,
                wr_specimen(line, at - head->line).text, expected);
    return false;
}

/* The line up to its end (or its first bad byte) begins with a name and ':'. */
static bool check_name(const struct wr_head *head, const char *block,
                       size_t stop, weir_error *err)
{
    const char *name = block + head->line;
    const size_t colon = (size_t)(name_end(name, block + stop) - block);

    return colon == stop || (block[colon] == ':' && colon > head->line) ||
           bad_name(head, block, colon, err);
}

/* Fills in a field whose line is [line, stop), a line end behind it. */
static inline void fill_field(struct wr_field_ref *field, const char *block,
                              const char *line, const char *colon,
                              const char *stop)
{
    const char *value = colon + 2;

    /* Mostly there is one space behind the colon.  In a scanned line nothing
     * but white space is as low as a space. */
    if (colon[1] != ' ' || (unsigned char)colon[2] <= ' ') {
        value = colon + 1;
        while (value < stop && wr_is_blank(*value))
            value++;
    }
    while ((unsigned char)stop[-1] <= ' ' && stop > value)
        stop--;
    field->name = (uint32_t)(line - block);
    field->name_len = (uint32_t)(colon - line);
    field->value = (uint32_t)(value - block);
    field->value_len = (uint32_t)(stop - value);
}

/* Adds the field whose line is [head->line, stop). */
static bool add_field(struct wr_head *head, const char *block, const char *stop,
                      weir_error *err)
{
    const char *line = block + head->line;
    const char *colon = name_end(line, stop);

    if (colon == line || *colon != ':')
        return bad_name(head, block, (size_t)(colon - block), err);
    if (head->field_count == head->limits->fields) {
        over_limit(err, head->line, "number of fields", head->limits->fields);
        return false;
    }
    fill_field(&head->fields[head->field_count++], block, line, colon, stop);
    return true;
}

/* --- obs-fold (RFC 9112 section 5.2) ------------------------------------ */

WR_COLD static bool open_fold(struct wr_head *head, const char *block,
                              weir_error *err)
{
    if (head->limits->strict)
        return bad_name(head, block, head->line, err);
    head->facts.lenient = true;
    head->state = STATE_FOLD;
    return true;
}

/* Overwrites the fold before the line [head->line, stop) with spaces and adds
 * the rest of the line to the last field. */
WR_COLD static void add_fold(struct wr_head *head, char *block, uint32_t stop)
{
    struct wr_field_ref *field = &head->fields[head->field_count - 1];
    uint32_t value_end = stop;
    uint32_t at = head->line;

    block[head->line - 1] = ' ';
    if (block[head->line - 2] == '\r')
        block[head->line - 2] = ' ';
    for (; wr_is_blank(block[at]); at++)
        block[at] = ' ';
    while (value_end > at && wr_is_blank(block[value_end - 1]))
        value_end--;
    if (value_end == at)
        return; /* nothing but white space */
    if (field->value_len == 0)
        field->value = at;
    field->value_len = value_end - field->value;
}

/* --- the section ------------------------------------------------------- */

static inline bool take_facts(struct wr_head *head,
                              const struct wr_field_ref *field,
                              const char *block, weir_error *err)
{
    return !wr_facts_wants(field->name_len) || head->is_trailer ||
           wr_facts_take(head, field, block, err);
}

/* A line has begun behind a field: the field is complete unless the line
 * continues it. */
static bool settle_field(struct wr_head *head, const char *block,
                         weir_error *err)
{
    if (wr_is_blank(block[head->line]))
        return open_fold(head, block, err);
    head->state = STATE_FIELD;
    return take_facts(head, &head->fields[head->field_count - 1], block, err);
}

/* The common case made short: takes lines while each is a whole field line
 * that ends in CR LF and is not continued.  Leaves all else, errors too, to
 * take_line(), which by itself would come to the same. */
static bool take_usual_lines(struct wr_head *head, const char *block,
                             const char *end, weir_error *err)
{
    const struct wr_field_ref *bound = head->fields + head->limits->fields;
    struct wr_field_ref *field = head->fields + head->field_count;
    const char *line = block + head->line;
    const char *stop = line;
    bool is_good = true;

    while (field < bound && end - line >= WIDE) {
        const char *colon = find_colon(line, end);

        if (!colon || colon == line)
            break;
        stop = scan_short(colon + 1, end);
        if (end - stop < 3 || memcmp(stop, "\r\n", 2) != 0 ||
            (stop[2] <= ' ' && stop[2] != '\r'))
            break;
        fill_field(field, block, line, colon, stop);
        line = stop + 2;
        stop = line;
        is_good = take_facts(head, field++, block, err);
        if (!is_good)
            break;
    }
    head->field_count = (uint32_t)(field - head->fields);
    head->line = (uint32_t)(line - block);
    head->scanned = (uint32_t)(stop - block);
    return is_good;
}

/* The same of the empty line: CR LF, whole. */
static inline bool take_usual_end(struct wr_head *head, const char *block,
                                  const char *end)
{
    const char *line = block + head->line;

    if (head->scanned != head->line || end - line < 2 ||
        memcmp(line, "\r\n", 2) != 0)
        return false;
    head->line += 2;
    head->scanned = head->line;
    head->state = STATE_NEXT;
    return true;
}

/* Takes one line, or what has come of it.  DONE: it was the empty one. */
static enum wr_parse_result take_line(struct wr_head *head, char *block,
                                      const char *end, weir_error *err)
{
    const char *from = block + head->scanned;
    const char *stop = from < end && *from == '\r' ? from : wr_scan(from, end);
    const bool is_last = stop == block + head->line;
    int ending;

    head->scanned = (uint32_t)(stop - block);
    if (stop == end)
        return WR_PARSE_MORE;
    ending = line_end(head, block, head->scanned, (size_t)(end - block), err);
    if (ending == 0)
        return WR_PARSE_MORE;
    if (ending < 0) {
        /* A bad name before it is the first error of the line. */
        if (head->state == STATE_FIELD)
            check_name(head, block, head->scanned, err);
        return WR_PARSE_ERROR;
    }
    if (head->state == STATE_FOLD)
        add_fold(head, block, head->scanned);
    else if (!is_last && !add_field(head, block, stop, err))
        return WR_PARSE_ERROR;
    head->scanned += (uint32_t)ending;
    head->line = head->scanned;
    head->state = STATE_NEXT;
    return is_last ? WR_PARSE_DONE : WR_PARSE_MORE;
}

/* Takes lines up to the empty one; never looks beyond `end`. */
static enum wr_parse_result take_section(struct wr_head *head, char *block,
                                         const char *end, weir_error *err)
{
    enum wr_parse_result result = WR_PARSE_MORE;

    while (result == WR_PARSE_MORE && block + head->line < end) {
        if (head->state == STATE_NEXT && !settle_field(head, block, err))
            return WR_PARSE_ERROR;
        if (head->state == STATE_FIELD && head->scanned == head->line) {
            if (!take_usual_lines(head, block, end, err))
                return WR_PARSE_ERROR;
            if (take_usual_end(head, block, end))
                return WR_PARSE_DONE;
        }
        result = take_line(head, block, end, err);
        if (head->state != STATE_NEXT)
            break; /* not a whole line */
    }
    return result;
}

/* How far the section may reach: offsets have 32 bits. */
static size_t section_bound(const struct wr_head *head)
{
    const uint32_t room = UINT32_MAX - head->section;
    const uint32_t limit = head->limits->section;

    return (size_t)head->section + (limit < room ? limit : room);
}

void wr_head_init(struct wr_head *head, const struct wr_head_limits *limits,
                  struct wr_field_ref *fields)
{
    *head = (struct wr_head){.limits = limits,
                             .fields = fields,
                             .facts = {.keep_alive_s = UINT32_MAX},
                             .state = STATE_PREFIX};
}

void wr_head_again(struct wr_head *head)
{
    const struct wr_head_facts interim = head->facts;

    wr_head_init(head, head->limits, head->fields);
    head->facts.lenient = interim.lenient;
    head->facts.connection_close = interim.connection_close;
}

void wr_trailers_init(struct wr_head *head, const struct wr_head_limits *limits,
                      struct wr_field_ref *fields)
{
    wr_head_init(head, limits, fields);
    head->state = STATE_FIELD;
    head->is_trailer = true;
}

/* Each part is parsed as if the block ended at the part's bound: if the part
 * then wants more although there is more, it is too long.  So the outcome does
 * not depend on how much has come. */
enum wr_parse_result wr_head_parse(struct wr_head *head, char *block,
                                   size_t len, size_t *ret_len,
                                   weir_error *ret_err)
{
    const uint32_t line_limit = head->limits->status_line;
    enum wr_parse_result result;
    size_t end;

    if (head->state <= STATE_REASON) {
        end = len > line_limit ? (size_t)line_limit + 1 : len;
        result = take_status_line(head, block, end, len, ret_err);
        if (result == WR_PARSE_MORE && len > line_limit && head->scanned == end)
            return over_limit(ret_err, line_limit, "status line", line_limit);
        if (result != WR_PARSE_DONE)
            return result;
    }
    end = section_bound(head);
    if (end > len)
        end = len;
    result = take_section(head, block, block + end, ret_err);
    if (result == WR_PARSE_MORE && len > end)
        return over_limit(ret_err, end,
                          head->is_trailer ? "trailer section"
                                           : "header section",
                          head->limits->section);
    if (result == WR_PARSE_DONE)
        *ret_len = head->line;
    return result;
}
