/* Fields as a request keeps them, and Basic credentials (RFC 7617). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/field_lines.h"

static struct wr_buf buf;

static void set(const char *text)
{
    buf.len = 0;
    assert_true(wr_buf_append_text(&buf, text));
}

static void assert_buf(const char *text)
{
    assert_int_equal(buf.len, strlen(text));
    assert_memory_equal(buf.data, text, buf.len);
}

static void test_lines_come_one_by_one(void **state)
{
    struct wr_slice rest;
    struct wr_slice line;
    struct wr_slice name;

    (void)state;
    set("A: 1\r\nBe: x:y\r\n");
    rest = (struct wr_slice){buf.data, buf.len};
    assert_true(wr_field_lines_next(&rest, &line, &name));
    assert_int_equal(line.len, 6);
    assert_true(wr_slice_is(name, "A"));
    assert_true(wr_field_lines_next(&rest, &line, &name));
    assert_int_equal(line.len, 9);
    assert_true(wr_slice_is(name, "Be"));
    assert_false(wr_field_lines_next(&rest, &line, &name));
}

static void test_all_of_a_name_are_dropped(void **state)
{
    (void)state;
    set("A: 1\r\nb: 2\r\nAB: 3\r\nB: 4\r\n");
    assert_true(wr_field_lines_have(&buf, "B"));
    wr_field_lines_drop(&buf, "B");
    assert_buf("A: 1\r\nAB: 3\r\n");
    assert_false(wr_field_lines_have(&buf, "B"));
    wr_field_lines_drop(&buf, "a");
    wr_field_lines_drop(&buf, "ab");
    assert_int_equal(buf.len, 0);
    wr_field_lines_drop(&buf, "a");
}

/* RFC 4648 section 10, bytes above ASCII, RFC 7617 section 2 */
static void test_basic(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xfe\xfb\xef\xbe", "//77774="},
        {":", "Og=="},
        {"Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        set("Basic ");
        assert_true(wr_buf_append_text(&buf, pairs[i][1]));
        {
            struct wr_buf made = {0};

            assert_true(wr_basic_append(
                &made, (struct wr_slice){pairs[i][0], strlen(pairs[i][0])}));
            assert_int_equal(made.len, buf.len);
            assert_memory_equal(made.data, buf.data, made.len);
            wr_buf_done(&made);
        }
    }
    assert_false(
        wr_basic_append(&buf, (struct wr_slice){"", SIZE_MAX / 4 * 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_come_one_by_one),
        cmocka_unit_test(test_all_of_a_name_are_dropped),
        cmocka_unit_test(test_basic),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    wr_buf_done(&buf);
    return failed;
}
