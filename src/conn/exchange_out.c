/* The way out: head, then body, framed as the head has announced. */
#include "conn/exchange.h"

#include <string.h>

#include "base/error.h"

/* Before and behind the data of a chunk. */
enum {
    CHUNK_LINE = 18,
    CHUNK_END = 2,
    LAST_CHUNK = 5
};

/* Apart, since most requests have no body that is produced. */
__attribute__((noinline)) static weir_status produce(struct wr_exchange *ex,
                                                     weir_error *ret_err)
{
    struct wr_source *source = &ex->request->body;
    const bool is_chunked = source->length == WEIR_LENGTH_UNKNOWN;
    const size_t lead = is_chunked ? CHUNK_LINE : 0;
    char line[CHUNK_LINE];
    size_t line_len;
    size_t len;
    weir_status status;

    ex->out.len = 0;
    ex->out_sent = 0;
    if (!wr_buf_reserve(&ex->out, WR_SEND_CHUNK))
        return wr_error_no_memory(ret_err);
    status = wr_source_read(source, ex->out.data + lead,
                            WR_SEND_CHUNK - lead -
                                (is_chunked ? CHUNK_END + LAST_CHUNK : 0),
                            &len, ret_err);
    if (status != WEIR_OK || source->is_late)
        return status;
    ex->is_produced = is_chunked ? len == 0 : source->given == source->length;
    if (!is_chunked) {
        ex->out.len = len;
        return WEIR_OK;
    }
    if (len == 0) {
        memcpy(ex->out.data, "0\r\n\r\n", LAST_CHUNK);
        ex->out.len = LAST_CHUNK;
        return WEIR_OK;
    }
    line_len = wr_chunk_line(line, len);
    ex->out_sent = lead - line_len; /* the line ends where the data begins */
    memcpy(ex->out.data + ex->out_sent, line, line_len);
    memcpy(ex->out.data + lead + len, "\r\n", CHUNK_END);
    ex->out.len = lead + len + CHUNK_END;
    return WEIR_OK;
}

static int add(struct iovec *iov, int count, const void *bytes, size_t len)
{
    if (len == 0)
        return count;
    iov[count].iov_base = (void *)(uintptr_t)bytes;
    iov[count].iov_len = len;
    return count + 1;
}

int wr_exchange_output(struct wr_exchange *ex, struct iovec iov[2],
                       weir_error *ret_err)
{
    const struct weir_request *request = ex->request;
    int count;

    if (ex->is_sent || ex->is_withheld)
        return 0;
    count = add(iov, 0, request->head.data + ex->head_sent,
                request->head.len - ex->head_sent);
    if (ex->is_held)
        return count;
    if (request->body.kind == WR_SOURCE_MEMORY)
        return add(iov, count, request->body.bytes + ex->body_sent,
                   (size_t)(request->body.length - ex->body_sent));
    if (ex->out_sent == ex->out.len && !ex->is_produced &&
        produce(ex, ret_err) != WEIR_OK)
        return -1;
    if (ex->out.len == 0)
        return count;
    return add(iov, count, ex->out.data + ex->out_sent,
               ex->out.len - ex->out_sent);
}

void wr_exchange_sent(struct wr_exchange *ex, size_t n)
{
    const struct weir_request *request = ex->request;
    const size_t head_left = request->head.len - ex->head_sent;
    const size_t of_head = n < head_left ? n : head_left;

    ex->has_sent_any = ex->has_sent_any || n > 0;
    ex->bytes_sent += n;
    ex->head_sent += of_head;
    n -= of_head;
    if (request->body.kind == WR_SOURCE_MEMORY)
        ex->body_sent += n;
    else
        ex->out_sent += n;
    ex->is_sent = ex->head_sent == request->head.len && !ex->is_held &&
                  ex->is_produced && ex->out_sent == ex->out.len &&
                  (request->body.kind != WR_SOURCE_MEMORY ||
                   ex->body_sent == request->body.length);
}

void wr_exchange_unhold(struct wr_exchange *ex)
{
    ex->is_held = false;
    wr_exchange_sent(ex, 0); /* an empty body is sent with its head */
}
