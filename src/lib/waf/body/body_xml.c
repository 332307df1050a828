/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/body.h"
#include "waf/body/body_internal.h"

#include "base/mem.h"
#include "base/num.h"

enum { HEAD = 4, TEXT_MAX = 64 << 20, MESSAGE = 160 };

struct waf_xml {
    const struct xml_library *lib;
    xmlParserCtxtPtr parser;
    xmlDocPtr doc;
    struct buf text; /* libxml2's push parser takes some documents in one piece, not in several */
    bool entities;   /* the document declares one */
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

    xml->text = (struct buf)BUF_INIT(TEXT_MAX);
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
    buf_free(&xml->text);
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

/* UCS-4 and EBCDIC by their first bytes: nobody sends them, and libxml2 takes garbage for them. */
static bool odd_encoding(const uint8_t head[HEAD])
{
    static const uint8_t heads[][HEAD] = {
        {0, 0, 0, '<'}, {'<', 0, 0, 0}, {0, 0, '<', 0}, {0, '<', 0, 0}, {0x4C, 0x6F, 0xA7, 0x94}};

    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        if (memcmp(head, heads[i], HEAD) == 0)
            return true;
    return false;
}

static bool has_element(xmlDocPtr doc)
{
    for (const xmlNode *node = doc == NULL ? NULL : doc->children; node != NULL; node = node->next)
        if (node->type == XML_ELEMENT_NODE)
            return true;
    return false;
}

static int parse(struct waf_xml *xml, struct err *err)
{
    if (xml->text.len >= HEAD && odd_encoding(xml->text.data)) {
        err_set(err, ERR_INVALID, "the XML is in UCS-4 or EBCDIC; send it in UTF-8");
        return fail(xml, err);
    }
    if (xml->text.len > 0)
        xml->parser = xml->lib->parser_new((const char *)xml->text.data, (int)xml->text.len);
    if (xml->parser == NULL) {
        err_set(err, ERR_INVALID, "the XML is empty");
        return fail(xml, err);
    }
    xml->lib->parser_options(xml->parser,
                             XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xml->parser->_private = xml;
    xml->parser->sax->entityDecl = refuse_entity;
    xml->parser->sax->unparsedEntityDecl = refuse_unparsed;
    xml->lib->parse(xml->parser);
    if (xml->parser->wellFormed != 1 || xml->entities || !has_element(xml->parser->myDoc))
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
    buf_put_span(&xml->text, chunk);
    return buf_check(&xml->text, "the XML", err) < 0 ? fail(xml, err) : 0;
}

int waf_xml_end(struct waf_xml *xml, struct err *err)
{
    TRY(known_failure(xml, err));
    INVARIANT(!xml->ended);
    xml->ended = true;
    TRY(parse(xml, err));
    xml->doc = xml->parser->myDoc;
    xml->parser->myDoc = NULL;
    drop_parser(xml);
    buf_free(&xml->text);
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
