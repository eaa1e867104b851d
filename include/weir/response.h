/**
 * @file
 * Calls and their responses.
 */
#ifndef WEIR_RESPONSE_H
#define WEIR_RESPONSE_H

#include <weir/request.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A response.  Opaque.  Used by one thread at a time. */
typedef struct weir_response weir_response;

/** Bytes that somebody else owns; not terminated. */
typedef struct weir_slice {
    const char *data; /**< first byte; never NULL when len > 0 */
    size_t len;       /**< in bytes */
} weir_slice;

/** One field as received, OWS around the value removed. */
typedef struct weir_field {
    weir_slice name;  /**< in the sender's case */
    weir_slice value; /**< an obs-fold reads as spaces */
} weir_field;

/** Where the time of a call went, in seconds; 0 = did not happen. */
typedef struct weir_timings {
    size_t size;       /**< sizeof(weir_timings), set by the caller */
    double wait;       /**< until a connection was there, dial excluded */
    double resolve;    /**< DNS */
    double connect;    /**< TCP or Unix socket */
    double tls;        /**< handshake */
    double send;       /**< header section and body */
    double first_byte; /**< sent until the final header section was in */
    double body;       /**< from there until the end of the body */
    double total;      /**< all, up to now or the end of the body */
} weir_timings;

/**
 * Sends a request and returns when the header section of its final response
 * is in.  Blocks on the calling thread; needs no other.
 *
 * @param pool     borrowed, as `request`.
 * @param ret_res  given: weir_response_free() gives the connection back.
 *                 Written only on success.
 * @param ret_err  detail on failure; may be NULL.
 *
 * Errors: all classes.  Threads: any; one at a time per request.
 */
WEIR_API weir_status weir_send(weir_pool *pool, weir_request *request,
                               weir_response **ret_res, weir_error *ret_err);
/**
 * Says where the next weir_send() or weir_submit() of this thread is made, for
 * WEIR_TRACE_LEAK.  Compiled without NDEBUG a program does so by itself: the
 * two are macros then, which call this first.
 *
 * @param file  borrowed for ever: a literal.  NULL = not known.
 */
WEIR_API void weir_place(const char *file, unsigned line);
/** @cond */
#ifndef NDEBUG
#define weir_send(pool, request, ret_res, ret_err)                             \
    (weir_place(__FILE__, __LINE__),                                           \
     (weir_send)((pool), (request), (ret_res), (ret_err)))
#endif
/** @endcond */
/**
 * weir_send(), then reads the whole body, at most max_body bytes, and gives
 * the connection back at once.
 * @retval WEIR_E_LIMIT      the body is larger
 * @retval WEIR_E_TRUNCATED  it ended early; use weir_send() to keep the part
 */
WEIR_API weir_status weir_fetch(weir_pool *pool, weir_request *request,
                                weir_response **ret_res, weir_error *ret_err);
/** weir_fetch() of a GET of @p url. */
WEIR_API weir_status weir_get(weir_pool *pool, const char *url,
                              weir_response **ret_res, weir_error *ret_err);

/**
 * Reads body bytes into the caller's buffer, after weir_send().
 *
 * @param cap      size of @p buf, at least 1.
 * @param ret_len  bytes written; 0 = the end.  On WEIR_E_TRUNCATED all bytes
 *                 that came have been handed over by earlier calls.
 */
WEIR_API weir_status weir_response_read(weir_response *response, void *buf,
                                        size_t cap, size_t *ret_len,
                                        weir_error *ret_err);
/**
 * Ends a response.  A short rest of the body is read and dropped so that the
 * connection can be lent again; otherwise it is closed.  Never fails, never
 * allocates; NULL is allowed.
 */
WEIR_API void weir_response_free(weir_response *response);

/** Status code, 200 to 999 (101 when an upgrade was asked). */
WEIR_API int weir_response_status(const weir_response *response);
/**
 * 304: what an earlier response brought is still good, see
 * weir_request_set_validators().
 */
WEIR_API bool weir_response_is_not_modified(const weir_response *response);
/**
 * weir_request_set_validators() with the ETag and the Last-Modified of an
 * earlier response; one that it has not is not asked for.
 * @param earlier  borrowed.
 */
WEIR_API weir_status weir_request_revalidate(weir_request *request,
                                             const weir_response *earlier,
                                             weir_error *ret_err);
/** HTTP version: 10 or 11. */
WEIR_API int weir_response_version(const weir_response *response);
/** Reason phrase, may be empty.  Lent: until weir_response_free(). */
WEIR_API weir_slice weir_response_reason(const weir_response *response);
/** Number of fields in the header section. */
WEIR_API size_t weir_response_field_count(const weir_response *response);
/** Field @p index, in the order received; empty slices beyond the last. */
WEIR_API weir_field weir_response_field(const weir_response *response,
                                        size_t index);
/** Value of the first field of that name, in any case; NULL data if none. */
WEIR_API weir_slice weir_response_find(const weir_response *response,
                                       const char *name);
/** Trailer fields; known once the body has been read to its end. */
WEIR_API size_t weir_response_trailer_count(const weir_response *response);
/** Trailer @p index, as weir_response_field(). */
WEIR_API weir_field weir_response_trailer(const weir_response *response,
                                          size_t index);
/** Why an attempt was made. */
typedef enum weir_attempt_kind {
    WEIR_ATTEMPT_FIRST = 1, /**< the request itself */
    WEIR_ATTEMPT_REDIRECT,  /**< the one before was a redirect to its URL */
    WEIR_ATTEMPT_RETRY,     /**< the one before had failed */
    WEIR_ATTEMPT_HEDGE,     /**< the one before took long: both were under way,
                             * and one of them was cancelled unless it failed */
} weir_attempt_kind;

/** One attempt of a call. */
typedef struct weir_attempt {
    size_t size;            /**< sizeof(weir_attempt), set by the caller */
    weir_attempt_kind kind; /**< why */
    const char *url;        /**< without user information; lent */
    int status;             /**< of its response; 0: it had none */
    weir_status outcome;    /**< WEIR_OK, or why it had none */
    uint64_t connection;    /**< its number, or 0 */
    double delay;           /**< seconds waited before it */
    double begun;           /**< seconds since the call began */
    double took; /**< until its header section was in, or it failed */
} weir_attempt;

/**
 * Number of attempts of the call, this one included, if redirects, retries
 * or hedges were allowed; else 0.
 */
WEIR_API size_t weir_response_attempt_count(const weir_response *response);
/**
 * Fills in attempt @p index, in order: the chain of URLs and all that failed.
 * @param ret_attempt  its size must be set.
 * @retval WEIR_E_INVALID  there is none of that index
 */
WEIR_API weir_status weir_response_attempt(const weir_response *response,
                                           size_t index,
                                           weir_attempt *ret_attempt);
/**
 * URL that this response is of, after redirects; lent.  NULL: none were
 * allowed, so it is the request's.
 */
WEIR_API const char *weir_response_url(const weir_response *response);
/** The whole body after weir_fetch(); empty after weir_send(). */
WEIR_API weir_slice weir_response_body(const weir_response *response);
/**
 * Content codings that were removed from the body, in the order in which they
 * had been applied: "gzip", "gzip, br"; "" if none; lent.  The fields are as
 * received.
 */
WEIR_API const char *weir_response_codings(const weir_response *response);
/**
 * Length of the body that the fields announce, or WEIR_LENGTH_UNKNOWN, as for a
 * body that is decoded.
 */
WEIR_API uint64_t weir_response_length(const weir_response *response);
/** Number of the connection, unique in its pool, from 1. */
WEIR_API uint64_t weir_response_connection(const weir_response *response);
/** The connection had served an exchange before this one. */
WEIR_API bool weir_response_is_reused(const weir_response *response);
/** Address of the peer, e.g. "127.0.0.1:8080"; lent. */
WEIR_API const char *weir_response_peer(const weir_response *response);
/** TLS version and cipher, e.g. "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" plain. */
WEIR_API const char *weir_response_tls(const weir_response *response);
/** Fills @p timings, whose size must be set. */
WEIR_API void weir_response_timings(const weir_response *response,
                                    weir_timings *timings);

#ifdef __cplusplus
}
#endif
#endif
