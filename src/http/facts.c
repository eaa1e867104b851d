#include "http/facts.h"

#include <string.h>

#include "base/cold.h"
#include "base/error.h"
#include "http/ascii.h"
#include "http/field.h"
#include "http/specimen.h"

/* A field value being read. */
struct cursor {
    const char *at;
    const char *end;
    const char *block;
    const struct wr_field_ref *field;
    weir_error *err;
};

/* Eight bytes of a token equal eight of a text in lower case, but for case.
 * Setting bit 0x20 makes a capital small and changes no other byte of a token
 * into a letter or '-'. */
static inline bool is_word(const char *token, const char *lower)
{
    uint64_t a;
    uint64_t b;

    memcpy(&a, token, sizeof a);
    memcpy(&b, lower, sizeof b);
    return (a | UINT64_C(0x2020202020202020)) == b;
}

/* Ten bytes of a token. */
static inline bool is_keep_alive(const char *token)
{
    return is_word(token, "keep-ali") && is_word(token + 2, "ep-alive");
}

static bool at_byte(const struct cursor *c, char wanted)
{
    return c->at < c->end && *c->at == wanted;
}

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && wr_is_blank(*c->at))
        c->at++;
}

/* Fails at a byte of the value; `name` and `expected` are for people. */
WR_COLD static bool refuse(const struct cursor *c, const char *where,
                           const char *name, const char *expected)
{
    const size_t offset = (size_t)(where - c->block);

    wr_error_at(
        c->err, WEIR_E_PROTOCOL, offset,
        "invalid response: %s at byte %zu: found %s in %s, expected %s", name,
        offset, wr_specimen_at(where, 0, (size_t)(c->end - where)).text,
        wr_specimen(c->block + c->field->value, c->field->value_len).text,
        expected);
    return false;
}

/* Transfer-Encoding overrides Content-Length in some recipients and not in
 * others: the classic smuggling (RFC 9112 section 6.3, item 3). */
static bool check_conflict(const struct wr_head *head, const struct cursor *c)
{
    if (!head->facts.has_length || !head->facts.has_transfer_encoding)
        return true;
    wr_error_at(c->err, WEIR_E_PROTOCOL, c->field->name,
                "invalid response: header field at byte %u: found both "
                "Content-Length and Transfer-Encoding, expected one of them",
                (unsigned)c->field->name);
    return false;
}

/* 1*DIGIT, or a list of identical ones (RFC 9110 section 8.6). */
static bool take_content_length(struct wr_head *head, struct cursor *c)
{
    static const char name[] = "Content-Length";
    struct wr_head_facts *facts = &head->facts;

    for (;;) {
        const char *first = c->at;
        uint64_t length = 0;

        for (; c->at < c->end && wr_is_digit(*c->at); c->at++) {
            const unsigned digit = (unsigned)(*c->at - '0');

            if (__builtin_mul_overflow(length, UINT64_C(10), &length) ||
                __builtin_add_overflow(length, digit, &length))
                return refuse(c, c->at, name, "less than 2^64");
        }
        if (c->at == first)
            return refuse(c, c->at, name, "a digit");
        if (facts->has_length && length != facts->content_length)
            return refuse(c, first, name, "the length given before");
        facts->has_length = true;
        facts->content_length = length;
        skip_blanks(c);
        if (c->at == c->end)
            return check_conflict(head, c);
        if (*c->at != ',')
            return refuse(c, c->at, name, "a digit or ','");
        c->at++;
        skip_blanks(c);
    }
}

static bool skip_token(struct cursor *c)
{
    const size_t len = wr_token_span(c->at, (size_t)(c->end - c->at));

    c->at += len;
    return len > 0;
}

/* A quoted-string of RFC 9110 section 5.6.4; the cursor is at its quote. */
static bool skip_quoted(struct cursor *c)
{
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '"') {
            c->at++;
            return true;
        }
        if (*c->at == '\\' && c->end - c->at > 1)
            c->at++;
    }
    return false;
}

/* ";" OWS token BWS "=" BWS ( token / quoted-string ), RFC 9112 section 7. */
static bool skip_parameter(struct cursor *c)
{
    c->at++;
    skip_blanks(c);
    if (!skip_token(c))
        return false;
    skip_blanks(c);
    if (!at_byte(c, '='))
        return false;
    c->at++;
    skip_blanks(c);
    if (at_byte(c, '"') ? !skip_quoted(c) : !skip_token(c))
        return false;
    skip_blanks(c);
    return true;
}

/* One member of the list of transfer codings. */
static bool take_coding(struct wr_head *head, struct cursor *c)
{
    static const char name[] = "Transfer-Encoding";
    const char *first = c->at;
    bool chunked;

    if (!skip_token(c))
        return refuse(c, c->at, name, "a transfer coding");
    chunked = wr_slice_is((struct wr_slice){first, (size_t)(c->at - first)},
                          "chunked");
    skip_blanks(c);
    if (chunked && at_byte(c, ';'))
        return refuse(c, c->at, name, "chunked without parameters");
    while (at_byte(c, ';')) {
        if (!skip_parameter(c))
            return refuse(c, c->at, name, "a parameter");
    }
    if (c->at < c->end && *c->at != ',')
        return refuse(c, c->at, name, "','");
    if (chunked && head->chunked_seen)
        return refuse(c, first, name, "chunked only once");
    head->chunked_seen |= chunked;
    head->facts.chunked_last = chunked;
    return true;
}

/* Empty members of the list count for nothing (RFC 9110 section 5.6.1.2), but
 * there must be one that is not. */
static bool take_transfer_encoding(struct wr_head *head, struct cursor *c)
{
    bool found = false;

    for (;;) {
        while (at_byte(c, ',') || at_byte(c, ' ') || at_byte(c, '\t'))
            c->at++;
        if (c->at == c->end)
            break;
        if (!take_coding(head, c))
            return false;
        found = true;
    }
    if (!found)
        return refuse(c, c->at, "Transfer-Encoding", "a transfer coding");
    head->facts.has_transfer_encoding = true;
    /* The sender may not know what the coding means, so the framing is faulty:
     * decode it, and never reuse (RFC 9112 section 6.1). */
    if (head->version == 10)
        head->facts.connection_close = true;
    return check_conflict(head, c);
}

/* A list of tokens (RFC 9110 section 7.6.1).  What is none may be a garbled
 * "close": the connection is then not used again. */
static void take_connection(struct wr_head_facts *facts, struct cursor *c)
{
    while (c->at < c->end) {
        const char *first = c->at;
        struct wr_slice option;

        skip_token(c);
        option = (struct wr_slice){first, (size_t)(c->at - first)};
        skip_blanks(c);
        if (option.len == 10 && is_keep_alive(first))
            facts->connection_keep_alive = true;
        else if (wr_slice_is(option, "close"))
            facts->connection_close = true;
        if (c->at < c->end && *c->at != ',') {
            facts->connection_close = true;
            return;
        }
        if (c->at < c->end)
            c->at++;
        skip_blanks(c);
    }
}

/* "timeout=N", with other parameters around it; the smallest counts.  It is a
 * hint and of no standard: what is not understood says nothing. */
static void take_keep_alive(struct wr_head_facts *facts, struct cursor *c)
{
    static const char name[] = "timeout=";
    const size_t name_len = sizeof name - 1;

    while (c->at < c->end) {
        const char *comma = memchr(c->at, ',', (size_t)(c->end - c->at));
        const char *end = comma ? comma : c->end;
        uint32_t seconds = 0;

        skip_blanks(c);
        if (end - c->at > (ptrdiff_t)name_len &&
            wr_equal_nocase(c->at, name, name_len)) {
            const char *first = c->at += name_len;

            for (; c->at < end && wr_is_digit(*c->at); c->at++) {
                if (seconds < UINT32_MAX / 10 - 1)
                    seconds = seconds * 10 + (uint32_t)(*c->at - '0');
            }
            if (c->at > first && seconds < facts->keep_alive_s)
                facts->keep_alive_s = seconds;
        }
        c->at = comma ? comma + 1 : c->end;
    }
}

/* Connection and Keep-Alive.  Mostly it is one option and the usual one. */
static void take_persistence(struct wr_head *head, const char *name,
                             struct cursor c)
{
    if (is_keep_alive(name))
        take_keep_alive(&head->facts, &c);
    else if (!is_word(name, "connecti") || !is_word(name + 2, "nnection"))
        return;
    else if (c.end - c.at == 10 && is_keep_alive(c.at))
        head->facts.connection_keep_alive = true;
    else
        take_connection(&head->facts, &c);
}

bool wr_facts_take(struct wr_head *head, const struct wr_field_ref *field,
                   const char *block, weir_error *ret_err)
{
    const char *name = block + field->name;
    const char *value = block + field->value;
    struct cursor c = {value, value + field->value_len, block, field, ret_err};

    switch (field->name_len) {
    case 10:
        take_persistence(head, name, c);
        return true;
    case 14:
        return !is_word(name, "content-") || !is_word(name + 6, "t-length") ||
               take_content_length(head, &c);
    case 17:
        return !is_word(name, "transfer") || !is_word(name + 8, "-encodin") ||
               !is_word(name + 9, "encoding") ||
               take_transfer_encoding(head, &c);
    default:
        return true;
    }
}
