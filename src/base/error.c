#include "base/error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct status_entry {
    weir_status code;
    weir_error_class error_class;
    const char *name;
    const char *meaning;
} status_table[] = {
#define WEIR_X(name, number, cls, meaning)                                     \
    [number] = {name, WEIR_CLASS_##cls, #name, meaning},
    WEIR_STATUS_TABLE(WEIR_X)
#undef WEIR_X
};

static const struct status_entry *find(weir_status code)
{
    static const struct status_entry unknown = {WEIR_E_INVALID, WEIR_CLASS_NONE,
                                                "WEIR_E_?", "unknown status"};
    const size_t count = sizeof status_table / sizeof *status_table;

    return (size_t)code < count ? &status_table[code] : &unknown;
}

const char *weir_status_name(weir_status code)
{
    return find(code)->name;
}

const char *weir_status_meaning(weir_status code)
{
    return find(code)->meaning;
}

weir_error_class weir_status_class(weir_status code)
{
    return find(code)->error_class;
}

const char *weir_class_name(weir_error_class error_class)
{
    static const char *const names[] = {
        "NONE", "USAGE", "LOCAL", "RESOLVE", "CONNECT",  "TLS",
        "PEER", "TIME",  "LIMIT", "CLOSED",  "CANCELLED"};
    const size_t count = sizeof names / sizeof *names;

    return (size_t)error_class < count ? names[error_class] : "?";
}

const char *weir_stage_name(weir_stage stage)
{
    static const char *const names[] = {"none",     "wait", "resolve",
                                        "connect",  "tls",  "send",
                                        "response", "body", "proxy"};
    const size_t count = sizeof names / sizeof *names;

    return (size_t)stage < count ? names[stage] : "?";
}

const char *wr_system_text(int system_code, char *buf, size_t cap)
{
    const char *text = strerrordesc_np(system_code);

    if (text)
        snprintf(buf, cap, "%s", text);
    else
        snprintf(buf, cap, "system error %d", system_code);
    buf[0] = (char)tolower((unsigned char)buf[0]);
    return buf;
}

static void begin(weir_error *err, weir_status code)
{
    memset(err, 0, sizeof *err);
    err->code = code;
    err->error_class = weir_status_class(code);
}

weir_status wr_error_set(weir_error *err, weir_status code, const char *format,
                         ...)
{
    va_list args;

    if (!err)
        return code;
    begin(err, code);
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return code;
}

weir_status wr_error_system(weir_error *err, weir_status code, int system_code,
                            const char *format, ...)
{
    va_list args;
    size_t used;
    char text[96];

    if (!err)
        return code;
    begin(err, code);
    err->system_code = system_code;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, ": %s",
             wr_system_text(system_code, text, sizeof text));
    return code;
}

weir_status wr_error_at(weir_error *err, weir_status code, uint64_t offset,
                        const char *format, ...)
{
    va_list args;

    if (!err)
        return code;
    begin(err, code);
    err->offset = offset;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return code;
}

weir_status wr_error_no_memory(weir_error *err)
{
    return wr_error_set(err, WEIR_E_NO_MEMORY, "out of memory");
}
