/* A fuzz target without libFuzzer: runs it over the seeds in the folders (or
 * files) that it is given, over beginnings of each, and over mutations that are
 * the same on every run. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

enum {
    MOST_BYTES = 1 << 20,
    SEEDS_MAX = 4096,
    ENOUGH = 3000, /* mutations in all, but of each seed ... */
    MUTATIONS_MIN = 10,
    MUTATIONS_MAX = 60,
    PREFIXES = 20, /* of each seed, at most */
};

static unsigned long tried;
static char *paths[SEEDS_MAX];
static unsigned seeds;
static uint32_t seed = 20251128;

static uint32_t next_random(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static void try_input(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    CHECK(copy != NULL);
    if (len)
        memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
    tried++;
}

/* One to four bytes are replaced, dropped or repeated. */
static size_t mutate(uint8_t *bytes, size_t len)
{
    static const char odd[] = "\r\n\0 \t:;,=\"\\/%?#@[]\x7f\xff"
                              "0aA-+.";

    for (unsigned n = 1 + next_random() % 4; n > 0 && len > 0; n--) {
        const size_t at = next_random() % len;

        switch (next_random() % 4) {
        case 0:
            bytes[at] = (uint8_t)odd[next_random() % (sizeof odd - 1)];
            break;
        case 1:
            bytes[at] = (uint8_t)next_random();
            break;
        case 2:
            memmove(bytes + at, bytes + at + 1, len - at - 1);
            len--;
            break;
        default:
            memmove(bytes + at + 1, bytes + at, len - at);
            len++;
            break;
        }
    }
    return len;
}

static unsigned mutations_of_each(void)
{
    const unsigned each = ENOUGH / seeds;

    if (each < MUTATIONS_MIN)
        return MUTATIONS_MIN;
    return each < MUTATIONS_MAX ? each : MUTATIONS_MAX;
}

static void run_seed(const uint8_t *data, size_t len)
{
    const size_t step = 1 + len / PREFIXES;
    uint8_t *copy = malloc(len + 4);

    CHECK(copy != NULL);
    try_input(data, len);
    for (size_t prefix = 0; prefix < len; prefix += step)
        try_input(data, prefix);
    for (unsigned n = mutations_of_each(); n > 0; n--) {
        if (len)
            memcpy(copy, data, len);
        try_input(copy, mutate(copy, len));
    }
    free(copy);
}

static void run_file(const char *path)
{
    static uint8_t bytes[MOST_BYTES];
    FILE *file = fopen(path, "rb");
    size_t len;

    if (!file) {
        perror(path);
        exit(1);
    }
    len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    run_seed(bytes, len);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void add_seed(const char *path)
{
    CHECK(seeds < SEEDS_MAX);
    paths[seeds] = strdup(path);
    CHECK(paths[seeds] != NULL);
    seeds++;
}

static void collect(const char *path)
{
    struct dirent **entries = NULL;
    struct stat status;
    int count;

    if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
        add_seed(path);
        return;
    }
    count = scandir(path, &entries, is_visible, alphasort);
    if (count < 0) {
        perror(path);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        char name[4096];

        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        free(entries[i]);
        collect(name);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        collect(argv[i]);
    for (unsigned i = 0; i < seeds; i++) {
        run_file(paths[i]);
        free(paths[i]);
    }
    printf("# cases seeds %u\n# cases inputs %lu\n", seeds, tried);
    return seeds ? 0 : 1;
}
