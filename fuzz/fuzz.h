/* What the fuzz targets share: the entry that libFuzzer calls, a check that
 * ends the program, and a reader of the bytes that steer a target.
 *
 * A target takes its bytes from a block of exactly their size, so that the
 * address sanitizer sees a read beyond them.  It says what must hold with
 * CHECK(), which stays on in release builds: each target also runs over its
 * seeds, as an ordinary test (seeds_main.c). */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Always 0: the input is worth keeping.  -1: it is not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                       \
    ((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))

static inline void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: must hold: %s\n", file, line, what);
    abort();
}

/* Bytes that are read from the front; zeros behind their end. */
struct fuzz_input {
    const uint8_t *data;
    size_t len;
};

static inline unsigned fuzz_byte(struct fuzz_input *input)
{
    if (input->len == 0)
        return 0;
    input->len--;
    return *input->data++;
}

static inline unsigned fuzz_pair(struct fuzz_input *input)
{
    const unsigned high = fuzz_byte(input);

    return high << 8 | fuzz_byte(input);
}

/* Bytes before the first `end`, which is passed over; all if there is none. */
static inline struct fuzz_input fuzz_until(struct fuzz_input *input, char end)
{
    const uint8_t *at =
        input->len ? memchr(input->data, end, input->len) : NULL;
    struct fuzz_input part = *input;

    part.len = at ? (size_t)(at - input->data) : input->len;
    input->data += at ? part.len + 1 : part.len;
    input->len -= at ? part.len + 1 : part.len;
    return part;
}

/* A copy of exactly that size; free().  At least one byte is reserved. */
static inline char *fuzz_copy(struct fuzz_input input)
{
    char *copy = malloc(input.len ? input.len : 1);

    CHECK(copy != NULL);
    if (input.len)
        memcpy(copy, input.data, input.len);
    return copy;
}

/* The same with a NUL behind it. */
static inline char *fuzz_text(struct fuzz_input input)
{
    char *copy = malloc(input.len + 1);

    CHECK(copy != NULL);
    if (input.len)
        memcpy(copy, input.data, input.len);
    copy[input.len] = '\0';
    return copy;
}

/* Lengths of pieces, from a seed: 1 to 17 bytes, often short. */
static inline size_t fuzz_piece(uint32_t *seed, size_t left)
{
    size_t len;

    *seed = *seed * 1664525 + 1013904223;
    len = 1 + (*seed >> 28 == 0 ? (*seed >> 16 & 1023) : (*seed >> 16 & 15));
    return len < left ? len : left;
}

/* What an error says can be shown to people, whatever it was made of. */
static inline void fuzz_check_message(const char *message)
{
    CHECK(*message);
    for (; *message; message++)
        CHECK((unsigned char)*message >= ' ' && *message != 0x7f);
}

#endif
