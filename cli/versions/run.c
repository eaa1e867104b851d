/* All checks at once: the questions to the index are calls of the pool, as many
 * at a time as it may hold connections to one host; the commands of the tools
 * run on a few threads.  The main thread waits for them, or for a signal. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../progress.h"
#include "command.h"
#include "versions.h"

enum {
    MAX_WORKERS = 8,  /* commands at a time */
    MAX_TIMEOUTS = 10 /* of an index that has not answered yet */
};

struct run {
    const struct checks *checks;
    const struct program *program;
    const struct versions_options *options;
    int ended; /* readable once nothing is under way any more */
    pthread_mutex_t lock;
    size_t next_offer;
    size_t next_command;
    size_t under_way; /* calls, workers, and the main thread as it starts */
    bool is_stopped;
    bool has_answered; /* the index has, or it took a connection at least */
    size_t timeouts;
    const char *given_up; /* on the index: why; NULL: it is asked */
};

/* A call to the index, and whose it is. */
struct errand {
    struct run *run;
    struct check *check;
};

static void enter(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    run->under_way++;
    pthread_mutex_unlock(&run->lock);
}

static void leave(struct run *run)
{
    bool is_last;

    pthread_mutex_lock(&run->lock);
    is_last = --run->under_way == 0;
    /* Behind this lock the main thread may free all; so it is told within. */
    if (is_last)
        eventfd_write(run->ended, 1);
    pthread_mutex_unlock(&run->lock);
}

/* One of the two questions of a check is answered. */
static void close_question(struct check *check)
{
    if (atomic_fetch_sub(&check->open, 1) == 1)
        progress_job_done();
}

/* The next check of a counter, or NULL. */
static struct check *take(struct run *run, size_t *next)
{
    struct check *check = NULL;

    pthread_mutex_lock(&run->lock);
    if (*next < run->checks->count && !run->is_stopped)
        check = &run->checks->list[(*next)++];
    pthread_mutex_unlock(&run->lock);
    return check;
}

/* --- the index ------------------------------------------------------------ */

static void ask_next(struct run *run);

/* An index that cannot be reached is not asked for all the rest; but as long as
 * it answers anything, no question is given up because of another. */
static void note_silence(struct run *run, const struct offer *offer)
{
    pthread_mutex_lock(&run->lock);
    if (offer->silence == SILENCE_NONE)
        run->has_answered = true;
    else if (offer->silence == SILENCE_TIMEOUT)
        run->timeouts++;
    if (!run->has_answered && !run->given_up &&
        (offer->silence == SILENCE_NO_HOST || run->timeouts >= MAX_TIMEOUTS))
        run->given_up = offer->why;
    pthread_mutex_unlock(&run->lock);
}

/* true: the index is not to be asked any more, and the offer says why. */
static bool is_given_up(struct run *run, struct offer *offer)
{
    const char *why;

    pthread_mutex_lock(&run->lock);
    why = run->given_up;
    pthread_mutex_unlock(&run->lock);
    if (!why)
        return false;
    offer->end = OFFER_UNREACHABLE;
    snprintf(offer->why, sizeof offer->why, "not asked: %s", why);
    return true;
}

static void on_end(void *user)
{
    struct errand *errand = user;
    struct run *run = errand->run;

    note_silence(run, &errand->check->offer);
    close_question(errand->check);
    free(errand);
    ask_next(run);
    leave(run);
}

/* Puts the next call on its way, passing over those that cannot begin. */
static void ask_next(struct run *run)
{
    struct check *check;

    while ((check = take(run, &run->next_offer)) != NULL) {
        struct errand *errand;

        if (is_given_up(run, &check->offer)) {
            close_question(check);
            continue;
        }
        errand = cli_alloc(sizeof *errand);
        *errand = (struct errand){run, check};
        enter(run);
        if (index_ask(run->program->pool, run->options, check, on_end, errand))
            return;
        close_question(check);
        free(errand);
        leave(run);
    }
}

/* --- the commands --------------------------------------------------------- */

static void take_version(struct installed *installed, const char *text,
                         size_t len)
{
    struct pep440 version;

    if (!text) {
        snprintf(installed->why, sizeof installed->why,
                 "no version in what it printed");
    } else if (!pep440_parse(text, len, &version)) {
        snprintf(installed->why, sizeof installed->why,
                 "found '%.*s', expected a version", (int)(len > 60 ? 60 : len),
                 text);
    } else {
        installed->end = INSTALLED_KNOWN;
        memcpy(installed->version, version.text, sizeof installed->version);
    }
}

/* "NAME --version: had not ended after 10 seconds". */
static void tell_command(struct installed *installed, const struct tool *tool,
                         const char *why)
{
    size_t len = 0;

    for (char *const *word = tool->argv; *word && len < 100; word++)
        len +=
            (size_t)snprintf(installed->why + len, sizeof installed->why - len,
                             "%s%.60s", len ? " " : "", *word);
    snprintf(installed->why + len, sizeof installed->why - len, ": %s", why);
}

static void ask_tool(const struct run *run, struct check *check)
{
    struct installed *installed = &check->installed;
    struct command_output output;
    const char *version;
    size_t len = 0;

    installed->end = INSTALLED_UNREADABLE;
    if (check->pin) {
        take_version(installed, check->pin, strlen(check->pin));
        return;
    }
    command_run(check->tool->argv, run->options->command_timeout_s,
                run->program->signals, &output);
    if (output.end == COMMAND_NOT_FOUND) {
        installed->end = INSTALLED_NOT;
    } else if (output.end == COMMAND_ENDED) {
        version = command_find_version(output.text, check->tool->pattern, &len);
        take_version(installed, version, len);
    } else {
        tell_command(installed, check->tool, output.why);
    }
    free(output.text);
}

static void *work(void *user)
{
    struct run *run = user;
    struct check *check;

    while ((check = take(run, &run->next_command)) != NULL) {
        ask_tool(run, check);
        close_question(check);
    }
    leave(run);
    return NULL;
}

/* --- all ------------------------------------------------------------------ */

static size_t start_workers(struct run *run, pthread_t *workers)
{
    size_t count = 0;

    while (count < MAX_WORKERS && count < run->checks->count) {
        enter(run);
        if (pthread_create(&workers[count], NULL, work, run) != 0) {
            leave(run);
            break;
        }
        count++;
    }
    return count;
}

/* Begins nothing any more, and ends what is under way: the commands stop
 * because the signals' descriptor stays readable. */
static void stop(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    run->is_stopped = true;
    pthread_mutex_unlock(&run->lock);
    weir_pool_close(run->program->pool, 0, NULL);
}

static void wait_for_all(struct run *run)
{
    struct pollfd fds[] = {
        {.fd = run->ended, .events = POLLIN},
        {.fd = run->program->signals, .events = POLLIN},
    };

    while (!(fds[0].revents & POLLIN)) {
        if (poll(fds, 2, -1) < 0)
            fds[0].revents = fds[1].revents = 0;
        if (fds[1].revents) {
            fds[1].fd = -1; /* left to be read: the commands look at it too */
            stop(run);
        }
    }
}

void checks_run(const struct checks *checks, const struct program *program,
                const struct versions_options *options, size_t in_flight)
{
    struct run run = {.checks = checks,
                      .program = program,
                      .options = options,
                      .ended = eventfd(0, EFD_CLOEXEC),
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .under_way = 1};
    pthread_t workers[MAX_WORKERS];
    size_t count;

    if (run.ended < 0) {
        cli_complain("eventfd: %s", strerror(errno));
        exit(EXIT_SOME_FAILED);
    }
    for (size_t i = 0; i < checks->count; i++)
        atomic_init(&checks->list[i].open, 2);
    count = start_workers(&run, workers);
    for (size_t i = 0; i < in_flight && i < checks->count; i++)
        ask_next(&run);
    if (count == 0) {
        enter(&run);
        work(&run); /* without a thread it is done here */
    }
    leave(&run);
    wait_for_all(&run);
    for (size_t i = 0; i < count; i++)
        pthread_join(workers[i], NULL);
    pthread_mutex_lock(&run.lock); /* the last to leave may still hold it */
    pthread_mutex_unlock(&run.lock);
    close(run.ended);
}
