/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libxml2, opened where it is first used (docs/decisions/0006): it brings ICU along, and most
 * requests are no XML. Nothing of it reaches files or the network: the loader of external things is
 * replaced by one that refuses. For this folder.
 */
#ifndef DRUN_WAF_XML_LIBRARY_H
#define DRUN_WAF_XML_LIBRARY_H

#include "base/err.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/valid.h>
#include <libxml/xmlschemas.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

struct xml_library {
    __typeof__(&xmlInitParser) init;
    __typeof__(&xmlSetExternalEntityLoader) set_loader;
    __typeof__(&xmlSetGenericErrorFunc) set_error_func;
    __typeof__(&xmlCreateMemoryParserCtxt) parser_new;
    __typeof__(&xmlCtxtUseOptions) parser_options;
    __typeof__(&xmlParseDocument) parse;
    __typeof__(&xmlFreeParserCtxt) parser_free;
    __typeof__(&xmlFreeDoc) doc_free;
    __typeof__(&xmlNodeGetContent) node_content;
    __typeof__(&xmlXPathNewContext) xpath_new;
    __typeof__(&xmlXPathFreeContext) xpath_free;
    __typeof__(&xmlXPathRegisterNs) xpath_register;
    __typeof__(&xmlXPathEvalExpression) xpath_eval;
    __typeof__(&xmlXPathFreeObject) object_free;
    __typeof__(&xmlXPathCompile) xpath_compile;
    __typeof__(&xmlXPathFreeCompExpr) compiled_free;
    __typeof__(&xmlParserInputBufferCreateMem) input_new;
    __typeof__(&xmlIOParseDTD) dtd_parse;
    __typeof__(&xmlFreeDtd) dtd_free;
    __typeof__(&xmlNewValidCtxt) valid_new;
    __typeof__(&xmlFreeValidCtxt) valid_free;
    __typeof__(&xmlValidateDtd) validate_dtd;
    __typeof__(&xmlSchemaNewMemParserCtxt) schema_parser_new;
    __typeof__(&xmlSchemaFreeParserCtxt) schema_parser_free;
    __typeof__(&xmlSchemaParse) schema_parse;
    __typeof__(&xmlSchemaFree) schema_free;
    __typeof__(&xmlSchemaNewValidCtxt) schema_valid_new;
    __typeof__(&xmlSchemaFreeValidCtxt) schema_valid_free;
    __typeof__(&xmlSchemaValidateDoc) schema_validate;
    xmlFreeFunc *free; /* a variable of the library */
};

/* -1 with ERR_UNSUPPORTED when libxml2 is not there. */
int xml_library_load(const struct xml_library **out, struct err *err) MUST_USE;

#endif
