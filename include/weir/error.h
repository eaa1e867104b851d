/**
 * @file
 * Outcomes: one table gives every code its name, class and meaning.
 */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** X(name, number, class, meaning).  Numbers are stable; append only. */
#define WEIR_STATUS_TABLE(X)                                                   \
    X(WEIR_OK, 0, NONE, "success")                                             \
    X(WEIR_E_INVALID, 1, USAGE, "invalid argument")                            \
    X(WEIR_E_URL, 2, USAGE, "invalid URL")                                     \
    X(WEIR_E_FIELD, 3, USAGE, "invalid method, field name or field value")     \
    X(WEIR_E_OPTION, 4, USAGE, "option out of range or unknown")               \
    X(WEIR_E_SETTINGS, 5, USAGE, "invalid settings")                           \
    X(WEIR_E_STATE, 6, USAGE, "call not allowed in this state")                \
    X(WEIR_E_CONFLICT, 7, USAGE, "contradicts the existing shared pool")       \
    X(WEIR_E_UNSUPPORTED, 8, USAGE, "not supported by this build")             \
    X(WEIR_E_NO_MEMORY, 9, LOCAL, "out of memory")                             \
    X(WEIR_E_SYSTEM, 10, LOCAL, "system call failed")                          \
    X(WEIR_E_FILE, 11, LOCAL, "file could not be read")                        \
    X(WEIR_E_BODY, 12, LOCAL, "request body could not be produced")            \
    X(WEIR_E_RESOLVE, 13, RESOLVE, "host name could not be resolved")          \
    X(WEIR_E_CONNECT, 14, CONNECT, "connection could not be made")             \
    X(WEIR_E_TLS, 15, TLS, "TLS failed")                                       \
    X(WEIR_E_TLS_VERIFY, 16, TLS, "certificate could not be verified")         \
    X(WEIR_E_PROTOCOL, 17, PEER, "invalid response")                           \
    X(WEIR_E_TRUNCATED, 18, PEER, "response ended early")                      \
    X(WEIR_E_RESET, 19, PEER, "connection lost before a response")             \
    X(WEIR_E_ACQUIRE_TIMEOUT, 20, TIME, "no connection became free in time")   \
    X(WEIR_E_CONNECT_TIMEOUT, 21, TIME, "connect time limit exceeded")         \
    X(WEIR_E_FIRST_BYTE_TIMEOUT, 22, TIME, "first-byte time limit exceeded")   \
    X(WEIR_E_READ_TIMEOUT, 23, TIME, "idle-read time limit exceeded")          \
    X(WEIR_E_TOTAL_TIMEOUT, 24, TIME, "total time limit exceeded")             \
    X(WEIR_E_LIMIT, 25, LIMIT, "limit exceeded")                               \
    X(WEIR_E_QUEUE_FULL, 26, LIMIT, "the waiting line is full")                \
    X(WEIR_E_CLOSED, 27, CLOSED, "the pool is closed")                         \
    X(WEIR_E_CANCELLED, 28, CANCELLED, "the call was cancelled")               \
    X(WEIR_E_PENDING, 29, TIME, "the call has not ended yet")                  \
    X(WEIR_E_REDIRECT, 30, PEER, "redirect could not be followed")             \
    X(WEIR_E_CODING, 31, PEER, "invalid content coding")                       \
    X(WEIR_E_BREAKER_OPEN, 32, PEER, "the origin's breaker is open")           \
    X(WEIR_E_PROXY, 33, CONNECT, "the proxy refused")

/** Outcome of a call. */
typedef enum weir_status {
#define WEIR_X(name, number, cls, meaning) name = number,
    WEIR_STATUS_TABLE(WEIR_X)
#undef WEIR_X
} weir_status;

/** What kind of thing went wrong; what a caller can do about it. */
typedef enum weir_error_class {
    WEIR_CLASS_NONE = 0,  /**< nothing went wrong */
    WEIR_CLASS_USAGE,     /**< the program or its settings */
    WEIR_CLASS_LOCAL,     /**< this machine: memory, descriptors, files */
    WEIR_CLASS_RESOLVE,   /**< DNS */
    WEIR_CLASS_CONNECT,   /**< TCP, Unix socket, or proxy */
    WEIR_CLASS_TLS,       /**< handshake or certificate */
    WEIR_CLASS_PEER,      /**< the server broke the protocol or went away */
    WEIR_CLASS_TIME,      /**< a time limit */
    WEIR_CLASS_LIMIT,     /**< a bound on size or count */
    WEIR_CLASS_CLOSED,    /**< the pool is closed */
    WEIR_CLASS_CANCELLED, /**< the caller changed its mind */
} weir_error_class;

/** How far a call had come. */
typedef enum weir_stage {
    WEIR_STAGE_NONE = 0, /**< not in a call */
    WEIR_STAGE_WAIT,     /**< in the waiting line */
    WEIR_STAGE_RESOLVE,  /**< asking DNS */
    WEIR_STAGE_CONNECT,  /**< connecting a socket */
    WEIR_STAGE_TLS,      /**< in the TLS handshake */
    WEIR_STAGE_SEND,     /**< sending the request */
    WEIR_STAGE_RESPONSE, /**< waiting for, or reading, the header section */
    WEIR_STAGE_BODY,     /**< reading the body */
    WEIR_STAGE_PROXY,    /**< asking the proxy for a tunnel */
} weir_stage;

/**
 * Detail of a failure.  The caller owns it; no member needs to be set before
 * a call and none to be freed after.  Written only on failure.
 */
typedef struct weir_error {
    weir_status code;             /**< what failed */
    weir_error_class error_class; /**< its class */
    weir_stage stage;             /**< how far the call had come */
    int system_code;              /**< errno, or 0 */
    unsigned long tls_code;       /**< OpenSSL error or X509_V_ERR_…, or 0 */
    uint64_t offset;              /**< byte offset of bad input, or 0 */
    uint64_t connection;          /**< number of the connection, or 0 */
    bool reused;                  /**< that connection had served before */
    bool may_have_been_processed; /**< the request may have reached a server */
    unsigned char reserved0[2];   /**< zero */
    unsigned attempts; /**< made by the call, if it might make several; or 0 */
    double retry_in;   /**< BREAKER_OPEN: seconds until the next probe; or 0 */
    unsigned char reserved[32]; /**< zero */
    char message[256];          /**< "connect to [::1]:443: refused" */
} weir_error;

/** Name of a code, e.g. "WEIR_E_TOTAL_TIMEOUT"; "WEIR_E_?" if unknown. */
WEIR_API const char *weir_status_name(weir_status code);
/** Meaning of a code, e.g. "total time limit exceeded". */
WEIR_API const char *weir_status_meaning(weir_status code);
/** Class of a code. */
WEIR_API weir_error_class weir_status_class(weir_status code);
/** Name of a class in upper case, e.g. "TIME". */
WEIR_API const char *weir_class_name(weir_error_class error_class);
/** Name of a stage in lower case, e.g. "connect". */
WEIR_API const char *weir_stage_name(weir_stage stage);

#ifdef __cplusplus
}
#endif
#endif
