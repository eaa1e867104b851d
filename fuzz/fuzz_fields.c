/* The field list of a request: lines "name LF value NUL".  What is accepted
 * stands on the wire as it was given: our own parser, in its strict mode, reads
 * the same list, and no value can end a line. */
#include "fuzz.h"

#include "http/emit.h"
#include "http/field_lines.h"
#include "http/head.h"

enum {
    FIELDS_MAX = 64
};

/* Without the white space around it, as the wire has it. */
static struct wr_slice trim(struct wr_slice value)
{
    while (value.len && (*value.data == ' ' || *value.data == '\t')) {
        value.data++;
        value.len--;
    }
    while (value.len && (value.data[value.len - 1] == ' ' ||
                         value.data[value.len - 1] == '\t'))
        value.len--;
    return value;
}

static bool is_same(struct wr_slice a, struct wr_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

struct list {
    struct wr_slice names[FIELDS_MAX];
    struct wr_slice values[FIELDS_MAX];
    unsigned count;
    struct wr_buf lines;
};

static void add(struct list *list, struct wr_slice name, struct wr_slice value)
{
    static const char *const ours[] = {"Content-Length", "Transfer-Encoding",
                                       "Connection", "Host"};
    const size_t before = list->lines.len;
    weir_error err;

    if (wr_emit_field(&list->lines, name, value, &err) != WEIR_OK) {
        CHECK(err.code == WEIR_E_FIELD);
        CHECK(list->lines.len == before);
        fuzz_check_message(err.message);
        return;
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        CHECK(!wr_slice_is(name, ours[i]));
    CHECK(!memchr(name.data, '\0', name.len));
    list->names[list->count] = name;
    list->values[list->count++] = trim(value);
}

/* The list reads back as it was written. */
static void check_lines(const struct list *list)
{
    struct wr_slice rest = {list->lines.data, list->lines.len};
    struct wr_slice line;
    struct wr_slice name;
    unsigned count = 0;

    while (wr_field_lines_next(&rest, &line, &name)) {
        CHECK(count < list->count);
        CHECK(is_same(name, list->names[count]));
        CHECK(line.len >= 2 &&
              memcmp(line.data + line.len - 2, "\r\n", 2) == 0);
        CHECK(!memchr(line.data, '\r', line.len - 2));
        CHECK(!memchr(line.data, '\n', line.len - 2));
        count++;
    }
    CHECK(count == list->count);
}

/* A recipient reads the same. */
static void check_wire(const struct list *list)
{
    static const struct wr_head_limits limits = {64, 1 << 20, FIELDS_MAX, true};
    struct wr_field_ref refs[FIELDS_MAX];
    struct wr_buf block = {0};
    struct wr_head head;
    weir_error err;
    size_t len = 0;

    CHECK(wr_buf_append_text(&block, "HTTP/1.1 204 x\r\n") &&
          wr_buf_append(&block, list->lines.data, list->lines.len) &&
          wr_buf_append_text(&block, "\r\n"));
    wr_head_init(&head, &limits, refs);
    CHECK(wr_head_parse(&head, block.data, block.len, &len, &err) ==
          WR_PARSE_DONE);
    CHECK(len == block.len && head.field_count == list->count);
    for (unsigned i = 0; i < list->count; i++) {
        CHECK(is_same(wr_field_name(&refs[i], block.data), list->names[i]));
        CHECK(is_same(wr_field_value(&refs[i], block.data), list->values[i]));
    }
    wr_buf_done(&block);
}

/* A field that is dropped is gone, and no other is. */
static void check_drop(struct list *list)
{
    char *name;
    unsigned left = 0;
    struct wr_slice rest;
    struct wr_slice line;
    struct wr_slice found;

    if (list->count == 0)
        return;
    name = fuzz_text((struct fuzz_input){(const uint8_t *)list->names[0].data,
                                         list->names[0].len});
    for (unsigned i = 0; i < list->count; i++)
        left += !wr_slice_is(list->names[i], name);
    CHECK(wr_field_lines_have(&list->lines, name));
    wr_field_lines_drop(&list->lines, name);
    CHECK(!wr_field_lines_have(&list->lines, name));
    rest = (struct wr_slice){list->lines.data, list->lines.len};
    while (wr_field_lines_next(&rest, &line, &found))
        left--;
    CHECK(left == 0);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct list list;
    struct fuzz_input input = {data, size};

    if (size > 65536)
        return -1;
    list.count = 0;
    while (input.len > 0 && list.count < FIELDS_MAX) {
        struct fuzz_input value = fuzz_until(&input, '\0');
        const struct fuzz_input name = fuzz_until(&value, '\n');

        add(&list, (struct wr_slice){(const char *)name.data, name.len},
            (struct wr_slice){(const char *)value.data, value.len});
    }
    check_lines(&list);
    check_wire(&list);
    check_drop(&list);
    wr_buf_done(&list.lines);
    return 0;
}
