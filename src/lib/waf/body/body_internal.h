/* SPDX-License-Identifier: Apache-2.0 */
/* What bodies and operators share. For this folder. */
#ifndef DRUN_WAF_BODY_INTERNAL_H
#define DRUN_WAF_BODY_INTERNAL_H

#include "waf/body/body.h"
#include "waf/body/xml_library.h"

/* NULL: there is no well-formed document. */
xmlDocPtr waf_xml_document(const struct waf_xml *xml);

#endif
