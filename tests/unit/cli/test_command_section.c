/* A command's section: its table fills its struct and refuses all else. */
#include "../settings/sandbox.h"

#include <section.h>

static const char *const colours[] = {"red", "green", "blue", NULL};

struct target {
    bool flag;
    long whole;
    double number;
    double seconds;
    const char *text;
    const char *secret;
    int colour;
    const weir_node *node;
};

#define AT(member) offsetof(struct target, member)

static const struct section_key keys[] = {
    {.name = "flag", .kind = SECTION_FLAG, .offset = AT(flag), .usual = 1},
    {.name = "whole",
     .kind = SECTION_INTEGER,
     .offset = AT(whole),
     .min = 1,
     .max = 9,
     .usual = 5},
    {.name = "number",
     .kind = SECTION_NUMBER,
     .offset = AT(number),
     .min = 1,
     .max = 2,
     .usual = 1.5},
    {.name = "seconds",
     .kind = SECTION_SECONDS,
     .offset = AT(seconds),
     .above_min = true,
     .usual = 10},
    {.name = "text",
     .kind = SECTION_TEXT,
     .offset = AT(text),
     .usual_text = "a b"},
    {.name = "secret",
     .kind = SECTION_TEXT,
     .offset = AT(secret),
     .is_secret = true},
    {.name = "colour",
     .kind = SECTION_CHOICE,
     .offset = AT(colour),
     .choices = colours,
     .usual = 1},
    {.name = "node", .kind = SECTION_NODE, .offset = AT(node)},
    {0},
};

/* What no table can say: red is not for the whole number 9. */
static weir_status judge(const void *values, weir_error *err)
{
    const struct target *target = values;

    if (target->whole != 9 || target->colour != 0)
        return WEIR_OK;
    *err = (weir_error){.code = WEIR_E_SETTINGS, .message = "not red"};
    return WEIR_E_SETTINGS;
}

static const struct section section = {"s", keys, sizeof(struct target), judge};

static void assert_printed(const struct target *target, const char *name,
                           const char *expected)
{
    for (const struct section_key *key = keys; key->name; key++) {
        if (strcmp(key->name, name) == 0) {
            char *text = section_print(key, target);

            if (expected)
                assert_string_equal(text, expected);
            else
                assert_null(text);
            free(text);
        }
    }
}

static void test_without_a_section_all_are_defaults(void **state)
{
    weir_settings *settings = load("weir", NULL);
    struct target target;

    (void)state;
    assert_true(section_load(settings, &section, &target));
    assert_true(target.flag);
    assert_int_equal(target.whole, 5);
    assert_null(target.node);
    assert_null(target.secret);
    assert_printed(&target, "flag", "true");
    assert_printed(&target, "whole", "5");
    assert_printed(&target, "number", "1.5");
    assert_printed(&target, "seconds", "10.0");
    assert_printed(&target, "text", "\"a b\"");
    assert_printed(&target, "secret", "null");
    assert_printed(&target, "colour", "green");
    assert_printed(&target, "node", NULL);
    weir_settings_free(settings);
}

static void test_what_is_written_replaces_the_defaults(void **state)
{
    weir_settings *settings;
    struct target target;

    (void)state;
    need_yaml();
    sandbox_write("settings/weir.yaml",
                  "s: {flag: false, whole: 9, number: null, seconds: 1e-3, "
                  "secret: hidden, colour: blue, node: [1]}\n");
    setenv("WEIR_S__TEXT", "true", 1);
    settings = load("weir", NULL);
    assert_true(section_load(settings, &section, &target));
    assert_false(target.flag);
    assert_int_equal(target.whole, 9);
    assert_int_equal(target.colour, 2);
    assert_string_equal(target.secret, "hidden");
    assert_non_null(weir_node_first(target.node));
    assert_printed(&target, "number", "1.5");
    assert_printed(&target, "seconds", "0.001");
    assert_printed(&target, "text", "\"true\"");
    assert_printed(&target, "secret", "\"***\"");
    weir_settings_free(settings);
}

static void test_mistakes_name_place_and_expectation(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } table[] = {
        {"5", "1:4: s: found 5, expected a mapping"},
        {"{colr: red}", "1:5: s.colr: unknown key, did you mean colour?"},
        {"{nothing_like_it: 5}", "1:5: s.nothing_like_it: unknown key"},
        {"{flag: yes}", "1:11: s.flag: found \"yes\", expected true or false"},
        {"{whole: 10}", "1:12: s.whole: found 10, expected an integer from 1 "
                        "to 9"},
        {"{number: x}",
         "1:13: s.number: found \"x\", expected a number from 1 to 2"},
        {"{number: 0.5}",
         "1:13: s.number: found 0.5, expected a number from 1 to 2"},
        {"{seconds: 0}", "1:14: s.seconds: found 0, expected seconds above 0"},
        {"{text: [a]}", "1:11: s.text: found a sequence, expected text"},
        {"{colour: pink}",
         "1:13: s.colour: found \"pink\", expected red, green or blue"},
        {"{colour: {}}",
         "1:13: s.colour: found a mapping, expected red, green or blue"},
        {"{? [a] : b}", "1:7: s.?: no name of a setting"},
    };

    (void)state;
    need_yaml();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        weir_settings *settings;
        struct target target;
        char text[256];
        char expected[256];
        weir_error err;

        snprintf(text, sizeof text, "s: %s\n", table[i].text);
        snprintf(expected, sizeof expected, "named.yaml:%s", table[i].message);
        sandbox_write("named.yaml", text);
        settings = load("weir", "named.yaml");
        assert_int_equal(section_read(weir_settings_section(settings, "s"),
                                      keys, &target, &err),
                         WEIR_E_SETTINGS);
        assert_string_equal(err.message, expected);
        weir_settings_free(settings);
    }
}

static void test_a_section_may_judge_what_the_table_cannot(void **state)
{
    weir_settings *settings;
    struct target target;

    (void)state;
    setenv("WEIR_S__WHOLE", "9", 1);
    settings = load("weir", NULL);
    assert_true(section_load(settings, &section, &target));
    weir_settings_free(settings);
    setenv("WEIR_S__COLOUR", "red", 1);
    settings = load("weir", NULL);
    assert_false(section_load(settings, &section, &target));
    weir_settings_free(settings);
}

static void test_quoted_text_reads_back(void **state)
{
    static const char *const texts[] = {
        "plain",
        "/a/b-c.d",
        "true",
        "Null",
        "5",
        "",
        "a b",
        "a: b",
        "#x",
        "a\"b\\c",
        "tab\tnewline\n",
        "\xc3\xa9",
        "-",
        "~",
        "on",
    };

    (void)state;
    need_yaml();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *quoted = section_quote(texts[i]);
        char text[128];
        const char *found = NULL;
        weir_settings *settings;

        snprintf(text, sizeof text, "s: {text: %s}\n", quoted);
        sandbox_write("named.yaml", text);
        settings = load("weir", "named.yaml");
        assert_int_equal(
            weir_node_string(
                weir_node_find(weir_settings_section(settings, "s"), "text"),
                &found, NULL),
            WEIR_OK);
        assert_string_equal(found, texts[i]);
        weir_settings_free(settings);
        free(quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_without_a_section_all_are_defaults),
        IN_SANDBOX(test_what_is_written_replaces_the_defaults),
        IN_SANDBOX(test_mistakes_name_place_and_expectation),
        IN_SANDBOX(test_a_section_may_judge_what_the_table_cannot),
        IN_SANDBOX(test_quoted_text_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
