/* From settings to a chain: the providers that weir knows by itself, those of
 * the settings, and their order. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "providers.h"

enum {
    PROVIDERS_MAX = 200,
    ID_MAX_LEN = 64
};

const char *const provider_costs[] = {"free", "low", "medium", "high", NULL};

enum {
    COST_FREE,
    COST_LOW,
    COST_MEDIUM
};

static const struct provider built_in[] = {
    {.id = "ollama",
     .name = "Ollama",
     .kind = KIND_OLLAMA,
     .cost_tier = COST_FREE,
     .setup_url = "https://ollama.com/download"},
    {.id = "llama_server",
     .name = "llama.cpp server",
     .kind = KIND_LLAMA_SERVER,
     .cost_tier = COST_FREE,
     .setup_url = "https://github.com/ggml-org/llama.cpp"},
    {.id = "openai",
     .name = "OpenAI",
     .kind = KIND_OPENAI,
     .cost_tier = COST_MEDIUM,
     .key_env = "OPENAI_API_KEY",
     .setup_url = "https://platform.openai.com/api-keys"},
};

enum {
    BUILT_IN = sizeof built_in / sizeof *built_in
};

/* --- the section ---------------------------------------------------------- */

#define AT(member) offsetof(struct provider_settings, member)

static const struct section_key section_keys[] = {
    {.name = "timeout",
     .kind = SECTION_SECONDS,
     .offset = AT(timeout),
     .max = 3600,
     .above_min = true,
     .usual = 5},
    {.name = "keep_days",
     .kind = SECTION_NUMBER,
     .offset = AT(keep_days),
     .max = 36500,
     .usual = 90},
    {.name = "chain", .kind = SECTION_NODE, .offset = AT(chain)},
    {.name = "known", .kind = SECTION_NODE, .offset = AT(known)},
    {0},
};

static weir_status check_section(const void *target, weir_error *err)
{
    struct chain chain;
    const weir_status status = provider_chain_read(target, &chain, err);

    provider_chain_free(&chain);
    return status;
}

const struct section providers_section = {
    "providers", section_keys, sizeof(struct provider_settings), check_section};

/* --- one provider --------------------------------------------------------- */

/* As written; what is not said is the built-in's or that of the kind. */
struct written {
    const char *name;
    int kind;
    const char *base_url;
    const char *key_env;
    const char *key_file;
    bool needs_key;
    double timeout;
    int cost_tier;
    const char *default_model;
    const char *setup_url;
};

#define IN(member) offsetof(struct written, member)

static const struct section_key written_keys[] = {
    {.name = "name", .kind = SECTION_TEXT, .offset = IN(name)},
    {.name = "kind",
     .kind = SECTION_CHOICE,
     .offset = IN(kind),
     .choices = provider_kinds},
    {.name = "base_url", .kind = SECTION_TEXT, .offset = IN(base_url)},
    {.name = "key_env", .kind = SECTION_TEXT, .offset = IN(key_env)},
    {.name = "key_file", .kind = SECTION_TEXT, .offset = IN(key_file)},
    {.name = "needs_key", .kind = SECTION_FLAG, .offset = IN(needs_key)},
    {.name = "timeout",
     .kind = SECTION_SECONDS,
     .offset = IN(timeout),
     .max = 3600,
     .above_min = true},
    {.name = "cost_tier",
     .kind = SECTION_CHOICE,
     .offset = IN(cost_tier),
     .choices = provider_costs},
    {.name = "default_model",
     .kind = SECTION_TEXT,
     .offset = IN(default_model)},
    {.name = "setup_url", .kind = SECTION_TEXT, .offset = IN(setup_url)},
    {0},
};

/* A key of the provider that says something, or NULL. */
static const weir_node *said(const struct provider *provider, const char *key)
{
    const weir_node *node = weir_node_find(provider->node, key);

    return node && !weir_node_is_null(node) ? node : NULL;
}

static void take_written(struct provider *provider,
                         const struct written *written)
{
    if (written->name)
        provider->name = written->name;
    if (said(provider, "kind"))
        provider->kind = written->kind;
    if (written->base_url)
        provider->base_url = written->base_url;
    if (written->key_env || written->key_file) {
        provider->key_env = written->key_env;
        provider->key_file = written->key_file;
    }
    if (said(provider, "timeout"))
        provider->timeout = written->timeout;
    if (said(provider, "cost_tier"))
        provider->cost_tier = written->cost_tier;
    if (written->default_model)
        provider->default_model = written->default_model;
    if (written->setup_url)
        provider->setup_url = written->setup_url;
}

/* User information and queries may hold secrets, so the message leaves them
 * out. */
static weir_status check_url(const struct provider *provider, weir_error *err)
{
    static const char prefix[] = "invalid URL: ";
    const weir_node *node = said(provider, "base_url");
    weir_request *request = NULL;
    weir_error fault;
    char *url;
    weir_status status;

    if (!node)
        return WEIR_OK;
    if (strpbrk(provider->base_url, "@?#"))
        return weir_node_complain_key(
            node, err, "expected a URL without user, query and fragment");
    url = provider_kind_url(provider, 0);
    status = weir_request_new("GET", url, &request, &fault);
    weir_request_free(request);
    free(url);
    if (status == WEIR_OK)
        return WEIR_OK;
    return weir_node_complain(
        node, err, "a URL (%s)",
        fault.message + (strncmp(fault.message, prefix, sizeof prefix - 1) == 0
                             ? sizeof prefix - 1
                             : 0));
}

static weir_status check_texts(const struct provider *provider, weir_error *err)
{
    static const char *const keys[] = {"name",          "base_url",
                                       "key_env",       "key_file",
                                       "default_model", "setup_url"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const weir_node *node = said(provider, keys[i]);

        if (node && !*weir_node_text(node))
            return weir_node_complain(node, err, "text that is not empty");
    }
    return WEIR_OK;
}

static bool is_variable(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return strchr(letters, *text) && text[strspn(text, allowed)] == '\0';
}

static weir_status check_key(const struct provider *provider, weir_error *err)
{
    const weir_node *node = said(provider, "key_env");

    if (node && said(provider, "key_file"))
        return weir_node_complain_key(said(provider, "key_file"), err,
                                      "expected key_env or key_file, not both");
    /* What is no such name may be the key itself, so it is not shown. */
    if (node && !is_variable(weir_node_text(node)))
        return weir_node_complain_key(node, err,
                                      "expected the name of a variable, in "
                                      "upper case, that holds the key");
    return WEIR_OK;
}

static weir_status read_provider(struct provider *provider, weir_error *err)
{
    struct written written;
    weir_status status =
        section_read(provider->node, written_keys, &written, err);

    if (status == WEIR_OK)
        status = check_texts(provider, err);
    if (status != WEIR_OK)
        return status;
    take_written(provider, &written);
    if (!provider->base_url)
        provider->base_url = provider_kind_of(provider)->usual_url;
    if (!provider->name)
        provider->name = provider->id;
    provider->needs_key = said(provider, "needs_key")
                              ? written.needs_key
                              : provider_kind_of(provider)->needs_key ||
                                    provider->key_env || provider->key_file;
    status = check_url(provider, err);
    return status == WEIR_OK ? check_key(provider, err) : status;
}

/* --- all that are known --------------------------------------------------- */

static struct provider *find(const struct chain *chain, const char *id)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (strcmp(chain->list[i].id, id) == 0)
            return &chain->list[i];
    }
    return NULL;
}

/* "ollama, llama_server, openai"; to free. */
static char *list_ids(const struct chain *chain)
{
    char *list = cli_copy("");

    for (size_t i = 0; i < chain->count; i++) {
        char *longer =
            cli_format("%s%s%s", list, i ? ", " : "", chain->list[i].id);

        free(list);
        list = longer;
    }
    return list;
}

static bool is_id(const char *text)
{
    const size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
            return false;
    }
    return len > 0 && len <= ID_MAX_LEN;
}

/* `node` has an id that is none, or stands twice. */
static weir_status refuse_id(const struct chain *all, const weir_node *node,
                             const char *fault, weir_error *err)
{
    char *known = list_ids(all);
    const weir_status status = weir_node_complain_key(
        node, err, "%s; the known ids are: %s", fault, known);

    free(known);
    return status;
}

/* One entry of `known`. */
static weir_status take_known(struct chain *all, const weir_node *node,
                              double timeout, weir_error *err)
{
    const char *id = weir_node_key(node);
    struct provider *provider = id ? find(all, id) : NULL;

    if (!id || !is_id(id))
        return weir_node_complain_key(node, err,
                                      "expected an id of 1 to %d letters, "
                                      "digits, '-', '_' and '.'",
                                      ID_MAX_LEN);
    if (weir_node_get_kind(node) == WEIR_NODE_UNUSABLE)
        return refuse_id(all, node, "expected each id once, as a mapping", err);
    if (weir_node_get_kind(node) != WEIR_NODE_MAPPING)
        return weir_node_complain(node, err, "a mapping");
    if (!provider && !weir_node_find(node, "kind"))
        return refuse_id(all, node, "unknown id without a kind", err);
    if (!provider && all->count == PROVIDERS_MAX)
        return weir_node_complain_key(
            node, err, "expected at most %d providers", PROVIDERS_MAX);
    if (!provider) {
        provider = &all->list[all->count++];
        *provider = (struct provider){.id = id, .timeout = timeout};
    }
    provider->node = node;
    return WEIR_OK;
}

/* The built-in ones first, then those of the settings as they stand there. */
static weir_status read_all(const struct provider_settings *settings,
                            struct chain *all, weir_error *err)
{
    weir_status status = WEIR_OK;

    all->list = cli_alloc(PROVIDERS_MAX * sizeof *all->list);
    for (; all->count < BUILT_IN; all->count++) {
        all->list[all->count] = built_in[all->count];
        all->list[all->count].timeout = settings->timeout;
    }
    if (settings->known &&
        weir_node_get_kind(settings->known) != WEIR_NODE_MAPPING)
        return weir_node_complain(settings->known, err,
                                  "a mapping of ids to providers");
    for (const weir_node *node = weir_node_first(settings->known);
         node && status == WEIR_OK; node = weir_node_next(node))
        status = take_known(all, node, settings->timeout, err);
    for (size_t i = 0; i < all->count && status == WEIR_OK; i++)
        status = read_provider(&all->list[i], err);
    return status;
}

/* --- the order ------------------------------------------------------------ */

/* Appends a copy.  `node` is where the id stands. */
static weir_status append(struct chain *chain, const struct chain *all,
                          const char *id, const weir_node *node,
                          weir_error *err)
{
    const struct provider *provider = find(all, id);
    const bool is_again = provider && find(chain, id);
    char *known;
    weir_status status;

    if (provider && !is_again) {
        chain->list[chain->count++] = *provider;
        return WEIR_OK;
    }
    known = list_ids(all);
    status = weir_node_complain(node, err, "%s: %s",
                                is_again ? "each id once, the known ones are"
                                         : "one of the known ids",
                                known);
    free(known);
    return status;
}

/* "a, b" in one text, as a variable has it. */
static weir_status append_list(struct chain *chain, const struct chain *all,
                               const weir_node *node, weir_error *err)
{
    char *copy = cli_copy(weir_node_text(node));
    char *rest = NULL;
    weir_status status = WEIR_OK;

    for (char *id = strtok_r(copy, ", \t", &rest); id && status == WEIR_OK;
         id = strtok_r(NULL, ", \t", &rest))
        status = append(chain, all, id, node, err);
    free(copy);
    return status;
}

static weir_status put_in_order(const weir_node *order, struct chain *chain,
                                const struct chain *all, weir_error *err)
{
    const weir_node_kind kind = weir_node_get_kind(order);
    const char *id;
    weir_status status = WEIR_OK;

    chain->list = cli_alloc(all->count * sizeof *chain->list);
    if (kind == WEIR_NODE_SCALAR) {
        status = append_list(chain, all, order, err);
    } else if (kind == WEIR_NODE_SEQUENCE) {
        for (const weir_node *node = weir_node_first(order);
             node && status == WEIR_OK; node = weir_node_next(node)) {
            status = weir_node_string(node, &id, err);
            if (status == WEIR_OK)
                status = append(chain, all, id, node, err);
        }
    } else {
        return weir_node_complain(order, err, "a sequence of ids");
    }
    if (status == WEIR_OK && chain->count == 0)
        return weir_node_complain(order, err, "at least one id");
    return status;
}

weir_status provider_chain_read(const struct provider_settings *settings,
                                struct chain *chain, weir_error *err)
{
    struct chain all = {0};
    weir_status status = read_all(settings, &all, err);

    *chain = (struct chain){0};
    if (status == WEIR_OK && !settings->chain) {
        *chain = all;
        return WEIR_OK;
    }
    if (status == WEIR_OK)
        status = put_in_order(settings->chain, chain, &all, err);
    provider_chain_free(&all);
    if (status != WEIR_OK)
        provider_chain_free(chain);
    return status;
}

static void refuse_word(const struct chain *chain, const char *word,
                        bool is_known)
{
    const char **names = cli_alloc((chain->count + 3) * sizeof *names);
    const char *near;
    char *known = list_ids(chain);

    for (size_t i = 0; i < chain->count; i++)
        names[i] = chain->list[i].id;
    names[chain->count] = "select";
    names[chain->count + 1] = "history";
    near = is_known ? NULL : weir_suggest(word, names);
    if (near)
        cli_usage_error("providers", "unknown id '%s'; did you mean '%s'?",
                        word, near);
    else
        cli_usage_error("providers", "%s '%s'; the known ones: %s",
                        is_known ? "twice the id" : "unknown id", word, known);
    free((void *)names);
    free(known);
}

bool provider_chain_restrict(struct chain *chain, char **ids, int count)
{
    bool *is_wanted = cli_alloc(chain->count * sizeof *is_wanted);
    bool is_good = true;
    size_t kept = 0;

    for (int i = 0; i < count && is_good; i++) {
        const struct provider *provider = find(chain, ids[i]);

        is_good = provider && !is_wanted[provider - chain->list];
        if (is_good)
            is_wanted[provider - chain->list] = true;
        else
            refuse_word(chain, ids[i], provider != NULL);
    }
    for (size_t i = 0; i < chain->count && is_good && count > 0; i++) {
        if (is_wanted[i])
            chain->list[kept++] = chain->list[i];
    }
    if (is_good && count > 0)
        chain->count = kept;
    free(is_wanted);
    return is_good;
}

void provider_chain_free(struct chain *chain)
{
    free(chain->list);
    *chain = (struct chain){0};
}
