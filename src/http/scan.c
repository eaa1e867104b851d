#include "http/scan.h"

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>

#include "http/sse2.h"
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#endif

static int is_plain(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* Eight bytes at a time: the high bit of each byte of the result is set where
 * the byte is not plain.  Setting the high bits before each subtraction keeps
 * borrows inside their bytes, so every bit is exact. */
static uint64_t find_special(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t high = ones << 7;
    const uint64_t from_space = (word | high) - ones * 0x20;
    const uint64_t not_tab = ((word ^ ones * '\t') | high) - ones;
    const uint64_t not_del = ((word ^ ones * 0x7f) | high) - ones;

    return ((~from_space & not_tab) | ~not_del) & ~word & high;
}

static unsigned first_marked(uint64_t marks)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (unsigned)__builtin_ctzll(marks) / 8;
#else
    return (unsigned)__builtin_clzll(marks) / 8;
#endif
}

const char *wr_scan_portable(const char *from, const char *end)
{
    for (; end - from >= 8; from += 8) {
        uint64_t word;
        uint64_t marks;

        memcpy(&word, from, sizeof word);
        marks = find_special(word);
        if (marks)
            return from + first_marked(marks);
    }
    while (from < end && is_plain((unsigned char)*from))
        from++;
    return from;
}

#if defined(__SSE2__)

static const char *scan_sse2(const char *from, const char *end)
{
    for (; end - from >= 16; from += 16) {
        const unsigned marks = wr_sse2_special(from);

        if (marks)
            return from + __builtin_ctz(marks);
    }
    return wr_scan_portable(from, end);
}

__attribute__((target("avx2"))) static unsigned avx2_special(const char *at)
{
    const __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
    const __m256i low = _mm256_cmpeq_epi8(
        _mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
    const __m256i tab = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\t'));
    const __m256i del = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7f));

    return (unsigned)_mm256_movemask_epi8(
        _mm256_or_si256(_mm256_andnot_si256(tab, low), del));
}

__attribute__((target("avx2"))) static const char *scan_avx2(const char *from,
                                                             const char *end)
{
    for (; end - from >= 32; from += 32) {
        const unsigned marks = avx2_special(from);

        if (marks)
            return from + __builtin_ctz(marks);
    }
    return scan_sse2(from, end);
}

#elif defined(__aarch64__) && defined(__ARM_NEON)

/* Four bits a byte, the first byte lowest. */
static uint64_t neon_special(const char *at)
{
    const uint8x16_t bytes = vld1q_u8((const uint8_t *)at);
    const uint8x16_t low = vcltq_u8(bytes, vdupq_n_u8(0x20));
    const uint8x16_t tab = vceqq_u8(bytes, vdupq_n_u8('\t'));
    const uint8x16_t del = vceqq_u8(bytes, vdupq_n_u8(0x7f));
    const uint8x16_t special = vorrq_u8(vbicq_u8(low, tab), del);

    return vget_lane_u64(
        vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(special), 4)), 0);
}

static const char *scan_neon(const char *from, const char *end)
{
    for (; end - from >= 16; from += 16) {
        const uint64_t marks = neon_special(from);

        if (marks)
            return from + __builtin_ctzll(marks) / 4;
    }
    return wr_scan_portable(from, end);
}

#endif

/* Best first: a machine can run its best form and all that follow it. */
static const struct wr_scanner forms[] = {
#if defined(__SSE2__)
    {"avx2", scan_avx2},
    {"sse2", scan_sse2},
#elif defined(__aarch64__) && defined(__ARM_NEON)
    {"neon", scan_neon},
#endif
    {"portable", wr_scan_portable},
    {NULL, NULL},
};

#if defined(__SSE2__)
/* SSE2 until the constructor has looked, so that a call from another
 * constructor is safe; written before any thread exists, only read after. */
static const struct wr_scanner *best = forms + 1;

__attribute__((constructor)) static void choose(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2"))
        best = forms;
}
#else
static const struct wr_scanner *const best = forms;
#endif

const char *wr_scan(const char *from, const char *end)
{
    return best->scan(from, end);
}

const char *wr_scan_name(void)
{
    return best->name;
}

const struct wr_scanner *wr_scanners(void)
{
    return best;
}
