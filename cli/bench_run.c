/* One measured run: a scenario, once, in a process of its own, so that CPU time
 * and peak memory are this run's alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

/* The peak of this process counts from here: a child begins with its parent's.
 * Where the kernel does not allow it, the parent's, which is small, counts. */
static void reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");

    if (!file)
        return;
    fputs("5", file);
    fclose(file);
}

/* Peak resident set in KiB; 0 if the kernel does not tell. */
static long read_peak(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long peak = 0;

    if (!file)
        return 0;
    while (peak == 0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = strtol(line + 6, NULL, 10);
    }
    fclose(file);
    return peak;
}

/* In the child: runs and measures. */
static void measure(const struct scenario *scenario, const char *url,
                    const weir_pool_options *options, struct run *run)
{
    weir_pool *pool;
    weir_pool_figures figures = {.size = sizeof figures};
    struct rusage before;
    struct rusage after;
    weir_error err;
    double begun;

    run->count = (size_t)scenario->requests;
    run->latencies = cli_alloc(run->count * sizeof *run->latencies);
    reset_peak();
    getrusage(RUSAGE_SELF, &before);
    begun = cli_now();
    if (weir_pool_open(options, &pool, &err) != WEIR_OK) {
        run->failed = run->count;
        snprintf(run->error, sizeof run->error, "%s", err.message);
        return;
    }
    bench_drive(scenario, pool, url, run);
    weir_pool_stats(pool, &figures);
    weir_pool_free(pool);
    run->wall = cli_now() - begun;
    getrusage(RUSAGE_SELF, &after);
    run->cpu = cpu_seconds(&after) - cpu_seconds(&before);
    run->memory = read_peak();
    run->opened = figures.dialed;
    run->reused = figures.reused;
}

static bool write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        const ssize_t put = write(fd, at, len);

        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            at += put;
            len -= (size_t)put;
        }
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t len)
{
    char *at = bytes;

    while (len > 0) {
        const ssize_t got = read(fd, at, len);

        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
    return true;
}

static void be_child(const struct scenario *scenario, const char *url,
                     const weir_pool_options *options, int fd)
{
    struct run run = {0};

    measure(scenario, url, options, &run);
    _exit(
        write_all(fd, &run, sizeof run) &&
                write_all(fd, run.latencies, run.count * sizeof *run.latencies)
            ? 0
            : 1);
}

/* The parent's side of the pipe. */
static bool take_result(int fd, struct run *run)
{
    if (!read_all(fd, run, sizeof *run))
        return false;
    run->latencies = cli_alloc(run->count * sizeof *run->latencies);
    return read_all(fd, run->latencies, run->count * sizeof *run->latencies);
}

bool bench_run(const struct scenario *scenario, const char *url,
               const weir_pool_options *options, enum mode mode,
               struct run *run)
{
    weir_pool_options own = *options;
    int fds[2];
    pid_t pid;
    bool is_good;

    own.enabled = mode == MODE_POOLED;
    if (pipe(fds) != 0) {
        cli_complain("bench: pipe: %s", strerror(errno));
        return false;
    }
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        be_child(scenario, url, &own, fds[1]);
    }
    close(fds[1]);
    is_good = pid > 0 && take_result(fds[0], run);
    close(fds[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    if (!is_good) {
        cli_complain("bench: a run ended without a result");
        return false;
    }
    if (run->failed)
        cli_complain("bench: a request failed: %s", run->error);
    return run->failed == 0;
}
