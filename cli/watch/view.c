/* The table of states, to be asked. */
#include "view.h"

static const struct {
    const char *name;
    const char *meaning;
} states[WATCH_STATE_COUNT] = {
#define WATCH_X(NAME, name, meaning) {name, meaning},
    WATCH_STATE_TABLE(WATCH_X)
#undef WATCH_X
};

const char *watch_state_name(enum watch_state state)
{
    return states[state].name;
}

const char *watch_state_meaning(enum watch_state state)
{
    return states[state].meaning;
}
