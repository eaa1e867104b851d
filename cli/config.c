/* weir config: every effective setting and the layer it came from. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const char help[] =
    "usage: weir config [--json]\n\n"
    "Shows every effective setting and the layer it came from: 'default', a\n"
    "file with line and column, or 'environment'.\n\n"
    "  --config FILE  a file on top of all layers\n"
    "  --json         one JSON object: {section: {key: {value, layer, line,\n"
    "                 column}}}\n\n"
    "Exit codes: 0 shown, 2 bad usage or settings.\n";

static void print_table(const weir_settings *settings)
{
    const size_t count = weir_settings_count(settings);
    const char *section = "";
    int key_width = 0;
    int value_width = 0;

    for (size_t i = 0; i < count; i++) {
        const weir_setting setting = weir_settings_at(settings, i);
        const int key_len = (int)strlen(setting.key);
        const int value_len = (int)strlen(setting.value);

        key_width = key_len > key_width ? key_len : key_width;
        value_width = value_len > value_width ? value_len : value_width;
    }
    for (size_t i = 0; i < count; i++) {
        const weir_setting setting = weir_settings_at(settings, i);

        if (strcmp(section, setting.section) != 0)
            printf("%s:\n", setting.section);
        section = setting.section;
        printf("  %s:%*s %-*s  # %s", setting.key,
               key_width - (int)strlen(setting.key), "", value_width,
               setting.value, setting.layer);
        if (setting.line)
            printf(":%u:%u", setting.line, setting.column);
        putchar('\n');
    }
}

static void print_json(const weir_settings *settings)
{
    json_t *root = json_object();

    for (size_t i = 0; i < weir_settings_count(settings); i++) {
        const weir_setting setting = weir_settings_at(settings, i);
        json_t *section = json_object_get(root, setting.section);

        if (!section) {
            section = json_object();
            json_object_set_new(root, setting.section, section);
        }
        json_object_set_new(section, setting.key,
                            json_pack("{s:s, s:s, s:i, s:i}", "value",
                                      setting.value, "layer", setting.layer,
                                      "line", (int)setting.line, "column",
                                      (int)setting.column));
    }
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
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

    optind = 1;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
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
            return cli_usage_error("config", "that is not an option");
        }
    }
    if (optind < argc)
        return cli_usage_error("config", "unexpected argument '%s'",
                               argv[optind]);
    settings = cli_load_settings(config);
    if (!settings)
        return EXIT_USAGE;
    if (as_json)
        print_json(settings);
    else
        print_table(settings);
    weir_settings_free(settings);
    return ferror(stdout) || fflush(stdout) ? EXIT_SOME_FAILED : EXIT_ALL;
}
