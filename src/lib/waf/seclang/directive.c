/* SPDX-License-Identifier: Apache-2.0 */
/* Every directive of SecLang, in one table. */
#include "waf/seclang/model.h"

#include "base/num.h"

#include <stddef.h>

enum directive_kind {
    DIRECTIVE_RULE,
    DIRECTIVE_ACTION,
    DIRECTIVE_DEFAULT_ACTION,
    DIRECTIVE_MARKER,
    DIRECTIVE_INCLUDE,
    DIRECTIVE_INCLUDE_OPTIONAL,
    DIRECTIVE_EXCEPTION, /* `choice`: enum exception_kind */
    DIRECTIVE_CHOICE,    /* one of the words of `choices`; its place is stored */
    DIRECTIVE_NUMBER,
    DIRECTIVE_TEXT,
    DIRECTIVE_CHARACTER,
    DIRECTIVE_UNICODE_MAP,
    DIRECTIVE_TYPES,
    DIRECTIVE_TYPES_CLEAR,
    DIRECTIVE_TAKEN,   /* accepted; README.md says who does it here */
    DIRECTIVE_REFUSED, /* `choices`: why */
};

struct directive {
    const char *name;
    enum directive_kind kind;
    unsigned choice;
    size_t offset; /* in struct model_settings */
    const char *choices;
};

#define SETTING(field) offsetof(struct model_settings, field)

static const struct directive directives[] = {
    {"SecRule", DIRECTIVE_RULE},
    {"SecAction", DIRECTIVE_ACTION},
    {"SecDefaultAction", DIRECTIVE_DEFAULT_ACTION},
    {"SecMarker", DIRECTIVE_MARKER},
    {"Include", DIRECTIVE_INCLUDE},
    {"IncludeOptional", DIRECTIVE_INCLUDE_OPTIONAL},
    {"SecRuleRemoveById", DIRECTIVE_EXCEPTION, EXCEPT_REMOVE_ID},
    {"SecRuleRemoveByTag", DIRECTIVE_EXCEPTION, EXCEPT_REMOVE_TAG},
    {"SecRuleRemoveByMsg", DIRECTIVE_EXCEPTION, EXCEPT_REMOVE_MSG},
    {"SecRuleUpdateTargetById", DIRECTIVE_EXCEPTION, EXCEPT_TARGET_ID},
    {"SecRuleUpdateTargetByTag", DIRECTIVE_EXCEPTION, EXCEPT_TARGET_TAG},
    {"SecRuleUpdateTargetByMsg", DIRECTIVE_EXCEPTION, EXCEPT_TARGET_MSG},
    {"SecRuleUpdateActionById", DIRECTIVE_EXCEPTION, EXCEPT_ACTION_ID},

    {"SecRuleEngine", DIRECTIVE_CHOICE, 0, SETTING(engine), "Off On DetectionOnly"},
    {"SecRequestBodyAccess", DIRECTIVE_CHOICE, 0, SETTING(request_body_access), "Off On"},
    {"SecResponseBodyAccess", DIRECTIVE_CHOICE, 0, SETTING(response_body_access), "Off On"},
    {"SecRequestBodyLimitAction", DIRECTIVE_CHOICE, 0, SETTING(request_limit_action),
     "Reject ProcessPartial"},
    {"SecResponseBodyLimitAction", DIRECTIVE_CHOICE, 0, SETTING(response_limit_action),
     "Reject ProcessPartial"},
    {"SecRequestBodyLimit", DIRECTIVE_NUMBER, 0, SETTING(request_body_limit)},
    {"SecRequestBodyNoFilesLimit", DIRECTIVE_NUMBER, 0, SETTING(request_no_files_limit)},
    {"SecRequestBodyJsonDepthLimit", DIRECTIVE_NUMBER, 0, SETTING(json_depth_limit)},
    {"SecResponseBodyLimit", DIRECTIVE_NUMBER, 0, SETTING(response_body_limit)},
    {"SecArgumentsLimit", DIRECTIVE_NUMBER, 0, SETTING(arguments_limit)},
    {"SecUploadFileLimit", DIRECTIVE_NUMBER, 0, SETTING(upload_file_limit)},
    {"SecPcreMatchLimit", DIRECTIVE_NUMBER, 0, SETTING(pcre_match_limit)},
    {"SecCollectionTimeout", DIRECTIVE_NUMBER, 0, SETTING(collection_timeout)},
    {"SecArgumentSeparator", DIRECTIVE_CHARACTER, 0, SETTING(argument_separator)},
    {"SecUnicodeMapFile", DIRECTIVE_UNICODE_MAP},
    {"SecGeoLookupDb", DIRECTIVE_TEXT, 0, SETTING(geo_database)},
    {"SecWebAppId", DIRECTIVE_TEXT, 0, SETTING(web_app_id)},
    {"SecComponentSignature", DIRECTIVE_TEXT, 0, SETTING(signature)},
    {"SecServerSignature", DIRECTIVE_TAKEN},
    {"SecResponseBodyMimeType", DIRECTIVE_TYPES},
    {"SecResponseBodyMimeTypesClear", DIRECTIVE_TYPES_CLEAR},

    /* The audit log is drun's own (lib/audit): what would be written there is in the hits. */
    {"SecAuditEngine", DIRECTIVE_TAKEN},
    {"SecAuditLog", DIRECTIVE_TAKEN},
    {"SecAuditLog2", DIRECTIVE_TAKEN},
    {"SecAuditLogDirMode", DIRECTIVE_TAKEN},
    {"SecAuditLogFileMode", DIRECTIVE_TAKEN},
    {"SecAuditLogFormat", DIRECTIVE_TAKEN},
    {"SecAuditLogParts", DIRECTIVE_TAKEN},
    {"SecAuditLogPrefix", DIRECTIVE_TAKEN},
    {"SecAuditLogRelevantStatus", DIRECTIVE_TAKEN},
    {"SecAuditLogStorageDir", DIRECTIVE_TAKEN},
    {"SecAuditLogType", DIRECTIVE_TAKEN},
    {"SecDebugLog", DIRECTIVE_TAKEN},
    {"SecDebugLogLevel", DIRECTIVE_TAKEN},
    /* No temporary files are ever written, no status is sent out, cookies have one format. */
    {"SecTmpDir", DIRECTIVE_TAKEN},
    {"SecTmpSaveUploadedFiles", DIRECTIVE_TAKEN},
    {"SecDataDir", DIRECTIVE_TAKEN},
    {"SecUploadDir", DIRECTIVE_TAKEN},
    {"SecUploadFileMode", DIRECTIVE_TAKEN},
    {"SecUploadKeepFiles", DIRECTIVE_CHOICE, 0, SIZE_MAX, "Off RelevantOnly"},
    {"SecStatusEngine", DIRECTIVE_TAKEN},
    {"SecCookieFormat", DIRECTIVE_CHOICE, 0, SIZE_MAX, "0"},
    {"SecCookieV0Separator", DIRECTIVE_TAKEN},
    {"SecRequestBodyInMemoryLimit", DIRECTIVE_TAKEN},
    {"SecPcreMatchLimitRecursion", DIRECTIVE_TAKEN},
    {"SecRequestEncoding", DIRECTIVE_TAKEN},
    {"SecRuleInheritance", DIRECTIVE_TAKEN},
    {"SecConnEngine", DIRECTIVE_CHOICE, 0, SIZE_MAX, "Off"},
    {"SecContentInjection", DIRECTIVE_CHOICE, 0, SIZE_MAX, "Off"},
    {"SecXmlExternalEntity", DIRECTIVE_CHOICE, 0, SIZE_MAX, "Off"},
    {"SecStreamInBodyInspection", DIRECTIVE_CHOICE, 0, SIZE_MAX, "Off"},
    {"SecStreamOutBodyInspection", DIRECTIVE_CHOICE, 0, SIZE_MAX, "Off"},
    {"SecHashEngine", DIRECTIVE_CHOICE, 0, SIZE_MAX, "Off"},
    {"SecDisableBackendCompression", DIRECTIVE_TAKEN},
    {"SecInterceptOnError", DIRECTIVE_TAKEN},
    {"SecParseXmlIntoArgs", DIRECTIVE_CHOICE, 0, SIZE_MAX, "Off"},

    {"SecRuleScript", DIRECTIVE_REFUSED, 0, 0, "rules run no scripts; write a SecRule"},
    {"SecRemoteRules", DIRECTIVE_REFUSED, 0, 0,
     "rules are not fetched from the network; store the file and include it"},
    {"SecRemoteRulesFailAction", DIRECTIVE_REFUSED, 0, 0, "rules are not fetched from the network"},
    {"SecChrootDir", DIRECTIVE_REFUSED, 0, 0, "drun confines its processes itself"},
    {"SecGuardianLog", DIRECTIVE_REFUSED, 0, 0, "no program is run for a request"},
    {"SecHttpBlKey", DIRECTIVE_REFUSED, 0, 0, "nobody is asked over the network"},
    {"SecGsbLookupDb", DIRECTIVE_REFUSED, 0, 0, "its service was shut down"},
};

static const struct directive *find_directive(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(directives); i++)
        if (span_eq_word(name, directives[i].name))
            return &directives[i];
    return NULL;
}

static int choose(const struct directive *known, const struct lex_directive *directive,
                  struct model_settings *settings, struct err *err)
{
    const struct lex_word *word = &directive->args[0];
    const char *p = known->choices;
    unsigned place = 0;

    while (*p != '\0') {
        size_t len = strcspn(p, " ");
        if (span_eq_nocase(word->text, span_of(p, len))) {
            if (known->offset != SIZE_MAX)
                memcpy((char *)settings + known->offset, &place, sizeof(place));
            return 0;
        }
        place++;
        p += len + (p[len] == ' ');
    }
    return place_err(&word->at, ERR_INVALID, err, "%s cannot be \"%.*s\"; here it can be: %s",
                     known->name, SPAN_ARG(word->text), known->choices);
}

static int set_number(const struct directive *known, const struct lex_directive *directive,
                      struct model_settings *settings, struct err *err)
{
    const struct lex_word *word = &directive->args[0];
    struct err why = ERR_INIT;
    uint64_t number;

    if (num_parse_u64(word->text, 0, UINT64_C(1) << 40, known->name, &number, &why) < 0)
        return place_err(&word->at, ERR_INVALID, err, "%s", why.msg);
    memcpy((char *)settings + known->offset, &number, sizeof(number));
    return 0;
}

static int set_character(const struct directive *known, const struct lex_directive *directive,
                         struct model_settings *settings, struct err *err)
{
    const struct lex_word *word = &directive->args[0];

    if (word->text.len != 1)
        return place_err(&word->at, ERR_INVALID, err, "%s is one character", known->name);
    unsigned c = word->text.p[0];
    memcpy((char *)settings + known->offset, &c, sizeof(c));
    return 0;
}

static int set_text(struct model *model, const struct directive *known,
                    const struct lex_directive *directive, struct err *err)
{
    const char *text = known->offset == SETTING(geo_database)
                           ? lex_path(model->arena, directive->dir, directive->args[0].text)
                           : arena_copy(model->arena, directive->args[0].text);

    memcpy((char *)&model->settings + known->offset, &text, sizeof(text));
    return arena_check(model->arena, directive->name.at.file, err);
}

static int set_unicode_map(struct model *model, const struct lex_directive *directive,
                           struct err *err)
{
    struct err why = ERR_INIT;
    uint64_t page = model->settings.unicode_codepage;

    if (directive->arg_count > 2 ||
        (directive->arg_count == 2 &&
         num_parse_u64(directive->args[1].text, 1, 65535, "code page", &page, &why) < 0))
        return place_err(&directive->args[1].at, ERR_INVALID, err,
                         "SecUnicodeMapFile takes a file and the number of a code page");
    model->settings.unicode_codepage = (unsigned)page;
    model->settings.unicode_map = lex_path(model->arena, directive->dir, directive->args[0].text);
    return 0;
}

static int set_types(struct model *model, const struct lex_directive *directive)
{
    for (size_t i = 0; i < directive->arg_count; i++)
        vec_add(&model->response_types, arena_copy(model->arena, directive->args[i].text));
    return 0;
}

static int check_count(const struct directive *known, const struct lex_directive *directive,
                       struct err *err)
{
    size_t min = 1;
    size_t max = 1;

    if (known->kind == DIRECTIVE_RULE)
        min = 2, max = 3;
    else if (known->kind == DIRECTIVE_EXCEPTION || known->kind == DIRECTIVE_UNICODE_MAP ||
             known->kind == DIRECTIVE_TYPES || known->kind == DIRECTIVE_TAKEN)
        max = LEX_ARGS_MAX;
    else if (known->kind == DIRECTIVE_REFUSED || known->kind == DIRECTIVE_TYPES_CLEAR)
        min = 0, max = LEX_ARGS_MAX;
    if (directive->arg_count >= min && directive->arg_count <= max)
        return 0;
    return place_err(&directive->name.at, ERR_INVALID, err,
                     "%s has %zu arguments; it takes %zu%s; a text with blanks needs quotes",
                     known->name, directive->arg_count, min, max > min ? " or more" : "");
}

int directive_run(struct model *model, const struct lex_directive *directive, struct err *err)
{
    const struct directive *known = find_directive(directive->name.text);

    if (known == NULL)
        return place_err(&directive->name.at, ERR_INVALID, err, "there is no directive \"%.*s\"",
                         SPAN_ARG(directive->name.text));
    TRY(check_count(known, directive, err));
    if (model->open_chain != NULL && known->kind != DIRECTIVE_RULE &&
        known->kind != DIRECTIVE_ACTION)
        return place_err(&directive->name.at, ERR_INVALID, err,
                         "a SecRule must follow: the rule of line %u says \"chain\"",
                         model->open_chain->at.line);
    switch (known->kind) {
    case DIRECTIVE_RULE: return rule_parse(model, directive, err);
    case DIRECTIVE_ACTION: return action_directive_parse(model, directive, err);
    case DIRECTIVE_DEFAULT_ACTION: return default_action_parse(model, directive, err);
    case DIRECTIVE_MARKER: return marker_parse(model, directive, err);
    case DIRECTIVE_INCLUDE: return lex_include(model, directive, false, err);
    case DIRECTIVE_INCLUDE_OPTIONAL: return lex_include(model, directive, true, err);
    case DIRECTIVE_EXCEPTION:
        return exception_parse(model, (enum exception_kind)known->choice, directive, err);
    case DIRECTIVE_CHOICE: return choose(known, directive, &model->settings, err);
    case DIRECTIVE_NUMBER: return set_number(known, directive, &model->settings, err);
    case DIRECTIVE_CHARACTER: return set_character(known, directive, &model->settings, err);
    case DIRECTIVE_TEXT: return set_text(model, known, directive, err);
    case DIRECTIVE_UNICODE_MAP: return set_unicode_map(model, directive, err);
    case DIRECTIVE_TYPES: return set_types(model, directive);
    case DIRECTIVE_TYPES_CLEAR: model->response_types.count = 0; return 0;
    case DIRECTIVE_TAKEN: return 0;
    case DIRECTIVE_REFUSED:
        return place_err(&directive->name.at, ERR_UNSUPPORTED, err, "%s is not supported: %s",
                         known->name, known->choices);
    }
    return 0;
}
