/* Which version an index's answer offers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "versions/answer.h"

#define FILES "[{}]"
#define YANKED "[{\"yanked\": true}, {\"yanked\": true}]"
#define HALF "[{\"yanked\": true}, {\"yanked\": false}]"

static void test_what_is_on_offer(void **state)
{
    static const struct {
        const char *body;
        const char *newest;
        const char *newest_pre;
    } table[] = {
        {"{\"info\": {\"version\": \"1.2\"}}", "1.2", "1.2"},
        {"{\"info\": {\"version\": \" V1.2 \"}}", "V1.2", "V1.2"},
        {"{\"info\": {\"version\": \"1.2\"}, \"releases\": null}", "1.2",
         "1.2"},
        /* info.version is the newest, whatever else there is */
        {"{\"info\": {\"version\": \"1.2\"}, \"releases\": {\"1.3\": " FILES
         "}}",
         "1.2", "1.3"},
        /* pre-releases */
        {"{\"info\": {\"version\": \"1.2\"}, \"releases\": {\"1.2\": " FILES
         ", \"1.3rc1\": " FILES ", \"1.3.dev9\": " FILES "}}",
         "1.2", "1.3rc1"},
        {"{\"info\": {\"version\": \"2.0b1\"}, \"releases\": {\"1.9\": " FILES
         ", \"1.10\": " FILES ", \"2.0b1\": " FILES "}}",
         "1.10", "2.0b1"},
        {"{\"info\": {\"version\": \"2.0b1\"}}", "", "2.0b1"},
        /* yanked as a whole, by all its files, by some */
        {"{\"info\": {\"version\": \"1.2\", \"yanked\": true}}", "", ""},
        {"{\"info\": {\"version\": \"1.2\", \"yanked\": false}}", "1.2", "1.2"},
        {"{\"info\": {\"version\": \"1.2\", \"yanked\": true}, \"releases\": "
         "{\"1.0\": " FILES ", \"1.1\": " HALF ", \"1.2\": " YANKED "}}",
         "1.1", "1.1"},
        {"{\"info\": {\"version\": \"1.2\"}, \"releases\": {\"1.1\": " FILES
         ", \"1.2\": " YANKED "}}",
         "1.1", "1.1"},
        {"{\"info\": {\"version\": \"1.2\"}, \"releases\": {\"1.2\": " HALF
         ", \"1.3a1\": " YANKED "}}",
         "1.2", "1.2"},
        /* what cannot be installed, or is no version, is not offered */
        {"{\"info\": {\"version\": \"1.2a1\"}, \"releases\": {\"1.1\": [], "
         "\"1.0\": " FILES ", \"final\": " FILES ", \"1.05\": 7}}",
         "1.0", "1.2a1"},
        /* epochs and trailing zeros count */
        {"{\"info\": {\"version\": \"9.0rc1\"}, \"releases\": {\"9\": " FILES
         ", \"1!1.0\": " FILES "}}",
         "1!1.0", "1!1.0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct answer answer;
        char why[ANSWER_WHY_MAX] = "";

        if (!answer_read(table[i].body, strlen(table[i].body), &answer, why))
            fail_msg("%s: %s", table[i].body, why);
        if (strcmp(answer.newest, table[i].newest) != 0 ||
            strcmp(answer.newest_pre, table[i].newest_pre) != 0)
            fail_msg("%s: found \"%s\" and \"%s\"", table[i].body,
                     answer.newest, answer.newest_pre);
    }
}

static void test_what_is_malformed_says_where(void **state)
{
    static const struct {
        const char *body;
        const char *why;
    } table[] = {
        {"", "JSON, line 1, column 0: "},
        {"<html>", "JSON, line 1, column 1: "},
        {"{\"info\":\n{\"version\": }}", "JSON, line 2, column 13: "},
        {"{\"info\": {\"version\": \"1.2\"}} x", "JSON, line 1, column 30: "},
        {"[]", "info.version: found nothing, expected a string"},
        {"{}", "info.version: found nothing, expected a string"},
        {"{\"info\": []}", "info.version: found nothing, expected a string"},
        {"{\"info\": {\"version\": 1.2}}",
         "info.version: found a number, expected a string"},
        {"{\"info\": {\"version\": null}}",
         "info.version: found null, expected a string"},
        {"{\"info\": {\"version\": \"newest\"}}",
         "info.version: found 'newest', expected a version"},
        {"{\"info\": {\"version\": \"\"}}",
         "info.version: found '', expected a version"},
        {"{\"info\": {\"version\": \"1\"}, \"releases\": []}",
         "releases: found an array, expected an object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct answer answer;
        char why[ANSWER_WHY_MAX] = "";

        if (answer_read(table[i].body, strlen(table[i].body), &answer, why))
            fail_msg("%s is malformed", table[i].body);
        if (strncmp(why, table[i].why, strlen(table[i].why)) != 0)
            fail_msg("%s: found \"%s\"", table[i].body, why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_on_offer),
        cmocka_unit_test(test_what_is_malformed_says_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
