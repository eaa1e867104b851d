/* Types of plain scalars (YAML 1.2.2 section 10.3.2), numbers, and bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "settings/schema.h"
#include "settings/text.h"

static void assert_types(enum wr_schema_type type, const char *const *texts)
{
    for (; *texts; texts++) {
        if (wr_schema_type(*texts, strlen(*texts)) != type)
            fail_msg("\"%s\" is not of type %d", *texts, (int)type);
    }
}

static void test_core_schema_decides_types(void **state)
{
    const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    const char *const booleans[] = {"true",  "True",  "TRUE", "false",
                                    "False", "FALSE", NULL};
    const char *const integers[] = {"0",   "-0",   "+12",  "007",
                                    "0o7", "0x3A", "0xff", NULL};
    const char *const floats[] = {"1.",       ".5",   "-0.0",  "1e1",
                                  "+1.5E-07", ".inf", "-.Inf", ".INF",
                                  ".nan",     ".NaN", NULL};
    const char *const texts[] = {
        "yes",   "no",  "on",    "nULL",  "tRUE", "1_000", "1,5",
        "0b1",   "0o8", "0xg",   "0x",    "-0x1", "0o",    "+",
        "-",     ".",   "+.",    "e1",    "1e",   "1e+",   "1.5f",
        "inf",   "nan", "Inf",   "1 0",   "--1",  "0x1p3", "-nan",
        "1e1.0", ".e1", "-.nan", "1.2.3", " 1",   "1 ",    NULL};

    (void)state;
    assert_types(WR_SCHEMA_NULL, nulls);
    assert_types(WR_SCHEMA_BOOL, booleans);
    assert_types(WR_SCHEMA_INTEGER, integers);
    assert_types(WR_SCHEMA_FLOAT, floats);
    assert_types(WR_SCHEMA_TEXT, texts);
}

static void test_integers_of_64_bits(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } table[] = {{"0", 0},
                 {"-0", 0},
                 {"+7", 7},
                 {"0010", 10},
                 {"0o777", 511},
                 {"0xFfFf", 65535},
                 {"18446744073709551615", UINT64_MAX},
                 {"0xffffffffffffffff", UINT64_MAX}};
    static const char *const refused[] = {"-1", "18446744073709551616",
                                          "0x10000000000000000",
                                          "99999999999999999999999"};
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_true(
            wr_schema_integer(table[i].text, strlen(table[i].text), &value));
        assert_true(value == table[i].value);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(wr_schema_integer(refused[i], strlen(refused[i]), &value));
}

static const struct number {
    double value;
    const char *text;
} numbers[] = {{0, "0.0"},
               {10, "10.0"},
               {0.1, "0.1"},
               {0.5, "0.5"},
               {1800, "1800.0"},
               {1.0 / 3, "0.3333333333333333"},
               {123456.789, "123456.789"},
               {1e15, "1000000000000000.0"},
               {1e16, "1e+16"},
               {1e-5, "0.00001"},
               {1e-7, "1e-07"},
               {2.5e-9, "2.5e-09"},
               {1.7976931348623157e308, "1.7976931348623157e+308"},
               {-2.5, "-2.5"},
               {5e-324, "5e-324"},
               {INFINITY, ".inf"},
               {-INFINITY, "-.inf"}};

static void check_numbers(void)
{
    char text[WR_SECONDS_CAP];
    double value;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_true(wr_seconds_text(numbers[i].value, text));
        assert_string_equal(text, numbers[i].text);
        assert_int_equal(wr_schema_type(text, strlen(text)), WR_SCHEMA_FLOAT);
        assert_true(wr_schema_float(text, strlen(text), &value));
        assert_true(value == numbers[i].value);
    }
}

static void test_seconds_have_the_fewest_digits_that_read_back(void **state)
{
    char text[WR_SECONDS_CAP];
    double value;

    (void)state;
    check_numbers();
    assert_true(wr_seconds_text(NAN, text));
    assert_string_equal(text, ".nan");
    assert_true(wr_schema_float(".nan", 4, &value));
    assert_true(isnan(value));
    assert_true(wr_schema_float("0x10", 4, &value));
    assert_true(value == 16);
}

/* A program may have called setlocale(): 10,5 is never written or read. */
static void test_numbers_do_not_depend_on_the_locale(void **state)
{
    static const char *const with_comma[] = {"de_DE.UTF-8", "de_DE.utf8",
                                             "fr_FR.UTF-8", "de_DE", NULL};
    const char *const *name = with_comma;

    (void)state;
    while (*name && !setlocale(LC_NUMERIC, *name))
        name++;
    if (!*name)
        skip();
    check_numbers();
    setlocale(LC_NUMERIC, "C");
}

#define TEXT(bytes) bytes, sizeof(bytes) - 1

static void test_only_printable_utf_8_is_yaml(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        size_t bad; /* SIZE_MAX: none */
    } table[] = {
        {TEXT(""), SIZE_MAX},
        {TEXT("a\tb\r\nc"), SIZE_MAX},
        {TEXT("\xef\xbb\xbf#"), SIZE_MAX},
        {TEXT("\xc2\x85"), SIZE_MAX},
        {TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), SIZE_MAX},
        {TEXT("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"), SIZE_MAX},
        {TEXT("a\0b"), 1},
        {TEXT("a\x1b"), 1},
        {TEXT("\x7f"), 0},
        {TEXT("ab\x80"), 2},
        {TEXT("\xc2\x80"), 0},         /* a control character */
        {TEXT("\xc0\x80"), 0},         /* longer than needed */
        {TEXT("\xe0\x9f\xbf"), 0},     /* likewise */
        {TEXT("\xf0\x8f\xbf\xbf"), 0}, /* likewise */
        {TEXT("\xed\xa0\x80"), 0},     /* a surrogate */
        {TEXT("\xef\xbf\xbe"), 0},     /* U+FFFE */
        {TEXT("\xf4\x90\x80\x80"), 0}, /* above U+10FFFF */
        {TEXT("\xf8\x88\x80\x80\x80"), 0},
        {TEXT("x\xc3"), 1}, /* cut short */
        {TEXT("x\xe2\x82"), 1},
        {TEXT("\xc3("), 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const size_t bad = wr_text_check(table[i].text, table[i].len);

        assert_int_equal(bad == table[i].len ? SIZE_MAX : bad, table[i].bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_schema_decides_types),
        cmocka_unit_test(test_integers_of_64_bits),
        cmocka_unit_test(test_seconds_have_the_fewest_digits_that_read_back),
        cmocka_unit_test(test_numbers_do_not_depend_on_the_locale),
        cmocka_unit_test(test_only_printable_utf_8_is_yaml),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
