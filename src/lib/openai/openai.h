/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of the OpenAI API: one strict pass over the body. Every span points into the caller's
 * bytes, and nothing is allocated but room for the table of strings. The bytes must be JSON (RFC
 * 8259) without a mark before it, in valid UTF-8, no U+0000 and no lone surrogate in a string,
 * nesting up to OPENAI_DEPTH_MAX, numbers of at most OPENAI_NUMBER_MAX characters that fit an int64
 * or a finite double; names that the schema knows may come once in their object, and at the top no
 * name may come twice. So the gateway and the engine behind it cannot read the same body
 * differently.
 */
#ifndef DRUN_OPENAI_OPENAI_H
#define DRUN_OPENAI_OPENAI_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum {
    OPENAI_DEPTH_MAX = 64,
    OPENAI_NUMBER_MAX = 64,
    OPENAI_TOP_MAX = 64,    /* members at the top */
    OPENAI_MODEL_MAX = 128, /* bytes of a model's name */
    OPENAI_PATH_MAX = 128,
    OPENAI_TEXTS_MAX = 65536,           /* strings in a request */
    OPENAI_DATA_MAX = 20 * 1024 * 1024, /* characters of one data URL or base64 text */
};

/* Two are Anthropic's: POST /v1/messages, and what its prompt would take. The last is this
 * platform's own: a text that the guard shall look at. */
enum openai_api {
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_MESSAGES,
    OPENAI_COUNT_TOKENS,
    OPENAI_TRY_GUARD
};

/* Members at the top that the schema does not know are refused; otherwise they pass unread. */
enum openai_flags { OPENAI_REFUSE_UNKNOWN = 1 };

struct openai_request {
    struct span body;                 /* what was read */
    char model[OPENAI_MODEL_MAX + 1]; /* decoded; never empty, no control characters */
    bool stream;
    bool include_usage; /* the client asked for the usage of a stream */
    bool for_answers;   /* of OPENAI_TRY_GUARD */
    bool remote;        /* names images that the engine would fetch from elsewhere */
    bool deterministic; /* by its parameters: embeddings, or one answer at a temperature of 0 */
    bool max_tokens_given;
    uint64_t max_tokens;       /* of max_tokens and max_completion_tokens the larger */
    uint32_t n;                /* answers asked, 1 and up; with best_of the larger */
    uint32_t messages;         /* of a chat; else of prompts or inputs */
    size_t prompt_bytes;       /* text that becomes tokens: strings of messages, prompts, tools */
    uint64_t prompt_ids;       /* token ids that the client sent instead of text */
    size_t top_at;             /* where the first member at the top begins */
    struct span model_value;   /* with its quotes */
    struct span options_value; /* of stream_options; len 0: not there */
    struct span tokens_null;   /* a max_tokens of null; len 0: not there */
    struct span usage_value;   /* of stream_options.include_usage; len 0: not there */
    struct span ids_value;     /* from the first of prompt_ids to the last: nothing but ids */
};

/* ------------------------------------------------------------------ the strings of a request */

enum openai_kind {
    OPENAI_PROSE, /* becomes part of the prompt: content, tool calls and results, descriptions */
    OPENAI_DATA,  /* a data URL or base64, checked to be nothing else: images, audio, files */
    OPENAI_OTHER, /* identifiers, metadata, and all of what the schema does not know */
};

enum openai_role {
    OPENAI_NO_ROLE, /* prompts, inputs, definitions of tools */
    OPENAI_SYSTEM,
    OPENAI_DEVELOPER,
    OPENAI_USER,
    OPENAI_ASSISTANT,
    OPENAI_TOOL,
    OPENAI_FUNCTION,
};
const char *openai_role_name(enum openai_role role); /* "user"; "" for none */

/* One string: the bytes between its quotes, as they stand in the body. */
struct openai_text {
    uint32_t at;
    uint32_t len;
    uint32_t index; /* of its message, prompt or input; else 0 */
    uint8_t kind;   /* enum openai_kind */
    uint8_t role;   /* enum openai_role */
    bool escaped;   /* has escapes in it */
};

/*
 * Every string of a request that is a value, in the order of the body; but for the model's name and
 * those that the schema takes a few words for ("user", "json_object"). Filled by
 * openai_request_scan(); the memory is the caller's to keep for the next request, and grows up to
 * OPENAI_TEXTS_MAX. Whoever has rules for form fields looks at what openai_request_cut() leaves.
 */
struct openai_texts {
    struct openai_text *text;
    size_t count;
    size_t room;
};
void openai_texts_free(struct openai_texts *texts);
/* Appends what the bytes between two quotes stand for; they were read before. */
void openai_text_decode(struct span raw, struct buf *out);

/* What is wrong with a request, in the terms of the API. */
struct openai_fault {
    char param[OPENAI_PATH_MAX]; /* "messages[2].role"; "" for the body as a whole */
    const char *code;            /* "invalid_type"; static */
    char msg[256];               /* one sentence, without a final period */
    size_t at;                   /* the byte where it was seen */
};

/* -1 with ERR_INVALID and *fault filled in. `texts` may be NULL. */
int openai_request_scan(enum openai_api api, struct span body, unsigned flags,
                        struct openai_texts *texts, struct openai_request *out,
                        struct openai_fault *fault, struct err *err) MUST_USE;

/* The body for rules about form fields, in stretches of it: each string that is OPENAI_PROSE or
 * OPENAI_DATA is empty in it, and token ids are left out; all else stands as it came, names too. */
typedef void openai_cut_fn(void *ctx, struct span stretch);
void openai_request_cut(const struct openai_request *request, const struct openai_texts *texts,
                        openai_cut_fn *put, void *ctx);

/* The body without the blanks between its parts, in stretches of it. Requests that differ in
 * nothing else are one and the same. It was read before. */
void openai_request_compact(const struct openai_request *request, openai_cut_fn *put, void *ctx);

/* Whether the bytes are one JSON text by the rules above, whatever they say. */
int openai_json_check(struct span text, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ edits */

enum { OPENAI_EDITS_MAX = 3, OPENAI_EDIT_TEXT = 48 };

/* In place of `len` bytes at `at` come the bytes of `with`. In order of `at`, never overlapping. */
struct openai_edit {
    size_t at;
    size_t len;
    struct span with;
};

struct openai_edits {
    struct openai_edit edit[OPENAI_EDITS_MAX];
    size_t count;
    char text[OPENAI_EDIT_TEXT]; /* what openai_edits_set_max_tokens() put in */
};

/* Puts `quoted`, a JSON string with its quotes, in place of the model's name. */
void openai_edits_set_model(struct openai_edits *edits, const struct openai_request *request,
                            struct span quoted);
/* Asks for the usage of a stream, whatever the client said about it. */
void openai_edits_force_usage(struct openai_edits *edits, const struct openai_request *request);
/* Sets max_tokens in a request that has none. */
void openai_edits_set_max_tokens(struct openai_edits *edits, const struct openai_request *request,
                                 uint64_t max_tokens);
size_t openai_edits_len(const struct openai_edits *edits, size_t body_len);
/* The edited body as at most 2 * OPENAI_EDITS_MAX + 1 stretches, in order; returns how many. */
size_t openai_edits_parts(const struct openai_edits *edits, struct span body,
                          struct span parts[2 * OPENAI_EDITS_MAX + 1]) MUST_USE;
/* Writes openai_edits_len() bytes. */
void openai_edits_apply(const struct openai_edits *edits, struct span body, uint8_t *out);

/* ------------------------------------------------------------------ errors */

/* {"error":{"message":...,"type":...,"param":...,"code":...}}; param and code may be NULL. */
void openai_error_put(const char *message, const char *type, const char *param, const char *code,
                      struct buf *out);
/* `text` as a JSON string with quotes; bytes that are not UTF-8 become U+FFFD. */
void openai_string_put(struct span text, struct buf *out);

#endif
