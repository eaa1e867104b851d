/* Ways out of the supervisor, and what has become of events on them. */
#ifndef WEIR_WATCH_OUTLETS_H
#define WEIR_WATCH_OUTLETS_H

#include <stdbool.h>
#include <stdint.h>

#include "webhook.h"

struct watch_outlets {
    const char *page; /* where it listens; NULL: there is none */
    bool has_file;
    uint64_t file_lost;
    bool has_history;
    uint64_t history_lost;
    bool has_webhook;
    struct webhook_figures webhook;
};

#endif
