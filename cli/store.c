#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Milliseconds for which another process may hold the lock. */
enum {
    BUSY_MS = 10000,
    TRY_AGAIN_MS = 20
};

/* --- folders -------------------------------------------------------------- */

char *store_folder(enum store_place place)
{
    static const struct {
        const char *variable;
        const char *below_home;
    } bases[] = {[STORE_CACHE] = {"XDG_CACHE_HOME", ".cache"},
                 [STORE_STATE] = {"XDG_STATE_HOME", ".local/state"}};
    const char *base = getenv(bases[place].variable);

    /* The base folder specification ignores a relative path. */
    if (base && *base == '/')
        return cli_format("%s/weir", base);
    base = getenv("HOME");
    if (base && *base == '/')
        return cli_format("%s/%s/weir", base, bases[place].below_home);
    cli_complain("no folder to keep data in: neither %s nor HOME is set",
                 bases[place].variable);
    return NULL;
}

/* Makes a folder and those above it, each for the user alone. */
static bool make_folders(const char *path)
{
    char *part = cli_copy(path);
    bool is_good = true;

    for (char *slash = strchr(part + 1, '/'); is_good;
         slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        is_good = mkdir(part, 0700) == 0 || errno == EEXIST;
        if (!is_good)
            cli_complain("make %s: %s", part, strerror(errno));
        if (!slash)
            break;
        *slash = '/';
    }
    free(part);
    return is_good;
}

/* The last folder may be from before: nobody else is to look into it. */
static bool make_private(const char *path)
{
    struct stat info;

    if (!make_folders(path))
        return false;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
        ((info.st_mode & 077) == 0 || chmod(path, 0700) == 0))
        return true;
    cli_complain("%s: %s", path,
                 errno ? strerror(errno) : "found a file, expected a folder");
    return false;
}

/* SQLite gives the files beside it the same mode. */
static bool make_file(const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        cli_complain("open %s: %s", path, strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

/* --- the database --------------------------------------------------------- */

void store_complain(sqlite3 *store)
{
    const char *path = sqlite3_db_filename(store, "main");

    cli_complain("%s: %s", path ? path : "database", sqlite3_errmsg(store));
}

static bool run_text(sqlite3 *store, const char *sql)
{
    if (sqlite3_exec(store, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    store_complain(store);
    return false;
}

/* The busy time limit does not hold for this change. */
static bool write_ahead(sqlite3 *store)
{
    int code = SQLITE_BUSY;

    for (int waited = 0; waited < BUSY_MS; waited += TRY_AGAIN_MS) {
        code =
            sqlite3_exec(store, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (code != SQLITE_BUSY)
            break;
        sqlite3_sleep(TRY_AGAIN_MS);
    }
    if (code == SQLITE_OK)
        return true;
    store_complain(store);
    return false;
}

/* -1: it has complained. */
static int read_version(sqlite3 *store)
{
    sqlite3_stmt *statement = store_prepare(store, "PRAGMA user_version");
    int version = -1;

    if (!statement)
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    else
        store_complain(store);
    sqlite3_finalize(statement);
    return version;
}

static bool take_steps(sqlite3 *store, const char *const *steps)
{
    const int version = read_version(store);
    int newest = 0;
    char text[64];

    while (steps[newest])
        newest++;
    if (version < 0)
        return false;
    if (version > newest) {
        cli_complain("%s: made by a newer weir (version %d, known up to %d)",
                     sqlite3_db_filename(store, "main"), version, newest);
        return false;
    }
    for (int i = version; i < newest; i++) {
        if (!run_text(store, steps[i]))
            return false;
    }
    snprintf(text, sizeof text, "PRAGMA user_version = %d", newest);
    return run_text(store, text);
}

/* All steps or none, by one process at a time. */
static bool bring_up_to_date(sqlite3 *store, const char *const *steps)
{
    if (!run_text(store, "BEGIN IMMEDIATE"))
        return false;
    if (take_steps(store, steps) && run_text(store, "COMMIT"))
        return true;
    sqlite3_exec(store, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

static sqlite3 *open_file(const char *path, const char *const *steps)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX;
    sqlite3 *store = NULL;

    if (!make_file(path))
        return NULL;
    if (sqlite3_open_v2(path, &store, flags, NULL) != SQLITE_OK) {
        cli_complain("open %s: %s", path,
                     store ? sqlite3_errmsg(store) : "out of memory");
        sqlite3_close(store);
        return NULL;
    }
    sqlite3_busy_timeout(store, BUSY_MS);
    if (write_ahead(store) && run_text(store, "PRAGMA synchronous = NORMAL") &&
        bring_up_to_date(store, steps))
        return store;
    store_close(store);
    return NULL;
}

static sqlite3 *open_below(const char *folder, const char *name,
                           const char *const *steps)
{
    char *path = cli_format("%s/%s", folder, name);
    sqlite3 *store = open_file(path, steps);

    free(path);
    return store;
}

sqlite3 *store_open(enum store_place place, const char *name,
                    const char *const *steps)
{
    char *folder = store_folder(place);
    sqlite3 *store = NULL;

    if (folder && make_private(folder))
        store = open_below(folder, name, steps);
    free(folder);
    return store;
}

sqlite3 *store_open_in(const char *folder, const char *name,
                       const char *const *steps)
{
    return make_folders(folder) ? open_below(folder, name, steps) : NULL;
}

sqlite3_stmt *store_prepare(sqlite3 *store, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(store, sql, -1, &statement, NULL) == SQLITE_OK)
        return statement;
    store_complain(store);
    return NULL;
}

bool store_run(sqlite3_stmt *statement)
{
    sqlite3 *store = sqlite3_db_handle(statement);
    const bool is_good = sqlite3_step(statement) == SQLITE_DONE;

    if (!is_good)
        store_complain(store);
    sqlite3_finalize(statement);
    return is_good;
}

void store_close(sqlite3 *store)
{
    sqlite3_close(store);
}
