/* Building requests. */
#include "api/request.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "conn/request.h"
#include "http/emit.h"
#include "http/field_lines.h"
#include "http/proxy.h"
#include "net/addr.h"

static struct wr_slice slice_of(const char *text)
{
    return (struct wr_slice){text, strlen(text)};
}

weir_status wr_missing(weir_error *ret_err, const char *what)
{
    return wr_error_set(ret_err, WEIR_E_INVALID, "%s is NULL", what);
}

/* The credentials of a URL are a field like that of weir_request_set_basic().
 */
static weir_status add_userinfo(struct weir_request *request,
                                weir_error *ret_err)
{
    if (!request->url.userinfo.data)
        return WEIR_OK;
    if (wr_buf_append_text(&request->fields, "Authorization: ") &&
        wr_basic_append(&request->fields, request->url.userinfo) &&
        wr_buf_append_text(&request->fields, "\r\n"))
        return WEIR_OK;
    return wr_error_no_memory(ret_err);
}

weir_status weir_request_new(const char *method, const char *url,
                             weir_request **ret_request, weir_error *ret_err)
{
    struct weir_request *request;
    weir_status status;

    if (!method || !url || !ret_request)
        return wr_missing(ret_err, !method ? "method"
                                   : !url  ? "url"
                                           : "ret_request");
    status = wr_check_method(slice_of(method), ret_err);
    if (status != WEIR_OK)
        return status;
    request = wr_calloc(1, sizeof *request);
    if (!request)
        return wr_error_no_memory(ret_err);
    atomic_init(&request->refs, 1);
    atomic_init(&request->is_sending, false);
    status = wr_url_parse(&request->url, url, strlen(url), ret_err);
    if (status == WEIR_OK) {
        request->method = wr_strdup(method);
        if (!request->method)
            status = wr_error_no_memory(ret_err);
    }
    if (status == WEIR_OK)
        status = add_userinfo(request, ret_err);
    if (status != WEIR_OK) {
        weir_request_free(request);
        return status;
    }
    request->is_head = strcmp(method, "HEAD") == 0;
    request->is_idempotent = wr_method_is_idempotent(slice_of(method));
    for (unsigned i = 0; i < WR_TIMEOUTS; i++)
        request->timeouts[i] = -1;
    request->decompress = -1;
    request->max_redirects = WEIR_REDIRECTS_OF_POOL;
    *ret_request = request;
    return WEIR_OK;
}

void weir_request_free(weir_request *request)
{
    if (request)
        wr_request_unref(request);
}

weir_status wr_check_unused(struct weir_request *request, weir_error *ret_err)
{
    if (!wr_request_is_in_use(request))
        return WEIR_OK;
    return wr_error_set(ret_err, WEIR_E_STATE,
                        "the request is in use by an asynchronous call");
}

weir_status wr_request_set_text(struct weir_request *request, char **at,
                                const char *text, weir_error *ret_err)
{
    const weir_status status = wr_check_unused(request, ret_err);
    char *copy = NULL;

    if (status != WEIR_OK)
        return status;
    if (text) {
        copy = wr_strdup(text);
        if (!copy)
            return wr_error_no_memory(ret_err);
    }
    wr_free(*at);
    *at = copy;
    wr_request_forget(request);
    return WEIR_OK;
}

/* --- body ---------------------------------------------------------------- */

/* Takes `body` over, also on failure. */
static weir_status replace_body(struct weir_request *request,
                                struct wr_source *body, weir_error *ret_err)
{
    const weir_status status = wr_check_unused(request, ret_err);

    if (status != WEIR_OK) {
        wr_source_done(body);
        return status;
    }
    wr_source_done(&request->body);
    request->body = *body;
    wr_request_forget(request);
    return WEIR_OK;
}

weir_status weir_request_set_body(weir_request *request, const void *bytes,
                                  size_t length, weir_error *ret_err)
{
    struct wr_source body;

    if (!request || (!bytes && length))
        return wr_missing(ret_err, !request ? "request" : "bytes");
    wr_source_memory(&body, bytes ? bytes : "", length);
    return replace_body(request, &body, ret_err);
}

weir_status weir_request_set_body_copy(weir_request *request, const void *bytes,
                                       size_t length, weir_error *ret_err)
{
    struct wr_source body;
    weir_status status;

    if (!request || (!bytes && length))
        return wr_missing(ret_err, !request ? "request" : "bytes");
    status = wr_source_copy(&body, bytes ? bytes : "", length, ret_err);
    if (status == WEIR_OK)
        status = replace_body(request, &body, ret_err);
    return status;
}

weir_status weir_request_set_body_file(weir_request *request, const char *path,
                                       weir_error *ret_err)
{
    struct wr_source body;
    weir_status status;

    if (!request || !path)
        return wr_missing(ret_err, !request ? "request" : "path");
    status = wr_source_file(&body, path, ret_err);
    if (status == WEIR_OK)
        status = replace_body(request, &body, ret_err);
    return status;
}

weir_status weir_request_set_body_reader(weir_request *request, uint64_t length,
                                         weir_body_read_fn read,
                                         weir_body_rewind_fn rewind, void *user,
                                         weir_error *ret_err)
{
    struct wr_source body;

    if (!request || !read)
        return wr_missing(ret_err, !request ? "request" : "read");
    wr_source_reader(&body, length, read, rewind, user);
    return replace_body(request, &body, ret_err);
}

weir_status weir_request_set_expect_continue(weir_request *request, double wait,
                                             weir_error *ret_err)
{
    if (!request)
        return wr_missing(ret_err, "request");
    if (!(wait >= 0))
        return wr_error_set(ret_err, WEIR_E_OPTION,
                            "wait: found %g, expected 0 or more seconds", wait);
    if (wr_check_unused(request, ret_err) != WEIR_OK)
        return WEIR_E_STATE;
    request->expect_ns = wr_seconds(wait);
    wr_request_forget(request);
    return WEIR_OK;
}

/* --- the rest ------------------------------------------------------------ */

weir_status weir_request_set_timeout(weir_request *request, weir_timeout which,
                                     double seconds, weir_error *ret_err)
{
    if (!request)
        return wr_missing(ret_err, "request");
    if ((unsigned)which >= WR_TIMEOUTS || seconds != seconds)
        return wr_error_set(ret_err, WEIR_E_OPTION,
                            "time limit %d: found %g, expected seconds",
                            (int)which, seconds);
    if (wr_check_unused(request, ret_err) != WEIR_OK)
        return WEIR_E_STATE;
    if (which == WEIR_TIMEOUT_CONNECT && seconds == 0)
        seconds = 1e10; /* none */
    request->timeouts[which] = seconds;
    request->has_timeouts = true;
    return WEIR_OK;
}

weir_status weir_request_set_decompress(weir_request *request, bool yes,
                                        weir_error *ret_err)
{
    if (!request)
        return wr_missing(ret_err, "request");
    if (wr_check_unused(request, ret_err) != WEIR_OK)
        return WEIR_E_STATE;
    request->decompress = yes;
    wr_request_forget(request);
    return WEIR_OK;
}

void weir_request_set_replayable(weir_request *request, bool yes)
{
    if (request && !wr_request_is_in_use(request))
        request->is_replayable = yes;
}

weir_status weir_request_set_single_use(weir_request *request, bool yes,
                                        weir_error *ret_err)
{
    if (!request)
        return wr_missing(ret_err, "request");
    if (wr_check_unused(request, ret_err) != WEIR_OK)
        return WEIR_E_STATE;
    request->is_single_use = yes;
    wr_request_forget(request);
    return WEIR_OK;
}

weir_status weir_request_set_isolation(weir_request *request, const char *tag,
                                       weir_error *ret_err)
{
    if (!request)
        return wr_missing(ret_err, "request");
    return wr_request_set_text(request, &request->isolation, tag, ret_err);
}

weir_status weir_request_set_unix_socket(weir_request *request,
                                         const char *path, weir_error *ret_err)
{
    struct wr_addr addr;

    if (!request)
        return wr_missing(ret_err, "request");
    if (path && !wr_addr_unix(&addr, path))
        return wr_error_set(ret_err, WEIR_E_OPTION,
                            "Unix socket: the path has %zu bytes, expected 1 "
                            "to 107",
                            strlen(path));
    return wr_request_set_text(request, &request->unix_path, path, ret_err);
}

/* NULL, or an IP literal. */
static weir_status set_address(struct weir_request *request, char **at,
                               const char *what, const char *address,
                               weir_error *ret_err)
{
    struct wr_addr addr;

    if (!request)
        return wr_missing(ret_err, "request");
    if (address && !wr_addr_parse(&addr, address, 0))
        return wr_error_set(ret_err, WEIR_E_OPTION,
                            "%s: found \"%.64s\", expected an IPv4 or IPv6 "
                            "address",
                            what, address);
    return wr_request_set_text(request, at, address, ret_err);
}

weir_status weir_request_set_address(weir_request *request, const char *address,
                                     weir_error *ret_err)
{
    return set_address(request, request ? &request->address : NULL, "address",
                       address, ret_err);
}

weir_status weir_request_set_local_address(weir_request *request,
                                           const char *address,
                                           weir_error *ret_err)
{
    return set_address(request, request ? &request->local_address : NULL,
                       "local address", address, ret_err);
}

weir_status weir_request_set_proxy(weir_request *request, const char *url,
                                   weir_error *ret_err)
{
    struct wr_proxy proxy = {.kind = WR_PROXY_NONE};
    weir_status status;

    if (!request)
        return wr_missing(ret_err, "request");
    status = wr_check_unused(request, ret_err);
    if (status == WEIR_OK && url && *url)
        status = wr_proxy_parse(&proxy, url, ret_err);
    if (status != WEIR_OK)
        return status;
    wr_proxy_done(&request->proxy);
    request->proxy = proxy;
    request->has_proxy = url != NULL;
    wr_request_forget(request);
    return WEIR_OK;
}
