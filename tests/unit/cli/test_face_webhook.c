/* Events to a webhook: in order, again after a failure, and no more of them in
 * memory than was said. */
#include "made_up.h"

#include <sys/epoll.h>

#include <jansson.h>

#include <watch/webhook.h>

#include "origin.h"

#define OK "HTTP/1.1 204 No Content\r\n\r\n"
#define UNAVAILABLE                                                            \
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
#define BAD "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n"

struct rig {
    struct origin *origin;
    struct watch_loop *loop;
    weir_pool *pool;
    struct webhook *hook;
};

static int64_t pool_timeout(void *user)
{
    return weir_pool_timeout(user);
}

static void pool_ready(void *user, uint32_t events)
{
    (void)events;
    weir_pool_dispatch(user, NULL);
}

static struct webhook_options usual_options(void)
{
    return (struct webhook_options){.token = "secret-secret-secret",
                                    .timeout = 20,
                                    .attempts = 2,
                                    .delay = 0.01,
                                    .max_delay = 0.05,
                                    .max_queue = 100};
}

static void begin(struct rig *rig, const struct origin_step *steps,
                  struct webhook_options options)
{
    weir_pool_options pool_options;
    weir_error err;

    rig->origin = origin_start(NULL);
    assert_non_null(rig->origin);
    origin_script(rig->origin, 0, steps);
    weir_pool_options_init(&pool_options);
    pool_options.loop = WEIR_LOOP_EXTERNAL;
    assert_int_equal(weir_pool_open(&pool_options, &rig->pool, &err), WEIR_OK);
    rig->loop = watch_loop_new();
    assert_non_null(watch_loop_add(
        rig->loop, &(struct watch_source_options){.fd = weir_pool_fd(rig->pool),
                                                  .events = EPOLLIN,
                                                  .ready = pool_ready,
                                                  .timeout_ms = pool_timeout,
                                                  .user = rig->pool}));
    options.url = origin_url(rig->origin, "/hook");
    rig->hook = webhook_open(&options, rig->pool, rig->loop, &err);
    if (!rig->hook)
        fail_msg("%s", err.message);
}

static void end(struct rig *rig)
{
    webhook_close(rig->hook, 0);
    weir_pool_free(rig->pool);
    watch_loop_free(rig->loop);
    origin_stop(rig->origin);
}

static void emit(struct rig *rig, const char *service)
{
    struct watch_event event = made_up_event;

    event.service = service;
    webhook_emit(rig->hook, &event);
}

/* Turns the loop until so many events have come to an end. */
static void run_until_ended(struct rig *rig, uint64_t count)
{
    const time_t limit = time(NULL) + 20;

    for (;;) {
        const struct webhook_figures figures = webhook_figures(rig->hook);

        if (figures.delivered + figures.refused == count)
            return;
        if (time(NULL) > limit)
            fail_msg("%zu queued after 20 s", figures.queued);
        watch_loop_turn(rig->loop, 1000);
    }
}

/* --- what was received --------------------------------------------------- */

static const struct origin_request *request(struct rig *rig,
                                            unsigned connection, unsigned index)
{
    const struct origin_request *found =
        origin_request(rig->origin, connection, index);

    if (!found)
        fail_msg("no request %u on connection %u", index, connection);
    return found;
}

static void assert_field(const struct origin_request *found, const char *field)
{
    if (!strstr(found->head, field))
        fail_msg("no '%s' in\n%s", field, found->head);
}

/* The line of the key. */
static void read_key(const struct origin_request *found, char key[128])
{
    const char *at = strstr(found->head, "Idempotency-Key: ");

    assert_non_null(at);
    snprintf(key, 128, "%.*s", (int)strcspn(at, "\r"), at);
}

static json_t *body_of(const struct origin_request *found)
{
    json_t *json = json_loads(found->body, 0, NULL);

    if (!json)
        fail_msg("'%s' is no JSON", found->body);
    return json;
}

static void assert_service(const struct origin_request *found,
                           const char *service, json_int_t dropped)
{
    json_t *json = body_of(found);

    assert_string_equal(json_string_value(json_object_get(json, "service")),
                        service);
    assert_int_equal(json_integer_value(json_object_get(json, "dropped")),
                     dropped);
    json_decref(json);
}

/* --- tests --------------------------------------------------------------- */

static void test_events_come_in_order_on_one_connection(void **state)
{
    static const struct origin_step steps[] = {O_EXPECT, O_SEND(OK), O_AGAIN,
                                               O_END};
    struct rig rig;
    char keys[2][128];

    (void)state;
    begin(&rig, steps, usual_options());
    emit(&rig, "first");
    emit(&rig, "second");
    emit(&rig, "third");
    run_until_ended(&rig, 3);
    assert_int_equal(origin_connections(rig.origin), 1);
    assert_service(request(&rig, 0, 0), "first", 0);
    assert_service(request(&rig, 0, 1), "second", 0);
    assert_service(request(&rig, 0, 2), "third", 0);
    assert_field(request(&rig, 0, 0), "POST /hook HTTP/1.1\r\n");
    assert_field(request(&rig, 0, 0), "Content-Type: application/json\r\n");
    assert_field(request(&rig, 0, 0),
                 "Authorization: Bearer secret-secret-secret\r\n");
    read_key(request(&rig, 0, 0), keys[0]);
    read_key(request(&rig, 0, 1), keys[1]);
    assert_string_not_equal(keys[0], keys[1]);
    end(&rig);
}

static void test_a_failed_attempt_is_repeated_with_its_key(void **state)
{
    static const struct origin_step steps[] = {O_EXPECT, O_SEND(UNAVAILABLE),
                                               O_EXPECT, O_SEND(OK), O_END};
    struct rig rig;
    char keys[2][128];

    (void)state;
    begin(&rig, steps, usual_options());
    emit(&rig, "api");
    run_until_ended(&rig, 1);
    assert_int_equal(webhook_figures(rig.hook).failures, 0);
    assert_int_equal(webhook_figures(rig.hook).delivered, 1);
    read_key(request(&rig, 0, 0), keys[0]);
    read_key(request(&rig, 0, 1), keys[1]);
    assert_string_equal(keys[0], keys[1]);
    assert_string_equal(request(&rig, 0, 0)->body, request(&rig, 0, 1)->body);
    end(&rig);
}

/* The pool has given up twice; the event has not. */
static void test_a_failed_delivery_is_put_off(void **state)
{
    static const struct origin_step broken[] = {O_EXPECT, O_RESET, O_END};
    static const struct origin_step good[] = {O_EXPECT, O_SEND(OK), O_AGAIN,
                                              O_END};
    struct webhook_options options = usual_options();
    struct rig rig;
    char keys[2][128];

    (void)state;
    options.attempts = 1;
    begin(&rig, broken, options);
    origin_script(rig.origin, 1, broken);
    origin_script(rig.origin, 2, good);
    emit(&rig, "first");
    emit(&rig, "second");
    run_until_ended(&rig, 2);
    assert_int_equal(webhook_figures(rig.hook).failures, 2);
    assert_int_equal(webhook_figures(rig.hook).delivered, 2);
    read_key(request(&rig, 0, 0), keys[0]);
    read_key(request(&rig, 2, 0), keys[1]);
    assert_string_equal(keys[0], keys[1]);
    assert_service(request(&rig, 2, 1), "second", 0);
    end(&rig);
}

static void test_a_refused_event_does_not_hold_up_the_next(void **state)
{
    static const struct origin_step steps[] = {O_EXPECT, O_SEND(BAD), O_EXPECT,
                                               O_SEND(OK), O_END};
    struct rig rig;

    (void)state;
    begin(&rig, steps, usual_options());
    emit(&rig, "bad");
    emit(&rig, "good");
    run_until_ended(&rig, 2);
    assert_int_equal(webhook_figures(rig.hook).refused, 1);
    assert_int_equal(webhook_figures(rig.hook).delivered, 1);
    assert_int_equal(origin_requests_in_all(rig.origin), 2);
    end(&rig);
}

static void test_a_full_queue_drops_the_oldest_and_says_so(void **state)
{
    static const struct origin_step steps[] = {
        O_EXPECT,   O_WAIT(1), O_SEND(OK), O_EXPECT,
        O_SEND(OK), O_EXPECT,  O_SEND(OK), O_END};
    struct webhook_options options = usual_options();
    struct rig rig;
    char name[16];

    (void)state;
    options.max_queue = 3;
    begin(&rig, steps, options);
    for (int i = 1; i <= 10; i++) {
        snprintf(name, sizeof name, "s%d", i);
        emit(&rig, name);
        watch_loop_turn(rig.loop, 0);
    }
    assert_int_equal(webhook_figures(rig.hook).queued, 3);
    assert_int_equal(webhook_figures(rig.hook).dropped, 7);
    origin_post(rig.origin, 1);
    run_until_ended(&rig, 3);
    assert_service(request(&rig, 0, 0), "s1", 0);
    assert_service(request(&rig, 0, 1), "s9", 7);
    assert_service(request(&rig, 0, 2), "s10", 0);
    assert_int_equal(webhook_figures(rig.hook).queued, 0);
    end(&rig);
}

/* The supervisor's last event too is delivered, by a loop that turns no more.
 */
static void test_the_end_waits_for_what_is_left(void **state)
{
    static const struct origin_step steps[] = {O_EXPECT, O_SEND(OK), O_AGAIN,
                                               O_END};
    struct rig rig;

    (void)state;
    begin(&rig, steps, usual_options());
    for (int i = 0; i < 5; i++)
        emit(&rig, "last");
    webhook_close(rig.hook, 20);
    rig.hook = NULL;
    assert_int_equal(origin_requests_in_all(rig.origin), 5);
    end(&rig);
}

static void test_the_end_does_not_wait_for_ever(void **state)
{
    static const struct origin_step steps[] = {O_EXPECT, O_HANG, O_END};
    const time_t begun = time(NULL);
    struct rig rig;

    (void)state;
    begin(&rig, steps, usual_options());
    emit(&rig, "api");
    webhook_close(rig.hook, 0.1);
    rig.hook = NULL;
    assert_true(time(NULL) - begun < 10);
    end(&rig);
}

static void test_what_cannot_be_an_address_is_refused_at_once(void **state)
{
    struct webhook_options options = usual_options();
    struct watch_loop *loop = watch_loop_new();
    weir_error err;

    (void)state;
    options.url = "http://localhost: 11434/";
    assert_null(webhook_open(&options, NULL, loop, &err));
    assert_int_equal(err.code, WEIR_E_URL);
    options.url = "http://localhost/";
    options.token = "two words";
    assert_null(webhook_open(&options, NULL, loop, &err));
    assert_int_equal(err.code, WEIR_E_FIELD);
    watch_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_come_in_order_on_one_connection),
        cmocka_unit_test(test_a_failed_attempt_is_repeated_with_its_key),
        cmocka_unit_test(test_a_failed_delivery_is_put_off),
        cmocka_unit_test(test_a_refused_event_does_not_hold_up_the_next),
        cmocka_unit_test(test_a_full_queue_drops_the_oldest_and_says_so),
        cmocka_unit_test(test_the_end_waits_for_what_is_left),
        cmocka_unit_test(test_the_end_does_not_wait_for_ever),
        cmocka_unit_test(test_what_cannot_be_an_address_is_refused_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
