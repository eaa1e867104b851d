/* Lines of requirements files: PEP 508 names as pip's format frames them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "versions/package_name.h"
#include "versions/requirement.h"

static struct requirement_line read_line(const char *text)
{
    struct requirement_line line;

    requirement_read(text, &line);
    return line;
}

static void must_be(const char *text, enum requirement_kind kind)
{
    const struct requirement_line line = read_line(text);

    if (line.kind != kind)
        fail_msg("\"%s\": kind %d (%s), expected %d", text, (int)line.kind,
                 line.why, (int)kind);
}

static void must_hold(const char *text, const char *what, size_t len,
                      const char *expected)
{
    if (strlen(expected) != len || memcmp(what, expected, len) != 0)
        fail_msg("\"%s\": found \"%.*s\", expected \"%s\"", text, (int)len,
                 what, expected);
}

static void test_names_and_what_they_are_pinned_to(void **state)
{
    static const struct {
        const char *text;
        const char *name;
        const char *pin; /* NULL: none */
    } table[] = {
        {"ruff", "ruff", NULL},
        {"  ruff\t", "ruff", NULL},
        {"zope.interface", "zope.interface", NULL},
        {"A-b_C.3", "A-b_C.3", NULL},
        {"7zip", "7zip", NULL},
        {"ruff==0.1.6", "ruff", "0.1.6"},
        {"ruff == 0.1.6", "ruff", "0.1.6"},
        {"ruff===0.1.6", "ruff", "0.1.6"},
        {"ruff===nightly", "ruff", NULL},
        {"ruff==0.1.*", "ruff", NULL},
        {"ruff>=0.1", "ruff", NULL},
        {"ruff~=0.1.0", "ruff", NULL},
        {"ruff!=0.1.*,<1", "ruff", NULL},
        {"ruff >0.1, <=0.9 , !=0.3", "ruff", NULL},
        {"ruff>=0.1,==0.1.6", "ruff", "0.1.6"},
        {"ruff(>=0.1,<1)", "ruff", NULL},
        {"ruff (==0.1.6)", "ruff", "0.1.6"},
        {"ruff==1!2.0rc1+local.1", "ruff", "1!2.0rc1+local.1"},
        {"uvicorn[standard]==0.24", "uvicorn", "0.24"},
        {"uvicorn [ standard , x-y ] >= 0.24", "uvicorn", NULL},
        {"uvicorn[]", "uvicorn", NULL},
        {"ruff; python_version < '3.8'", "ruff", NULL},
        {"ruff==0.1.6;os_name=='nt' and extra=='x'", "ruff", "0.1.6"},
        {"ruff @ https://example.org/ruff-1.whl", "ruff", NULL},
        {"ruff[x]@file:///ruff.whl ; os_name=='nt'", "ruff", NULL},
        {"ruff==0.1.6 # why", "ruff", "0.1.6"},
        {"ruff==0.1.6 --hash=sha256:00 --hash=sha256:11", "ruff", "0.1.6"},
        {"ruff --config-settings x", "ruff", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct requirement_line line = read_line(table[i].text);

        must_be(table[i].text, REQUIREMENT_NAME);
        must_hold(table[i].text, line.text, line.len, table[i].name);
        if (table[i].pin)
            must_hold(table[i].text, line.pin, line.pin_len, table[i].pin);
        else
            assert_null(line.pin);
    }
}

static void test_lines_that_say_nothing(void **state)
{
    (void)state;
    must_be("", REQUIREMENT_NONE);
    must_be(" \t\r", REQUIREMENT_NONE);
    must_be("# ruff==1", REQUIREMENT_NONE);
    must_be("   # ruff", REQUIREMENT_NONE);
}

static void test_files_to_include(void **state)
{
    static const char *const spellings[] = {"-r base.txt",
                                            "-rbase.txt",
                                            "--requirement base.txt",
                                            "--requirement=base.txt",
                                            "-r   base.txt # why",
                                            NULL};

    (void)state;
    for (const char *const *text = spellings; *text; text++) {
        const struct requirement_line line = read_line(*text);

        must_be(*text, REQUIREMENT_INCLUDE);
        must_hold(*text, line.text, line.len, "base.txt");
    }
}

static void test_what_is_ignored_says_so(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } table[] = {
        {"--index-url https://example.org/simple",
         "option --index-url is ignored"},
        {"--index-url=https://example.org", "option --index-url is ignored"},
        {"-i https://example.org", "option -i is ignored"},
        {"-c constraints.txt", "option -c is ignored"},
        {"--constraint x", "option --constraint is ignored"},
        {"-e .", "option -e is ignored"},
        {"--no-binary :all:", "option --no-binary is ignored"},
        {"--require-hashes", "option --require-hashes is ignored"},
        {"--requirements", "option --requirements is ignored"},
        {".", "'.' is a file or a URL, and ignored"},
        {"./local", "'./local' is a file or a URL, and ignored"},
        {"/abs/x.whl", "'/abs/x.whl' is a file or a URL, and ignored"},
        {"ruff-0.1.6-py3-none-any.whl",
         "'ruff-0.1.6-py3-none-any.whl' is a file or a URL, and ignored"},
        {"git+https://example.org/x#egg=ruff",
         "'git+https://example.org/x#egg=ruff' is a file or a URL, and "
         "ignored"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        must_be(table[i].text, REQUIREMENT_IGNORED);
        assert_string_equal(read_line(table[i].text).why, table[i].why);
    }
}

static void test_what_is_wrong_says_what_was_expected(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } table[] = {
        {"=1.0", "found '=1.0', expected the name of a package"},
        {"_ruff", "found '_ruff', expected the name of a package"},
        {"ruff=1.0", "found '=1.0', expected ==, ~=, !=, <=, >=, <, > or ==="},
        {"ruff 1.0", "found '1.0', expected ==, ~=, !=, <=, >=, <, > or ==="},
        {"ruff-", "found '-', expected ==, ~=, !=, <=, >=, <, > or ==="},
        {"ruff==", "found nothing, expected a version such as 1.2.3"},
        {"ruff==x", "found 'x', expected a version such as 1.2.3"},
        {"ruff>=1.*", "found '1.*', expected a version such as 1.2.3"},
        {"ruff>=1,", "found nothing, expected ==, ~=, !=, <=, >=, <, > or ==="},
        {"ruff==1 2", "found '2', expected ',', ';' or the end of the line"},
        {"ruff(==1", "found nothing, expected ',' or ')'"},
        {"ruff==1)", "found ')', expected ',', ';' or the end of the line"},
        {"ruff()", "found ')', expected ==, ~=, !=, <=, >=, <, > or ==="},
        {"ruff[a", "found nothing, expected ',' or ']' behind an extra"},
        {"ruff[a,]", "found ']', expected the name of an extra"},
        {"ruff[a b]", "found 'b]', expected ',' or ']' behind an extra"},
        {"ruff;", "found nothing, expected a marker behind ';'"},
        {"-r", "found -r alone, expected a file behind it"},
        {"-r https://example.org/r.txt",
         "found a URL behind -r, expected a file"},
        {"r\xc3\xbc"
         "ff",
         "found '\xc3\xbc"
         "ff', expected ==, ~=, !=, <=, >=, <, > or ==="},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        must_be(table[i].text, REQUIREMENT_WRONG);
        assert_string_equal(read_line(table[i].text).why, table[i].why);
    }
}

/* Every beginning of a line is read to its NUL and no further. */
static void test_nothing_is_read_beyond_the_line(void **state)
{
    static const char *const texts[] = {
        "a[b,c] (>=1.0, ==2.0.*) ; x == 'y' # z", "--requirement=base.txt",
        "git+https://example.org/x.whl", "a === b --hash=c", NULL};
    struct guard guard = guard_open(256);

    (void)state;
    for (const char *const *text = texts; *text; text++) {
        for (size_t len = 0; len <= strlen(*text); len++) {
            char copy[64] = "";

            memcpy(copy, *text, len);
            read_line(guard_at_end(&guard, copy, len + 1));
        }
    }
    guard_close(&guard);
}

static void test_normal_names(void **state)
{
    static const char *const table[][2] = {
        {"ruff", "ruff"},
        {"Friendly-Bard", "friendly-bard"},
        {"FRIENDLY.BARD", "friendly-bard"},
        {"friendly_bard", "friendly-bard"},
        {"friendly--bard", "friendly-bard"},
        {"FrIeNdLy-._.-bArD", "friendly-bard"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const size_t len = package_name_len(table[i][0]);
        char *normal = package_name_normalise(table[i][0], len);

        assert_int_equal(len, strlen(table[i][0]));
        assert_string_equal(normal, table[i][1]);
        free(normal);
    }
    assert_int_equal(package_name_len("-ruff"), 0);
    assert_int_equal(package_name_len("ruff-"), 4);
    assert_int_equal(package_name_len(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_what_they_are_pinned_to),
        cmocka_unit_test(test_lines_that_say_nothing),
        cmocka_unit_test(test_files_to_include),
        cmocka_unit_test(test_what_is_ignored_says_so),
        cmocka_unit_test(test_what_is_wrong_says_what_was_expected),
        cmocka_unit_test(test_nothing_is_read_beyond_the_line),
        cmocka_unit_test(test_normal_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
