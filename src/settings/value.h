/* One value of an option: read from a scalar, checked, stored, shown.
 *
 * Scalars follow the core schema of YAML 1.2 (section 10.3.2): only plain ones
 * are null, booleans or numbers.  Nothing here depends on the locale. */
#ifndef WR_SETTINGS_VALUE_H
#define WR_SETTINGS_VALUE_H

#include "base/buf.h"
#include "settings/options.h"

/* Room for what the functions below write. */
#define WR_FOUND_CAP 48
#define WR_EXPECTED_CAP 56
/* What a message shows in place of a text that may hold a password. */
#define WR_SECRET_FOUND "another text"

struct wr_value {
    uint64_t whole;   /* booleans, integers, address families */
    double seconds;   /* WR_OPTION_SECONDS and _NUMBER */
    const char *text; /* WR_OPTION_TEXT and _TLS; borrowed; NULL = none */
};

/* A scalar as somebody wrote it. */
struct wr_scalar {
    const char *text; /* terminated */
    size_t len;
    bool plain; /* not quoted */
    bool raw;   /* from the environment: text needs no quotes */
};

/* Member of the options, and back. */
struct wr_value wr_value_load(const struct wr_option *option,
                              const weir_pool_options *options);
void wr_value_store(const struct wr_option *option,
                    const struct wr_value *value, weir_pool_options *options);
/* In the range of its option. */
bool wr_value_is_valid(const struct wr_option *option,
                       const struct wr_value *value);
/* false: the scalar is of another type; ranges are not checked.  Text is
 * borrowed from the scalar. */
bool wr_value_read(const struct wr_option *option,
                   const struct wr_scalar *scalar, struct wr_value *ret_value);
/* null, ~ or nothing at all. */
bool wr_scalar_is_null(const struct wr_scalar *scalar);

/* Appends what YAML reads back as this value: 100, 10.0, "1.2", null.
 * false: out of memory. */
bool wr_value_print(const struct wr_option *option,
                    const struct wr_value *value, struct wr_buf *out);
/* For messages: some text, cut to a few words and free of controls. */
void wr_text_shown(const char *text, size_t len, char shown[WR_FOUND_CAP]);
/* For messages: what a value is, cut to a few words. */
void wr_value_found(const struct wr_option *option,
                    const struct wr_value *value, char found[WR_FOUND_CAP]);
/* The same for a scalar: many is "many", 12 is 12. */
void wr_scalar_found(const struct wr_scalar *scalar, char found[WR_FOUND_CAP]);
/* For messages: "an integer from 1 to 1000000". */
void wr_value_expected(const struct wr_option *option,
                       char expected[WR_EXPECTED_CAP]);

#endif
