/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_GATEWAY_CONF_INTERNAL_H
#define DRUN_GATEWAY_CONF_INTERNAL_H

#include "gateway/conf.h"

int gateway_check_path(const char *path, const char *what, struct err *err) MUST_USE;
int gateway_check(const struct gateway_conf *conf, struct err *err) MUST_USE;
int gateway_check_listen(const char *listen, struct err *err) MUST_USE;
/* conf_edge.c: checks it; its lines in `http`; those of the server for the PROXY protocol. */
int gateway_check_edge(const struct gateway_edge *edge, struct err *err) MUST_USE;
void gateway_put_edge(const struct gateway_conf *conf, struct buf *out);
void gateway_put_proxy_server(struct buf *out);

#endif
