#include "recent.h"

#include <stdlib.h>

#include "../cli.h"

static void free_texts(struct watch_event *event)
{
    free((char *)event->service);
    free((char *)event->detail);
}

void watch_recent_emit(void *user, const struct watch_event *event)
{
    struct watch_recent *recent = user;
    struct watch_event *place = &recent->events[recent->next];

    if (recent->count == WATCH_RECENT_MAX)
        free_texts(place);
    else
        recent->count++;
    *place = *event;
    place->service = cli_copy(event->service);
    place->detail = cli_copy(event->detail);
    recent->next = (recent->next + 1) % WATCH_RECENT_MAX;
    recent->total++;
    recent->by_kind[event->kind]++;
}

const struct watch_event *watch_recent_at(const struct watch_recent *recent,
                                          size_t index)
{
    return &recent->events[(recent->next + WATCH_RECENT_MAX - 1 - index) %
                           WATCH_RECENT_MAX];
}

void watch_recent_done(struct watch_recent *recent)
{
    for (size_t i = 0; i < recent->count; i++)
        free_texts(&recent->events[i]);
    *recent = (struct watch_recent){0};
}
