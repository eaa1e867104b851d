#include "history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../store.h"

#define MS_PER_DAY UINT64_C(86400000)

enum {
    PATIENCE_MS = 50,   /* for a lock, as the supervisor waits meanwhile */
    PRUNE_EVERY = 1000, /* events between two searches for old ones */
};

static const char *const steps[] = {
    "CREATE TABLE watch_events ("
    " id INTEGER PRIMARY KEY,"
    " at_ms INTEGER NOT NULL,"
    " event TEXT NOT NULL,"
    " service TEXT NOT NULL,"
    " detail TEXT NOT NULL,"
    " pid INTEGER NOT NULL,"
    " exit_code INTEGER NOT NULL,"
    " exit_signal INTEGER NOT NULL,"
    " restarts INTEGER NOT NULL);"
    "CREATE INDEX watch_events_by_time ON watch_events (at_ms);"
    "CREATE INDEX watch_events_by_service ON watch_events (service, at_ms);",
    NULL,
};

struct history {
    sqlite3 *store;
    sqlite3_stmt *insert;
    sqlite3_stmt *prune;
    long days;
    uint64_t since_prune;
    uint64_t lost;
    bool is_losing; /* and has complained about it */
};

struct history *history_open(const char *folder, const char *name, long days)
{
    struct history *history = cli_alloc(sizeof *history);

    history->days = days;
    history->since_prune = PRUNE_EVERY; /* the first event looks */
    history->store = store_open_in(folder, name, steps);
    if (history->store) {
        history->insert = store_prepare(
            history->store, "INSERT INTO watch_events (at_ms, event, service, "
                            "detail, pid, exit_code, exit_signal, restarts) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        history->prune = store_prepare(
            history->store, "DELETE FROM watch_events WHERE at_ms < ?");
    }
    if (history->insert && history->prune) {
        sqlite3_busy_timeout(history->store, PATIENCE_MS);
        return history;
    }
    history_close(history);
    return NULL;
}

void history_close(struct history *history)
{
    if (!history)
        return;
    sqlite3_finalize(history->insert);
    sqlite3_finalize(history->prune);
    store_close(history->store);
    free(history);
}

uint64_t history_lost(const struct history *history)
{
    return history->lost;
}

/* Each event is a transaction of its own.  The file is written ahead and not
 * waited for, so that costs no disk's turn. */
static bool insert(struct history *history, const struct watch_event *event)
{
    sqlite3_stmt *row = history->insert;
    int code;

    sqlite3_bind_int64(row, 1, (sqlite3_int64)event->at_ms);
    sqlite3_bind_text(row, 2, watch_event_name(event->kind), -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 3, event->service, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 4, event->detail, -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 5, event->pid);
    sqlite3_bind_int(row, 6, event->exit_code);
    sqlite3_bind_int(row, 7, event->exit_signal);
    sqlite3_bind_int64(row, 8, event->restarts);
    code = sqlite3_step(row);
    sqlite3_reset(row);
    sqlite3_clear_bindings(row); /* the texts are only lent */
    return code == SQLITE_DONE;
}

static void drop_old(struct history *history, uint64_t now_ms)
{
    const uint64_t kept_ms = (uint64_t)history->days * MS_PER_DAY;

    if (history->days == 0 || ++history->since_prune < PRUNE_EVERY ||
        kept_ms > now_ms)
        return;
    history->since_prune = 0;
    sqlite3_bind_int64(history->prune, 1, (sqlite3_int64)(now_ms - kept_ms));
    sqlite3_step(history->prune);
    sqlite3_reset(history->prune);
}

void history_emit(void *user, const struct watch_event *event)
{
    struct history *history = user;
    const bool is_kept = insert(history, event);

    if (!is_kept && !history->is_losing) {
        store_complain(history->store);
        cli_complain("watch: history: events are lost");
    }
    if (is_kept && history->is_losing)
        cli_complain("watch: history: kept again, %" PRIu64 " lost",
                     history->lost);
    /* Waited for once, not for each event. */
    if (history->is_losing == is_kept)
        sqlite3_busy_timeout(history->store, is_kept ? PATIENCE_MS : 0);
    history->is_losing = !is_kept;
    history->lost += !is_kept;
    if (is_kept)
        drop_old(history, event->at_ms);
}

/* --- reading ------------------------------------------------------------- */

/* An event that a newer weir has kept has a name that is not known here; its
 * row is passed over. */
static bool find_kind(const char *name, enum watch_event_kind *ret_kind)
{
    for (int i = 0; i < WATCH_EVENT_COUNT; i++) {
        if (strcmp(watch_event_name((enum watch_event_kind)i), name) == 0) {
            *ret_kind = (enum watch_event_kind)i;
            return true;
        }
    }
    return false;
}

static void hand_over(sqlite3_stmt *row,
                      void (*each)(void *user, const struct watch_event *event),
                      void *user)
{
    struct watch_event event = {
        .at_ms = (uint64_t)sqlite3_column_int64(row, 0),
        .service = (const char *)sqlite3_column_text(row, 2),
        .detail = (const char *)sqlite3_column_text(row, 3),
        .pid = (long)sqlite3_column_int64(row, 4),
        .exit_code = sqlite3_column_int(row, 5),
        .exit_signal = sqlite3_column_int(row, 6),
        .restarts = (unsigned)sqlite3_column_int64(row, 7)};
    const char *name = (const char *)sqlite3_column_text(row, 1);

    if (name && event.service && event.detail && find_kind(name, &event.kind))
        each(user, &event);
}

bool history_read(struct history *history, const struct history_query *query,
                  void (*each)(void *user, const struct watch_event *event),
                  void *user)
{
    sqlite3_stmt *rows = store_prepare(
        history->store,
        "SELECT * FROM (SELECT at_ms, event, service, detail, pid, exit_code, "
        "exit_signal, restarts, id FROM watch_events "
        "WHERE at_ms >= ?1 AND (?2 IS NULL OR service = ?2) "
        "ORDER BY at_ms DESC, id DESC LIMIT ?3) ORDER BY at_ms, id");
    int code;

    if (!rows)
        return false;
    sqlite3_bind_int64(rows, 1, (sqlite3_int64)query->since_ms);
    sqlite3_bind_text(rows, 2, query->service, -1, SQLITE_STATIC);
    sqlite3_bind_int64(rows, 3, query->limit ? query->limit : -1);
    while ((code = sqlite3_step(rows)) == SQLITE_ROW)
        hand_over(rows, each, user);
    if (code != SQLITE_DONE)
        store_complain(history->store);
    sqlite3_finalize(rows);
    return code == SQLITE_DONE;
}
