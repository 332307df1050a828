/* SPDX-License-Identifier: Apache-2.0 */
/* validateSchema (XML Schema), validateDTD: the file's text is the blob. Each matches a document
 * that is not valid, and when there is none. */
#include "waf/body/body_internal.h"
#include "waf/operator/operator_internal.h"

#include "base/mem.h"

struct xml_state {
    struct waf_op_state base;
    const struct xml_library *lib;
    xmlSchemaPtr schema;
    xmlDtdPtr dtd;
};

static void free_state(struct waf_op_state *base)
{
    struct xml_state *state = (struct xml_state *)base;

    if (state->schema != NULL)
        state->lib->schema_free(state->schema);
    if (state->dtd != NULL)
        state->lib->dtd_free(state->dtd);
    free(state);
}

static xmlSchemaPtr parse_schema(const struct xml_library *lib, struct span text)
{
    xmlSchemaParserCtxtPtr parser = lib->schema_parser_new((const char *)text.p, (int)text.len);
    xmlSchemaPtr schema = parser == NULL ? NULL : lib->schema_parse(parser);

    if (parser != NULL)
        lib->schema_parser_free(parser);
    return schema;
}

static xmlDtdPtr parse_dtd(const struct xml_library *lib, struct span text)
{
    xmlParserInputBufferPtr input =
        lib->input_new((const char *)text.p, (int)text.len, XML_CHAR_ENCODING_NONE);

    /* The call takes the input. */
    return input == NULL ? NULL : lib->dtd_parse(NULL, input, XML_CHAR_ENCODING_NONE);
}

int op_load_xml(enum waf_op op, struct span blob, struct waf_op_state **out, struct err *err)
{
    const struct xml_library *lib;

    TRY(xml_library_load(&lib, err));
    struct xml_state *state = mem_new(sizeof(*state));
    state->base.free = free_state;
    state->lib = lib;
    if (op == WAF_OP_VALIDATE_SCHEMA)
        state->schema = parse_schema(lib, blob);
    else
        state->dtd = parse_dtd(lib, blob);
    if (state->schema == NULL && state->dtd == NULL) {
        free_state(&state->base);
        return err_set(err, ERR_INVALID,
                       "@%s: the file is not valid, or includes another one; put all into one",
                       waf_op_name(op));
    }
    *out = &state->base;
    return 0;
}

int op_prepare_xml(enum waf_op op, struct span argument, const char *dir, struct buf *blob,
                   struct err *err)
{
    CLEANUP(waf_op_state_free_ptr) struct waf_op_state *state = NULL;
    CLEANUP(buf_free) struct buf text = BUF_INIT(OP_FILE_MAX);

    TRY(op_read_file(op, argument, dir, &text, err));
    if (op_load_xml(op, buf_span(&text), &state, err) < 0)
        return err_wrap(err, "%.*s", SPAN_ARG(argument));
    buf_put_span(blob, buf_span(&text));
    return 0;
}

static bool schema_holds(const struct xml_state *state, xmlDocPtr doc)
{
    xmlSchemaValidCtxtPtr context = state->lib->schema_valid_new(state->schema);

    INVARIANT(context != NULL);
    bool holds = state->lib->schema_validate(context, doc) == 0;
    state->lib->schema_valid_free(context);
    return holds;
}

static bool dtd_holds(const struct xml_state *state, xmlDocPtr doc)
{
    xmlValidCtxtPtr context = state->lib->valid_new();

    INVARIANT(context != NULL);
    bool holds = state->lib->validate_dtd(context, doc, state->dtd) == 1;
    state->lib->valid_free(context);
    return holds;
}

bool op_validate_xml(const struct op_call *call, struct waf_op_found *found)
{
    const struct xml_state *state = (const struct xml_state *)call->state;
    xmlDocPtr doc = call->run->xml == NULL ? NULL : waf_xml_document(call->run->xml);

    (void)found;
    if (doc == NULL)
        return true;
    return call->op == WAF_OP_VALIDATE_SCHEMA ? !schema_holds(state, doc) : !dtd_holds(state, doc);
}
