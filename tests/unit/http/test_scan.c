/* All forms of the scanner find the same byte, at every alignment, and never
 * look beyond the end: every input ends at an unreadable page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "guard.h"

#include "http/scan.h"

enum {
    LONGEST = 200
};

static struct guard room;

static int open_room(void **state)
{
    (void)state;
    room = guard_open(4096);
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    guard_close(&room);
    return 0;
}

/* What the words of scan.h say, one byte at a time. */
static size_t expected_span(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)bytes[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return i;
    }
    return len;
}

/* Runs all forms over bytes that end at the guard page. */
static void check(const char *bytes, size_t len)
{
    const char *from = guard_at_end(&room, bytes, len);
    const size_t span = expected_span(bytes, len);

    for (const struct wr_scanner *form = wr_scanners(); form->name; form++)
        assert_ptr_equal(form->scan(from, room.end), from + span);
    assert_ptr_equal(wr_scan(from, room.end), from + span);
}

static void test_the_last_form_is_the_portable_one(void **state)
{
    const struct wr_scanner *form = wr_scanners();

    (void)state;
    assert_string_equal(wr_scan_name(), form->name);
    while (form[1].name)
        form++;
    assert_string_equal(form->name, "portable");
    assert_ptr_equal(form->scan, wr_scan_portable);
}

static void test_nothing_is_found_in_nothing(void **state)
{
    (void)state;
    check("", 0);
}

static void test_each_byte_at_each_place_of_each_length(void **state)
{
    char bytes[LONGEST];

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    for (size_t len = 1; len <= 70; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                bytes[at] = (char)c;
                check(bytes, len);
            }
            bytes[at] = 'x';
        }
    }
}

static void test_all_pairs_of_bytes(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            const char bytes[] = {(char)a, (char)b, (char)a, (char)b, (char)a,
                                  (char)b, (char)a, (char)b, (char)b};

            check(bytes, 2);
            check(bytes, 9);
        }
    }
}

/* Every alignment and length, the end somewhere before the guard page. */
static void test_no_form_cares_for_the_alignment(void **state)
{
    (void)state;
    for (size_t before = 0; before < 64; before++) {
        for (size_t len = 0; len < 100; len++) {
            char *from = room.begin + before;

            memset(room.begin, 'x', before + len);
            from[len] = '\r'; /* behind the end: must not be found */
            for (const struct wr_scanner *form = wr_scanners(); form->name;
                 form++)
                assert_ptr_equal(form->scan(from, from + len), from + len);
            if (len == 0)
                continue;
            from[len - 1] = '\n';
            for (const struct wr_scanner *form = wr_scanners(); form->name;
                 form++)
                assert_ptr_equal(form->scan(from, from + len), from + len - 1);
        }
    }
}

static void test_random_bytes(void **state)
{
    uint32_t seed = 1;
    char bytes[LONGEST];

    (void)state;
    for (int round = 0; round < 100000; round++) {
        size_t len;

        seed = seed * 1664525 + 1013904223;
        len = (seed >> 8) % LONGEST;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            /* mostly plain, or it would stop at once */
            bytes[i] = (char)((seed >> 24) % 32 ? 0x20 + (seed >> 16) % 95
                                                : (seed >> 12) % 256);
        }
        check(bytes, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_form_is_the_portable_one),
        cmocka_unit_test(test_nothing_is_found_in_nothing),
        cmocka_unit_test(test_each_byte_at_each_place_of_each_length),
        cmocka_unit_test(test_all_pairs_of_bytes),
        cmocka_unit_test(test_no_form_cares_for_the_alignment),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests_name("scan", tests, open_room, close_room);
}
