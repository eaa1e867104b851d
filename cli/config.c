/* weir config: every effective setting and the layer it came from. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "section.h"

static const char help[] =
    "usage: weir config [--json]\n\n"
    "Shows every effective setting and the layer it came from: 'default', a\n"
    "file with line and column, or 'environment'.\n\n"
    "  --config FILE  a file on top of all layers\n"
    "  --json         one JSON object: {section: {key: {value, layer, line,\n"
    "                 column}}}; value is null for a mapping or sequence\n\n"
    "Exit codes: 0 shown, 2 bad usage or settings.\n";

/* One value, with where it came from. */
struct row {
    const char *section;
    const char *key;
    char *value;      /* NULL: a mapping or sequence */
    const char *kind; /* which; NULL: neither is there */
    const char *layer;
    unsigned line;
    unsigned column;
};

struct rows {
    struct row *list;
    size_t count;
    size_t room;
};

static void add_row(struct rows *rows, struct row row)
{
    if (rows->count == rows->room) {
        const size_t room = rows->room ? 2 * rows->room : 128;
        struct row *grown = cli_alloc(room * sizeof *grown);

        if (rows->count)
            memcpy(grown, rows->list, rows->count * sizeof *grown);
        free(rows->list);
        rows->list = grown;
        rows->room = room;
    }
    rows->list[rows->count++] = row;
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->list[i].value);
    free(rows->list);
}

static void add_pool(struct rows *rows, const weir_settings *settings)
{
    for (size_t i = 0; i < weir_settings_count(settings); i++) {
        const weir_setting setting = weir_settings_at(settings, i);

        add_row(rows, (struct row){.section = setting.section,
                                   .key = setting.key,
                                   .value = cli_copy(setting.value),
                                   .layer = setting.layer,
                                   .line = setting.line,
                                   .column = setting.column});
    }
}

static void add_key(struct rows *rows, const weir_settings *settings,
                    const struct section *section,
                    const struct section_key *key, const void *values)
{
    const weir_node *node = weir_node_find(
        weir_settings_section(settings, section->name), key->name);
    struct row row = {.section = section->name,
                      .key = key->name,
                      .value = section_print(key, values),
                      .layer = "default"};

    if (node && !weir_node_is_null(node)) {
        row.kind = weir_node_get_kind(node) == WEIR_NODE_MAPPING ? "mapping"
                                                                 : "sequence";
        row.layer = weir_node_layer(node);
        row.line = weir_node_line(node);
        row.column = weir_node_column(node);
    }
    add_row(rows, row);
}

/* false: it has complained. */
static bool add_section(struct rows *rows, const weir_settings *settings,
                        const struct section *section)
{
    void *values = cli_alloc(section->size);
    const bool is_good = section_load(settings, section, values);

    for (const struct section_key *key = section->keys; is_good && key->name;
         key++)
        add_key(rows, settings, section, key, values);
    free(values);
    return is_good;
}

/* What could be read back, and what is too large for a line as a comment. */
static void print_row(const struct row *row, int key_width, int value_width)
{
    if (row->value)
        printf("  %s:%*s %-*s  # %s", row->key,
               key_width - (int)strlen(row->key), "", value_width, row->value,
               row->layer);
    else if (row->kind)
        printf("  # %s: a %s, %s", row->key, row->kind, row->layer);
    else
        printf("  # %s: none", row->key);
    if (row->line)
        printf(":%u:%u", row->line, row->column);
    putchar('\n');
}

static void print_table(const struct rows *rows)
{
    const char *section = "";
    int key_width = 0;
    int value_width = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->list[i];
        const int key_len = (int)strlen(row->key);
        const int value_len = row->value ? (int)strlen(row->value) : 0;

        key_width = key_len > key_width ? key_len : key_width;
        value_width = value_len > value_width ? value_len : value_width;
    }
    for (size_t i = 0; i < rows->count; i++) {
        if (strcmp(section, rows->list[i].section) != 0)
            printf("%s:\n", rows->list[i].section);
        section = rows->list[i].section;
        print_row(&rows->list[i], key_width, value_width);
    }
}

static json_t *row_json(const struct row *row)
{
    json_t *object = json_pack("{s:s?, s:s, s:i, s:i}", "value", row->value,
                               "layer", row->layer, "line", (int)row->line,
                               "column", (int)row->column);

    if (!row->value)
        json_object_set_new(object, "kind",
                            json_string(row->kind ? row->kind : "none"));
    return object;
}

static void print_json(const struct rows *rows)
{
    json_t *root = json_object();

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->list[i];
        json_t *section = json_object_get(root, row->section);

        if (!section) {
            section = json_object();
            json_object_set_new(root, row->section, section);
        }
        json_object_set_new(section, row->key, row_json(row));
    }
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
}

static int show(const weir_settings *settings, bool as_json)
{
    struct rows rows = {0};
    int status = EXIT_ALL;

    add_pool(&rows, settings);
    for (size_t i = 0; cli_sections[i] && status == EXIT_ALL; i++)
        status = add_section(&rows, settings, cli_sections[i]) ? EXIT_ALL
                                                               : EXIT_USAGE;
    if (status == EXIT_ALL && as_json)
        print_json(&rows);
    else if (status == EXIT_ALL)
        print_table(&rows);
    free_rows(&rows);
    if (status == EXIT_ALL && (ferror(stdout) || fflush(stdout)))
        status = EXIT_SOME_FAILED;
    return status;
}

int cli_config(int argc, char **argv, const char *config)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    bool as_json = false;
    weir_settings *settings;
    int option;
    int status;

    optind = 1;
    while ((option = cli_option("config", argc, argv, ":h", options)) != -1) {
        switch (option) {
        case 'c':
            config = optarg;
            break;
        case 'j':
            as_json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_ALL;
        default:
            return EXIT_USAGE;
        }
    }
    if (optind < argc)
        return cli_usage_error("config", "unexpected argument '%s'",
                               argv[optind]);
    settings = cli_load_settings(config);
    if (!settings)
        return EXIT_USAGE;
    status = show(settings, as_json);
    weir_settings_free(settings);
    return status;
}
