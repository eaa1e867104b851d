/* Fields of requests: the caller's own, credentials, validators. */
#include <string.h>

#include <weir/response.h>

#include "api/request.h"
#include "base/error.h"
#include "http/emit.h"
#include "http/field.h"
#include "http/field_lines.h"

static struct wr_slice slice_of(const char *text)
{
    return (struct wr_slice){text, strlen(text)};
}

/* Fields that take the place of all others of their names. */
struct change {
    const char *name;
    struct wr_slice value; /* data NULL: there is to be none */
};

/* All of them or none. */
static weir_status replace_fields(struct weir_request *request,
                                  const struct change *changes, size_t count,
                                  weir_error *ret_err)
{
    struct wr_buf lines = {0};
    weir_status status = wr_check_unused(request, ret_err);

    for (size_t i = 0; i < count && status == WEIR_OK; i++) {
        if (changes[i].value.data)
            status = wr_emit_field(&lines, slice_of(changes[i].name),
                                   changes[i].value, ret_err);
    }
    if (status == WEIR_OK && !wr_buf_reserve(&request->fields, lines.len))
        status = wr_error_no_memory(ret_err);
    if (status == WEIR_OK) {
        for (size_t i = 0; i < count; i++)
            wr_field_lines_drop(&request->fields, changes[i].name);
        if (lines.len)
            wr_buf_append(&request->fields, lines.data, lines.len);
        wr_request_forget(request);
    }
    wr_buf_done(&lines);
    return status;
}

static weir_status replace_field(struct weir_request *request, const char *name,
                                 struct wr_slice value, weir_error *ret_err)
{
    const struct change change = {name, value};

    return replace_fields(request, &change, 1, ret_err);
}

weir_status weir_request_add_field(weir_request *request, const char *name,
                                   const char *value, weir_error *ret_err)
{
    weir_status status;

    if (!request || !name || !value)
        return wr_missing(ret_err, !request ? "request"
                                   : !name  ? "name"
                                            : "value");
    if (wr_slice_is(slice_of(name), "host")) {
        status = wr_check_host(slice_of(value), ret_err);
        if (status != WEIR_OK)
            return status;
        return wr_request_set_text(request, &request->host_field, value,
                                   ret_err);
    }
    if (wr_slice_is(slice_of(name), "authorization"))
        return replace_field(request, name, slice_of(value), ret_err);
    status = wr_check_unused(request, ret_err);
    if (status == WEIR_OK)
        status = wr_emit_field(&request->fields, slice_of(name),
                               slice_of(value), ret_err);
    if (status == WEIR_OK)
        wr_request_forget(request);
    return status;
}

/* --- credentials and validators ------------------------------------------ */

/* RFC 7617 section 2: no control anywhere, no colon in the user's name. */
static weir_status check_credentials(const char *user, const char *password,
                                     weir_error *ret_err)
{
    const size_t user_bad = wr_value_span(user, strlen(user));
    const size_t password_bad = wr_value_span(password, strlen(password));
    const char *colon = strchr(user, ':');

    if (user[user_bad])
        return wr_error_at(ret_err, WEIR_E_FIELD, user_bad,
                           "invalid user name at byte %zu: found a control, "
                           "expected none",
                           user_bad);
    if (password[password_bad])
        return wr_error_at(ret_err, WEIR_E_FIELD, password_bad,
                           "invalid password at byte %zu: found a control, "
                           "expected none",
                           password_bad);
    if (colon)
        return wr_error_at(ret_err, WEIR_E_FIELD, (uint64_t)(colon - user),
                           "invalid user name at byte %zu: found ':', "
                           "expected none",
                           (size_t)(colon - user));
    return WEIR_OK;
}

weir_status weir_request_set_basic(weir_request *request, const char *user,
                                   const char *password, weir_error *ret_err)
{
    struct wr_buf pair = {0};
    struct wr_buf value = {0};
    weir_status status;

    if (!request || !user || !password)
        return wr_missing(ret_err, !request ? "request"
                                   : !user  ? "user"
                                            : "password");
    status = check_credentials(user, password, ret_err);
    if (status != WEIR_OK)
        return status;
    if (wr_buf_append_format(&pair, "%s:%s", user, password) &&
        wr_basic_append(&value, (struct wr_slice){pair.data, pair.len}))
        status =
            replace_field(request, "Authorization",
                          (struct wr_slice){value.data, value.len}, ret_err);
    else
        status = wr_error_no_memory(ret_err);
    wr_buf_done(&pair);
    wr_buf_done(&value);
    return status;
}

/* token68 of RFC 9110 section 11.2, as RFC 6750 section 2.1 wants it. */
static size_t token68_span(const char *token)
{
    size_t at = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789-._~+/");

    return at ? at + strspn(token + at, "=") : 0;
}

weir_status weir_request_set_bearer(weir_request *request, const char *token,
                                    weir_error *ret_err)
{
    struct wr_buf value = {0};
    size_t end;
    weir_status status;

    if (!request || !token)
        return wr_missing(ret_err, request ? "token" : "request");
    end = token68_span(token);
    if (end == 0 || token[end])
        return wr_error_at(ret_err, WEIR_E_FIELD, end,
                           "invalid bearer token at byte %zu: expected "
                           "letters, digits and -._~+/ with '=' at the end",
                           end);
    if (wr_buf_append_format(&value, "Bearer %s", token))
        status =
            replace_field(request, "Authorization",
                          (struct wr_slice){value.data, value.len}, ret_err);
    else
        status = wr_error_no_memory(ret_err);
    wr_buf_done(&value);
    return status;
}

static weir_status set_validators(struct weir_request *request,
                                  struct wr_slice etag,
                                  struct wr_slice last_modified,
                                  weir_error *ret_err)
{
    const struct change changes[] = {{"If-None-Match", etag},
                                     {"If-Modified-Since", last_modified}};

    return replace_fields(request, changes, 2, ret_err);
}

weir_status weir_request_set_validators(weir_request *request, const char *etag,
                                        const char *last_modified,
                                        weir_error *ret_err)
{
    const struct wr_slice none = {NULL, 0};

    if (!request)
        return wr_missing(ret_err, "request");
    return set_validators(request, etag ? slice_of(etag) : none,
                          last_modified ? slice_of(last_modified) : none,
                          ret_err);
}

weir_status weir_request_revalidate(weir_request *request,
                                    const weir_response *earlier,
                                    weir_error *ret_err)
{
    weir_slice etag;
    weir_slice modified;

    if (!request || !earlier)
        return wr_missing(ret_err, request ? "earlier" : "request");
    etag = weir_response_find(earlier, "ETag");
    modified = weir_response_find(earlier, "Last-Modified");
    return set_validators(request, (struct wr_slice){etag.data, etag.len},
                          (struct wr_slice){modified.data, modified.len},
                          ret_err);
}
