/* Order and normal form of versions: PEP 440, "Summary of permitted suffixes
 * and relative ordering" and "Normalization". */
#include <stdio.h>
#include <string.h>

#include "pep440.h"

/* A number as its digits without leading zeros; 0 has none. */
struct number {
    const char *digits;
    size_t len;
};

static struct number number_of(const char *digits, size_t len)
{
    while (len > 0 && *digits == '0') {
        digits++;
        len--;
    }
    return (struct number){digits, len};
}

static int sign(long long difference)
{
    return (difference > 0) - (difference < 0);
}

static int compare_numbers(struct number a, struct number b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : sign(memcmp(a.digits, b.digits, a.len));
}

static struct number number_in(const struct pep440 *version,
                               struct pep440_part part)
{
    return number_of(version->text + part.at, part.len);
}

static int compare_parts(const struct pep440 *a, struct pep440_part part_a,
                         const struct pep440 *b, struct pep440_part part_b)
{
    return compare_numbers(number_in(a, part_a), number_in(b, part_b));
}

/* --- segments of a release or of a local label ---------------------------- */

/* Walks over what stands between separators. */
struct walk {
    const char *next;
    size_t left;
    bool is_over; /* there was no segment any more */
};

static struct walk walk_over(const struct pep440 *version,
                             struct pep440_part part)
{
    return (struct walk){version->text + part.at, part.len, false};
}

/* The next segment; empty when there is none. */
static struct number next_segment(struct walk *walk)
{
    struct number segment = {walk->next, 0};

    walk->is_over = walk->left == 0;
    while (segment.len < walk->left && !strchr("-_.", walk->next[segment.len]))
        segment.len++;
    walk->next += segment.len;
    walk->left -= segment.len;
    if (walk->left > 0) {
        walk->next++;
        walk->left--;
    }
    return segment;
}

/* A release that ends first goes on with zeros. */
static int compare_releases(const struct pep440 *a, const struct pep440 *b)
{
    struct walk walk_a = walk_over(a, a->release);
    struct walk walk_b = walk_over(b, b->release);

    for (;;) {
        const struct number in_a = next_segment(&walk_a);
        const struct number in_b = next_segment(&walk_b);
        const int order = compare_numbers(number_of(in_a.digits, in_a.len),
                                          number_of(in_b.digits, in_b.len));

        if (order != 0 || (walk_a.is_over && walk_b.is_over))
            return order;
    }
}

static bool is_numeric(struct number segment)
{
    return strspn(segment.digits, "0123456789") >= segment.len;
}

/* Words come before numbers. */
static int compare_local_segments(struct number a, struct number b)
{
    const size_t shorter = a.len < b.len ? a.len : b.len;
    int order;

    if (is_numeric(a) != is_numeric(b))
        return is_numeric(a) ? 1 : -1;
    if (is_numeric(a))
        return compare_numbers(number_of(a.digits, a.len),
                               number_of(b.digits, b.len));
    order = memcmp(a.digits, b.digits, shorter);
    return order != 0 ? sign(order) : sign((long long)a.len - (long long)b.len);
}

/* No label comes before any, and one before those that go on after it. */
static int compare_locals(const struct pep440 *a, const struct pep440 *b)
{
    struct walk walk_a = walk_over(a, a->local);
    struct walk walk_b = walk_over(b, b->local);

    for (;;) {
        const struct number in_a = next_segment(&walk_a);
        const struct number in_b = next_segment(&walk_b);
        int order;

        if (walk_a.is_over || walk_b.is_over)
            return walk_b.is_over - walk_a.is_over;
        order = compare_local_segments(in_a, in_b);
        if (order != 0)
            return order;
    }
}

/* --- order ----------------------------------------------------------------
 *
 * Of one release: .devN, then aN, bN, rcN, then the release itself, then
 * .postN; and each of these but the first has .devN before it. */

enum phase {
    PHASE_DEV,
    PHASE_ALPHA,
    PHASE_BETA,
    PHASE_CANDIDATE,
    PHASE_FINAL
};

static enum phase phase_of(const struct pep440 *version)
{
    switch (version->pre_phase) {
    case 'a':
        return PHASE_ALPHA;
    case 'b':
        return PHASE_BETA;
    case 'r':
        return PHASE_CANDIDATE;
    default:
        return version->has_dev && !version->has_post ? PHASE_DEV : PHASE_FINAL;
    }
}

int pep440_compare(const struct pep440 *a, const struct pep440 *b)
{
    int order = compare_parts(a, a->epoch, b, b->epoch);

    if (order == 0)
        order = compare_releases(a, b);
    if (order == 0)
        order = sign((int)phase_of(a) - (int)phase_of(b));
    if (order == 0)
        order = compare_parts(a, a->pre, b, b->pre);
    if (order == 0)
        order = a->has_post - b->has_post;
    if (order == 0)
        order = compare_parts(a, a->post, b, b->post);
    if (order == 0)
        order = b->has_dev - a->has_dev;
    if (order == 0)
        order = compare_parts(a, a->dev, b, b->dev);
    return order != 0 ? order : compare_locals(a, b);
}

bool pep440_is_prerelease(const struct pep440 *version)
{
    return version->pre_phase || version->has_dev;
}

/* --- normal form ---------------------------------------------------------- */

static char *put_text(char *to, const char *text)
{
    const size_t len = strlen(text);

    memcpy(to, text, len + 1);
    return to + len;
}

static char *put_number(char *to, struct number number)
{
    if (number.len == 0)
        return put_text(to, "0");
    memcpy(to, number.digits, number.len);
    return to + number.len;
}

/* The segments of a part with a dot between two, numbers without zeros before
 * them. */
static char *put_segments(char *to, const struct pep440 *version,
                          struct pep440_part part)
{
    struct walk walk = walk_over(version, part);

    for (bool is_first = true; walk.left > 0; is_first = false) {
        const struct number segment = next_segment(&walk);

        if (!is_first)
            *to++ = '.';
        if (is_numeric(segment)) {
            to = put_number(to, number_of(segment.digits, segment.len));
        } else {
            memcpy(to, segment.digits, segment.len);
            to += segment.len;
        }
    }
    return to;
}

void pep440_normalise(const struct pep440 *version,
                      char normal[static PEP440_NORMAL_MAX])
{
    const struct number epoch = number_in(version, version->epoch);
    char *to = normal;

    if (epoch.len > 0)
        to = put_text(put_number(to, epoch), "!");
    to = put_segments(to, version, version->release);
    if (version->pre_phase) {
        to = put_text(to, version->pre_phase == 'a'   ? "a"
                          : version->pre_phase == 'b' ? "b"
                                                      : "rc");
        to = put_number(to, number_in(version, version->pre));
    }
    if (version->has_post)
        to = put_number(put_text(to, ".post"),
                        number_in(version, version->post));
    if (version->has_dev)
        to = put_number(put_text(to, ".dev"), number_in(version, version->dev));
    if (version->local.len > 0)
        to = put_segments(put_text(to, "+"), version, version->local);
    *to = '\0';
}
