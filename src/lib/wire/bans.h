/* SPDX-License-Identifier: Apache-2.0 */
/* What a gateway's keeper asks of the agent: bans in the kernel (docs/PROTOCOL.agent). */
#ifndef DRUN_WIRE_BANS_H
#define DRUN_WIRE_BANS_H

enum {
    /* Body: for each ban 16 bytes of address (IPv6, whose second half is 0, or IPv4 mapped) and u32
     * seconds left. They replace what the same gateway said before. No answer but an error:
     * ERR_DENIED when an address is one that must never be, ERR_UNAVAILABLE when the host does not
     * let us. */
    AGENT_SET_BANS = 4,
    BANS_MAX = 1024,
    BANS_ENTRY_LEN = 20,
};

#endif
