/* Dates by the civil calendar: days are counted from 1970-01-01, and years
 * begin in March, so that the leap day is the last of its year. */
#include "http/date.h"

#include <stdio.h>

#include "http/ascii.h"

enum {
    DAY_SECONDS = 86400,
    DAYS_A_WEEK = 7,
    MONTHS = 12,
    ERA_YEARS = 400, /* after which the calendar repeats */
    ERA_DAYS = 146097,
    EPOCH_DAY = 719468, /* 1970-01-01, from 0000-03-01 */
};

/* First and last second of the years of four digits. */
static const int64_t date_min = -INT64_C(62167219200);
static const int64_t date_max = INT64_C(253402300799);

static const char *const day_names[DAYS_A_WEEK] = {
    "Sunday",   "Monday", "Tuesday",  "Wednesday",
    "Thursday", "Friday", "Saturday",
};
static const char *const month_names[MONTHS] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

enum {
    ABBREVIATION = 3 /* letters of the short names */
};

struct civil {
    int year;
    int month; /* 1 … 12 */
    int day;
    int hour;
    int minute;
    int second;
};

/* --- the calendar -------------------------------------------------------- */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month)
{
    static const int days[MONTHS] = {31, 28, 31, 30, 31, 30,
                                     31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days before the month, from March; 3 … 12, then 1 and 2. */
static int days_before(int month)
{
    return (153 * ((month + 9) % MONTHS) + 2) / 5;
}

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static int64_t seconds_of(const struct civil *date)
{
    const int64_t year = date->year - (date->month <= 2);
    const int64_t days = year * 365 + floor_divide(year, 4) -
                         floor_divide(year, 100) + floor_divide(year, 400) +
                         days_before(date->month) + date->day - 1 - EPOCH_DAY;

    return ((days * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

/* unix_s: of a year of four digits. */
static struct civil civil_of(int64_t unix_s)
{
    const int64_t days = floor_divide(unix_s, DAY_SECONDS);
    const int64_t era = floor_divide(days + EPOCH_DAY, ERA_DAYS);
    const int era_day = (int)(days + EPOCH_DAY - era * ERA_DAYS);
    const int era_year = (era_day - era_day / 1460 + era_day / 36524 -
                          era_day / (ERA_DAYS - 1)) /
                         365;
    const int year_day =
        era_day - (365 * era_year + era_year / 4 - era_year / 100);
    const int month = ((5 * year_day + 2) / 153 + 2) % MONTHS + 1;
    const int second = (int)(unix_s - days * DAY_SECONDS);

    return (struct civil){
        .year = (int)era * ERA_YEARS + era_year + (month <= 2),
        .month = month,
        .day = year_day - days_before(month) + 1,
        .hour = second / 3600,
        .minute = second / 60 % 60,
        .second = second % 60,
    };
}

/* --- reading ------------------------------------------------------------- */

/* Each takes what it reads off the front of the text. */

static bool take_char(struct wr_slice *text, char wanted)
{
    if (text->len == 0 || *text->data != wanted)
        return false;
    text->data++;
    text->len--;
    return true;
}

static bool take_digits(struct wr_slice *text, unsigned count, int *ret_value)
{
    int value = 0;

    if (text->len < count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (!wr_is_digit(text->data[i]))
            return false;
        value = value * 10 + (text->data[i] - '0');
    }
    text->data += count;
    text->len -= count;
    *ret_value = value;
    return true;
}

/* One of `names`, or of what they begin with. */
static bool take_name(struct wr_slice *text, const char *const *names,
                      int count, bool is_short, int *ret_index)
{
    for (int i = 0; i < count; i++) {
        const size_t len = is_short ? ABBREVIATION : strlen(names[i]);

        if (text->len >= len && memcmp(text->data, names[i], len) == 0) {
            text->data += len;
            text->len -= len;
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static bool take_month(struct wr_slice *text, int *ret_month)
{
    int index;

    if (!take_name(text, month_names, MONTHS, true, &index))
        return false;
    *ret_month = index + 1;
    return true;
}

static bool take_time(struct wr_slice *text, struct civil *date)
{
    return take_digits(text, 2, &date->hour) && take_char(text, ':') &&
           take_digits(text, 2, &date->minute) && take_char(text, ':') &&
           take_digits(text, 2, &date->second);
}

/* One letter of a form, as strftime() has them. */
static bool take_part(struct wr_slice *text, char letter, struct civil *date)
{
    int unused;

    switch (letter) {
    case 'a':
        return take_name(text, day_names, DAYS_A_WEEK, true, &unused);
    case 'A':
        return take_name(text, day_names, DAYS_A_WEEK, false, &unused);
    case 'b':
        return take_month(text, &date->month);
    case 'd':
        return take_digits(text, 2, &date->day);
    case 'e':
        return take_digits(text, take_char(text, ' ') ? 1 : 2, &date->day);
    case 'T':
        return take_time(text, date);
    case 'y':
        return take_digits(text, 2, &date->year);
    default: /* 'Y' */
        return take_digits(text, 4, &date->year);
    }
}

/* All of the text, by a form: "%x" is a part, all else stands for itself. */
static bool read_form(struct wr_slice text, const char *form,
                      struct civil *date)
{
    while (*form) {
        const bool is_part = *form == '%';

        form += is_part;
        if (is_part ? !take_part(&text, *form, date) : !take_char(&text, *form))
            return false;
        form++;
    }
    return text.len == 0;
}

/* Is a later than b in their years, whichever those are? */
static bool is_later_in_year(const struct civil *a, const struct civil *b)
{
    const struct civil in_a = {4,       a->month,  a->day,
                               a->hour, a->minute, a->second};
    const struct civil in_b = {4,       b->month,  b->day,
                               b->hour, b->minute, b->second};

    return seconds_of(&in_a) > seconds_of(&in_b);
}

/* The year of two digits becomes the latest that is not more than 50 years
 * after now. */
static void complete_year(struct civil *date, int64_t now_unix_s)
{
    const int64_t bounded = now_unix_s < date_min   ? date_min
                            : now_unix_s > date_max ? date_max
                                                    : now_unix_s;
    const struct civil now = civil_of(bounded);
    const int latest = now.year + 50 - is_later_in_year(date, &now);

    date->year += (latest - date->year) / 100 * 100;
}

static bool is_valid(const struct civil *date)
{
    return date->day >= 1 &&
           date->day <= days_of_month(date->year, date->month) &&
           date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

bool wr_date_parse(struct wr_slice text, int64_t now_unix_s,
                   int64_t *ret_unix_s)
{
    struct civil date;

    if (read_form(text, "%A, %d-%b-%y %T GMT", &date))
        complete_year(&date, now_unix_s);
    else if (!read_form(text, "%a, %d %b %Y %T GMT", &date) &&
             !read_form(text, "%a %b %e %T %Y", &date))
        return false;
    if (!is_valid(&date))
        return false;
    *ret_unix_s = seconds_of(&date);
    return true;
}

/* --- writing ------------------------------------------------------------- */

size_t wr_date_format(int64_t unix_s, char out[WR_DATE_LEN + 1])
{
    struct civil date;
    int64_t day;
    int week_day;

    if (unix_s < date_min || unix_s > date_max)
        return 0;
    date = civil_of(unix_s);
    day = floor_divide(unix_s, DAY_SECONDS) + 4; /* 1970-01-01: a Thursday */
    week_day = (int)(day - floor_divide(day, DAYS_A_WEEK) * DAYS_A_WEEK);
    return (size_t)snprintf(
        out, WR_DATE_LEN + 1, "%.3s, %02d %s %04d %02d:%02d:%02d GMT",
        day_names[week_day], date.day, month_names[date.month - 1], date.year,
        date.hour, date.minute, date.second);
}
