/* What each kind of provider is asked, and how it lists its models. */
#include <stdlib.h>
#include <string.h>

#include "providers.h"

enum {
    MODELS_MAX = 10000,
    NAME_MAX_LEN = 256
};

const char *const provider_kinds[] = {[KIND_OLLAMA] = "ollama",
                                      [KIND_LLAMA_SERVER] = "llama_server",
                                      [KIND_OPENAI] = "openai",
                                      NULL};

static const struct kind kinds[] = {
    [KIND_OLLAMA] = {.usual_url = "http://localhost:11434",
                     .paths = {"/", "/api/tags"},
                     .list = "models",
                     .name = "name"},
    [KIND_LLAMA_SERVER] = {.usual_url = "http://localhost:8080",
                           .paths = {"/health", "/v1/models"},
                           .list = "data",
                           .name = "id"},
    [KIND_OPENAI] = {.usual_url = "https://api.openai.com",
                     .needs_key = true,
                     .paths = {"/v1/models", NULL},
                     .list = "data",
                     .name = "id"},
};

const struct kind *provider_kind_of(const struct provider *provider)
{
    return &kinds[provider->kind];
}

char *provider_kind_url(const struct provider *provider, size_t step)
{
    static const char version[] = "/v1";
    const char *base = provider->base_url;
    const char *path = provider_kind_of(provider)->paths[step];
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/')
        len--;
    /* Many are known by an address that ends in the version. */
    if (provider->kind != KIND_OLLAMA && len > strlen(version) &&
        memcmp(base + len - strlen(version), version, strlen(version)) == 0)
        len -= strlen(version);
    return cli_format("%.*s%s", (int)len, base, path);
}

void names_free(struct names *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->list[i]);
    free(texts->list);
    *texts = (struct names){0};
}

static bool is_name(const json_t *name)
{
    return json_is_string(name) && json_string_length(name) > 0 &&
           json_string_length(name) <= NAME_MAX_LEN;
}

static char *take_models(const struct kind *kind, const json_t *list,
                         struct names *models)
{
    const size_t count = json_array_size(list);

    if (count > MODELS_MAX)
        return cli_format("more than %d models", MODELS_MAX);
    models->list = cli_alloc((count + 1) * sizeof *models->list);
    for (size_t i = 0; i < count; i++) {
        const json_t *name =
            json_object_get(json_array_get(list, i), kind->name);

        if (!is_name(name))
            return cli_format("%s[%zu].%s is no name of a model", kind->list, i,
                              kind->name);
        models->list[models->count++] = cli_copy(json_string_value(name));
    }
    return NULL;
}

/* The library's own words may repeat the answer, which is not shown. */
char *provider_kind_read_models(const struct kind *kind, weir_slice body,
                                struct names *models)
{
    json_error_t where;
    json_t *root = json_loadb(body.len ? body.data : "", body.len, 0, &where);
    const json_t *list = json_object_get(root, kind->list);
    char *problem;

    if (!root)
        problem =
            cli_format("no JSON: line %d, column %d", where.line, where.column);
    else if (!json_is_array(list))
        problem = cli_format("JSON without a list \"%s\"", kind->list);
    else
        problem = take_models(kind, list, models);
    json_decref(root);
    if (problem)
        names_free(models);
    return problem;
}
