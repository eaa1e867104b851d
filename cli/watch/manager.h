/* What the service manager (systemd) is told, and when: readiness once every
 * service has come up or failed, a line on how they are, reloads, the end, and
 * signs of life, which come from the main loop and so prove that it turns. */
#ifndef WEIR_WATCH_MANAGER_H
#define WEIR_WATCH_MANAGER_H

#include "event.h"
#include "view.h"

struct manager;

struct manager *manager_open(struct watch_supervisor *supervisor);
/* NULL is allowed. */
void manager_close(struct manager *manager);
void manager_emit(struct manager *manager, const struct watch_event *event);
/* A reload has begun; an event tells its end. */
void manager_reloading(struct manager *manager);

#endif
