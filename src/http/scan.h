/* The scanner: the first byte of a header section that is not plain text.
 *
 * "Plain" is HTAB, SP to '~', and 0x80 to 0xFF; so it stops at CR, LF, NUL, all
 * other controls and DEL.  It looks at 16 or 32 bytes at a time (SSE2, AVX2,
 * NEON), chosen when the program starts, and never reads beyond `end`. */
#ifndef WR_HTTP_SCAN_H
#define WR_HTTP_SCAN_H

/* First byte in [from, end) that is not plain, or end. */
const char *wr_scan(const char *from, const char *end);
/* The portable form, which all others must equal. */
const char *wr_scan_portable(const char *from, const char *end);
/* "avx2", "sse2", "neon" or "portable": what wr_scan uses. */
const char *wr_scan_name(void);

/* Every form this machine can run, for tests. */
struct wr_scanner {
    const char *name;
    const char *(*scan)(const char *from, const char *end);
};
/* Ends with a NULL name. */
const struct wr_scanner *wr_scanners(void);

#endif
