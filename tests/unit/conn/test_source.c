/* Request bodies: memory, file, callback. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conn/source.h"

static void write_file(char *path, const char *text)
{
    const int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void a_file_is_read_with_its_length_and_again(void **state)
{
    char path[] = "/tmp/weir-source-XXXXXX";
    struct wr_source source = {.fd = -1};
    weir_error err;
    char buf[16];
    size_t len;

    (void)state;
    write_file(path, "hello world");
    assert_int_equal(wr_source_file(&source, path, &err), WEIR_OK);
    assert_int_equal(source.length, 11);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wr_source_begin(&source, &err), WEIR_OK);
        assert_int_equal(wr_source_read(&source, buf, 5, &len, &err), WEIR_OK);
        assert_int_equal(len, 5);
        assert_memory_equal(buf, "hello", 5);
        assert_int_equal(wr_source_read(&source, buf, 16, &len, &err), WEIR_OK);
        assert_int_equal(len, 6);
        assert_int_equal(wr_source_read(&source, buf, 16, &len, &err), WEIR_OK);
        assert_int_equal(len, 0);
    }
    wr_source_done(&source);
    unlink(path);
}

static void a_file_that_shrinks_is_an_error(void **state)
{
    char path[] = "/tmp/weir-source-XXXXXX";
    struct wr_source source = {.fd = -1};
    weir_error err;
    char buf[16];
    size_t len;

    (void)state;
    write_file(path, "hello world");
    assert_int_equal(wr_source_file(&source, path, &err), WEIR_OK);
    assert_int_equal(truncate(path, 3), 0);
    wr_source_begin(&source, &err);
    assert_int_equal(wr_source_read(&source, buf, 16, &len, &err), WEIR_OK);
    assert_int_equal(len, 3);
    assert_int_equal(wr_source_read(&source, buf, 16, &len, &err), WEIR_E_BODY);
    assert_string_equal(err.message, "request body: ended after 3 of 11 bytes");
    wr_source_done(&source);
    unlink(path);
}

static void a_missing_file_and_a_folder_are_named(void **state)
{
    struct wr_source source = {.fd = -1};
    weir_error err;

    (void)state;
    assert_int_equal(wr_source_file(&source, "/no/such", &err), WEIR_E_FILE);
    assert_string_equal(err.message,
                        "open /no/such: no such file or directory");
    assert_int_equal(wr_source_file(&source, "/tmp", &err), WEIR_E_FILE);
    assert_string_equal(err.message, "read /tmp: is a directory");
}

static void a_pipe_is_chunked_and_sent_once(void **state)
{
    char folder[] = "/tmp/weir-source-XXXXXX";
    char path[64];
    struct wr_source source = {.fd = -1};
    weir_error err;
    char buf[16];
    size_t len;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(wr_source_file(&source, path, &err), WEIR_OK);
    assert_true(source.length == WEIR_LENGTH_UNKNOWN);
    assert_int_equal(wr_source_begin(&source, &err), WEIR_OK);
    assert_int_equal(wr_source_read(&source, buf, 16, &len, &err), WEIR_OK);
    assert_int_equal(len, 3);
    assert_false(wr_source_can_begin(&source));
    assert_int_equal(wr_source_begin(&source, &err), WEIR_E_BODY);
    wr_source_done(&source);
    close(fd);
    unlink(path);
    rmdir(folder);
}

static long fails(void *user, char *buf, size_t cap)
{
    (void)user;
    (void)buf;
    (void)cap;
    return -1;
}

static int rewinds(void *user)
{
    return *(int *)user;
}

static long one(void *user, char *buf, size_t cap)
{
    (void)user;
    (void)cap;
    *buf = 'x';
    return 1;
}

static void a_callback_may_fail_and_may_refuse_to_rewind(void **state)
{
    struct wr_source source;
    weir_error err;
    int refusal = 0;
    char buf[4];
    size_t len;

    (void)state;
    wr_source_reader(&source, WEIR_LENGTH_UNKNOWN, fails, NULL, NULL);
    assert_int_equal(wr_source_read(&source, buf, 4, &len, &err), WEIR_E_BODY);

    wr_source_reader(&source, 2, one, rewinds, &refusal);
    assert_int_equal(wr_source_begin(&source, &err), WEIR_OK);
    assert_int_equal(wr_source_read(&source, buf, 4, &len, &err), WEIR_OK);
    assert_int_equal(wr_source_begin(&source, &err), WEIR_OK);
    refusal = 1;
    assert_int_equal(wr_source_begin(&source, &err), WEIR_E_BODY);
}

static long says_too_much(void *user, char *buf, size_t cap)
{
    (void)user;
    (void)buf;
    return (long)cap + 1;
}

static void a_callback_that_returns_more_than_the_room_fails(void **state)
{
    struct wr_source source;
    weir_error err;
    char buf[4];
    size_t len;

    (void)state;
    wr_source_reader(&source, WEIR_LENGTH_UNKNOWN, says_too_much, NULL, NULL);
    assert_int_equal(wr_source_read(&source, buf, 4, &len, &err), WEIR_E_BODY);
    assert_string_equal(
        err.message, "request body: its callback returned 5, expected 0 to 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_with_its_length_and_again),
        cmocka_unit_test(a_file_that_shrinks_is_an_error),
        cmocka_unit_test(a_missing_file_and_a_folder_are_named),
        cmocka_unit_test(a_pipe_is_chunked_and_sent_once),
        cmocka_unit_test(a_callback_may_fail_and_may_refuse_to_rewind),
        cmocka_unit_test(a_callback_that_returns_more_than_the_room_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
