/* Retry-After (RFC 9110 section 10.2.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/retry_after.h"

/* 1999-12-31T23:59:59Z, the RFC's example. */
#define EXAMPLE INT64_C(946684799)

static void check(const char *value, int64_t now_s, uint64_t expected_s)
{
    uint64_t seconds = 42;

    assert_true(wr_retry_after_parse((struct wr_slice){value, strlen(value)},
                                     now_s, &seconds));
    assert_int_equal(seconds, expected_s);
}

static void refuse(const char *value)
{
    uint64_t seconds = 42;

    assert_false(wr_retry_after_parse((struct wr_slice){value, strlen(value)},
                                      EXAMPLE, &seconds));
    assert_int_equal(seconds, 42);
}

static void a_number_is_seconds(void **state)
{
    (void)state;
    check("120", EXAMPLE, 120);
    check("0", EXAMPLE, 0);
    check("0000000000000000000000000000007", EXAMPLE, 7);
    check("18446744073709551614", EXAMPLE, UINT64_MAX - 1);
}

static void a_number_too_large_is_the_largest(void **state)
{
    (void)state;
    check("18446744073709551615", EXAMPLE, UINT64_MAX);
    check("18446744073709551616", EXAMPLE, UINT64_MAX);
    check("99999999999999999999999999999999", EXAMPLE, UINT64_MAX);
    check("18446744073709551616000000000", EXAMPLE, UINT64_MAX);
}

static void a_date_counts_from_now(void **state)
{
    (void)state;
    check("Fri, 31 Dec 1999 23:59:59 GMT", EXAMPLE - 60, 60);
    check("Friday, 31-Dec-99 23:59:59 GMT", EXAMPLE - 60, 60);
    check("Fri Dec 31 23:59:59 1999", EXAMPLE - 60, 60);
    check("Fri, 31 Dec 9999 23:59:59 GMT", INT64_MIN,
          UINT64_C(253402300799) + (UINT64_C(1) << 63));
}

static void a_date_that_has_passed_is_now(void **state)
{
    (void)state;
    check("Fri, 31 Dec 1999 23:59:59 GMT", EXAMPLE, 0);
    check("Fri, 31 Dec 1999 23:59:59 GMT", EXAMPLE + 1, 0);
    check("Fri, 31 Dec 1999 23:59:59 GMT", INT64_MAX, 0);
}

static void all_else_is_refused(void **state)
{
    (void)state;
    refuse("");
    refuse(" 120");
    refuse("120 ");
    refuse("-1");
    refuse("+1");
    refuse("1.5");
    refuse("1e3");
    refuse("0x10");
    refuse("120s");
    refuse("99999999999999999999999999999999x");
    refuse("soon");
    refuse("Fri, 31 Dec 1999 23:59:59");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_seconds),
        cmocka_unit_test(a_number_too_large_is_the_largest),
        cmocka_unit_test(a_date_counts_from_now),
        cmocka_unit_test(a_date_that_has_passed_is_now),
        cmocka_unit_test(all_else_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
