/* What the warm-GET clients share: arguments, the clock, and the report.
 *
 * Usage of each: CLIENT URL REQUESTS [CA_FILE].  It makes one connection, sends
 * a tenth of REQUESTS unmeasured, then REQUESTS one after another, and prints
 * one line: requests, CPU microseconds a request (user and system of this
 * process), wall microseconds a request. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct client_args {
    const char *url;
    long requests;
    const char *ca_file; /* NULL = plain */
};

static inline struct client_args client_args(int argc, char **argv)
{
    struct client_args args = {0};

    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: %s URL REQUESTS [CA_FILE]\n", argv[0]);
        exit(2);
    }
    args.url = argv[1];
    args.requests = strtol(argv[2], NULL, 10);
    args.ca_file = argc == 4 ? argv[3] : NULL;
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

/* Runs `get` for the warm-up and the measured requests, then reports. */
static inline int client_run(const struct client_args *args,
                             void (*get)(void *client), void *client)
{
    double cpu_us;
    double wall_us;

    for (long i = 0; i < args->requests / 10; i++)
        get(client);
    cpu_us = client_cpu_us();
    wall_us = client_wall_us();
    for (long i = 0; i < args->requests; i++)
        get(client);
    printf("%ld %.4f %.4f\n", args->requests,
           (client_cpu_us() - cpu_us) / (double)args->requests,
           (client_wall_us() - wall_us) / (double)args->requests);
    return 0;
}

static inline void client_die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

#endif
