/* The retry budget and the circuit breaker against a naive model, with a
 * virtual clock.
 *
 * The model keeps a list of all that happened and counts by looking through it.
 * Which operation comes next is random; the seed is printed, and WEIR_SEED
 * replays it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "pool/health.h"
#include "sanitized.h"

enum {
    OPERATIONS = IS_SANITIZED ? 30000 : 100000, /* in each configuration */
    PASSES = 64,
    EVENTS = 8192, /* remembered; more than a window ever holds */
    SLOTS = 10,
};

struct event {
    uint64_t at_ns;
    bool is_some; /* a retry; a BAD outcome */
};

/* The newest ones: half of them at least, and all of a window. */
struct history {
    struct event events[EVENTS];
    size_t count;
};

struct model_pass {
    bool is_out;
    struct wr_pass pass;
    uint64_t epoch;
};

struct model {
    uint64_t random;
    uint64_t now_ns;
    const struct wr_breaker_rules *rules;
    struct wr_origin *origin;

    struct history budget; /* requests and retries */
    unsigned pending;

    enum wr_breaker_state state;
    uint64_t epoch;          /* counts the changes of state */
    struct history outcomes; /* of this epoch */
    unsigned failures;       /* BAD ones in a row */
    uint64_t probe_ns;       /* OPEN */
    bool is_probing;         /* HALF_OPEN */
    struct model_pass passes[PASSES];

    uint64_t begun, denied, admitted, refused, stale, opened, closed;
};

static uint64_t seed;

static unsigned pick(struct model *m, unsigned below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (unsigned)(m->random >> 33) % below;
}

/* --- windows ------------------------------------------------------------- */

static void note(struct history *history, uint64_t now_ns, bool is_some)
{
    if (history->count == EVENTS) {
        history->count = EVENTS / 2;
        for (size_t i = 0; i < EVENTS / 2; i++)
            history->events[i] = history->events[i + EVENTS / 2];
    }
    history->events[history->count++] = (struct event){now_ns, is_some};
}

/* How many of the kind are in the ten slots that end with that of now. */
static uint64_t count(const struct history *history, uint64_t slot_ns,
                      uint64_t now_ns, bool is_some)
{
    const uint64_t newest = now_ns / slot_ns;
    uint64_t found = 0;

    for (size_t i = history->count; i-- > 0;) {
        const struct event *event = &history->events[i];

        if (newest - event->at_ns / slot_ns >= SLOTS)
            break;
        found += event->is_some == is_some;
        assert_true(i > 0 || history->count < EVENTS / 2);
    }
    return found;
}

/* --- the budget ---------------------------------------------------------- */

static void request(struct model *m)
{
    wr_origin_count_request(m->origin, m->now_ns);
    note(&m->budget, m->now_ns, false);
}

static void begin_retry(struct model *m)
{
    const uint64_t requests = count(&m->budget, WR_SECOND, m->now_ns, false);
    const uint64_t retries = count(&m->budget, WR_SECOND, m->now_ns, true);
    const bool is_allowed = m->pending < 3 || (retries + 1) * 5 <= requests;

    assert_int_equal(wr_origin_begin_retry(m->origin, m->now_ns), is_allowed);
    if (is_allowed) {
        note(&m->budget, m->now_ns, true);
        m->pending++;
    }
    m->begun += is_allowed;
    m->denied += !is_allowed;
}

static void end_retry(struct model *m)
{
    if (m->pending == 0)
        return;
    wr_origin_end_retry(m->origin);
    m->pending--;
}

/* --- the breaker --------------------------------------------------------- */

static void enter(struct model *m, enum wr_breaker_state state)
{
    m->opened += state == WR_BREAKER_OPEN;
    m->closed += state == WR_BREAKER_CLOSED;
    m->state = state;
    m->epoch++;
    m->outcomes.count = 0;
    m->failures = 0;
    m->is_probing = false;
    m->probe_ns = wr_after(m->now_ns, m->rules->open_ns);
}

static struct model_pass *spare_pass(struct model *m)
{
    for (int i = 0; i < PASSES; i++) {
        if (!m->passes[i].is_out)
            return &m->passes[i];
    }
    return NULL;
}

static void admit(struct model *m)
{
    struct model_pass *pass = spare_pass(m);
    uint64_t probe_ns = 1;
    bool is_allowed;

    if (!pass)
        return;
    if (m->state == WR_BREAKER_OPEN && m->now_ns >= m->probe_ns)
        enter(m, WR_BREAKER_HALF_OPEN);
    is_allowed = m->state == WR_BREAKER_CLOSED ||
                 (m->state == WR_BREAKER_HALF_OPEN && !m->is_probing);
    assert_int_equal(
        wr_origin_admit(m->origin, m->rules, m->now_ns, &pass->pass, &probe_ns),
        is_allowed);
    m->admitted += is_allowed;
    m->refused += !is_allowed;
    if (!is_allowed) {
        assert_int_equal(probe_ns,
                         m->state == WR_BREAKER_OPEN ? m->probe_ns : m->now_ns);
        return;
    }
    assert_int_equal(probe_ns, 1);
    assert_int_equal(pass->pass.is_probe, m->state == WR_BREAKER_HALF_OPEN);
    m->is_probing = pass->pass.is_probe;
    pass->is_out = true;
    pass->epoch = m->epoch;
}

static bool must_open(const struct model *m)
{
    const struct wr_breaker_rules *rules = m->rules;
    const uint64_t slot_ns = rules->rate > 0 ? rules->window_ns / SLOTS : 1;
    const uint64_t bad = count(&m->outcomes, slot_ns, m->now_ns, true);
    const uint64_t good = count(&m->outcomes, slot_ns, m->now_ns, false);

    if (rules->failures > 0 && m->failures >= rules->failures)
        return true;
    return rules->rate > 0 && bad + good >= rules->min_requests &&
           (double)bad / (double)(bad + good) >= rules->rate;
}

static void learn(struct model *m, enum wr_outcome outcome)
{
    const bool is_bad = outcome == WR_OUTCOME_BAD;

    if (m->state == WR_BREAKER_CLOSED) {
        if (outcome == WR_OUTCOME_NEUTRAL)
            return;
        note(&m->outcomes, m->now_ns, is_bad);
        m->failures = is_bad ? m->failures + 1 : 0;
        if (must_open(m))
            enter(m, WR_BREAKER_OPEN);
    } else if (outcome == WR_OUTCOME_NEUTRAL) {
        m->is_probing = false;
    } else {
        enter(m, is_bad ? WR_BREAKER_OPEN : WR_BREAKER_CLOSED);
    }
}

static void report(struct model *m)
{
    struct model_pass *pass = &m->passes[pick(m, PASSES)];
    const unsigned chance = pick(m, 100);
    const enum wr_outcome outcome = chance < 50   ? WR_OUTCOME_GOOD
                                    : chance < 90 ? WR_OUTCOME_BAD
                                                  : WR_OUTCOME_NEUTRAL;

    if (!pass->is_out)
        return;
    wr_origin_report(m->origin, m->rules, &pass->pass, outcome, m->now_ns);
    pass->is_out = false;
    m->stale += pass->epoch != m->epoch;
    if (pass->epoch == m->epoch)
        learn(m, outcome);
}

/* --- the run ------------------------------------------------------------- */

/* Often no time passes, mostly little, and now and then more than a window. */
static uint64_t span_ns(struct model *m)
{
    switch (pick(m, 200)) {
    case 0:
        return pick(m, 30000) * UINT64_C(1000000);
    case 1:
    case 2:
        return pick(m, 3) * WR_SECOND;
    default:
        return pick(m, 2) * pick(m, 40000) * UINT64_C(1000);
    }
}

static void step(struct model *m)
{
    const unsigned chance = pick(m, 100);

    m->now_ns += span_ns(m);
    if (chance < 35)
        request(m);
    else if (chance < 45)
        begin_retry(m);
    else if (chance < 52)
        end_retry(m);
    else if (chance < 72)
        admit(m);
    else
        report(m);
    assert_int_equal(wr_origin_breaker_state(m->origin), m->state);
}

static void run(const struct wr_breaker_rules *rules, unsigned number)
{
    struct wr_health *health = wr_health_new(1);
    struct model *m = calloc(1, sizeof *m);

    assert_non_null(health);
    assert_non_null(m);
    m->random = (seed + number) * 2 + 1;
    m->now_ns = pick(m, 1000000);
    m->rules = rules;
    m->origin = wr_health_open(health, "https://example.org:443");
    assert_non_null(m->origin);
    for (int i = 0; i < OPERATIONS; i++)
        step(m);
    print_message("  retries %llu begun, %llu denied; attempts %llu admitted, "
                  "%llu refused, %llu stale; %llu opened, %llu closed\n",
                  (unsigned long long)m->begun, (unsigned long long)m->denied,
                  (unsigned long long)m->admitted,
                  (unsigned long long)m->refused, (unsigned long long)m->stale,
                  (unsigned long long)m->opened, (unsigned long long)m->closed);
    wr_health_close(health, m->origin);
    wr_health_free(health);
    free(m);
}

static void random_operations_agree_with_the_model(void **state)
{
    static const struct wr_breaker_rules rules[] = {
        {.failures = 3, .open_ns = WR_SECOND},
        {.failures = 8, .open_ns = 0},
        {.rate = 0.5,
         .window_ns = 2 * WR_SECOND,
         .min_requests = 20,
         .open_ns = 3 * WR_SECOND},
        {.failures = 6,
         .rate = 0.6,
         .window_ns = 10 * WR_SECOND,
         .min_requests = 10,
         .open_ns = WR_SECOND / 2},
    };

    (void)state;
    print_message("seed %llu (replay with WEIR_SEED), 4 times %d operations\n",
                  (unsigned long long)seed, OPERATIONS);
    print_message("# cases operations %d\n", 4 * OPERATIONS);
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++)
        run(&rules[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_agree_with_the_model),
    };
    const char *given = getenv("WEIR_SEED");
    FILE *file = given ? NULL : fopen("/dev/urandom", "rb");

    if (given)
        seed = strtoull(given, NULL, 10);
    else if (!file || fread(&seed, sizeof seed, 1, file) != 1)
        seed = 1;
    if (file)
        fclose(file);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
