/* SPDX-License-Identifier: Apache-2.0 */
/* Files into directives and words. A line ends with the line, or goes on behind a backslash. */
#include "waf/seclang/model.h"

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <glob.h>

/* A directive's text with its line ends taken out, and where each of its lines began. */
struct line {
    struct span text;
    struct lex_map *map;
};

struct reader {
    struct model *model;
    const char *file;
    const char *dir;
    struct span left;
    unsigned line;
    unsigned depth;
};

static struct place place_in(const struct lex_map *map, size_t at)
{
    size_t i = map->count;

    while (i > 1 && map->starts[i - 1] > at)
        i--;
    return (struct place){.file = map->file,
                          .line = map->first + (unsigned)(i - 1),
                          .column = (unsigned)(at - map->starts[i - 1]) + 1};
}

struct place lex_place(const struct lex_word *word, const uint8_t *p)
{
    size_t offset = (size_t)(p - word->text.p);
    struct place place = word->at;

    if (word->map != NULL)
        return place_in(word->map, word->start + offset);
    place.column += (unsigned)offset;
    return place;
}

static struct span take_physical(struct reader *reader)
{
    const uint8_t *end =
        reader->left.len > 0 ? memchr(reader->left.p, '\n', reader->left.len) : NULL;
    struct span line =
        span_of(reader->left.p, end != NULL ? (size_t)(end - reader->left.p) : reader->left.len);
    size_t used = end != NULL ? line.len + 1 : line.len;

    reader->left = span_of(reader->left.p + used, reader->left.len - used);
    reader->line++;
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is_comment(struct span line)
{
    line = span_trim(line);
    return line.len == 0 || line.p[0] == '#';
}

static bool goes_on(struct span line)
{
    return line.len > 0 && line.p[line.len - 1] == '\\';
}

/* Joins the lines of one directive in the arena. False: the file has ended. */
static bool take_logical(struct reader *reader, struct line *out, struct vec *starts,
                         struct buf *room)
{
    struct span line;

    do {
        if (reader->left.len == 0)
            return false;
        line = take_physical(reader);
    } while (is_comment(line));
    struct lex_map *map = arena_alloc(reader->model->arena, sizeof(*map));
    if (map == NULL)
        return false;
    *map = (struct lex_map){.file = reader->file, .first = reader->line};
    buf_reset(room);
    starts->count = 0;
    for (;;) {
        bool more = goes_on(line);
        vec_add(starts, (void *)room->len);
        buf_put(room, line.p, more ? line.len - 1 : line.len);
        if (!more || reader->left.len == 0)
            break;
        line = take_physical(reader);
    }
    out->text = span_of(arena_copy(reader->model->arena, buf_span(room)), room->len);
    map->starts = (const size_t *)(const void *)arena_copy(
        reader->model->arena, span_of(starts->items, starts->count * sizeof(*map->starts)));
    map->count = starts->count;
    out->map = map;
    return out->text.p != NULL && map->starts != NULL;
}

/* A quoted word: \" inside is a quote, every other backslash stays. */
static int take_quoted(struct reader *reader, const struct line *line, size_t *at,
                       struct lex_word *out, struct err *err)
{
    char quote = (char)line->text.p[*at];
    char *text = arena_alloc(reader->model->arena, line->text.len - *at + 1);
    size_t len = 0;
    size_t i = *at + 1;

    if (text == NULL)
        return arena_check(reader->model->arena, reader->file, err);
    while (i < line->text.len && line->text.p[i] != (uint8_t)quote) {
        if (line->text.p[i] == '\\' && i + 1 < line->text.len) {
            if (line->text.p[i + 1] != (uint8_t)quote)
                text[len++] = '\\';
            i++;
        }
        text[len++] = (char)line->text.p[i++];
    }
    if (i >= line->text.len)
        return place_err(&out->at, ERR_INVALID, err, "this quotation mark is never closed");
    out->start = *at + 1;
    *at = i + 1;
    out->at.column++;
    out->text = span_of(text, len);
    out->quoted = true;
    return 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* 1: there was a word; 0: the line has ended. */
static int take_word(struct reader *reader, const struct line *line, size_t *at,
                     struct lex_word *out, struct err *err)
{
    struct span text = line->text;

    while (*at < text.len && is_blank(text.p[*at]))
        ++*at;
    if (*at == text.len)
        return 0;
    *out = (struct lex_word){.at = place_in(line->map, *at), .map = line->map, .start = *at};
    if (text.p[*at] == '"' || text.p[*at] == '\'') {
        TRY(take_quoted(reader, line, at, out, err));
        return 1;
    }
    size_t start = *at;
    while (*at < text.len && !is_blank(text.p[*at]))
        ++*at;
    out->text = span_of(text.p + start, *at - start);
    return 1;
}

static int run_line(struct reader *reader, const struct line *line, struct err *err)
{
    struct lex_directive directive = {
        .text = line->text, .dir = reader->dir, .depth = reader->depth};
    struct lex_word word;
    size_t at = 0;
    int got = take_word(reader, line, &at, &directive.name, err);

    if (got <= 0)
        return got;
    while ((got = take_word(reader, line, &at, &word, err)) > 0) {
        if (directive.arg_count == LEX_ARGS_MAX)
            return place_err(&word.at, ERR_INVALID, err, "%.*s has more than %d arguments",
                             SPAN_ARG(directive.name.text), LEX_ARGS_MAX);
        directive.args[directive.arg_count++] = word;
    }
    TRY(got);
    return directive_run(reader->model, &directive, err);
}

static const char *dir_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return ".";
    return slash == path ? "/" : arena_copy(arena, span_of(path, (size_t)(slash - path)));
}

const char *lex_path(struct arena *arena, const char *dir, struct span name)
{
    if (name.len > 0 && name.p[0] == '/')
        return arena_copy(arena, name);
    return arena_printf(arena, "%s/%.*s", dir, SPAN_ARG(name));
}

/* Follows links, as /etc is full of them. */
int lex_read_file(struct arena *arena, const char *path, size_t max, struct span *out,
                  struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(max);
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return err_sys(err, "cannot open %s", path);
    TRY(fd_read_all(fd, path, &text, err));
    TRY(buf_check(&text, path, err));
    *out = span_of(arena_copy(arena, buf_span(&text)), text.len);
    return arena_check(arena, path, err);
}

static int run_lines(struct reader *reader, struct vec *starts, struct buf *room, struct err *err)
{
    struct line line;

    while (take_logical(reader, &line, starts, room))
        TRY(run_line(reader, &line, err));
    TRY(buf_check(room, reader->file, err));
    return arena_check(reader->model->arena, reader->file, err);
}

int lex_source(struct model *model, const struct waf_source *source, unsigned depth,
               struct err *err)
{
    struct reader reader = {.model = model, .depth = depth};
    struct vec starts = {0};
    CLEANUP(buf_free) struct buf room = BUF_INIT(WAF_SOURCE_MAX);

    reader.file = arena_strdup(model->arena, source->path != NULL ? source->path : "rules");
    reader.dir = dir_of(model->arena, reader.file);
    if (source->text != NULL)
        reader.left = span_of(arena_strdup(model->arena, source->text), strlen(source->text));
    else
        TRY(lex_read_file(model->arena, reader.file, WAF_SOURCE_MAX, &reader.left, err));
    int result = run_lines(&reader, &starts, &room, err);
    vec_free(&starts);
    return result;
}

static int include_each(struct model *model, const struct lex_directive *directive,
                        const glob_t *found, struct err *err)
{
    for (size_t i = 0; i < found->gl_pathc; i++) {
        struct waf_source source = {.path = found->gl_pathv[i]};
        if (lex_source(model, &source, directive->depth + 1, err) < 0) {
            bool has_place = strncmp(err->msg, source.path, strlen(source.path)) == 0;
            return has_place ? -1
                             : err_wrap(err, "%s:%u:%u", directive->args[0].at.file,
                                        directive->args[0].at.line, directive->args[0].at.column);
        }
    }
    return 0;
}

int lex_include(struct model *model, const struct lex_directive *directive, bool optional,
                struct err *err)
{
    const struct lex_word *word = &directive->args[0];
    const char *path = lex_path(model->arena, directive->dir, word->text);
    glob_t found = {0};

    if (directive->depth >= LEX_DEPTH_MAX)
        return place_err(&word->at, ERR_INVALID, err,
                         "files include each other more than %d deep; is there a circle?",
                         LEX_DEPTH_MAX);
    if (path == NULL)
        return arena_check(model->arena, word->at.file, err);
    int failed = glob(path, 0, NULL, &found);
    int result = 0;
    if (failed == 0)
        result = include_each(model, directive, &found, err);
    else if (!optional || failed != GLOB_NOMATCH)
        result = place_err(&word->at, ERR_NOT_FOUND, err, "there is no file %s to include", path);
    globfree(&found);
    return result;
}
