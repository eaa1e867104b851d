/* The tools that weir versions knows: the usual ones, as the section `versions`
 * of the settings changes them. */
#include <stdlib.h>
#include <string.h>

#include "package_name.h"
#include "versions.h"

/* The usual tools. */
static const struct {
    const char *name;
    const char *pattern;
} usual[] = {
    {"ruff", NULL},
    {"pyright", NULL},
    {"uv", "^uv ([^ ]+)"}, /* "uv 0.5.1 (ab12cd 2024-11-08)" */
};

/* What the settings say of one tool. */
struct tool_settings {
    const char *package;
    const char *pattern;
    const weir_node *command;
};

static const struct section_key tool_keys[] = {
    {.name = "package",
     .kind = SECTION_TEXT,
     .offset = offsetof(struct tool_settings, package)},
    {.name = "pattern",
     .kind = SECTION_TEXT,
     .offset = offsetof(struct tool_settings, pattern)},
    {.name = "command",
     .kind = SECTION_NODE,
     .offset = offsetof(struct tool_settings, command)},
    {.name = NULL},
};

/* --- a tool --------------------------------------------------------------- */

static bool is_name(const char *text)
{
    const size_t len = package_name_len(text);

    return len > 0 && text[len] == '\0';
}

static void free_argv(struct tool *tool)
{
    for (char **argument = tool->argv; argument && *argument; argument++)
        free(*argument);
    free(tool->argv);
    tool->argv = NULL;
}

static void free_pattern(struct tool *tool)
{
    if (tool->pattern)
        regfree(tool->pattern);
    free(tool->pattern);
    tool->pattern = NULL;
}

static void free_tool(struct tool *tool)
{
    free_argv(tool);
    free_pattern(tool);
    free(tool->name);
    free(tool->package);
    free(tool);
}

/* false: it is no regular expression; `message` says why. */
static bool set_pattern(struct tool *tool, const char *pattern, char *message,
                        size_t size)
{
    regex_t *compiled = cli_alloc(sizeof *compiled);
    const int code = regcomp(compiled, pattern, REG_EXTENDED | REG_NEWLINE);

    if (code != 0) {
        regerror(code, compiled, message, size);
        free(compiled);
        return false;
    }
    free_pattern(tool);
    tool->pattern = compiled;
    return true;
}

static struct tool *add(struct tools *tools, const char *name)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): a list of pointers */
    const size_t size = (tools->count + 1) * sizeof *tools->list;
    struct tool **list = realloc(tools->list, size);
    struct tool *tool = cli_alloc(sizeof *tool);

    if (!list) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    tool->name = cli_copy(name);
    tool->package = package_name_normalise(name, strlen(name));
    tool->argv = cli_alloc(3 * sizeof *tool->argv);
    tool->argv[0] = cli_copy(name);
    tool->argv[1] = cli_copy("--version");
    tools->list = list;
    list[tools->count++] = tool;
    return tool;
}

/* By name first: two tools may be of one package. */
static size_t find(const struct tools *tools, const char *name)
{
    char *package = package_name_normalise(name, strlen(name));
    size_t at = tools->count;

    for (size_t i = 0; i < tools->count && at == tools->count; i++) {
        if (strcmp(tools->list[i]->name, name) == 0)
            at = i;
    }
    for (size_t i = 0; i < tools->count && at == tools->count; i++) {
        if (strcmp(tools->list[i]->package, package) == 0)
            at = i;
    }
    free(package);
    return at;
}

const struct tool *tools_get(struct tools *tools, const char *name)
{
    const size_t at = find(tools, name);

    return at < tools->count ? tools->list[at] : add(tools, name);
}

void tools_free(struct tools *tools)
{
    for (size_t i = 0; i < tools->count; i++)
        free_tool(tools->list[i]);
    free(tools->list);
    *tools = (struct tools){0};
}

static void remove_tool(struct tools *tools, const char *name)
{
    const size_t at = find(tools, name);

    if (at == tools->count)
        return;
    free_tool(tools->list[at]);
    tools->count--;
    for (size_t i = at; i < tools->count; i++)
        tools->list[i] = tools->list[i + 1];
}

/* --- settings ------------------------------------------------------------- */

static weir_status read_command(const weir_node *node, struct tool *tool,
                                weir_error *err)
{
    const weir_node *word = weir_node_first(node);
    size_t count = 0;

    if (weir_node_get_kind(node) != WEIR_NODE_SEQUENCE || !word)
        return weir_node_complain(node, err,
                                  "a sequence such as [NAME, --version]");
    for (; word; word = weir_node_next(word))
        count++;
    free_argv(tool);
    tool->argv = cli_alloc((count + 1) * sizeof *tool->argv);
    count = 0;
    for (word = weir_node_first(node); word; word = weir_node_next(word)) {
        const char *text;
        const weir_status status = weir_node_string(word, &text, err);

        if (status != WEIR_OK)
            return status;
        tool->argv[count++] = cli_copy(text);
    }
    return tool->argv[0][0] ? WEIR_OK
                            : weir_node_complain(weir_node_first(node), err,
                                                 "the name of a program");
}

static weir_status read_tool(const weir_node *node, struct tool *tool,
                             weir_error *err)
{
    struct tool_settings settings;
    char message[100];
    weir_status status = section_read(node, tool_keys, &settings, err);

    if (status != WEIR_OK)
        return status;
    if (settings.package && !is_name(settings.package))
        return weir_node_complain(weir_node_find(node, "package"), err,
                                  "the name of a package");
    if (settings.package) {
        free(tool->package);
        tool->package =
            package_name_normalise(settings.package, strlen(settings.package));
    }
    if (settings.pattern &&
        !set_pattern(tool, settings.pattern, message, sizeof message))
        return weir_node_complain(weir_node_find(node, "pattern"), err,
                                  "an extended regular expression (%s)",
                                  message);
    return settings.command ? read_command(settings.command, tool, err)
                            : WEIR_OK;
}

/* NAME: false takes one away. */
static weir_status read_mapping(const weir_node *node, struct tools *tools,
                                weir_error *err)
{
    for (const weir_node *child = weir_node_first(node); child;
         child = weir_node_next(child)) {
        const char *name = weir_node_key(child);
        const char *text = weir_node_text(child);
        weir_status status;
        size_t at;

        if (!name || !is_name(name))
            return weir_node_complain_key(child, err,
                                          "no name of a tool or package");
        if (text && strcmp(text, "false") == 0) {
            remove_tool(tools, name);
            continue;
        }
        at = find(tools, name);
        status = read_tool(
            child, at < tools->count ? tools->list[at] : add(tools, name), err);
        if (status != WEIR_OK)
            return status;
    }
    return WEIR_OK;
}

/* Names alone, in the place of the usual ones. */
static weir_status read_sequence(const weir_node *node, struct tools *tools,
                                 weir_error *err)
{
    struct tools usual_tools = *tools;

    *tools = (struct tools){0};
    for (const weir_node *child = weir_node_first(node); child;
         child = weir_node_next(child)) {
        const char *name;
        const weir_status status = weir_node_string(child, &name, err);
        size_t at;

        if (status != WEIR_OK || !is_name(name)) {
            tools_free(&usual_tools);
            return status != WEIR_OK
                       ? status
                       : weir_node_complain(child, err,
                                            "the name of a tool or package");
        }
        at = find(&usual_tools, name);
        if (find(tools, name) == tools->count) {
            struct tool *tool = add(tools, name);

            if (at < usual_tools.count) {
                tool->pattern = usual_tools.list[at]->pattern;
                usual_tools.list[at]->pattern = NULL;
            }
        }
    }
    tools_free(&usual_tools);
    return WEIR_OK;
}

weir_status tools_load(const weir_node *node, struct tools *tools,
                       weir_error *err)
{
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        struct tool *tool = add(tools, usual[i].name);
        char message[100];

        if (usual[i].pattern)
            set_pattern(tool, usual[i].pattern, message, sizeof message);
    }
    if (!node)
        return WEIR_OK;
    if (weir_node_get_kind(node) == WEIR_NODE_SEQUENCE)
        return read_sequence(node, tools, err);
    if (weir_node_get_kind(node) == WEIR_NODE_MAPPING)
        return read_mapping(node, tools, err);
    return weir_node_complain(node, err, "a mapping or a sequence of tools");
}
