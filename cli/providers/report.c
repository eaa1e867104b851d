/* What checks have found, for people and for machines. */
#include <stdlib.h>
#include <string.h>

#include "../table.h"
#include "providers.h"

static enum tone tone_of(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_AVAILABLE:
        return TONE_GOOD;
    case OUTCOME_NOT_CONFIGURED:
        return TONE_DIM;
    case OUTCOME_MODEL_MISSING:
    case OUTCOME_LOCAL:
        return TONE_WARN;
    default:
        return TONE_BAD;
    }
}

static void latency_cell(struct table *table, const struct check *check)
{
    if (check->was_asked)
        table_cell(table, TONE_PLAIN, "%.1f ms", check->latency * 1000);
    else
        table_cell(table, TONE_DIM, "-");
}

/* The first few. */
static void models_cell(struct table *table, const struct check *check)
{
    enum {
        SHOWN = 3
    };
    const struct names *models = &check->models;
    char *text = cli_copy(models->count ? "" : "-");

    for (size_t i = 0; i < models->count && i < SHOWN; i++) {
        char *longer =
            cli_format("%s%s%s", text, i ? ", " : "", models->list[i]);

        free(text);
        text = longer;
    }
    if (models->count > SHOWN)
        table_cell(table, TONE_PLAIN, "%s and %zu more", text,
                   models->count - SHOWN);
    else
        table_cell(table, TONE_PLAIN, "%s", text);
    free(text);
}

static void detail_cell(struct table *table, const struct check *check)
{
    const struct provider *provider = check->provider;

    if (check->outcome == OUTCOME_AVAILABLE && provider->default_model &&
        !provider_has_model(check, provider->default_model))
        table_cell(table, TONE_WARN, "its default model %s is not there",
                   provider->default_model);
    else if (check->outcome == OUTCOME_AVAILABLE)
        table_cell(table, TONE_DIM, "%s", provider->base_url);
    else if (check->outcome == OUTCOME_NOT_CONFIGURED && provider->setup_url)
        table_cell(table, TONE_PLAIN, "%s; see %s", check->detail,
                   provider->setup_url);
    else
        table_cell(table, TONE_PLAIN, "%s", check->detail ? check->detail : "");
}

void providers_report_table(const struct check *checks, size_t count)
{
    static const char *const titles[] = {"id",     "name",     "kind",
                                         "state",  ">latency", "cost",
                                         "models", "detail",   NULL};
    struct table *table = table_new(titles);

    for (size_t i = 0; i < count; i++) {
        const struct check *check = &checks[i];
        const struct provider *provider = check->provider;

        table_cell(table, TONE_PLAIN, "%s", provider->id);
        table_cell(table, TONE_PLAIN, "%s", provider->name);
        table_cell(table, TONE_PLAIN, "%s", provider_kinds[provider->kind]);
        table_cell(table, tone_of(check->outcome), "%s",
                   outcome_words(check->outcome));
        latency_cell(table, check);
        table_cell(table, TONE_PLAIN, "%s",
                   provider_costs[provider->cost_tier]);
        models_cell(table, check);
        detail_cell(table, check);
    }
    table_print(table, stdout, cli_can_colour(stdout));
    table_free(table);
}

/* Text from elsewhere that is not UTF-8 becomes so. */
static json_t *text_json(const char *text)
{
    char *clean;
    json_t *json;

    if (!text)
        return json_null();
    json = json_string(text);
    if (json)
        return json;
    clean = cli_printable(text, strlen(text));
    json = json_string(clean);
    free(clean);
    return json;
}

static json_t *check_json(const struct check *check)
{
    const struct provider *provider = check->provider;
    json_t *models = json_array();

    for (size_t i = 0; i < check->models.count; i++)
        json_array_append_new(models, text_json(check->models.list[i]));
    return json_pack(
        "{s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:s, s:b, s:o, s:o, s:o}", "id",
        text_json(provider->id), "name", text_json(provider->name), "kind",
        provider_kinds[provider->kind], "base_url",
        text_json(provider->base_url), "cost_tier",
        provider_costs[provider->cost_tier], "default_model",
        text_json(provider->default_model), "setup_url",
        text_json(provider->setup_url), "state", outcome_name(check->outcome),
        "available", check->outcome == OUTCOME_AVAILABLE, "reason",
        text_json(check->detail), "latency_ms",
        check->was_asked ? json_real(check->latency * 1000) : json_null(),
        "models", models);
}

void providers_report_json(const struct check *checks, size_t count,
                           const struct check *selected, bool is_selection)
{
    json_t *list = json_array();
    json_t *root = json_object();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, check_json(&checks[i]));
    if (is_selection)
        json_object_set_new(root, "selected",
                            selected ? check_json(selected) : json_null());
    json_object_set_new(root, "providers", list);
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(root);
}
