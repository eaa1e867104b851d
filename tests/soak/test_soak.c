/* All at once for as long as wanted: origins that attack, every driver,
 * cancels, limits that change, forks.  Every call is accounted for, and in the
 * end there is no more memory and no more descriptors than in the beginning.
 *
 *   test_soak [SECONDS [SEED]]
 *
 * `make soak SOAK_SECONDS=600` makes a long run of it. */
#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "certs.h"
#include "sanitized.h"
#include "traffic.h"

enum {
    SHORT_S = 5,
    ROUNDS_MIN = 5,
    ROUND_MAX_S = 20,
    SHORT_SEED = 20260102,
    CHILD_CALLS = 40,
    CHILD_S = 60, /* after which it is stuck */
    FORK_EVERY_MS = 200,
    GROWTH_MAX_KIB = 512 /* of what the whole process has from malloc */
};

/* What a run has counted. */
struct sums {
    uint64_t sent;
    uint64_t answered;
    uint64_t failed;
    uint64_t cancelled;
    uint64_t wrong; /* whatever must not be */
    unsigned forks;
    unsigned children_failed;
};

/* What the process holds between two rounds. */
struct holdings {
    unsigned descriptors;
    uint64_t blocks;   /* of weir's */
    uint64_t used_kib; /* of malloc's memory, whoever took it */
    uint64_t resident_kib;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static uint64_t resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static struct holdings look(void)
{
    const struct mallinfo2 info = mallinfo2();

    malloc_trim(0); /* arenas of threads that have gone */
    return (struct holdings){
        .descriptors = count_descriptors(),
        .blocks = alloc_held(),
        .used_kib = (info.uordblks + info.hblkhd) / 1024,
        .resident_kib = resident_kib(),
    };
}

/* --- forks --------------------------------------------------------------- */

/* true: the child has ended well. */
static bool await_child(pid_t child)
{
    static const struct timespec pause = {0, 5000000};
    const double deadline = now_s() + CHILD_S;
    int status = 0;

    while (waitpid(child, &status, WNOHANG) == 0) {
        if (now_s() > deadline) {
            fprintf(stderr, "a child is stuck\n");
            kill(child, SIGABRT); /* to look into */
            waitpid(child, &status, 0);
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The child uses the pools that it has inherited, which are empty there. */
static void fork_once(struct traffic *traffic, struct sums *sums)
{
    const pid_t child = fork();

    if (child == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0)
        _exit(traffic_in_child(traffic, CHILD_CALLS) ? 0 : 1);
    sums->forks++;
    if (child < 0 || !await_child(child)) {
        fprintf(stderr, "a child failed\n");
        sums->children_failed++;
    }
}

/* --- rounds -------------------------------------------------------------- */

static void add(struct sums *sums, const struct traffic_report *report)
{
    const uint64_t failed = report->failed + report->refused;

    sums->sent += report->sent;
    sums->answered += report->answered;
    sums->failed += failed;
    sums->cancelled += report->cancelled;
    sums->wrong += report->mismatches + report->unexpected + report->leaked +
                   report->unaccounted + report->pipelined;
    if (report->sent != report->answered + failed + report->cancelled)
        sums->wrong++;
}

static void run_round(const char *certs, uint64_t seed, double seconds,
                      struct sums *sums)
{
    static const struct timespec pause = {0, FORK_EVERY_MS * 1000000L};
    const struct traffic_options options = {.seed = seed,
                                            .certs = certs,
                                            .reconfigures = true,
                                            .slows = IS_SANITIZED};
    const double until = now_s() + seconds;
    struct traffic *traffic = traffic_start(&options);
    struct traffic_report report;

    while (now_s() < until) {
        nanosleep(&pause, NULL);
        /* A child among threads may inherit the lock of a sanitizer. */
        if (!IS_SANITIZED)
            fork_once(traffic, sums);
    }
    traffic_end(traffic);
    report = traffic_join(traffic);
    add(sums, &report);
    if (report.complaint[0])
        fprintf(stderr, "%s\n", report.complaint);
}

/* --- the run ------------------------------------------------------------- */

static void print_state(unsigned round, const struct sums *sums,
                        const struct holdings *held)
{
    printf("round %u: sent %llu = answered %llu + failed %llu + cancelled "
           "%llu; wrong %llu; forks %u, failed %u; %u descriptors, %llu "
           "blocks, %llu KiB used, %llu KiB resident\n",
           round, (unsigned long long)sums->sent,
           (unsigned long long)sums->answered, (unsigned long long)sums->failed,
           (unsigned long long)sums->cancelled, (unsigned long long)sums->wrong,
           sums->forks, sums->children_failed, held->descriptors,
           (unsigned long long)held->blocks, (unsigned long long)held->used_kib,
           (unsigned long long)held->resident_kib);
    fflush(stdout);
}

static bool is_flat(const struct holdings *first, const struct holdings *last)
{
    if (first->descriptors != last->descriptors ||
        first->blocks != last->blocks)
        return false;
    return IS_SANITIZED || last->used_kib <= first->used_kib + GROWTH_MAX_KIB;
}

static bool soak(const char *certs, double seconds, uint64_t seed)
{
    const double round_s =
        seconds / ROUNDS_MIN < ROUND_MAX_S ? seconds / ROUNDS_MIN : ROUND_MAX_S;
    const double until = now_s() + seconds;
    struct sums sums = {0};
    struct holdings first;
    struct holdings held;
    bool was_flat = true;
    unsigned round = 1;

    printf("seed %llu, %.0f s\n", (unsigned long long)seed, seconds);
    run_round(certs, seed, round_s, &sums);
    first = held = look();
    print_state(round, &sums, &held);
    while (now_s() < until) {
        run_round(certs, seed + ++round, round_s, &sums);
        held = look();
        print_state(round, &sums, &held);
        was_flat = was_flat && is_flat(&first, &held);
    }
    printf("# cases soak %llu\n", (unsigned long long)sums.sent);
    if (!was_flat)
        printf("FAILED: what is held has grown\n");
    return was_flat && sums.wrong == 0 && sums.children_failed == 0 &&
           sums.answered > 0;
}

int main(int argc, char **argv)
{
    static const weir_allocator counting = {alloc_malloc, alloc_realloc,
                                            alloc_free};
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : SHORT_S;
    const uint64_t seed =
        argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)SHORT_SEED;
    char *certs = certs_new();
    bool is_right;

    if (!certs || !(seconds > 0) || seed == 0 ||
        weir_set_allocator(&counting) != WEIR_OK)
        return 2;
    is_right = soak(certs, seconds, seed);
    certs_done(certs);
    return is_right ? 0 : 1;
}
