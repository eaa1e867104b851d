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
 *                becomes a Basic Authorization field.
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
 *
 * @retval WEIR_E_FIELD  not a token, or CR, LF, NUL or a control in the value;
 *                       the request is unchanged.
 */
WEIR_API weir_status weir_request_add_field(weir_request *request,
                                            const char *name, const char *value,
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
