/* The circuit breaker: an origin that keeps failing is left alone for a while.
 *
 * An attempt holds the generation in which it was admitted, and every change of
 * state begins a new one: what ends late says nothing of the state it ends in.
 * So a pass of this generation is one of CLOSED, or the probe of HALF_OPEN. */
#include <assert.h>

#include "base/deadline.h"
#include "pool/origin.h"

#define BIT(state) (1U << WR_BREAKER_##state)

static const struct {
    const char *name;
    unsigned next; /* where it may lead; bits by state */
} states[] = {
    [WR_BREAKER_CLOSED] = {"closed", BIT(OPEN)},
    [WR_BREAKER_OPEN] = {"open", BIT(HALF_OPEN) | BIT(CLOSED)},
    [WR_BREAKER_HALF_OPEN] = {"half-open", BIT(OPEN) | BIT(CLOSED)},
};

/* All that a state counts begins anew with it. */
static void set_state(struct breaker *breaker, enum wr_breaker_state state)
{
    assert(states[breaker->state].next & 1U << state);
    breaker->state = state;
    breaker->generation++;
    breaker->failures = 0;
    breaker->window.slot_ns = 0;
    breaker->is_probing = false;
}

static void open_until(struct breaker *breaker, uint64_t probe_ns)
{
    set_state(breaker, WR_BREAKER_OPEN);
    breaker->probe_ns = probe_ns;
}

/* --- admission ----------------------------------------------------------- */

static bool are_rules(const struct wr_breaker_rules *rules)
{
    return rules->failures > 0 || rules->rate > 0;
}

bool wr_origin_admit(struct wr_origin *origin,
                     const struct wr_breaker_rules *rules, uint64_t now_ns,
                     struct wr_pass *ret_pass, uint64_t *ret_probe_ns)
{
    struct breaker *breaker = &origin->breaker;

    if (breaker->state != WR_BREAKER_CLOSED && !are_rules(rules))
        set_state(breaker, WR_BREAKER_CLOSED);
    if (breaker->state == WR_BREAKER_OPEN && now_ns >= breaker->probe_ns)
        set_state(breaker, WR_BREAKER_HALF_OPEN);
    if (breaker->state == WR_BREAKER_OPEN || breaker->is_probing) {
        *ret_probe_ns = breaker->is_probing ? now_ns : breaker->probe_ns;
        return false;
    }
    breaker->is_probing = breaker->state == WR_BREAKER_HALF_OPEN;
    *ret_pass = (struct wr_pass){breaker->generation, breaker->is_probing};
    return true;
}

/* --- outcomes ------------------------------------------------------------ */

/* A tenth of the window, rounded up. */
static uint64_t slot_ns(const struct wr_breaker_rules *rules)
{
    const uint64_t whole_ns = rules->window_ns / WR_WINDOW_SLOTS;

    return whole_ns + (rules->window_ns % WR_WINDOW_SLOTS > 0 || whole_ns == 0);
}

static bool is_in_a_row(struct breaker *breaker,
                        const struct wr_breaker_rules *rules, bool is_bad)
{
    breaker->failures = is_bad ? breaker->failures + 1 : 0;
    return rules->failures > 0 && breaker->failures >= rules->failures;
}

static bool is_rate_reached(struct breaker *breaker,
                            const struct wr_breaker_rules *rules, bool is_bad,
                            uint64_t now_ns)
{
    struct wr_window *window = &breaker->window;

    if (!(rules->rate > 0))
        return false;
    if (window->slot_ns != slot_ns(rules))
        wr_window_init(window, slot_ns(rules));
    wr_window_add(window, now_ns, (struct wr_tally){1, is_bad});
    return window->sum.all >= rules->min_requests &&
           (double)window->sum.some / (double)window->sum.all >= rules->rate;
}

/* Counts for both rules, whichever opens. */
static void count(struct breaker *breaker, const struct wr_breaker_rules *rules,
                  bool is_bad, uint64_t now_ns)
{
    const bool is_row = is_in_a_row(breaker, rules, is_bad);

    if (is_rate_reached(breaker, rules, is_bad, now_ns) || is_row)
        open_until(breaker, wr_after(now_ns, rules->open_ns));
}

static void end_probe(struct breaker *breaker,
                      const struct wr_breaker_rules *rules,
                      enum wr_outcome outcome, uint64_t now_ns)
{
    if (outcome == WR_OUTCOME_GOOD)
        set_state(breaker, WR_BREAKER_CLOSED);
    else if (outcome == WR_OUTCOME_BAD)
        open_until(breaker, wr_after(now_ns, rules->open_ns));
    else
        breaker->is_probing = false;
}

void wr_origin_report(struct wr_origin *origin,
                      const struct wr_breaker_rules *rules,
                      const struct wr_pass *pass, enum wr_outcome outcome,
                      uint64_t now_ns)
{
    struct breaker *breaker = &origin->breaker;

    if (pass->generation != breaker->generation)
        return;
    assert(pass->is_probe == breaker->is_probing);
    if (pass->is_probe)
        end_probe(breaker, rules, outcome, now_ns);
    else if (outcome != WR_OUTCOME_NEUTRAL)
        count(breaker, rules, outcome == WR_OUTCOME_BAD, now_ns);
}

enum wr_breaker_state wr_origin_breaker_state(const struct wr_origin *origin)
{
    return origin->breaker.state;
}

const char *wr_breaker_state_name(enum wr_breaker_state state)
{
    return states[state].name;
}
