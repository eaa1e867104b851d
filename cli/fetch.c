/* weir fetch: runs the jobs, one after another or several at a time. */
#include "fetch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* What the threads of one run share. */
struct run {
    const struct fetch_options *options;
    const struct jobs *jobs;
    weir_pool *pool;
    atomic_size_t next;
    atomic_size_t failed;
    atomic_bool is_stopped; /* standard output is gone */
    pthread_mutex_t out;    /* one result at a time is printed */
};

static atomic_bool interrupted;

/* Waits for SIGINT, which all threads block, and then ends all transfers by
 * closing the pool; SIGUSR1 tells that the work is over. */
static void *watch_interrupt(void *user)
{
    struct run *run = user;
    sigset_t signals;
    int which = 0;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigwait(&signals, &which);
    if (which == SIGINT) {
        atomic_store(&interrupted, true);
        weir_pool_close(run->pool, 0, NULL);
    }
    return NULL;
}

static void block_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* --- -v ------------------------------------------------------------------ */

void fetch_trace(void *user, const weir_trace_event *event)
{
    static const char *const names[] = {[WEIR_TRACE_WAIT] = "wait",
                                        [WEIR_TRACE_DIAL] = "dial",
                                        [WEIR_TRACE_RESOLVED] = "resolved",
                                        [WEIR_TRACE_CONNECTED] = "connected",
                                        [WEIR_TRACE_TLS] = "tls",
                                        [WEIR_TRACE_LEASE] = "lease",
                                        [WEIR_TRACE_SENT] = "sent",
                                        [WEIR_TRACE_RESPONSE] = "response",
                                        [WEIR_TRACE_RELEASE] = "release",
                                        [WEIR_TRACE_CLOSE] = "close",
                                        [WEIR_TRACE_RETRY] = "retry"};
    char number[48] = "";

    (void)user;
    if (event->connection)
        snprintf(number, sizeof number, " connection %llu",
                 (unsigned long long)event->connection);
    progress_hide();
    fprintf(stderr, "* %9.6f %s %s%s%s%s\n", event->elapsed, names[event->kind],
            event->origin, number, event->detail[0] ? ": " : "", event->detail);
}

/* --- one job ------------------------------------------------------------- */

static bool is_failure(const struct fetch_options *options,
                       const struct outcome *outcome)
{
    return outcome->err.code != WEIR_OK ||
           (options->fail && weir_response_status(outcome->response) >= 400);
}

static void tell_failure(const struct fetch_options *options,
                         const struct job *job, const struct outcome *outcome)
{
    if (options->silent)
        return;
    progress_hide();
    if (outcome->err.code != WEIR_OK)
        cli_complain("fetch %s: %s", job->url, outcome->err.message);
    else
        cli_complain("fetch %s: HTTP status %d", job->url,
                     weir_response_status(outcome->response));
}

/* Everything printed at once, so that no two results are interleaved. */
static void print_locked(struct run *run, const struct job *job,
                         const struct outcome *outcome, const char *held,
                         size_t held_len)
{
    char *line;

    if (run->options->report) {
        line = fetch_report(run->options, job, outcome);
        fputs(line, stdout);
        fputc('\n', stdout);
        free(line);
    } else if (held) {
        fwrite(held, 1, held_len, stdout);
    }
    if (fflush(stdout) != 0)
        atomic_store(&run->is_stopped, true);
}

static void run_job(struct run *run, const struct job *job)
{
    const struct fetch_options *options = run->options;
    const bool is_alone = options->parallel == 1;
    struct whole_file whole = {0};
    struct sink sink = {0};
    struct outcome outcome;
    char *held = NULL; /* what is for standard output, in parallel */
    size_t held_len = 0;
    bool is_bad;

    if (job->output) {
        if (!whole_open(&whole, job->output)) {
            atomic_fetch_add(&run->failed, 1);
            return;
        }
        sink.file = whole.file;
    } else if (options->report) {
        sink.keep_body = !options->no_body;
    } else if (is_alone) {
        sink.file = stdout;
    } else {
        sink.file = open_memstream(&held, &held_len);
        sink.is_bounded = true;
    }
    fetch_transfer(options, run->pool, job, &sink, &outcome);
    is_bad = is_failure(options, &outcome);
    if (whole.file && !whole_close(&whole, outcome.err.code == WEIR_OK))
        is_bad = true;
    if (sink.is_bounded && sink.file)
        fclose(sink.file);
    pthread_mutex_lock(&run->out);
    progress_hide();
    print_locked(run, job, &outcome, held, held_len);
    if (is_bad) {
        atomic_fetch_add(&run->failed, 1);
        tell_failure(options, job, &outcome);
    }
    pthread_mutex_unlock(&run->out);
    if (sink.failed && sink.file == stdout)
        atomic_store(&run->is_stopped, true);
    free(held);
    fetch_free_outcome(&outcome);
    progress_job_done();
}

/* --- all jobs ------------------------------------------------------------ */

static void *work(void *user)
{
    struct run *run = user;

    for (;;) {
        const size_t i = atomic_fetch_add(&run->next, 1);

        if (i >= run->jobs->count || interrupted ||
            atomic_load(&run->is_stopped))
            return NULL;
        run_job(run, &run->jobs->list[i]);
    }
}

static void run_jobs(struct run *run)
{
    const size_t wanted = (size_t)run->options->parallel;
    const size_t count = wanted < run->jobs->count ? wanted : run->jobs->count;
    pthread_t *threads = cli_alloc(count * sizeof *threads);
    size_t started = 0;

    while (started + 1 < count &&
           pthread_create(&threads[started], NULL, work, run) == 0)
        started++;
    work(run);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    free(threads);
}

static void print_stats(weir_pool *pool)
{
    weir_pool_figures figures = {.size = sizeof figures};

    weir_pool_stats(pool, &figures);
    fprintf(stderr,
            "requests %llu, failures %llu, connections %llu, reused %llu, "
            "TLS resumed %llu, stale retries %llu, queued %llu, bytes sent "
            "%llu, received %llu\n",
            (unsigned long long)figures.requests,
            (unsigned long long)figures.failures,
            (unsigned long long)figures.dialed,
            (unsigned long long)figures.reused,
            (unsigned long long)figures.tls_resumed,
            (unsigned long long)figures.stale_retries,
            (unsigned long long)figures.queued,
            (unsigned long long)figures.bytes_sent,
            (unsigned long long)figures.bytes_received);
}

static int fetch(const struct fetch_options *options, const struct jobs *jobs)
{
    struct run run = {
        .options = options, .jobs = jobs, .out = PTHREAD_MUTEX_INITIALIZER};
    pthread_t watcher;
    weir_error err;

    if (weir_pool_open(&options->pool, &run.pool, &err) != WEIR_OK) {
        cli_complain("%s", err.message);
        return err.error_class == WEIR_CLASS_USAGE ||
                       err.error_class == WEIR_CLASS_TLS
                   ? EXIT_USAGE
                   : EXIT_SOME_FAILED;
    }
    block_signals();
    if (pthread_create(&watcher, NULL, watch_interrupt, &run) != 0) {
        cli_complain("no thread: %s", strerror(errno));
        weir_pool_free(run.pool);
        return EXIT_SOME_FAILED;
    }
    progress_begin(jobs->count, !options->no_progress && !options->silent &&
                                    !options->verbose);
    run_jobs(&run);
    pthread_kill(watcher, SIGUSR1);
    pthread_join(watcher, NULL);
    progress_end();
    if (options->stats)
        print_stats(run.pool);
    weir_pool_free(run.pool);
    if (interrupted)
        return 128 + SIGINT;
    if (fflush(stdout) != 0 || ferror(stdout) || run.is_stopped) {
        if (!options->silent && errno != EPIPE)
            cli_complain("write standard output: %s", strerror(errno));
        return EXIT_SOME_FAILED;
    }
    return run.failed ? EXIT_SOME_FAILED : EXIT_ALL;
}

int cli_fetch(int argc, char **argv, const char *config)
{
    struct fetch_options options = {.config = config};
    struct jobs jobs = {0};
    int status = fetch_parse(argc, argv, &options);

    if (status < 0) {
        status = fetch_make_jobs(&options, &jobs) ? fetch(&options, &jobs)
                                                  : EXIT_USAGE;
        fetch_free_jobs(&jobs);
    }
    fetch_free_options(&options);
    return status;
}
