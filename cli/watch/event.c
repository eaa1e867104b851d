/* The table of events, to be asked. */
#include "event.h"

static const struct {
    const char *name;
    const char *meaning;
    bool is_failure;
} events[WATCH_EVENT_COUNT] = {
#define WATCH_X(NAME, name, is_failure, meaning) {name, meaning, is_failure},
    WATCH_EVENT_TABLE(WATCH_X)
#undef WATCH_X
};

const char *watch_event_name(enum watch_event_kind kind)
{
    return events[kind].name;
}

const char *watch_event_meaning(enum watch_event_kind kind)
{
    return events[kind].meaning;
}

bool watch_event_is_failure(enum watch_event_kind kind)
{
    return events[kind].is_failure;
}
