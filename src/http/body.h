/* Body framing (RFC 9112 sections 6 and 7): how long a response body is, its
 * bytes without their framing, and whether it came whole.
 *
 * Bytes in, slices of the same bytes out.  No copy, no allocation. */
#ifndef WR_HTTP_BODY_H
#define WR_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

#include "base/buf.h"
#include "base/slice.h"
#include "http/head.h"

enum wr_framing {
    WR_FRAMING_NONE,    /* no body: HEAD, 1xx, 204, 304, length 0 */
    WR_FRAMING_LENGTH,  /* Content-Length */
    WR_FRAMING_CHUNKED, /* the last transfer coding is chunked */
    WR_FRAMING_CLOSE,   /* until the connection ends: never reuse */
};

enum {
    WR_CHUNK_EXTENSION_MAX = 4096
}; /* bytes in one chunk line */

struct wr_body {
    enum wr_framing framing;
    uint64_t left; /* bytes of the body, or of the chunk, still to come */
    uint32_t line; /* private: bytes of the chunk line seen so far */
    uint8_t state; /* private */
    bool done;     /* the last byte of the body has been taken; with
                    * chunked: the trailer section begins */
};

/* Decides the framing of a final or interim response (RFC 9112 section 6.3).
 * `head_request`: the request's method was HEAD. */
void wr_body_init(struct wr_body *body, const struct wr_head *head,
                  bool head_request);

/* Takes bytes from in[0, len).  *ret_used of them are consumed (framing and
 * data); *ret_data is the next stretch of body bytes within them, empty when
 * there was only framing.  Call again with the rest until MORE (all bytes used,
 * more are needed) or DONE (body->done; for chunked continue with
 * wr_trailers_init and wr_head_parse at in + *ret_used).
 *
 * Returns MORE also after each stretch of data: it means "not done".
 * ERROR: WEIR_E_PROTOCOL, offset counted from in[0]. */
enum wr_parse_result wr_body_decode(struct wr_body *body, const char *in,
                                    size_t len, size_t *ret_used,
                                    struct wr_slice *ret_data,
                                    weir_error *ret_err);
/* Large reads: how many bytes may be received straight into the caller's
 * buffer because they are all body data; 0 = none.  For CLOSE: SIZE_MAX. */
size_t wr_body_direct(const struct wr_body *body);
/* Tells that n <= wr_body_direct() bytes were received that way. */
void wr_body_took(struct wr_body *body, size_t n);

/* The peer has closed.  true: the body is complete (CLOSE framing, and over
 * TLS only with close_notify).  false: truncated (protocol-rules 2.6, 2.7). */
bool wr_body_ends_at_close(const struct wr_body *body, bool clean_close);

/* Writes the size line of a chunk, e.g. "1f\r\n", to out (at least 18 bytes)
 * and returns its length.  The data and "\r\n" follow; "0\r\n\r\n" ends. */
size_t wr_chunk_line(char *out, uint64_t size);

#endif
