#include "conn/course.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "conn/hop.h"
#include "http/resolve.h"
#include "http/retry_after.h"
#include "http/specimen.h"

bool wr_policy_is_plain(const struct wr_policy *policy)
{
    return policy->max_redirects == 0 && policy->retry.attempts <= 1 &&
           policy->breaker.failures == 0 && policy->breaker.rate == 0 &&
           policy->hedge.delay_ns == 0 && !policy->hedge.p95;
}

/* --- the record ---------------------------------------------------------- */

/* Notes the URL of `sent`, where attempts point to. */
static bool note_url(struct wr_course *course, size_t *ret_at)
{
    const size_t at = course->urls.len;

    if (!wr_url_print(&course->sent->url, &course->urls) ||
        !wr_buf_append(&course->urls, "", 1)) {
        course->urls.len = at;
        return false;
    }
    *ret_at = at;
    return true;
}

static bool add_attempt(struct wr_course *course, weir_attempt_kind kind,
                        size_t url, uint64_t delay_ns, uint64_t now_ns)
{
    if (course->count == course->cap) {
        const size_t cap = course->cap ? 2 * course->cap : 4;
        struct wr_attempt *grown =
            wr_realloc(course->attempts, cap * sizeof *grown);

        if (!grown)
            return false;
        course->attempts = grown;
        course->cap = cap;
    }
    course->attempts[course->count++] = (struct wr_attempt){
        .kind = kind, .url = url, .delay_ns = delay_ns, .begun_ns = now_ns};
    return true;
}

static void note_ending(struct wr_course *course, size_t index,
                        const struct wr_ending *ending)
{
    struct wr_attempt *attempt = &course->attempts[index];

    if (attempt->ended_ns) /* its response has been refused since */
        return;
    course->was_sent = course->was_sent || ending->exchange ||
                       ending->error->may_have_been_processed;
    attempt->status = ending->exchange ? (int)ending->exchange->head.status : 0;
    attempt->outcome = ending->exchange ? WEIR_OK : ending->error->code;
    attempt->connection = ending->connection;
    attempt->ended_ns = ending->now_ns;
}

void wr_course_fail(struct wr_course *course, const weir_error *error,
                    uint64_t now_ns)
{
    struct wr_attempt *attempt = &course->attempts[course->now];

    if (attempt->begun_ns > now_ns) /* it was to begin later */
        attempt->begun_ns = now_ns;
    note_ending(course, course->now,
                &(struct wr_ending){.error = error,
                                    .connection = error->connection,
                                    .now_ns = now_ns});
}

struct wr_course *wr_course_new(const struct wr_policy *policy,
                                struct weir_request *asked, uint64_t now_ns)
{
    struct wr_course *course = wr_calloc(1, sizeof *course);
    size_t url;

    if (!course)
        return NULL;
    course->policy = *policy;
    course->on_redirect = asked->on_redirect;
    course->on_redirect_user = asked->on_redirect_user;
    course->asked = asked;
    course->sent = asked;
    course->tries = 1;
    if (note_url(course, &url) &&
        add_attempt(course, WEIR_ATTEMPT_FIRST, url, 0, now_ns))
        return course;
    wr_course_free(course);
    return NULL;
}

bool wr_course_begin(struct wr_course *course, weir_attempt_kind kind,
                     uint64_t delay_ns, uint64_t now_ns)
{
    size_t url = course->attempts[course->count - 1].url;

    if (kind == WEIR_ATTEMPT_REDIRECT) {
        if (!note_url(course, &url))
            return false;
        course->tries = 0;
    }
    if (!add_attempt(course, kind, url, delay_ns, now_ns))
        return false;
    course->tries++;
    course->now = course->count - 1;
    course->first_sent_ns = 0;
    return true;
}

bool wr_course_hedge(struct wr_course *course, uint64_t sent_ns,
                     uint64_t now_ns)
{
    const size_t url = course->attempts[course->now].url;

    if (!add_attempt(course, WEIR_ATTEMPT_HEDGE, url, now_ns - sent_ns, now_ns))
        return false;
    course->has_hedge = true;
    course->first_sent_ns = sent_ns;
    return true;
}

void wr_course_go_on_with(struct wr_course *course, bool is_hedge,
                          const struct wr_ending *ending)
{
    const size_t hedge = course->count - 1;

    note_ending(course, is_hedge ? course->now : hedge, ending);
    if (is_hedge)
        course->now = hedge;
    course->has_hedge = false;
}

void wr_course_forget_hedge(struct wr_course *course)
{
    course->count--;
    course->has_hedge = false;
    course->first_sent_ns = 0;
}

/* Another request is to be sent; NULL: none any more. */
static void replace_sent(struct wr_course *course, struct weir_request *next)
{
    struct weir_request *gone = course->sent;

    if (gone && gone != course->asked) {
        /* The body is one and the same: who sends it next must know. */
        if (gone->body.is_used)
            course->asked->body.is_used = true;
        wr_request_unref(gone);
    }
    course->sent = next;
}

void wr_course_end(struct wr_course *course)
{
    replace_sent(course, NULL);
    course->asked = NULL;
}

void wr_course_free(struct wr_course *course)
{
    if (!course)
        return;
    wr_course_end(course);
    wr_buf_done(&course->urls);
    wr_free(course->attempts);
    wr_free(course);
}

/* --- redirects -------------------------------------------------------------
 */

static bool is_same_value(const struct wr_field_ref *a,
                          const struct wr_field_ref *b, const char *head)
{
    const struct wr_slice one = wr_field_value(a, head);
    const struct wr_slice other = wr_field_value(b, head);

    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

/* The one Location; false: there is none.  Two that differ are an error, as
 * nobody can know which is meant. */
static bool find_location(const struct wr_exchange *ex, struct wr_slice *ret,
                          bool *ret_differ)
{
    const struct wr_field_ref *first = NULL;

    *ret_differ = false;
    for (uint32_t i = 0; i < ex->head.field_count; i++) {
        const struct wr_field_ref *field = &ex->head.fields[i];

        if (!wr_slice_is(wr_field_name(field, ex->in.data), "Location"))
            continue;
        if (!first)
            first = field;
        else if (!is_same_value(first, field, ex->in.data))
            *ret_differ = true;
    }
    if (!first)
        return false;
    *ret = wr_field_value(first, ex->in.data);
    return true;
}

static weir_status cannot_follow(const struct wr_course *course,
                                 struct wr_slice location, const char *why,
                                 weir_error *ret_err)
{
    const char *from =
        course->urls.data + course->attempts[course->count - 1].url;

    return wr_error_set(ret_err, WEIR_E_REDIRECT,
                        "redirect of %.96s to %s: %.120s", from,
                        wr_specimen(location.data, location.len).text, why);
}

/* The URL that is meant, as text and taken apart. */
static weir_status find_next(const struct wr_course *course,
                             struct wr_slice location, struct wr_buf *text,
                             struct wr_url *ret_url, weir_error *ret_err)
{
    weir_error err;
    weir_status status =
        wr_url_resolve(&course->sent->url, location, text, &err);

    if (status == WEIR_OK)
        status = wr_url_parse(ret_url, text->data, text->len, &err);
    if (status == WEIR_OK)
        return WEIR_OK;
    if (status == WEIR_E_NO_MEMORY)
        return wr_error_no_memory(ret_err);
    return cannot_follow(course, location, err.message, ret_err);
}

/* What the caller says of it. */
static weir_redirect_verdict ask(const struct wr_course *course, int status,
                                 const struct wr_url *url, const char *text)
{
    const weir_redirect redirect = {
        .size = sizeof redirect,
        .status = status,
        .count = course->redirects + 1,
        .from = course->urls.data + course->attempts[course->count - 1].url,
        .to = text,
        .method = wr_hop_method(course->sent->method, status),
        .is_same_origin = wr_url_same_origin(&course->sent->url, url),
    };

    if (!course->on_redirect)
        return WEIR_REDIRECT_FOLLOW;
    return course->on_redirect(course->on_redirect_user, &redirect);
}

/* Why it must not be followed, or NULL. */
static const char *objection(const struct wr_course *course, int status,
                             const struct wr_url *url)
{
    const struct weir_request *sent = course->sent;

    if (sent->url.tls && !url->tls && !course->policy.may_downgrade)
        return "from https to http, which redirect_downgrade does not allow";
    if (!wr_hop_drops_body(sent, status) && !wr_source_can_begin(&sent->body))
        return "the request's body cannot be sent again";
    return NULL;
}

static enum wr_verdict_kind move_on(struct wr_course *course, int status,
                                    struct wr_url *url, weir_error *ret_err)
{
    const bool is_same = wr_url_same_origin(&course->sent->url, url);
    const struct wr_redirected hop = {course->sent, status,
                                      course->is_stripped};
    struct weir_request *next = wr_hop_request(&hop, url);

    if (!next) {
        wr_url_done(url);
        wr_error_no_memory(ret_err);
        return WR_COURSE_FAIL;
    }
    course->is_stripped = course->is_stripped || !is_same;
    course->redirects++;
    replace_sent(course, next);
    return WR_COURSE_FOLLOW;
}

/* The target is known: may it be followed? */
static enum wr_verdict_kind consider(struct wr_course *course, int status,
                                     struct wr_slice location,
                                     struct wr_url *url, const char *text,
                                     weir_error *ret_err)
{
    const char *why = objection(course, status, url);

    if (!why) {
        switch (ask(course, status, url, text)) {
        case WEIR_REDIRECT_FOLLOW:
            return move_on(course, status, url, ret_err);
        case WEIR_REDIRECT_STOP:
            wr_url_done(url);
            return WR_COURSE_DELIVER;
        default:
            why = "the program refused it";
        }
    }
    wr_url_done(url);
    cannot_follow(course, location, why, ret_err);
    return WR_COURSE_FAIL;
}

static enum wr_verdict_kind judge_redirect(struct wr_course *course,
                                           const struct wr_exchange *ex,
                                           weir_error *ret_err)
{
    const int status = (int)ex->head.status;
    enum wr_verdict_kind verdict = WR_COURSE_FAIL;
    struct wr_buf text = {0};
    struct wr_slice location;
    struct wr_url url = {0};
    bool differ = false;

    if (!find_location(ex, &location, &differ))
        return WR_COURSE_DELIVER;
    if (differ) {
        cannot_follow(course, location, "it has several Location fields",
                      ret_err);
    } else if (course->redirects == course->policy.max_redirects) {
        wr_error_set(ret_err, WEIR_E_REDIRECT,
                     "more than %u redirects (max_redirects)",
                     course->policy.max_redirects);
    } else if (find_next(course, location, &text, &url, ret_err) == WEIR_OK) {
        if (wr_buf_append(&text, "", 1)) {
            verdict =
                consider(course, status, location, &url, text.data, ret_err);
        } else {
            wr_url_done(&url);
            wr_error_no_memory(ret_err);
        }
    }
    wr_buf_done(&text);
    return verdict;
}

/* --- retries ---------------------------------------------------------------
 */

/* May pass by itself: the connection, the peer, a time limit but the total. */
static bool is_passing(weir_status code)
{
    switch (code) {
    case WEIR_E_RESOLVE:
    case WEIR_E_CONNECT:
    case WEIR_E_CONNECT_TIMEOUT:
    case WEIR_E_RESET:
    case WEIR_E_TRUNCATED:
    case WEIR_E_FIRST_BYTE_TIMEOUT:
    case WEIR_E_READ_TIMEOUT:
        return true;
    default:
        return false;
    }
}

static bool may_repeat(const struct wr_course *course,
                       const struct wr_ending *ending)
{
    const struct weir_request *sent = course->sent;
    const bool is_unsent =
        ending->error && !ending->error->may_have_been_processed;

    return (is_unsent || wr_request_is_repeatable(sent)) &&
           wr_source_can_begin(&sent->body);
}

/* The server's own wish, in nanoseconds; false: it has none. */
static bool find_retry_after(const struct wr_exchange *ex, int64_t unix_s,
                             uint64_t *ret_ns)
{
    for (uint32_t i = 0; ex && i < ex->head.field_count; i++) {
        const struct wr_field_ref *field = &ex->head.fields[i];
        uint64_t seconds;

        if (!wr_slice_is(wr_field_name(field, ex->in.data), "Retry-After"))
            continue;
        if (!wr_retry_after_parse(wr_field_value(field, ex->in.data), unix_s,
                                  &seconds))
            return false;
        *ret_ns =
            seconds < UINT64_MAX / WR_SECOND ? seconds * WR_SECOND : WR_NEVER;
        return true;
    }
    return false;
}

static enum wr_verdict_kind judge_retry(const struct wr_course *course,
                                        const struct wr_ending *ending,
                                        uint64_t *ret_delay_ns)
{
    const struct wr_retry_rules *rules = &course->policy.retry;
    uint64_t delay_ns;

    if (course->tries >= rules->attempts || !may_repeat(course, ending))
        return WR_COURSE_DELIVER;
    if (!find_retry_after(ending->exchange, ending->unix_s, &delay_ns))
        delay_ns = wr_retry_delay(rules, course->tries + 1, ending->random);
    else if (delay_ns > rules->max_delay_ns)
        return WR_COURSE_DELIVER;
    if (wr_after(ending->now_ns, delay_ns) >= ending->deadline_ns &&
        ending->deadline_ns != WR_NEVER)
        return WR_COURSE_DELIVER;
    *ret_delay_ns = delay_ns;
    return WR_COURSE_RETRY;
}

enum wr_verdict_kind wr_course_judge(struct wr_course *course,
                                     const struct wr_ending *ending,
                                     uint64_t *ret_delay_ns,
                                     weir_error *ret_err)
{
    const struct wr_exchange *ex = ending->exchange;

    note_ending(course, course->now, ending);
    if (!ex)
        return is_passing(ending->error->code)
                   ? judge_retry(course, ending, ret_delay_ns)
                   : WR_COURSE_DELIVER;
    if (course->policy.max_redirects && wr_hop_is_redirect(ex->head.status))
        return judge_redirect(course, ex, ret_err);
    if (wr_retry_is_status(ex->head.status))
        return judge_retry(course, ending, ret_delay_ns);
    return WR_COURSE_DELIVER;
}
