/* All that can be seen of a supervisor, as the document /status.json. */
#ifndef WEIR_WATCH_STATUS_JSON_H
#define WEIR_WATCH_STATUS_JSON_H

#include <jansson.h>

#include "outlets.h"
#include "recent.h"
#include "view.h"

/* `recent` and `outlets` may be NULL: their members are left out.  To
 * json_decref(). */
json_t *watch_status_json(const struct watch_view *view,
                          const struct watch_recent *recent,
                          const struct watch_outlets *outlets);

#endif
