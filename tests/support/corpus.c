#include "corpus.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file being read. */
struct reader {
    struct corpus *corpus;
    struct corpus_case *now; /* the case that "## " began, or NULL */
    const char *file;
    char *source; /* of the file's cases */
    unsigned line;
    enum {
        PROSE,
        RESPONSE,
        EXPECT
    } block;
    bool is_good;
};

__attribute__((format(printf, 2, 3))) static void
complain(struct reader *reader, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%u: ", reader->file, reader->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    reader->is_good = false;
}

static void *must(void *memory)
{
    if (!memory) {
        fputs("corpus: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

/* --- bytes -----------------------------------------------------------------
 */

static void append(struct corpus_bytes *bytes, const char *more, size_t len)
{
    bytes->data = must(realloc(bytes->data, bytes->len + len + 1));
    memcpy(bytes->data + bytes->len, more, len);
    bytes->len += len;
    bytes->data[bytes->len] = '\0';
}

static bool unescape(struct reader *reader, struct corpus_bytes *out,
                     const char *text, size_t len, long *marker);

/* "\(20*text)": text, 20 times.  Returns the bytes taken, 0 = wrong. */
static size_t repeat(struct reader *reader, struct corpus_bytes *out,
                     const char *text, size_t len)
{
    const char *close = memchr(text, ')', len);
    char *star = NULL;
    const unsigned long times = close ? strtoul(text + 2, &star, 10) : 0;

    if (!times || *star != '*' || star > close)
        return 0;
    for (unsigned long i = 0; i < times; i++) {
        if (!unescape(reader, out, star + 1, (size_t)(close - star - 1), NULL))
            return 0;
    }
    return (size_t)(close + 1 - text);
}

/* The escape at text[0], a backslash.  Returns its length, 0 = wrong. */
static size_t escape(struct reader *reader, struct corpus_bytes *out,
                     const char *text, size_t len, long *marker)
{
    static const char from[] = "rnt0\\";
    static const char to[] = "\r\n\t\0\\";
    const char *at = len > 1 ? memchr(from, text[1], sizeof from - 1) : NULL;
    unsigned byte;

    if (at) {
        append(out, &to[at - from], 1);
        return 2;
    }
    if (len > 1 && text[1] == '!' && marker) {
        *marker = (long)out->len;
        return 2;
    }
    if (len > 1 && text[1] == '(')
        return repeat(reader, out, text, len);
    if (len > 3 && text[1] == 'x' && sscanf(text + 2, "%2x", &byte) == 1) {
        append(out, &(char){(char)byte}, 1);
        return 4;
    }
    return 0;
}

static bool unescape(struct reader *reader, struct corpus_bytes *out,
                     const char *text, size_t len, long *marker)
{
    append(out, "", 0);
    for (size_t at = 0; at < len;) {
        size_t taken = 1;

        if (text[at] == '\\')
            taken = escape(reader, out, text + at, len - at, marker);
        else
            append(out, text + at, 1);
        if (!taken) {
            complain(reader, "bad escape: %s", text + at);
            return false;
        }
        at += taken;
    }
    return true;
}

/* --- lines -----------------------------------------------------------------
 */

static void begin_case(struct reader *reader, const char *name)
{
    struct corpus *corpus = reader->corpus;

    corpus->cases = must(
        realloc(corpus->cases, (corpus->count + 1) * sizeof *corpus->cases));
    reader->now = &corpus->cases[corpus->count++];
    *reader->now = (struct corpus_case){.file = reader->file,
                                        .line = reader->line,
                                        .source = reader->source,
                                        .name = must(strdup(name)),
                                        .offset = -1,
                                        .reuse = -1,
                                        .keep_alive = -1};
}

/* "# Title (source)", once a file. */
static void take_source(struct reader *reader, const char *line)
{
    const char *open = strrchr(line, '(');
    const char *close = open ? strchr(open, ')') : NULL;

    if (reader->source || !close)
        complain(reader, "no source, or a second one: %s", line);
    else
        reader->source = must(strndup(open + 1, (size_t)(close - open - 1)));
}

/* One word behind "```response". */
static void take_option(struct reader *reader, const char *word)
{
    struct corpus_case *now = reader->now;

    if (strcmp(word, "head") == 0)
        now->head = true;
    else if (strcmp(word, "strict") == 0)
        now->strict = true;
    else if (strcmp(word, "cut") == 0)
        now->cut = true;
    else if (sscanf(word, "status-line=%u", &now->status_line) != 1 &&
             sscanf(word, "section=%u", &now->section) != 1 &&
             sscanf(word, "fields=%u", &now->field_limit) != 1)
        complain(reader, "unknown option: %s", word);
}

static void open_block(struct reader *reader, char *info)
{
    char *rest = NULL;
    const char *kind = strtok_r(info, " ", &rest);

    if (!kind || !reader->now) {
        complain(reader, "a block outside of a case");
        return;
    }
    if (strcmp(kind, "expect") == 0) {
        reader->block = EXPECT;
        return;
    }
    if (strcmp(kind, "response") != 0)
        complain(reader, "unknown block: %s", kind);
    reader->block = RESPONSE;
    for (char *word = strtok_r(NULL, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        take_option(reader, word);
}

static void add_field(struct reader *reader, struct corpus_fields *fields,
                      const char *text)
{
    if (fields->count == CORPUS_LINES_MAX)
        complain(reader, "too many fields");
    else
        unescape(reader, &fields->lines[fields->count++], text, strlen(text),
                 NULL);
}

/* One of a list of words; NULL and a complaint if it is none. */
static const char *choose(struct reader *reader, const char *word,
                          const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(word, *words) == 0)
            return *words;
    }
    complain(reader, "unknown word: %s", word);
    return NULL;
}

static bool take_number(struct corpus_case *now, const char *key,
                        const char *value)
{
    const int number = atoi(value);

    if (strcmp(key, "status") == 0)
        now->status = number;
    else if (strcmp(key, "keep-alive") == 0)
        now->keep_alive = number;
    else if (strcmp(key, "surplus") == 0)
        now->surplus = (size_t)number;
    else if (strcmp(key, "interim") == 0 &&
             now->interim_count < CORPUS_INTERIM_MAX)
        now->interim[now->interim_count++] = number;
    else
        return false;
    return true;
}

/* "key value" */
static void take_expectation(struct reader *reader, const char *key,
                             const char *value)
{
    static const char *const errors[] = {"WEIR_E_PROTOCOL", "WEIR_E_LIMIT",
                                         "WEIR_E_TRUNCATED", NULL};
    static const char *const framings[] = {"none", "length", "chunked", "close",
                                           NULL};
    static const char *const answers[] = {"no", "yes", NULL};
    struct corpus_case *now = reader->now;
    const size_t len = strlen(value);

    if (strcmp(key, "error") == 0)
        now->error = choose(reader, value, errors);
    else if (strcmp(key, "framing") == 0)
        now->framing = choose(reader, value, framings);
    else if (strcmp(key, "reuse") == 0)
        now->reuse = choose(reader, value, answers) == answers[1];
    else if (strcmp(key, "version") == 0)
        now->version = strcmp(value, "1.0") == 0 ? 10 : 11;
    else if (strcmp(key, "reason") == 0)
        unescape(reader, &now->reason, value, len, NULL);
    else if (strcmp(key, "body") == 0)
        unescape(reader, &now->body, value, len, NULL);
    else if (strcmp(key, "field") == 0)
        add_field(reader, &now->fields, value);
    else if (strcmp(key, "trailer") == 0)
        add_field(reader, &now->trailers, value);
    else if (!take_number(now, key, value))
        complain(reader, "unknown expectation: %s", key);
}

static void take_line(struct reader *reader, char *line)
{
    char *space;

    if (strncmp(line, "```", 3) == 0) {
        if (reader->block == PROSE)
            open_block(reader, line + 3);
        else
            reader->block = PROSE;
        return;
    }
    switch (reader->block) {
    case PROSE:
        if (strncmp(line, "## ", 3) == 0)
            begin_case(reader, line + 3);
        else if (strncmp(line, "# ", 2) == 0)
            take_source(reader, line);
        return;
    case RESPONSE:
        unescape(reader, &reader->now->bytes, line, strlen(line),
                 &reader->now->offset);
        return;
    case EXPECT:
        space = strchr(line, ' ');
        if (space)
            *space = '\0';
        take_expectation(reader, line, space ? space + 1 : "");
        return;
    }
}

/* --- files ------------------------------------------------------------------
 */

static bool load_file(struct corpus *corpus, const char *folder,
                      const char *name)
{
    struct reader reader = {.corpus = corpus, .file = name, .is_good = true};
    char path[4096];
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r");
    if (!file) {
        perror(path);
        corpus->file_count++;
        return false;
    }
    while ((len = getline(&line, &cap, file)) >= 0) {
        reader.line++;
        if (len > 0 && line[len - 1] == '\n')
            line[len - 1] = '\0';
        take_line(&reader, line);
    }
    if (reader.block != PROSE)
        complain(&reader, "a block without an end");
    free(line);
    fclose(file);
    corpus->sources[corpus->file_count++] = reader.source;
    return reader.is_good;
}

static int is_case_file(const struct dirent *entry)
{
    const size_t len = strlen(entry->d_name);

    return len > 3 && strcmp(entry->d_name + len - 3, ".md") == 0 &&
           strcmp(entry->d_name, "README.md") != 0;
}

bool corpus_load(struct corpus *corpus, const char *folder)
{
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_case_file, alphasort);
    bool is_good = count > 0;

    *corpus = (struct corpus){0};
    if (count <= 0) {
        perror(folder);
        return false;
    }
    corpus->files = must(calloc((size_t)count, sizeof *corpus->files));
    corpus->sources = must(calloc((size_t)count, sizeof *corpus->sources));
    for (int i = 0; i < count; i++) {
        char *name = must(strdup(entries[i]->d_name));

        corpus->files[corpus->file_count] = name;
        is_good = load_file(corpus, folder, name) && is_good;
        free(entries[i]);
    }
    free(entries);
    return is_good;
}

static void free_fields(struct corpus_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        free(fields->lines[i].data);
}

void corpus_free(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++) {
        struct corpus_case *one = &corpus->cases[i];

        free(one->name);
        free(one->bytes.data);
        free(one->reason.data);
        free(one->body.data);
        free_fields(&one->fields);
        free_fields(&one->trailers);
    }
    for (size_t i = 0; i < corpus->file_count; i++) {
        free(corpus->files[i]);
        free(corpus->sources[i]);
    }
    free(corpus->cases);
    free(corpus->files);
    free(corpus->sources);
    *corpus = (struct corpus){0};
}
