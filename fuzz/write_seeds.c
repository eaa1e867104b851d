/* Writes every case of the corpus of responses to a file of its own, in the
 * form that fuzz_response takes: a byte of flags, a byte that chooses the
 * splits, the bytes of the response. */
#include <stdio.h>

#include "corpus.h"
#include "response_flags.h"

static bool write_case(const struct corpus_case *one, const char *folder,
                       size_t number)
{
    const unsigned char first[] = {
        (unsigned char)((one->head ? RESPONSE_HEAD : 0) |
                        (one->strict ? RESPONSE_STRICT : 0) |
                        (one->cut ? RESPONSE_CUT : 0) |
                        (one->status_line || one->section || one->field_limit
                             ? RESPONSE_NARROW
                             : 0)),
        (unsigned char)number};
    char path[4096];
    FILE *file;
    bool is_written;

    snprintf(path, sizeof path, "%s/%03zu", folder, number);
    file = fopen(path, "wb");
    if (!file)
        return false;
    is_written = fwrite(first, sizeof first, 1, file) == 1 &&
                 fwrite(one->bytes.data ? one->bytes.data : "", 1,
                        one->bytes.len, file) == one->bytes.len;
    return fclose(file) == 0 && is_written;
}

int main(int argc, char **argv)
{
    struct corpus corpus;
    bool is_good = true;

    if (argc != 3) {
        fputs("usage: write_seeds CORPUS FOLDER\n", stderr);
        return 2;
    }
    if (!corpus_load(&corpus, argv[1]))
        return 1;
    for (size_t i = 0; i < corpus.count; i++)
        is_good = write_case(&corpus.cases[i], argv[2], i) && is_good;
    if (!is_good)
        perror(argv[2]);
    corpus_free(&corpus);
    return is_good ? 0 : 1;
}
