/* What the tests of supervised services share: spans of time, the rules that
 * the settings give by default, and what a machine wants done, as text. */
#ifndef WEIR_TEST_MACHINE_STEPS_H
#define WEIR_TEST_MACHINE_STEPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "watch/machine.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static inline struct watch_rules defaults(void)
{
    return (struct watch_rules){
        .has_health = true,
        .policy = WATCH_RESTART_ALWAYS,
        .startup_limit_ns = 30 * S,
        .startup_interval_ns = 250 * MS,
        .settle_ns = 1 * S,
        .interval_ns = 30 * S,
        .shutdown_limit_ns = 10 * S,
        .cooldown_ns = 60 * S,
        .last_tries = 1,
        .fall = 3,
        .rise = 1,
        .restarts = {.max_restarts = 5,
                     .window_ns = 300 * S,
                     .delay_ns = 5 * S,
                     .multiplier = 2.0,
                     .max_delay_ns = 300 * S},
    };
}

/* All that the machine wants done: "SPAWN starting PROBE"; lent until the next
 * call. */
static inline const char *taken(struct watch_machine *m)
{
    static const char *const names[] = {
        [WATCH_ACT_SPAWN] = "SPAWN",
        [WATCH_ACT_TERM] = "TERM",
        [WATCH_ACT_KILL] = "KILL",
        [WATCH_ACT_PROBE] = "PROBE",
    };
    static char all[512];
    struct watch_action action;
    size_t len = 0;

    all[0] = '\0';
    while (watch_machine_next(m, &action))
        len += (size_t)snprintf(
            all + len, sizeof all - len, "%s%s", len ? " " : "",
            action.kind == WATCH_ACT_EVENT ? watch_event_name(action.event)
                                           : names[action.kind]);
    return all;
}

#define EXPECT(m, text) assert_string_equal(taken(m), text)

#endif
