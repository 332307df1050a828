/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/module/path.h"

#include <stdbool.h>
#include <string.h>

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* The byte at `at` and how long it is written; -1 for what is no byte. */
static int decode(struct span path, size_t at, size_t *len)
{
    *len = 1;
    if (path.p[at] != '%')
        return path.p[at];
    if (at + 2 >= path.len || digit(path.p[at + 1]) < 0 || digit(path.p[at + 2]) < 0)
        return -1;
    *len = 3;
    return digit(path.p[at + 1]) << 4 | digit(path.p[at + 2]);
}

/* Behind a percent sign: two hex digits, however they are written. */
static bool is_encoded_again(struct span path, size_t behind)
{
    size_t len = 0;

    for (int i = 0; i < 2; i++, behind += len) {
        int c = behind < path.len ? decode(path, behind, &len) : -1;
        if (c < 0 || digit((uint8_t)c) < 0)
            return false;
    }
    return true;
}

/* A model is "namespace/name": some clients write its slash as %2F, and it means one. */
static bool takes_slash(struct span path)
{
    static const char models[] = "/v1/models/";

    return path.len > sizeof(models) - 1 && memcmp(path.p, models, sizeof(models) - 1) == 0;
}

const char *edge_path_fault(struct span path)
{
    size_t segment = 0; /* bytes in it, and how many of them are dots */
    size_t dots = 0;
    size_t len;

    if (path.len == 0 || path.p[0] != '/')
        return "The path does not begin with a slash";
    for (size_t i = 1; i < path.len; i += len) {
        int c = decode(path, i, &len);
        bool written_out = len == 3;
        if (c < 0x20 || c == 0x7f)
            return "The path has a control character, or a percent sign without two hex digits";
        if (c == '\\' || (!written_out && (c == '#' || c >= 0x80)))
            return "The path has a character that must be written with a percent sign, or a backslash";
        if (c == '%' && is_encoded_again(path, i + len))
            return "The path is percent-encoded twice";
        if (c == '/' && written_out && !takes_slash(path))
            return "The path has a slash written as %2F";
        if (c == '/') {
            if (segment == 0)
                return "The path has an empty segment (two slashes)";
            if (segment == dots && dots <= 2)
                return "The path has a segment of dots";
            segment = dots = 0;
            continue;
        }
        segment++;
        dots += c == '.';
    }
    return segment > 0 && segment == dots && dots <= 2 ? "The path has a segment of dots" : NULL;
}
