/* Keys: from a variable or a file, judged before anything is sent.  No message
 * holds any part of one. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "providers.h"

enum {
    KEY_MIN = 10,
    KEY_MAX = 4096
};

/* The characters of a token68 (RFC 9110 section 11.2). */
static bool can_be_sent(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz"
                                  "0123456789-._~+/";
    const size_t len = strspn(text, allowed);

    return len > 0 && text[len + strspn(text + len, "=")] == '\0';
}

/* Without white space around it. */
static char *trimmed(const char *text, size_t len)
{
    while (len > 0 && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    return cli_format("%.*s", (int)len, text);
}

/* "~/key" is below the home. */
static char *expand(const char *path)
{
    const char *home = getenv("HOME");

    return strncmp(path, "~/", 2) == 0 && home
               ? cli_format("%s%s", home, path + 1)
               : cli_copy(path);
}

/* At most KEY_MAX bytes; -1 with errno. */
static ssize_t read_some(const char *path, char bytes[KEY_MAX + 1])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t len = 0;
    ssize_t got;

    if (fd < 0)
        return -1;
    do {
        got = read(fd, bytes + len, (size_t)(KEY_MAX + 1 - len));
        len += got > 0 ? got : 0;
    } while ((got > 0 && len <= KEY_MAX) || (got < 0 && errno == EINTR));
    if (got < 0)
        len = -1;
    close(fd);
    return len;
}

static void read_file(const char *path, struct key *key)
{
    char *whole = expand(path);
    char bytes[KEY_MAX + 1];
    const ssize_t len = read_some(whole, bytes);

    if (len < 0)
        key->problem = cli_format("key file %s: %s", path, strerror(errno));
    else if (len > KEY_MAX)
        key->problem =
            cli_format("key file %s has more than %d bytes", path, KEY_MAX);
    else
        key->text = trimmed(bytes, (size_t)len);
    explicit_bzero(bytes, sizeof bytes);
    free(whole);
}

static void read_variable(const char *name, struct key *key)
{
    const char *value = getenv(name);

    if (value)
        key->text = trimmed(value, strlen(value));
    else
        key->problem = cli_format("%s is not set", name);
}

/* What is wrong with a key, after "the key in NAME "; NULL: nothing. */
static const char *judge(const char *text)
{
    static const char placeholder[] = "placeholder";

    if (!*text)
        return "is empty";
    if (strncasecmp(text, placeholder, sizeof placeholder - 1) == 0)
        return "is a placeholder";
    if (strlen(text) < KEY_MIN)
        return "has under 10 characters";
    return can_be_sent(text) ? NULL : "has characters that no key has";
}

static void forget(struct key *key)
{
    if (key->text)
        explicit_bzero(key->text, strlen(key->text));
    free(key->text);
    key->text = NULL;
}

void provider_key_read(const struct provider *provider, struct key *key)
{
    const char *source =
        provider->key_env ? provider->key_env : provider->key_file;
    const char *fault;

    *key = (struct key){0};
    if (provider->key_env)
        read_variable(provider->key_env, key);
    else if (provider->key_file)
        read_file(provider->key_file, key);
    else
        key->problem = cli_copy("no key_env or key_file is set");
    fault = key->text ? judge(key->text) : NULL;
    if (fault) {
        forget(key);
        key->problem = cli_format("the key in %s %s", source, fault);
    }
    if (!provider->needs_key) {
        free(key->problem);
        key->problem = NULL;
    }
}

void provider_key_free(struct key *key)
{
    forget(key);
    free(key->problem);
    key->problem = NULL;
}
