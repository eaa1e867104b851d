#include "restarts.h"

#include <stdlib.h>

#include "../cli.h"

enum {
    RING_IF_UNLIMITED = 100 /* all that the view shows then */
};

void watch_restarts_init(struct watch_restarts *restarts,
                         const struct watch_restart_rules *rules)
{
    *restarts = (struct watch_restarts){.rules = *rules};
    restarts->capacity =
        rules->max_restarts ? rules->max_restarts : RING_IF_UNLIMITED;
    restarts->times = cli_alloc(restarts->capacity * sizeof *restarts->times);
}

void watch_restarts_done(struct watch_restarts *restarts)
{
    free(restarts->times);
    restarts->times = NULL;
}

unsigned watch_restarts_in_window(const struct watch_restarts *restarts,
                                  uint64_t now_ns)
{
    unsigned in_window = 0;

    while (in_window < restarts->count) {
        const unsigned at =
            (restarts->newest + restarts->capacity - in_window) %
            restarts->capacity;

        if (now_ns - restarts->times[at] >= restarts->rules.window_ns)
            break;
        in_window++;
    }
    return in_window;
}

bool watch_restarts_are_used_up(const struct watch_restarts *restarts,
                                uint64_t now_ns)
{
    return restarts->rules.max_restarts &&
           watch_restarts_in_window(restarts, now_ns) >=
               restarts->rules.max_restarts;
}

void watch_restarts_note(struct watch_restarts *restarts, uint64_t now_ns)
{
    restarts->newest = (restarts->newest + 1) % restarts->capacity;
    restarts->times[restarts->newest] = now_ns;
    if (restarts->count < restarts->capacity)
        restarts->count++;
    restarts->total++;
}

uint64_t watch_restarts_delay(struct watch_restarts *restarts,
                              const struct watch_random *random)
{
    const struct watch_restart_rules *rules = &restarts->rules;
    const double cap_ns = (double)rules->max_delay_ns;
    double longest_ns = (double)rules->delay_ns;

    for (unsigned i = 0; i < restarts->in_a_row && longest_ns < cap_ns; i++)
        longest_ns *= rules->multiplier;
    /* Far beyond what any cap needs, and it cannot wrap. */
    if (restarts->in_a_row < 10000)
        restarts->in_a_row++;
    if (longest_ns > cap_ns)
        longest_ns = cap_ns;
    return (uint64_t)(longest_ns * random->next(random->user));
}

void watch_restarts_settle(struct watch_restarts *restarts)
{
    restarts->in_a_row = 0;
}

void watch_restarts_forget(struct watch_restarts *restarts)
{
    restarts->in_a_row = 0;
    restarts->count = 0;
}
