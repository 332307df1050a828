/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What posture asks of the agent (docs/PROTOCOL.agent), because it may not see these things itself.
 */
#ifndef DRUN_AGENT_PROOFS_H
#define DRUN_AGENT_PROOFS_H

enum agent_message {
    /* Body: JSON {"namespace", "name"} of a ModelService, or nothing for any that is ready. Answer:
     * JSON {"service", "host", "tried": [{"name", "refused", "detail"}], "processes"}. */
    AGENT_PROBE_SANDBOX = 1,
    /* Searches the whole data directory. Body: JSON {"needles": [hex, ...]} (scan.h). Answer: JSON
     * {"files", "bytes", "complete", "found": [{"path", "offset", "needle"}]}; the file's bytes
     * never leave the agent. */
    AGENT_SCAN_FILES = 2,
};

#endif
