/**
 * @file
 * The pool: options, life cycle, figures, and a view of what it does.
 *
 * Every function may be called from any thread at any time, unless it says
 * otherwise.
 *
 * fork(): in the child every pool is empty and may be used; its descriptors are
 * closed without a word to the peers, so the parent's connections go on.  Calls
 * and responses of before answer WEIR_E_CLOSED there, and their callbacks are
 * the parent's.  weir_pool_fd() is another one.  A child that was forked in a
 * callback must not return from it.
 */
#ifndef WEIR_POOL_H
#define WEIR_POOL_H

#include <stddef.h>

#include <weir/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A bounded pool of connections.  Opaque. */
typedef struct weir_pool weir_pool;

/** Which address families a connection may use. */
typedef enum weir_ip_version {
    WEIR_IP_ANY = 0, /**< both, raced (RFC 8305) */
    WEIR_IP_V4 = 4,  /**< IPv4 only */
    WEIR_IP_V6 = 6,  /**< IPv6 only */
} weir_ip_version;

/** Who runs the loop of asynchronous calls and of the keeper. */
typedef enum weir_loop {
    WEIR_LOOP_HOSTED = 0, /**< threads of weir's own, started when needed */
    WEIR_LOOP_EXTERNAL,   /**< the program, see weir_pool_dispatch() */
} weir_loop;

/** How a loop waits. */
typedef enum weir_poller {
    WEIR_POLLER_AUTO = 0, /**< the best of this system */
    WEIR_POLLER_EPOLL,    /**< epoll; Linux */
    WEIR_POLLER_POLL,     /**< poll(), any POSIX system; hosted loops only */
} weir_poller;

/** Kinds of steps that a trace callback sees. */
typedef enum weir_trace_kind {
    WEIR_TRACE_WAIT = 1,  /**< a caller joins the waiting line */
    WEIR_TRACE_DIAL,      /**< a dial begins */
    WEIR_TRACE_RESOLVED,  /**< the host name has addresses */
    WEIR_TRACE_CONNECTED, /**< the socket is connected */
    WEIR_TRACE_TLS,       /**< the TLS handshake is done */
    WEIR_TRACE_LEASE,     /**< a connection is lent */
    WEIR_TRACE_SENT,      /**< the request has been sent */
    WEIR_TRACE_RESPONSE,  /**< the header section has been received */
    WEIR_TRACE_RELEASE,   /**< the connection is back in the pool */
    WEIR_TRACE_CLOSE,     /**< a connection is closed; detail says why */
    WEIR_TRACE_RETRY,     /**< once more: the connection was stale, or the
                           * attempt failed; detail says which and when */
    WEIR_TRACE_PROXY,     /**< the proxy has agreed */
    WEIR_TRACE_BREAKER,   /**< an origin's breaker has changed its state */
    WEIR_TRACE_REDIRECT,  /**< a redirect is followed; detail says where to */
    WEIR_TRACE_HEDGE,     /**< a second request, see hedge_delay: it begins, is
                           * skipped, or the race is over; detail says which */
    WEIR_TRACE_LEAK,      /**< a response is neither read nor freed, see
                           * leak_after; detail names its request, elapsed is
                           * for how long */
} weir_trace_kind;

/** One step of the pool. */
typedef struct weir_trace_event {
    size_t size;          /**< of this struct, set by weir */
    weir_trace_kind kind; /**< which step */
    uint64_t connection;  /**< its number, or 0 when there is none yet */
    const char *origin;   /**< "https://example.org:443"; valid in the call */
    const char *detail;   /**< for people, "" if none; valid in the call */
    double elapsed;       /**< seconds since the call (or dial) began */
} weir_trace_event;

/**
 * Sees each step as it happens, on the thread that takes it, under no lock.
 * It must not call weir with the same pool.
 */
typedef void (*weir_trace_fn)(void *user, const weir_trace_event *event);

/**
 * Options of a pool.  Begin with weir_pool_options_init().  Strings are
 * borrowed until the call that takes the options returns.  Times are seconds.
 * A member beyond those that this version knows must be zero.
 */
typedef struct weir_pool_options {
    size_t size;               /**< sizeof(weir_pool_options), set by _init */
    bool enabled;              /**< false: a fresh connection a request; true */
    bool verify;               /**< verify TLS certificates; true */
    bool strict;               /**< refuse obs-fold and bare LF; false */
    unsigned max_connections;  /**< in all, 1 to 1000000; 100 */
    unsigned max_per_host;     /**< for one pool key, 1 to 1000000; 30 */
    unsigned max_waiting;      /**< callers in line, 0 to 10000000; 1000 */
    double acquire_timeout;    /**< in the line, 0 = do not wait; 10 */
    double connect_timeout;    /**< DNS, TCP, proxy and TLS; > 0; 10 */
    double first_byte_timeout; /**< sent to first byte, 0 = none; 0 */
    double idle_read_timeout;  /**< between two reads, 0 = none; 0 */
    double total_timeout;      /**< the whole call, 0 = none; 30 */
    double idle_timeout;       /**< unused for longer: closed; > 0; 60 */
    double max_age;            /**< older: not lent again; 0 = none; 1800 */
    double validate_after;     /**< idle for longer: peeked at; 0.5 */
    double dns_min_ttl;        /**< kept at least, <= dns_max_ttl; 0 */
    double dns_max_ttl;        /**< an answer is kept at most; 300 */
    uint64_t max_body;         /**< bytes that weir_fetch() takes; 64 MiB */
    size_t max_status_line;    /**< bytes, 64 to 1 MiB; 8192 */
    size_t max_header_bytes;   /**< a section, 64 to 16 MiB; 262144 */
    unsigned max_header_fields; /**< fields in one section, 1 to 4096; 256 */
    weir_ip_version ip_version; /**< address families; WEIR_IP_ANY */
    const char *user_agent;     /**< NULL or "": none is sent; "weir/VERSION" */
    const char *ca_file;        /**< PEM bundle instead of the system's; NULL */
    const char *ca_path;        /**< hashed folder instead of the system's */
    const char *cert_file;      /**< client certificate chain, PEM; NULL */
    const char *key_file;       /**< its key, PEM; NULL: in cert_file */
    const char *tls_min_version; /**< "1.2" or "1.3"; "1.2" */
    weir_trace_fn trace;         /**< sees each step; NULL */
    void *trace_user;            /**< its first argument */
    weir_loop loop;              /**< who runs the loop; WEIR_LOOP_HOSTED */
    weir_poller poller;          /**< how it waits; WEIR_POLLER_AUTO */
    unsigned loops;              /**< hosted threads, 1 to 64; 1 */
    bool keeper;                 /**< watch idle connections; true */
    bool follow_dns;             /**< leave addresses that left DNS; true */
    const char *dns_servers;     /**< "192.0.2.1,[2001:db8::1]:53"; NULL: the
                                  * system's */
    const char *proxy;       /**< "http://proxy.example:3128"; NULL: none.  Also
                              * https, socks5 (names are resolved here) and
                              * socks5h (by the proxy); user and password may
                              * stand in it.  TLS with it uses this pool's
                              * options */
    const char *no_proxy;    /**< what is reached without: "localhost,.lan,
                              * example.org:8080,10.0.0.0/8,[::1]"; "*": all;
                              * NULL: nothing */
    bool decompress;         /**< ask for coded bodies, decode; false */
    bool redirect_downgrade; /**< follow them from https to http; false */
    bool proxy_environment;  /**< what the two above leave open is read from
                              * http_proxy, https_proxy, all_proxy and no_proxy
                              * when the pool is opened; false */
    unsigned max_redirects;  /**< followed in a call, 0 to 100; 0 */
    unsigned retry_attempts; /**< of a call in all, 1 to 100; 1 */
    unsigned breaker_failures;     /**< in a row, that open it, 0 = none to
                                    * 1000000; 0 */
    unsigned breaker_min_requests; /**< in the window, before the rate
                                    * counts, 1 to 1000000; 20 */
    unsigned max_decode_ratio;     /**< output to input, beyond 1 MiB, 2 to
                                    * 1000000; 200 */
    double retry_delay;            /**< before the first retry; 1 */
    double retry_backoff;   /**< from one delay to the next, 1 to 100; 2 */
    double retry_max_delay; /**< longest delay, also of Retry-After; 30 */
    uint64_t max_decoded;   /**< bytes of a decoded body; 16 GiB */
    double breaker_rate;    /**< of failures, that opens it, 0 = none to
                             * 1; 0 */
    double breaker_window;  /**< over which it is taken, > 0; 10 */
    double breaker_open;    /**< until the next probe, > 0; 30 */
    double hedge_delay;     /**< from a request sent to a second one of the
                             * same, see weir_request_set_hedge(); 0 = none */
    double leak_after;      /**< a response that holds a connection and is
                             * neither read nor freed for longer is traced
                             * (WEIR_TRACE_LEAK) and counted; 0 = off; 0 */
    bool hedge_p95;         /**< the delay is the 95th percentile of the
                             * origin's own, once it is known of 20 requests
                             * that this holds for and that might have been
                             * hedged; false */
} weir_pool_options;

/** Why connections were closed: index into weir_pool_figures.closed. */
#define WEIR_CLOSE_REASONS(X)                                                  \
    X(PEER_CLOSED, "peer closed it while idle")                                \
    X(UNEXPECTED_DATA, "peer sent bytes with no request outstanding")          \
    X(IDLE, "idle limit")                                                      \
    X(AGE, "age limit")                                                        \
    X(EVICTED, "made room for another origin")                                 \
    X(NOT_REUSABLE, "response does not allow reuse")                           \
    X(PROTOCOL, "protocol error")                                              \
    X(IO, "transport error")                                                   \
    X(TIMEOUT, "time limit")                                                   \
    X(ABANDONED, "response given up before its end")                           \
    X(DISABLED, "pooling is switched off")                                     \
    X(RECONFIGURED, "limits or settings changed")                              \
    X(SHUTDOWN, "pool closed")                                                 \
    X(MOVED, "address has left the host's DNS answer")

/** Why a connection was closed. */
typedef enum weir_close_reason {
#define WEIR_X(name, meaning) WEIR_CLOSE_##name,
    WEIR_CLOSE_REASONS(WEIR_X)
#undef WEIR_X
    WEIR_CLOSE_REASON_COUNT
} weir_close_reason;

/** Figures of a pool at one moment. */
typedef struct weir_pool_figures {
    size_t size;            /**< sizeof(weir_pool_figures), set by the caller */
    uint64_t open;          /**< connections now, dials included */
    uint64_t idle;          /**< of them, idle */
    uint64_t leased;        /**< of them, lent */
    uint64_t dialing;       /**< of them, being dialled */
    uint64_t waiting;       /**< callers in line now */
    uint64_t buckets;       /**< pool keys with a connection or a waiter */
    uint64_t requests;      /**< calls begun */
    uint64_t responses;     /**< ended exchanges that had a response */
    uint64_t failures;      /**< calls that ended in an error */
    uint64_t leases;        /**< connections lent */
    uint64_t reused;        /**< of them, used before */
    uint64_t dialed;        /**< dials that succeeded */
    uint64_t dial_failures; /**< dials that failed */
    uint64_t tls_resumed;   /**< TLS handshakes that resumed a session */
    uint64_t stale_retries; /**< replays after a stale connection */
    uint64_t queued;        /**< callers that had to wait */
    uint64_t queue_full;    /**< callers refused by a full line */
    uint64_t acquire_timeouts; /**< callers that left the line by time limit */
    uint64_t bytes_sent;       /**< request bytes, TLS excluded */
    uint64_t bytes_received;   /**< response bytes, TLS excluded */
    uint64_t closed[16];       /**< by weir_close_reason */
    uint64_t retries;          /**< attempts after one that failed */
    uint64_t redirects;        /**< redirects followed */
    uint64_t retries_denied;   /**< retries that a budget did not allow */
    uint64_t breaker_refusals; /**< attempts that an open breaker refused */
    uint64_t hedges;           /**< second requests sent, see hedge_delay */
    uint64_t hedges_won;       /**< of them, answered before the first */
    uint64_t hedges_skipped;   /**< not begun: no connection was free */
    uint64_t hedges_denied;    /**< not begun: the budget, or a breaker */
    uint64_t leaks;            /**< responses held for longer than leak_after */
} weir_pool_figures;

/** What a close did. */
typedef struct weir_close_report {
    size_t size;       /**< sizeof(weir_close_report), set by the caller */
    uint64_t finished; /**< exchanges that ended within the grace */
    uint64_t cut;      /**< exchanges that were cut off */
    uint64_t refused;  /**< callers in line, failed with WEIR_E_CLOSED */
    uint64_t idle;     /**< idle connections closed */
} weir_close_report;

/**
 * Fills @p options with the defaults.
 *
 * @param size  of the caller's struct, which may be of another version of weir
 *              than the library; weir_pool_options_init() gives it.
 */
WEIR_API void weir_pool_options_init_sized(weir_pool_options *options,
                                           size_t size);
/** Fills `*(options)` with the defaults. */
#define weir_pool_options_init(options)                                        \
    weir_pool_options_init_sized((options), sizeof *(options))

/**
 * Makes a pool.  Opens no connection and starts no thread.
 *
 * @param options   borrowed; NULL = defaults.
 * @param ret_pool  given: end it with weir_pool_free().
 * @param ret_err   detail on failure; may be NULL.
 * @retval WEIR_E_OPTION  a member is out of range; the message names it.
 * @retval WEIR_E_TLS     trust store, certificate or key cannot be used.
 */
WEIR_API weir_status weir_pool_open(const weir_pool_options *options,
                                    weir_pool **ret_pool, weir_error *ret_err);

/**
 * Closes a pool: refuses new calls, fails the line with WEIR_E_CLOSED, lets
 * running exchanges finish for at most @p grace seconds, then cuts them off,
 * and closes all connections.  A second close does nothing.
 *
 * Blocks for up to @p grace.  The handle stays valid until weir_pool_free().
 *
 * @param ret_report  what was cut; may be NULL.
 */
WEIR_API weir_status weir_pool_close(weir_pool *pool, double grace,
                                     weir_close_report *ret_report);

/**
 * Closes without grace if still open, and gives up the handle.  Responses that
 * are still held stay readable to the extent received and must still be freed.
 * NULL is allowed.
 */
WEIR_API void weir_pool_free(weir_pool *pool);

/**
 * Changes limits of a live pool: max_connections, max_per_host, max_waiting,
 * all time limits, enabled, and the bounds on responses.  Surplus idle
 * connections are closed at once, surplus leased ones at their release.
 *
 * @retval WEIR_E_OPTION  out of range, or a member that cannot change while
 *                        the pool lives (TLS, trace); nothing has changed.
 */
WEIR_API weir_status weir_pool_reconfigure(weir_pool *pool,
                                           const weir_pool_options *options,
                                           weir_error *ret_err);

/**
 * Keeps at least @p count connections open to the origin of @p url, as long as
 * the limits leave room: dials them now, and again when one is lost.  The idle
 * limit spares them; what the peer says of its own, and the age limit, do not.
 * 0 ends that.  The work is done by the loop; returns at once.
 *
 * @retval WEIR_E_URL        the URL is invalid
 * @retval WEIR_E_NO_MEMORY, WEIR_E_SYSTEM  nothing has changed
 * @retval WEIR_E_CLOSED     the pool is closed
 */
WEIR_API weir_status weir_pool_warm(weir_pool *pool, const char *url,
                                    unsigned count, weir_error *ret_err);

/** Reads the figures; figures->size must be set.  Never blocks for long. */
WEIR_API weir_status weir_pool_stats(weir_pool *pool,
                                     weir_pool_figures *figures);

/** Meaning of a reason, e.g. "idle limit". */
WEIR_API const char *weir_close_reason_meaning(weir_close_reason reason);

/**
 * The process-wide pool, made on first use from the defaults and the
 * environment (WEIR_HTTP_CONNECTION_POOL__…).  At most one is made, however
 * many threads race.  NULL if it cannot be made: every call refuses a NULL
 * pool with the reason, and weir_shared_open() tells it too.
 */
WEIR_API weir_pool *weir_shared(void);

/**
 * The same, with options of the program's own and with the reason of a
 * failure.  Options that differ from those of the living shared pool are
 * WEIR_E_CONFLICT.  @p options NULL: as weir_shared().
 */
WEIR_API weir_status weir_shared_open(const weir_pool_options *options,
                                      weir_pool **ret_pool,
                                      weir_error *ret_err);

/**
 * Closes the shared pool, as weir_pool_close().  The next weir_shared() makes
 * a new one; the old handle stays valid and answers WEIR_E_CLOSED.  Without a
 * shared pool it does nothing.
 */
WEIR_API weir_status weir_shared_close(double grace,
                                       weir_close_report *ret_report);

#ifdef __cplusplus
}
#endif
#endif
