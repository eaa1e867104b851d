/* Which of many names was meant by a word that is none of them. */
#ifndef WR_SETTINGS_GUESS_H
#define WR_SETTINGS_GUESS_H

#include <stddef.h>

/* Longest word and name that are compared. */
enum {
    WR_GUESS_NAME_MAX = 40
};

struct wr_guess {
    const char *word; /* borrowed */
    size_t len;
    size_t least;      /* a name that was meant is nearer than so */
    const char *meant; /* the nearest name so far, borrowed; NULL: none */
};

void wr_guess_begin(struct wr_guess *guess, const char *word, size_t len);
/* Of names that are equally near the first one counts. */
void wr_guess_try(struct wr_guess *guess, const char *name);

#endif
