/* br, by brotli. */
#include "http/coding_inner.h"

#if defined(WEIR_HAVE_BROTLI)

#include <brotli/decode.h>

#include "base/mem.h"

static void *brotli_alloc(void *opaque, size_t size)
{
    (void)opaque;
    return wr_malloc(size);
}

static void brotli_dealloc(void *opaque, void *ptr)
{
    (void)opaque;
    wr_free(ptr);
}

/* Large windows, which RFC 7932 does not know, are off unless asked for. */
static void *brotli_new(void)
{
    return BrotliDecoderCreateInstance(brotli_alloc, brotli_dealloc, NULL);
}

static void brotli_free(void *state)
{
    BrotliDecoderDestroyInstance(state);
}

static bool is_no_memory(BrotliDecoderErrorCode code)
{
    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
           code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
}

static enum wr_inner_result brotli_run(void *state, struct wr_slice *in,
                                       char *out, size_t cap, size_t *ret_len,
                                       const char **ret_why)
{
    const uint8_t *next_in = (const uint8_t *)in->data;
    uint8_t *next_out = (uint8_t *)out;
    size_t room = cap;
    const BrotliDecoderResult result = BrotliDecoderDecompressStream(
        state, &in->len, &next_in, &room, &next_out, NULL);
    BrotliDecoderErrorCode code;

    in->data = (const char *)next_in;
    *ret_len = cap - room;
    if (result == BROTLI_DECODER_RESULT_SUCCESS)
        return WR_INNER_DONE;
    if (result != BROTLI_DECODER_RESULT_ERROR)
        return WR_INNER_MORE;
    code = BrotliDecoderGetErrorCode(state);
    if (is_no_memory(code))
        return WR_INNER_NO_MEMORY;
    *ret_why = BrotliDecoderErrorString(code);
    return WR_INNER_DAMAGED;
}

/* It knows its end. */
static bool brotli_is_at_end(const void *state)
{
    (void)state;
    return false;
}

const struct wr_coding_inner wr_inner_br = {brotli_new, brotli_free, brotli_run,
                                            brotli_is_at_end};

#endif
