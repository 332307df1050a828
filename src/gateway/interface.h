/* SPDX-License-Identifier: Apache-2.0 */
/* What the binary and its nginx module must agree on, in one word: a digest of the files that say
 * how they understand each other. The build makes it (tools/interface-id). */
#ifndef DRUN_GATEWAY_INTERFACE_H
#define DRUN_GATEWAY_INTERFACE_H

extern const char gateway_interface[]; /* "0.1.0-0123456789ab" */

#endif
