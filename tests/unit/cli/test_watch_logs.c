/* Output of services: files that are rotated line by line, last lines that are
 * kept, and what happens when nothing can be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "watch/logs.h"

static char folder[64];
static char path[96];
static struct watch_loop *loop;
static struct watch_log *log_;

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/weir-logs-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/it.log", folder);
    loop = watch_loop_new();
    return loop ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    watch_log_free(log_);
    log_ = NULL;
    watch_loop_free(loop);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command); /* NOLINT(cert-env33-c) */
}

static void make(uint64_t max_bytes, unsigned files)
{
    log_ = watch_log_new(
        loop, path,
        &(struct watch_log_rules){.max_bytes = max_bytes, .files = files});
}

/* What a file holds, "" if it is not there; `number` 0 is the newest. */
static const char *text_of(unsigned number)
{
    static char text[1 << 20];
    char name[128];
    FILE *file;
    size_t len = 0;

    snprintf(name, sizeof name, number ? "%s.%u" : "%s", path, number);
    file = fopen(name, "re");
    if (file) {
        len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
    }
    text[len] = '\0';
    return text;
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* The loop takes what has been written. */
static void turn(void)
{
    watch_loop_turn(loop, 1000);
}

static void test_lines_are_never_torn(void **state)
{
    int fd;

    (void)state;
    make(20, 3);
    fd = watch_log_begin(log_);
    put(fd, "first line\n"); /* 11 bytes */
    turn();
    put(fd, "second ");
    turn();
    put(fd, "line\nthird line\n");
    turn();
    close(fd);
    watch_log_end(log_);
    assert_string_equal(text_of(0), "third line\n");
    assert_string_equal(text_of(1), "first line\nsecond line\n");
    assert_string_equal(text_of(2), "");
}

static void test_only_so_many_files_are_kept(void **state)
{
    char line[] = "line 0\n";
    int fd;

    (void)state;
    make(7, 3);
    fd = watch_log_begin(log_);
    for (char i = '0'; i <= '9'; i++) {
        line[5] = i;
        put(fd, line);
        turn();
    }
    close(fd);
    watch_log_end(log_);
    assert_string_equal(text_of(0), "line 9\n");
    assert_string_equal(text_of(2), "line 7\n");
    assert_string_equal(text_of(3), "");
}

static void test_one_file_alone(void **state)
{
    int fd;

    (void)state;
    make(5, 1);
    fd = watch_log_begin(log_);
    put(fd, "old\n");
    turn();
    put(fd, "new\nnewest\n");
    turn();
    close(fd);
    watch_log_end(log_);
    assert_string_equal(text_of(0), "newest\n");
    assert_string_equal(text_of(1), "");
}

static void test_a_line_without_end_is_cut(void **state)
{
    char line[1001];
    int fd;

    (void)state;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    make(400, 5);
    fd = watch_log_begin(log_);
    put(fd, line);
    turn();
    close(fd);
    watch_log_end(log_);
    assert_int_equal(strlen(text_of(0)), 200);
    assert_int_equal(strlen(text_of(1)), 400);
    assert_int_equal(strlen(text_of(2)), 400);
}

static void test_a_file_goes_on_where_it_was(void **state)
{
    (void)state;
    make(1000, 2);
    for (int i = 0; i < 3; i++) {
        const int fd = watch_log_begin(log_);

        put(fd, "hello\n");
        close(fd);
        watch_log_end(log_); /* without a turn: what is left is taken */
    }
    assert_string_equal(text_of(0), "hello\nhello\nhello\n");
}

static void test_the_last_lines(void **state)
{
    char text[64];
    int fd;

    (void)state;
    make(1 << 20, 2);
    watch_log_last_lines(log_, text, sizeof text);
    assert_string_equal(text, "");
    fd = watch_log_begin(log_);
    put(fd, "one\ntwo\nthree\nfour\nfive\nsix\033[31m\nseven\n\n");
    turn();
    watch_log_last_lines(log_, text, sizeof text);
    assert_string_equal(text, "three | four | five | six [31m | seven");
    /* Room is respected. */
    watch_log_last_lines(log_, text, 12);
    assert_true(strlen(text) < 12);
    for (int i = 0; i < 1000; i++)
        put(fd, "flood\n");
    put(fd, "end");
    turn();
    watch_log_last_lines(log_, text, sizeof text);
    assert_string_equal(text, "flood | flood | flood | flood | end");
    close(fd);
    /* A new process begins with a clean slate. */
    fd = watch_log_begin(log_);
    watch_log_last_lines(log_, text, sizeof text);
    assert_string_equal(text, "");
    close(fd);
}

static void test_a_full_disk_holds_nobody_up(void **state)
{
    char chunk[5000];
    uint64_t lost = 0;
    int fd;

    (void)state;
    memset(chunk, 'x', sizeof chunk);
    assert_int_equal(symlink("/dev/full", path), 0);
    make(1 << 20, 2);
    fd = watch_log_begin(log_);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(write(fd, chunk, sizeof chunk), sizeof chunk);
        turn();
        lost += watch_log_lost(log_);
    }
    assert_int_equal(lost, 100 * sizeof chunk);
    close(fd);
}

static void test_no_folder_is_an_error(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/none/it.log", folder);
    make(100, 2);
    assert_true(watch_log_begin(log_) < 0);
    assert_true(watch_log_begin_detached(log_) < 0);
}

static void test_a_detached_one_writes_to_the_file(void **state)
{
    char text[64];
    int fd;

    (void)state;
    make(10, 3);
    fd = watch_log_begin_detached(log_);
    put(fd, "first\n");
    watch_log_cut(log_); /* it is not time yet */
    put(fd, "second\n");
    watch_log_cut(log_);
    assert_string_equal(text_of(0), "");
    assert_string_equal(text_of(1), "first\nsecond\n");
    put(fd, "third\n"); /* at the start: it is opened to append */
    assert_string_equal(text_of(0), "third\n");
    watch_log_last_lines(log_, text, sizeof text);
    assert_string_equal(text, "third");
    put(fd, "fourth\n");
    watch_log_cut(log_);
    assert_string_equal(text_of(1), "third\nfourth\n");
    assert_string_equal(text_of(2), "first\nsecond\n");
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lines_are_never_torn),
        TEST(test_only_so_many_files_are_kept),
        TEST(test_one_file_alone),
        TEST(test_a_line_without_end_is_cut),
        TEST(test_a_file_goes_on_where_it_was),
        TEST(test_the_last_lines),
        TEST(test_a_full_disk_holds_nobody_up),
        TEST(test_no_folder_is_an_error),
        TEST(test_a_detached_one_writes_to_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
