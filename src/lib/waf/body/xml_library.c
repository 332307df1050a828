/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/xml_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static const struct symbol {
    const char *name;
    size_t offset;
} symbols[] = {
    {"xmlInitParser", offsetof(struct xml_library, init)},
    {"xmlSetExternalEntityLoader", offsetof(struct xml_library, set_loader)},
    {"xmlSetGenericErrorFunc", offsetof(struct xml_library, set_error_func)},
    {"xmlCreateMemoryParserCtxt", offsetof(struct xml_library, parser_new)},
    {"xmlCtxtUseOptions", offsetof(struct xml_library, parser_options)},
    {"xmlParseDocument", offsetof(struct xml_library, parse)},
    {"xmlFreeParserCtxt", offsetof(struct xml_library, parser_free)},
    {"xmlFreeDoc", offsetof(struct xml_library, doc_free)},
    {"xmlNodeGetContent", offsetof(struct xml_library, node_content)},
    {"xmlXPathNewContext", offsetof(struct xml_library, xpath_new)},
    {"xmlXPathFreeContext", offsetof(struct xml_library, xpath_free)},
    {"xmlXPathRegisterNs", offsetof(struct xml_library, xpath_register)},
    {"xmlXPathEvalExpression", offsetof(struct xml_library, xpath_eval)},
    {"xmlXPathFreeObject", offsetof(struct xml_library, object_free)},
    {"xmlXPathCompile", offsetof(struct xml_library, xpath_compile)},
    {"xmlXPathFreeCompExpr", offsetof(struct xml_library, compiled_free)},
    {"xmlParserInputBufferCreateMem", offsetof(struct xml_library, input_new)},
    {"xmlIOParseDTD", offsetof(struct xml_library, dtd_parse)},
    {"xmlFreeDtd", offsetof(struct xml_library, dtd_free)},
    {"xmlNewValidCtxt", offsetof(struct xml_library, valid_new)},
    {"xmlFreeValidCtxt", offsetof(struct xml_library, valid_free)},
    {"xmlValidateDtd", offsetof(struct xml_library, validate_dtd)},
    {"xmlSchemaNewMemParserCtxt", offsetof(struct xml_library, schema_parser_new)},
    {"xmlSchemaFreeParserCtxt", offsetof(struct xml_library, schema_parser_free)},
    {"xmlSchemaParse", offsetof(struct xml_library, schema_parse)},
    {"xmlSchemaFree", offsetof(struct xml_library, schema_free)},
    {"xmlSchemaNewValidCtxt", offsetof(struct xml_library, schema_valid_new)},
    {"xmlSchemaFreeValidCtxt", offsetof(struct xml_library, schema_valid_free)},
    {"xmlSchemaValidateDoc", offsetof(struct xml_library, schema_validate)},
    {"xmlFree", offsetof(struct xml_library, free)},
};

static xmlParserInputPtr refuse(const char *url, const char *id, xmlParserCtxtPtr parser)
{
    (void)url;
    (void)id;
    (void)parser;
    return NULL;
}

/* By default libxml2 writes to stderr. */
static void say_nothing(void *ctx, const char *fmt, ...)
{
    (void)ctx;
    (void)fmt;
}

int xml_library_load(const struct xml_library **out, struct err *err)
{
    static struct xml_library library;
    static bool loaded;

    *out = &library;
    if (loaded)
        return 0;
    void *handle = dlopen("libxml2.so.2", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return err_set(err, ERR_UNSUPPORTED, "libxml2 is not installed (package libxml2): %s",
                       dlerror());
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *found = dlsym(handle, symbols[i].name);
        if (found == NULL)
            return err_set(err, ERR_UNSUPPORTED, "libxml2 has no %s", symbols[i].name);
        memcpy((uint8_t *)&library + symbols[i].offset, &found, sizeof(found));
    }
    library.init();
    library.set_loader(refuse);
    library.set_error_func(NULL, say_nothing);
    loaded = true;
    return 0;
}
