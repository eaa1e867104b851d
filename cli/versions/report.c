/* What weir versions prints: a table for people, one JSON object for machines.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../table.h"
#include "versions.h"

static const char *const ids[] = {
#define WEIR_X(name, id, label) [STATE_##name] = id,
    VERSIONS_STATES(WEIR_X)
#undef WEIR_X
};

static const char *const labels[] = {
#define WEIR_X(name, id, label) [STATE_##name] = label,
    VERSIONS_STATES(WEIR_X)
#undef WEIR_X
};

/* NULL: not known. */
static const char *installed_of(const struct check *check)
{
    return check->installed.end == INSTALLED_KNOWN ? check->installed.version
                                                   : NULL;
}

/* Requests that were sent to one connection, in the mean. */
static double ratio(const weir_pool_figures *figures)
{
    return figures->dialed ? (double)figures->leases / (double)figures->dialed
                           : 0;
}

static size_t count_confirmed(const struct checks *checks)
{
    size_t count = 0;

    for (size_t i = 0; i < checks->count; i++)
        count += checks->list[i].offer.is_confirmed;
    return count;
}

/* --- table ---------------------------------------------------------------- */

static enum tone tone_of(enum check_state state)
{
    switch (state) {
    case STATE_UP_TO_DATE:
        return TONE_GOOD;
    case STATE_UPDATE:
        return TONE_WARN;
    case STATE_NOT_INSTALLED:
    case STATE_NO_RELEASE:
        return TONE_DIM;
    case STATE_UNREACHABLE:
    case STATE_UNKNOWN:
    case STATE_MALFORMED:
    case STATE_UNREADABLE:
    default:
        return TONE_BAD;
    }
}

static void add_row(struct table *table, const struct check *check, bool pre)
{
    const struct verdict verdict = check_judge(check, pre);
    const char *installed = installed_of(check);

    table_cell(table, TONE_PLAIN, "%s", check->tool->name);
    table_cell(table, TONE_PLAIN, "%s%s", installed ? installed : "-",
               check->pin ? " (pinned)" : "");
    table_cell(table, TONE_PLAIN, "%s", verdict.newest ? verdict.newest : "-");
    table_cell(table, tone_of(verdict.state), "%s%s%s", labels[verdict.state],
               *verdict.why ? ": " : "", verdict.why);
}

void versions_print_table(const struct versions_options *options,
                          const struct checks *checks,
                          const weir_pool_figures *figures)
{
    static const char *const titles[] = {"TOOL", "INSTALLED", "NEWEST", "STATE",
                                         NULL};
    struct table *table = table_new(titles);
    const size_t confirmed = count_confirmed(checks);

    for (size_t i = 0; i < checks->count; i++)
        add_row(table, &checks->list[i], options->pre);
    table_print(table, stdout, cli_can_colour(stdout));
    table_free(table);
    printf("\n%llu requests over %llu connections, %.1f a connection",
           (unsigned long long)figures->leases,
           (unsigned long long)figures->dialed, ratio(figures));
    if (confirmed)
        printf("; %zu answers unchanged since the last run", confirmed);
    putchar('\n');
}

/* --- JSON ----------------------------------------------------------------- */

/* Bytes of a server may be no UTF-8, which JSON has to be. */
static json_t *text_of(const char *text)
{
    char *printable;
    json_t *value;

    if (!text || !*text)
        return json_null();
    printable = cli_printable(text, strlen(text));
    value = json_string(printable);
    free(printable);
    return value;
}

static json_t *describe(const struct check *check, bool pre)
{
    const struct verdict verdict = check_judge(check, pre);

    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:b, s:i}", "name",
                     check->tool->name, "package", check->tool->package,
                     "installed", text_of(installed_of(check)), "source",
                     check->pin ? "requirements" : "command", "newest",
                     text_of(verdict.newest), "state", ids[verdict.state],
                     "reason", text_of(verdict.why), "unchanged",
                     check->offer.is_confirmed, "attempts",
                     (int)check->offer.attempts);
}

void versions_print_json(const struct versions_options *options,
                         const struct checks *checks,
                         const weir_pool_figures *figures)
{
    json_t *tools = json_array();
    char *index = index_without_user(options->index);
    json_t *root;

    for (size_t i = 0; i < checks->count; i++)
        json_array_append_new(tools, describe(&checks->list[i], options->pre));
    root = json_pack("{s:o, s:o, s:I, s:I, s:f}", "index", text_of(index),
                     "tools", tools, "requests", (json_int_t)figures->leases,
                     "connections", (json_int_t)figures->dialed,
                     "requests_per_connection", ratio(figures));
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    free(index);
}
