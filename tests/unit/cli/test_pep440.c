/* Versions: PEP 440.  The examples of the specification itself, and one line
 * for each rule; test_pep440_oracle.py asks an independent implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "versions/pep440.h"

static struct pep440 must_parse(const char *text)
{
    struct pep440 version;

    if (!pep440_parse(text, strlen(text), &version))
        fail_msg("\"%s\" is a version", text);
    return version;
}

/* --- what is read, and what it becomes ----------------------------------- */

static const struct {
    const char *text;
    const char *normal;
} spellings[] = {
    /* the release */
    {"1", "1"},
    {"0", "0"},
    {"1.0", "1.0"},
    {"2023.11.28.1.2.3.4", "2023.11.28.1.2.3.4"},
    {"v1.0", "1.0"},
    {"V1.0", "1.0"},
    {" \t1.0\r\n", "1.0"},
    /* integers without leading zeros, of any size */
    {"001.002.000", "1.2.0"},
    {"1.0a005", "1.0a5"},
    {"00!1", "1"},
    {"1.340282366920938463463374607431768211456",
     "1.340282366920938463463374607431768211456"},
    /* epochs */
    {"1!2.0", "1!2.0"},
    {"0!1", "1"},
    {"v007!1", "7!1"},
    /* pre-releases: their words, separators and implied numbers */
    {"1.0a1", "1.0a1"},
    {"1.0alpha1", "1.0a1"},
    {"1.0ALPHA1", "1.0a1"},
    {"1.0beta1", "1.0b1"},
    {"1.0c1", "1.0rc1"},
    {"1.0pre1", "1.0rc1"},
    {"1.0preview1", "1.0rc1"},
    {"1.0RC1", "1.0rc1"},
    {"1.0.a.1", "1.0a1"},
    {"1.0-a-1", "1.0a1"},
    {"1.0_a_1", "1.0a1"},
    {"1.0a", "1.0a0"},
    {"1.0-preview.", "1.0rc0"},
    /* post-releases, the implicit one too */
    {"1.0.post2", "1.0.post2"},
    {"1.0post2", "1.0.post2"},
    {"1.0-post-2", "1.0.post2"},
    {"1.0rev4", "1.0.post4"},
    {"1.0.r4", "1.0.post4"},
    {"1.0.r", "1.0.post0"},
    {"1.0post-", "1.0.post0"},
    {"1.0-1", "1.0.post1"},
    {"1.0a-1", "1.0a1"},
    {"1.0a--1", "1.0a0.post1"},
    {"1.0a1-2", "1.0a1.post2"},
    {"1.0c-1-1", "1.0rc1.post1"},
    /* development releases */
    {"1.0.dev3", "1.0.dev3"},
    {"1.0dev", "1.0.dev0"},
    {"1.0-DEV_3", "1.0.dev3"},
    {"1.0a1.dev2", "1.0a1.dev2"},
    {"1.0-1.dev2", "1.0.post1.dev2"},
    {"1.0postdev", "1.0.post0.dev0"},
    {"1.0post..dev.", "1.0.post0.dev0"},
    /* local labels */
    {"1.0+ubuntu-1", "1.0+ubuntu.1"},
    {"1.0+A_b.C-d", "1.0+a.b.c.d"},
    {"1.0+007.a07", "1.0+7.a07"},
    {"1.0dev+0", "1.0.dev0+0"},
    {"1!2c3-4dev5+6", "1!2rc3.post4.dev5+6"},
};

static void test_every_spelling_has_its_normal_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        const struct pep440 version = must_parse(spellings[i].text);
        char normal[PEP440_NORMAL_MAX];

        pep440_normalise(&version, normal);
        if (strcmp(normal, spellings[i].normal) != 0)
            fail_msg("\"%s\" became \"%s\", not \"%s\"", spellings[i].text,
                     normal, spellings[i].normal);
    }
}

static void test_a_normal_form_is_the_same_version(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        const struct pep440 as_written = must_parse(spellings[i].text);
        const struct pep440 normal = must_parse(spellings[i].normal);

        assert_int_equal(pep440_compare(&as_written, &normal), 0);
    }
}

static void test_what_is_no_version(void **state)
{
    static const char *const texts[] = {
        "",          " ",         "v",       "vv1",      "a",
        "ruff",      "1.",        ".1",      "1..0",     "1 .0",
        "1.0 a1",    "1!",        "!1",      "1!2!3",    "-1",
        "+1",        "1.0-",      "1.0_1",   "1.0.x",    "1.0a1b2",
        "1.0rc1rc2", "1.0a--",    "1.0..a",  "1.0dev1a", "1.0dev.post1",
        "1.0post--", "1.0post-a", "1.0po",   "1.0+",     "1.0+a.",
        "1.0+.a",    "1.0+a..b",  "1.0+a+b", "1.0+a b",  "1.0+\xc3\xa9",
        "1.0-2-3",   "1.0*",      "1.*",     "==1.0",    "1,0",
        "1.0\x01",   "1.0alph",   "1.0prev", NULL};
    struct pep440 version;

    (void)state;
    for (const char *const *text = texts; *text; text++) {
        if (pep440_parse(*text, strlen(*text), &version))
            fail_msg("\"%s\" is no version", *text);
    }
    assert_false(pep440_parse("1.0\0", 4, &version));
}

static void test_a_failure_writes_nothing(void **state)
{
    struct pep440 version = must_parse("1.0");

    (void)state;
    assert_false(pep440_parse("2.0x", 4, &version));
    assert_string_equal(version.text, "1.0");
}

static void test_the_longest_version(void **state)
{
    char text[PEP440_MAX + 2];
    struct pep440 version;
    char normal[PEP440_NORMAL_MAX];

    (void)state;
    memset(text, '9', sizeof text);
    assert_true(pep440_parse(text, PEP440_MAX, &version));
    assert_false(pep440_parse(text, PEP440_MAX + 1, &version));
    memcpy(text + PEP440_MAX - 6, "crdev+", 6);
    text[PEP440_MAX - 6 - 1] = '9';
    memcpy(text + PEP440_MAX - 7, "crdev+0", 7);
    assert_true(pep440_parse(text, PEP440_MAX, &version));
    pep440_normalise(&version, normal);
    assert_non_null(strstr(normal, "9rc0.post0.dev0+0"));
}

static void test_nothing_is_read_beyond_the_text(void **state)
{
    static const char text[] = "1!1.0rc1.post2.dev3+ab.1";
    struct guard guard = guard_open(sizeof text);
    struct pep440 version;

    (void)state;
    for (size_t len = 0; len < sizeof text; len++)
        pep440_parse(guard_at_end(&guard, text, len), len, &version);
    guard_close(&guard);
}

/* --- order ---------------------------------------------------------------- */

/* Each line comes before the next; those of one line are the same version. */
static const char *const ascending[][6] = {
    {"0", "0.0", "v0", "0!0.0.0"},
    {"0.9"},
    {"0.10", "0.010", "0.10.0"},
    {"1.dev0", "1.0.0-dev", "1DEV."},
    {"1.dev456", "1.0.dev456"},
    {"1.0a0.dev1", "1a.dev1"},
    {"1.0a1", "1alpha1", "1.0.0.a.1"},
    {"1.0a2.dev456"},
    {"1.0a2"},
    {"1.0a12.dev456"},
    {"1.0a12"},
    {"1.0a12.post1.dev3"},
    {"1.0a12.post1", "1a12-1"},
    {"1.0b1.dev456"},
    {"1.0b2", "1beta2"},
    {"1.0b2.post345.dev456"},
    {"1.0b2.post345"},
    {"1.0rc1.dev456"},
    {"1.0rc1", "1.0c1", "1.0pre1", "1.0preview1", "1-rc-1"},
    {"1.0rc1+1"},
    {"1.0", "1", "1.0.0", "1.0.0.0.0", "v1"},
    {"1.0+a"},
    {"1.0+abc"},
    {"1.0+abc.a", "1+ABC_a"},
    {"1.0+abc.5", "1+abc-005"},
    {"1.0+abc.7"},
    {"1.0+abc.10"},
    {"1.0+abd"},
    {"1.0+0", "1.0+00"},
    {"1.0+0.0"},
    {"1.0+5"},
    {"1.0+10"},
    {"1.0.post0.dev0"},
    {"1.0.post0", "1.0-0", "1.0.r", "1rev"},
    {"1.0.post9"},
    {"1.0.post456.dev34"},
    {"1.0.post456"},
    {"1.0.0.0.1"},
    {"1.0.15"},
    {"1.1.dev1"},
    {"1.1"},
    {"1.99999999999999999999998"},
    {"1.99999999999999999999999"},
    {"1.100000000000000000000000"},
    {"2023.1"},
    {"1!0.dev0"},
    {"1!0.1"},
    {"2!0"},
    {"10!0"},
};

enum {
    STEPS = sizeof ascending / sizeof *ascending,
    SPELLINGS = sizeof *ascending / sizeof **ascending
};

static void must_order(const char *text_a, const char *text_b, int expected)
{
    const struct pep440 a = must_parse(text_a);
    const struct pep440 b = must_parse(text_b);
    const int order = pep440_compare(&a, &b);

    if ((order > 0) - (order < 0) != expected)
        fail_msg("%s and %s: found %d, expected %d", text_a, text_b, order,
                 expected);
}

static void test_every_version_against_every_other(void **state)
{
    (void)state;
    for (int i = 0; i < STEPS * SPELLINGS; i++) {
        for (int j = 0; j < STEPS * SPELLINGS; j++) {
            const int line_a = i / SPELLINGS;
            const int line_b = j / SPELLINGS;
            const char *a = ascending[line_a][i % SPELLINGS];
            const char *b = ascending[line_b][j % SPELLINGS];

            if (a && b)
                must_order(a, b, (line_a > line_b) - (line_a < line_b));
        }
    }
}

static void test_which_are_not_offered_unless_asked_for(void **state)
{
    static const char *const plain[] = {"1.0", "1.0.post1", "1!1+local", NULL};
    static const char *const before[] = {"1.0a1", "1.0rc1.post1", "1.0.dev0",
                                         "1.0.post1.dev0", NULL};
    struct pep440 version;

    (void)state;
    for (const char *const *text = plain; *text; text++) {
        version = must_parse(*text);
        assert_false(pep440_is_prerelease(&version));
    }
    for (const char *const *text = before; *text; text++) {
        version = must_parse(*text);
        assert_true(pep440_is_prerelease(&version));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_spelling_has_its_normal_form),
        cmocka_unit_test(test_a_normal_form_is_the_same_version),
        cmocka_unit_test(test_what_is_no_version),
        cmocka_unit_test(test_a_failure_writes_nothing),
        cmocka_unit_test(test_the_longest_version),
        cmocka_unit_test(test_nothing_is_read_beyond_the_text),
        cmocka_unit_test(test_every_version_against_every_other),
        cmocka_unit_test(test_which_are_not_offered_unless_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
