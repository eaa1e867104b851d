/* A response: the exchange that brings it, its lease, and its times.
 *
 * The pool keeps a few that have been given back, so that a warm request
 * allocates nothing: with their buffers, but for those of asynchronous calls,
 * whose loop keeps them (drive/call_transfer.c). */
#ifndef WR_CONN_RESPONSE_H
#define WR_CONN_RESPONSE_H

#include <stdatomic.h>
#include <sys/queue.h>

#include <weir/response.h>

#include "base/cold.h"
#include "base/mem.h"
#include "conn/conn.h"
#include "conn/course.h"
#include "conn/dial.h"
#include "conn/exchange.h"
#include "http/coding.h"

/* Time limits of one call, in nanoseconds; WR_NEVER = none. */
struct wr_call_limits {
    uint64_t acquire_ns; /* 0 = do not wait */
    uint64_t connect_ns;
    uint64_t first_byte_ns;
    uint64_t idle_read_ns;
    uint64_t total_ns;
    uint64_t max_body; /* bytes */
};

/* Points in time of one call; 0 = not reached. */
struct wr_call_times {
    uint64_t begun_ns;
    uint64_t granted_ns;
    uint64_t sent_ns;
    uint64_t head_ns;
    uint64_t ended_ns;
    struct wr_dial_times dial;
};

/* Where in the program a call is made; file NULL = not known. */
struct wr_place {
    const char *file;
    unsigned line;
};

/* What is known of a lease that is watched, see drive/leaks.h. */
struct wr_held {
    bool is_watched; /* in the pool's list */
    bool is_told;
    atomic_uint_least64_t since_ns; /* the program has it; 0 = weir has */
    const atomic_int *flow;         /* of its asynchronous call, or NULL */
    struct wr_place place;
    const struct wr_target *target; /* the connection's, which stays lent */
    char request[160];              /* "GET /path" */
    TAILQ_ENTRY(weir_response) link;
};

/* What every response uses comes first, and lies together. */
struct weir_response {
    struct weir_pool *pool; /* one reference while in use */
    struct wr_conn *conn;   /* leased; NULL once it is back */
    bool is_in_use;
    bool is_reused;
    bool has_rested;      /* the connection was idle before this lease */
    bool was_sent;        /* bytes of it went out in a try that was given up */
    bool is_drained;      /* a thread's last read has left nothing behind */
    bool is_collected;    /* weir_fetch(): the body is in the buffer */
    uint64_t number;      /* of the connection */
    uint64_t deadline_ns; /* total */
    struct wr_call_limits limits;
    struct wr_call_times times;
    struct wr_exchange exchange;
    struct wr_field_ref *fields; /* header section, then trailers; owned; NULL:
                                  * none yet, see wr_response_make_fields */
    unsigned fields_max;         /* of each */
    struct sockaddr_in6 peer;
    const char *tls_version; /* static; NULL = plain */
    const char *tls_cipher;
    struct wr_course *course;   /* what led to it, or NULL */
    struct wr_decoder *decoder; /* of a coded body; NULL: as it comes */
    struct wr_slice coded;      /* received, not yet decoded */
    struct wr_slice unread;     /* decoded, not yet copied to the caller */
    SLIST_ENTRY(weir_response) spare;
    struct wr_held held;
    struct wr_buf decoded; /* collected */
    struct wr_coding_list codings;
    weir_error failure;           /* what ended the body early, said again */
    char coding_text[40];         /* made when asked for */
    char peer_text[WR_ADDR_TEXT]; /* "" until asked for */
    char tls_text[WR_TLS_TEXT];   /* made when asked for */
};

SLIST_HEAD(wr_response_stack, weir_response);
TAILQ_HEAD(wr_response_list, weir_response);

/* Without room for fields.  NULL: out of memory. */
WR_COLD struct weir_response *wr_response_new(unsigned fields_max);
/* Room for fields, unless there is some.  false: out of memory. */
static inline bool wr_response_make_fields(struct weir_response *response)
{
    if (!response->fields)
        response->fields = wr_malloc((size_t)response->fields_max * 2 *
                                     sizeof *response->fields);
    return response->fields != NULL;
}
WR_COLD void wr_response_delete(struct weir_response *response);

#endif
