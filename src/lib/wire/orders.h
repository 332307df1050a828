/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of api. By the agent, and by the exporter about services of outside engines
 * (docs/PROTOCOL.agent):
 *
 * next: u64 epoch, u64 place, both 0 at first. The answer comes when there is an object that
 * changed behind this place: u64 epoch, u64 place, and JSON {"kind", "namespace", "name",
 * "object"}, where object is null when it was deleted. An answer with another epoch starts anew
 * from nothing.
 *
 * status: JSON {"kind", "namespace", "name", "status"}.
 *
 * An order of the kind "Log" asks for what an engine says: {"id", "follow", "previous",
 * "tailLines", "replica"}. log: u64 id, u8 part, and bytes: its text, or the sentence that refuses
 * it. ERR_GONE when nobody reads it any more.
 *
 * By the other owners of kinds (docs/PROTOCOL.owners):
 *
 * emptied: JSON {"namespace", "uid", "held", "example"}: how much of a namespace that is going the
 * asker still has, 0 when nothing.
 *
 * owner: JSON {"group", "kind", "namespace", "name"}: the uid of api's object, as text; nothing
 * when there is none. ERR_INVALID for a kind that is not api's.
 *
 * By the gateway's keeper:
 *
 * left_out: the model services that routes leave out at the time because they fail, each as
 * NAMESPACE/NAME and a newline; these and no others. At most API_LEFT_OUT_MAX bytes.
 *
 * budgets: a JSON object whose members are the rules of LimitPolicies of which something is used,
 * by any name: {"namespace", "uid", "policy", "rule", "measure", "window", "per", "owner",
 * "owners", "common", "used", "elsewhere", "reserved", "ends"}: the uid is the namespace's, the
 * numbers those of the owner who has used most, "ends" seconds since 1970; "elsewhere" is used at
 * other gateways, by "common" of the owners. Of all others nothing is used.
 *
 * By the keepers of gateways that share budgets (docs/PROTOCOL.leases):
 *
 * leases: u8 telling, and what this gateway holds of budgets. The answer: what it holds of each
 * from then on, in the same order.
 *
 * recalls: empty. The answer comes when the gateway is to give something back, or after some
 * seconds: u64 key of each budget of which it is.
 */
#ifndef DRUN_WIRE_ORDERS_H
#define DRUN_WIRE_ORDERS_H

enum api_message {
    API_NEXT = 1,
    API_STATUS = 2,
    API_EMPTIED = 3,
    API_OWNER = 4,
    API_LOG = 5,
    API_BUDGETS = 6,
    API_LEFT_OUT = 7,
    API_LEASES = 8,
    API_RECALLS = 9,
};

enum { API_LEFT_OUT_MAX = 32768 };

enum api_log_part { API_LOG_MORE, API_LOG_END, API_LOG_REFUSED };

#endif
