/* Import of option structs as an older or newer program might hand them over:
 * any size, any bytes.  What is taken is in range, whole, and imports again as
 * the same; what is refused leaves nothing behind. */
#include "fuzz.h"

#include "base/mem.h"
#include "settings/options.h"
#include "settings/value.h"

enum {
    MOST_BYTES = 4096,
    CHANGES_MAX = 16
};

/* A member that takes any bytes, except where C or the caller's own pointers
 * would be broken by them: a bool is 0 or 1, a text ends. */
static void change_option(const struct wr_option *option, char *bytes,
                          size_t size, struct fuzz_input *input, char **text)
{
    const size_t width = wr_option_width(option->kind);
    char value[sizeof(uint64_t)] = {0};

    if (option->offset + width > size || width > sizeof value)
        return;
    for (size_t i = 0; i < width; i++)
        value[i] = (char)fuzz_byte(input);
    if (option->kind == WR_OPTION_BOOL) {
        value[0] &= 1;
    } else if (option->kind == WR_OPTION_TEXT ||
               option->kind == WR_OPTION_TLS) {
        free(*text);
        *text = fuzz_text(fuzz_until(input, '\n'));
        memcpy(value, text, sizeof *text);
    }
    memcpy(bytes + option->offset, value, width);
}

static const struct wr_option *nth_option(unsigned number)
{
    size_t count = 0;

    while (wr_option_table[count].name)
        count++;
    return &wr_option_table[number % count];
}

/* The caller's struct: `size` bytes and no more. */
static char *make_given(size_t size, struct fuzz_input *input, char **texts)
{
    weir_pool_options defaults;
    char *bytes = calloc(1, size ? size : 1);

    CHECK(bytes != NULL);
    weir_pool_options_init(&defaults);
    memcpy(bytes, &defaults, size < sizeof defaults ? size : sizeof defaults);
    if (size >= sizeof size)
        memcpy(bytes, &size, sizeof size);
    for (unsigned n = 0; n < CHANGES_MAX && input->len > 0; n++) {
        const unsigned what = fuzz_byte(input);

        if (what < 250)
            change_option(nth_option(what), bytes, size, input, &texts[n]);
        else if (size > sizeof defaults) /* a newer one's members */
            bytes[sizeof defaults +
                  fuzz_pair(input) % (size - sizeof defaults)] =
                (char)fuzz_byte(input);
    }
    return bytes;
}

static void check_taken(const weir_pool_options *taken)
{
    weir_pool_options again;
    weir_pool_options copy;
    char *block = NULL;
    weir_error err;

    CHECK(taken->size == sizeof *taken);
    for (const struct wr_option *option = wr_option_table; option->name;
         option++) {
        const struct wr_value value = wr_value_load(option, taken);

        CHECK(wr_value_is_valid(option, &value));
    }
    CHECK(wr_options_import(&again, taken, &err) == WEIR_OK);
    CHECK(wr_options_difference(taken, &again, true) == NULL);
    CHECK(wr_options_copy(&copy, &block, taken) == WEIR_OK);
    CHECK(wr_options_difference(taken, &copy, true) == NULL);
    wr_free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    size_t given_size = fuzz_pair(&input) % MOST_BYTES;
    char *texts[CHANGES_MAX] = {NULL};
    weir_pool_options untouched;
    weir_pool_options taken;
    weir_error err;
    char *given;

    /* Half of all inputs have the size of today. */
    if (given_size >= MOST_BYTES / 2)
        given_size = sizeof taken;
    if (given_size < sizeof given_size)
        given_size = sizeof given_size;
    given = make_given(given_size, &input, texts);
    memset(&taken, 0x5a, sizeof taken);
    memset(&untouched, 0x5a, sizeof untouched);
    if (wr_options_import(&taken, (const weir_pool_options *)(void *)given,
                          &err) == WEIR_OK) {
        check_taken(&taken);
    } else {
        CHECK(err.code == WEIR_E_OPTION);
        CHECK(memcmp(&taken, &untouched, sizeof taken) == 0);
        fuzz_check_message(err.message);
    }
    free(given);
    for (int n = 0; n < CHANGES_MAX; n++)
        free(texts[n]);
    return 0;
}
