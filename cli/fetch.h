/* weir fetch, its parts: options, jobs, transfers, reports. */
#ifndef WEIR_CLI_FETCH_H
#define WEIR_CLI_FETCH_H

#include <stdio.h>

#include "cli.h"
#include "progress.h"

/* A growing list of texts. */
struct texts {
    char **list;
    size_t count;
};
void texts_add(struct texts *texts, const char *text);
void texts_free(struct texts *texts);

/* What the options say; applies to every job. */
struct fetch_options {
    const char *config;
    const char *method; /* NULL: GET, HEAD with -I, POST with a body */
    struct texts fields;
    struct texts data;     /* -d, each as given */
    const char *json;      /* --json, as given */
    struct texts outputs;  /* -o, in order */
    struct texts resolves; /* HOST:PORT:ADDR */
    struct texts urls;
    const char *input; /* --input */
    const char *unix_socket;
    const char *interface;
    bool remote_name; /* -O */
    bool include;     /* -i */
    bool head;        /* -I */
    bool fail;
    bool silent;
    bool verbose;
    bool stats;
    bool report;
    bool no_body;
    bool no_progress;
    long parallel;
    double timeouts[WEIR_TIMEOUT_TOTAL + 1]; /* below 0: the settings' */
    const char *user;                        /* "USER:PASSWORD" */
    const char *bearer;                      /* a token, or "@FILE" */
    struct pool_change *pool_changes;        /* see fetch_pool.h */
    size_t pool_change_count;
    const char *proxy_user; /* "USER:PASSWORD" */
    char *proxy;            /* --proxy with it */
    weir_settings *settings;
    weir_pool_options pool; /* from settings, whose strings it borrows, and
                             * options */
};

/* One request to make. */
struct job {
    char *method;
    char *url;
    char *id;            /* JSON text of the input's "id", or NULL */
    struct texts fields; /* "Name: value" */
    const char *body;    /* NULL: none, or in a file */
    size_t body_len;
    const char *body_file;
    const char *token; /* bearer, or NULL */
    char *output;      /* file, or NULL: standard output */
    char *own_body;    /* what body points to, when it is this job's */
    char *own_body_file;
};

struct jobs {
    struct job *list;
    size_t count;
    char *token;       /* of --bearer */
    char *common_body; /* what the bodies of several jobs point to */
};

/* Parses the command line.  Returns -1 to go on, or an exit code. */
int fetch_parse(int argc, char **argv, struct fetch_options *options);
void fetch_free_options(struct fetch_options *options);
/* Makes the jobs from the URLs or the input.  false: it has complained. */
bool fetch_make_jobs(const struct fetch_options *options, struct jobs *jobs);
void fetch_free_jobs(struct jobs *jobs);

/* How a transfer went. */
struct outcome {
    const weir_call *call;         /* NULL when it never began */
    const weir_response *response; /* NULL when there was none */
    weir_error err;                /* code WEIR_OK: all went well */
    char *body;                    /* with keep_body */
    size_t body_len;               /* bytes received, kept or not */
    double elapsed;
};

/* Where body bytes go. */
struct sink {
    FILE *file;      /* or NULL */
    bool keep_body;  /* collect them in outcome.body */
    bool is_bounded; /* `file` is memory: max_body holds for it too */
    bool failed;     /* the file could not be written; errno says why */
};

/* One job on its way. */
struct transfer {
    const struct fetch_options *options;
    const struct job *job;
    struct sink sink;
    struct outcome outcome;
    double begun;
    /* It has ended: the outcome says how, and its call and response are valid
     * in this one, which comes on the pool's loop. */
    void (*on_end)(struct transfer *transfer);
};

/* Begins a transfer, whose body goes to the sink as it comes.  false: it could
 * not begin, on_end will not come, and the outcome says why. */
bool transfer_begin(struct transfer *transfer, weir_pool *pool);

/* The --report json line for a job; a JSON text without line end, to free. */
char *fetch_report(const struct fetch_options *options, const struct job *job,
                   const struct outcome *outcome);

/* A file that appears under its name only when it is whole. */
struct whole_file {
    FILE *file;
    char *path;
    char *temporary;
};
bool whole_open(struct whole_file *file, const char *path);
/* Keeps it or throws it away.  false: it has complained. */
bool whole_close(struct whole_file *file, bool keep);

#endif
