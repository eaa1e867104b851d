/* Calls on a GLib main loop.
 *
 *   cc loop_glib.c $(pkg-config --cflags --libs weir glib-2.0) && ./a.out
 * URL...
 */
#include <glib.h>

#include "fetch_all.h"

struct source {
    GSource base;
    weir_pool *pool;
    gpointer tag; /* of weir_pool_fd() */
};

static gboolean prepare(GSource *source, gint *timeout)
{
    *timeout = weir_pool_timeout(((struct source *)source)->pool);
    return *timeout == 0;
}

static gboolean check(GSource *source)
{
    const struct source *own = (struct source *)source;

    return g_source_query_unix_fd(source, own->tag) != 0 ||
           weir_pool_timeout(own->pool) == 0;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    (void)callback;
    weir_pool_dispatch(((struct source *)source)->pool, NULL);
    if (calls_left == 0)
        g_main_loop_quit(user);
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    static GSourceFuncs functions = {
        .prepare = prepare, .check = check, .dispatch = dispatch};
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    struct source *source =
        (struct source *)g_source_new(&functions, sizeof *source);

    source->pool = begin(argc, argv);
    source->tag = g_source_add_unix_fd(&source->base,
                                       weir_pool_fd(source->pool), G_IO_IN);
    g_source_set_callback(&source->base, NULL, loop, NULL);
    g_source_attach(&source->base, NULL);
    if (calls_left > 0)
        g_main_loop_run(loop);
    g_source_destroy(&source->base);
    argc = end(source->pool);
    g_source_unref(&source->base);
    g_main_loop_unref(loop);
    return argc;
}
