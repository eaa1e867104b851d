/* weir fetch: what to fetch, from the command line or from --input. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"

/* --- reading files ------------------------------------------------------- */

enum {
    READ_STEP = 65536
};

static void *grow(void *bytes, size_t wanted)
{
    void *larger = realloc(bytes, wanted);

    if (!larger) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    return larger;
}

/* A whole file, "-" for standard input.  NULL: it has complained. */
static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *bytes = NULL;
    size_t len = 0;
    size_t got;

    do {
        bytes = grow(bytes, len + READ_STEP + 1);
        got = file ? fread(bytes + len, 1, READ_STEP, file) : 0;
        len += got;
    } while (got > 0);
    bytes[len] = '\0';
    if (!file || ferror(file)) {
        cli_complain("read %s: %s", path, strerror(errno));
        free(bytes);
        bytes = NULL;
    }
    if (file && file != stdin)
        fclose(file);
    *ret_len = len;
    return bytes;
}

static struct job *add_job(struct jobs *jobs)
{
    jobs->list = grow(jobs->list, (jobs->count + 1) * sizeof *jobs->list);
    jobs->list[jobs->count] = (struct job){0};
    return &jobs->list[jobs->count++];
}

/* --- the command line ---------------------------------------------------- */

/* The body that -d or --json ask for, the same for all jobs. */
struct common_body {
    bool is_there;
    const char *file; /* streamed from there, or NULL */
    char *bytes;
    size_t len;
};

static bool append_data(struct common_body *body, const char *data)
{
    char *from_file = NULL;
    size_t len = strlen(data);
    char *joined;

    if (data[0] == '@') {
        from_file = read_file(data + 1, &len);
        if (!from_file)
            return false;
        data = from_file;
    }
    joined = cli_alloc(body->len + len + 2);
    if (body->bytes) {
        memcpy(joined, body->bytes, body->len);
        joined[body->len++] = '&';
    }
    memcpy(joined + body->len, data, len);
    body->len += len;
    free(body->bytes);
    free(from_file);
    body->bytes = joined;
    return true;
}

/* A single @FILE need not be read whole. */
static const char *streamed_file(const char *data)
{
    return data[0] == '@' && strcmp(data, "@-") != 0 ? data + 1 : NULL;
}

static bool make_body(const struct fetch_options *options,
                      struct common_body *body)
{
    body->is_there = options->json || options->data.count > 0;
    if (options->json)
        body->file = streamed_file(options->json);
    else if (options->data.count == 1)
        body->file = streamed_file(options->data.list[0]);
    if (body->file)
        return true;
    if (options->json)
        return append_data(body, options->json);
    for (size_t i = 0; i < options->data.count; i++) {
        if (!append_data(body, options->data.list[i]))
            return false;
    }
    return true;
}

static bool has_field(const struct texts *fields, const char *name)
{
    const size_t len = strlen(name);

    for (size_t i = 0; i < fields->count; i++) {
        if (strncasecmp(fields->list[i], name, len) == 0 &&
            fields->list[i][len] == ':')
            return true;
    }
    return false;
}

/* What the options add to a job that does not say so itself. */
static void add_common(const struct fetch_options *options,
                       const struct common_body *body, struct job *job)
{
    for (size_t i = 0; i < options->fields.count; i++)
        texts_add(&job->fields, options->fields.list[i]);
    if (body->is_there && !job->body && !job->body_file) {
        job->body = body->file ? NULL : body->bytes;
        job->body_len = body->len;
        job->body_file = body->file;
        if (!has_field(&job->fields, "content-type"))
            texts_add(&job->fields,
                      options->json
                          ? "Content-Type: application/json"
                          : "Content-Type: application/x-www-form-urlencoded");
        if (options->json && !has_field(&job->fields, "accept"))
            texts_add(&job->fields, "Accept: application/json");
    }
    if (!has_field(&job->fields, "accept"))
        texts_add(&job->fields, "Accept: */*");
    if (!job->method)
        job->method = cli_copy(options->method               ? options->method
                               : options->head               ? "HEAD"
                               : job->body || job->body_file ? "POST"
                                                             : "GET");
}

/* The last part of the URL's path; never a folder or a path.  NULL: it has
 * complained. */
static char *remote_name(const char *url)
{
    const char *path = strstr(url, "://");
    const char *end = url + strcspn(url, "?#");
    const char *name = end;
    char *copy;

    path = path ? path + 3 : url;
    while (name > path && name[-1] != '/')
        name--;
    if (name == path || name == end) {
        cli_complain("-O: %s has no file name; use -o FILE", url);
        return NULL;
    }
    copy = cli_format("%.*s", (int)(end - name), name);
    if (strcmp(copy, ".") == 0 || strcmp(copy, "..") == 0) {
        cli_complain("-O: %s has no file name; use -o FILE", url);
        free(copy);
        return NULL;
    }
    return copy;
}

/* --- --input ------------------------------------------------------------- */

static bool bad_line(const char *input, size_t line, const char *why)
{
    cli_complain("%s:%zu: %s",
                 strcmp(input, "-") == 0 ? "standard input" : input, line, why);
    return false;
}

/* Fields as [[name, value], ...]. */
static bool take_fields(struct job *job, const json_t *fields)
{
    size_t i;
    const json_t *pair;

    if (!fields)
        return true;
    if (!json_is_array(fields))
        return false;
    json_array_foreach(fields, i, pair)
    {
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *value = json_string_value(json_array_get(pair, 1));
        char *text;

        if (!name || !value || json_array_size(pair) != 2)
            return false;
        text = cli_format("%s: %s", name, value);
        texts_add(&job->fields, text);
        free(text);
    }
    return true;
}

static const char *unknown_key(json_t *object)
{
    static const char *const known[] = {"method",    "url", "fields", "body",
                                        "body_file", "id",  NULL};
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        bool is_known = false;

        for (size_t i = 0; known[i]; i++)
            is_known = is_known || strcmp(known[i], key) == 0;
        if (!is_known)
            return key;
    }
    return NULL;
}

/* A text member; *ret stays NULL when it is not there. */
static bool take_member(json_t *object, const char *key, char **ret,
                        size_t *ret_len)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return true;
    if (!json_is_string(value))
        return false;
    *ret_len = json_string_length(value);
    *ret = cli_alloc(*ret_len + 1);
    memcpy(*ret, json_string_value(value), *ret_len);
    return true;
}

static bool take_object(const char *input, size_t line, json_t *object,
                        struct job *job)
{
    const char *unknown = unknown_key(object);
    const json_t *id = json_object_get(object, "id");
    size_t len;
    char why[160];

    if (unknown) {
        snprintf(why, sizeof why,
                 "unknown key \"%.64s\", expected method, url, fields, body, "
                 "body_file or id",
                 unknown);
        return bad_line(input, line, why);
    }
    if (!take_member(object, "method", &job->method, &len) ||
        !take_member(object, "url", &job->url, &len) ||
        !take_member(object, "body", &job->own_body, &job->body_len) ||
        !take_member(object, "body_file", &job->own_body_file, &len))
        return bad_line(input, line,
                        "method, url, body and body_file must be strings");
    job->body = job->own_body;
    job->body_file = job->own_body_file;
    if (!job->url)
        return bad_line(input, line, "no \"url\"");
    if (job->body && job->body_file)
        return bad_line(input, line, "body and body_file exclude each other");
    if (!take_fields(job, json_object_get(object, "fields")))
        return bad_line(input, line,
                        "fields must be a list of [name, value] pairs of "
                        "strings");
    if (id)
        job->id = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
    return true;
}

static bool take_line(const char *input, size_t line, char *text,
                      struct jobs *jobs)
{
    json_error_t err;
    json_t *object;
    bool is_good;
    char why[JSON_ERROR_TEXT_LENGTH + 64];

    text += strspn(text, " \t");
    text[strcspn(text, "\r\n")] = '\0';
    if (*text == '\0' || *text == '#')
        return true;
    if (*text != '{') {
        add_job(jobs)->url = cli_copy(text);
        return true;
    }
    object = json_loads(text, 0, &err);
    if (!object) {
        snprintf(why, sizeof why, "column %d: %s", err.column, err.text);
        return bad_line(input, line, why);
    }
    is_good = take_object(input, line, object, add_job(jobs));
    json_decref(object);
    return is_good;
}

static bool read_input(const char *input, struct jobs *jobs)
{
    size_t len;
    char *text = read_file(input, &len);
    size_t line = 1;
    bool is_good = true;

    if (!text)
        return false;
    if (memchr(text, '\0', len))
        is_good = bad_line(input, 1, "holds a NUL byte");
    for (char *at = text; is_good && *at; line++) {
        char *end = at + strcspn(at, "\n");
        const bool is_last = *end == '\0';

        *end = '\0';
        is_good = take_line(input, line, at, jobs);
        at = is_last ? end : end + 1;
    }
    free(text);
    return is_good;
}

/* The token of --bearer; from a file its last line end does not count. */
static bool read_token(const struct fetch_options *options, struct jobs *jobs)
{
    size_t len;

    if (!options->bearer)
        return true;
    if (options->bearer[0] != '@') {
        jobs->token = cli_copy(options->bearer);
        return true;
    }
    jobs->token = read_file(options->bearer + 1, &len);
    if (!jobs->token)
        return false;
    while (len &&
           (jobs->token[len - 1] == '\n' || jobs->token[len - 1] == '\r'))
        jobs->token[--len] = '\0';
    return true;
}

/* --- both ---------------------------------------------------------------- */

bool fetch_make_jobs(const struct fetch_options *options, struct jobs *jobs)
{
    struct common_body body = {0};
    const bool is_made = make_body(options, &body);

    jobs->common_body = body.bytes;
    if (!is_made || !read_token(options, jobs))
        return false;
    for (size_t i = 0; i < options->urls.count; i++) {
        struct job *job = add_job(jobs);

        job->url = cli_copy(options->urls.list[i]);
        if (i < options->outputs.count)
            job->output = cli_copy(options->outputs.list[i]);
    }
    if (options->input && !read_input(options->input, jobs))
        return false;
    for (size_t i = 0; i < jobs->count; i++) {
        add_common(options, &body, &jobs->list[i]);
        jobs->list[i].token = jobs->token;
        if (options->remote_name &&
            !(jobs->list[i].output = remote_name(jobs->list[i].url)))
            return false;
    }
    return true;
}

void fetch_free_jobs(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = &jobs->list[i];

        free(job->method);
        free(job->url);
        free(job->id);
        free(job->output);
        free(job->own_body);
        free(job->own_body_file);
        texts_free(&job->fields);
    }
    free(jobs->list);
    free(jobs->common_body);
    free(jobs->token);
}
