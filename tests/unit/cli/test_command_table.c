/* Tables: widths, sides, colours, and what text from elsewhere may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <table.h>

static const char *const titles[] = {"name", ">count", "why", NULL};

static void assert_table(const struct table *table, bool in_colour,
                         const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    table_print(table, out, in_colour);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_columns_are_as_wide_as_what_is_in_them(void **state)
{
    struct table *table = table_new(titles);

    (void)state;
    assert_table(table, false, "name  count  why\n");
    table_cell(table, TONE_GOOD, "a %s name", "long");
    table_cell(table, TONE_PLAIN, "%d", 5);
    table_cell(table, TONE_BAD, "it is so");
    table_cell(table, TONE_PLAIN, "b");
    table_cell(table, TONE_PLAIN, "1234567");
    table_cell(table, TONE_PLAIN, "%s", "");
    assert_table(table, false,
                 "name           count  why\n"
                 "a long name        5  it is so\n"
                 "b            1234567  \n");
    table_free(table);
    table_free(NULL);
}

static void test_colours_stand_around_the_text_alone(void **state)
{
    struct table *table = table_new(titles);

    (void)state;
    table_cell(table, TONE_GOOD, "ok");
    table_cell(table, TONE_PLAIN, "1");
    table_cell(table, TONE_DIM, "x");
    assert_table(table, true,
                 "\033[1mname\033[0m  \033[1mcount\033[0m  \033[1mwhy\033[0m\n"
                 "\033[32mok\033[0m        1  \033[2mx\033[0m\n");
    table_free(table);
}

/* Wide and combining characters count as the columns they take. */
static void test_widths_are_those_of_the_terminal(void **state)
{
    (void)state;
    assert_int_equal(cli_width("abc"), 3);
    assert_int_equal(cli_width("\xc3\xa9t\xc3\xa9"), 3);        /* été */
    assert_int_equal(cli_width("\xe6\xbc\xa2\xe5\xad\x97"), 4); /* two Han */
    assert_int_equal(cli_width("e\xcc\x81"), 1); /* e, combining acute */
    assert_int_equal(cli_width("\xff"), 1);
    assert_int_equal(cli_width(""), 0);
}

/* A server's text can neither clear the screen nor turn the line around. */
static void test_text_cannot_steer_the_terminal(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *shown;
    } table[] = {
        {"a\033[2Jb", 6, "a?[2Jb"},     {"a\nb\tc", 5, "a?b?c"},
        {"\xc2\x9b\x31m", 4, "?1m"},    /* CSI of Latin-1 */
        {"\xe2\x80\xaetxt", 6, "?txt"}, /* right-to-left override */
        {"\xff\xc3", 2, "??"},          /* no UTF-8 */
        {"\xed\xa0\x80", 3, "???"},     /* a surrogate */
        {"\xc3\xa9", 2, "\xc3\xa9"},    {"a\0b", 3, "a?b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *shown = cli_printable(table[i].text, table[i].len);

        assert_string_equal(shown, table[i].shown);
        free(shown);
    }
}

static void test_no_colour_without_a_terminal(void **state)
{
    FILE *file = fopen("/dev/null", "w");

    (void)state;
    assert_non_null(file);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_false(cli_can_colour(file));
    fclose(file);
}

static void test_colour_on_a_terminal_unless_asked_not_to(void **state)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    FILE *terminal;

    (void)state;
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        skip();
    terminal = fopen(ptsname(master), "r+");
    if (!terminal)
        skip();
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_true(cli_can_colour(terminal));
    setenv("NO_COLOR", "", 1);
    assert_true(cli_can_colour(terminal));
    setenv("NO_COLOR", "1", 1);
    assert_false(cli_can_colour(terminal));
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    assert_false(cli_can_colour(terminal));
    unsetenv("TERM");
    assert_false(cli_can_colour(terminal));
    fclose(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_what_is_in_them),
        cmocka_unit_test(test_colours_stand_around_the_text_alone),
        cmocka_unit_test(test_widths_are_those_of_the_terminal),
        cmocka_unit_test(test_text_cannot_steer_the_terminal),
        cmocka_unit_test(test_no_colour_without_a_terminal),
        cmocka_unit_test(test_colour_on_a_terminal_unless_asked_not_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
