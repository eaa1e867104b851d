/* Memory, errors, buffers and deadlines of src/base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weir/memory.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/slice.h"

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

static void *no_realloc(void *ptr, size_t size)
{
    (void)ptr;
    (void)size;
    return NULL;
}

static const weir_allocator no_memory = {no_malloc, no_realloc, free};

static void test_an_allocator_is_whole_or_refused(void **state)
{
    const weir_allocator without_malloc = {NULL, realloc, free};
    const weir_allocator without_realloc = {malloc, NULL, free};
    const weir_allocator without_free = {malloc, realloc, NULL};

    (void)state;
    assert_int_equal(weir_set_allocator(&without_malloc), WEIR_E_INVALID);
    assert_int_equal(weir_set_allocator(&without_realloc), WEIR_E_INVALID);
    assert_int_equal(weir_set_allocator(&without_free), WEIR_E_INVALID);
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
}

static void test_sizes_that_overflow_count_as_no_memory(void **state)
{
    (void)state;
    assert_null(wr_calloc(SIZE_MAX / 2, 3));
    assert_null(wr_strndup("x", SIZE_MAX));
}

static void test_no_bytes_are_still_a_block(void **state)
{
    void *ptr = wr_malloc(0);

    (void)state;
    assert_non_null(ptr);
    ptr = wr_realloc(ptr, 0);
    assert_non_null(ptr);
    wr_free(ptr);
    wr_free(NULL);
}

static void test_calloc_gives_zeroes_and_strndup_an_end(void **state)
{
    const unsigned char zeroes[64] = {0};
    unsigned char *ptr = wr_calloc(8, 8);
    char *text = wr_strndup("weirdo", 4);

    (void)state;
    assert_memory_equal(ptr, zeroes, 64);
    assert_string_equal(text, "weir");
    wr_free(ptr);
    wr_free(text);
}

static void test_every_status_has_name_class_and_meaning(void **state)
{
    (void)state;
    assert_string_equal(weir_status_name(WEIR_OK), "WEIR_OK");
    assert_string_equal(weir_status_name(WEIR_E_TOTAL_TIMEOUT),
                        "WEIR_E_TOTAL_TIMEOUT");
    assert_string_equal(weir_status_meaning(WEIR_E_TOTAL_TIMEOUT),
                        "total time limit exceeded");
    assert_int_equal(weir_status_class(WEIR_E_TOTAL_TIMEOUT), WEIR_CLASS_TIME);
    assert_string_equal(weir_class_name(WEIR_CLASS_CANCELLED), "CANCELLED");
    assert_string_equal(weir_stage_name(WEIR_STAGE_BODY), "body");
    assert_string_equal(weir_stage_name(WEIR_STAGE_PROXY), "proxy");
#define WEIR_X(name, number, cls, meaning)                                     \
    assert_string_equal(weir_status_name(number), #name);                      \
    assert_string_equal(weir_class_name(weir_status_class(number)), #cls);
    WEIR_STATUS_TABLE(WEIR_X)
#undef WEIR_X
}

static void test_unknown_codes_have_a_name_too(void **state)
{
    (void)state;
    assert_string_equal(weir_status_name((weir_status)999), "WEIR_E_?");
    assert_string_equal(weir_status_name((weir_status)-1), "WEIR_E_?");
    assert_string_equal(weir_class_name((weir_error_class)999), "?");
    assert_string_equal(weir_stage_name((weir_stage)999), "?");
}

static void test_an_error_is_written_whole(void **state)
{
    weir_error err;

    (void)state;
    memset(&err, 0xa5, sizeof err);
    assert_int_equal(wr_error_set(&err, WEIR_E_LIMIT, "%d bytes", 5),
                     WEIR_E_LIMIT);
    assert_string_equal(err.message, "5 bytes");
    assert_int_equal(err.error_class, WEIR_CLASS_LIMIT);
    assert_int_equal(err.stage, WEIR_STAGE_NONE);
    assert_int_equal(err.system_code, 0);
    assert_int_equal(err.connection, 0);
    assert_false(err.may_have_been_processed);
    assert_int_equal(wr_error_at(&err, WEIR_E_URL, 7, "bad"), WEIR_E_URL);
    assert_int_equal(err.offset, 7);
    assert_int_equal(wr_error_system(&err, WEIR_E_FILE, ENOENT, "x"),
                     WEIR_E_FILE);
    assert_string_equal(err.message, "x: no such file or directory");
    assert_int_equal(err.system_code, ENOENT);
    assert_int_equal(err.offset, 0);
    assert_int_equal(wr_error_no_memory(&err), WEIR_E_NO_MEMORY);
    assert_string_equal(err.message, "out of memory");
}

static void test_nobody_need_want_an_error(void **state)
{
    (void)state;
    assert_int_equal(wr_error_set(NULL, WEIR_E_URL, "x"), WEIR_E_URL);
    assert_int_equal(wr_error_at(NULL, WEIR_E_URL, 1, "x"), WEIR_E_URL);
    assert_int_equal(wr_error_system(NULL, WEIR_E_FILE, ENOENT, "x"),
                     WEIR_E_FILE);
    assert_int_equal(wr_error_no_memory(NULL), WEIR_E_NO_MEMORY);
}

static void test_a_long_message_is_cut_and_terminated(void **state)
{
    char text[400];
    weir_error err;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    wr_error_set(&err, WEIR_E_URL, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    wr_error_system(&err, WEIR_E_FILE, ENOENT, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void test_an_unknown_system_error_shows_its_number(void **state)
{
    char text[64];

    (void)state;
    assert_string_equal(wr_system_text(ECONNREFUSED, text, sizeof text),
                        "connection refused");
    assert_string_equal(wr_system_text(123456, text, sizeof text),
                        "system error 123456");
}

static void test_a_buffer_grows_and_drops(void **state)
{
    struct wr_buf buf = {0};

    (void)state;
    assert_true(wr_buf_append(&buf, NULL, 0));
    assert_int_equal(buf.len, 0);
    for (int i = 0; i < 1000; i++)
        assert_true(wr_buf_append_format(&buf, "%03d,", i));
    assert_int_equal(buf.len, 4000);
    assert_true(buf.cap >= buf.len);
    assert_memory_equal(buf.data, "000,001,", 8);
    wr_buf_drop(&buf, 3992);
    assert_int_equal(buf.len, 8);
    assert_memory_equal(buf.data, "998,999,", 8);
    wr_buf_drop(&buf, 8);
    assert_int_equal(buf.len, 0);
    assert_true(wr_buf_append_text(&buf, "ab"));
    assert_memory_equal(buf.data, "ab", 2);
    wr_buf_done(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.cap, 0);
}

static void test_a_failed_append_leaves_the_buffer_as_it_was(void **state)
{
    struct wr_buf buf = {0};
    struct wr_buf before;
    char big[600] = {0};

    (void)state;
    assert_true(wr_buf_append(&buf, "abc", 3));
    before = buf;
    assert_false(wr_buf_reserve(&buf, SIZE_MAX)); /* len + more overflows */
    assert_int_equal(weir_set_allocator(&no_memory), WEIR_OK);
    assert_false(wr_buf_append(&buf, big, sizeof big));
    assert_false(wr_buf_append_format(&buf, "%600d", 1));
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
    assert_memory_equal(&buf, &before, sizeof buf);
    assert_memory_equal(buf.data, "abc", 3);
    wr_buf_done(&buf);
}

static void test_deadlines_never_wrap(void **state)
{
    (void)state;
    assert_true(wr_after(5, 10) == 15);
    assert_true(wr_after(UINT64_MAX - 1, 10) == WR_NEVER);
    assert_true(wr_after(5, WR_NEVER) == WR_NEVER);
    assert_true(wr_left(15, 5) == 10);
    assert_true(wr_left(5, 15) == 0);
    assert_true(wr_earlier(5, WR_NEVER) == 5);
    assert_true(wr_seconds(0) == 0);
    assert_true(wr_seconds(0.5) == WR_SECOND / 2);
    assert_true(wr_seconds(1e300) == WR_NEVER);
}

static void test_poll_waits_are_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(wr_poll_timeout(WR_NEVER, 5), -1);
    assert_int_equal(wr_poll_timeout(5, 5), 0);
    assert_int_equal(wr_poll_timeout(4, 5), 0);
    assert_int_equal(wr_poll_timeout(6, 5), 1);
    assert_int_equal(wr_poll_timeout(1000005, 5), 1);
    assert_int_equal(wr_poll_timeout(1000006, 5), 2);
    assert_int_equal(wr_poll_timeout(WR_NEVER - 1, 0), INT_MAX);
}

static void test_slices_compare_without_case_of_ascii(void **state)
{
    const struct wr_slice slice = {"Content-Length: 5", 14};

    (void)state;
    assert_true(wr_slice_is(slice, "content-length"));
    assert_false(wr_slice_is(slice, "content-lengt"));
    assert_false(wr_slice_is(slice, "content-length:"));
    assert_true(wr_lower('[') == '[');
    assert_true(wr_lower('@') == '@');
    assert_true(wr_lower('Z') == 'z');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_allocator_is_whole_or_refused),
        cmocka_unit_test(test_sizes_that_overflow_count_as_no_memory),
        cmocka_unit_test(test_no_bytes_are_still_a_block),
        cmocka_unit_test(test_calloc_gives_zeroes_and_strndup_an_end),
        cmocka_unit_test(test_every_status_has_name_class_and_meaning),
        cmocka_unit_test(test_unknown_codes_have_a_name_too),
        cmocka_unit_test(test_an_error_is_written_whole),
        cmocka_unit_test(test_nobody_need_want_an_error),
        cmocka_unit_test(test_a_long_message_is_cut_and_terminated),
        cmocka_unit_test(test_an_unknown_system_error_shows_its_number),
        cmocka_unit_test(test_a_buffer_grows_and_drops),
        cmocka_unit_test(test_a_failed_append_leaves_the_buffer_as_it_was),
        cmocka_unit_test(test_deadlines_never_wrap),
        cmocka_unit_test(test_poll_waits_are_rounded_up),
        cmocka_unit_test(test_slices_compare_without_case_of_ascii),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
