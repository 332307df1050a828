/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent asks of api, and the exporter about services of outside engines
 * (docs/PROTOCOL.agent).
 *
 * next: u64 epoch, u64 place, both 0 at first. The answer comes when there is an object that
 * changed behind this place: u64 epoch, u64 place, and JSON {"kind", "namespace", "name",
 * "object"}, where object is null when it was deleted. An answer with another epoch starts anew
 * from nothing.
 *
 * status: JSON {"kind", "namespace", "name", "status"}.
 */
#ifndef DRUN_WIRE_ORDERS_H
#define DRUN_WIRE_ORDERS_H

enum api_message { API_NEXT = 1, API_STATUS = 2 };

#endif
