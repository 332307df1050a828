/* SPDX-License-Identifier: Apache-2.0 */
/* The few pages that this role serves itself, in the console's look and languages: no script but
 * what is named, one style, nothing from elsewhere. */
#ifndef DRUN_IDP_PAGE_H
#define DRUN_IDP_PAGE_H

#include "idp/idp_internal.h"
#include "idp/page_words.h"

/* Text for HTML, quotes included. */
void page_put(struct buf *out, const char *text);
/* In the reader's language: the text itself, and as HTML into the answer. */
const char *page_says(const struct serve_request *request, enum page_says what);
void page_say(struct serve_request *request, enum page_says what);
/* A button of a form; `decision` is its value under that name, or NULL. */
void page_put_button(struct serve_request *request, const char *decision, enum page_says what);
/* Is it a browser that shows pages, and not a program that wants JSON? */
bool page_is_wanted(const struct serve_request *request);
/* A whole page that says that it did not work, and why. */
void page_fail(struct serve_request *request, unsigned status, const char *why);
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
