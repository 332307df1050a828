/* SPDX-License-Identifier: Apache-2.0 */
/* What the pages of this role say, in the languages of the console. */
#ifndef DRUN_IDP_PAGE_WORDS_H
#define DRUN_IDP_PAGE_WORDS_H

enum page_language { PAGE_ENGLISH, PAGE_CHINESE, PAGE_LANGUAGES };

enum page_says {
    SAYS_ABOUT_IT,
    SAYS_ALLOW,
    SAYS_ALLOW_ACCESS,
    SAYS_ALLOW_DEVICE,
    SAYS_ANSWERED,
    SAYS_AS,
    SAYS_BACK,
    SAYS_CLOSE,
    SAYS_CODE,
    SAYS_CODE_GOES,
    SAYS_CODE_STRANGER,
    SAYS_DENY,
    SAYS_DEVICE_DENIED,
    SAYS_DEVICE_DONE,
    SAYS_DEVICE_IS,
    SAYS_DEVICE_MAY,
    SAYS_DEVICE_SIGN_IN,
    SAYS_DEVICE_TYPE,
    SAYS_FAILED,
    SAYS_FAILED_HELP,
    SAYS_FOOTER,
    SAYS_GO_ON,
    SAYS_NOT_NOW,
    SAYS_OUTSIDE_AWAY,
    SAYS_OUTSIDE_CANCELLED,
    SAYS_OUTSIDE_FAILED,
    SAYS_OUTSIDE_LINK_FAILED,
    SAYS_OUTSIDE_OVER,
    SAYS_OUTSIDE_REFUSED,
    SAYS_OUTSIDE_SEVERAL,
    SAYS_OUTSIDE_TAKEN,
    SAYS_OUTSIDE_TO_ACCOUNT,
    SAYS_OUTSIDE_TO_SIGN_IN,
    SAYS_OUTSIDE_UNLINKED,
    SAYS_PRIVACY,
    SAYS_SCOPE_DRUN,
    SAYS_SCOPE_EMAIL,
    SAYS_SCOPE_GROUPS,
    SAYS_SCOPE_OFFLINE,
    SAYS_SCOPE_OPENID,
    SAYS_SCOPE_PROFILE,
    SAYS_SIGN_OUT,
    SAYS_SIGN_OUT_ASK,
    SAYS_SIGN_OUT_TEXT,
    SAYS_SIGNED_OUT,
    SAYS_TERMS,
    SAYS_TOO_MANY_CODES,
    SAYS_TOLD_AT,
    SAYS_TRY_AGAIN,
    SAYS_WANTS_TO,
    SAYS_WRONG_CODE,
    SAYS_COUNT
};

/* Never NULL. */
const char *page_word(enum page_language language, enum page_says what);

/* The language of a reader: what was chosen in the console (the value of its cookie, or NULL), else
 * the first of Accept-Language (or NULL) that there is, else English. */
enum page_language page_language_of(const char *chosen, const char *accepted);

#endif
