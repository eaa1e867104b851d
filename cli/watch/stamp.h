/* Moments and spans of time as people and machines read them. */
#ifndef WEIR_WATCH_STAMP_H
#define WEIR_WATCH_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WATCH_STAMP_SIZE = 32, /* of a stamp, its end included */
    WATCH_STAMP_LEN = 24,  /* of a stamp of these millennia */
    WATCH_SPAN_SIZE = 64   /* of a span, likewise */
};

/* RFC 3339, in UTC, with milliseconds: "2026-11-28T13:53:36.042Z". */
void watch_stamp(uint64_t at_ms, char text[WATCH_STAMP_SIZE]);

/* A span in its two largest units: "4.2 s", "3 min 5 s", "2 d 7 h". */
void watch_span(uint64_t span_ms, char text[WATCH_SPAN_SIZE]);

/* Reads what --since takes: a span back from `now_ms` ("90s", "15m", "2h",
 * "7d") or a moment ("2026-11-28", "2026-11-28T13:53", with seconds, a fraction
 * of them, and "Z" or "+01:00"; UTC unless it says otherwise). */
bool watch_read_since(const char *text, uint64_t now_ms, uint64_t *ret_ms);

#endif
