/* The request head (RFC 9112 section 3). */
#ifndef WR_HTTP_EMIT_H
#define WR_HTTP_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/error.h>

#include "base/buf.h"
#include "base/slice.h"

enum wr_request_framing {
    WR_SEND_NO_BODY, /* no body, no framing field, but Content-Length: 0 for
                      * POST, PUT and PATCH (RFC 9110 section 8.6) */
    WR_SEND_LENGTH,  /* Content-Length */
    WR_SEND_CHUNKED, /* Transfer-Encoding: chunked */
};

struct wr_emit {
    struct wr_slice method;
    struct wr_slice target;     /* origin-form; for CONNECT authority-form */
    struct wr_slice authority;  /* a forward proxy's absolute-form: http:// and
                                 * this before the target; data NULL = no */
    struct wr_slice host;       /* value of the Host field */
    struct wr_slice user_agent; /* empty = no field */
    struct wr_slice accept_encoding; /* the same */
    struct wr_slice proxy_userinfo;  /* "user:password" for Proxy-Authorization:
                                      * Basic; data NULL = none */
    struct wr_slice fields; /* "Name: value\r\n"…, already validated */
    enum wr_request_framing framing;
    uint64_t length;      /* with WR_SEND_LENGTH */
    bool close;           /* Connection: close */
    bool expect_continue; /* Expect: 100-continue */
};

/* Appends the whole head, empty line included, to out.  All slices have been
 * validated when they were set; this only writes.
 * WEIR_E_NO_MEMORY: out is unchanged. */
weir_status wr_emit_head(const struct wr_emit *emit, struct wr_buf *out);

/* Validates one field and appends "Name: value\r\n" to out.  Leading and
 * trailing white space of the value is dropped.
 * WEIR_E_FIELD with the offset of the bad byte in name or value: not a token;
 * CR, LF, NUL or a control in the value; a field that belongs to weir
 * (Content-Length, Transfer-Encoding, Connection, Host). */
weir_status wr_emit_field(struct wr_buf *out, struct wr_slice name,
                          struct wr_slice value, weir_error *ret_err);
/* Validates a method: a token of 1 to 32 bytes.  CONNECT is refused. */
weir_status wr_check_method(struct wr_slice method, weir_error *ret_err);
/* Validates a value of the Host field given by the caller. */
weir_status wr_check_host(struct wr_slice value, weir_error *ret_err);
/* GET, HEAD, OPTIONS, TRACE, PUT, DELETE (RFC 9110 section 9.2.2). */
bool wr_method_is_idempotent(struct wr_slice method);

#endif
