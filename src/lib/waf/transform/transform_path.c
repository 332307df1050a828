/* SPDX-License-Identifier: Apache-2.0 */
/* normalisePath: "//", "/./" and "/../" resolved; never above the root. The Win variant takes
 * backslashes for slashes first. */
#include "waf/transform/transform_internal.h"

TRANSFORM_SCAN_PAIRS(first_odd,
                     ((c == '/') & ((n == '/') | (n == '.'))) | ((c == '.') & (n == '.')))

struct path {
    const uint8_t *in;
    size_t at;
    size_t last; /* index of the last byte of `in` */
    uint8_t *out;
    size_t len;
    bool relative;
    bool hit_root; /* leading ".." of a relative path stay */
};

static void copy_byte(struct path *path)
{
    if (path->in[path->at] == '/') {
        while (path->at < path->last && path->in[path->at + 1] == '/')
            path->at++;
        if (path->relative && path->len == 0) {
            path->at++;
            return;
        }
    }
    path->out[path->len++] = path->in[path->at++];
}

/* The second dot of "..": the segment before goes. ModSecurity takes the end of "x.." for one, too.
 */
static void back_reference(struct path *path)
{
    bool ends = path->at == path->last;

    if (path->relative && (path->hit_root || path->len <= 2)) {
        path->hit_root = true;
        copy_byte(path);
        return;
    }
    path->len -= NUM_MIN(path->len, (size_t)3);
    while (path->len > 0 && path->out[path->len] != '/')
        path->len--;
    if (path->len == 0) {
        path->hit_root = true;
        path->len = !path->relative && ends; /* the root's own slash */
    }
    path->at++;
    if (!ends)
        copy_byte(path);
}

static void self_reference(struct path *path)
{
    bool ends = path->at == path->last;

    path->at++;
    if (ends)
        return;
    if (path->len > 0)
        path->len--;
    copy_byte(path);
}

/* The last byte of a segment, or a slash before a slash. */
static void end_of_segment(struct path *path)
{
    uint8_t before = path->len > 0 ? path->out[path->len - 1] : '/';

    if (path->in[path->at] == '.' && before == '.') {
        back_reference(path);
        return;
    }
    if (path->in[path->at] == '.' && before == '/') {
        self_reference(path);
        return;
    }
    if (path->in[path->at] != '.' && path->len > 0 &&
        (path->in[path->at] != '/' || path->at == path->last))
        path->hit_root = false;
    copy_byte(path);
}

static bool normalise(struct transform *t, struct span in)
{
    struct path path = {.in = in.p, .last = in.len - 1, .relative = in.p[0] != '/'};

    if (transform_begin(t, 0, in.len + 1) == NULL)
        return false;
    path.out = t->room;
    while (path.at <= path.last) {
        if (path.at < path.last && path.in[path.at + 1] != '/')
            copy_byte(&path);
        else
            end_of_segment(&path);
    }
    bool had_slash = in.p[path.last] == '/';
    if (!had_slash && path.len > 0 && path.out[path.len - 1] == '/')
        path.len--;
    return transform_end(t, path.out + path.len);
}

static bool is_normal(struct span in)
{
    return in.len == 0 || (in.p[0] != '.' && first_odd(in.p, in.len) == in.len);
}

bool transform_normalise_path(struct transform *t)
{
    return is_normal(t->in) ? false : normalise(t, t->in);
}

bool transform_normalise_path_win(struct transform *t)
{
    if (transform_find(t->in, '\\') == t->in.len)
        return transform_normalise_path(t);
    uint8_t *slashes = arena_alloc(t->arena, t->in.len);
    if (slashes == NULL)
        return false;
    for (size_t i = 0; i < t->in.len; i++)
        slashes[i] = t->in.p[i] == '\\' ? '/' : t->in.p[i];
    return normalise(t, span_of(slashes, t->in.len));
}
