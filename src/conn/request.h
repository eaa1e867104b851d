/* A request as the rest of weir sees it: what the caller set, and what is
 * prepared from it once for a pool: the head to send and the target. */
#ifndef WR_CONN_REQUEST_H
#define WR_CONN_REQUEST_H

#include <stdatomic.h>

#include <weir/request.h>

#include "base/buf.h"
#include "conn/proxies.h"
#include "conn/source.h"
#include "conn/target.h"
#include "http/url.h"

enum {
    WR_TIMEOUTS = WEIR_TIMEOUT_TOTAL + 1
};

struct weir_request {
    atomic_uint refs;       /* the handle, and asynchronous calls */
    atomic_bool is_sending; /* a call reads the body */
    struct wr_url url;
    char *method;
    bool is_head;
    bool is_idempotent;
    bool is_replayable;   /* the caller says so */
    bool is_single_use;   /* its connection serves nobody else */
    struct wr_buf fields; /* "Name: value\r\n"… */
    char *host_field;     /* the caller's Host, or NULL */
    struct wr_source body;
    double timeouts[WR_TIMEOUTS]; /* seconds; below 0 = the pool's */
    bool has_timeouts;            /* one was set; else all are */
    uint64_t expect_ns;           /* Expect: 100-continue; 0 = off */
    int decompress;               /* below 0 = the pool's */
    bool is_decoded;              /* prepared: the body of its response is */
    int max_redirects;            /* below 0 = the pool's */
    weir_redirect_fn on_redirect; /* or NULL */
    void *on_redirect_user;
    struct weir_retry retry; /* size 0: the pool's */
    struct weir_hedge hedge; /* the same */
    char *isolation;
    char *unix_path;
    char *address;
    char *local_address;
    bool has_proxy;        /* of its own, or none whatever the pool says */
    struct wr_proxy proxy; /* then; WR_PROXY_NONE = direct */

    /* Prepared; forgotten by every change. */
    uint64_t prepared_for; /* serial of the pool; 0 = not prepared */
    struct wr_buf head;
    struct wr_target *target; /* one reference */
};

/* What a pool brings to a request.  Immutable while the pool lives. */
struct wr_surroundings {
    uint64_t serial;        /* unique in the process, not 0 */
    const char *user_agent; /* "" = none */
    weir_ip_version ip_version;
    bool decompress;
    struct wr_tls_context *tls;
    const struct wr_proxies *proxies; /* NULL = none */
    uint32_t hash_seed;
};

/* Do head and target stand ready for this pool? */
static inline bool wr_request_is_ready(const struct weir_request *request,
                                       const struct wr_surroundings *pool)
{
    return request->prepared_for == pool->serial;
}
/* Makes them.
 * WEIR_E_NO_MEMORY: nothing has changed.  WEIR_E_STATE: it is in use with
 * another pool.  WEIR_E_OPTION, WEIR_E_FIELD: what the caller has set does not
 * go with its proxy. */
__attribute__((noinline)) weir_status
wr_request_prepare(struct weir_request *request,
                   const struct wr_surroundings *pool, weir_error *ret_err);
/* The request has changed. */
void wr_request_forget(struct weir_request *request);

static inline void wr_request_ref(struct weir_request *request)
{
    atomic_fetch_add_explicit(&request->refs, 1, memory_order_relaxed);
}
/* Frees it with the last reference. */
void wr_request_unref(struct weir_request *request);
/* Does anybody but the handle refer to it? */
static inline bool wr_request_is_in_use(struct weir_request *request)
{
    return atomic_load_explicit(&request->refs, memory_order_acquire) > 1;
}

/* May it be sent twice, as far as its meaning goes (RFC 9110 9.2.2)? */
static inline bool wr_request_is_repeatable(const struct weir_request *request)
{
    return request->is_idempotent || request->is_replayable;
}

#endif
