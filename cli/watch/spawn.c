#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cli.h"
#include "guard.h"

enum {
    MAX_GROUPS = 256
};

/* All that is known before the fork, so that the child only makes calls. */
struct plan {
    const struct watch_command *command;
    char *path;
    char **environment;
    const struct passwd *user; /* NULL: ours */
    struct passwd entry;
    char texts[4096]; /* of the entry */
    gid_t groups[MAX_GROUPS];
    int group_count;
    int out;
    int err;
    int guard;
    pid_t parent;
};

enum step {
    STEP_OUTPUT,
    STEP_FOLDER,
    STEP_USER,
    STEP_PARENT,
    STEP_PROGRAM
};

/* What the child says when it cannot go on. */
struct obstacle {
    enum step step;
    int error;
};

/* --- before the fork ----------------------------------------------------- */

static const char *variable(char *const *environment, const char *name)
{
    const size_t len = strlen(name);

    for (; environment && *environment; environment++) {
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return *environment + len + 1;
    }
    return NULL;
}

/* The program's file, looked for as a shell would. */
static char *find_program(const char *name, const char *path)
{
    char *found;

    if (strchr(name, '/'))
        return cli_copy(name);
    while (path && *path) {
        const size_t len = strcspn(path, ":");

        found = len ? cli_format("%.*s/%s", (int)len, path, name)
                    : cli_format("./%s", name);
        if (access(found, X_OK) == 0)
            return found;
        free(found);
        path += len + (path[len] == ':');
    }
    return NULL;
}

static size_t count(char *const *list)
{
    size_t len = 0;

    while (list && list[len])
        len++;
    return len;
}

static bool is_set_in(char *const *environment, const char *entry)
{
    const size_t len = strcspn(entry, "=") + 1;

    for (; environment && *environment; environment++) {
        if (strncmp(*environment, entry, len) == 0)
            return true;
    }
    return false;
}

/* `over` on top of `base`.  The list is given, its texts are lent. */
static char **merge(char *const *base, char *const *over)
{
    char **merged = cli_alloc((count(base) + count(over) + 1) * sizeof *merged);
    size_t len = 0;

    for (; base && *base; base++) {
        if (!is_set_in(over, *base))
            merged[len++] = *base;
    }
    for (; over && *over; over++)
        merged[len++] = *over;
    return merged;
}

static bool look_up_user(struct plan *plan, const char *name, char *why,
                         size_t size)
{
    struct passwd *user = NULL;
    int code;

    if (!name)
        return true;
    code =
        getpwnam_r(name, &plan->entry, plan->texts, sizeof plan->texts, &user);
    if (!user) {
        snprintf(why, size, "user %s: %s", name,
                 code ? strerror(code) : "there is none");
        return false;
    }
    plan->user = user;
    plan->group_count = MAX_GROUPS;
    if (getgrouplist(name, user->pw_gid, plan->groups, &plan->group_count) < 0)
        plan->group_count = MAX_GROUPS;
    return true;
}

/* A user's own home and name, unless the settings say others.  The texts of
 * `names` are to be freed behind it. */
static char **environment_of(const struct plan *plan, char *names[4])
{
    char *const *over = plan->command->environment;
    char **ours;
    char **merged;

    if (!plan->user)
        return merge(environ, over);
    names[0] = cli_format("HOME=%s", plan->user->pw_dir);
    names[1] = cli_format("USER=%s", plan->user->pw_name);
    names[2] = cli_format("LOGNAME=%s", plan->user->pw_name);
    names[3] = NULL;
    ours = merge(environ, names);
    merged = merge(ours, over);
    free((void *)ours);
    return merged;
}

/* --- in the child -------------------------------------------------------- */

static enum step take_user(const struct plan *plan)
{
    if (plan->user &&
        (setgroups((size_t)plan->group_count, plan->groups) != 0 ||
         setgid(plan->user->pw_gid) != 0 || setuid(plan->user->pw_uid) != 0))
        return STEP_USER;
    return STEP_PARENT;
}

static void clear_signals(void)
{
    sigset_t none;

    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns the step that failed, with errno. */
static enum step become(const struct plan *plan)
{
    const struct watch_command *command = plan->command;
    const int null = open("/dev/null", O_RDONLY);

    setpgid(0, 0);
    if (null < 0 || dup2(null, 0) < 0 || dup2(plan->out, 1) < 0 ||
        dup2(plan->err, 2) < 0)
        return STEP_OUTPUT;
    if (command->folder && chdir(command->folder) != 0)
        return STEP_FOLDER;
    if (take_user(plan) == STEP_USER)
        return STEP_USER;
    /* After the user has changed, for that takes it back. */
    if (!command->is_detached) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
            getppid() != plan->parent) {
            errno = ECHILD;
            return STEP_PARENT;
        }
        watch_guard_tell(plan->guard, getpid(), true);
    }
    clear_signals();
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execve(plan->path, command->argv, plan->environment);
    return STEP_PROGRAM;
}

__attribute__((noreturn)) static void run_child(const struct plan *plan,
                                                int report)
{
    struct obstacle obstacle;
    ssize_t sent;

    obstacle.step = become(plan);
    obstacle.error = errno;
    sent = write(report, &obstacle, sizeof obstacle);
    _exit(sent == sizeof obstacle ? 127 : 126);
}

/* --- after the fork ------------------------------------------------------ */

static void explain(const struct plan *plan, const struct obstacle *obstacle,
                    char *why, size_t size)
{
    const struct watch_command *command = plan->command;
    const char *reason = strerror(obstacle->error);

    switch (obstacle->step) {
    case STEP_OUTPUT:
        snprintf(why, size, "its output: %s", reason);
        break;
    case STEP_FOLDER:
        snprintf(why, size, "folder %s: %s", command->folder, reason);
        break;
    case STEP_USER:
        snprintf(why, size, "user %s: %s", command->user, reason);
        break;
    case STEP_PARENT:
        snprintf(why, size, "the supervisor has gone");
        break;
    case STEP_PROGRAM:
        snprintf(why, size, "run %s: %s", plan->path, reason);
        break;
    }
}

/* Waits for the program to begin.  false: it has not. */
static bool await_begin(const struct plan *plan, pid_t pid, int report,
                        char *why, size_t size)
{
    struct obstacle obstacle;
    ssize_t got;

    do
        got = read(report, &obstacle, sizeof obstacle);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return true;
    if (got == sizeof obstacle)
        explain(plan, &obstacle, why, size);
    else
        snprintf(why, size, "run %s: it died before it began", plan->path);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (!plan->command->is_detached)
        watch_guard_tell(plan->guard, pid, false);
    return false;
}

static pid_t fork_it(const struct plan *plan, char *why, size_t size)
{
    int report[2];
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) != 0) {
        snprintf(why, size, "pipe: %s", strerror(errno));
        return -1;
    }
    pid = fork();
    if (pid == 0)
        run_child(plan, report[1]);
    close(report[1]);
    if (pid < 0)
        snprintf(why, size, "fork: %s", strerror(errno));
    else if (!await_begin(plan, pid, report[0], why, size))
        pid = -1;
    close(report[0]);
    return pid;
}

pid_t watch_spawn(const struct watch_command *command, int out, int err,
                  int guard, char *why, size_t size)
{
    struct plan plan = {.command = command,
                        .out = out,
                        .err = err,
                        .guard = guard,
                        .parent = getpid()};
    char *names[4] = {NULL};
    const char *path;
    pid_t pid = -1;

    if (!look_up_user(&plan, command->user, why, size))
        return -1;
    plan.environment = environment_of(&plan, names);
    path = variable(plan.environment, "PATH");
    plan.path = find_program(command->argv[0], path);
    if (plan.path)
        pid = fork_it(&plan, why, size);
    else
        snprintf(why, size, "run %s: not found in PATH", command->argv[0]);
    free(plan.path);
    free((void *)plan.environment);
    for (size_t i = 0; i < 3; i++)
        free(names[i]);
    return pid;
}
