#include "settings/options.h"

#include <float.h>
#include <string.h>

#include <weir/version.h>

/* The highest number that a double holds for "any 64-bit integer". */
#define ANY_UINT64 0x1p64
#define MIB 1048576.0

/* name, kind, min, max, min refused, may change while the pool lives */
#define ROW(member, kind_, min_, max_, above_, live_, summary_)                \
    {                                                                          \
        .name = #member, .kind = WR_OPTION_##kind_,                            \
        .offset = offsetof(weir_pool_options, member), .min = (min_),          \
        .max = (max_), .above_min = (above_), .live = (live_),                 \
        .summary = (summary_)                                                  \
    }
#define FLAG(member, live, summary)                                            \
    ROW(member, BOOL, 0, 1, false, live, summary)
#define COUNT(member, kind, min, max, summary)                                 \
    ROW(member, kind, min, max, false, true, summary)
#define SPAN(member, above, summary)                                           \
    ROW(member, SECONDS, 0, DBL_MAX, above, true, summary)
#define CHOICE(member, choices_, summary_)                                     \
    {                                                                          \
        .name = #member, .kind = WR_OPTION_CHOICE,                             \
        .offset = offsetof(weir_pool_options, member), .choices = (choices_),  \
        .summary = (summary_)                                                  \
    }
#define TEXT(member, kind, summary)                                            \
    ROW(member, kind, 0, 0, false, false, summary)

#define URL(member_, summary_)                                                 \
    {                                                                          \
        .name = #member_, .kind = WR_OPTION_TEXT,                              \
        .offset = offsetof(weir_pool_options, member_), .is_secret = true,     \
        .summary = (summary_)                                                  \
    }

static const struct wr_choice ip_versions[] = {
    {"any", WEIR_IP_ANY}, {"4", WEIR_IP_V4}, {"6", WEIR_IP_V6}, {NULL, 0}};
static const struct wr_choice pollers[] = {{"auto", WEIR_POLLER_AUTO},
                                           {"epoll", WEIR_POLLER_EPOLL},
                                           {"poll", WEIR_POLLER_POLL},
                                           {NULL, 0}};

const struct wr_option wr_option_table[] = {
    FLAG(enabled, true, "false: a fresh connection for every request"),
    COUNT(max_connections, UNSIGNED, 1, 1e6, "connections in all"),
    COUNT(max_per_host, UNSIGNED, 1, 1e6, "connections for one pool key"),
    COUNT(max_waiting, UNSIGNED, 0, 1e7, "callers in the waiting lines"),
    SPAN(acquire_timeout, false, "in the line; 0 = do not wait"),
    SPAN(connect_timeout, true, "DNS, TCP, proxy and TLS together"),
    SPAN(first_byte_timeout, false, "sent to first byte; 0 = no limit"),
    SPAN(idle_read_timeout, false, "between two reads; 0 = no limit"),
    SPAN(total_timeout, false, "the whole call; 0 = no limit"),
    SPAN(idle_timeout, true, "unused for longer: closed"),
    SPAN(max_age, false, "older: not lent again; 0 = no limit"),
    SPAN(validate_after, false, "idle for longer: looked at before lending"),
    SPAN(dns_min_ttl, false, "an answer of DNS is kept at least so long"),
    SPAN(dns_max_ttl, false, "and at most so long; 0 = not kept"),
    COUNT(max_body, UINT64, 0, ANY_UINT64, "bytes that a fetch takes"),
    COUNT(max_status_line, SIZE, 64, MIB, "bytes of a status line"),
    COUNT(max_header_bytes, SIZE, 64, 16 * MIB,
          "bytes of a header or trailer section"),
    COUNT(max_header_fields, UNSIGNED, 1, 4096, "fields in one section"),
    FLAG(strict, false, "refuse line folding and bare line feeds"),
    CHOICE(ip_version, ip_versions, "address families"),
    TEXT(user_agent, TEXT, "User-Agent field; null: none is sent"),
    FLAG(verify, false, "verify TLS certificates"),
    TEXT(ca_file, TEXT, "PEM bundle instead of the system's"),
    TEXT(ca_path, TEXT, "hashed folder instead of the system's"),
    TEXT(cert_file, TEXT, "client certificate chain, PEM"),
    TEXT(key_file, TEXT, "its key, PEM; null: in cert_file"),
    TEXT(tls_min_version, TLS, "lowest TLS version"),
    CHOICE(poller, pollers, "how a loop waits"),
    ROW(loops, UNSIGNED, 1, 64, false, false, "threads of asynchronous calls"),
    FLAG(keeper, false, "watch idle connections"),
    FLAG(follow_dns, true, "leave addresses that left DNS"),
    TEXT(dns_servers, TEXT, "to ask instead of the system's"),
    URL(proxy, "http, https, socks5 or socks5h URL"),
    TEXT(no_proxy, TEXT, "hosts that are reached without a proxy"),
    FLAG(proxy_environment, false, "read http_proxy and the like"),
    FLAG(decompress, false, "ask for coded bodies, and decode them"),
    ROW(max_decoded, UINT64, 0, ANY_UINT64, false, false,
        "bytes of a decoded body"),
    ROW(max_decode_ratio, UNSIGNED, 2, 1e6, false, false,
        "of output to input, beyond 1 MiB"),
    ROW(max_redirects, UNSIGNED, 0, 100, false, false, "followed in a call"),
    FLAG(redirect_downgrade, false, "follow redirects from https to http"),
    ROW(retry_attempts, UNSIGNED, 1, 100, false, false,
        "of a call in all; 1 = no retry"),
    ROW(retry_delay, SECONDS, 0, DBL_MAX, false, false,
        "before the first retry"),
    ROW(retry_backoff, NUMBER, 1, 100, false, false,
        "factor from one delay to the next"),
    ROW(retry_max_delay, SECONDS, 0, DBL_MAX, false, false,
        "longest delay, also of Retry-After"),
    ROW(breaker_failures, UNSIGNED, 0, 1e6, false, false,
        "in a row, that open the breaker; 0 = not looked at"),
    ROW(breaker_rate, NUMBER, 0, 1, false, false,
        "share of failures that opens it; 0 = not looked at"),
    ROW(breaker_window, SECONDS, 0, DBL_MAX, true, false,
        "over which the share is taken"),
    ROW(breaker_min_requests, UNSIGNED, 1, 1e6, false, false,
        "fewer in the window say nothing"),
    ROW(breaker_open, SECONDS, 0, DBL_MAX, true, false,
        "from opening to the first probe"),
    ROW(hedge_delay, SECONDS, 0, DBL_MAX, false, false,
        "from a request sent to a second one; 0 = none"),
    FLAG(hedge_p95, false, "the origin's 95th percentile once it is known"),
    SPAN(leak_after, false,
         "a response held unread for longer is told; 0 = off"),
    {.name = NULL},
};

static const weir_pool_options defaults = {
    .size = sizeof(weir_pool_options),
    .enabled = true,
    .verify = true,
    .strict = false,
    .max_connections = 100,
    .max_per_host = 30,
    .max_waiting = 1000,
    .acquire_timeout = 10,
    .connect_timeout = 10,
    .first_byte_timeout = 0,
    .idle_read_timeout = 0,
    .total_timeout = 30,
    .idle_timeout = 60,
    .max_age = 1800,
    .validate_after = 0.5,
    .dns_min_ttl = 0,
    .dns_max_ttl = 300,
    .max_body = UINT64_C(64) << 20,
    .max_status_line = 8192,
    .max_header_bytes = 262144,
    .max_header_fields = 256,
    .ip_version = WEIR_IP_ANY,
    .user_agent = "weir/" WEIR_VERSION,
    .tls_min_version = "1.2",
    .loop = WEIR_LOOP_HOSTED,
    .poller = WEIR_POLLER_AUTO,
    .loops = 1,
    .keeper = true,
    .follow_dns = true,
    .max_decoded = UINT64_C(16) << 30,
    .max_decode_ratio = 200,
    .retry_attempts = 1,
    .retry_delay = 1,
    .retry_backoff = 2,
    .retry_max_delay = 30,
    .breaker_window = 10,
    .breaker_min_requests = 20,
    .breaker_open = 30,
};

void wr_options_give(weir_pool_options *ret_options, size_t size,
                     const weir_pool_options *options)
{
    const size_t common = size < sizeof *options ? size : sizeof *options;

    if (size < sizeof ret_options->size)
        return;
    memcpy(ret_options, options, common);
    memset((char *)ret_options + common, 0, size - common);
    ret_options->size = size;
}

void weir_pool_options_init_sized(weir_pool_options *options, size_t size)
{
    wr_options_give(options, size, &defaults);
}

const struct wr_option *wr_option_find_in(const struct wr_option *table,
                                          const char *name, size_t len)
{
    for (const struct wr_option *option = table; option->name; option++) {
        if (strlen(option->name) == len && !memcmp(option->name, name, len))
            return option;
    }
    return NULL;
}

const struct wr_option *wr_option_find(const char *name, size_t len)
{
    return wr_option_find_in(wr_option_table, name, len);
}

size_t wr_option_width(enum wr_option_kind kind)
{
    switch (kind) {
    case WR_OPTION_BOOL:
        return sizeof(bool);
    case WR_OPTION_UNSIGNED:
        return sizeof(unsigned);
    case WR_OPTION_SIZE:
        return sizeof(size_t);
    case WR_OPTION_UINT64:
        return sizeof(uint64_t);
    case WR_OPTION_SECONDS:
    case WR_OPTION_NUMBER:
        return sizeof(double);
    case WR_OPTION_CHOICE:
        return sizeof(weir_ip_version);
    case WR_OPTION_TEXT:
    case WR_OPTION_TLS:
        break;
    }
    return sizeof(const char *);
}
