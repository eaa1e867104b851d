/* A way in for test_pep440_oracle.py: reads lines of two versions with a tab
 * between them, and prints for each line "invalid", or the order of the two
 * (-1, 0 or 1), their normal forms, and whether each is a pre-release. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "versions/pep440.h"

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t got;

    while ((got = getline(&line, &size, stdin)) > 0) {
        const size_t len = (size_t)got - (line[got - 1] == '\n');
        const char *tab = memchr(line, '\t', len);
        const size_t at = tab ? (size_t)(tab - line) : 0;
        struct pep440 a;
        struct pep440 b;
        char normal_a[PEP440_NORMAL_MAX];
        char normal_b[PEP440_NORMAL_MAX];
        int order;

        if (!tab || !pep440_parse(line, at, &a) ||
            !pep440_parse(tab + 1, len - at - 1, &b)) {
            puts("invalid");
            continue;
        }
        order = pep440_compare(&a, &b);
        pep440_normalise(&a, normal_a);
        pep440_normalise(&b, normal_b);
        printf("%d %s %s %d %d\n", (order > 0) - (order < 0), normal_a,
               normal_b, pep440_is_prerelease(&a), pep440_is_prerelease(&b));
    }
    free(line);
    return 0;
}
