/* A supervisor in figures: the text form that Prometheus scrapes, version
 * 0.0.4. */
#ifndef WEIR_WATCH_METRICS_H
#define WEIR_WATCH_METRICS_H

#include <stddef.h>

#include "outlets.h"
#include "recent.h"
#include "view.h"

#define WATCH_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* To free. */
char *watch_metrics(const struct watch_view *view,
                    const struct watch_recent *recent,
                    const struct watch_outlets *outlets, size_t *ret_len);

#endif
