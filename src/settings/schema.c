#include "settings/schema.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *text, size_t len, const char *const *words)
{
    for (; *words; words++) {
        if (strlen(*words) == len && !memcmp(*words, text, len))
            return true;
    }
    return false;
}

static size_t skip_sign(const char *text, size_t len)
{
    return len && (*text == '-' || *text == '+') ? 1 : 0;
}

static size_t skip_digits(const char *text, size_t len, size_t at)
{
    while (at < len && text[at] >= '0' && text[at] <= '9')
        at++;
    return at;
}

/* Base of 0o… and 0x…, else 10. */
static unsigned find_base(const char *text, size_t len)
{
    if (len < 3 || text[0] != '0')
        return 10;
    return text[1] == 'o' ? 8 : text[1] == 'x' ? 16 : 10;
}

/* Value of a digit; 99 if it is none. */
static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 99;
}

/* [-+]? [0-9]+ | 0o [0-7]+ | 0x [0-9a-fA-F]+ */
static bool is_integer(const char *text, size_t len)
{
    const unsigned base = find_base(text, len);
    size_t at = base == 10 ? skip_sign(text, len) : 2;

    if (at == len)
        return false;
    while (at < len && digit(text[at]) < base)
        at++;
    return at == len;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(const char *text, size_t len)
{
    const size_t first = skip_sign(text, len);
    size_t at = skip_digits(text, len, first);
    const bool has_whole = at > first;
    size_t end;

    if (at < len && text[at] == '.') {
        end = skip_digits(text, len, at + 1);
        if (!has_whole && end == at + 1)
            return false;
        at = end;
    } else if (!has_whole) {
        return false;
    }
    if (at < len && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += skip_sign(text + at, len - at);
        end = skip_digits(text, len, at);
        return end > at && end == len;
    }
    return at == len;
}

static bool is_infinity(const char *text, size_t len)
{
    static const char *const words[] = {".inf", ".Inf", ".INF", NULL};
    const size_t at = skip_sign(text, len);

    return is_one_of(text + at, len - at, words);
}

static bool is_not_a_number(const char *text, size_t len)
{
    static const char *const words[] = {".nan", ".NaN", ".NAN", NULL};

    return is_one_of(text, len, words);
}

enum wr_schema_type wr_schema_type(const char *text, size_t len)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const booleans[] = {"true",  "True",  "TRUE", "false",
                                           "False", "FALSE", NULL};

    if (is_one_of(text, len, nulls))
        return WR_SCHEMA_NULL;
    if (is_one_of(text, len, booleans))
        return WR_SCHEMA_BOOL;
    if (is_integer(text, len))
        return WR_SCHEMA_INTEGER;
    if (is_decimal(text, len) || is_infinity(text, len) ||
        is_not_a_number(text, len))
        return WR_SCHEMA_FLOAT;
    return WR_SCHEMA_TEXT;
}

bool wr_schema_integer(const char *text, size_t len, uint64_t *ret)
{
    const unsigned base = find_base(text, len);
    uint64_t value = 0;

    for (size_t i = base == 10 ? skip_sign(text, len) : 2; i < len; i++) {
        if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit(text[i]), &value))
            return false;
    }
    if (*text == '-' && value)
        return false;
    *ret = value;
    return true;
}

bool wr_schema_float(const char *text, size_t len, double *ret)
{
    locale_t plain;
    uint64_t whole;

    if (find_base(text, len) != 10) {
        *ret = wr_schema_integer(text, len, &whole) ? (double)whole : INFINITY;
        return true;
    }
    if (is_infinity(text, len)) {
        *ret = *text == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (is_not_a_number(text, len)) {
        *ret = NAN;
        return true;
    }
    plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!plain)
        return false;
    *ret = strtod_l(text, NULL, plain);
    freelocale(plain);
    return true;
}

/* Of a finite number, in a locale whose decimal point is a point. */
static void print_shortest(double seconds, char text[WR_SECONDS_CAP])
{
    int digits = 1;
    long exponent;
    long decimals;

    do
        snprintf(text, WR_SECONDS_CAP, "%.*e", digits - 1, seconds);
    while (strtod(text, NULL) != seconds && digits++ < 17);
    exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent < -5 || exponent > 15)
        return;
    decimals = digits - 1 - exponent;
    snprintf(text, WR_SECONDS_CAP, "%.*f", decimals > 1 ? (int)decimals : 1,
             seconds);
}

bool wr_seconds_text(double seconds, char text[WR_SECONDS_CAP])
{
    locale_t plain;
    locale_t before;

    if (isnan(seconds) || isinf(seconds)) {
        snprintf(text, WR_SECONDS_CAP, "%s",
                 isnan(seconds) ? ".nan"
                 : seconds < 0  ? "-.inf"
                                : ".inf");
        return true;
    }
    plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!plain)
        return false;
    before = uselocale(plain);
    print_shortest(seconds, text);
    uselocale(before);
    freelocale(plain);
    return true;
}
