/* The history of checks, in SQLite: one row for each provider that was asked
 * in a selection. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../store.h"
#include "../table.h"
#include "providers.h"

enum {
    TIME_CAP = 32
};

static const char *const steps[] = {
    "CREATE TABLE provider_performance ("
    " id INTEGER PRIMARY KEY,"
    " provider_id TEXT NOT NULL,"
    " success INTEGER NOT NULL,"
    " latency_ms REAL NOT NULL,"
    " error_message TEXT,"
    " timestamp TEXT NOT NULL);"
    "CREATE INDEX provider_performance_by_provider"
    " ON provider_performance (provider_id, timestamp);",
    NULL};

static const char file_name[] = "providers.db";

sqlite3 *providers_history_open(void)
{
    return store_open(STORE_STATE, file_name, steps);
}

/* "2026-11-28T14:15:16.017Z", `days` ago. */
static void write_time(char text[TIME_CAP], double days)
{
    struct timespec now;
    time_t seconds;
    struct tm parts;
    size_t len;

    clock_gettime(CLOCK_REALTIME, &now);
    seconds = now.tv_sec - (time_t)(days * 86400);
    gmtime_r(&seconds, &parts);
    len = strftime(text, TIME_CAP, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + len, TIME_CAP - len, ".%03ldZ", now.tv_nsec / 1000000);
}

/* --- recording ------------------------------------------------------------ */

/* A provider that lacks a model answered all the same.  What failed on this
 * machine, or was cut short, says nothing about a provider. */
static bool is_worth_keeping(const struct check *check)
{
    return check->was_asked && check->outcome != OUTCOME_LOCAL &&
           check->outcome != OUTCOME_CANCELLED &&
           check->outcome != OUTCOME_PENDING;
}

static bool record_one(sqlite3 *store, const struct check *check,
                       const char *now)
{
    const bool is_good = check->outcome == OUTCOME_AVAILABLE ||
                         check->outcome == OUTCOME_MODEL_MISSING;
    sqlite3_stmt *statement = store_prepare(
        store, "INSERT INTO provider_performance"
               " (provider_id, success, latency_ms, error_message, timestamp)"
               " VALUES (?, ?, ?, ?, ?)");
    char *error;
    bool is_done;

    if (!statement)
        return false;
    error = is_good ? NULL
                    : cli_format("%s: %s", outcome_words(check->outcome),
                                 check->detail ? check->detail : "");
    sqlite3_bind_text(statement, 1, check->provider->id, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, is_good);
    sqlite3_bind_double(statement, 3, check->latency * 1000);
    sqlite3_bind_text(statement, 4, error, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 5, now, -1, SQLITE_STATIC);
    is_done = store_run(statement);
    free(error);
    return is_done;
}

static bool forget_old(sqlite3 *store, double keep_days)
{
    sqlite3_stmt *statement = store_prepare(
        store, "DELETE FROM provider_performance WHERE timestamp < ?");
    char limit[TIME_CAP];

    if (!statement)
        return false;
    write_time(limit, keep_days);
    sqlite3_bind_text(statement, 1, limit, -1, SQLITE_STATIC);
    return store_run(statement);
}

static bool run_sql(sqlite3 *store, const char *sql)
{
    sqlite3_stmt *statement = store_prepare(store, sql);

    return statement && store_run(statement);
}

bool providers_history_record(sqlite3 *store, const struct check *checks,
                              size_t count, double keep_days)
{
    char now[TIME_CAP];
    bool is_good = run_sql(store, "BEGIN IMMEDIATE");

    if (!is_good)
        return false;
    write_time(now, 0);
    for (size_t i = 0; i < count && is_good; i++)
        is_good =
            !is_worth_keeping(&checks[i]) || record_one(store, &checks[i], now);
    is_good = is_good && forget_old(store, keep_days);
    return run_sql(store, is_good ? "COMMIT" : "ROLLBACK") && is_good;
}

/* --- showing -------------------------------------------------------------- */

/* What is known of one provider. */
struct summary {
    char *id;
    size_t checks;
    size_t successes;
    double *latencies; /* milliseconds, of the successes, in order */
    char *last_time;
    char *last_error; /* of the latest failure, or NULL */
};

struct summaries {
    struct summary *list;
    size_t count;
};

/* The smallest that at least `part` of them do not exceed. */
static double percentile(const struct summary *summary, double part)
{
    const double wanted = part * (double)summary->successes;
    size_t rank = (size_t)wanted;

    if ((double)rank < wanted)
        rank++;
    return summary->latencies[rank > 0 ? rank - 1 : 0];
}

static char *column_copy(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);

    return text ? cli_copy((const char *)text) : NULL;
}

/* One row a provider; false: it has complained. */
static bool read_counts(sqlite3 *store, const char *since,
                        struct summaries *summaries)
{
    sqlite3_stmt *statement = store_prepare(
        store, "SELECT provider_id, count(*), sum(success), max(timestamp),"
               " (SELECT error_message FROM provider_performance AS latest"
               "  WHERE latest.provider_id = performance.provider_id"
               "  AND success = 0 AND timestamp >= ?1"
               "  ORDER BY timestamp DESC, id DESC LIMIT 1)"
               " FROM provider_performance AS performance WHERE timestamp >= ?1"
               " GROUP BY provider_id ORDER BY provider_id");
    int code;

    if (!statement)
        return false;
    sqlite3_bind_text(statement, 1, since, -1, SQLITE_STATIC);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct summary *grown =
            cli_alloc((summaries->count + 1) * sizeof *grown);

        if (summaries->count)
            memcpy(grown, summaries->list, summaries->count * sizeof *grown);
        free(summaries->list);
        summaries->list = grown;
        grown[summaries->count++] = (struct summary){
            .id = cli_copy((const char *)sqlite3_column_text(statement, 0)),
            .checks = (size_t)sqlite3_column_int64(statement, 1),
            .successes = (size_t)sqlite3_column_int64(statement, 2),
            .last_time = column_copy(statement, 3),
            .last_error = column_copy(statement, 4)};
    }
    if (code != SQLITE_DONE)
        store_complain(store);
    sqlite3_finalize(statement);
    return code == SQLITE_DONE;
}

static bool read_latencies(sqlite3 *store, const char *since,
                           struct summary *summary)
{
    sqlite3_stmt *statement = store_prepare(
        store, "SELECT latency_ms FROM provider_performance"
               " WHERE provider_id = ? AND success = 1 AND timestamp >= ?"
               " ORDER BY latency_ms LIMIT ?");
    size_t count = 0;
    int code;

    if (!statement)
        return false;
    summary->latencies =
        cli_alloc((summary->successes + 1) * sizeof *summary->latencies);
    sqlite3_bind_text(statement, 1, summary->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, since, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)summary->successes);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        summary->latencies[count++] = sqlite3_column_double(statement, 0);
    if (code != SQLITE_DONE)
        store_complain(store);
    sqlite3_finalize(statement);
    summary->successes = count;
    return code == SQLITE_DONE;
}

/* All of it as of one moment. */
static bool read_summaries(sqlite3 *store, double days,
                           struct summaries *summaries)
{
    char since[TIME_CAP] = "";
    bool is_good;

    if (days > 0)
        write_time(since, days);
    is_good = run_sql(store, "BEGIN") && read_counts(store, since, summaries);
    for (size_t i = 0; i < summaries->count && is_good; i++)
        is_good = read_latencies(store, since, &summaries->list[i]);
    return run_sql(store, "COMMIT") && is_good;
}

static void free_summary(struct summary *summary)
{
    free(summary->id);
    free(summary->latencies);
    free(summary->last_time);
    free(summary->last_error);
}

static void free_summaries(struct summaries *summaries)
{
    for (size_t i = 0; i < summaries->count; i++)
        free_summary(&summaries->list[i]);
    free(summaries->list);
}

static int refuse_id(const struct summaries *summaries, const char *fault,
                     const char *id)
{
    fprintf(stderr, "weir: %s '%s'; those recorded:", fault, id);
    for (size_t i = 0; i < summaries->count; i++)
        fprintf(stderr, "%s %s", i ? "," : "", summaries->list[i].id);
    fputs(summaries->count ? "\n" : " none\n", stderr);
    return EXIT_USAGE;
}

/* Leaves those named.  EXIT_ALL, or EXIT_USAGE: it has complained. */
static int restrict_to(struct summaries *summaries, char **ids, int count)
{
    bool *is_wanted = cli_alloc(summaries->count * sizeof *is_wanted);
    int status = EXIT_ALL;
    size_t kept = 0;

    for (int i = 0; i < count && status == EXIT_ALL; i++) {
        size_t at = 0;

        while (at < summaries->count &&
               strcmp(summaries->list[at].id, ids[i]) != 0)
            at++;
        if (at == summaries->count)
            status = refuse_id(summaries, "nothing is recorded of", ids[i]);
        else if (is_wanted[at])
            status = refuse_id(summaries, "twice the id", ids[i]);
        else
            is_wanted[at] = true;
    }
    for (size_t i = 0; i < summaries->count && count && status == EXIT_ALL;
         i++) {
        if (is_wanted[i])
            summaries->list[kept++] = summaries->list[i];
        else
            free_summary(&summaries->list[i]);
    }
    if (count && status == EXIT_ALL)
        summaries->count = kept;
    free(is_wanted);
    return status;
}

static void milliseconds_cell(struct table *table,
                              const struct summary *summary, double part)
{
    if (summary->successes)
        table_cell(table, TONE_PLAIN, "%.1f ms", percentile(summary, part));
    else
        table_cell(table, TONE_DIM, "-");
}

static void show_table(const struct summaries *summaries)
{
    static const char *const titles[] = {
        "provider", ">checks",    ">available", ">p50", ">p90",
        ">p99",     "last check", "last error", NULL};
    struct table *table = table_new(titles);

    for (size_t i = 0; i < summaries->count; i++) {
        const struct summary *summary = &summaries->list[i];
        const double share =
            100.0 * (double)summary->successes / (double)summary->checks;

        table_cell(table, TONE_PLAIN, "%s", summary->id);
        table_cell(table, TONE_PLAIN, "%zu", summary->checks);
        table_cell(table,
                   summary->successes == summary->checks ? TONE_GOOD
                   : summary->successes                  ? TONE_WARN
                                                         : TONE_BAD,
                   "%.1f %%", share);
        milliseconds_cell(table, summary, 0.5);
        milliseconds_cell(table, summary, 0.9);
        milliseconds_cell(table, summary, 0.99);
        table_cell(table, TONE_PLAIN, "%s", summary->last_time);
        table_cell(table, TONE_DIM, "%s",
                   summary->last_error ? summary->last_error : "-");
    }
    table_print(table, stdout, cli_can_colour(stdout));
    table_free(table);
}

static json_t *percentile_json(const struct summary *summary, double part)
{
    return summary->successes ? json_real(percentile(summary, part))
                              : json_null();
}

static void show_json(const struct summaries *summaries)
{
    json_t *list = json_array();

    for (size_t i = 0; i < summaries->count; i++) {
        const struct summary *summary = &summaries->list[i];

        json_array_append_new(
            list,
            json_pack("{s:s, s:I, s:I, s:f, s:{s:o, s:o, s:o}, s:s?, s:s?}",
                      "id", summary->id, "checks", (json_int_t)summary->checks,
                      "successes", (json_int_t)summary->successes,
                      "availability",
                      (double)summary->successes / (double)summary->checks,
                      "latency_ms", "p50", percentile_json(summary, 0.5), "p90",
                      percentile_json(summary, 0.9), "p99",
                      percentile_json(summary, 0.99), "last_check",
                      summary->last_time, "last_error", summary->last_error));
    }
    list = json_pack("{s:o}", "history", list);
    json_dumpf(list, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(list);
}

int providers_history_show(char **ids, int count, double days, bool as_json)
{
    struct summaries summaries = {0};
    sqlite3 *store = providers_history_open();
    int status = store && read_summaries(store, days, &summaries)
                     ? restrict_to(&summaries, ids, count)
                     : EXIT_SOME_FAILED;

    if (status == EXIT_ALL && as_json)
        show_json(&summaries);
    else if (status == EXIT_ALL && summaries.count)
        show_table(&summaries);
    else if (status == EXIT_ALL)
        puts("nothing recorded yet; 'weir providers select' does");
    free_summaries(&summaries);
    store_close(store);
    if (status == EXIT_ALL && fflush(stdout) != 0)
        status = EXIT_SOME_FAILED;
    return status;
}
