/* Versions of Python packages, one a line, three at most, and the same lines as
 * those of a requirements file.  A normal form means the same as what it was
 * made from, and the order is one: nothing is above what is above it. */
#include "fuzz.h"

#include "cli.h"
#include "versions/pep440.h"
#include "versions/requirement.h"

#ifdef WITHOUT_COMMAND
/* All that these parts want of the rest of the command. */
void *cli_alloc(size_t size)
{
    void *memory = malloc(size);

    CHECK(memory != NULL);
    return memory;
}
#endif

enum {
    VERSIONS_MAX = 3
};

static void check_normal_form(const struct pep440 *version)
{
    char normal[PEP440_NORMAL_MAX];
    char again[PEP440_NORMAL_MAX];
    struct pep440 same;

    memset(normal, 'x', sizeof normal);
    pep440_normalise(version, normal);
    CHECK(memchr(normal, '\0', sizeof normal));
    fuzz_check_message(normal);
    if (!pep440_parse(normal, strlen(normal), &same)) {
        CHECK(strlen(normal) > PEP440_MAX);
        return;
    }
    CHECK(pep440_compare(version, &same) == 0);
    CHECK(pep440_is_prerelease(version) == pep440_is_prerelease(&same));
    pep440_normalise(&same, again);
    CHECK(strcmp(normal, again) == 0);
}

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static void check_order(const struct pep440 *versions, unsigned count)
{
    for (unsigned a = 0; a < count; a++) {
        CHECK(pep440_compare(&versions[a], &versions[a]) == 0);
        for (unsigned b = 0; b < count; b++) {
            const int order = pep440_compare(&versions[a], &versions[b]);

            CHECK(sign(order) ==
                  -sign(pep440_compare(&versions[b], &versions[a])));
            for (unsigned c = 0; c < count; c++) {
                if (order <= 0 &&
                    pep440_compare(&versions[b], &versions[c]) <= 0)
                    CHECK(pep440_compare(&versions[a], &versions[c]) <= 0);
            }
        }
    }
}

/* What is found lies in the line; what is wrong says why. */
static void check_requirement(struct fuzz_input input)
{
    struct requirement_line found;
    char *line = fuzz_text(input);
    const char *end = line + strlen(line);

    memset(&found, 0, sizeof found);
    requirement_read(line, &found);
    if (found.kind == REQUIREMENT_NAME || found.kind == REQUIREMENT_INCLUDE)
        CHECK(found.text >= line && found.len > 0 &&
              found.len <= (size_t)(end - found.text));
    if (found.kind == REQUIREMENT_NAME && found.pin)
        CHECK(found.pin >= line && found.pin_len <= (size_t)(end - found.pin));
    if (found.kind == REQUIREMENT_WRONG)
        fuzz_check_message(found.why);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pep440 versions[VERSIONS_MAX];
    struct fuzz_input input = {data, size};
    unsigned count = 0;

    if (size > 2048)
        return -1;
    for (int n = 0; n < VERSIONS_MAX && input.len > 0; n++) {
        const struct fuzz_input line = fuzz_until(&input, '\n');
        char *text = fuzz_copy(line);

        if (pep440_parse(text, line.len, &versions[count]))
            check_normal_form(&versions[count++]);
        free(text);
        check_requirement(line);
    }
    check_order(versions, count);
    return 0;
}
