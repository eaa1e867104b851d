/* A command's own section of the settings: one table of its keys gives type,
 * range and default, fills the command's struct, and lets `weir config` show
 * the values and where they came from. */
#ifndef WEIR_CLI_SECTION_H
#define WEIR_CLI_SECTION_H

#include "cli.h"

enum section_kind {
    SECTION_FLAG,    /* bool */
    SECTION_INTEGER, /* long */
    SECTION_NUMBER,  /* double */
    SECTION_SECONDS, /* double */
    SECTION_TEXT,    /* const char *, lent by the settings; NULL: none */
    SECTION_CHOICE,  /* int: place in `choices` */
    SECTION_NODE, /* const weir_node *, for the command to read; NULL: none */
};

struct section_key {
    const char *name; /* NULL ends a table */
    enum section_kind kind;
    size_t offset;   /* in the command's struct */
    double min, max; /* numbers: both allowed; max 0: no bound above */
    bool above_min;  /* numbers: min itself is refused */
    bool is_secret;  /* its value is not shown */
    const char *const *choices; /* CHOICE: NULL-terminated */
    double usual;               /* default: a number, 1 for true, a place */
    const char *usual_text;     /* default of a TEXT */
};

struct section {
    const char *name; /* "providers" */
    const struct section_key *keys;
    size_t size; /* of the command's struct */
    /* Judges what the table cannot, once it is filled; NULL: nothing. */
    weir_status (*check)(const void *target, weir_error *err);
};

extern const struct section versions_section; /* versions/versions.c */
/* Sections of all commands; NULL ends it. */
extern const struct section *const cli_sections[];

/* Fills `target` with defaults and with what the mapping says; null counts as
 * not said.  `node` may be NULL.  Unknown keys, wrong types and values out of
 * range are errors. */
weir_status section_read(const weir_node *node, const struct section_key *keys,
                         void *target, weir_error *err);
/* The same for a section of the settings.  false: it has complained. */
bool section_load(const weir_settings *settings, const struct section *section,
                  void *target);
/* What YAML reads back as the value of a key; NULL for a NODE.  To free. */
char *section_print(const struct section_key *key, const void *target);
/* Text as YAML reads it back: plain where it can be, else in quotes.  To
 * free. */
char *section_quote(const char *text);

#endif
