#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"

static bool parse_text(const char *text, struct pep440 *ret_version)
{
    return pep440_parse(text, strlen(text), ret_version);
}

/* A version found so far, and the text of it. */
struct best {
    struct pep440 version;
    const char *text; /* NULL: none yet */
};

static void improve(struct best *best, const struct pep440 *version,
                    const char *text)
{
    if (!best->text || pep440_compare(version, &best->version) > 0)
        *best = (struct best){*version, text};
}

static void put(const struct best *best, char text[static PEP440_MAX + 1])
{
    static const char space[] = " \t\r\n\v\f";
    const char *start = best->text ? best->text : "";
    size_t len;

    start += strspn(start, space);
    len = strcspn(start, space);
    memcpy(text, start, len);
    text[len] = '\0';
}

/* --- releases ------------------------------------------------------------- */

/* A release that has a file which is not yanked; one without files cannot be
 * installed. */
static bool is_on_offer(const json_t *files)
{
    size_t i;
    const json_t *file;

    json_array_foreach(files, i, file)
    {
        if (!json_is_true(json_object_get(file, "yanked")))
            return true;
    }
    return false;
}

/* info.version may be yanked as a whole, or file by file. */
static bool is_yanked(const json_t *info, const json_t *releases,
                      const char *version)
{
    const json_t *files = json_object_get(releases, version);

    return json_is_true(json_object_get(info, "yanked")) ||
           (json_array_size(files) > 0 && !is_on_offer(files));
}

/* The newest of `releases`, with and without pre-releases; names that are no
 * versions are of old, and never offered. */
static void search(json_t *releases, struct best *stable, struct best *any)
{
    const char *text;
    json_t *files;

    json_object_foreach(releases, text, files)
    {
        struct pep440 version;

        if (!is_on_offer(files) || !parse_text(text, &version))
            continue;
        improve(any, &version, text);
        if (!pep440_is_prerelease(&version))
            improve(stable, &version, text);
    }
}

/* --- the whole ------------------------------------------------------------ */

/* info.version is the newest that is no pre-release, whatever else there is,
 * unless it is one itself or yanked. */
static void choose(const json_t *info, json_t *releases,
                   const struct pep440 *version, struct answer *ret_answer)
{
    const char *text = json_string_value(json_object_get(info, "version"));
    struct best stable = {.text = NULL};
    struct best any = {.text = NULL};

    search(releases, &stable, &any);
    if (!is_yanked(info, releases, text)) {
        improve(&any, version, text);
        if (!pep440_is_prerelease(version))
            stable = (struct best){*version, text};
    }
    put(&stable, ret_answer->newest);
    put(&any, ret_answer->newest_pre);
}

static const char *name_kind(const json_t *value)
{
    static const char *const kinds[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
        [JSON_STRING] = "a string",  [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null"};

    return value ? kinds[json_typeof(value)] : "nothing";
}

static bool check(const json_t *root, struct pep440 *ret_version,
                  char why[static ANSWER_WHY_MAX])
{
    const json_t *info = json_object_get(root, "info");
    const json_t *version = json_object_get(info, "version");
    const json_t *releases = json_object_get(root, "releases");

    if (!json_is_string(version)) {
        snprintf(why, ANSWER_WHY_MAX,
                 "info.version: found %s, expected a string",
                 name_kind(version));
        return false;
    }
    if (!parse_text(json_string_value(version), ret_version)) {
        snprintf(why, ANSWER_WHY_MAX,
                 "info.version: found '%.60s', expected a version",
                 json_string_value(version));
        return false;
    }
    if (releases && !json_is_object(releases) && !json_is_null(releases)) {
        snprintf(why, ANSWER_WHY_MAX, "releases: found %s, expected an object",
                 name_kind(releases));
        return false;
    }
    return true;
}

bool answer_read(const char *body, size_t len, struct answer *ret_answer,
                 char why[static ANSWER_WHY_MAX])
{
    json_error_t error;
    json_t *root = json_loadb(body, len, 0, &error);
    struct pep440 version;
    bool is_good;

    if (!root) {
        snprintf(why, ANSWER_WHY_MAX, "JSON, line %d, column %d: %.*s",
                 error.line, error.column, 120, error.text);
        return false;
    }
    is_good = check(root, &version, why);
    if (is_good)
        choose(json_object_get(root, "info"), json_object_get(root, "releases"),
               &version, ret_answer);
    json_decref(root);
    return is_good;
}
