/* zstd, by libzstd.  Its own memory comes from malloc: to choose another is
 * not part of its stable interface. */
#include "http/coding_inner.h"

#if defined(WEIR_HAVE_ZSTD)

#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

enum {
    WINDOW_LOG_MAX = 23,  /* 8 MiB (RFC 9659 section 3) */
    FRAME_HEADER_MAX = 18 /* bytes (RFC 8878 section 3.1.1), magic number too */
};

struct zstd {
    ZSTD_DStream *stream;
    unsigned header; /* bytes of the frame so far, at most FRAME_HEADER_MAX */
    bool at_end;     /* behind a frame */
};

static void zstd_free(void *state)
{
    struct zstd *zstd = state;

    ZSTD_freeDStream(zstd->stream);
    wr_free(zstd);
}

static void *zstd_new(void)
{
    struct zstd *zstd = wr_calloc(1, sizeof *zstd);

    if (!zstd)
        return NULL;
    zstd->stream = ZSTD_createDStream();
    if (!zstd->stream ||
        ZSTD_isError(ZSTD_DCtx_setParameter(zstd->stream, ZSTD_d_windowLogMax,
                                            WINDOW_LOG_MAX))) {
        zstd_free(zstd);
        return NULL;
    }
    return zstd;
}

/* A frame's header is fed byte by byte.  Given a whole frame and room for all
 * of its content, libzstd would take a short cut that looks at no window
 * limit; and given a whole magic number it would see those of its old formats,
 * which RFC 8878 does not know. */
static size_t offered(const struct zstd *zstd, const struct wr_slice *in)
{
    return in->len && zstd->header < FRAME_HEADER_MAX ? 1 : in->len;
}

static enum wr_inner_result zstd_run(void *state, struct wr_slice *in,
                                     char *out, size_t cap, size_t *ret_len,
                                     const char **ret_why)
{
    struct zstd *zstd = state;
    ZSTD_inBuffer from = {in->data, offered(zstd, in), 0};
    ZSTD_outBuffer to = {.size = cap};
    size_t left;

    to.dst = out;
    left = ZSTD_decompressStream(zstd->stream, &to, &from);
    if (ZSTD_isError(left)) {
        if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation)
            return WR_INNER_NO_MEMORY;
        *ret_why = ZSTD_getErrorName(left);
        return WR_INNER_DAMAGED;
    }
    in->data += from.pos;
    in->len -= from.pos;
    *ret_len = to.pos;
    if (from.pos == 0)
        return WR_INNER_MORE;
    zstd->at_end = left == 0;
    if (zstd->at_end)
        zstd->header = 0;
    else if (zstd->header < FRAME_HEADER_MAX)
        zstd->header++;
    return WR_INNER_MORE;
}

/* Behind a frame another may come (RFC 8878 section 3), for ever. */
static bool zstd_is_at_end(const void *state)
{
    const struct zstd *zstd = state;

    return zstd->at_end;
}

const struct wr_coding_inner wr_inner_zstd = {zstd_new, zstd_free, zstd_run,
                                              zstd_is_at_end};

#endif
