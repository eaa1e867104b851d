#include "stamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_S UINT64_C(1000)

void watch_stamp(uint64_t at_ms, char text[WATCH_STAMP_SIZE])
{
    const time_t seconds = (time_t)(at_ms / MS_PER_S);
    struct tm utc;
    size_t len = 0;

    if (gmtime_r(&seconds, &utc))
        len = strftime(text, WATCH_STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, WATCH_STAMP_SIZE - len, ".%03uZ",
             (unsigned)(at_ms % MS_PER_S));
}

void watch_span(uint64_t span_ms, char text[WATCH_SPAN_SIZE])
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    const uint64_t seconds = span_ms / MS_PER_S;

    for (size_t i = 0; i + 1 < sizeof units / sizeof *units; i++) {
        if (seconds >= units[i].seconds) {
            snprintf(text, WATCH_SPAN_SIZE, "%" PRIu64 " %s %" PRIu64 " %s",
                     seconds / units[i].seconds, units[i].name,
                     seconds % units[i].seconds / units[i + 1].seconds,
                     units[i + 1].name);
            return;
        }
    }
    if (seconds >= 10)
        snprintf(text, WATCH_SPAN_SIZE, "%" PRIu64 " s", seconds);
    else
        snprintf(text, WATCH_SPAN_SIZE, "%" PRIu64 ".%" PRIu64 " s", seconds,
                 span_ms % MS_PER_S / 100);
}

/* Exactly `digits` digits.  false: something else stands there. */
static bool take_number(const char **text, unsigned digits, int *ret_number)
{
    int number = 0;

    for (unsigned i = 0; i < digits; i++) {
        const char digit = (*text)[i];

        if (digit < '0' || digit > '9')
            return false;
        number = number * 10 + (digit - '0');
    }
    *text += digits;
    *ret_number = number;
    return true;
}

static bool take_char(const char **text, char wanted)
{
    if (**text != wanted)
        return false;
    ++*text;
    return true;
}

/* "15m": a number and a unit. */
static bool read_span(const char *text, uint64_t *ret_ms)
{
    static const char names[] = "smhd";
    static const uint64_t lengths[] = {1, 60, 3600, 86400};
    const char *unit;
    uint64_t count = 0;

    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        count = count * 10 + (uint64_t)(*text - '0');
        if (count > UINT32_MAX)
            return false;
    }
    unit = *text ? strchr(names, *text) : NULL;
    if (!unit || text[1])
        return false;
    *ret_ms = count * lengths[unit - names] * MS_PER_S;
    return true;
}

/* "T13:53[:36[.042]]" */
static bool take_time(const char **text, struct tm *tm, int *ret_ms)
{
    int scale = 100;

    if (!take_number(text, 2, &tm->tm_hour) || !take_char(text, ':') ||
        !take_number(text, 2, &tm->tm_min))
        return false;
    if (take_char(text, ':') && !take_number(text, 2, &tm->tm_sec))
        return false;
    if (!take_char(text, '.'))
        return true;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; ++*text, scale /= 10)
        *ret_ms += (**text - '0') * scale;
    return true;
}

/* "Z", "+01:00" or nothing, as seconds east of Greenwich. */
static bool take_zone(const char **text, int *ret_east)
{
    const int sign = **text == '-' ? -1 : 1;
    int hours;
    int minutes;

    if (!**text || take_char(text, 'Z'))
        return true;
    if (!take_char(text, '+') && !take_char(text, '-'))
        return false;
    if (!take_number(text, 2, &hours) || !take_char(text, ':') ||
        !take_number(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_east = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* timegm() would take the 31st of February for the 3rd of March. */
static bool is_in_calendar(const struct tm *given, const struct tm *found)
{
    return given->tm_year == found->tm_year && given->tm_mon == found->tm_mon &&
           given->tm_mday == found->tm_mday && given->tm_hour < 24 &&
           given->tm_min < 60 && given->tm_sec < 60;
}

static bool read_moment(const char *text, uint64_t *ret_ms)
{
    struct tm tm = {0};
    struct tm found;
    int ms = 0;
    int east = 0;
    time_t seconds;

    if (!take_number(&text, 4, &tm.tm_year) || !take_char(&text, '-') ||
        !take_number(&text, 2, &tm.tm_mon) || !take_char(&text, '-') ||
        !take_number(&text, 2, &tm.tm_mday))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if ((take_char(&text, 'T') || take_char(&text, ' ')) &&
        (!take_time(&text, &tm, &ms) || !take_zone(&text, &east)))
        return false;
    found = tm;
    seconds = timegm(&found);
    if (*text || !is_in_calendar(&tm, &found) || seconds - east < 0)
        return false;
    *ret_ms = (uint64_t)(seconds - east) * MS_PER_S + (uint64_t)ms;
    return true;
}

bool watch_read_since(const char *text, uint64_t now_ms, uint64_t *ret_ms)
{
    uint64_t span_ms;

    if (!read_span(text, &span_ms))
        return read_moment(text, ret_ms);
    *ret_ms = span_ms < now_ms ? now_ms - span_ms : 0;
    return true;
}
