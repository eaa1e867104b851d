/* The response head: status line and header section (RFC 9112 sections 4, 5),
 * and the trailer section, parsed in place.
 *
 * Words: *head*, all bytes from the status line to the empty line; *section*,
 * the field lines and the empty line that ends them.
 *
 * The parser is incremental at every byte and allocates nothing.  The caller
 * keeps all bytes since the first of the head in one block (which may move
 * between calls) and calls again with a larger len; work already done is not
 * repeated.  The outcome never depends on how the bytes were split.  Fields are
 * offsets into the block.  An obs-fold (CRLF and the white space behind it) is
 * overwritten with spaces in the block.
 *
 * It refuses to know about sockets, time, bodies and requests. */
#ifndef WR_HTTP_HEAD_H
#define WR_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

#include "base/slice.h"

/* Bounds; past one: WEIR_E_LIMIT naming it (protocol-rules 2.16). */
struct wr_head_limits {
    uint32_t status_line; /* bytes, line end excluded */
    uint32_t section;     /* bytes of the header section, ends included */
    uint32_t fields;      /* at most WR_FIELDS_MAX */
    bool strict;          /* refuse obs-fold and bare LF */
};

enum {
    WR_FIELDS_MAX = 4096,
    WR_FIELDS_INLINE = 256
};

/* Offsets from the first byte of the head. */
struct wr_field_ref {
    uint32_t name;
    uint32_t name_len;
    uint32_t value; /* OWS around it removed */
    uint32_t value_len;
};

/* What the fields say about framing and reuse; all combined by the parser so
 * that nobody searches the fields again. */
struct wr_head_facts {
    uint64_t content_length; /* valid if has_length */
    uint32_t keep_alive_s;   /* Keep-Alive: timeout=N; UINT32_MAX = none */
    bool has_length;
    bool has_transfer_encoding;
    bool chunked_last; /* the last transfer coding is chunked */
    bool connection_close;
    bool connection_keep_alive;
    bool lenient; /* an obs-fold or a bare LF was accepted: close after */
};

struct wr_head {
    const struct wr_head_limits *limits; /* borrowed */
    struct wr_field_ref *fields;         /* borrowed: room for limits->fields */
    uint32_t field_count;
    uint16_t status; /* 100 to 999 */
    uint8_t version; /* 10 or 11 */
    uint32_t reason; /* offset */
    uint32_t reason_len;
    struct wr_head_facts facts;
    /* private: where parsing stands */
    uint32_t line;    /* offset of the first byte of the unfinished line */
    uint32_t scanned; /* plain up to here */
    uint32_t section; /* offset of the first field line */
    uint8_t state;
    bool is_trailer;   /* a trailer section: facts do not change */
    bool chunked_seen; /* among the transfer codings so far */
};

enum wr_parse_result {
    WR_PARSE_MORE,
    WR_PARSE_DONE,
    WR_PARSE_ERROR
};

/* Gets ready for a head.  Both pointers are borrowed until parsing ends. */
void wr_head_init(struct wr_head *head, const struct wr_head_limits *limits,
                  struct wr_field_ref *fields);
/* Gets ready for the head behind that of an interim response, which has been
 * parsed.  What made the connection doubtful stays: facts.lenient and
 * facts.connection_close (protocol-rules 2.9, 2.10, 2.12). */
void wr_head_again(struct wr_head *head);
/* Gets ready for a trailer section: as a head whose status line is done.
 * Framing fields in it are kept as fields and change no facts; only
 * facts.lenient may be set, by an obs-fold: close after.  A bare LF is refused,
 * as in all chunk framing (protocol-rules 2.9). */
void wr_trailers_init(struct wr_head *head, const struct wr_head_limits *limits,
                      struct wr_field_ref *fields);
/* Parses block[0, len), a prefix of which earlier calls have seen.
 *
 * DONE: *ret_len is the length of the head, empty line included; bytes behind
 * it are the body's.  ERROR: *ret_err has WEIR_E_PROTOCOL or WEIR_E_LIMIT and
 * the offset of the offending byte (for a limit: of the first byte past it).
 *
 * Errors of framing (protocol-rules 2.2, 2.4, 2.5: both Transfer-Encoding and
 * Content-Length; chunked twice or with parameters; an invalid or different
 * second Content-Length; unknown status or version) are found here too. */
enum wr_parse_result wr_head_parse(struct wr_head *head, char *block,
                                   size_t len, size_t *ret_len,
                                   weir_error *ret_err);

/* Name and value of field i as slices of the block. */
static inline struct wr_slice wr_field_name(const struct wr_field_ref *field,
                                            const char *block)
{
    return (struct wr_slice){block + field->name, field->name_len};
}
static inline struct wr_slice wr_field_value(const struct wr_field_ref *field,
                                             const char *block)
{
    return (struct wr_slice){block + field->value, field->value_len};
}

#endif
