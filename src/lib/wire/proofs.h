/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What posture asks of other roles: of the agent (docs/PROTOCOL.agent), because it may not see
 * these things itself, and of idp a token, because it comes to the front door like anybody else.
 */
#ifndef DRUN_WIRE_PROOFS_H
#define DRUN_WIRE_PROOFS_H

enum agent_message {
    /* Body: JSON {"namespace", "name"} of a ModelService, or nothing for any that is ready. Answer:
     * JSON {"service", "host", "tried": [{"name", "refused", "detail"}], "processes"}. */
    AGENT_PROBE_SANDBOX = 1,
    /* Body: JSON {"needles": [hex, ...]}. Answer: JSON {"files", "bytes", "complete",
     * "found": [{"path", "offset", "needle"}]}; the file's bytes never leave the agent. */
    AGENT_SCAN_FILES = 2,
    /* Body: u32 number. Answer: the name of that file of the audit log (from 0, in no order), and a
     * descriptor to read it. ERR_NOT_FOUND behind the last. What is in them is sealed. */
    AGENT_AUDIT_FILE = 3,
};

/* Messages of the idp role. */
#define IDP_PROBE_USER "drun-posture-probe"
enum idp_message {
    /* No body. The answer is an access token of five minutes for system:drun:posture in the group
     * drun:posture. */
    IDP_PROBE_TOKEN = 1,
    /* No body. Makes the user IDP_PROBE_USER anew, without groups, password or second factor. The
     * answer is JSON {"username", "token"}: the token of its one-time link. */
    IDP_PROBE_ACCOUNT = 2,
    /* No body, no answer: removes the user again. */
    IDP_PROBE_DROP = 3,
};

#endif
