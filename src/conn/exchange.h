/* One exchange of HTTP/1.1: a request out, a response in.
 *
 * A machine without I/O and without a clock: it says which bytes to send and
 * where to receive, and is told what was sent and received.  Both drivers run
 * it.
 *
 * The receive buffer holds, from its start: `keep` bytes that must stay (the
 * head, whose fields are offsets into it, and with wr_exchange_collect the body
 * so far), then received bytes not yet decoded, from `pos` to in.len. */
#ifndef WR_CONN_EXCHANGE_H
#define WR_CONN_EXCHANGE_H

#include <sys/uio.h>

#include <weir/response.h>

#include "base/buf.h"
#include "base/cold.h"
#include "conn/request.h"
#include "http/body.h"
#include "http/head.h"
#include "net/poll.h"

enum {
    WR_INTERIM_MAX = 16,       /* 1xx before the final response */
    WR_RECEIVE_CHUNK = 16384,  /* room offered to a read, at least */
    WR_COLLECT_STEP = 1 << 20, /* and at most, to collect a known length */
    WR_PINNED_ROOM = 8192,     /* room for a body behind a pinned head */
    WR_SEND_CHUNK = 65536,     /* staging for a file or a callback */
};

enum wr_exchange_state {
    WR_EXCHANGE_IDLE,
    WR_EXCHANGE_HEAD, /* no final head yet; may still be sending */
    WR_EXCHANGE_BODY,
    WR_EXCHANGE_TRAILERS,
    WR_EXCHANGE_DONE,
    WR_EXCHANGE_FAILED,
};

struct wr_exchange {
    enum wr_exchange_state state;
    bool is_head_request;

    /* Out */
    struct weir_request *request; /* borrowed until the head is in */
    size_t head_sent;
    uint64_t body_sent; /* MEMORY: bytes of it */
    struct wr_buf out;  /* staging: framed bytes of a FILE or READER */
    size_t out_sent;
    bool is_produced;  /* nothing is left to be produced */
    bool is_sent;      /* the whole request */
    bool is_held;      /* the body waits for 100 Continue */
    bool is_withheld;  /* the body was given up: a final response came first */
    bool has_sent_any; /* at least one byte: a server may act on it */
    uint64_t bytes_sent;

    /* In */
    struct wr_buf in;
    size_t keep;
    size_t pos;
    struct wr_head_limits limits;
    struct wr_field_ref *fields; /* borrowed: limits.fields for the head, */
    struct wr_head head;         /* then as many for the trailers */
    struct wr_head trailers;
    size_t head_len;
    size_t trailers_at; /* offset of their block in `in` */
    struct wr_buf tail; /* their block, when more than `in` holds of them is
                         * still to come */
    bool is_in_tail;
    struct wr_body body;
    unsigned interim;  /* 1xx responses so far */
    bool has_received; /* at least one byte of a response */
    bool is_past_end;  /* bytes came behind the response */
    uint64_t bytes_received;
};

/* Begins an exchange in a struct that is zeroed or has been through one; its
 * buffers are used again.  WEIR_E_BODY: the body cannot be begun. */
weir_status wr_exchange_begin(struct wr_exchange *ex,
                              struct weir_request *request,
                              const struct wr_head_limits *limits,
                              struct wr_field_ref *fields, weir_error *ret_err);
/* Where the fields go from now on, or NULL; while `in` holds nothing, or after
 * the end. */
static inline void wr_exchange_set_fields(struct wr_exchange *ex,
                                          struct wr_field_ref *fields)
{
    ex->fields = fields;
    ex->head.fields = fields;
}
/* Frees the buffers. */
void wr_exchange_done(struct wr_exchange *ex);

/* What to send next: 1 or 2 stretches in iov, or 0: nothing (all is sent, or
 * the body is held).  -1: *ret_err (WEIR_E_BODY, WEIR_E_NO_MEMORY).  The
 * stretches stay valid until wr_exchange_sent. */
int wr_exchange_output(struct wr_exchange *ex, struct iovec iov[2],
                       weir_error *ret_err);
void wr_exchange_sent(struct wr_exchange *ex, size_t n);
/* Sends the held body although no 100 Continue came. */
void wr_exchange_unhold(struct wr_exchange *ex);

/* Where to receive: at least `want` bytes of room; 0 = what there is, which
 * after wr_exchange_pin is some.  false: out of memory. */
bool wr_exchange_room(struct wr_exchange *ex, size_t want, char **ret_at,
                      size_t *ret_cap);
/* n bytes have been put there. */
void wr_exchange_received(struct wr_exchange *ex, size_t n);
/* Parses what has come.  DONE: the final head is in (state BODY or DONE).
 * WAIT: more is needed; a 100 Continue may have released the body. */
enum wr_step wr_exchange_parse_head(struct wr_exchange *ex,
                                    weir_error *ret_err);

/* The head is about to be shown: from now on `in` must not move, unless the
 * body is collected.  false: out of memory. */
bool wr_exchange_pin(struct wr_exchange *ex);
/* The first byte of the block that the trailers' offsets count from. */
const char *wr_exchange_trailer_block(const struct wr_exchange *ex);

/* Next stretch of body bytes among those received, valid until the next call.
 * WAIT: *ret_data may be empty: more must be received.  DONE: the end. */
enum wr_step wr_exchange_next(struct wr_exchange *ex, struct wr_slice *ret_data,
                              weir_error *ret_err);
/* As _next, but moves the bytes together behind the head and keeps them.
 * WAIT: everything received so far has been taken; *ret_want is for the next
 * wr_exchange_room.
 * WEIR_E_LIMIT: more than max_body. */
enum wr_step wr_exchange_collect(struct wr_exchange *ex, uint64_t max_body,
                                 size_t *ret_want, weir_error *ret_err);
/* WEIR_E_LIMIT: a body is larger than max_body. */
WR_COLD enum wr_step wr_exchange_body_too_large(uint64_t max_body,
                                                weir_error *ret_err);
/* The body so far collected. */
struct wr_slice wr_exchange_collected(const struct wr_exchange *ex);
/* How many bytes may be received straight into the caller's buffer; 0 = none,
 * because some are still here or the framing forbids it. */
size_t wr_exchange_direct(const struct wr_exchange *ex);
void wr_exchange_took(struct wr_exchange *ex, size_t n);

/* The peer has ended its side; `is_clean`: not a reset, and over TLS with
 * close_notify.  DONE: that ends the body.  ERROR: WEIR_E_RESET before any byte
 * of a response, else WEIR_E_TRUNCATED. */
WR_COLD enum wr_step wr_exchange_ended(struct wr_exchange *ex, bool is_clean,
                                       weir_error *ret_err);
WR_COLD void wr_exchange_fail(struct wr_exchange *ex);

#endif
