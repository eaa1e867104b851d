#include "pool/retry.h"

#include "base/deadline.h"

/* base^exponent; may be infinite.  (pow() is libm's.) */
static double power(double base, unsigned exponent)
{
    double result = 1;

    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2)
            result *= base;
        base *= base;
    }
    return result;
}

static uint64_t longest(const struct wr_retry_rules *rules, unsigned next)
{
    const unsigned exponent = next > 2 ? next - 2 : 0;
    const double top =
        (double)rules->delay_ns * power(rules->backoff, exponent);

    if (rules->delay_ns == 0 || top <= 0)
        return 0;
    if (top < (double)rules->max_delay_ns)
        return wr_earlier((uint64_t)top, rules->max_delay_ns);
    return rules->max_delay_ns; /* not a number, too */
}

uint64_t wr_retry_delay(const struct wr_retry_rules *rules, unsigned next,
                        uint64_t random)
{
    const uint64_t top = longest(rules, next);

    return top == UINT64_MAX ? random : random % (top + 1);
}

bool wr_retry_is_status(int status)
{
    switch (status) {
    case 408: /* Request Timeout */
    case 425: /* Too Early */
    case 429: /* Too Many Requests */
    case 500: /* Internal Server Error */
    case 502: /* Bad Gateway */
    case 503: /* Service Unavailable */
    case 504: /* Gateway Timeout */
        return true;
    default:
        return false;
    }
}
