#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../program.h"
#include "control.h"
#include "supervisor.h"

#define GRACE 1.0 /* seconds, for what is still under way at the end */

/* From the first to the last; what is not there yet is NULL or -1. */
struct run {
    weir_settings *loaded;
    struct watch_settings *settings;
    struct watch_guard guard;
    int lock;
    struct program program;
    bool has_program;
    struct watch_loop *loop;
    struct watch_supervisor *supervisor;
    struct watch_source *signals;
    struct watch_control *control;
    struct watch_face *face;
};

/* --- folders and the lock ------------------------------------------------ */

/* Makes a folder and those above it, each for the user alone. */
static bool make_folder(const char *path)
{
    char *part = cli_copy(path);
    char *slash = part;
    bool is_good = true;

    while (is_good && slash) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        is_good = mkdir(part, 0700) == 0 || errno == EEXIST;
        if (!is_good)
            cli_complain("make %s: %s", part, strerror(errno));
        if (slash)
            *slash = '/';
    }
    free(part);
    return is_good;
}

static bool make_folder_of(const char *file)
{
    char *folder = cli_copy(file);
    char *slash = strrchr(folder, '/');
    bool is_good = true;

    if (slash && slash != folder) {
        *slash = '\0';
        is_good = make_folder(folder);
    }
    free(folder);
    return is_good;
}

/* One supervisor a state folder; the kernel lets go with the process. */
static bool take_lock(struct run *run)
{
    char *path = cli_format("%s/watch.lock", run->settings->state);

    run->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (run->lock < 0)
        cli_complain("%s: %s", path, strerror(errno));
    else if (flock(run->lock, LOCK_EX | LOCK_NB) != 0) {
        cli_complain("another supervisor runs with the state in %s",
                     run->settings->state);
        close(run->lock);
        run->lock = -1;
    }
    free(path);
    return run->lock >= 0;
}

/* --- signals ------------------------------------------------------------- */

/* The first SIGINT or SIGTERM; a second one would end us at once. */
static void on_signal(void *user, uint32_t events)
{
    struct run *run = user;
    char byte;

    (void)events;
    while (read(run->program.signals, &byte, 1) > 0)
        continue;
    if (program_signal())
        watch_supervisor_end(run->supervisor, true);
}

/* The loop takes them from a descriptor.  Before anything else is done: none is
 * lost. */
static void block_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}

/* --- opening and closing -------------------------------------------------- */

/* Where standard descriptors are closed, none of ours takes their place. */
static void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd < 3);
    if (fd >= 0)
        close(fd);
}

static bool reload_face(void *user, const weir_settings *settings,
                        struct watch_refusal *why)
{
    return watch_face_reload(user, settings, why);
}

static int open_face(struct run *run, const struct watch_face_options *options)
{
    struct watch_reload_hook hook = {.reload = reload_face};
    int code = EXIT_ALL;

    run->face = watch_face_open(run->supervisor, run->supervisor->loaded,
                                options, &code);
    hook.user = run->face;
    if (run->face)
        watch_supervisor_set_hook(run->supervisor, &hook);
    return code;
}

static int read_settings(struct run *run, const char *config)
{
    weir_error err;

    run->loaded = cli_load_settings(config);
    if (!run->loaded)
        return EXIT_USAGE;
    run->settings = watch_settings_read(run->loaded, &err);
    if (!run->settings) {
        cli_complain("%s", err.message);
        return EXIT_USAGE;
    }
    if (run->settings->count == 0)
        cli_complain("the settings name no services (watch.services)");
    return EXIT_ALL;
}

static bool prepare_files(struct run *run)
{
    return make_folder(run->settings->state) &&
           make_folder(run->settings->logs) &&
           make_folder_of(run->settings->control) && take_lock(run);
}

static int open_supervisor(struct run *run, const char *config)
{
    struct watch_supervisor_options options = {
        .loaded = run->loaded,
        .settings = run->settings,
        .config = config,
        .guard = run->guard,
    };
    int code;

    weir_settings_pool_options(run->loaded, &options.pool_options);
    options.pool_options.loop = WEIR_LOOP_EXTERNAL;
    options.pool_options.poller = WEIR_POLLER_AUTO;
    code = program_begin(&run->program, &options.pool_options, PROGRAM_TELLS);
    if (code != EXIT_ALL)
        return code;
    run->has_program = true;
    options.pool = run->program.pool;
    run->loop = watch_loop_new();
    options.loop = run->loop;
    run->supervisor = run->loop ? watch_supervisor_new(&options) : NULL;
    if (!run->supervisor)
        return EXIT_SOME_FAILED;
    run->settings = NULL;
    run->loaded = NULL;
    run->guard.fd = -1;
    run->signals = watch_loop_add(
        run->loop, &(struct watch_source_options){.fd = run->program.signals,
                                                  .events = EPOLLIN,
                                                  .ready = on_signal,
                                                  .user = run});
    run->control =
        watch_control_open(run->supervisor, run->supervisor->settings->control);
    return run->signals && run->control ? EXIT_ALL : EXIT_SOME_FAILED;
}

/* In the reverse order; `code` unless a signal ended us. */
static int close_all(struct run *run, int code)
{
    watch_face_close(run->face);
    watch_control_close(run->control);
    if (run->signals)
        watch_loop_remove(run->loop, run->signals);
    watch_supervisor_free(run->supervisor);
    if (run->has_program)
        code = program_end(&run->program, GRACE, code);
    watch_loop_free(run->loop);
    watch_guard_close(&run->guard);
    if (run->lock >= 0)
        close(run->lock);
    watch_settings_free(run->settings);
    weir_settings_free(run->loaded);
    return code;
}

static void supervise(struct run *run)
{
    watch_supervisor_start(run->supervisor);
    while (!run->supervisor->is_over) {
        watch_loop_turn(run->loop, -1);
        watch_supervisor_settle(run->supervisor);
        watch_control_settle(run->control);
    }
}

int watch_run(const char *config, const struct watch_face_options *options)
{
    struct run run = {.guard = {0, -1}, .lock = -1};
    int code;

    fill_standard_descriptors();
    code = read_settings(&run, config);
    if (code == EXIT_ALL && !watch_guard_open(&run.guard))
        code = EXIT_SOME_FAILED;
    block_signals();
    if (code == EXIT_ALL && !prepare_files(&run))
        code = EXIT_SOME_FAILED;
    if (code == EXIT_ALL)
        code = open_supervisor(&run, config);
    if (code == EXIT_ALL)
        code = open_face(&run, options);
    if (code == EXIT_ALL)
        supervise(&run);
    return close_all(&run, code);
}
