/* What the clients share: arguments, the clock, and the report.
 *
 * Usage of each: CLIENT URL REQUESTS [CA_FILE [IN_FLIGHT]]; CA_FILE "-" is
 * none. It sends a tenth of REQUESTS unmeasured, then REQUESTS, and prints one
 * line: requests, CPU microseconds a request (user and system of this process),
 * wall microseconds a request.  Under callgrind the first dump is of the
 * measured requests alone.  get_* have one connection and send one after
 * another; loop_* have IN_FLIGHT (64) of each at a time. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
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
    unsigned in_flight;
};

static inline struct client_args client_args(int argc, char **argv)
{
    struct client_args args = {0};

    if (argc < 3 || argc > 5) {
        fprintf(stderr, "usage: %s URL REQUESTS [CA_FILE [IN_FLIGHT]]\n",
                argv[0]);
        exit(2);
    }
    args.url = argv[1];
    args.requests = strtol(argv[2], NULL, 10);
    args.ca_file = argc > 3 && strcmp(argv[3], "-") != 0 ? argv[3] : NULL;
    args.in_flight = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 64;
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
    printf("%ld %.4f %.4f\n", args->requests,
           (client_cpu_us() - cpu_us) / (double)args->requests,
           (client_wall_us() - wall_us) / (double)args->requests);
    return 0;
}

struct client_getter {
    void (*get)(void *client);
    void *client;
};

static inline void client_get_each(void *user, long count)
{
    const struct client_getter *getter = user;

    for (long i = 0; i < count; i++)
        getter->get(getter->client);
}

/* The same with a function that sends one. */
static inline int client_run(const struct client_args *args,
                             void (*get)(void *client), void *client)
{
    struct client_getter getter = {get, client};

    return client_run_many(args, client_get_each, &getter);
}

static inline _Noreturn void client_die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

#endif
