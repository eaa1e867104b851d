#include "conn/hop.h"

#include <string.h>

#include "base/mem.h"
#include "http/emit.h"
#include "http/field_lines.h"
#include "http/resolve.h"

bool wr_hop_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

const char *wr_hop_method(const char *method, int status)
{
    if (status == 303 && strcmp(method, "HEAD") != 0)
        return "GET";
    if ((status == 301 || status == 302) && strcmp(method, "POST") == 0)
        return "GET";
    return method;
}

bool wr_hop_drops_body(const struct weir_request *sent, int status)
{
    return strcmp(wr_hop_method(sent->method, status), sent->method) != 0;
}

static bool begins_with(struct wr_slice name, const char *prefix)
{
    const size_t len = strlen(prefix);

    return name.len >= len && wr_equal_nocase(name.data, prefix, len);
}

static bool is_credential(struct wr_slice name)
{
    return wr_slice_is(name, "Authorization") || wr_slice_is(name, "Cookie") ||
           begins_with(name, "Proxy-");
}

/* What describes a body goes with it (RFC 9110 section 15.4). */
static bool is_of_body(struct wr_slice name)
{
    return begins_with(name, "Content-") || wr_slice_is(name, "Digest") ||
           wr_slice_is(name, "Last-Modified") || wr_slice_is(name, "Trailer");
}

static bool copy_fields(struct wr_buf *to, const struct wr_buf *from,
                        bool is_stripped, bool drops_body)
{
    struct wr_slice rest = {from->data, from->len};
    struct wr_slice line;
    struct wr_slice name;

    while (wr_field_lines_next(&rest, &line, &name)) {
        if ((is_stripped && is_credential(name)) ||
            (drops_body && is_of_body(name)))
            continue;
        if (!wr_buf_append(to, line.data, line.len))
            return false;
    }
    return true;
}

/* *to = a copy, or NULL for NULL.  false: no memory. */
static bool copy_text(char **to, const char *from)
{
    *to = from ? wr_strdup(from) : NULL;
    return *to || !from;
}

/* The way to the server: an address is one of its host. */
static bool copy_way(struct weir_request *to, const struct weir_request *from,
                     const struct wr_url *url)
{
    const bool is_same_host =
        wr_slice_is(url->host, from->url.host.data); /* both canonical */

    return copy_text(&to->isolation, from->isolation) &&
           copy_text(&to->unix_path, from->unix_path) &&
           copy_text(&to->address, is_same_host ? from->address : NULL) &&
           copy_text(&to->local_address, from->local_address);
}

struct weir_request *wr_hop_request(const struct wr_redirected *hop,
                                    struct wr_url *url)
{
    const struct weir_request *sent = hop->sent;
    const bool is_same = wr_url_same_origin(&sent->url, url);
    const bool drops_body = wr_hop_drops_body(sent, hop->status);
    const char *method = wr_hop_method(sent->method, hop->status);
    struct weir_request *next = wr_calloc(1, sizeof *next);

    if (!next)
        return NULL;
    atomic_init(&next->refs, 1);
    atomic_init(&next->is_sending, false);
    next->is_head = strcmp(method, "HEAD") == 0;
    next->is_idempotent =
        wr_method_is_idempotent((struct wr_slice){method, strlen(method)});
    next->decompress = sent->decompress;
    next->has_proxy = sent->has_proxy;
    next->proxy = sent->proxy;
    next->proxy.block = NULL; /* the asked request's, which lives longer */
    next->is_replayable = sent->is_replayable;
    next->is_single_use = sent->is_single_use;
    memcpy(next->timeouts, sent->timeouts, sizeof next->timeouts);
    next->has_timeouts = sent->has_timeouts;
    if (!drops_body) {
        next->body = sent->body;
        next->body.is_borrowed = true;
        next->expect_ns = sent->expect_ns;
    }
    if (!copy_text(&next->method, method) ||
        !copy_text(&next->host_field, is_same ? sent->host_field : NULL) ||
        !copy_fields(&next->fields, &sent->fields, hop->is_stripped || !is_same,
                     drops_body) ||
        !copy_way(next, sent, url)) {
        wr_request_unref(next);
        return NULL;
    }
    next->url = *url;
    return next;
}
