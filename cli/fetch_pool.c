#include "fetch_pool.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

enum {
    REDIRECTS_USUAL = 10
};

/* Takes the argument of one option.  false: it has complained. */
typedef bool change_fn(weir_pool_options *pool, const char *argument);

static bool set_ca_file(weir_pool_options *pool, const char *argument)
{
    pool->ca_file = argument;
    return true;
}

static bool set_ca_path(weir_pool_options *pool, const char *argument)
{
    pool->ca_path = argument;
    return true;
}

static bool set_cert(weir_pool_options *pool, const char *argument)
{
    pool->cert_file = argument;
    return true;
}

static bool set_key(weir_pool_options *pool, const char *argument)
{
    pool->key_file = argument;
    return true;
}

static bool set_tls_min(weir_pool_options *pool, const char *argument)
{
    pool->tls_min_version = argument;
    return true;
}

static bool set_insecure(weir_pool_options *pool, const char *argument)
{
    (void)argument;
    pool->verify = false;
    return true;
}

static bool set_no_pool(weir_pool_options *pool, const char *argument)
{
    (void)argument;
    pool->enabled = false;
    return true;
}

static bool set_ipv4(weir_pool_options *pool, const char *argument)
{
    (void)argument;
    pool->ip_version = WEIR_IP_V4;
    return true;
}

static bool set_ipv6(weir_pool_options *pool, const char *argument)
{
    (void)argument;
    pool->ip_version = WEIR_IP_V6;
    return true;
}

/* A number into an unsigned member. */
static bool set_count(const char *option, const char *argument, long min,
                      long max, unsigned *member)
{
    long count;

    if (!cli_count("fetch", option, argument, min, max, &count))
        return false;
    *member = (unsigned)count;
    return true;
}

static bool set_max_body(weir_pool_options *pool, const char *argument)
{
    long bytes;

    if (!cli_count("fetch", "--max-body", argument, 0, 1L << 30, &bytes))
        return false;
    pool->max_body = (uint64_t)bytes;
    return true;
}

static bool set_proxy(weir_pool_options *pool, const char *argument)
{
    pool->proxy = argument;
    if (!*argument)
        pool->proxy_environment = false; /* none at all */
    return true;
}

static bool set_noproxy(weir_pool_options *pool, const char *argument)
{
    pool->no_proxy = argument;
    return true;
}

static bool set_compressed(weir_pool_options *pool, const char *argument)
{
    (void)argument;
    pool->decompress = true;
    return true;
}

/* Those of the settings, if they follow any. */
static bool set_location(weir_pool_options *pool, const char *argument)
{
    (void)argument;
    if (pool->max_redirects == 0)
        pool->max_redirects = REDIRECTS_USUAL;
    return true;
}

static bool set_max_redirects(weir_pool_options *pool, const char *argument)
{
    return set_count("--max-redirects", argument, 0, 100, &pool->max_redirects);
}

static bool set_retry(weir_pool_options *pool, const char *argument)
{
    if (!set_count("--retry", argument, 0, 99, &pool->retry_attempts))
        return false;
    pool->retry_attempts++; /* the first one is no retry */
    return true;
}

static bool set_retry_delay(weir_pool_options *pool, const char *argument)
{
    return cli_seconds("fetch", "--retry-delay", argument, &pool->retry_delay);
}

static bool set_retry_backoff(weir_pool_options *pool, const char *argument)
{
    char *end;
    const double factor = strtod(argument, &end);

    if (end == argument || *end || !(factor >= 1 && factor <= 100)) {
        cli_usage_error("fetch",
                        "--retry-backoff: found '%s', expected a number from 1 "
                        "to 100",
                        argument);
        return false;
    }
    pool->retry_backoff = factor;
    return true;
}

static bool set_retry_max_delay(weir_pool_options *pool, const char *argument)
{
    return cli_seconds("fetch", "--retry-max-delay", argument,
                       &pool->retry_max_delay);
}

static bool set_breaker(weir_pool_options *pool, const char *argument)
{
    return set_count("--breaker", argument, 0, 1000000,
                     &pool->breaker_failures);
}

static bool set_breaker_open(weir_pool_options *pool, const char *argument)
{
    return cli_seconds("fetch", "--breaker-open", argument,
                       &pool->breaker_open);
}

static const struct {
    int option;
    change_fn *change;
} changes[] = {
    {OPT_CACERT, set_ca_file},
    {OPT_CAPATH, set_ca_path},
    {OPT_CERT, set_cert},
    {OPT_KEY, set_key},
    {OPT_TLS_MIN, set_tls_min},
    {'k', set_insecure},
    {OPT_NO_POOL, set_no_pool},
    {'4', set_ipv4},
    {'6', set_ipv6},
    {OPT_MAX_BODY, set_max_body},
    {OPT_PROXY, set_proxy},
    {OPT_NOPROXY, set_noproxy},
    {OPT_COMPRESSED, set_compressed},
    {'L', set_location},
    {OPT_MAX_REDIRECTS, set_max_redirects},
    {OPT_RETRY, set_retry},
    {OPT_RETRY_DELAY, set_retry_delay},
    {OPT_RETRY_BACKOFF, set_retry_backoff},
    {OPT_RETRY_MAX_DELAY, set_retry_max_delay},
    {OPT_BREAKER, set_breaker},
    {OPT_BREAKER_OPEN, set_breaker_open},
};

/* One that was given. */
struct pool_change {
    change_fn *change;
    const char *argument;
};

bool fetch_take_pool_option(struct fetch_options *options, int option,
                            const char *argument)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const size_t count = options->pool_change_count;
        struct pool_change *grown;

        if (changes[i].option != option)
            continue;
        grown = cli_alloc((count + 1) * sizeof *grown);
        for (size_t j = 0; j < count; j++)
            grown[j] = options->pool_changes[j];
        grown[count] = (struct pool_change){changes[i].change, argument};
        free(options->pool_changes);
        options->pool_changes = grown;
        options->pool_change_count = count + 1;
        return true;
    }
    return false;
}

/* Percent-encodes what would end the user information of a URL, into `at`. */
static char *encode(char *at, const char *text, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)text[i];

        if (isalnum(byte) || strchr("-._~", byte)) {
            *at++ = text[i];
            continue;
        }
        *at++ = '%';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    return at;
}

/* Puts the credentials of --proxy-user into the URL of the proxy.  false: it
 * has complained. */
static bool add_proxy_user(struct fetch_options *options)
{
    const char *user = options->proxy_user;
    const char *proxy = options->pool.proxy;
    const char *colon = strchr(user, ':');
    const char *host;
    char *pair;
    char *at;

    if (!proxy || !*proxy) {
        cli_usage_error("fetch", "--proxy-user needs --proxy");
        return false;
    }
    host = strstr(proxy, "://");
    host = host ? host + 3 : proxy;
    if (strchr(host, '@'))
        host = strchr(host, '@') + 1; /* in the place of what is there */
    pair = cli_alloc(3 * strlen(user) + 2);
    at = encode(pair, user, (size_t)(colon - user));
    *at++ = ':';
    encode(at, colon + 1, strlen(colon + 1));
    options->proxy = cli_format(
        "%.*s%s@%s",
        strstr(proxy, "://") ? (int)(strstr(proxy, "://") + 3 - proxy) : 0,
        proxy, pair, host);
    free(pair);
    options->pool.proxy = options->proxy;
    return true;
}

bool fetch_change_pool(struct fetch_options *options)
{
    weir_pool_options *pool = &options->pool;
    const char *ca_file = pool->ca_file;
    const char *ca_path = pool->ca_path;

    pool->proxy_environment = true; /* a command asks, a library does not */
    for (size_t i = 0; i < options->pool_change_count; i++) {
        const struct pool_change *given = &options->pool_changes[i];

        if (!given->change(pool, given->argument))
            return false;
    }
    /* What is trusted takes the place of all that the settings trust. */
    if (pool->ca_file != ca_file && pool->ca_path == ca_path)
        pool->ca_path = NULL;
    else if (pool->ca_path != ca_path && pool->ca_file == ca_file)
        pool->ca_file = NULL;
    if (options->proxy_user && !add_proxy_user(options))
        return false;
    if (options->verbose)
        pool->trace = cli_trace;
    if (options->parallel > (long)pool->max_per_host &&
        options->parallel > (long)pool->max_waiting)
        pool->max_waiting = (unsigned)options->parallel;
    return true;
}
