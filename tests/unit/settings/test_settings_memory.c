/* Every allocation of a load fails once: always an error, never a leak. */
#include "sandbox.h"

#include <weir/memory.h>

static size_t allowed; /* allocations before the one that fails */
static size_t held;    /* blocks */

static bool is_allowed(void)
{
    return allowed && allowed--;
}

static void *limited_malloc(size_t size)
{
    void *ptr = is_allowed() ? malloc(size) : NULL;

    held += ptr != NULL;
    return ptr;
}

static void *limited_realloc(void *ptr, size_t size)
{
    void *moved = is_allowed() ? realloc(ptr, size) : NULL;

    held += moved && !ptr;
    return moved;
}

static void limited_free(void *ptr)
{
    held -= ptr != NULL;
    free(ptr);
}

/* Fails the first, the second, … allocation until the load succeeds. */
static size_t fail_each(const char *path)
{
    const weir_allocator limited = {limited_malloc, limited_realloc,
                                    limited_free};
    weir_settings *settings = NULL;
    weir_status status = WEIR_E_NO_MEMORY;
    size_t count = 0;

    assert_int_equal(weir_set_allocator(&limited), WEIR_OK);
    for (; status != WEIR_OK; count++) {
        weir_error err;

        allowed = count;
        status = weir_settings_load("weir", path, &settings, &err);
        if (status == WEIR_OK)
            break;
        assert_int_equal(status, WEIR_E_NO_MEMORY);
        assert_int_equal(err.code, WEIR_E_NO_MEMORY);
        assert_int_equal(err.error_class, WEIR_CLASS_LOCAL);
        assert_null(settings);
        assert_int_equal(held, 0);
    }
    weir_settings_free(settings);
    assert_int_equal(held, 0);
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
    return count;
}

static void test_each_allocation_without_files_may_fail(void **state)
{
    (void)state;
    setenv("WEIR_HTTP_CONNECTION_POOL__MAX_WAITING", "5", 1);
    setenv("WEIR_HTTP_CONNECTION_POOL__USER_AGENT", "agent", 1);
    setenv("WEIR_OTHER__DEEP__KEY", "value", 1);
    assert_true(fail_each(NULL) > 10);
}

static void test_each_allocation_with_files_may_fail(void **state)
{
    (void)state;
    need_yaml();
    sandbox_write("settings/weir.yaml", "other: [&few 5, {a: b}]\n"
                                        "http_connection_pool:\n"
                                        "  max_waiting: *few\n"
                                        "  user_agent: \"a # b\"\n");
    sandbox_write("settings/local.yaml", "http_connection_pool:\n"
                                         "  max_waiting: 6\n"
                                         "other: {a: *b, c: !x d}\n"
                                         "more: {a: [1], b: {c: d}}\n"
                                         "more: 1\n");
    sandbox_write("named.yaml", "http_connection_pool: {ca_file: x}\n");
    setenv("WEIR_HTTP_CONNECTION_POOL__MAX_PER_HOST", "5", 1);
    assert_true(fail_each("named.yaml") > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_each_allocation_without_files_may_fail),
        IN_SANDBOX(test_each_allocation_with_files_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
