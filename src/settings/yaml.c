#include "settings/yaml.h"

#include "settings/complain.h"

#ifdef WEIR_HAVE_YAML

#include <errno.h>
#include <string.h>

#include <libfyaml.h>

#include "base/buf.h"
#include "base/mem.h"
#include "settings/section.h"
#include "settings/text.h"
#include "settings/yaml_text.h"

/* Anchors that one file may set. */
enum {
    ANCHORS_MAX = 1000
};

struct anchor {
    const struct wr_node *node;
    const char *name; /* a node's text */
    size_t len;
};

/* A collection that is not at its end. */
struct level {
    struct wr_node *node;
    struct wr_node *key; /* that waits for its value */
};

struct builder {
    struct wr_tree *tree;
    struct wr_node *root;
    weir_error *err;
    struct wr_place place; /* of the last token that had one */
    struct level levels[WR_TREE_DEPTH];
    size_t depth;
    struct anchor anchors[ANCHORS_MAX];
    size_t anchor_count;
    size_t documents;
    char text[WR_TEXT_MAX]; /* of the last token that was read */
};

static void set_place(struct wr_place *place, const struct fy_mark *mark)
{
    if (!mark)
        return;
    place->line = (unsigned)mark->line + 1;
    place->column = (unsigned)mark->column + 1;
}

static const struct wr_node *find_anchor(const struct builder *builder,
                                         const char *name, size_t len)
{
    /* The latest one of that name counts. */
    for (size_t i = builder->anchor_count; i > 0; i--) {
        const struct anchor *anchor = &builder->anchors[i - 1];

        if (anchor->len == len && !memcmp(anchor->name, name, len))
            return anchor->node;
    }
    return NULL;
}

static weir_status set_anchor(struct builder *builder,
                              const struct wr_node *node,
                              struct fy_token *token)
{
    struct anchor *anchor = &builder->anchors[builder->anchor_count];
    const struct wr_node *name;
    const char *oddity = NULL;
    size_t len = 0;

    if (builder->anchor_count == ANCHORS_MAX)
        return wr_complain(builder->err, &node->place, NULL, NULL,
                           "found more than %d anchors", ANCHORS_MAX);
    if (!wr_yaml_text(token, builder->text, &len, &oddity))
        return wr_error_no_memory(builder->err);
    if (oddity)
        return wr_complain(builder->err, &node->place, NULL, NULL,
                           "found %s as an anchor", oddity);
    name = wr_tree_add(builder->tree, WR_NODE_SCALAR, &node->place,
                       builder->text, len);
    if (!name)
        return wr_error_no_memory(builder->err);
    *anchor = (struct anchor){node, name->text, name->len};
    builder->anchor_count++;
    return WEIR_OK;
}

/* Hangs a node where the events have come to. */
static void attach(struct builder *builder, struct wr_node *node)
{
    struct level *level;

    if (!builder->depth) {
        builder->root = node;
        return;
    }
    level = &builder->levels[builder->depth - 1];
    if (level->node->kind == WR_NODE_MAPPING && !level->key) {
        level->key = node;
        return;
    }
    wr_node_append(level->node, level->key, node);
    level->key = NULL;
}

/* The library's mark of a quoted scalar or an alias is one behind its start. */
static bool is_mark_behind(struct fy_event *event)
{
    enum fy_scalar_style style;

    if (event->type != FYET_SCALAR)
        return event->type == FYET_ALIAS;
    style = fy_token_scalar_style(event->scalar.value);
    return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

/* An empty value stands nowhere: its key does. */
static struct wr_place find_place(const struct builder *builder,
                                  struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    const struct wr_node *key =
        builder->depth ? builder->levels[builder->depth - 1].key : NULL;
    struct wr_place place = builder->place;

    if (!mark && key)
        place = key->place;
    set_place(&place, mark);
    if (mark && mark->column && is_mark_behind(event))
        place.column--;
    return place;
}

static weir_status check_room(struct builder *builder,
                              const struct wr_place *place)
{
    if (builder->tree->count >= WR_TREE_MAX)
        return wr_complain(builder->err, place, NULL, NULL,
                           "found more than %d values", WR_TREE_MAX);
    if (builder->depth == WR_TREE_DEPTH)
        return wr_complain(builder->err, place, NULL, NULL,
                           "found more than %d levels", WR_TREE_DEPTH);
    return WEIR_OK;
}

static weir_status set_properties(struct builder *builder, struct wr_node *node,
                                  struct fy_event *event)
{
    struct fy_token *anchor = fy_event_get_anchor_token(event);

    if (node->kind == WR_NODE_ALIAS) {
        node->target = find_anchor(builder, node->text, node->len);
        return WEIR_OK;
    }
    if (fy_event_get_tag_token(event))
        node->oddity = "a tag";
    return anchor ? set_anchor(builder, node, anchor) : WEIR_OK;
}

static weir_status add_node(struct builder *builder, enum wr_node_kind kind,
                            struct fy_event *event, struct fy_token *content)
{
    const struct wr_place place = find_place(builder, event);
    weir_status status = check_room(builder, &place);
    const char *oddity = NULL;
    size_t len = 0;
    struct wr_node *node;

    if (status != WEIR_OK)
        return status;
    if (content && !wr_yaml_text(content, builder->text, &len, &oddity))
        return wr_error_no_memory(builder->err);
    node = wr_tree_add(builder->tree, kind, &place, builder->text, len);
    if (!node)
        return wr_error_no_memory(builder->err);
    node->is_plain =
        kind == WR_NODE_SCALAR && fy_token_scalar_style(content) == FYSS_PLAIN;
    node->oddity = oddity;
    status = set_properties(builder, node, event);
    if (status != WEIR_OK)
        return status;
    attach(builder, node);
    if (kind == WR_NODE_MAPPING || kind == WR_NODE_SEQUENCE)
        builder->levels[builder->depth++] = (struct level){node, NULL};
    return WEIR_OK;
}

static weir_status take(struct builder *builder, struct fy_event *event)
{
    set_place(&builder->place, fy_event_start_mark(event));
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (builder->documents++)
            return wr_complain(builder->err, &builder->place, NULL, NULL,
                               "found a second document, expected one");
        return WEIR_OK;
    case FYET_SCALAR:
        return add_node(builder, WR_NODE_SCALAR, event, event->scalar.value);
    case FYET_ALIAS:
        return add_node(builder, WR_NODE_ALIAS, event, event->alias.anchor);
    case FYET_MAPPING_START:
        return add_node(builder, WR_NODE_MAPPING, event, NULL);
    case FYET_SEQUENCE_START:
        return add_node(builder, WR_NODE_SEQUENCE, event, NULL);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        builder->depth--;
        return WEIR_OK;
    default:
        return WEIR_OK;
    }
}

/* The library's first error.  When it has none to tell (a block scalar with the
 * indentation 0), errno says whether that was for want of memory. */
static weir_status tell_syntax_error(struct builder *builder,
                                     struct fy_diag *diag)
{
    struct wr_place place = builder->place;
    const struct fy_diag_error *error;
    void *at = NULL;

    while ((error = fy_diag_errors_iterate(diag, &at))) {
        if (error->type != FYET_ERROR || !error->msg)
            continue;
        if (error->line > 0) {
            place.line = (unsigned)error->line;
            place.column = error->column > 0 ? (unsigned)error->column : 1;
        }
        return wr_complain(builder->err, &place, NULL, NULL, "invalid YAML: %s",
                           error->msg);
    }
    if (errno == ENOMEM)
        return wr_error_no_memory(builder->err);
    return wr_complain(builder->err, &place, NULL, NULL,
                       "invalid YAML near here");
}

static weir_status build(struct builder *builder, struct fy_parser *parser,
                         struct fy_diag *diag)
{
    weir_status status = WEIR_OK;
    struct fy_event *event;
    bool is_whole = false;

    errno = 0;
    while (status == WEIR_OK && (event = fy_parser_parse(parser))) {
        is_whole = event->type == FYET_STREAM_END;
        status = take(builder, event);
        fy_parser_event_free(parser, event);
    }
    if (status == WEIR_OK && (!is_whole || fy_parser_get_stream_error(parser)))
        status = tell_syntax_error(builder, diag);
    return status;
}

/* Takes what the library wants to print. */
static void keep_silent(struct fy_diag *diag, void *user, const char *text,
                        size_t len)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)len;
}

static struct fy_diag *new_diag(void)
{
    struct fy_diag_cfg cfg;
    struct fy_diag *diag;

    memset(&cfg, 0, sizeof cfg);
    fy_diag_cfg_default(&cfg);
    cfg.fp = NULL;
    cfg.output_fn = keep_silent;
    cfg.level = FYET_ERROR;
    diag = fy_diag_create(&cfg);
    if (diag)
        fy_diag_set_collect_errors(diag, true);
    return diag;
}

static weir_status parse(struct builder *builder, const char *text, size_t len)
{
    struct fy_diag *diag = new_diag();
    const struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG |
                                              FYPCF_DEFAULT_VERSION_1_2 |
                                              FYPCF_JSON_NONE,
                                     .diag = diag};
    struct fy_parser *parser = diag ? fy_parser_create(&cfg) : NULL;
    weir_status status;

    if (!parser || fy_parser_set_string(parser, text, len) != 0)
        status = wr_error_no_memory(builder->err);
    else
        status = build(builder, parser, diag);
    if (parser)
        fy_parser_destroy(parser);
    if (diag)
        fy_diag_destroy(diag);
    return status;
}

static struct wr_place place_of(const char *layer, const char *text, size_t at)
{
    struct wr_place place = {.layer = layer, .line = 1, .column = 1};

    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

/* The library stops silently at bytes that it does not like. */
static weir_status check_bytes(const char *layer, const char *text, size_t len,
                               weir_error *err)
{
    const size_t bad = wr_text_check(text, len);
    struct wr_place place;

    if (bad == len)
        return WEIR_OK;
    place = place_of(layer, text, bad);
    return wr_complain(err, &place, NULL, NULL,
                       "found byte 0x%02x, expected printable UTF-8",
                       (unsigned char)text[bad]);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Returns where a tab is among the blanks behind an indicator (YAML 1.2.2
 * section 5.3), with a `?` that stands alone somewhere before it; len if
 * nowhere. */
static size_t find_bad_tab(const char *text, size_t len)
{
    static const char bom[3] = "\xef\xbb\xbf";
    const bool has_bom = len >= sizeof bom && !memcmp(text, bom, sizeof bom);
    bool has_key = false;
    bool is_behind = false; /* an indicator, with blanks alone in between */

    for (size_t i = has_bom ? sizeof bom : 0, first = i; i < len; i++) {
        const bool ends = i + 1 == len || is_blank(text[i + 1]);

        if (text[i] == '\t' && is_behind && has_key)
            return i;
        if (text[i] == ' ' || text[i] == '\t')
            continue;
        is_behind = ends && strchr("-?:", text[i]);
        if (is_behind && text[i] == '?' &&
            (i == first || is_blank(text[i - 1])))
            has_key = true;
    }
    return len;
}

/* libfyaml 0.7.12 crashes at a tab in the mapping that an explicit key can be
 * (`? a:<tab>?`).  Such a `?` may also be part of a text, so it is refused with
 * such a tab alone. */
static weir_status check_tabs(const char *layer, const char *text, size_t len,
                              weir_error *err)
{
    const size_t found = find_bad_tab(text, len);
    struct wr_place place;

    if (found == len)
        return WEIR_OK;
    place = place_of(layer, text, found);
    return wr_complain(err, &place, NULL, NULL,
                       "found a tab, with a '?' before it, expected spaces");
}

static weir_status check_root(struct wr_node **root, weir_error *err)
{
    struct wr_node *node = *root;
    char found[WR_FOUND_CAP];

    if (node && wr_node_is_null(node))
        *root = NULL;
    if (!*root || node->kind == WR_NODE_MAPPING)
        return WEIR_OK;
    wr_node_found(node, found);
    return wr_complain(err, &node->place, NULL, NULL,
                       "found %s, expected a mapping", found);
}

/* The last line is blanks and has no end. */
static bool ends_in_blanks(const char *text, size_t len)
{
    size_t at = len;

    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t'))
        at--;
    return at < len && (at == 0 || text[at - 1] == '\n');
}

/* In a block scalar of such blanks the library judges by memory that it has not
 * set; with a line end behind them it does not, and they mean the same. */
static weir_status parse_ended(struct builder *builder, const char *text,
                               size_t len)
{
    struct wr_buf ended = {0};
    weir_status status;

    if (!ends_in_blanks(text, len))
        return parse(builder, text, len);
    if (wr_buf_append(&ended, text, len) && wr_buf_append(&ended, "\n", 1))
        status = parse(builder, ended.data, ended.len);
    else
        status = wr_error_no_memory(builder->err);
    wr_buf_done(&ended);
    return status;
}

bool wr_yaml_is_built(void)
{
    return true;
}

weir_status wr_yaml_read(struct wr_tree *tree, const char *layer,
                         const char *text, size_t len,
                         struct wr_node **ret_root, weir_error *err)
{
    struct builder *builder;
    struct wr_node *root;
    weir_status status = check_bytes(layer, text, len, err);

    if (status == WEIR_OK)
        status = check_tabs(layer, text, len, err);
    if (status != WEIR_OK)
        return status;
    builder = wr_calloc(1, sizeof *builder);
    if (!builder)
        return wr_error_no_memory(err);
    builder->tree = tree;
    builder->err = err;
    builder->place = (struct wr_place){.layer = layer, .line = 1, .column = 1};
    status = parse_ended(builder, text, len);
    root = builder->root;
    wr_free(builder);
    if (status == WEIR_OK)
        status = check_root(&root, err);
    if (status == WEIR_OK)
        *ret_root = root;
    return status;
}

#else

bool wr_yaml_is_built(void)
{
    return false;
}

weir_status wr_yaml_read(struct wr_tree *tree, const char *layer,
                         const char *text, size_t len,
                         struct wr_node **ret_root, weir_error *err)
{
    char path[WR_PATH_SHOWN];

    (void)tree;
    (void)text;
    (void)len;
    (void)ret_root;
    return wr_error_set(err, WEIR_E_UNSUPPORTED,
                        "%s: this build of weir reads no YAML files",
                        wr_path_shown(layer, path, sizeof path));
}

#endif
