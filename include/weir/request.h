/**
 * @file
 * Requests.  A request may be sent any number of times, by one thread at a
 * time; it changes only between sends.
 */
#ifndef WEIR_REQUEST_H
#define WEIR_REQUEST_H

#include <weir/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A request.  Opaque. */
typedef struct weir_request weir_request;

/** Time limits that a request can set for itself. */
typedef enum weir_timeout {
    WEIR_TIMEOUT_ACQUIRE,    /**< in the waiting line */
    WEIR_TIMEOUT_CONNECT,    /**< DNS, TCP, proxy and TLS */
    WEIR_TIMEOUT_FIRST_BYTE, /**< request sent to first byte */
    WEIR_TIMEOUT_IDLE_READ,  /**< between two reads */
    WEIR_TIMEOUT_TOTAL,      /**< the whole call */
} weir_timeout;

/** Length of a body that is not known before its end: sent chunked. */
#define WEIR_LENGTH_UNKNOWN UINT64_MAX

/** Answer of a weir_body_read_fn: nothing yet, weir_call_resume() will say. */
#define WEIR_BODY_LATER (-2)

/**
 * Produces a request body: writes up to @p cap bytes (at least 1) to @p buf.
 * Runs on the thread that sends, under no lock.
 *
 * @retval >0  bytes written
 * @retval 0   the end
 * @retval WEIR_BODY_LATER  nothing for now (asynchronous calls only)
 * @retval <0  else: failure, the call ends in WEIR_E_BODY
 */
typedef long (*weir_body_read_fn)(void *user, char *buf, size_t cap);

/** Sets a body back to its first byte.  @retval 0 done; else it cannot. */
typedef int (*weir_body_rewind_fn)(void *user);

/**
 * Makes a request.
 *
 * @param method  token of RFC 9110 section 5.6.2, e.g. "GET"; copied.
 * @param url     absolute http or https URL; copied.  User information in it
 *                becomes a field as of weir_request_set_basic().
 * @param ret_request  given: end it with weir_request_free().
 * @param ret_err      detail; `offset` is that of the bad byte; may be NULL.
 * @retval WEIR_E_URL    e.g. "http://localhost: 11434" (offset 17)
 * @retval WEIR_E_FIELD  the method is no token
 */
WEIR_API weir_status weir_request_new(const char *method, const char *url,
                                      weir_request **ret_request,
                                      weir_error *ret_err);
/** Frees a request; NULL is allowed. */
WEIR_API void weir_request_free(weir_request *request);

/**
 * Appends a field.  Host, Content-Length, Transfer-Encoding and Connection
 * belong to weir and are refused, but for Host, which replaces the default.
 * Authorization replaces the credentials that are there.
 *
 * @retval WEIR_E_FIELD  not a token, or CR, LF, NUL or a control in the value;
 *                       the request is unchanged.
 */
WEIR_API weir_status weir_request_add_field(weir_request *request,
                                            const char *name, const char *value,
                                            weir_error *ret_err);

/**
 * Credentials for the server, as a field `Authorization: Basic` (RFC 7617), in
 * the place of any that are there.  They are not sent to another origin after a
 * redirect.
 *
 * @param user      without ':', no controls; copied.
 * @param password  no controls; copied.
 * @retval WEIR_E_FIELD  with the offset of the bad byte; nothing has changed.
 */
WEIR_API weir_status weir_request_set_basic(weir_request *request,
                                            const char *user,
                                            const char *password,
                                            weir_error *ret_err);
/**
 * The same as `Authorization: Bearer` (RFC 6750).
 * @param token  a token68 of RFC 9110 section 11.2; copied.
 */
WEIR_API weir_status weir_request_set_bearer(weir_request *request,
                                             const char *token,
                                             weir_error *ret_err);
/**
 * Asks for the resource only if it has changed (RFC 9110 section 13.1): the
 * answer is 304 without a body otherwise, see weir_response_is_not_modified().
 *
 * @param etag           value of an ETag field, for If-None-Match; NULL: none.
 * @param last_modified  value of a Last-Modified field, for If-Modified-Since,
 *                       sent as it is; NULL: none.
 */
WEIR_API weir_status weir_request_set_validators(weir_request *request,
                                                 const char *etag,
                                                 const char *last_modified,
                                                 weir_error *ret_err);

/** Body from memory, borrowed until the request is freed or changed. */
WEIR_API weir_status weir_request_set_body(weir_request *request,
                                           const void *bytes, size_t length,
                                           weir_error *ret_err);
/** The same, copied. */
WEIR_API weir_status weir_request_set_body_copy(weir_request *request,
                                                const void *bytes,
                                                size_t length,
                                                weir_error *ret_err);
/**
 * Body from a file, opened now.  A regular file is sent with its length, and
 * from its start at each send; anything else is sent chunked, and once.
 * @retval WEIR_E_FILE  it cannot be opened; system_code says why.
 */
WEIR_API weir_status weir_request_set_body_file(weir_request *request,
                                                const char *path,
                                                weir_error *ret_err);
/**
 * Body from a callback.
 * @param length  in bytes, or WEIR_LENGTH_UNKNOWN: sent chunked.
 * @param rewind  NULL: the body can be sent once, and never replayed.
 */
WEIR_API weir_status weir_request_set_body_reader(
    weir_request *request, uint64_t length, weir_body_read_fn read,
    weir_body_rewind_fn rewind, void *user, weir_error *ret_err);

/**
 * Sends `Expect: 100-continue` and holds the body back until the server
 * agrees, answers, or @p wait seconds have passed (RFC 9110 section 10.1.1).
 * 0 switches it off, which is the default.
 */
WEIR_API weir_status weir_request_set_expect_continue(weir_request *request,
                                                      double wait,
                                                      weir_error *ret_err);

/**
 * A time limit for this request alone, in seconds; 0 = none (for ACQUIRE: do
 * not wait); below 0 = the pool's.
 */
WEIR_API weir_status weir_request_set_timeout(weir_request *request,
                                              weir_timeout which,
                                              double seconds,
                                              weir_error *ret_err);
/**
 * Says that sending this request twice does no harm, whatever its method
 * (GET, HEAD, OPTIONS, TRACE, PUT and DELETE are so without it).
 */
WEIR_API void weir_request_set_replayable(weir_request *request, bool yes);
/**
 * Asks for a coded body (Accept-Encoding, unless the request has that field)
 * and hands it over decoded: gzip, deflate, br and zstd, as far as they are
 * built in, up to 5 of them stacked.  Without it a body comes as it is sent.
 * Unless this is called the pool's option `decompress` holds.
 *
 * A body that decodes to more than max_decoded bytes, or to more than
 * max_decode_ratio times what came (beyond 1 MiB), ends in WEIR_E_LIMIT; a
 * coding that is damaged or unknown in WEIR_E_CODING.
 */
WEIR_API weir_status weir_request_set_decompress(weir_request *request,
                                                 bool yes, weir_error *ret_err);

/** What is to be done about a redirect. */
typedef enum weir_redirect_verdict {
    WEIR_REDIRECT_FOLLOW = 0, /**< asks there */
    WEIR_REDIRECT_STOP,       /**< it is the response of the call */
    WEIR_REDIRECT_REFUSE,     /**< the call ends in WEIR_E_REDIRECT */
} weir_redirect_verdict;

/** A redirect that is about to be followed. */
typedef struct weir_redirect {
    size_t size;         /**< of this struct, set by weir */
    int status;          /**< 301, 302, 303, 307 or 308 */
    unsigned count;      /**< which of this call, from 1 */
    const char *from;    /**< URL that answered, without user information */
    const char *to;      /**< absolute URL of the next request */
    const char *method;  /**< of the next request */
    bool is_same_origin; /**< scheme, host and port stay: so do credentials,
                          * unless they are gone already */
} weir_redirect;

/**
 * Has a say in each redirect, after weir's own checks.  Runs on the thread that
 * takes the call forward, under no lock; strings are valid in the call.
 */
typedef weir_redirect_verdict (*weir_redirect_fn)(
    void *user, const weir_redirect *redirect);

/** Of weir_request_set_redirects(): as the pool's max_redirects says. */
#define WEIR_REDIRECTS_OF_POOL (-1)

/**
 * Follows redirects (RFC 9110 section 15.4): 301, 302, 303, 307 and 308 with a
 * Location.  303, and 301 or 302 after POST, go on as GET without a body (HEAD
 * stays HEAD); 307 and 308 repeat the body, which must be repeatable.  On any
 * change of scheme, host or port Authorization, Cookie and Proxy-* fields are
 * dropped for the rest of the chain; a Host field and an address of the
 * request's own hold for their host only.  From https to http only if the pool
 * allows it (redirect_downgrade).
 *
 * @param max   at most so many; 0: a redirect is a response like any other;
 *              WEIR_REDIRECTS_OF_POOL: the pool's max_redirects.
 * @param fn    NULL: all that are allowed are followed.
 * @param user  first argument of fn.
 * @retval WEIR_E_OPTION  max is not -1 to 100.
 */
WEIR_API weir_status weir_request_set_redirects(weir_request *request, int max,
                                                weir_redirect_fn fn, void *user,
                                                weir_error *ret_err);

/** How often a call is tried; begin with weir_retry_init(). */
typedef struct weir_retry {
    size_t size;       /**< sizeof(weir_retry), set by _init */
    unsigned attempts; /**< in all, 1 to 100; 1 = no retry */
    double delay;      /**< seconds before the first retry, 0 or more; 1 */
    double backoff;    /**< factor from one delay to the next, 1 to 100; 2 */
    double max_delay;  /**< seconds, 0 or more; 30 */
} weir_retry;

/** Fills a policy of the caller's `size` with the defaults, attempts 1. */
WEIR_API void weir_retry_init_sized(weir_retry *retry, size_t size);
/** Fills `*(retry)` with the defaults. */
#define weir_retry_init(retry) weir_retry_init_sized((retry), sizeof *(retry))

/**
 * Tries again after a failure that may pass: a connection that could not be
 * made or was lost, a time limit but the total one, and the statuses 408, 425,
 * 429, 500, 502, 503 and 504; if nothing was sent, or the request may be
 * repeated (idempotent, or weir_request_set_replayable()), and its body too.
 *
 * Before attempt n a random time of at most
 * min(max_delay, delay * backoff^(n - 2)) passes; a Retry-After of the server
 * is waited for instead, but one beyond max_delay ends the retries.  Nor is
 * anything tried that could not begin within the total time limit, or that the
 * origin's budget does not allow: 20 % of the requests of the last 10 s, and 3
 * at a time.
 *
 * @param retry  copied; NULL: as the pool's retry_… options say.
 * @retval WEIR_E_OPTION  out of range, or seconds that are not finite; the
 *     message names the member.
 */
WEIR_API weir_status weir_request_set_retry(weir_request *request,
                                            const weir_retry *retry,
                                            weir_error *ret_err);

/** When a call sends a second request; begin with weir_hedge_init(). */
typedef struct weir_hedge {
    size_t size;  /**< sizeof(weir_hedge), set by _init */
    double delay; /**< seconds after the first was sent, 0 or more; 0 = none */
    bool p95; /**< the origin's 95th percentile instead, once known; false */
} weir_hedge;

/** Fills a policy of the caller's `size` with the defaults: no hedge. */
WEIR_API void weir_hedge_init_sized(weir_hedge *hedge, size_t size);
/** Fills `*(hedge)` with the defaults. */
#define weir_hedge_init(hedge) weir_hedge_init_sized((hedge), sizeof *(hedge))

/**
 * Sends the request a second time, over another connection, when it has been
 * sent and no header section of a response has come for a while.  The first
 * header section to come is the call's; the other request is cancelled, and its
 * connection closed.  If one of them fails the other goes on.
 *
 * Only a request that may be repeated (idempotent, or
 * weir_request_set_replayable()) and whose body can be sent again is hedged,
 * once for each attempt, and only over a connection that is idle or can be
 * dialled within the limits, without a wait in line; within the origin's budget
 * of retries; and not while its breaker is not closed.  What keeps a hedge from
 * being sent is counted and does the call no harm.
 *
 * With `p95` the delay is the 95th percentile of the times that the last 128
 * good responses of the origin took, from the request sent to the header
 * section; `delay` until there are 20 of them.  Only requests that ask for it
 * count, and of these such as may be repeated: what is slow by its nature would
 * hold up the hedges of all others.
 *
 * @param hedge  copied; NULL: as the pool's hedge_… options say.
 * @retval WEIR_E_OPTION  out of range, or seconds that are not finite; the
 *     message names the member.
 */
WEIR_API weir_status weir_request_set_hedge(weir_request *request,
                                            const weir_hedge *hedge,
                                            weir_error *ret_err);

/**
 * Uses a connection that is dialled for such requests alone, says that it is
 * the last one (Connection: close), and closes it behind the response: whether
 * a server takes new connections is what a health check wants to know.  The
 * pool's limits hold for it as for any other.
 */
WEIR_API weir_status weir_request_set_single_use(weir_request *request,
                                                 bool yes, weir_error *ret_err);

/** Keeps its connections apart from those of any other tag; NULL = none. */
WEIR_API weir_status weir_request_set_isolation(weir_request *request,
                                                const char *tag,
                                                weir_error *ret_err);
/** Connects to this Unix-domain socket instead of host and port. */
WEIR_API weir_status weir_request_set_unix_socket(weir_request *request,
                                                  const char *path,
                                                  weir_error *ret_err);
/**
 * Connects to this address instead of asking DNS: an IPv4 or IPv6 literal.
 * Host field, SNI and verified name stay those of the URL.  Sending such a
 * request through a proxy is WEIR_E_OPTION, as the proxy is who connects.
 */
WEIR_API weir_status weir_request_set_address(weir_request *request,
                                              const char *address,
                                              weir_error *ret_err);
/** Binds the local end to this IP literal; NULL = none. */
WEIR_API weir_status weir_request_set_local_address(weir_request *request,
                                                    const char *address,
                                                    weir_error *ret_err);
/**
 * Goes through this proxy, whatever the pool's no_proxy says.  A request for a
 * Unix socket goes direct all the same.
 *
 * A Proxy-Authorization field of the caller's replaces the credentials in the
 * URL, but only where the proxy reads the request: a plain http one through an
 * http or https proxy.  Sending it in any other is WEIR_E_FIELD.
 *
 * @param url  as weir_pool_options.proxy, e.g. "socks5h://user:password@[::1]";
 *             copied.  NULL = the pool's; "" = none, whatever the pool says.
 * @retval WEIR_E_URL  the request is unchanged; `offset` is that of the bad
 *                     byte.
 */
WEIR_API weir_status weir_request_set_proxy(weir_request *request,
                                            const char *url,
                                            weir_error *ret_err);

#ifdef __cplusplus
}
#endif
#endif
