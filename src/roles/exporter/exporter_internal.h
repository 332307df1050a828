/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#ifndef DRUN_EXPORTER_EXPORTER_INTERNAL_H
#define DRUN_EXPORTER_EXPORTER_INTERNAL_H

#include "egress/address.h"
#include "egress/egress.h"
#include "exporter/pool.h"
#include "ipc/ipc.h"
#include "role/role.h"

struct upstreams;

struct exporter {
    struct role *role; /* NULL in tests of the messages alone */
    struct loop *loop;
    struct pool *pool;
    const char *scratch_dir; /* in memory: authorities that libldap takes from files alone */
    struct egress_networks networks; /* that the operator allows */
    struct upstreams *upstreams;
};

/* ------------------------------------------------------------------ table.c, fetch.c, ldap.c */

extern const struct ipc_table exporter_table;

/* How far a sender may go. */
struct sender {
    enum role_id role;
    bool private_network; /* its endpoints may be said to be in one */
    bool secrets;         /* it may have a Secret put in */
};

ipc_handler_fn fetch_handle;
ipc_handler_fn ldap_handle;
/* -1 when the sender may not send there. */
int sender_check(unsigned peer, const struct egress_endpoint *endpoint, struct err *err) MUST_USE;
/* Appends the value of a Secret that the sender names. */
int sender_secret(struct exporter *exporter, unsigned peer, const struct egress_secret *secret,
                  struct buf *out, struct err *err) MUST_USE;

/* An address was refused: that goes to the audit log, if there is one. `what` names who wanted to.
 */
void exporter_report_refusal(struct exporter *exporter, const char *what, const struct err *why);

#endif
