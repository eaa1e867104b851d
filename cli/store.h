/* A small database of a command's own, by SQLite, in the user's folders.
 *
 * Its folder is the user's alone.  Several processes may use it at once: it is
 * written ahead (WAL), and who finds it locked waits a while.  `user_version`
 * counts the steps of its making, so that an older one is brought up to date
 * and a newer one refused. */
#ifndef WEIR_CLI_STORE_H
#define WEIR_CLI_STORE_H

#include <sqlite3.h>

#include "cli.h"

enum store_place {
    STORE_CACHE, /* $XDG_CACHE_HOME/weir, or ~/.cache/weir */
    STORE_STATE, /* $XDG_STATE_HOME/weir, or ~/.local/state/weir */
};

/* Opens NAME there, and makes it if need be.  `steps` are SQL texts that lead
 * from each version to the next; NULL ends them, and they are only ever
 * appended to.  NULL: it has complained. */
sqlite3 *store_open(enum store_place place, const char *name,
                    const char *const *steps);
/* The same in a folder of the user's choice, which keeps its mode if it is
 * there. */
sqlite3 *store_open_in(const char *folder, const char *name,
                       const char *const *steps);
/* Path of the folder; NULL: there is no home, it has complained.  To free. */
char *store_folder(enum store_place place);
/* A statement to bind, step and finalize.  NULL: it has complained. */
sqlite3_stmt *store_prepare(sqlite3 *store, const char *sql);
/* Steps a statement that gives no row, and finalizes it.  false: it has
 * complained. */
bool store_run(sqlite3_stmt *statement);
/* "weir: PATH: reason" on standard error. */
void store_complain(sqlite3 *store);
/* NULL is allowed. */
void store_close(sqlite3 *store);

#endif
