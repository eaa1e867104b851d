/* weir bench, its parts: the embedded origin, measured runs, the report. */
#ifndef WEIR_CLI_BENCH_H
#define WEIR_CLI_BENCH_H

#include <stdio.h>
#include <sys/types.h>

#include "cli.h"

/* --- the embedded origin: HTTP and HTTPS on loopback, in a child process ---
 */

struct origin {
    pid_t pid;
    int life; /* closing it ends the child */
    unsigned plain_port;
    unsigned tls_port;
    char folder[64];
    char ca_file[96];
};

/* Paths that it serves. */
#define ORIGIN_DOCUMENT "/document" /* JSON of about 60 KB */
#define ORIGIN_CHECK "/check"       /* a small status */
enum {
    ORIGIN_DOCUMENT_LEN = 60000
};

/* Before any thread exists.  false: it has complained. */
bool bench_origin_start(struct origin *origin);
void bench_origin_stop(struct origin *origin);

/* --- runs ---------------------------------------------------------------- */

/* Who makes the requests of a run. */
enum driver {
    DRIVER_LOOP,     /* asynchronous calls on a thread of weir's */
    DRIVER_BLOCKING, /* as many threads as there are requests at a time */
};

extern const char *const bench_driver_names[]; /* by driver, then NULL */

struct scenario {
    const char *name;
    const char *summary;
    const char *path; /* at the embedded origin; NULL: `url` */
    bool tls;
    long requests; /* in a run */
    long concurrency;
    const char *url;
    enum driver driver;
};

enum mode {
    MODE_POOLED,
    MODE_UNPOOLED,
    MODES
};

/* What one run measured. */
struct run {
    double wall;       /* seconds */
    double cpu;        /* user and system seconds of the client process */
    long memory;       /* peak resident set, KiB */
    uint64_t opened;   /* connections */
    uint64_t reused;   /* leases of a connection used before */
    uint64_t failed;   /* requests */
    size_t count;      /* of latencies */
    double *latencies; /* seconds, in no order; to free */
    char error[256];   /* of the first that failed */
};

/* Makes the requests of a scenario; fills in the latencies and failures. */
void bench_drive(const struct scenario *scenario, weir_pool *pool,
                 const char *url, struct run *run);
/* Runs a scenario once in a process of its own.  false: it has complained. */
bool bench_run(const struct scenario *scenario, const char *url,
               const weir_pool_options *options, enum mode mode,
               struct run *run);

/* --- report -------------------------------------------------------------- */

struct measured {
    const struct scenario *scenario;
    long rounds;
    struct run *runs[MODES]; /* a run a round */
};

/* Time saved by the pool in a round, in percent of the time without. */
double saved_percent(const struct measured *measured, long round);
void report_table(const struct measured *measured, FILE *out);
/* "versions: 78 % faster, at least 15 %: yes". */
void report_verdict(const struct measured *measured, FILE *out);
void report_json(const struct measured *measured, size_t count, FILE *out);

#endif
