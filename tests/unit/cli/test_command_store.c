/* The small databases of commands: where they are, who may read them, how they
 * come up to date, and many processes at once. */
#include "../settings/sandbox.h"

#include <sys/wait.h>

#include <store.h>

static const char *const one_step[] = {"CREATE TABLE a (x INTEGER)", NULL};
static const char *const two_steps[] = {
    "CREATE TABLE a (x INTEGER)", "ALTER TABLE a ADD COLUMN y INTEGER", NULL};
static const char *const bad_steps[] = {
    "CREATE TABLE a (x INTEGER)", "CREATE TABLE b (y INTEGER)", "no SQL", NULL};

/* In the state folder of the sandbox. */
static sqlite3 *open_one(const char *const *steps)
{
    char base[128];

    snprintf(base, sizeof base, "%s/state", sandbox_path);
    setenv("XDG_STATE_HOME", base, 1);
    return store_open(STORE_STATE, "test.db", steps);
}

static void run_sql(sqlite3 *store, const char *sql)
{
    sqlite3_stmt *statement = store_prepare(store, sql);

    assert_non_null(statement);
    assert_true(store_run(statement));
}

static int64_t read_integer(sqlite3 *store, const char *sql)
{
    sqlite3_stmt *statement = store_prepare(store, sql);
    int64_t found;

    assert_non_null(statement);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    found = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return found;
}

static mode_t mode_of(const char *path)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 0777;
}

static void test_folder_and_file_are_the_users_alone(void **state)
{
    sqlite3 *store;

    (void)state;
    assert_int_equal(mkdir("state", 0755), 0);
    assert_int_equal(mkdir("state/weir", 0755), 0);
    store = open_one(one_step);
    assert_non_null(store);
    run_sql(store, "INSERT INTO a VALUES (1)");
    assert_int_equal(mode_of("state/weir"), 0700);
    assert_int_equal(mode_of("state/weir/test.db"), 0600);
    assert_int_equal(mode_of("state/weir/test.db-wal"), 0600);
    store_close(store);
}

static void test_folders_are_those_of_xdg_or_of_home(void **state)
{
    char expected[128];
    char *folder;

    (void)state;
    setenv("XDG_CACHE_HOME", "/some/cache", 1);
    folder = store_folder(STORE_CACHE);
    assert_string_equal(folder, "/some/cache/weir");
    free(folder);
    setenv("XDG_CACHE_HOME", "relative", 1);
    folder = store_folder(STORE_CACHE);
    snprintf(expected, sizeof expected, "%s/.cache/weir", sandbox_path);
    assert_string_equal(folder, expected);
    free(folder);
    folder = store_folder(STORE_STATE);
    snprintf(expected, sizeof expected, "%s/.local/state/weir", sandbox_path);
    assert_string_equal(folder, expected);
    free(folder);
    unsetenv("HOME");
    assert_null(store_folder(STORE_STATE));
}

static void test_an_older_one_is_brought_up_to_date(void **state)
{
    sqlite3 *store = open_one(one_step);

    (void)state;
    assert_non_null(store);
    run_sql(store, "INSERT INTO a VALUES (7)");
    store_close(store);
    store = open_one(two_steps);
    assert_non_null(store);
    assert_int_equal(read_integer(store, "PRAGMA user_version"), 2);
    assert_int_equal(read_integer(store, "SELECT x FROM a WHERE y IS NULL"), 7);
    store_close(store);
    /* And a newer one is left alone. */
    assert_null(open_one(one_step));
    store_close(NULL);
}

static void test_a_step_that_fails_changes_nothing(void **state)
{
    sqlite3 *store = open_one(one_step);

    (void)state;
    store_close(store);
    assert_null(open_one(bad_steps));
    store = open_one(one_step);
    assert_non_null(store);
    assert_int_equal(read_integer(store, "SELECT count(*) FROM sqlite_master"),
                     1);
    store_close(store);
}

static void test_what_is_no_database_is_refused(void **state)
{
    (void)state;
    sandbox_write("state/weir/test.db", "this is no database, but it is long "
                                        "enough to be looked at as one......");
    assert_null(open_one(one_step));
}

static void test_where_no_folder_can_be_made_there_is_no_store(void **state)
{
    (void)state;
    sandbox_write("state", "a file");
    assert_null(open_one(one_step));
}

/* All open at once, all make it, all write. */
static void test_many_processes_share_one(void **state)
{
    enum {
        PROCESSES = 8,
        ROWS = 20
    };
    pid_t pids[PROCESSES];
    sqlite3 *store;

    (void)state;
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            store = open_one(two_steps);
            for (int j = 0; store && j < ROWS; j++)
                run_sql(store, "INSERT INTO a VALUES (1, 2)");
            store_close(store);
            _exit(store ? 0 : 1);
        }
        assert_true(pids[i] > 0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    store = open_one(two_steps);
    assert_non_null(store);
    assert_int_equal(read_integer(store, "SELECT count(*) FROM a"),
                     PROCESSES * ROWS);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_folder_and_file_are_the_users_alone),
        IN_SANDBOX(test_folders_are_those_of_xdg_or_of_home),
        IN_SANDBOX(test_an_older_one_is_brought_up_to_date),
        IN_SANDBOX(test_a_step_that_fails_changes_nothing),
        IN_SANDBOX(test_what_is_no_database_is_refused),
        IN_SANDBOX(test_where_no_folder_can_be_made_there_is_no_store),
        IN_SANDBOX(test_many_processes_share_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
