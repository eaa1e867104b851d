/* libfyaml (0.7.12) has two ways to the text of a token.  fy_token_get_text()
 * leaks memory for a quoted scalar of more than a few escapes.  An iterator
 * does not, but both repeat quotes that follow one another in single quotes:
 * such a text has not the length that the library tells, so it is refused.  And
 * both take stack and time without bound for a block scalar of very many lines,
 * hence the look at the size before all. */
#include "settings/yaml_text.h"

#ifdef WEIR_HAVE_YAML

#include <stdint.h>
#include <string.h>

#include <libfyaml.h>

static bool is_long(struct fy_token *token)
{
    const struct fy_mark *start = fy_token_start_mark(token);
    const struct fy_mark *end = fy_token_end_mark(token);

    return start && end &&
           (end->input_pos - start->input_pos > WR_TEXT_MAX ||
            end->line - start->line > WR_LINES_MAX);
}

/* Copies what an iterator goes through, as far as there is room.  *ret_len is
 * SIZE_MAX when it gives up.  false: out of memory. */
static bool copy_chunks(struct fy_token *token, char *text, size_t *ret_len)
{
    struct fy_token_iter *iter = fy_token_iter_create(token);
    const struct fy_iter_chunk *chunk = NULL;
    size_t len = 0;
    int failed = 0;

    if (!iter)
        return false;
    while ((chunk = fy_token_iter_chunk_next(iter, chunk, &failed)) &&
           chunk->len <= WR_TEXT_MAX - len) {
        if (chunk->len)
            memcpy(text + len, chunk->str, chunk->len);
        len += chunk->len;
    }
    fy_token_iter_destroy(iter);
    *ret_len = failed ? SIZE_MAX : len;
    return true;
}

bool wr_yaml_text(struct fy_token *token, char text[WR_TEXT_MAX],
                  size_t *ret_len, const char **ret_oddity)
{
    size_t len;

    if (is_long(token)) {
        *ret_oddity = "more than 4096 bytes or 100 lines";
        return true;
    }
    if (!copy_chunks(token, text, &len))
        return false;
    if (len == fy_token_get_text_length(token))
        *ret_len = len;
    else
        *ret_oddity = "a text that the YAML library cannot read";
    return true;
}

#else

bool wr_yaml_text(struct fy_token *token, char text[WR_TEXT_MAX],
                  size_t *ret_len, const char **ret_oddity)
{
    (void)token;
    (void)text;
    (void)ret_len;
    (void)ret_oddity;
    return false;
}

#endif
