/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body.h"
#include "waf/body_internal.h"

#include "base/mem.h"
#include "base/num.h"

enum { HEAD = 4, FEED_MAX = 1 << 30, MESSAGE = 160 };

struct waf_xml {
    const struct xml_library *lib;
    xmlParserCtxtPtr parser;
    xmlDocPtr doc;
    uint8_t head[HEAD]; /* the parser wants four bytes to tell the encoding */
    size_t head_len;
    bool entities; /* the document declares one */
    bool ended;
    struct err failed; /* the first error */
};

static int fail(struct waf_xml *xml, struct err *err)
{
    xml->failed = *err;
    return -1;
}

struct waf_xml *waf_xml_new(void)
{
    struct waf_xml *xml = mem_new(sizeof(*xml));

    if (xml_library_load(&xml->lib, &xml->failed) < 0)
        xml->lib = NULL;
    return xml;
}

static void drop_parser(struct waf_xml *xml)
{
    if (xml->parser == NULL)
        return;
    if (xml->parser->myDoc != NULL)
        xml->lib->doc_free(xml->parser->myDoc);
    xml->parser->myDoc = NULL;
    xml->lib->parser_free(xml->parser);
    xml->parser = NULL;
}

void waf_xml_free(struct waf_xml *xml)
{
    if (xml == NULL)
        return;
    drop_parser(xml);
    if (xml->doc != NULL)
        xml->lib->doc_free(xml->doc);
    free(xml);
}

void waf_xml_free_ptr(struct waf_xml **xml)
{
    waf_xml_free(*xml);
}

xmlDocPtr waf_xml_document(const struct waf_xml *xml)
{
    return xml->doc;
}

/* ------------------------------------------------------------------ parsing */

/* In place of libxml2's handler of <!ENTITY>: nothing is declared, so nothing can be expanded. */
static void refuse_entity(void *ctx, const xmlChar *name, int type, const xmlChar *public_id,
                          const xmlChar *system_id, xmlChar *content)
{
    struct waf_xml *xml = ((xmlParserCtxtPtr)ctx)->_private;

    (void)name;
    (void)type;
    (void)public_id;
    (void)system_id;
    (void)content;
    xml->entities = true;
}

static void refuse_unparsed(void *ctx, const xmlChar *name, const xmlChar *public_id,
                            const xmlChar *system_id, const xmlChar *notation)
{
    (void)notation;
    refuse_entity(ctx, name, 0, public_id, system_id, NULL);
}

/* libxml2's message without its line end and what is not printable. */
static void clean_message(const char *message, char out[MESSAGE])
{
    size_t len = 0;

    for (; *message != '\0' && len + 1 < MESSAGE; message++)
        if (*message >= ' ' && *message <= '~')
            out[len++] = *message;
    out[len] = '\0';
}

static int complain(struct waf_xml *xml, struct err *err)
{
    const xmlError *last = &xml->parser->lastError;
    char message[MESSAGE] = "it is not well-formed";

    if (xml->entities)
        err_set(err, ERR_INVALID, "the XML declares entities; send a document without them");
    else {
        if (last->message != NULL)
            clean_message(last->message, message);
        err_set(err, ERR_INVALID, "the XML is wrong at line %d, column %d: %s", last->line,
                last->int2, message);
    }
    drop_parser(xml);
    return fail(xml, err);
}

static int begin(struct waf_xml *xml, struct err *err)
{
    xml->parser =
        xml->lib->parser_new(NULL, NULL, (const char *)xml->head, (int)xml->head_len, NULL);
    if (xml->parser == NULL) {
        err_set(err, ERR_INTERNAL, "libxml2 has no memory for a parser");
        return fail(xml, err);
    }
    xml->lib->parser_options(xml->parser,
                             XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xml->parser->_private = xml;
    xml->parser->sax->entityDecl = refuse_entity;
    xml->parser->sax->unparsedEntityDecl = refuse_unparsed;
    return 0;
}

static int parse(struct waf_xml *xml, struct span chunk, bool last, struct err *err)
{
    xml->lib->parse_chunk(xml->parser, (const char *)chunk.p, (int)chunk.len, last);
    if (xml->parser->wellFormed != 1 || xml->entities)
        return complain(xml, err);
    return 0;
}

static int known_failure(const struct waf_xml *xml, struct err *err)
{
    if (xml->failed.code == ERR_NONE)
        return 0;
    *err = xml->failed;
    return -1;
}

int waf_xml_feed(struct waf_xml *xml, struct span chunk, struct err *err)
{
    TRY(known_failure(xml, err));
    INVARIANT(!xml->ended);
    if (xml->parser == NULL) {
        size_t take = NUM_MIN(HEAD - xml->head_len, chunk.len);
        if (take > 0)
            memcpy(xml->head + xml->head_len, chunk.p, take);
        xml->head_len += take;
        if (xml->head_len < HEAD)
            return 0;
        chunk = span_of(chunk.p + take, chunk.len - take);
        TRY(begin(xml, err));
    }
    while (chunk.len > 0) {
        size_t take = NUM_MIN(chunk.len, (size_t)FEED_MAX);
        TRY(parse(xml, span_of(chunk.p, take), false, err));
        chunk = span_of(chunk.p + take, chunk.len - take);
    }
    return 0;
}

int waf_xml_end(struct waf_xml *xml, struct err *err)
{
    TRY(known_failure(xml, err));
    INVARIANT(!xml->ended);
    xml->ended = true;
    if (xml->parser == NULL)
        TRY(begin(xml, err));
    TRY(parse(xml, span_of("", 0), true, err));
    xml->doc = xml->parser->myDoc;
    xml->parser->myDoc = NULL;
    drop_parser(xml);
    return 0;
}

/* ------------------------------------------------------------------ XPath */

static int pair_nodes(struct waf_xml *xml, const xmlNodeSet *nodes,
                      const struct waf_pair_sink *sink, struct arena *arena, struct err *err)
{
    for (int i = 0; nodes != NULL && i < nodes->nodeNr; i++) {
        xmlChar *content = xml->lib->node_content(nodes->nodeTab[i]);
        if (content == NULL)
            continue;
        size_t len = strlen((const char *)content);
        struct waf_pair pair = {.name = span_of("", 0),
                                .value = span_of(arena_copy(arena, span_of(content, len)), len)};
        (*xml->lib->free)(content);
        TRY(arena_check(arena, "the XML", err));
        if (!sink->pair(sink->ctx, &pair))
            return 0;
    }
    return 0;
}

static int no_xpath(const char *xpath, struct err *err)
{
    return err_set(err, ERR_INVALID, "\"%s\" is no XPath expression", xpath);
}

int waf_xml_select(struct waf_xml *xml, const char *xpath, const struct waf_xml_ns *ns,
                   size_t ns_count, const struct waf_pair_sink *sink, struct arena *arena,
                   struct err *err)
{
    if (xml->doc == NULL)
        return 0;
    xmlXPathContextPtr context = xml->lib->xpath_new(xml->doc);
    INVARIANT(context != NULL);
    for (size_t i = 0; i < ns_count; i++)
        xml->lib->xpath_register(context, (const xmlChar *)ns[i].prefix,
                                 (const xmlChar *)ns[i].href);
    xmlXPathObjectPtr object = xml->lib->xpath_eval((const xmlChar *)xpath, context);
    int rc = object == NULL ? no_xpath(xpath, err)
                            : pair_nodes(xml, object->nodesetval, sink, arena, err);
    xml->lib->object_free(object);
    xml->lib->xpath_free(context);
    return rc;
}

int waf_xml_check_xpath(const char *xpath, struct err *err)
{
    const struct xml_library *lib;

    TRY(xml_library_load(&lib, err));
    xmlXPathCompExprPtr compiled = lib->xpath_compile((const xmlChar *)xpath);
    if (compiled == NULL)
        return no_xpath(xpath, err);
    lib->compiled_free(compiled);
    return 0;
}
