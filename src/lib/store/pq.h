/* SPDX-License-Identifier: Apache-2.0 */
/* libpq, loaded when it is first asked for: a process that never opens a PostgreSQL store does not
 * carry it. */
#ifndef DRUN_STORE_PQ_H
#define DRUN_STORE_PQ_H

#include "base/attr.h"
#include "base/err.h"

#include <libpq-fe.h>

struct pq {
    __typeof__(PQconninfoParse) *conninfoParse;
    __typeof__(PQconninfoFree) *conninfoFree;
    __typeof__(PQconnectdb) *connectdb;
    __typeof__(PQfinish) *finish;
    __typeof__(PQreset) *reset;
    __typeof__(PQstatus) *status;
    __typeof__(PQsocket) *socket;
    __typeof__(PQerrorMessage) *errorMessage;
    __typeof__(PQexec) *exec;
    __typeof__(PQprepare) *prepare;
    __typeof__(PQexecPrepared) *execPrepared;
    __typeof__(PQresultStatus) *resultStatus;
    __typeof__(PQresultErrorField) *resultErrorField;
    __typeof__(PQcmdStatus) *cmdStatus;
    __typeof__(PQntuples) *ntuples;
    __typeof__(PQgetvalue) *getvalue;
    __typeof__(PQgetlength) *getlength;
    __typeof__(PQclear) *clear;
    __typeof__(PQenterPipelineMode) *enterPipelineMode;
    __typeof__(PQexitPipelineMode) *exitPipelineMode;
    __typeof__(PQsendQueryPrepared) *sendQueryPrepared;
    __typeof__(PQpipelineSync) *pipelineSync;
    __typeof__(PQgetResult) *getResult;
    __typeof__(PQconsumeInput) *consumeInput;
    __typeof__(PQnotifies) *notifies;
    __typeof__(PQfreemem) *freemem;
    __typeof__(PQsetNoticeReceiver) *setNoticeReceiver;
};

/* ERR_UNSUPPORTED when it is not installed. */
int pq_load(const struct pq **out, struct err *err) MUST_USE;

#endif
