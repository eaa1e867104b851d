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
    wr_free(request);
}

static struct wr_slice slice_of(const char *text)
{
    return (struct wr_slice){text, strlen(text)};
}

static weir_status build_head(const struct weir_request *request,
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
    return wr_emit_head(&emit, out);
}

static struct wr_target *build_target(const struct weir_request *request,
                                      const struct wr_surroundings *pool)
{
    const struct wr_target_parts parts = {
        .tls = request->url.tls,
        .host = request->url.host.data,
        .port = request->url.port,
        .unix_path = request->unix_path,
        .address = request->address,
        .local = request->local_address,
        .isolation = request->isolation,
        .ip_version = pool->ip_version,
        .context = pool->tls,
        .hash_seed = pool->hash_seed,
    };

    return wr_target_new(&parts);
}

weir_status wr_request_prepare(struct weir_request *request,
                               const struct wr_surroundings *pool,
                               weir_error *ret_err)
{
    if (request->prepared_for == pool->serial)
        return WEIR_OK;
    if (wr_request_is_in_use(request))
        return wr_error_set(ret_err, WEIR_E_STATE,
                            "the request is in use with another pool");
    wr_request_forget(request);
    request->is_decoded =
        request->decompress < 0 ? pool->decompress : request->decompress != 0;
    request->target = build_target(request, pool);
    if (!request->target ||
        build_head(request, pool, &request->head) != WEIR_OK) {
        wr_request_forget(request);
        return wr_error_no_memory(ret_err);
    }
    request->prepared_for = pool->serial;
    return WEIR_OK;
}
