/* HTTP-date and Retry-After: what is a date is written again as the same
 * moment, and what waits is never asked to wait for the past. */
#include "fuzz.h"

#include "http/date.h"
#include "http/retry_after.h"

#define NOW INT64_C(1764338400) /* 2025-11-28T14:00:00Z */

static void check_date(struct wr_slice text)
{
    char again[WR_DATE_LEN + 1];
    int64_t unix_s = -1;
    int64_t same = -1;
    uint64_t seconds = 1;

    if (!wr_date_parse(text, NOW, &unix_s)) {
        CHECK(unix_s == -1);
        return;
    }
    if (wr_date_format(unix_s, again) == WR_DATE_LEN) {
        CHECK(wr_date_parse((struct wr_slice){again, WR_DATE_LEN}, NOW, &same));
        CHECK(same == unix_s);
    }
    CHECK(wr_retry_after_parse(text, NOW, &seconds));
    CHECK(seconds == (unix_s > NOW ? (uint64_t)(unix_s - NOW) : 0));
}

static void check_seconds(struct wr_slice text)
{
    uint64_t seconds = 1;
    bool is_number = text.len > 0;

    for (size_t i = 0; i < text.len; i++)
        is_number = is_number && text.data[i] >= '0' && text.data[i] <= '9';
    if (is_number)
        CHECK(wr_retry_after_parse(text, NOW, &seconds));
    else if (!wr_retry_after_parse(text, NOW, &seconds))
        CHECK(seconds == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size > 256)
        return -1;
    text = fuzz_copy((struct fuzz_input){data, size});
    check_date((struct wr_slice){text, size});
    check_seconds((struct wr_slice){text, size});
    free(text);
    return 0;
}
