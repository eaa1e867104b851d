/* What the outward face is to be, all of it known and nothing of it opened: the
 * settings with their secrets read, and the command line on top. */
#ifndef WEIR_WATCH_FACE_PLAN_H
#define WEIR_WATCH_FACE_PLAN_H

#include "face.h"
#include "webhook.h"

/* Texts are its own; NULL: not wanted. */
struct face_plan {
    char *listen;
    char *page_token;
    bool has_control;
    char *events;
    char *state; /* folder of the history */
    char *history;
    long history_days;
    struct webhook_options webhook; /* url NULL: none */
};

/* false: `ret_err` says why. */
bool face_plan_make(struct face_plan *plan, const weir_settings *settings,
                    const struct watch_face_options *options,
                    weir_error *ret_err);
void face_plan_done(struct face_plan *plan);

/* Both NULL, or equal. */
bool face_same_text(const char *a, const char *b);
bool face_same_webhook(const struct webhook_options *a,
                       const struct webhook_options *b);

#endif
