/* What the section `watch` of the settings says, checked and copied: it lives
 * on when the settings it came from are gone, for a service that a reload does
 * not change keeps its own. */
#ifndef WEIR_WATCH_SETTINGS_H
#define WEIR_WATCH_SETTINGS_H

#include "../section.h"
#include "logs.h"
#include "machine.h"

/* The section's keys at the top. */
struct watch_keys {
    const char *control; /* path of the control socket */
    const char *state;   /* folder */
    const char *logs;    /* folder */
    const weir_node *services;
    const weir_node *page; /* the face's, which reads what is in them */
    const weir_node *events;
};

extern const struct section watch_section;

struct watch_status_range {
    int from;
    int to;
};

enum {
    WATCH_MAX_RANGES = 16,
    WATCH_MAX_SERVICES = 1000
};

struct watch_service_settings {
    char *name;
    char **argv;        /* NULL at the end, as all of these lists */
    char **environment; /* "KEY=VALUE" */
    char **after;       /* names */
    char *folder;       /* NULL: none, as all of these texts */
    char *user;
    char *health;
    double health_timeout;
    struct watch_status_range accept[WATCH_MAX_RANGES];
    size_t accept_count;
    bool is_pooled;    /* its checks may share a connection */
    bool is_detached;  /* it may outlive the supervisor */
    bool is_automatic; /* it starts with the supervisor */
    struct watch_rules rules;
    struct watch_log_rules log;
    char *fingerprint; /* equal ones: nothing has changed */
};

struct watch_settings {
    char *control;
    char *state;
    char *logs;
    struct watch_service_settings **services; /* in the order of the file */
    size_t count;
};

/* NULL: *err says why. */
struct watch_settings *watch_settings_read(const weir_settings *settings,
                                           weir_error *err);
void watch_settings_free(struct watch_settings *settings);
void watch_service_settings_free(struct watch_service_settings *service);

/* Path of the control socket alone, for those who only want to speak to a
 * supervisor; to free.  NULL: it has complained. */
char *watch_settings_control(const weir_settings *settings);

/* Likewise the folder of the state. */
char *watch_settings_state(const weir_settings *settings);

bool watch_service_accepts(const struct watch_service_settings *service,
                           int status);

/* A whole service; NULL: *err says why. */
struct watch_service_settings *watch_service_read(const weir_node *node,
                                                  weir_error *err);

#endif
