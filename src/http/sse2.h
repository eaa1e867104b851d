/* Sixteen bytes of a header section at a time; for scan.c and head.c, under
 * __SSE2__ alone.  Both look at at[0] to at[15]. */
#ifndef WR_HTTP_SSE2_H
#define WR_HTTP_SSE2_H

#include <emmintrin.h>

static inline __m128i wr_sse2_load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Bit i is set when at[i] is not plain (http/scan.h). */
static inline unsigned wr_sse2_special(const char *at)
{
    const __m128i bytes = wr_sse2_load(at);
    const __m128i low =
        _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));

    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(_mm_andnot_si128(tab, low), del));
}

/* Bytes before the first that is neither letter nor '-': most field names hold
 * nothing else and are shorter than 16. */
static inline unsigned wr_sse2_name_len(const char *at)
{
    const __m128i bytes = wr_sse2_load(at);
    const __m128i letters = _mm_sub_epi8(
        _mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i is_letter =
        _mm_cmpeq_epi8(_mm_min_epu8(letters, _mm_set1_epi8(25)), letters);
    const __m128i is_dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));

    return (unsigned)__builtin_ctz(
        ~(unsigned)_mm_movemask_epi8(_mm_or_si128(is_letter, is_dash)));
}

#endif
