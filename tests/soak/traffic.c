/* Traffic: its pools and origins, who disturbs it, and its accounts. */
#include "traffic.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "traffic_inner.h"

enum {
    POLL_MS = 50 /* the external loop looks whether all is over */
};

static void die(const char *what)
{
    fprintf(stderr, "traffic: %s\n", what);
    abort();
}

/* --- lanes --------------------------------------------------------------- */

static void set_up_options(struct traffic_lane *lane, unsigned index)
{
    weir_pool_options *options = &lane->options;

    weir_pool_options_init(options);
    options->ca_file = lane->traffic->ca_file;
    options->max_connections = 48;
    options->max_per_host = 24;
    options->max_waiting = 10000;
    options->acquire_timeout = options->connect_timeout = 300;
    options->total_timeout = 300;
    lane->may_be_late = index != 1;
    if (lane->may_be_late)
        options->validate_after = 0; /* else what was just used is trusted */
    if (index == 0)
        options->loops = 2;
    if (index == 1)
        options->poller = WEIR_POLLER_POLL;
    lane->is_external = index == 2;
    if (lane->is_external)
        options->loop = WEIR_LOOP_EXTERNAL;
}

static void *dispatch(void *user)
{
    struct traffic_lane *lane = user;

    while (!atomic_load(&lane->traffic->is_over)) {
        struct pollfd waited = {weir_pool_fd(lane->pool), POLLIN, 0};
        const int due_ms = weir_pool_timeout(lane->pool);

        poll(&waited, 1, due_ms < 0 || due_ms > POLL_MS ? POLL_MS : due_ms);
        weir_pool_dispatch(lane->pool, NULL);
    }
    return NULL;
}

static void open_lane(struct traffic *traffic, unsigned index)
{
    static const unsigned slots[TRAFFIC_LANES] = {40, 24, 24};
    static const unsigned blockers[TRAFFIC_LANES] = {3, 2, 1};
    struct traffic_lane *lane = &traffic->lanes[index];
    const unsigned part = traffic->options.slows ? 2 : 1;
    weir_error err;

    lane->traffic = traffic;
    set_up_options(lane, index);
    if (weir_pool_open(&lane->options, &lane->pool, &err) != WEIR_OK)
        die(err.message);
    lane->slot_count = slots[index] / part;
    lane->blocker_count = blockers[index];
    for (unsigned i = 0; i < lane->slot_count; i++) {
        struct traffic_slot *slot = &lane->slots[i];

        slot->lane = lane;
        slot->random = traffic->options.seed + 1000 * index + i + 1;
        snprintf(slot->tag, sizeof slot->tag, "slot %u", i);
        snprintf(slot->tally.name, sizeof slot->tally.name, "lane %u slot %u",
                 index, i);
        pthread_mutex_init(&slot->lock, NULL);
    }
    for (unsigned i = 0; i < lane->blocker_count; i++) {
        struct traffic_blocker *blocker = &lane->blockers[i];

        blocker->lane = lane;
        blocker->random = traffic->options.seed + 1000 * index + 500 + i;
        snprintf(blocker->tag, sizeof blocker->tag, "thread %u", i);
        snprintf(blocker->tally.name, sizeof blocker->tally.name,
                 "lane %u thread %u", index, i);
    }
}

static void start_lane(struct traffic_lane *lane)
{
    atomic_store(&lane->active, lane->slot_count);
    if (lane->is_external &&
        pthread_create(&lane->dispatcher, NULL, dispatch, lane) != 0)
        die("no thread");
    for (unsigned i = 0; i < lane->blocker_count; i++) {
        struct traffic_blocker *blocker = &lane->blockers[i];

        if (pthread_create(&blocker->thread, NULL, traffic_block, blocker) != 0)
            die("no thread");
    }
    for (unsigned i = 0; i < lane->slot_count; i++)
        traffic_slot_begin(&lane->slots[i]);
}

/* --- disturbing ---------------------------------------------------------- */

static void cancel_some(struct traffic *traffic, uint64_t *random)
{
    struct traffic_lane *lane =
        &traffic->lanes[call_choose(random, traffic->lane_count)];
    struct traffic_slot *slot =
        &lane->slots[call_choose(random, lane->slot_count)];

    pthread_mutex_lock(&slot->lock);
    if (slot->call) {
        atomic_store(&slot->trial.was_cancelled, true);
        weir_call_cancel(slot->call);
    }
    pthread_mutex_unlock(&slot->lock);
}

static void reconfigure(struct traffic *traffic, uint64_t *random)
{
    struct traffic_lane *lane =
        &traffic->lanes[call_choose(random, traffic->lane_count)];
    weir_pool_options options = lane->options;
    weir_error err;

    options.max_connections = 2 + (unsigned)call_choose(random, 60);
    options.max_per_host = 1 + (unsigned)call_choose(random, 30);
    options.max_waiting =
        call_choose(random, 64) ? 200 : (unsigned)call_choose(random, 40);
    options.enabled = call_choose(random, 8) != 0;
    options.idle_timeout = 0.05 + (double)call_choose(random, 100) / 100;
    options.max_age = 0.1 + (double)call_choose(random, 100) / 10;
    if (weir_pool_reconfigure(lane->pool, &options, &err) != WEIR_OK)
        die(err.message);
}

static void *disturb(void *user)
{
    static const struct timespec pause = {0, 2000000};
    struct traffic *traffic = user;
    uint64_t random = traffic->options.seed + 77;

    for (unsigned round = 0; !atomic_load(&traffic->is_over); round++) {
        cancel_some(traffic, &random);
        if (traffic->options.reconfigures && round % 50 == 0)
            reconfigure(traffic, &random);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* --- life ---------------------------------------------------------------- */

static void start_origins(struct traffic *traffic)
{
    struct hostile_options options = {.seed = traffic->options.seed,
                                      .on_thread = traffic->options.on_thread};

    traffic->plain = hostile_start(&options);
    options.certs = traffic->options.certs;
    traffic->tls = options.certs ? hostile_start(&options) : NULL;
    if (traffic->tls && traffic->options.on_tls_port)
        traffic->options.on_tls_port(hostile_port(traffic->tls));
}

struct traffic *traffic_start(const struct traffic_options *options)
{
    struct traffic *traffic = calloc(1, sizeof *traffic);

    if (!traffic)
        die("memory");
    traffic->options = *options;
    traffic->lane_count = TRAFFIC_LANES;
    if (options->certs)
        snprintf(traffic->ca_file, sizeof traffic->ca_file, "%s/ca.pem",
                 options->certs);
    pthread_mutex_init(&traffic->lock, NULL);
    pthread_cond_init(&traffic->changed, NULL);
    start_origins(traffic);
    for (unsigned i = 0; i < traffic->lane_count; i++)
        open_lane(traffic, i);
    for (unsigned i = 0; i < traffic->lane_count; i++)
        start_lane(&traffic->lanes[i]);
    if (pthread_create(&traffic->disturber, NULL, disturb, traffic) != 0)
        die("no thread");
    return traffic;
}

uint64_t traffic_sent(struct traffic *traffic)
{
    return atomic_load(&traffic->begun);
}

void traffic_end(struct traffic *traffic)
{
    atomic_store(&traffic->is_ending, true);
}

static void await_calls(struct traffic *traffic)
{
    for (unsigned i = 0; i < traffic->lane_count; i++) {
        struct traffic_lane *lane = &traffic->lanes[i];

        for (unsigned k = 0; k < lane->blocker_count; k++)
            pthread_join(lane->blockers[k].thread, NULL);
        pthread_mutex_lock(&traffic->lock);
        while (atomic_load(&lane->active) > 0)
            pthread_cond_wait(&traffic->changed, &traffic->lock);
        pthread_mutex_unlock(&traffic->lock);
    }
    atomic_store(&traffic->is_over, true);
    pthread_join(traffic->disturber, NULL);
    for (unsigned i = 0; i < traffic->lane_count; i++) {
        if (traffic->lanes[i].is_external)
            pthread_join(traffic->lanes[i].dispatcher, NULL);
    }
}

/* --- accounts ------------------------------------------------------------ */

static void add_tally(struct traffic_report *report,
                      const struct traffic_tally *tally)
{
    report->answered += tally->outcomes[CALL_ANSWERED];
    report->failed += tally->outcomes[CALL_FAILED];
    report->cancelled += tally->outcomes[CALL_CANCELLED];
    report->refused += tally->outcomes[CALL_REFUSED];
    report->mismatches += tally->outcomes[CALL_MISMATCH];
    report->unexpected += tally->outcomes[CALL_UNEXPECTED];
    report->surprises += tally->surprises;
    for (unsigned i = 0; i < HOSTILE_WAY_COUNT; i++)
        report->ways[i] += tally->ways[i];
    if (tally->complaint[0] && !report->complaint[0])
        strcpy(report->complaint, tally->complaint);
}

static uint64_t close_lane(struct traffic_lane *lane,
                           struct traffic_report *report)
{
    weir_pool_figures figures = {.size = sizeof figures};
    uint64_t closed = 0;

    if (weir_pool_close(lane->pool, 10, NULL) != WEIR_OK ||
        weir_pool_stats(lane->pool, &figures) != WEIR_OK)
        die("a pool could not be closed");
    for (unsigned i = 0; i < WEIR_CLOSE_REASON_COUNT; i++)
        closed += figures.closed[i];
    report->dialed += figures.dialed;
    report->reused += figures.reused;
    report->leaked += figures.open + figures.leased + figures.dialing +
                      figures.waiting +
                      (figures.dialed > closed ? figures.dialed - closed
                                               : closed - figures.dialed);
    weir_pool_free(lane->pool);
    return figures.requests;
}

struct traffic_report traffic_join(struct traffic *traffic)
{
    struct traffic_report report = {0};
    uint64_t requests = 0;

    await_calls(traffic);
    for (unsigned i = 0; i < traffic->lane_count; i++) {
        struct traffic_lane *lane = &traffic->lanes[i];

        requests += close_lane(lane, &report);
        for (unsigned k = 0; k < lane->slot_count; k++) {
            add_tally(&report, &lane->slots[k].tally);
            pthread_mutex_destroy(&lane->slots[k].lock);
        }
        for (unsigned k = 0; k < lane->blocker_count; k++)
            add_tally(&report, &lane->blockers[k].tally);
    }
    report.sent = traffic_sent(traffic);
    report.unaccounted = requests > report.sent ? requests - report.sent
                                                : report.sent - requests;
    report.pipelined = hostile_pipelined(traffic->plain);
    if (traffic->tls)
        report.pipelined += hostile_pipelined(traffic->tls);
    hostile_stop(traffic->plain);
    hostile_stop(traffic->tls);
    pthread_cond_destroy(&traffic->changed);
    pthread_mutex_destroy(&traffic->lock);
    free(traffic);
    return report;
}

void traffic_print(const struct traffic_report *report)
{
    printf("sent %llu: answered %llu, failed %llu, cancelled %llu, "
           "refused %llu\n",
           (unsigned long long)report->sent,
           (unsigned long long)report->answered,
           (unsigned long long)report->failed,
           (unsigned long long)report->cancelled,
           (unsigned long long)report->refused);
    printf("mismatches %llu, unexpected %llu, left over %llu, "
           "unaccounted %llu\n",
           (unsigned long long)report->mismatches,
           (unsigned long long)report->unexpected,
           (unsigned long long)report->leaked,
           (unsigned long long)report->unaccounted);
    printf("connections dialled %llu, lent again %llu; late responses %llu\n",
           (unsigned long long)report->dialed,
           (unsigned long long)report->reused,
           (unsigned long long)report->surprises);
    for (unsigned i = 0; i < HOSTILE_WAY_COUNT; i++)
        printf("  %-18s %llu\n", hostile_way_name((enum hostile_way)i),
               (unsigned long long)report->ways[i]);
    if (report->complaint[0])
        printf("%s\n", report->complaint);
    fflush(stdout);
}
