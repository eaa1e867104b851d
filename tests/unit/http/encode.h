/* Content codings, the other way round: what a server does to a body.
 *
 * Only for the codings that are built in; each is all in one call. */
#ifndef ENCODE_H
#define ENCODE_H

#include <limits.h>
#include <string.h>

#if defined(WEIR_HAVE_BROTLI)
#include <brotli/encode.h>
#endif
#if defined(WEIR_HAVE_ZLIB)
#include <zlib.h>
#endif
#if defined(WEIR_HAVE_ZSTD)
#include <zstd.h>
#endif

#include "base/buf.h"
#include "base/slice.h"
#include "http/coding.h"

enum {
    ENCODE_ROOM = 4096, /* more than any coding adds to what it cannot pack */
};

static inline void encode_room(struct wr_buf *out, size_t len)
{
    assert_true(wr_buf_reserve(out, len + len / 8 + ENCODE_ROOM));
}

#if defined(WEIR_HAVE_ZLIB)
/* window as deflateInit2() has it: 31 = gzip, 15 = deflate, -15 = bare. */
static inline void encode_zlib(struct wr_buf *out, struct wr_slice in,
                               int window)
{
    z_stream stream = {0};

    encode_room(out, in.len);
    assert_int_equal(
        deflateInit2(&stream, 6, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY),
        Z_OK);
    stream.next_in = (Bytef *)in.data;
    stream.avail_in = (uInt)in.len;
    stream.next_out = (Bytef *)out->data + out->len;
    stream.avail_out = (uInt)(out->cap - out->len);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out->len += stream.total_out;
    deflateEnd(&stream);
}
#endif

#if defined(WEIR_HAVE_BROTLI)
static inline void encode_brotli(struct wr_buf *out, struct wr_slice in)
{
    size_t len;

    encode_room(out, in.len);
    len = out->cap - out->len;
    assert_true(BrotliEncoderCompress(6, 18, BROTLI_MODE_TEXT, in.len,
                                      (const uint8_t *)in.data, &len,
                                      (uint8_t *)out->data + out->len));
    out->len += len;
}
#endif

#if defined(WEIR_HAVE_ZSTD)
/* With a checksum, so that there is something behind the last block. */
static inline void encode_zstd(struct wr_buf *out, struct wr_slice in)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t len;

    encode_room(out, in.len);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    len = ZSTD_compress2(context, out->data + out->len, out->cap - out->len,
                         in.data, in.len);
    assert_false(ZSTD_isError(len));
    out->len += len;
    ZSTD_freeCCtx(context);
}
#endif

/* Appends the body with one coding. */
static inline void encode(struct wr_buf *out, struct wr_slice in,
                          enum wr_coding coding)
{
    switch (coding) {
#if defined(WEIR_HAVE_ZLIB)
    case WR_CODING_GZIP:
        encode_zlib(out, in, 31);
        break;
    case WR_CODING_DEFLATE:
        encode_zlib(out, in, 15);
        break;
#endif
#if defined(WEIR_HAVE_BROTLI)
    case WR_CODING_BR:
        encode_brotli(out, in);
        break;
#endif
#if defined(WEIR_HAVE_ZSTD)
    case WR_CODING_ZSTD:
        encode_zstd(out, in);
        break;
#endif
    default:
        fail_msg("%zu bytes behind %zu: %s is not built in", in.len, out->len,
                 wr_coding_name(coding));
    }
}

/* The body with all of a list, in its order.  The caller frees it. */
static inline struct wr_buf encode_list(struct wr_slice in,
                                        const struct wr_coding_list *codings)
{
    struct wr_buf body = {0};

    if (in.len)
        assert_true(wr_buf_append(&body, in.data, in.len));
    for (unsigned i = 0; i < codings->count; i++) {
        struct wr_buf coded = {0};

        encode(&coded, (struct wr_slice){body.data, body.len},
               codings->list[i]);
        wr_buf_done(&body);
        body = coded;
    }
    return body;
}

#endif
