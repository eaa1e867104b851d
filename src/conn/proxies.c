#include "conn/proxies.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "http/no_proxy.h"

struct wr_proxies {
    struct wr_proxy http;  /* for http URLs */
    struct wr_proxy https; /* for https URLs */
    char *no_proxy;        /* NULL = none */
};

static bool is_set(const char *text)
{
    return text && *text;
}

/* In a process with more rights than its caller there is no environment. */
static const char *get_variable(const char *name)
{
    const char *text = secure_getenv(name);

    return is_set(text) ? text : NULL;
}

/* The first variable of a list, which NULL ends, that is set. */
static const char *find_variable(const char *const *names,
                                 const char **ret_name)
{
    for (; *names; names++) {
        const char *text = get_variable(*names);

        *ret_name = *names;
        if (text)
            return text;
    }
    return NULL;
}

/* An error of the URL becomes one of the option that holds it. */
static weir_status parse(struct wr_proxy *ret_proxy, const char *text,
                         const char *option, const char *variable,
                         weir_error *err)
{
    weir_error cause;
    const weir_status status = wr_proxy_parse(ret_proxy, text, &cause);

    if (status == WEIR_OK || status == WEIR_E_NO_MEMORY)
        return status == WEIR_OK ? status : wr_error_no_memory(err);
    return wr_error_at(err, WEIR_E_OPTION, cause.offset, "%s: %s%s%s", option,
                       variable ? variable : "", variable ? ": " : "",
                       cause.message);
}

/* HTTP_PROXY is not read: a web server sets it for its CGI programs from the
 * field Proxy of a request (CVE-2016-5385). */
static weir_status read_environment(struct wr_proxies *proxies, weir_error *err)
{
    static const char *const for_http[] = {"http_proxy", "all_proxy",
                                           "ALL_PROXY", NULL};
    static const char *const for_https[] = {"https_proxy", "HTTPS_PROXY",
                                            "all_proxy", "ALL_PROXY", NULL};
    const char *name;
    const char *text = find_variable(for_http, &name);
    weir_status status = WEIR_OK;

    if (text)
        status = parse(&proxies->http, text, "proxy_environment", name, err);
    text = find_variable(for_https, &name);
    if (text && status == WEIR_OK)
        status = parse(&proxies->https, text, "proxy_environment", name, err);
    return status;
}

static weir_status take_proxies(struct wr_proxies *proxies,
                                const struct wr_proxies_options *options,
                                weir_error *err)
{
    weir_status status;

    if (is_set(options->proxy)) {
        status = parse(&proxies->http, options->proxy, "proxy", NULL, err);
        if (status == WEIR_OK)
            status = parse(&proxies->https, options->proxy, "proxy", NULL, err);
        return status;
    }
    return options->environment ? read_environment(proxies, err) : WEIR_OK;
}

static weir_status take_no_proxy(struct wr_proxies *proxies,
                                 const struct wr_proxies_options *options,
                                 weir_error *err)
{
    static const char *const names[] = {"no_proxy", "NO_PROXY", NULL};
    const char *text = options->no_proxy;
    const char *name;

    if (!is_set(text))
        text = options->environment ? find_variable(names, &name) : NULL;
    if (!text)
        return WEIR_OK;
    proxies->no_proxy = wr_strdup(text);
    return proxies->no_proxy ? WEIR_OK : wr_error_no_memory(err);
}

weir_status wr_proxies_new(const struct wr_proxies_options *options,
                           struct wr_proxies **ret_proxies, weir_error *ret_err)
{
    struct wr_proxies *proxies;
    weir_status status;

    if (!is_set(options->proxy) && !options->environment) {
        *ret_proxies = NULL;
        return WEIR_OK;
    }
    proxies = wr_calloc(1, sizeof *proxies);
    if (!proxies)
        return wr_error_no_memory(ret_err);
    status = take_proxies(proxies, options, ret_err);
    if (status == WEIR_OK)
        status = take_no_proxy(proxies, options, ret_err);
    if (status != WEIR_OK || (proxies->http.kind == WR_PROXY_NONE &&
                              proxies->https.kind == WR_PROXY_NONE)) {
        wr_proxies_free(proxies);
        proxies = NULL;
    }
    if (status == WEIR_OK)
        *ret_proxies = proxies;
    return status;
}

const struct wr_proxy *wr_proxies_choose(const struct wr_proxies *proxies,
                                         const struct wr_url *url)
{
    const struct wr_proxy *proxy;

    if (!proxies)
        return NULL;
    proxy = url->tls ? &proxies->https : &proxies->http;
    if (proxy->kind == WR_PROXY_NONE ||
        (proxies->no_proxy &&
         wr_no_proxy_has(proxies->no_proxy, url->host.data, url->port)))
        return NULL;
    return proxy;
}

void wr_proxies_free(struct wr_proxies *proxies)
{
    if (!proxies)
        return;
    wr_proxy_done(&proxies->http);
    wr_proxy_done(&proxies->https);
    wr_free(proxies->no_proxy);
    wr_free(proxies);
}
