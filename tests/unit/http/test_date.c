/* HTTP-date (RFC 9110 section 5.6.7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "guard.h"

#include "http/date.h"

/* 1994-11-06T08:49:37Z, the RFC's example, and 2026-01-01T00:00:00Z. */
#define EXAMPLE INT64_C(784111777)
#define NEW_YEAR_2026 INT64_C(1767225600)
#define DAY INT64_C(86400)

static bool parse_at(const char *text, int64_t now_s, int64_t *ret_s)
{
    struct guard room = guard_open(64);
    const size_t len = strlen(text);
    bool is_date;

    assert_true(len <= 64);
    is_date = wr_date_parse(
        (struct wr_slice){guard_at_end(&room, text, len), len}, now_s, ret_s);
    guard_close(&room);
    return is_date;
}

static void check(const char *text, int64_t expected_s)
{
    int64_t unix_s = -1;

    assert_true(parse_at(text, NEW_YEAR_2026, &unix_s));
    assert_int_equal(unix_s, expected_s);
}

static void refuse(const char *text)
{
    int64_t unix_s = 42;

    assert_false(parse_at(text, NEW_YEAR_2026, &unix_s));
    assert_int_equal(unix_s, 42);
}

/* --- reading ------------------------------------------------------------- */

static void the_three_forms_mean_the_same(void **state)
{
    (void)state;
    check("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE);
    check("Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE);
    check("Sun Nov  6 08:49:37 1994", EXAMPLE);
    check("Wed Nov 16 08:49:37 1994", EXAMPLE + 10 * DAY);
}

static void all_that_is_cut_short_or_goes_on_is_refused(void **state)
{
    static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    char text[40];

    (void)state;
    for (int i = 0; i < 3; i++) {
        strcpy(text, forms[i]);
        strcat(text, " ");
        refuse(text);
        for (size_t len = strlen(forms[i]); len-- > 0;) {
            text[len] = '\0';
            refuse(text);
        }
    }
}

static void a_date_is_read_to_the_letter(void **state)
{
    (void)state;
    refuse("sun, 06 Nov 1994 08:49:37 GMT");
    refuse("Sun, 06 nov 1994 08:49:37 GMT");
    refuse("Sun, 06 Nov 1994 08:49:37 gmt");
    refuse("Sun, 06 Nov 1994 08:49:37 UTC");
    refuse("Sun, 06 Nov 1994 08:49:37 +0000");
    refuse("Sun,  06 Nov 1994 08:49:37 GMT");
    refuse("Sun, 6 Nov 1994 08:49:37 GMT");
    refuse("Sun, 06 Nov 94 08:49:37 GMT");
    refuse("Sun 06 Nov 1994 08:49:37 GMT");
    refuse("Xxx, 06 Nov 1994 08:49:37 GMT");
    refuse("Sun, 06 Nvo 1994 08:49:37 GMT");
    refuse("Sun, 06 Nov 1994 8:49:37 GMT");
    refuse("Sun, 06 Nov 1994 08:49 GMT");
    refuse("Sun, -6 Nov 1994 08:49:37 GMT");
    refuse("Sun, 06-Nov-94 08:49:37 GMT");
    refuse("Sunday, 06-Nov-1994 08:49:37 GMT");
    refuse("Sun Nov 6 08:49:37 1994");
    refuse("Sun Nov 06 08:49:37 1994 GMT");
    refuse("1994-11-06T08:49:37Z");
    refuse("784111777");
}

static void a_wrong_name_of_the_day_is_overlooked(void **state)
{
    (void)state;
    check("Mon, 06 Nov 1994 08:49:37 GMT", EXAMPLE);
    check("Thursday, 06-Nov-94 08:49:37 GMT", EXAMPLE);
}

static void days_and_times_that_are_not_are_refused(void **state)
{
    (void)state;
    refuse("Sun, 00 Nov 1994 08:49:37 GMT");
    refuse("Sun, 31 Nov 1994 08:49:37 GMT");
    refuse("Sun, 32 Dec 1994 08:49:37 GMT");
    refuse("Sun, 29 Feb 1994 08:49:37 GMT");
    refuse("Sun, 29 Feb 1900 08:49:37 GMT");
    refuse("Sun, 06 Nov 1994 24:00:00 GMT");
    refuse("Sun, 06 Nov 1994 08:60:00 GMT");
    refuse("Sun, 06 Nov 1994 08:49:61 GMT");
    check("Tue, 29 Feb 2000 00:00:00 GMT", 951782400);
    check("Thu, 29 Feb 1996 23:59:59 GMT", 825638399);
}

static void a_leap_second_is_the_one_that_follows(void **state)
{
    (void)state;
    check("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800);
    check("Sun, 01 Jan 2017 00:00:00 GMT", 1483228800);
}

static void years_have_four_digits(void **state)
{
    (void)state;
    check("Sat, 01 Jan 0000 00:00:00 GMT", -INT64_C(62167219200));
    check("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    check("Wed, 31 Dec 1969 23:59:59 GMT", -1);
    check("Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799));
}

/* "more than 50 years in the future": the most recent year in the past. */
static void check_century(const char *text, const char *now,
                          const char *expected)
{
    int64_t now_s;
    int64_t unix_s;
    int64_t expected_s;

    assert_true(parse_at(now, 0, &now_s));
    assert_true(parse_at(expected, 0, &expected_s));
    assert_true(parse_at(text, now_s, &unix_s));
    assert_int_equal(unix_s, expected_s);
}

static void a_year_of_two_digits_is_at_most_50_years_ahead(void **state)
{
    const char *const summer = "Wed, 01 Jul 2026 12:00:00 GMT";

    (void)state;
    check_century("Friday, 31-Dec-99 23:59:59 GMT", summer,
                  "Fri, 31 Dec 1999 23:59:59 GMT");
    check_century("Saturday, 01-Jan-00 00:00:00 GMT", summer,
                  "Sat, 01 Jan 2000 00:00:00 GMT");
    check_century("Monday, 01-Jan-75 00:00:00 GMT", summer,
                  "Tue, 01 Jan 2075 00:00:00 GMT");
    check_century("Monday, 01-Jul-76 12:00:00 GMT", summer,
                  "Wed, 01 Jul 2076 12:00:00 GMT");
    check_century("Monday, 01-Jul-76 12:00:01 GMT", summer,
                  "Thu, 01 Jul 1976 12:00:01 GMT");
    check_century("Monday, 01-Jan-77 00:00:00 GMT", summer,
                  "Sat, 01 Jan 1977 00:00:00 GMT");
    check_century("Monday, 01-Jan-05 00:00:00 GMT",
                  "Tue, 01 Dec 2099 00:00:00 GMT",
                  "Thu, 01 Jan 2105 00:00:00 GMT");
    check_century("Tuesday, 29-Feb-00 00:00:00 GMT", summer,
                  "Tue, 29 Feb 2000 00:00:00 GMT");
}

/* 2100 is no leap year, and 2000 is 98 years ago. */
static void a_leap_day_must_be_one_in_its_century(void **state)
{
    int64_t unix_s = 42;
    int64_t now_s;

    (void)state;
    assert_true(parse_at("Fri, 01 Jan 2098 00:00:00 GMT", 0, &now_s));
    assert_false(parse_at("Monday, 29-Feb-00 00:00:00 GMT", now_s, &unix_s));
    assert_int_equal(unix_s, 42);
}

static void no_time_of_ours_overflows(void **state)
{
    int64_t unix_s;

    (void)state;
    assert_true(parse_at("Sunday, 06-Nov-94 08:49:37 GMT", INT64_MAX, &unix_s));
    assert_true(parse_at("Sunday, 06-Nov-94 08:49:37 GMT", INT64_MIN, &unix_s));
}

/* --- writing ------------------------------------------------------------- */

static void a_date_is_written_as_imf_fixdate(void **state)
{
    char out[WR_DATE_LEN + 1];

    (void)state;
    assert_int_equal(wr_date_format(EXAMPLE, out), WR_DATE_LEN);
    assert_string_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(wr_date_format(0, out), WR_DATE_LEN);
    assert_string_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_int_equal(wr_date_format(-1, out), WR_DATE_LEN);
    assert_string_equal(out, "Wed, 31 Dec 1969 23:59:59 GMT");
    assert_int_equal(wr_date_format(-INT64_C(62167219200), out), WR_DATE_LEN);
    assert_string_equal(out, "Sat, 01 Jan 0000 00:00:00 GMT");
    assert_int_equal(wr_date_format(INT64_C(253402300799), out), WR_DATE_LEN);
    assert_string_equal(out, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void years_of_other_lengths_are_not_written(void **state)
{
    char out[WR_DATE_LEN + 1] = "as it was";

    (void)state;
    assert_int_equal(wr_date_format(-INT64_C(62167219201), out), 0);
    assert_int_equal(wr_date_format(INT64_C(253402300800), out), 0);
    assert_int_equal(wr_date_format(INT64_MIN, out), 0);
    assert_int_equal(wr_date_format(INT64_MAX, out), 0);
    assert_string_equal(out, "as it was");
}

/* The C library's calendar, on days all over the ten thousand years. */
static void dates_agree_with_the_c_library(void **state)
{
    const int64_t step_s = 41 * DAY + 12345;

    (void)state;
    for (int64_t unix_s = -INT64_C(62167219200); unix_s < INT64_C(253402300800);
         unix_s += step_s) {
        const time_t time = (time_t)unix_s;
        char expected[40];
        char written[WR_DATE_LEN + 1];
        int64_t read_s;
        struct tm tm;

        assert_non_null(gmtime_r(&time, &tm));
        assert_int_equal(wr_date_format(unix_s, written), WR_DATE_LEN);
        snprintf(expected, sizeof expected, "%02d %02d %04d %02d:%02d:%02d",
                 tm.tm_mday, tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
                 tm.tm_min, tm.tm_sec);
        assert_memory_equal(written + 5, expected, 2);
        assert_memory_equal(written + 12, expected + 6, 13);
        assert_int_equal(strftime(expected, sizeof expected, "%a%b", &tm), 6);
        assert_memory_equal(written, expected, 3);
        assert_memory_equal(written + 8, expected + 3, 3);
        assert_true(
            wr_date_parse((struct wr_slice){written, WR_DATE_LEN}, 0, &read_s));
        assert_int_equal(read_s, unix_s);
    }
}

static void the_time_zone_does_not_matter(void **state)
{
    char out[WR_DATE_LEN + 1];

    (void)state;
    assert_int_equal(setenv("TZ", "XYZ-13", 1), 0);
    tzset();
    check("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE);
    assert_int_equal(wr_date_format(EXAMPLE, out), WR_DATE_LEN);
    assert_string_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_three_forms_mean_the_same),
        cmocka_unit_test(all_that_is_cut_short_or_goes_on_is_refused),
        cmocka_unit_test(a_date_is_read_to_the_letter),
        cmocka_unit_test(a_wrong_name_of_the_day_is_overlooked),
        cmocka_unit_test(days_and_times_that_are_not_are_refused),
        cmocka_unit_test(a_leap_second_is_the_one_that_follows),
        cmocka_unit_test(years_have_four_digits),
        cmocka_unit_test(a_year_of_two_digits_is_at_most_50_years_ahead),
        cmocka_unit_test(a_leap_day_must_be_one_in_its_century),
        cmocka_unit_test(no_time_of_ours_overflows),
        cmocka_unit_test(a_date_is_written_as_imf_fixdate),
        cmocka_unit_test(years_of_other_lengths_are_not_written),
        cmocka_unit_test(dates_agree_with_the_c_library),
        cmocka_unit_test(the_time_zone_does_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
