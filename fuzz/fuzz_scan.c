/* Every form of the scanner that this machine can run stops at the same byte
 * as one that looks at a byte at a time, wherever the text begins and ends. */
#include "fuzz.h"

#include "guard.h"

#include "http/field.h"
#include "http/scan.h"
#if defined(__SSE2__)
#include "http/sse2.h"
#endif

enum {
    MOST_BYTES = 1 << 16
};

/* RFC 9110 section 5.5: HTAB, SP, VCHAR and obs-text. */
static const char *scan_naively(const char *from, const char *end)
{
    while (from < end && (*from == '\t' || (unsigned char)*from >= ' ') &&
           *from != 0x7f)
        from++;
    return from;
}

static void check_scanners(const char *from, const char *end)
{
    const char *wanted = scan_naively(from, end);

    for (const struct wr_scanner *form = wr_scanners(); form->name; form++)
        CHECK(form->scan(from, end) == wanted);
    CHECK(wr_scan(from, end) == wanted);
    CHECK(wr_scan_portable(from, end) == wanted);
}

/* Sixteen bytes at a time: marks and names. */
static void check_wide(const char *at)
{
#if defined(__SSE2__)
    unsigned len = 0;
    unsigned marks = 0;

    while (len < 16 && (at[len] == '-' || (at[len] >= 'a' && at[len] <= 'z') ||
                        (at[len] >= 'A' && at[len] <= 'Z')))
        len++;
    for (unsigned i = 0; i < 16; i++)
        marks |= (unsigned)(scan_naively(at + i, at + i + 1) == at + i) << i;
    CHECK(wr_sse2_name_len(at) == len);
    CHECK(wr_sse2_special(at) == marks);
#else
    (void)at;
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct guard room;
    const char *text;

    if (size > MOST_BYTES)
        return -1;
    if (!room.pages)
        room = guard_open(MOST_BYTES);
    text = guard_at_end(&room, data, size);
    for (size_t skip = 0; skip < 40 && skip <= size; skip++)
        check_scanners(text + skip, room.end);
    for (size_t at = 0; at + 16 <= size; at++)
        check_wide(text + at);
    text = guard_at_begin(&room, data, size);
    for (size_t drop = 0; drop < 40 && drop <= size; drop++)
        check_scanners(text, text + size - drop);
    return 0;
}
