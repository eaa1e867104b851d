/* weir fetch: runs the jobs, one after another or several at a time. */
#include "fetch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

/* What the transfers of one run share.  They end, and begin others, on the
 * pool's loop, while the main thread waits. */
struct run {
    const struct fetch_options *options;
    const struct jobs *jobs;
    weir_pool *pool;
    pthread_mutex_t lock; /* over the rest, and over what is printed */
    pthread_cond_t ended;
    size_t next;
    size_t in_flight;
    size_t failed;
    bool is_stopped; /* standard output is gone */
};

/* A job on its way, with where its body goes. */
struct errand {
    struct transfer transfer; /* first */
    struct run *run;
    struct whole_file whole;
    char *held; /* what is for standard output, in parallel */
    size_t held_len;
};

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
static void print_locked(struct run *run, const struct errand *errand)
{
    char *line;

    if (run->options->report) {
        line = fetch_report(run->options, errand->transfer.job,
                            &errand->transfer.outcome);
        fputs(line, stdout);
        fputc('\n', stdout);
        free(line);
    } else if (errand->held) {
        fwrite(errand->held, 1, errand->held_len, stdout);
    }
    if (fflush(stdout) != 0)
        run->is_stopped = true;
}

/* false: it has complained. */
static bool open_sink(struct errand *errand)
{
    const struct fetch_options *options = errand->run->options;
    struct sink *sink = &errand->transfer.sink;

    if (errand->transfer.job->output) {
        if (!whole_open(&errand->whole, errand->transfer.job->output))
            return false;
        sink->file = errand->whole.file;
    } else if (options->report) {
        sink->keep_body = !options->no_body;
    } else if (options->parallel == 1) {
        sink->file = stdout;
    } else {
        sink->file = open_memstream(&errand->held, &errand->held_len);
        sink->is_bounded = true;
    }
    return true;
}

/* The transfer has ended, or could not begin: tells of it. */
static void end_errand(struct errand *errand)
{
    struct run *run = errand->run;
    const struct sink *sink = &errand->transfer.sink;
    const struct outcome *outcome = &errand->transfer.outcome;
    bool is_bad = is_failure(run->options, outcome);

    if (errand->whole.file &&
        !whole_close(&errand->whole, outcome->err.code == WEIR_OK))
        is_bad = true;
    if (sink->is_bounded && sink->file)
        fclose(sink->file);
    pthread_mutex_lock(&run->lock);
    progress_hide();
    print_locked(run, errand);
    if (is_bad)
        tell_failure(run->options, errand->transfer.job, outcome);
    run->failed += is_bad;
    if (sink->failed && sink->file == stdout)
        run->is_stopped = true;
    pthread_mutex_unlock(&run->lock);
    free(errand->held);
    free(outcome->body);
    free(errand);
    progress_job_done();
}

/* --- all jobs ------------------------------------------------------------ */

static void on_end(struct transfer *transfer);

/* The next job, or NULL. */
static const struct job *take_job(struct run *run)
{
    const struct job *job = NULL;

    pthread_mutex_lock(&run->lock);
    if (run->next < run->jobs->count && !program_signal() && !run->is_stopped) {
        job = &run->jobs->list[run->next++];
        run->in_flight++;
    }
    pthread_mutex_unlock(&run->lock);
    return job;
}

static void leave(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    if (--run->in_flight == 0)
        pthread_cond_signal(&run->ended);
    pthread_mutex_unlock(&run->lock);
}

/* false: it is over already. */
static bool begin_errand(struct run *run, const struct job *job)
{
    struct errand *errand = cli_alloc(sizeof *errand);

    errand->run = run;
    errand->transfer.options = run->options;
    errand->transfer.job = job;
    errand->transfer.on_end = on_end;
    if (!open_sink(errand)) {
        free(errand);
        pthread_mutex_lock(&run->lock);
        run->failed++;
        pthread_mutex_unlock(&run->lock);
        return false;
    }
    if (transfer_begin(&errand->transfer, run->pool))
        return true;
    end_errand(errand);
    return false;
}

/* Puts one more job on its way, if any is left. */
static void begin_next(struct run *run)
{
    const struct job *job;

    while ((job = take_job(run)) != NULL && !begin_errand(run, job))
        leave(run);
}

static void on_end(struct transfer *transfer)
{
    struct run *run = ((struct errand *)transfer)->run;

    end_errand((struct errand *)transfer);
    begin_next(run);
    leave(run);
}

static void run_jobs(struct run *run)
{
    for (long i = 0; i < run->options->parallel; i++)
        begin_next(run);
    pthread_mutex_lock(&run->lock);
    while (run->in_flight > 0)
        pthread_cond_wait(&run->ended, &run->lock);
    pthread_mutex_unlock(&run->lock);
}

static void print_stats(weir_pool *pool)
{
    weir_pool_figures figures = {.size = sizeof figures};

    weir_pool_stats(pool, &figures);
    fprintf(stderr,
            "requests %llu, failures %llu, connections %llu, reused %llu, "
            "TLS resumed %llu, stale retries %llu, retries %llu, redirects "
            "%llu, queued %llu, bytes sent %llu, received %llu\n",
            (unsigned long long)figures.requests,
            (unsigned long long)figures.failures,
            (unsigned long long)figures.dialed,
            (unsigned long long)figures.reused,
            (unsigned long long)figures.tls_resumed,
            (unsigned long long)figures.stale_retries,
            (unsigned long long)figures.retries,
            (unsigned long long)figures.redirects,
            (unsigned long long)figures.queued,
            (unsigned long long)figures.bytes_sent,
            (unsigned long long)figures.bytes_received);
}

static int fetch(const struct fetch_options *options, const struct jobs *jobs)
{
    struct run run = {.options = options,
                      .jobs = jobs,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .ended = PTHREAD_COND_INITIALIZER};
    struct program program;
    int status = program_begin(&program, &options->pool, PROGRAM_CLOSES);

    if (status != EXIT_ALL)
        return status;
    run.pool = program.pool;
    progress_begin(jobs->count, !options->no_progress && !options->silent &&
                                    !options->verbose);
    run_jobs(&run);
    progress_end();
    if (options->stats)
        print_stats(run.pool);
    if (fflush(stdout) != 0 || ferror(stdout) || run.is_stopped) {
        if (!options->silent && errno != EPIPE && !program_signal())
            cli_complain("write standard output: %s", strerror(errno));
        status = EXIT_SOME_FAILED;
    }
    return program_end(&program, 0, run.failed ? EXIT_SOME_FAILED : status);
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
