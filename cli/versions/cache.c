/* What the index answered before, by the address of the answer: its ETag, and
 * the versions that it offers.  A row is good for as long as the index says
 * that its ETag is. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "versions.h"

enum {
    KEPT_S = 180 * 24 * 3600 /* since it was used last */
};

static const char *const steps[] = {
    "CREATE TABLE answers (url TEXT PRIMARY KEY, etag TEXT NOT NULL,"
    " newest TEXT NOT NULL, newest_pre TEXT NOT NULL,"
    " used_at INTEGER NOT NULL) WITHOUT ROWID",
    NULL};

sqlite3 *cache_open(void)
{
    return store_open(STORE_CACHE, "versions.db", steps);
}

/* Borrowed by the statement: no longer than the step that follows. */
static char *bind_url(sqlite3_stmt *statement, const char *index,
                      const struct check *check)
{
    char *url = index_url(index, check->tool->package);
    char *key = index_without_user(url);

    free(url);
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    return key;
}

/* --- reading -------------------------------------------------------------- */

/* A version, or "". */
static bool take_text(sqlite3_stmt *row, int column,
                      char text[static PEP440_MAX + 1])
{
    const char *found = (const char *)sqlite3_column_text(row, column);
    struct pep440 version;

    if (!found || (*found && !pep440_parse(found, strlen(found), &version)) ||
        strlen(found) > PEP440_MAX)
        return false;
    memcpy(text, found, strlen(found) + 1);
    return true;
}

static void take_row(sqlite3_stmt *row, struct offer *offer)
{
    const char *etag = (const char *)sqlite3_column_text(row, 0);
    struct answer answer;

    if (!etag || !take_text(row, 1, answer.newest) ||
        !take_text(row, 2, answer.newest_pre))
        return;
    offer->etag = cli_copy(etag);
    offer->answer = answer;
}

void cache_recall(sqlite3 *cache, const char *index,
                  const struct checks *checks)
{
    sqlite3_stmt *statement = store_prepare(
        cache, "SELECT etag, newest, newest_pre FROM answers WHERE url = ?1");

    for (size_t i = 0; statement && i < checks->count; i++) {
        char *key = bind_url(statement, index, &checks->list[i]);

        if (sqlite3_step(statement) == SQLITE_ROW)
            take_row(statement, &checks->list[i].offer);
        sqlite3_reset(statement);
        free(key);
    }
    sqlite3_finalize(statement);
}

/* --- writing -------------------------------------------------------------- */

static bool keep_row(sqlite3_stmt *statement, const char *index,
                     const struct check *check)
{
    const struct offer *offer = &check->offer;
    char *key = bind_url(statement, index, check);
    bool is_good;

    sqlite3_bind_text(statement, 2, offer->etag, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, offer->answer.newest, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, offer->answer.newest_pre, -1,
                      SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, (sqlite3_int64)time(NULL));
    is_good = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    free(key);
    return is_good;
}

static bool keep_rows(sqlite3 *cache, const char *index,
                      const struct checks *checks)
{
    sqlite3_stmt *statement = store_prepare(
        cache, "INSERT OR REPLACE INTO answers VALUES (?1, ?2, ?3, ?4, ?5)");
    bool is_good = statement != NULL;

    for (size_t i = 0; is_good && i < checks->count; i++) {
        const struct check *check = &checks->list[i];

        if (check->offer.end == OFFER_MADE && check->offer.etag)
            is_good = keep_row(statement, index, check);
    }
    if (statement && !is_good)
        store_complain(cache);
    sqlite3_finalize(statement);
    return is_good;
}

static bool forget(sqlite3 *cache)
{
    sqlite3_stmt *statement =
        store_prepare(cache, "DELETE FROM answers WHERE used_at < ?1");

    if (!statement)
        return false;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)time(NULL) - KEPT_S);
    return store_run(statement);
}

/* One transaction: two thousand of its own would cost as many syncs. */
void cache_keep(sqlite3 *cache, const char *index, const struct checks *checks)
{
    if (sqlite3_exec(cache, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        store_complain(cache);
        return;
    }
    if (keep_rows(cache, index, checks) && forget(cache) &&
        sqlite3_exec(cache, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return;
    sqlite3_exec(cache, "ROLLBACK", NULL, NULL, NULL);
}
