/* Tokens and field values (RFC 9110 sections 5.5 and 5.6.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "guard.h"

#include "http/field.h"

static bool is_tchar(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void test_the_table_is_that_of_the_rfc(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++)
        assert_int_equal(wr_tchar[c], is_tchar((unsigned char)c));
}

static void test_a_token_ends_at_the_first_other_byte(void **state)
{
    (void)state;
    assert_int_equal(wr_token_span("", 0), 0);
    assert_int_equal(wr_token_span("GET", 3), 3);
    assert_int_equal(wr_token_span("GET ", 4), 3);
    assert_int_equal(wr_token_span(":", 1), 0);
    assert_int_equal(wr_token_span("a\xe9", 2), 1);
    assert_int_equal(wr_token_span("GET", 2), 2);
}

/* Rule 2.11: no NUL and no other control in a value. */
static void test_a_value_ends_at_the_first_control(void **state)
{
    (void)state;
    assert_int_equal(wr_value_span("", 0), 0);
    assert_int_equal(wr_value_span(NULL, 0), 0);
    for (unsigned c = 0; c < 256; c++) {
        const char text[] = {'a', (char)c, 'b'};
        const bool is_bad = (c < 0x20 && c != '\t') || c == 0x7f;

        assert_int_equal(wr_value_span(text, 3), is_bad ? 1 : 3);
    }
}

static void test_no_span_looks_beyond_its_end(void **state)
{
    struct guard room = guard_open(64);

    (void)state;
    for (size_t len = 0; len < 40; len++) {
        char *from = room.end - len;

        memset(from, 'x', len);
        assert_int_equal(wr_token_span(from, len), len);
        assert_int_equal(wr_value_span(from, len), len);
    }
    guard_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_that_of_the_rfc),
        cmocka_unit_test(test_a_token_ends_at_the_first_other_byte),
        cmocka_unit_test(test_a_value_ends_at_the_first_control),
        cmocka_unit_test(test_no_span_looks_beyond_its_end),
    };

    return cmocka_run_group_tests_name("field", tests, NULL, NULL);
}
