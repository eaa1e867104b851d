/* `weir watch run`: the supervisor in the foreground. */
#ifndef WEIR_WATCH_RUN_H
#define WEIR_WATCH_RUN_H

#include "face.h"

/* Returns an exit code. */
int watch_run(const char *config, const struct watch_face_options *options);

#endif
