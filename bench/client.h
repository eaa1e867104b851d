/* What the clients share: arguments, the clock, and the report.
 *
 * Usage of each: CLIENT URL REQUESTS [CA_FILE [COUNT]]; CA_FILE "-" is none.
 * It sends a tenth of REQUESTS unmeasured, then REQUESTS, and prints one line:
 * requests, CPU microseconds a request (user and system of this process), wall
 * microseconds a request, resident KiB at the end.  Under callgrind the first
 * dump is of the measured requests alone.
 *
 *   get_*      one connection, one request after another; with BENCH_SAMPLES in
 *              the environment, the wall nanoseconds of each go to that file
 *   stream_*   the same, for large bodies: 64 KiB a read, nothing kept
 *   dial_*     a connection for every request
 *   loop_*     COUNT (64) in flight over as many connections
 *   threads_*  COUNT (8) threads, each with one after another
 *   origins_*  COUNT (8000) origins in turn, a connection open to each */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS
#endif

struct client_args {
    const char *url;
    long requests;
    const char *ca_file; /* NULL = plain */
    unsigned count;
};

/* `count` is what COUNT is without one. */
static inline struct client_args client_args(int argc, char **argv,
                                             unsigned count)
{
    struct client_args args = {0};

    if (argc < 3 || argc > 5) {
        fprintf(stderr, "usage: %s URL REQUESTS [CA_FILE [COUNT]]\n", argv[0]);
        exit(2);
    }
    args.url = argv[1];
    args.requests = strtol(argv[2], NULL, 10);
    args.ca_file = argc > 3 && strcmp(argv[3], "-") != 0 ? argv[3] : NULL;
    args.count = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : count;
    return args;
}

static inline double client_cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static inline double client_wall_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static inline long client_resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Has `run` send the warm-up and the measured requests, then reports. */
static inline int client_run_many(const struct client_args *args,
                                  void (*run)(void *client, long count),
                                  void *client)
{
    double cpu_us;
    double wall_us;

    run(client, args->requests / 10);
    CALLGRIND_ZERO_STATS;
    cpu_us = client_cpu_us();
    wall_us = client_wall_us();
    run(client, args->requests);
    CALLGRIND_DUMP_STATS;
    cpu_us = client_cpu_us() - cpu_us;
    wall_us = client_wall_us() - wall_us;
    printf("%ld %.4f %.4f %ld\n", args->requests,
           cpu_us / (double)args->requests, wall_us / (double)args->requests,
           client_resident_kib());
    return 0;
}

struct client_getter {
    void (*get)(void *client);
    void *client;
    FILE *samples; /* NULL = none are wanted */
};

static inline void client_get_each(void *user, long count)
{
    const struct client_getter *getter = user;

    for (long i = 0; i < count && !getter->samples; i++)
        getter->get(getter->client);
    for (long i = 0; i < count && getter->samples; i++) {
        const double begun_us = client_wall_us();

        getter->get(getter->client);
        fprintf(getter->samples, "%.0f\n", (client_wall_us() - begun_us) * 1e3);
    }
}

/* The same with a function that sends one. */
static inline int client_run(const struct client_args *args,
                             void (*get)(void *client), void *client)
{
    const char *path = getenv("BENCH_SAMPLES");
    struct client_getter getter = {get, client, path ? fopen(path, "w") : NULL};
    const int exit_code = client_run_many(args, client_get_each, &getter);

    if (getter.samples)
        fclose(getter.samples);
    return exit_code;
}

static inline _Noreturn void client_die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

#endif
