#include "http/retry_after.h"

#include "http/ascii.h"
#include "http/date.h"

/* delay-seconds = 1*DIGIT */
static bool parse_seconds(struct wr_slice value, uint64_t *ret_seconds)
{
    uint64_t seconds = 0;

    for (size_t i = 0; i < value.len; i++) {
        const unsigned digit = (unsigned char)value.data[i] - (unsigned)'0';

        if (!wr_is_digit(value.data[i]))
            return false;
        seconds = seconds > (UINT64_MAX - digit) / 10 ? UINT64_MAX
                                                      : seconds * 10 + digit;
    }
    if (value.len == 0)
        return false;
    *ret_seconds = seconds;
    return true;
}

bool wr_retry_after_parse(struct wr_slice value, int64_t now_unix_s,
                          uint64_t *ret_seconds)
{
    int64_t date;

    if (parse_seconds(value, ret_seconds))
        return true;
    if (!wr_date_parse(value, now_unix_s, &date))
        return false;
    *ret_seconds =
        date > now_unix_s ? (uint64_t)date - (uint64_t)now_unix_s : 0;
    return true;
}
