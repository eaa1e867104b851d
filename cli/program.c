#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static atomic_int first_signal;
static atomic_int tell_fd = -1;
static const int ending_signals[] = {SIGINT, SIGTERM};

enum {
    ENDING_SIGNALS = sizeof ending_signals / sizeof *ending_signals
};

/* Async-signal-safe: lock-free atomics and write(). */
static void notice(int which)
{
    const int saved = errno;
    const char byte = (char)which;
    ssize_t put;
    int none = 0;

    atomic_compare_exchange_strong(&first_signal, &none, which);
    put = write(atomic_load(&tell_fd), &byte, 1);
    (void)put; /* a full pipe says as much as one byte more would */
    errno = saved;
}

int program_signal(void)
{
    return atomic_load(&first_signal);
}

static void take_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = notice;
    action.sa_flags = SA_RESTART | (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < ENDING_SIGNALS; i++) {
        struct sigaction old;

        /* What the caller ignores, as nohup does, stays ignored. */
        if (sigaction(ending_signals[i], NULL, &old) == 0 &&
            old.sa_handler != SIG_IGN)
            sigaction(ending_signals[i], &action, NULL);
    }
}

static void give_back_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < ENDING_SIGNALS; i++) {
        struct sigaction old;

        if (sigaction(ending_signals[i], NULL, &old) == 0 &&
            old.sa_handler == notice)
            sigaction(ending_signals[i], &action, NULL);
    }
}

/* Ends all calls on a signal; a byte of 0 tells that the work is over. */
static void *watch(void *user)
{
    const struct program *program = user;
    char byte = 0;
    ssize_t got;

    do {
        got = read(program->signals, &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got == 1 && byte)
        weir_pool_close(program->pool, 0, NULL);
    return NULL;
}

/* The watcher takes no signal: it may be within the pool's locks. */
static int start_watcher(struct program *program)
{
    sigset_t all;
    sigset_t before;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&program->watcher, NULL, watch, program);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

static int refuse_pool(const weir_error *err)
{
    cli_complain("%s", err->message);
    return err->error_class == WEIR_CLASS_USAGE ||
                   err->error_class == WEIR_CLASS_TLS
               ? EXIT_USAGE
               : EXIT_SOME_FAILED;
}

int program_begin(struct program *program, const weir_pool_options *options,
                  enum program_mode mode)
{
    int ends[2];
    int code = 0;
    weir_error err;

    if (weir_shared_open(options, &program->pool, &err) != WEIR_OK)
        return refuse_pool(&err);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        cli_complain("pipe: %s", strerror(errno));
        weir_shared_close(0, NULL);
        return EXIT_SOME_FAILED;
    }
    program->signals = ends[0];
    program->tell = ends[1];
    program->mode = mode;
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    if (mode == PROGRAM_TELLS)
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
    atomic_store(&first_signal, 0);
    atomic_store(&tell_fd, ends[1]);
    if (mode == PROGRAM_CLOSES)
        code = start_watcher(program);
    if (!code) {
        take_signals();
        return EXIT_ALL;
    }
    cli_complain("no thread: %s", strerror(code));
    program->mode = PROGRAM_TELLS;
    return program_end(program, 0, EXIT_SOME_FAILED);
}

int program_end(struct program *program, double grace, int status)
{
    const char over = 0;
    int which;

    if (program->mode == PROGRAM_CLOSES) {
        /* Only a pipe full of signals cannot take it, and it tells enough. */
        while (write(program->tell, &over, 1) < 0 && errno == EINTR)
            continue;
        pthread_join(program->watcher, NULL);
    }
    which = program_signal();
    weir_shared_close(which ? 0 : grace, NULL);
    give_back_signals();
    atomic_store(&tell_fd, -1);
    close(program->signals);
    close(program->tell);
    which = which ? which : program_signal();
    return which ? 128 + which : status;
}
