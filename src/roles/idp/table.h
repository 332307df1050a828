/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_IDP_TABLE_H
#define DRUN_IDP_TABLE_H

#include "ipc/ipc.h"

/* Messages of the idp role. */
enum idp_message {
    /* No body. The answer is an access token of five minutes for system:drun:posture in the group
     * drun:posture, with which the posture role comes to the front door like anybody else. */
    IDP_PROBE_TOKEN = 1,
};

extern const struct ipc_table idp_table;

#endif
