#include "conn/request.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "http/coding.h"
#include "http/emit.h"
#include "http/field_lines.h"

void wr_request_forget(struct weir_request *request)
{
    request->prepared_for = 0;
    wr_target_unref(request->target);
    request->target = NULL;
    request->head.len = 0;
}

void wr_request_unref(struct weir_request *request)
{
    if (atomic_fetch_sub_explicit(&request->refs, 1, memory_order_acq_rel) > 1)
        return;
    wr_request_forget(request);
    wr_buf_done(&request->head);
    wr_source_done(&request->body);
    wr_buf_done(&request->fields);
    wr_url_done(&request->url);
    wr_free(request->method);
    wr_free(request->host_field);
    wr_free(request->isolation);
    wr_free(request->unix_path);
    wr_free(request->address);
    wr_free(request->local_address);
    wr_proxy_done(&request->proxy);
    wr_free(request);
}

static struct wr_slice slice_of(const char *text)
{
    return (struct wr_slice){text, strlen(text)};
}

/* --- the way ------------------------------------------------------------- */

/* NULL = direct. */
static const struct wr_proxy *choose_proxy(const struct weir_request *request,
                                           const struct wr_surroundings *pool)
{
    if (request->unix_path)
        return NULL;
    if (!request->has_proxy)
        return wr_proxies_choose(pool->proxies, &request->url);
    return request->proxy.kind == WR_PROXY_NONE ? NULL : &request->proxy;
}

/* Sends it on to the origin itself, so it reads the request. */
static bool is_forward(const struct weir_request *request,
                       const struct wr_proxy *proxy)
{
    return proxy && !request->url.tls && !wr_proxy_is_socks(proxy);
}

static bool has_proxy_field(const struct weir_request *request)
{
    return wr_field_lines_have(&request->fields, "Proxy-Authorization");
}

static weir_status check_way(const struct weir_request *request,
                             const struct wr_proxy *proxy, weir_error *err)
{
    if (proxy && request->address)
        return wr_error_set(err, WEIR_E_OPTION,
                            "address: found %s, expected none: the request "
                            "goes through a proxy",
                            request->address);
    if (!is_forward(request, proxy) && has_proxy_field(request))
        return wr_error_set(err, WEIR_E_FIELD,
                            "Proxy-Authorization: found in a request that the "
                            "origin would read; credentials for a tunnel stand "
                            "in the URL of the proxy");
    return WEIR_OK;
}

/* --- head and target ----------------------------------------------------- */

static weir_status build_head(const struct weir_request *request,
                              const struct wr_proxy *proxy,
                              const struct wr_surroundings *pool,
                              struct wr_buf *out)
{
    struct wr_emit emit = {
        .method = slice_of(request->method),
        .target = request->url.target,
        .host = request->host_field ? slice_of(request->host_field)
                                    : request->url.authority,
        .user_agent = slice_of(pool->user_agent),
        .fields = {request->fields.data, request->fields.len},
        .framing = WR_SEND_NO_BODY,
        .close = request->is_single_use,
        .expect_continue = request->expect_ns != 0,
    };

    if (request->is_decoded &&
        !wr_field_lines_have(&request->fields, "Accept-Encoding"))
        emit.accept_encoding = slice_of(wr_codings_accepted());

    if (request->body.kind == WR_SOURCE_NONE) {
        emit.expect_continue = false;
    } else if (request->body.length == WEIR_LENGTH_UNKNOWN) {
        emit.framing = WR_SEND_CHUNKED;
    } else {
        emit.framing = WR_SEND_LENGTH;
        emit.length = request->body.length;
    }
    if (is_forward(request, proxy)) {
        emit.authority = request->url.authority;
        if (!has_proxy_field(request))
            emit.proxy_userinfo = proxy->userinfo;
    }
    return wr_emit_head(&emit, out);
}

static struct wr_target *build_target(const struct weir_request *request,
                                      const struct wr_proxy *proxy,
                                      const struct wr_surroundings *pool)
{
    const struct wr_target_parts parts = {
        .tls = request->url.tls,
        .is_single_use = request->is_single_use,
        .host = request->url.host.data,
        .port = request->url.port,
        .unix_path = request->unix_path,
        .address = request->address,
        .local = request->local_address,
        .isolation = request->isolation,
        .ip_version = pool->ip_version,
        .proxy = proxy,
        .context = pool->tls,
        .hash_seed = pool->hash_seed,
    };

    return wr_target_new(&parts);
}

weir_status wr_request_prepare(struct weir_request *request,
                               const struct wr_surroundings *pool,
                               weir_error *ret_err)
{
    const struct wr_proxy *proxy;
    weir_status status;

    if (wr_request_is_in_use(request))
        return wr_error_set(ret_err, WEIR_E_STATE,
                            "the request is in use with another pool");
    proxy = choose_proxy(request, pool);
    status = check_way(request, proxy, ret_err);
    if (status != WEIR_OK)
        return status;
    wr_request_forget(request);
    request->is_decoded =
        request->decompress < 0 ? pool->decompress : request->decompress != 0;
    request->target = build_target(request, proxy, pool);
    if (!request->target ||
        build_head(request, proxy, pool, &request->head) != WEIR_OK) {
        wr_request_forget(request);
        return wr_error_no_memory(ret_err);
    }
    request->prepared_for = pool->serial;
    return WEIR_OK;
}
