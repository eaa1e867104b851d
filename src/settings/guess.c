#include "settings/guess.h"

#include <string.h>

#include <weir/node.h>

#include "base/slice.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, drop, change or swap between two words: the optimal string
 * alignment distance, with the last three rows of its table. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WR_GUESS_NAME_MAX + 1];

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *higher = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            const bool same = wr_lower(a[i - 1]) == wr_lower(b[j - 1]);

            row[j] = smaller(smaller(above[j], row[j - 1]) + 1,
                             above[j - 1] + !same);
            if (i > 1 && j > 1 && wr_lower(a[i - 1]) == wr_lower(b[j - 2]) &&
                wr_lower(a[i - 2]) == wr_lower(b[j - 1]))
                row[j] = smaller(row[j], higher[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

/* The most letters that a slip of the fingers gets wrong: a third of the longer
 * word, but three at the most and one at the least. */
static size_t slip(size_t a_len, size_t b_len)
{
    const size_t third = (a_len > b_len ? a_len : b_len) / 3;

    return third < 1 ? 1 : smaller(third, 3);
}

void wr_guess_begin(struct wr_guess *guess, const char *word, size_t len)
{
    guess->word = word;
    guess->len = len;
    guess->least = len; /* something must be right */
    guess->meant = NULL;
}

void wr_guess_try(struct wr_guess *guess, const char *name)
{
    const size_t len = strlen(name);
    size_t away;

    if (guess->len > WR_GUESS_NAME_MAX || len > WR_GUESS_NAME_MAX)
        return;
    away = distance(guess->word, guess->len, name, len);
    if (away > slip(guess->len, len) || away >= guess->least)
        return;
    guess->least = away;
    guess->meant = name;
}

const char *weir_suggest(const char *word, const char *const *names)
{
    struct wr_guess guess;

    wr_guess_begin(&guess, word, strlen(word));
    for (; *names; names++)
        wr_guess_try(&guess, *names);
    return guess.meant;
}
