/* Content-Encoding and Accept-Encoding (RFC 9110 sections 8.4 and 12.5.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coding_check.h"

static void test_what_is_built_in_is_accepted(void **state)
{
    struct wr_coding_list list = {0};
    const char *accepted = wr_codings_accepted();
    unsigned count = 0;

    (void)state;
    for (unsigned i = WR_CODING_GZIP; i <= WR_CODING_ZSTD; i++)
        count += strstr(accepted, wr_coding_name((enum wr_coding)i)) != NULL;
    assert_int_equal(wr_codings_add(&list, text(accepted), NULL), WEIR_OK);
    assert_int_equal(list.count, count);
    for (unsigned i = 1; i < count; i++)
        assert_true(list.list[i - 1] < list.list[i]);
}

static void test_identity_and_nothing_are_passed_over(void **state)
{
    static const char *const values[] = {
        "", " ", ",", ",, ,\t,", "identity", " Identity ,identity,"};
    struct wr_coding_list list = {0};

    (void)state;
    assert_int_equal(wr_codings_add(&list, (struct wr_slice){0}, NULL),
                     WEIR_OK);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_int_equal(wr_codings_add(&list, text(values[i]), NULL), WEIR_OK);
        assert_int_equal(list.count, 0);
    }
}

static void test_an_unknown_coding_is_named(void **state)
{
    static const char *const values[][2] = {{"compress", "\"compress\""},
                                            {"x-compress", "\"x-compress\""},
                                            {", rot13 ,identity", "\"rot13\""},
                                            {"gzip;q=1", "\"gzip;q=1\""},
                                            {"gzip br", "\"gzip br\""},
                                            {"gzi", "\"gzi\""},
                                            {"identity, dcb", "\"dcb\""},
                                            {"*", "\"*\""},
                                            {"x-br", "\"x-br\""},
                                            {"\x01", "\"\\x01\""}};
    struct wr_coding_list list = {0};
    weir_error err;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_int_equal(wr_codings_add(&list, text(values[i][0]), &err),
                         WEIR_E_CODING);
        assert_int_equal(err.code, WEIR_E_CODING);
        assert_non_null(strstr(err.message, values[i][1]));
        assert_int_equal(list.count, 0);
    }
}

/* A value that reaches to an unreadable page. */
static void test_no_byte_behind_a_value_is_read(void **state)
{
    static const char *const values[] = {"identity", "identity, ", "zst",
                                         "x",        "x-gzi",      ","};
    struct wr_coding_list list = {0};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const size_t len = strlen(values[i]);

        wr_codings_add(
            &list,
            (struct wr_slice){guard_at_end(&in_room, values[i], len), len},
            NULL);
        assert_int_equal(list.count, 0);
    }
}

#if defined(WEIR_HAVE_ZLIB)

static void test_a_list_is_read_in_order(void **state)
{
    struct wr_coding_list list = {0};

    (void)state;
    assert_int_equal(
        wr_codings_add(&list, text("\tDeflate ,identity,, X-GZIP"), NULL),
        WEIR_OK);
    assert_int_equal(wr_codings_add(&list, text("gzip"), NULL), WEIR_OK);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.list[0], WR_CODING_DEFLATE);
    assert_int_equal(list.list[1], WR_CODING_GZIP);
    assert_int_equal(list.list[2], WR_CODING_GZIP);
}

static void test_five_codings_are_the_most(void **state)
{
    const char six[] = "gzip,gzip,gzip,gzip,gzip,gzip";
    struct wr_coding_list list = {0};
    weir_error err;

    (void)state;
    assert_int_equal(wr_codings_add(&list, text(six), &err), WEIR_E_LIMIT);
    assert_string_equal(err.message, "more than 5 content codings");
    assert_int_equal(list.count, 0);
    assert_int_equal(wr_codings_add(&list, text(six + 5), &err), WEIR_OK);
    assert_int_equal(list.count, 5);
    assert_int_equal(wr_codings_add(&list, text("identity,"), &err), WEIR_OK);
    assert_int_equal(wr_codings_add(&list, text("gzip"), &err), WEIR_E_LIMIT);
    assert_int_equal(list.count, 5);
}

static void test_a_failed_value_adds_nothing(void **state)
{
    struct wr_coding_list list = list_of("deflate");

    (void)state;
    assert_int_equal(wr_codings_add(&list, text("gzip, rot13"), NULL),
                     WEIR_E_CODING);
    assert_int_equal(list.count, 1);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_built_in_is_accepted),
        cmocka_unit_test(test_identity_and_nothing_are_passed_over),
        cmocka_unit_test(test_an_unknown_coding_is_named),
        cmocka_unit_test(test_no_byte_behind_a_value_is_read),
#if defined(WEIR_HAVE_ZLIB)
        cmocka_unit_test(test_a_list_is_read_in_order),
        cmocka_unit_test(test_five_codings_are_the_most),
        cmocka_unit_test(test_a_failed_value_adds_nothing),
#endif
    };

    return cmocka_run_group_tests(tests, open_rooms, close_rooms);
}
