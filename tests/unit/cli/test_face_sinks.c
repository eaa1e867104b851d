/* Where events go: a file, a pipe, memory, and the database. */
#include "../settings/sandbox.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>

#include <sqlite3.h>

#include <watch/event_text.h>
#include <watch/events_file.h>
#include <watch/history.h>
#include <watch/recent.h>

static struct watch_event event_of(const char *service, const char *detail)
{
    return (struct watch_event){.kind = WATCH_EVENT_STARTED,
                                .at_ms = 1000,
                                .service = service,
                                .detail = detail,
                                .pid = 7,
                                .exit_code = -1};
}

static struct events_file *open_events(const char *path)
{
    weir_error err = {0};
    struct events_file *file = events_file_open(path, &err);

    assert_int_equal(!file, err.code == WEIR_E_FILE);
    return file;
}

static void emit_to_file(struct events_file *file, const char *service)
{
    const struct watch_event event = event_of(service, "");

    events_file_emit(file, &event);
}

/* How often a text is in a file. */
static int count_in(const char *path, const char *text)
{
    char bytes[16384];
    FILE *file = fopen(path, "r");
    size_t len;
    int count = 0;

    assert_non_null(file);
    len = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    bytes[len] = '\0';
    for (const char *at = bytes; (at = strstr(at, text)); at++)
        count++;
    return count;
}

/* --- the file ------------------------------------------------------------ */

static void test_lines_are_appended(void **state)
{
    struct events_file *file;

    (void)state;
    sandbox_write("events", "{\"event\":\"older\"}\n");
    file = open_events("events");
    assert_non_null(file);
    emit_to_file(file, "a");
    emit_to_file(file, "b");
    assert_int_equal(count_in("events", "\n"), 3);
    assert_int_equal(count_in("events", "older"), 1);
    assert_int_equal(events_file_lost(file), 0);
    events_file_close(file);
}

static void test_a_file_that_was_moved_away_is_made_anew(void **state)
{
    struct events_file *file;

    (void)state;
    file = open_events("moved");
    emit_to_file(file, "before");
    assert_int_equal(rename("moved", "moved.1"), 0);
    emit_to_file(file, "after");
    assert_int_equal(count_in("moved.1", "\n"), 1);
    assert_int_equal(count_in("moved.1", "before"), 1);
    assert_int_equal(count_in("moved", "\n"), 1);
    assert_int_equal(count_in("moved", "after"), 1);
    assert_int_equal(unlink("moved"), 0);
    emit_to_file(file, "again");
    assert_int_equal(count_in("moved", "again"), 1);
    events_file_close(file);
}

/* Whoever made another file of that name in the meantime keeps his lines. */
static void test_a_file_that_was_replaced_is_appended_to(void **state)
{
    struct events_file *file;

    (void)state;
    file = open_events("replaced");
    emit_to_file(file, "before");
    assert_int_equal(rename("replaced", "replaced.1"), 0);
    sandbox_write("replaced", "theirs\n");
    emit_to_file(file, "after");
    assert_int_equal(count_in("replaced", "theirs\n{"), 1);
    events_file_close(file);
}

static void test_a_file_that_cannot_be_made_is_refused(void **state)
{
    (void)state;
    assert_null(open_events("no/such/folder"));
}

static void test_a_full_disk_loses_events_and_counts_them(void **state)
{
    struct events_file *file;

    (void)state;
    file = open_events("/dev/full");
    assert_non_null(file);
    emit_to_file(file, "a");
    emit_to_file(file, "b");
    assert_int_equal(events_file_lost(file), 2);
    events_file_close(file);
}

/* A reader that does not read must not stop the supervisor: this test would
 * never end. */
static void test_a_pipe_that_nobody_empties_loses_events(void **state)
{
    char bytes[WATCH_LINE_MAX];
    struct events_file *file;
    uint64_t lost;
    int reader;

    (void)state;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    reader = open("pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    file = open_events("pipe");
    assert_non_null(file);
    for (int i = 0; i < 10000; i++)
        emit_to_file(file, "a");
    lost = events_file_lost(file);
    assert_true(lost > 0 && lost < 10000);
    while (read(reader, bytes, sizeof bytes) > 0)
        continue;
    emit_to_file(file, "heard");
    assert_int_equal(events_file_lost(file), lost);
    assert_true(read(reader, bytes, sizeof bytes) > 0);
    assert_memory_equal(bytes, "{\"time\"", 7);
    close(reader);
    events_file_close(file);
}

/* A line takes one write(2): of several writers none cuts another's. */
static void test_lines_of_several_writers_do_not_mix(void **state)
{
    enum {
        WRITERS = 4,
        LINES = 300
    };
    char detail[3001];
    char line[8192];
    int count = 0;
    FILE *file;

    (void)state;
    memset(detail, 'x', sizeof detail - 1);
    detail[sizeof detail - 1] = '\0';
    for (int i = 0; i < WRITERS; i++) {
        if (fork() == 0) {
            struct events_file *mine = open_events("shared");
            const struct watch_event event = event_of("a", detail);

            for (int k = 0; mine && k < LINES; k++)
                events_file_emit(mine, &event);
            _exit(mine && events_file_lost(mine) == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    file = fopen("shared", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        json_t *json = json_loads(line, 0, NULL);

        assert_non_null(json);
        json_decref(json);
        count++;
    }
    fclose(file);
    assert_int_equal(count, WRITERS * LINES);
}

/* --- memory -------------------------------------------------------------- */

static void test_the_latest_events_are_kept(void **state)
{
    struct watch_recent recent = {0};
    char name[16];

    (void)state;
    for (int i = 0; i < WATCH_RECENT_MAX + 7; i++) {
        const struct watch_event event = event_of(name, "");

        snprintf(name, sizeof name, "s%d", i);
        watch_recent_emit(&recent, &event);
    }
    assert_int_equal(recent.count, WATCH_RECENT_MAX);
    assert_int_equal(recent.total, WATCH_RECENT_MAX + 7);
    assert_int_equal(recent.by_kind[WATCH_EVENT_STARTED], WATCH_RECENT_MAX + 7);
    assert_string_equal(watch_recent_at(&recent, 0)->service, "s56");
    assert_string_equal(watch_recent_at(&recent, WATCH_RECENT_MAX - 1)->service,
                        "s7");
    watch_recent_done(&recent);
}

/* --- the database -------------------------------------------------------- */

struct found {
    size_t count;
    char services[32][16];
    struct watch_event last; /* its texts are gone */
};

static void keep(void *user, const struct watch_event *event)
{
    struct found *found = user;

    assert_true(found->count < 32);
    snprintf(found->services[found->count++], 16, "%s", event->service);
    found->last = *event;
}

static void emit_at(struct history *history, const char *service,
                    uint64_t at_ms)
{
    struct watch_event event = event_of(service, "it's \xff");

    event.at_ms = at_ms;
    history_emit(history, &event);
}

static struct found ask(struct history *history, const char *service,
                        uint64_t since_ms, long limit)
{
    const struct history_query query = {service, since_ms, limit};
    struct found found = {0};

    assert_true(history_read(history, &query, keep, &found));
    return found;
}

static void test_the_history_is_kept_and_asked(void **state)
{
    struct history *history;
    struct found found;

    (void)state;
    history = history_open("state/deep", "kept.db", 0);
    assert_non_null(history);
    emit_at(history, "a", 1000);
    emit_at(history, "b", 2000);
    emit_at(history, "a", 3000);
    emit_at(history, "", 3000);
    history_close(history);
    history = history_open("state/deep", "kept.db", 0);
    found = ask(history, NULL, 0, 0);
    assert_int_equal(found.count, 4);
    assert_string_equal(found.services[0], "a");
    assert_string_equal(found.services[1], "b");
    assert_string_equal(found.services[3], "");
    found = ask(history, "a", 0, 0);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.last.at_ms, 3000);
    assert_int_equal(found.last.kind, WATCH_EVENT_STARTED);
    assert_int_equal(found.last.pid, 7);
    assert_int_equal(found.last.exit_code, -1);
    assert_int_equal(ask(history, NULL, 2000, 0).count, 3);
    assert_int_equal(ask(history, "a' OR '1'='1", 0, 0).count, 0);
    found = ask(history, NULL, 0, 2); /* the latest two, oldest first */
    assert_int_equal(found.count, 2);
    assert_string_equal(found.services[0], "a");
    assert_string_equal(found.services[1], "");
    assert_int_equal(history_lost(history), 0);
    history_close(history);
}

static void test_old_events_go(void **state)
{
    const uint64_t day_ms = 86400000;
    struct history *history;

    (void)state;
    history = history_open("state/deep", "old.db", 0);
    for (uint64_t day = 100; day < 120; day++)
        emit_at(history, "old", day * day_ms);
    history_close(history);
    history = history_open("state/deep", "old.db", 10);
    emit_at(history, "new", 120 * day_ms);
    assert_int_equal(ask(history, "old", 0, 0).count, 10);
    assert_int_equal(ask(history, "new", 0, 0).count, 1);
    history_close(history);
}

/* Somebody holds the database: the supervisor goes on, and says so. */
static void test_a_locked_history_loses_events_soon(void **state)
{
    struct history *history;
    sqlite3 *other;
    char path[160];
    time_t begun;

    (void)state;
    history = history_open("state/deep", "locked.db", 0);
    snprintf(path, sizeof path, "%s/state/deep/locked.db", sandbox_path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0),
                     SQLITE_OK);
    begun = time(NULL);
    for (int i = 0; i < 500; i++)
        emit_at(history, "a", 1000);
    assert_true(time(NULL) - begun < 5);
    assert_int_equal(history_lost(history), 500);
    assert_int_equal(sqlite3_exec(other, "COMMIT", 0, 0, 0), SQLITE_OK);
    emit_at(history, "b", 2000);
    assert_int_equal(history_lost(history), 500);
    assert_int_equal(ask(history, NULL, 0, 0).count, 1);
    sqlite3_close(other);
    history_close(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_appended),
        cmocka_unit_test(test_a_file_that_was_moved_away_is_made_anew),
        cmocka_unit_test(test_a_file_that_was_replaced_is_appended_to),
        cmocka_unit_test(test_a_file_that_cannot_be_made_is_refused),
        cmocka_unit_test(test_a_full_disk_loses_events_and_counts_them),
        cmocka_unit_test(test_a_pipe_that_nobody_empties_loses_events),
        cmocka_unit_test(test_lines_of_several_writers_do_not_mix),
        cmocka_unit_test(test_the_latest_events_are_kept),
        cmocka_unit_test(test_the_history_is_kept_and_asked),
        cmocka_unit_test(test_old_events_go),
        cmocka_unit_test(test_a_locked_history_loses_events_soon),
    };

    return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
