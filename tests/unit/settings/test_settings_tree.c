/* Trees of settings: merging, aliases, bounds. */
#include "sandbox.h"

#include "settings/node.h"

/* Merges the values of `key` in documents, later over earlier, and writes what
 * comes out as {a:1,b:[x,y]}. */
struct merger {
    struct wr_tree tree;
    struct wr_node *root;
    char text[512];
};

static void begin(struct merger *merger)
{
    const struct wr_place nowhere = {.layer = "test"};

    memset(merger, 0, sizeof *merger);
    merger->root = wr_tree_add(&merger->tree, WR_NODE_MAPPING, &nowhere, "", 0);
    assert_non_null(merger->root);
}

static weir_status lay_over(struct merger *merger, const char *document,
                            weir_error *err)
{
    struct wr_tree tree = {0};
    struct wr_node *root;
    const struct wr_node *child;
    weir_status status =
        wr_yaml_read(&tree, "file", document, strlen(document), &root, err);

    assert_int_equal(status, WEIR_OK);
    STAILQ_FOREACH (child, &root->children, next) {
        if (status == WEIR_OK && strcmp(child->key->text, "ignored"))
            status = wr_node_merge(&merger->tree, merger->root, child->key,
                                   child, err);
    }
    wr_tree_done(&tree);
    return status;
}

static void put(char *text, const char *more)
{
    assert_true(strlen(text) + strlen(more) < 512);
    strcat(text, more);
}

static void write_node(const struct wr_node *node, char *text)
{
    const bool is_mapping = node->kind == WR_NODE_MAPPING;
    const struct wr_node *child;
    const char *comma = "";

    if (node->kind == WR_NODE_SCALAR) {
        put(text, node->text);
        return;
    }
    put(text, is_mapping ? "{" : "[");
    STAILQ_FOREACH (child, &node->children, next) {
        put(text, comma);
        comma = ",";
        if (is_mapping) {
            write_node(child->key, text);
            put(text, ":");
        }
        write_node(child, text);
    }
    put(text, is_mapping ? "}" : "]");
}

static void assert_merged(const char *first, const char *second,
                          const char *expected)
{
    struct merger merger;

    begin(&merger);
    assert_int_equal(lay_over(&merger, first, NULL), WEIR_OK);
    assert_int_equal(lay_over(&merger, second, NULL), WEIR_OK);
    write_node(merger.root, merger.text);
    wr_tree_done(&merger.tree);
    assert_string_equal(merger.text, expected);
}

static void test_mappings_merge_key_by_key_and_later_wins(void **state)
{
    (void)state;
    need_yaml();
    assert_merged("a: {x: 1, y: {p: 1, q: 2}}", "a: {y: {q: 3, r: 4}, z: 5}",
                  "{a:{x:1,y:{p:1,q:3,r:4},z:5}}");
    assert_merged("a: 1", "b: 2", "{a:1,b:2}");
}

static void test_all_but_mappings_is_replaced(void **state)
{
    (void)state;
    need_yaml();
    assert_merged("a: [1, 2]", "a: [3]", "{a:[3]}");
    assert_merged("a: {x: 1}", "a: 2", "{a:2}");
    assert_merged("a: 2", "a: {x: 1}", "{a:{x:1}}");
    assert_merged("a: {x: 1}", "a: ~", "{a:~}");
}

static void test_aliases_become_what_they_stand_for(void **state)
{
    (void)state;
    need_yaml();
    assert_merged("ignored: &d {x: 1, y: &y [2]}\na: *d\nb: *y",
                  "ignored: &d {x: 9}\na: *d\nc: {*d : 1}",
                  "{a:{x:9,y:[2]},b:[2],c:{{x:9}:1}}");
}

static void test_the_latest_anchor_of_a_name_counts(void **state)
{
    (void)state;
    need_yaml();
    assert_merged("ignored: [&v 1]\na: *v", "ignored: [&v 1, &v 2]\nb: *v",
                  "{a:1,b:2}");
}

static void assert_overgrown(const char *document, const char *message)
{
    struct merger merger;
    weir_error err;

    begin(&merger);
    assert_int_equal(lay_over(&merger, document, &err), WEIR_E_SETTINGS);
    assert_true(merger.tree.count <= WR_TREE_MAX + 1);
    wr_tree_done(&merger.tree);
    assert_string_equal(err.message, message);
}

/* "A billion laughs". */
static void test_aliases_cannot_grow_a_file_beyond_measure(void **state)
{
    char document[2048] = "ignored:\n  - &a0 [x, x, x, x, x, x, x, x, x, x]\n";

    (void)state;
    need_yaml();
    for (int i = 1; i < 20; i++) {
        char line[96];

        snprintf(line, sizeof line, "  - &a%d [*a%d, *a%d, *a%d, *a%d, *a%d]\n",
                 i, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(document, line);
    }
    strcat(document, "a: *a19\n");
    assert_overgrown(document, "file:2:16: found more than 100000 values, "
                               "aliases included");
}

static void test_an_alias_inside_its_anchor_ends_in_an_error(void **state)
{
    (void)state;
    need_yaml();
    assert_overgrown("a: &a [*a]",
                     "file:1:8: found more than 64 levels, aliases included");
}

static void test_an_alias_without_anchor_is_refused(void **state)
{
    (void)state;
    need_yaml();
    assert_overgrown("a: [*nobody]", "file:1:5: found *nobody, expected an "
                                     "anchor of that name before it");
}

static void test_a_file_holds_at_most_100000_values(void **state)
{
    const size_t count = WR_TREE_MAX;
    char *document;
    struct wr_tree tree = {0};
    struct wr_node *root;
    weir_error err;

    (void)state;
    need_yaml();
    document = malloc(2 * count + 8);
    assert_non_null(document);
    strcpy(document, "a: [");
    for (size_t i = 0; i < count; i++)
        memcpy(document + 4 + 2 * i, "x,", 2);
    strcpy(document + 4 + 2 * count, "]");
    assert_int_equal(
        wr_yaml_read(&tree, "file", document, strlen(document), &root, &err),
        WEIR_E_SETTINGS);
    assert_string_equal(err.message,
                        "file:1:199999: found more than 100000 values");
    wr_tree_done(&tree);
    free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mappings_merge_key_by_key_and_later_wins),
        cmocka_unit_test(test_all_but_mappings_is_replaced),
        cmocka_unit_test(test_aliases_become_what_they_stand_for),
        cmocka_unit_test(test_the_latest_anchor_of_a_name_counts),
        cmocka_unit_test(test_aliases_cannot_grow_a_file_beyond_measure),
        cmocka_unit_test(test_an_alias_inside_its_anchor_ends_in_an_error),
        cmocka_unit_test(test_an_alias_without_anchor_is_refused),
        cmocka_unit_test(test_a_file_holds_at_most_100000_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
