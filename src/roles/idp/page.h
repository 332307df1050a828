/* SPDX-License-Identifier: Apache-2.0 */
/* The few pages that this role serves itself: no script but what is named, one style, no picture.
 */
#ifndef DRUN_IDP_PAGE_H
#define DRUN_IDP_PAGE_H

#include "idp/idp_internal.h"

/* Text for HTML, quotes included. */
void page_put(struct buf *out, const char *text);
/* What comes before and after the body's content, which goes into the answer between them. */
void page_begin(struct serve_request *request, const char *title);
struct page_end {
    unsigned status;
    const char *form_to;   /* where forms may lead beside our own origin; NULL: nowhere */
    const char *frames_of; /* sources of frames; NULL: none */
    const char *script;    /* goes to the end of the page; NULL: none */
    bool framed;           /* others may show it in a frame */
};
void page_finish(struct serve_request *request, const struct page_end *end);

#endif
