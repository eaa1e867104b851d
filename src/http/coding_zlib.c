/* gzip and deflate, by zlib. */
#include "http/coding_inner.h"

#if defined(WEIR_HAVE_ZLIB)

#include <limits.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/mem.h"

/* What the next byte is. */
enum zlib_at {
    AT_SNIFF,   /* deflate: of the first two, which tell its kind */
    AT_STREAM,  /* of a deflate stream or a gzip member */
    AT_BETWEEN, /* gzip: behind a member */
};

struct zlib {
    z_stream stream;
    enum zlib_at at;
    bool is_gzip;
    /* The beginning of what may be a stream or a member, held back until it is
     * known what it is. */
    unsigned char held[2];
    unsigned held_len;
};

enum {
    WINDOW_ZLIB = 15,
    WINDOW_GZIP = 15 + 16,
    WINDOW_RAW = -15,
};

static voidpf zlib_alloc(voidpf opaque, uInt count, uInt size)
{
    (void)opaque;
    return wr_calloc(count, size);
}

static void zlib_dealloc(voidpf opaque, voidpf ptr)
{
    (void)opaque;
    wr_free(ptr);
}

static void zlib_free(void *state)
{
    struct zlib *zlib = state;

    inflateEnd(&zlib->stream);
    wr_free(zlib);
}

static struct zlib *zlib_new(int window)
{
    struct zlib *zlib = wr_calloc(1, sizeof *zlib);

    if (!zlib)
        return NULL;
    zlib->stream.zalloc = zlib_alloc;
    zlib->stream.zfree = zlib_dealloc;
    if (inflateInit2(&zlib->stream, window) != Z_OK) {
        wr_free(zlib);
        return NULL;
    }
    return zlib;
}

static void *gzip_new(void)
{
    struct zlib *zlib = zlib_new(WINDOW_GZIP);

    if (zlib) {
        zlib->is_gzip = true;
        zlib->at = AT_STREAM;
    }
    return zlib;
}

static void *deflate_new(void)
{
    return zlib_new(WINDOW_ZLIB);
}

static unsigned char take_byte(struct wr_slice *in)
{
    in->len--;
    return (unsigned char)*in->data++;
}

/* Gives zlib bytes; *in keeps what it has not taken. */
static enum wr_inner_result feed(struct zlib *zlib, struct wr_slice *in,
                                 char *out, size_t cap, size_t *ret_len,
                                 const char **ret_why)
{
    z_stream *stream = &zlib->stream;
    const uInt offered = in->len < UINT_MAX ? (uInt)in->len : UINT_MAX;
    int result;

    stream->next_in = (const Bytef *)in->data;
    stream->avail_in = offered;
    stream->next_out = (Bytef *)out;
    stream->avail_out = (uInt)cap;
    stream->msg = NULL;
    result = inflate(stream, Z_NO_FLUSH);
    in->data += offered - stream->avail_in;
    in->len -= offered - stream->avail_in;
    *ret_len = cap - stream->avail_out;
    switch (result) {
    case Z_OK:
    case Z_BUF_ERROR: /* all is given: not an error */
        return WR_INNER_MORE;
    case Z_STREAM_END:
        return WR_INNER_DONE;
    case Z_MEM_ERROR:
        return WR_INNER_NO_MEMORY;
    case Z_NEED_DICT:
        *ret_why = "it asks for a dictionary";
        return WR_INNER_DAMAGED;
    default:
        *ret_why = stream->msg ? stream->msg : "unknown error";
        return WR_INNER_DAMAGED;
    }
}

/* Gives zlib the bytes held back: a beginning that has no output. */
static enum wr_inner_result feed_held(struct zlib *zlib, const char **ret_why)
{
    struct wr_slice held = {(const char *)zlib->held, zlib->held_len};
    char none;
    size_t len;

    zlib->held_len = 0;
    zlib->at = AT_STREAM;
    return feed(zlib, &held, &none, 1, &len, ret_why);
}

/* Deflate is meant to have zlib's wrapper (RFC 9110 section 8.4.1.2), and some
 * servers send it bare.  The first two bytes of the wrapper (RFC 1950 section
 * 2.2) begin no deflate stream that anyone makes: the low bits of the first
 * would be a stored block with a one in its padding. */
static bool is_wrapper(const unsigned char *bytes, unsigned len)
{
    if ((bytes[0] & 0x0f) != 8 || bytes[0] >> 4 > 7)
        return false;
    return len < 2 || (bytes[0] << 8 | bytes[1]) % 31 == 0;
}

static enum wr_inner_result sniff(struct zlib *zlib, struct wr_slice *in,
                                  const char **ret_why)
{
    do {
        if (!in->len)
            return WR_INNER_MORE;
        zlib->held[zlib->held_len++] = take_byte(in);
    } while (zlib->held_len < 2 && is_wrapper(zlib->held, zlib->held_len));
    if (!is_wrapper(zlib->held, zlib->held_len))
        inflateReset2(&zlib->stream, WINDOW_RAW);
    return feed_held(zlib, ret_why);
}

/* Behind a gzip member comes another (RFC 1952 section 2.2), or something that
 * is not the body's: padding, as on tapes, or garbage. */
static enum wr_inner_result find_member(struct zlib *zlib, struct wr_slice *in,
                                        const char **ret_why)
{
    static const unsigned char magic[] = {0x1f, 0x8b};

    while (zlib->held_len < sizeof magic) {
        if (!in->len)
            return WR_INNER_MORE;
        zlib->held[zlib->held_len] = take_byte(in);
        if (zlib->held[zlib->held_len] != magic[zlib->held_len])
            return WR_INNER_DONE;
        zlib->held_len++;
    }
    inflateReset(&zlib->stream);
    return feed_held(zlib, ret_why);
}

static enum wr_inner_result zlib_run(void *state, struct wr_slice *in,
                                     char *out, size_t cap, size_t *ret_len,
                                     const char **ret_why)
{
    struct zlib *zlib = state;
    enum wr_inner_result result = WR_INNER_MORE;

    *ret_len = 0;
    if (zlib->at == AT_SNIFF)
        result = sniff(zlib, in, ret_why);
    else if (zlib->at == AT_BETWEEN)
        result = find_member(zlib, in, ret_why);
    if (zlib->at != AT_STREAM || result != WR_INNER_MORE)
        return result;
    result = feed(zlib, in, out, cap, ret_len, ret_why);
    if (result == WR_INNER_DONE && zlib->is_gzip) {
        zlib->at = AT_BETWEEN;
        return WR_INNER_MORE;
    }
    return result;
}

static bool zlib_is_at_end(const void *state)
{
    const struct zlib *zlib = state;

    return zlib->at == AT_BETWEEN;
}

const struct wr_coding_inner wr_inner_gzip = {gzip_new, zlib_free, zlib_run,
                                              zlib_is_at_end};
const struct wr_coding_inner wr_inner_deflate = {deflate_new, zlib_free,
                                                 zlib_run, zlib_is_at_end};

#endif
