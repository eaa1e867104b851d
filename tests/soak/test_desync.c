/* Nobody receives another's bytes, whatever origins send (protocol-rules.md,
 * sections 2 and 5): exchanges by the thousand with origins that attack, each
 * with a token of its own that comes back.
 *
 *   test_desync [COUNT [SEED]]
 *
 * `make desync COUNT=5000000` makes a long run of it.  The seed is printed: the
 * same one gives the same choices, though threads meet in another order. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "certs.h"
#include "faults.h"
#include "sanitized.h"
#include "traffic.h"

enum {
    SHORT_COUNT = IS_SANITIZED ? 4000 : 20000,
    SHORT_SEED = 20260101
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run(const char *certs, uint64_t count, uint64_t seed)
{
    const struct traffic_options options = {.seed = seed,
                                            .exchanges = count,
                                            .certs = certs,
                                            .is_disturbed = true,
                                            .slows = IS_SANITIZED,
                                            .on_thread = faults_spare_thread,
                                            .on_tls_port = faults_read_whole};
    const double begun_s = now_s();
    struct traffic_report report;
    struct traffic *traffic;
    bool is_right;

    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    faults_begin(seed);
    traffic = traffic_start(&options);
    report = traffic_join(traffic);
    faults_end();
    traffic_print(&report);
    printf("faults %llu; %.1f s\n", (unsigned long long)faults_made(),
           now_s() - begun_s);
    printf("# cases desync %llu\n", (unsigned long long)report.sent);
    is_right = report.sent == count && report.mismatches == 0 &&
               report.unexpected == 0 && report.leaked == 0 &&
               report.unaccounted == 0 && report.pipelined == 0 &&
               report.sent == report.answered + report.failed +
                                  report.cancelled + report.refused &&
               report.surprises > 0;
    if (!is_right)
        printf("FAILED; again with: test_desync %llu %llu\n",
               (unsigned long long)count, (unsigned long long)seed);
    return is_right ? 0 : 1;
}

int main(int argc, char **argv)
{
    const uint64_t count =
        argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)SHORT_COUNT;
    const uint64_t seed =
        argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)SHORT_SEED;
    char *certs = certs_new();
    int result;

    if (!certs || count == 0 || seed == 0)
        return 2;
    result = run(certs, count, seed);
    certs_done(certs);
    return result;
}
