/* What is to be checked: each tool or pinned requirement once. */
#include <stdlib.h>
#include <string.h>

#include "versions.h"

#define uthash_malloc(size) cli_alloc(size)
#include <uthash.h>

/* A check that there is. */
struct known {
    char *key; /* "PACKAGE==PIN", "PACKAGE==" */
    UT_hash_handle hh;
};

/* Checks that are being chosen. */
struct choice {
    struct checks *checks;
    size_t room;
    struct known *known;
};

/* false: the same has been chosen before. */
static bool remember(struct choice *choice, const struct tool *tool,
                     const char *pin)
{
    char *key = cli_format("%s==%s", tool->package, pin ? pin : "");
    struct known *known;

    HASH_FIND_STR(choice->known, key, known);
    if (known) {
        free(key);
        return false;
    }
    known = cli_alloc(sizeof *known);
    known->key = key;
    HASH_ADD_KEYPTR(hh, choice->known, key, strlen(key), known);
    return true;
}

static void add(struct choice *choice, const struct tool *tool, const char *pin)
{
    struct checks *checks = choice->checks;

    if (!remember(choice, tool, pin))
        return;
    if (checks->count == choice->room) {
        const size_t room = choice->room ? 2 * choice->room : 16;
        struct check *list = cli_alloc(room * sizeof *list);

        if (checks->count)
            memcpy(list, checks->list, checks->count * sizeof *list);
        free(checks->list);
        checks->list = list;
        choice->room = room;
    }
    checks->list[checks->count].tool = tool;
    checks->list[checks->count].pin = pin;
    checks->count++;
}

void checks_choose(struct tools *tools, char *const *names,
                   const struct requirements *requirements,
                   struct checks *ret_checks)
{
    struct choice choice = {.checks = ret_checks};
    struct known *known;

    *ret_checks = (struct checks){0};
    for (char *const *name = names; *name; name++)
        add(&choice, tools_get(tools, *name), NULL);
    for (size_t i = 0; i < requirements->count; i++)
        add(&choice, tools_get(tools, requirements->list[i].name),
            requirements->list[i].pin);
    known = choice.known;
    HASH_CLEAR(hh, choice.known);
    while (known) { /* the table is gone, its items are still in a row */
        struct known *next = known->hh.next;

        free(known->key);
        free(known);
        known = next;
    }
}

void checks_choose_all(const struct tools *tools, struct checks *ret_checks)
{
    *ret_checks = (struct checks){.count = tools->count};
    ret_checks->list = cli_alloc(tools->count * sizeof *ret_checks->list);
    for (size_t i = 0; i < tools->count; i++)
        ret_checks->list[i].tool = tools->list[i];
}

void checks_free(struct checks *checks)
{
    for (size_t i = 0; i < checks->count; i++)
        free(checks->list[i].offer.etag);
    free(checks->list);
    *checks = (struct checks){0};
}
