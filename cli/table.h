/* A table on the terminal: columns as wide as what is in them, colours where
 * they are wanted, and no byte from elsewhere that could steer the terminal. */
#ifndef WEIR_CLI_TABLE_H
#define WEIR_CLI_TABLE_H

#include <stdio.h>

#include "cli.h"

enum tone {
    TONE_PLAIN,
    TONE_GOOD,
    TONE_WARN,
    TONE_BAD,
    TONE_DIM,
};

struct table;

/* `titles` is NULL-terminated and borrowed; NULL in it none.  A title that
 * begins with '>' stands, without it, over a column set to the right. */
struct table *table_new(const char *const *titles);
/* Appends the next cell; when a row is full, the next one begins. */
__attribute__((format(printf, 3, 4))) void
table_cell(struct table *table, enum tone tone, const char *format, ...);
/* Prints titles and rows; `in_colour` as cli_can_colour() says. */
void table_print(const struct table *table, FILE *out, bool in_colour);
void table_free(struct table *table);

/* A terminal that shows colours, whose user has not set NO_COLOR. */
bool cli_can_colour(FILE *file);
/* Columns that a text takes; what the terminal cannot show counts as one. */
int cli_width(const char *text);
/* A copy in which control characters, and what is not UTF-8, are '?'.  To
 * free. */
char *cli_printable(const char *text, size_t len);

#endif
