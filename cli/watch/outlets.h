/* What has become of events on their way out, in figures. */
#ifndef WEIR_WATCH_OUTLETS_H
#define WEIR_WATCH_OUTLETS_H

#include <stdbool.h>
#include <stdint.h>

#include "webhook.h"

struct watch_outlets {
    bool has_file;
    uint64_t file_lost;
    bool has_history;
    uint64_t history_lost;
    bool has_webhook;
    struct webhook_figures webhook;
};

#endif
