/* SPDX-License-Identifier: Apache-2.0 */
/* Device codes: device.c keeps them, device_page.c asks the user. */
#ifndef DRUN_IDP_DEVICE_GRANT_H
#define DRUN_IDP_DEVICE_GRANT_H

#include "idp/oauth/protocol.h"

#define DEVICE_GRANT "urn:ietf:params:oauth:grant-type:device_code"

enum { DEVICE_CODE_SIZE = 9 };

/* "wdjb-mjht" is WDJBMJHT; false when it cannot be one. */
bool device_read_code(const char *text, char out[DEVICE_CODE_SIZE]);
/* The device that shows the code and waits; ERR_NOT_FOUND. */
int device_grant_find(struct idp *idp, const char *user_code, char id[IDP_ID_SIZE], json_t **out,
                      struct err *err) MUST_USE;
int device_decide(struct idp *idp, const struct session *session, const char *id, json_t *record,
                  bool allow, struct err *err) MUST_USE;

#endif
